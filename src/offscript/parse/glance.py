"""The first lines of a log at a glance: messages and the values of the header by name, without times (ours).

This is what the session key is discovered from. Which lines are records does not depend on their times, so they are the
records that are read later (`records`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from offscript.entries import Fields
from offscript.parse.forms import Messages
from offscript.parse.header import Header, value_groups

MAX_NAMES: Final = 48
"""Values of the header looked at: bounds the time on wide objects."""


class Glance:
    """Records in order: `messages`, and `columns`, the values that the header names, None where a record lacks one.

    >>> glance = Glance()
    >>> glance.add([Fields("up", named=(("pid", "7"),)), Fields("down")])
    >>> glance.messages.texts, glance.columns
    (['up', 'down'], {'pid': ['7', None]})
    """

    def __init__(self, header: Header | None = None) -> None:
        self.messages = Messages()
        self.columns: dict[str, list[str | None]] = {}
        self._header = header if header is not None else Header()
        self._begun: set[str] = set()

    def __len__(self) -> int:
        """Count the records."""
        return len(self.messages)

    def read(self, texts: Sequence[str], sources: Sequence[str]) -> None:
        """Read more lines; those that continue a record of their source are passed over."""
        if self._header.kind == "columns" and self._header.inner is None:
            self._read_columns(texts, sources)
            return
        records: list[Fields] = []
        for text, source in zip(texts, sources, strict=True):
            fields = self._header.split(text)
            if fields is not None or source not in self._begun:
                self._begun.add(source)
                records.append(fields or Fields(text))
        self.add(records)

    def _read_columns(self, texts: Sequence[str], sources: Sequence[str]) -> None:
        """As `read`, without making the fields of each record: half of what that takes."""
        pattern, names, groups = value_groups(self._header)
        match, begun = pattern.match, self._begun
        messages: list[str] = []
        rows: list[tuple[str | None, ...]] = []
        nothing = (None,) * len(names)
        for text, source in zip(texts, sources, strict=True):
            found = match(text)
            if found is not None:
                messages.append(text[found.end() :].rstrip())
                rows.append(found.group(0, *groups)[1:] if groups else nothing)
                begun.add(source)
            elif source not in begun:
                messages.append(text)
                rows.append(nothing)
                begun.add(source)
        for name, column in zip(names, zip(*rows, strict=True), strict=False):
            # a missing column and a dash name nothing
            values = self.columns.setdefault(name, [None] * len(self))
            values += [None if value == "-" else value for value in column]
        self.messages.extend(messages)

    def add(self, records: Sequence[Fields]) -> None:
        """Add records that were read; of a name that a record has twice the first counts."""
        begin = len(self)
        self.messages.extend([fields.message for fields in records])
        for values in self.columns.values():
            values += [None] * len(records)
        for place, fields in enumerate(records, begin):
            for name, value in fields.named:
                column = self.columns.get(name)
                if column is None:
                    if len(self.columns) == MAX_NAMES:
                        continue
                    column = self.columns[name] = [None] * len(self)
                if column[place] is None:
                    column[place] = value
