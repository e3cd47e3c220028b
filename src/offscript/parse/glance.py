"""The first lines of a log at a glance: messages and the values of the header by name, without times (ours).

This is what the session key is discovered from. Which lines are records does not depend on their times, so they are the
records that are read later (`records`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from offscript.entries import Fields
from offscript.parse.forms import Ints, Messages
from offscript.parse.header import Header
from offscript.parse.header_forms import HeaderForms

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
        in_columns = self._header.kind == "columns" and self._header.inner is None
        self._by_form = HeaderForms(self._header) if in_columns else None

    def __len__(self) -> int:
        """Count the records."""
        return len(self.messages)

    def read(self, texts: Sequence[str], sources: Sequence[str]) -> None:
        """Read more lines; those that continue a record of their source are passed over."""
        if self._by_form is not None:
            self._read_columns(self._by_form, texts, sources)
            return
        records: list[Fields] = []
        for text, source in zip(texts, sources, strict=True):
            fields = self._header.split(text)
            if fields is not None or source not in self._begun:
                self._begun.add(source)
                records.append(fields or Fields(text))
        self.add(records)

    def _read_columns(self, by_form: HeaderForms, texts: Sequence[str], sources: Sequence[str]) -> None:
        """As `read`, by form: a tenth of what making the fields of each record takes."""
        begins, stops, alike = by_form.places(texts)
        is_record = begins[0] >= 0
        first = {source: place for place, source in zip(range(len(texts) - 1, -1, -1), reversed(sources), strict=True)}
        for source in first.keys() - self._begun:
            if not is_record[first[source]]:
                is_record[first[source]] = True
                begins[0, first[source]], stops[0, first[source]] = 0, len(texts[first[source]])
        self._begun.update(first)
        places = np.flatnonzero(is_record)
        shown = [texts[place] for place in places.tolist()]
        for name, column in zip(by_form.names, _cut_out(shown, begins[1:, places], stops[1:, places]), strict=True):
            # a missing column and a dash name nothing
            values = self.columns.setdefault(name, [None] * len(self))
            values += [None if value == "-" else value for value in column]
        (messages,) = _cut_out(shown, begins[:1, places], stops[:1, places])
        self.messages.extend([message or "" for message in messages], alike[places])

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


def _cut_out(texts: Sequence[str], begins: Ints, stops: Ints) -> Iterator[list[str | None]]:
    """Yield the stretches of texts, row by row; None where one begins at -1."""
    for begin, stop in zip(begins.tolist(), stops.tolist(), strict=True):
        yield [text[a:b] if a >= 0 else None for text, a, b in zip(texts, begin, stop, strict=True)]
