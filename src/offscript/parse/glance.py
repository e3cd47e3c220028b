"""The first lines of a log at a glance: messages and the values of the header by name, without times (ours).

This is what the session key is discovered from. Which lines are records does not depend on their times, so they are the
records that are read later (`records`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from offscript.entries import Fields
from offscript.parse.header import Header
from offscript.parse.header_forms import HeaderForms
from offscript.parse.identifiers import Found
from offscript.parse.messages import Ints, Messages
from offscript.parse.page import Page
from offscript.parse.texts import Texts

MAX_NAMES: Final = 48
"""Values of the header looked at: bounds the time on wide objects."""


class Glance:
    """Records in order: `messages`, and `columns`, the values that the header names, None where a record lacks one.

    Args:
        header: how to read lines.
        page: the lines, for `read`.
        sources: the source of each.

    >>> glance = Glance()
    >>> glance.add([Fields("up", named=(("pid", "7"),)), Fields("down")])
    >>> list(glance.messages.page), glance.columns
    (['up', 'down'], {'pid': ['7', None]})
    """

    def __init__(self, header: Header | None = None, page: Page | None = None, sources: Sequence[str] = ()) -> None:
        self.messages = Messages()
        self.done = 0
        self._columns: dict[str, _Column] = {}
        self._header = header if header is not None else Header()
        self._page = page if page is not None else Page.of([])
        self._sources = sources
        self._begun: set[str] = set()
        in_columns = self._header.kind == "columns" and self._header.inner is None
        self._by_form = HeaderForms(self._header, self._page) if in_columns else None

    def __len__(self) -> int:
        """Count the records."""
        return len(self.messages)

    def read(self, count: int) -> None:
        """Read more of the lines; those that continue a record of their source are passed over."""
        begin, self.done = self.done, min(self.done + count, len(self._page))
        if self._by_form is not None:
            self._read_columns(self._by_form, begin)
            return
        records: list[Fields] = []
        for place in range(begin, self.done):
            text, source = self._page[place], self._sources[place]
            fields = self._header.split(text)
            if fields is not None or source not in self._begun:
                self._begun.add(source)
                records.append(fields or Fields(text))
        self.add(records)

    def _read_columns(self, by_form: HeaderForms, begin: int) -> None:
        """As `read`, by form: a tenth of what making the fields of each record takes."""
        begins, stops, alike = by_form.places(begin, self.done)
        known, page = len(self), self._page[begin : self.done]
        is_record = begins[0] >= 0
        sources = self._sources[begin : self.done]
        for source in set(sources) - self._begun:
            first = sources.index(source)
            if not is_record[first]:
                is_record[first] = True
                begins[0, first], stops[0, first] = 0, page.stops[first] - page.starts[first]
            self._begun.add(source)
        places = np.flatnonzero(is_record)
        heads, begins, stops = page.starts[places], begins[:, places], stops[:, places]
        for name, starts, ends in zip(by_form.names, begins[1:], stops[1:], strict=True):
            self._column(name).add_spans(known, page, np.where(starts >= 0, heads + starts, -1), heads + ends)
        self.messages.extend(page.at(heads + begins[0], heads + stops[0]), alike[places])

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

    def add_spans(self, begin: int, page: Page, starts: Ints, stops: Ints) -> None:
        """Add the values of the records from number `begin` on, stretches of a text; a dash names nothing."""
        single = np.flatnonzero((stops - starts == 1) & (starts >= 0))
        starts[single[page.reads("-", starts[single])]] = -1
        self._extend(begin, page.number(self.texts, starts, stops))

    def _extend(self, begin: int, numbers: Ints) -> None:
        self._numbers = np.concatenate((self.numbers(begin)[:begin], numbers))

    def numbers(self, count: int) -> Ints:
        """Return the numbers of so many records' values, -1 for none."""
        return np.concatenate((self._numbers, np.full(max(0, count - len(self._numbers)), -1, np.int64)))

    def values(self, count: int) -> list[str | None]:
        """Return the values of so many records."""
        return [self.texts[number] if number >= 0 else None for number in self.numbers(count).tolist()]
