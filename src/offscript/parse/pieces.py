"""Lines that come in pieces: those of a file, left as bytes where they need no repair (ours)."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
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

PIECE_LINES: Final = 4_096
"""Lines of a piece that was read one by one: enough to judge together, few enough that verdicts come steadily."""


@runtime_checkable
class InPieces(Protocol):
    """Lines that can also be had in pieces, from any line on."""

    def __next__(self) -> Line:
        """The next line."""

    def __iter__(self) -> Iterator[Line]:
        """The lines."""

    def raw(self) -> Iterator[RawLines | list[Line]]:
        """The lines in pieces, in order; no piece is of two sources."""


def is_warm() -> bool:
    """Tell whether the compiled scan lies ready, so that it need not be compiled first."""
    return is_compiled("columnar.read_messages")


def is_compiled(name: str) -> bool:
    """Tell whether a compiled function, `module.function`, lies ready.

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
    """Yield lines in pieces: after the `first` lines where the scan is compiled, else from where compiling it pays.

    No piece is of two sources. Nothing compiled is loaded for lines that end before that.
    """
    left = first if is_warm() else PAYS_FROM
    for _, run in groupby(islice(lines, left), key=lambda line: line.source):
        while piece := list(islice(run, PIECE_LINES)):
            left -= len(piece)
            yield piece
    if not left:
        yield from lines.raw()


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
