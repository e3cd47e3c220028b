"""Whole files judged: in columns where they are files, and never with a header that they do not have."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import chain, groupby, islice
from typing import TYPE_CHECKING

from offscript.detector import HEADER_SAMPLE, Detector
from offscript.entries import Line, Verdict
from offscript.errors import OffscriptError
from offscript.model import Model
from offscript.parse.header import Header, check_header
from offscript.parse.header_forms import lines_that_fit
from offscript.parse.pieces import PIECE_LINES, InPieces, pieces_of, sample_of, source_of

if TYPE_CHECKING:
    from offscript.parse.raw_lines import RawLines
    from offscript.parse.scan import Scanned

READ_FIRST = 5_000
"""Lines judged one by one even where compiled code lies ready: it takes a second or two to load, in which a small file
is done; of a long one they are a tenth of a second."""

LONG = 4 << 20
"""Bytes of files that surely hold more than these lines: they are read in pieces from the first line on."""

TOGETHER = 32
"""Blocks judged together, a megabyte of text each: what is new in them is scored in few full batches, and verdicts come
a quarter of a second later at most. With 64 the networks take a seventh fewer steps, and it takes as long to touch
twice the memory for the first time."""


def detect(
    model: Model,
    lines: Iterable[Line],
    *,
    complete: bool = False,
    progress: Callable[[int], None] | None = None,
    detector: Detector | None = None,
) -> Iterator[Verdict]:
    """Judge whole files: yield the verdicts of `lines`, then those of the sessions that close at the end (ours).

    The stored header must match 90% of the first lines of each source, else InputError. `progress` gets the number of
    lines read.
    """
    detector = detector if detector is not None else Detector(model)
    blocks: Iterator[Scanned | list[Line]]
    if isinstance(lines, InPieces) and detector.takes_blocks:
        first = READ_FIRST if lines.size is None or lines.size < LONG else 0
        blocks = detector.scanned(checked_pieces(model.header, pieces_of(lines, first)))
    else:
        stream = checked(model.header, lines)
        blocks = iter(lambda: list(islice(stream, PIECE_LINES)), [])
    batches = together(blocks)
    while True:
        with _rest_set_aside():
            block = next(batches, None)
            if block is None:
                break
            told = detector.push_scanned(*block) if isinstance(block, tuple) else detector.push_block(block)
            count = sum(len(scanned.raw) for scanned in block) if isinstance(block, tuple) else len(block)
            del block  # else it would stay until the next are all read
        yield from told
        if progress is not None:
            progress(count)
    yield from detector.close(complete=complete)


@contextmanager
def _rest_set_aside() -> Iterator[None]:
    """Keep what is alive by now out of the garbage collector's rounds, and give it back (ours).

    Reading and judging make a few thousand objects and hardly a cycle, but these may be what brings on a full round
    over all that modules and compiled code left, 50 to 90 ms. Never while the caller's own code runs, and not where
    somebody else has set things aside.
    """
    if gc.get_freeze_count():
        yield
        return
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def together(blocks: Iterable[Scanned | list[Line]]) -> Iterator[tuple[Scanned, ...] | list[Line]]:
    """Yield blocks of one scan together, some at a time, and lines as they come (ours).

    >>> list(together([[Line("a")], [Line("b")]])) == [[Line("a")], [Line("b")]]
    True
    """
    held: list[Scanned] = []
    try:
        for block in blocks:
            if held and (isinstance(block, list) or len(held) == TOGETHER or block.names is not held[0].names):
                yield tuple(held)
                held.clear()
            if isinstance(block, list):
                yield block
            else:
                held.append(block)
    except OffscriptError:
        if held:  # what came before the damage is judged first
            yield tuple(held)
        raise
    if held:
        yield tuple(held)


def checked_pieces(header: Header, pieces: Iterator[RawLines | list[Line]]) -> Iterator[RawLines | list[Line]]:
    """Yield pieces unchanged, but refuse a source that the stored header does not fit, as `checked` does (ours)."""
    for _, run in groupby(pieces, key=source_of):
        ahead, first = sample_of(run, HEADER_SAMPLE)
        if first:
            check_header(header, first, first[0].source, lines_that_fit(header, [line.text for line in first]))
        yield from chain(ahead, run)  # noqa: B031  (what the look ahead took comes first, then the rest)


def checked(header: Header, lines: Iterable[Line]) -> Iterator[Line]:
    """Yield the lines unchanged, but refuse a source that the stored header does not fit (ours).

    Each source is looked at when its first line comes, up to `HEADER_SAMPLE` lines ahead; InputError names its first
    line that does not fit.
    """
    known: set[str] = set()
    for source, run in groupby(lines, key=lambda line: line.source):
        ahead = 0 if source in known else HEADER_SAMPLE
        known.add(source)
        first = list(islice(run, ahead))
        if first:
            check_header(header, first, source)
        yield from chain(first, run)  # noqa: B031  (what the look ahead took comes first, then the rest)
