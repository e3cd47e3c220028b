"""Lines of text in one piece: a line is cut out only where somebody asks for it (ours).

Before a log is read its header and session key are found out from thousands of lines, few of which differ in more than
digits. To make a string of each costs more than to number their forms.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import overload

import numpy as np
from numpy.typing import NDArray

from offscript.parse.forms import folded
from offscript.parse.texts import Texts

Ints = NDArray[np.int64]


class Page(Sequence[str]):
    r"""Lines that stand in a text, each from one place to another, in characters (ours).

    >>> page = Page("up 7\nup 8\ndown", np.array([0, 5, 10]), np.array([4, 9, 14]))
    >>> page[1], list(page[1:]), page.forms.tolist()
    ('up 8', ['up 8', 'down'], [0, 0, 1])
    """

    def __init__(self, text: str, starts: Ints, stops: Ints, data: bytes | None = None) -> None:
        self.text = text
        self.starts = starts
        self.stops = stops
        # the text's bytes, where each is a character
        self._data = text.encode("ascii") if data is None and text.isascii() else data

    @classmethod
    def of(cls, texts: Sequence[str]) -> Page:
        """Put texts into one piece; a page stays itself.

        >>> list(Page.of(["up", "", "down"]))
        ['up', '', 'down']
        """
        if isinstance(texts, Page):
            return texts
        stops = np.cumsum(np.fromiter(map(len, texts), np.int64, len(texts)))
        return cls("".join(texts), np.concatenate((np.zeros(min(1, len(stops)), np.int64), stops[:-1])), stops)

    @classmethod
    def joined(cls, pages: Sequence[Page]) -> Page:
        """Put pages behind each other.

        >>> list(Page.joined([Page.of(["a"]), Page.of(["b", "c"])]))
        ['a', 'b', 'c']
        """
        pages = [page for page in pages if len(page)] or [cls.of([])]
        if all(page.text is pages[0].text for page in pages):
            starts, stops = (
                np.concatenate(column) for column in ([page.starts for page in pages], [page.stops for page in pages])
            )
            return pages[0].at(starts, stops)
        heads = np.cumsum([0, *(len(page.text) for page in pages)]).tolist()
        starts, stops = (
            np.concatenate([head + some for head, some in zip(heads, column, strict=False)])
            for column in ([page.starts for page in pages], [page.stops for page in pages])
        )
        return cls("".join(page.text for page in pages), starts, stops)

    def __len__(self) -> int:
        """Count the lines."""
        return len(self.starts)

    @overload
    def __getitem__(self, place: int) -> str: ...

    @overload
    def __getitem__(self, place: slice) -> Page: ...

    def __getitem__(self, place: int | slice) -> str | Page:
        """Return a line; of a slice a page, whose forms have the same numbers if they are known."""
        if not isinstance(place, slice):
            return self.text[self.starts[place] : self.stops[place]]
        part = self.at(self.starts[place], self.stops[place])
        if "forms" in self.__dict__:
            part.__dict__["forms"] = self.forms[place]
        return part

    def some(self, places: Ints) -> list[str]:
        """Return some of the lines."""
        spans = zip(self.starts[places].tolist(), self.stops[places].tolist(), strict=True)
        return [self.text[start:stop] for start, stop in spans]

    def at(self, starts: Ints, stops: Ints) -> Page:
        """Return other stretches of the same text."""
        return Page(self.text, starts, stops, self._data)

    @cached_property
    def raw(self) -> tuple[bytes, Ints, Ints]:
        """The lines in UTF-8 in one piece, and where in it each begins and ends."""
        if self._data is not None:
            return self._data, self.starts, self.stops
        raw = [line.encode("utf-8", "surrogatepass") for line in self]
        sizes = np.fromiter(map(len, raw), np.int64, len(raw))
        stops = np.cumsum(sizes)
        return b"".join(raw), stops - sizes, stops

    @cached_property
    def forms(self) -> Ints:
        """Numbers of the lines, equal ones for lines that differ in digits only."""
        data, starts, stops = self.raw
        return Texts().number_bytes(folded(data), starts, stops)

    def number(self, texts: Texts, starts: Ints, stops: Ints) -> Ints:
        """Return the numbers of stretches of the text, -1 for those that start there."""
        if texts.is_compiled and self._data is not None:
            return texts.number_bytes(self._data, starts, stops)
        return texts.number_spans(self.text, starts, stops)

    def reads(self, sign: str, starts: Ints) -> NDArray[np.bool_]:
        """Tell at which places of the text a sign of ASCII stands."""
        if self._data is not None:
            return np.equal(np.frombuffer(self._data, np.uint8)[starts], ord(sign))
        return np.array([self.text[start] == sign for start in starts.tolist()], bool)


def first_of_each(numbers: Ints) -> tuple[Ints, Ints]:
    """Return where each of some numbers from 0 stands first, in that order, and which of these each number is.

    >>> first_of_each(np.array([7, 2, 7, 0]))[0].tolist(), first_of_each(np.array([7, 2, 7, 0]))[1].tolist()
    ([0, 1, 3], [0, 1, 0, 2])
    """
    places = np.full(int(numbers.max(initial=-1)) + 1, -1, np.int64)
    places[numbers[::-1]] = np.arange(len(numbers))[::-1]  # of a place set several times the last counts
    firsts = np.flatnonzero(places[numbers] == np.arange(len(numbers)))
    ranks = np.empty_like(places)
    ranks[numbers[firsts]] = np.arange(len(firsts))
    return firsts, ranks[numbers]
