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
from offscript.parse.identifiers import Found
from offscript.parse.texts import Texts

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
        self._columns: dict[str, _Column] = {}
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
        known = len(self)
        is_record = begins[0] >= 0
        first = {source: place for place, source in zip(range(len(texts) - 1, -1, -1), reversed(sources), strict=True)}
        for source in first.keys() - self._begun:
            if not is_record[first[source]]:
                is_record[first[source]] = True
                begins[0, first[source]], stops[0, first[source]] = 0, len(texts[first[source]])
        self._begun.update(first)
        places = np.flatnonzero(is_record)
        shown = [texts[place] for place in places.tolist()]
        whole = "\n".join(shown)
        lengths = np.fromiter(map(len, shown), np.int64, len(shown)) + 1
        heads = np.cumsum(lengths) - lengths
        for name, begin, stop in zip(by_form.names, begins[1:, places], stops[1:, places], strict=True):
            self._column(name).add_spans(known, whole, np.where(begin >= 0, heads + begin, -1), heads + stop)
        spans = zip(shown, begins[0, places].tolist(), stops[0, places].tolist(), strict=True)
        self.messages.extend([text[begin:stop] for text, begin, stop in spans], alike[places])

    def _column(self, name: str) -> _Column:
        return self._columns.setdefault(name, _Column())

    @property
    def columns(self) -> dict[str, list[str | None]]:
        """The values that the header names, of each record."""
        return {name: column.values(len(self)) for name, column in self._columns.items()}

    def found(self) -> Iterator[tuple[str, Found]]:
        """Yield each name with its values as ids."""
        for name, column in self._columns.items():
            yield name, Found.numbered(column.numbers(len(self)), column.texts)

    def add(self, records: Sequence[Fields]) -> None:
        """Add records that were read; of a name that a record has twice the first counts."""
        begin = len(self)
        self.messages.extend([fields.message for fields in records])
        names, values = set(self._columns), dict[str, list[str | None]]()
        for place, fields in enumerate(records):
            for name, value in fields.named:
                column = values.get(name)
                if column is None:
                    if name not in names and len(names) == MAX_NAMES:
                        continue
                    names.add(name)
                    column = values[name] = [None] * len(records)
                if column[place] is None:
                    column[place] = value
        for name, column in values.items():
            self._column(name).add(begin, column)


class _Column:
    """The values of one name by record, as numbers; records behind the last one with a value have none."""

    def __init__(self) -> None:
        self.texts = Texts()
        self._numbers = np.zeros(0, np.int64)

    def add(self, begin: int, values: Sequence[str | None]) -> None:
        """Add the values of the records from number `begin` on."""
        self._extend(begin, self.texts.number(values))

    def add_spans(self, begin: int, text: str, starts: Ints, stops: Ints) -> None:
        """Add the values of the records from number `begin` on, stretches of a text; a dash names nothing."""
        single = np.flatnonzero((stops - starts == 1) & (starts >= 0))
        starts[[place for place in single.tolist() if text[starts[place]] == "-"]] = -1
        self._extend(begin, self.texts.number_spans(text, starts, stops))

    def _extend(self, begin: int, numbers: Ints) -> None:
        self._numbers = np.concatenate((self.numbers(begin)[:begin], numbers))

    def numbers(self, count: int) -> Ints:
        """Return the numbers of so many records' values, -1 for none."""
        return np.concatenate((self._numbers, np.full(max(0, count - len(self._numbers)), -1, np.int64)))

    def values(self, count: int) -> list[str | None]:
        """Return the values of so many records."""
        return [self.texts[number] if number >= 0 else None for number in self.numbers(count).tolist()]
