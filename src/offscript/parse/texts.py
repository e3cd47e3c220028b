"""Numbers for texts, equal ones for equal texts: ids of a sample, cut out of its lines only where somebody asks (ours).

A sample of a log holds some hundred thousand ids. To make a string of each costs more than all that is done with their
numbers, so where compiled code lies ready they are numbered as bytes (`interned`), else as strings.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, overload

import numpy as np
from numpy.typing import NDArray

from offscript.parse.forms import numbered, numbering
from offscript.parse.pieces import is_loaded

if TYPE_CHECKING:
    from offscript.parse.interned import Interner

Ints = NDArray[np.int64]

_EMPTY = b"\xff"  # stands for an empty text: no text in UTF-8 holds it


class Texts(Sequence[str]):
    """Texts by their numbers 0, 1, 2 ... in order of first sight; it grows.

    >>> texts = Texts()
    >>> texts.number(["req-1", None, "req-2", "req-1"]).tolist(), list(texts)
    ([0, -1, 1, 0], ['req-1', 'req-2'])
    >>> texts.number_spans("at req-2 at", np.array([3, -1, 9]), np.array([8, -1, 11])).tolist(), texts[2]
    ([1, -1, 2], 'at')
    >>> texts.lengths().tolist()
    [5, 5, 2]
    """

    def __init__(self) -> None:
        self._interner = _interner()
        self._numbers: dict[str, int] = numbering()
        self._held: list[str] = []

    @property
    def is_compiled(self) -> bool:
        """Whether texts are numbered as bytes."""
        return self._interner is not None

    def number(self, texts: Sequence[str | None]) -> Ints:
        """Return the numbers of some texts, -1 for None."""
        given = [text for text in texts if text is not None]
        numbers = np.full(len(texts), -1, np.int64)
        there = np.fromiter((text is not None for text in texts), bool, len(texts))
        if self._interner is None:
            numbers[there] = numbered(given, self._numbers)
            self._held += islice(self._numbers, len(self._held), None)
            return numbers
        raw = [text.encode("utf-8", "surrogatepass") or _EMPTY for text in given]
        stops = np.cumsum(np.fromiter(map(len, raw), np.int64, len(raw)))
        starts = np.concatenate((np.zeros(min(1, len(stops)), np.int64), stops[:-1]))
        numbers[there] = self._intern(b"".join(raw), starts, stops)
        return numbers

    def number_spans(self, text: str, starts: Ints, stops: Ints) -> Ints:
        """Return the numbers of some stretches of a text, -1 for those that start there."""
        if self._interner is None or not text.isascii():
            spans = zip(starts.tolist(), stops.tolist(), strict=True)
            return self.number([text[start:stop] if start >= 0 else None for start, stop in spans])
        return self._intern(text.encode("ascii"), starts, stops)

    def number_bytes(self, data: bytes, starts: Ints, stops: Ints) -> Ints:
        """Return the numbers of some stretches of bytes, taken for texts in UTF-8."""
        if self._interner is None:
            spans = zip(starts.tolist(), stops.tolist(), strict=True)
            return self.number([data[start:stop].decode("utf-8", "surrogatepass") for start, stop in spans])
        return self._intern(data, starts, stops)

    def _intern(self, data: bytes, starts: Ints, stops: Ints) -> Ints:
        numbers = np.empty(len(starts), np.int64)
        is_empty = (starts >= 0) & (starts == stops)
        if is_empty.any():
            starts, stops = np.where(is_empty, len(data), starts), np.where(is_empty, len(data) + 1, stops)
            data += _EMPTY
        if self._interner is not None:
            self._interner.intern(np.frombuffer(data, np.uint8), starts, stops, numbers)
        return numbers

    def lengths(self) -> Ints:
        """Return how many characters each text has."""
        if self._interner is not None and self._interner.is_ascii():
            return self._interner.sizes()
        return np.fromiter(map(len, self), np.int64, len(self))

    def __len__(self) -> int:
        """Return how many different texts there are."""
        return len(self._held) if self._interner is None else len(self._interner)

    def __iter__(self) -> Iterator[str]:
        """Yield the texts in the order of their numbers."""
        return iter(self._held if self._interner is None else map(_text, self._interner.names(0)))

    @overload
    def __getitem__(self, number: int) -> str: ...

    @overload
    def __getitem__(self, number: slice) -> list[str]: ...

    def __getitem__(self, number: int | slice) -> str | list[str]:
        """Return the text of a number; IndexError for one that no text has."""
        if isinstance(number, slice):
            return list(self)[number]
        place = range(len(self))[number]
        return self._held[place] if self._interner is None else _text(self._interner.name(place))


def _text(name: bytes) -> str:
    return "" if name == _EMPTY else name.decode("utf-8", "surrogatepass")


def _interner() -> Interner | None:
    """What numbers bytes at machine speed, where it need neither be loaded nor compiled first."""
    if not is_loaded("interned._intern"):
        return None
    from offscript.parse.interned import Interner  # noqa: PLC0415  (the compiler is loaded only for files)

    return Interner()
