"""The first lines of a log as text, taken from its pieces without making a `Line`, or a string, of each (ours)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from offscript.entries import Line
from offscript.parse.page import Page

if TYPE_CHECKING:
    from offscript.parse.raw_lines import RawLines


class FirstLines(NamedTuple):
    """Lines in one piece, and the source of each."""

    page: Page
    sources: list[str]


def first_lines(pieces: Iterable[RawLines | list[Line]], count: int) -> tuple[list[RawLines | list[Line]], FirstLines]:
    """Take pieces until they hold so many lines; return the pieces, and those lines.

    >>> ahead, first = first_lines(iter([[Line("a", "x")], [Line("b", "y"), Line("c", "y")], [Line("d", "z")]]), 2)
    >>> len(ahead), list(first.page), first.sources
    (2, ['a', 'b'], ['x', 'y'])
    """
    ahead: list[RawLines | list[Line]] = []
    pages: list[Page] = []
    sources: list[str] = []
    for piece in pieces:
        ahead.append(piece)
        room = count - len(sources)
        if isinstance(piece, list):
            pages.append(Page.of([line.text for line in piece[:room]]))
            sources.extend(line.source for line in piece[:room])
        else:
            pages.append(_page(piece, room))
            sources.extend([piece.source] * min(room, len(piece)))
        if len(sources) >= count:
            break
    return ahead, FirstLines(Page.joined(pages), sources)


def _page(raw: RawLines, count: int) -> Page:
    """The first lines of a piece."""
    starts, stops = raw.starts[:count], raw.stops[:count]
    if not len(starts):
        return Page.of([])
    data = raw.data[starts[0] : stops[-1]]
    if data.isascii():
        return Page(data.decode("ascii"), starts - starts[0], stops - starts[0], data)
    spans = zip(starts.tolist(), stops.tolist(), strict=True)
    return Page.of([raw.data[start:stop].decode("utf-8") for start, stop in spans])
