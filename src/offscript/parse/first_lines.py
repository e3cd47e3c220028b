"""The first lines of a log as text, taken from its pieces without making a `Line` of each (ours)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from offscript.entries import Line

if TYPE_CHECKING:
    from offscript.parse.raw_lines import RawLines


class FirstLines(NamedTuple):
    """Lines as text, and the source of each."""

    texts: list[str]
    sources: list[str]


def first_lines(pieces: Iterable[RawLines | list[Line]], count: int) -> tuple[list[RawLines | list[Line]], FirstLines]:
    """Take pieces until they hold so many lines; return the pieces, and those lines.

    >>> ahead, first = first_lines(iter([[Line("a", "x")], [Line("b", "y"), Line("c", "y")], [Line("d", "z")]]), 2)
    >>> len(ahead), first
    (2, FirstLines(texts=['a', 'b'], sources=['x', 'y']))
    """
    ahead: list[RawLines | list[Line]] = []
    first = FirstLines([], [])
    for piece in pieces:
        ahead.append(piece)
        room = count - len(first.texts)
        if isinstance(piece, list):
            first.texts.extend(line.text for line in piece[:room])
            first.sources.extend(line.source for line in piece[:room])
        else:
            first.texts.extend(_texts(piece, room))
            first.sources.extend([piece.source] * min(room, len(piece)))
        if len(first.texts) >= count:
            break
    return ahead, first


def _texts(raw: RawLines, count: int) -> list[str]:
    """The first lines of a piece."""
    starts, stops = raw.starts[:count].tolist(), raw.stops[:count].tolist()
    if not starts:
        return []
    data = raw.data[starts[0] : stops[-1]]
    if not data.isascii():
        return [raw.data[start:stop].decode("utf-8") for start, stop in zip(starts, stops, strict=True)]
    text, begin = data.decode("ascii"), starts[0]
    return [text[start - begin : stop - begin] for start, stop in zip(starts, stops, strict=True)]
