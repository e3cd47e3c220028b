"""Lines that come in pieces: those of a file, left as bytes where they need no repair (ours)."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import chain, groupby, islice
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol, runtime_checkable

from offscript.caches import edition_of, private_folder
from offscript.entries import Line

if TYPE_CHECKING:
    from offscript.parse.raw_lines import RawLines


PAYS_FROM: Final = 100_000
"""Lines that are read one by one where the scan has not been compiled yet: compiling it, once for each installation,
takes as long as reading about so many, so a small log never waits for it."""

FIRST_PARTS: Final = (50, 200, 1_000, 4_000)
"""Lines of the first blocks: what is new in a block is read line by line, so the first ones are small."""

PIECE_LINES: Final = 4_096
"""Lines of a piece that was read one by one: enough to judge together, few enough that verdicts come steadily."""


@runtime_checkable
class InPieces(Protocol):
    """Lines that can also be had in pieces, from any line on."""

    def __next__(self) -> Line:
        """The next line."""

    def __iter__(self) -> Iterator[Line]:
        """The lines."""

    @property
    def size(self) -> int | None:
        """The bytes of all files, packed as they may be; None where nobody knows them."""

    def raw(self) -> Iterator[RawLines | list[Line]]:
        """The lines in pieces, in order; no piece is of two sources."""


@cache
def is_loaded(name: str) -> bool:
    """Tell whether a compiled function, `module.function`, costs no more than its call; one answer for a process.

    >>> is_loaded("nowhere.nothing")
    False
    """
    return "numba" in sys.modules and is_compiled(name)


def is_warm() -> bool:
    """Tell whether the compiled scan lies ready, so that it need not be compiled first."""
    return is_compiled("line_pass.read_lines")


def is_compiled(name: str) -> bool:
    """Tell whether a compiled function, `module.function`, lies ready on the disk.

    >>> is_compiled("nowhere.nothing")
    False
    """
    given = os.environ.get("NUMBA_CACHE_DIR")
    folder = Path(given) if given else private_folder("numba")
    if folder is None:
        return False
    try:
        room = folder if given else folder / edition_of(Path(__file__).parent)
        return next(room.glob(f"*/{name}-*.nbi"), None) is not None
    except OSError:  # the sources are being replaced
        return False


def pieces_of(lines: InPieces, first: int = 0) -> Iterator[RawLines | list[Line]]:
    """Yield lines in pieces: from the first where the scan is compiled, else from where compiling it pays.

    No piece is of two sources. Nothing compiled is loaded for lines that end within the `first`.
    """
    if not is_warm():
        for _, run in groupby(islice(lines, PAYS_FROM), key=lambda line: line.source):
            while piece := list(islice(run, PIECE_LINES)):
                yield piece
        yield from lines.raw()
        return
    ahead = list(islice(lines, first))
    runs = [list(run) for _, run in groupby(ahead, key=lambda line: line.source)]
    if len(ahead) < first:
        yield from runs
        return
    # the lines taken, and the rest of the chunk they were in, go with all others after all
    pieces: Iterator[RawLines | list[Line]] = chain(runs, lines.raw())
    for some in pieces:
        yield in_bytes(some) if isinstance(some, list) else some


def in_bytes(lines: list[Line]) -> RawLines | list[Line]:
    """Return lines of one source as bytes, where these are plain, else as they are.

    >>> in_bytes([Line("up", "app.log", 1, 0), Line("down", "app.log", 2, 3)]).line(1)
    Line(text='down', source='app.log', number=2, offset=3)
    """
    import numpy as np  # noqa: PLC0415  (small files need none of it)

    from offscript.parse.raw_lines import RawLines  # noqa: PLC0415  (the compiler is loaded only for files)

    text = "\n".join(line.text for line in lines)
    if not lines or not text.isascii() or any(sign in text for sign in "\0\r\v\f\x1c\x1d\x1e"):
        return lines
    sizes = np.array([len(line.text) for line in lines], np.int64)
    if text.count("\n") != len(lines) - 1:
        return lines
    stops = np.cumsum(sizes + 1) - 1
    number, offset = lines[0].number, lines[0].offset
    ordinals = np.array([line.number for line in lines], np.int64) - number
    offsets = np.array([line.offset for line in lines], np.int64) - offset
    return RawLines(text.encode(), lines[0].source, number, offset, stops - sizes, stops, ordinals, offsets, 0, 0)


def sample_of(pieces: Iterable[RawLines | list[Line]], count: int) -> tuple[list[RawLines | list[Line]], list[Line]]:
    """Take pieces until they hold so many lines; return the pieces, and those lines.

    >>> ahead, lines = sample_of(iter([[Line("a"), Line("b")], [Line("c")]]), 1)
    >>> len(ahead), [line.text for line in lines]
    (1, ['a'])
    """
    ahead: list[RawLines | list[Line]] = []
    held = 0
    for piece in pieces:
        ahead.append(piece)
        held += len(piece)
        if held >= count:
            break
    return ahead, list(islice(chain.from_iterable(ahead), count))


def source_of(piece: RawLines | list[Line]) -> str:
    """Return the source of a piece.

    >>> source_of([Line("a", "app.log")])
    'app.log'
    """
    return piece[0].source if isinstance(piece, list) else piece.source


def small_first(pieces: Iterable[RawLines | list[Line]]) -> Iterator[RawLines | list[Line]]:
    """The pieces, the first cut small: nearly all of a log is new in its first lines, and hardly any later.

    >>> [len(piece) for piece in small_first([in_bytes([Line("up")] * 400)])]
    [50, 200, 150]
    """
    from offscript.parse.raw_lines import RawLines  # noqa: PLC0415  (the compiler is loaded only for files)

    left = list(FIRST_PARTS)
    for piece in pieces:
        begin = 0
        while left and isinstance(piece, RawLines) and begin + left[0] < len(piece):
            yield piece.part(begin, begin + left[0])
            begin += left.pop(0)
        yield piece.part(begin, len(piece)) if begin and isinstance(piece, RawLines) else piece
