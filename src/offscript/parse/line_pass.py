"""The compiled pass over lines of which nothing is recalled, from header to values, in one call (ours).

To hand a dozen arrays to a compiled function takes 20 to 40 µs, as long as to read twenty lines; so the steps of the
pass (`columnar`) are called from compiled code.
"""

from __future__ import annotations

from typing import NamedTuple

from offscript.parse.byte_table import ByteTable
from offscript.parse.columnar import (
    FOUND,
    Bytes,
    FirstValues,
    Lines,
    Numbers,
    Places,
    Scratch,
    SeenValues,
    check_ids,
    read_headers,
    read_messages,
)
from offscript.parse.compiled import compiled
from offscript.parse.find_ids import Program, find_id
from offscript.parse.taken import Taken, Wanted


class Headers(NamedTuple):
    """How headers are read: the words of shapes, how many shapes are known, their table and their plans."""

    own: int
    words: int
    known: int
    shapes: ByteTable
    plans: Numbers


class Ids(NamedTuple):
    """Where session ids stand, and what finds them in messages; `needed` says that a line without is read by itself."""

    program: Program
    in_header: bool
    in_message: bool
    needed: bool


@compiled
def read_lines(
    todo: Numbers,
    data: Bytes,
    starts: Numbers,
    stops: Numbers,
    headers: Headers,
    ids: Ids,
    known: int,
    skeletons: ByteTable,
    first: FirstValues,
    seen: SeenValues,
    wanted: Wanted,
    taken: Taken,
    kinds: Places,
    rows: Places,
    out: Lines,
    scratch: Scratch,
) -> None:
    """Find all of the lines in `todo`, with the first `known` skeletons; what is new is told by their states."""
    own, words, shapes, table, plans = headers
    read_headers(todo, data, starts, stops, own, words, shapes, table, plans, ids.in_header, out, scratch.shape)
    if ids.in_message:
        for line in todo:
            if out.state[line] == FOUND:
                begin, end = find_id(ids.program.code, ids.program.members, data, out.begin[line], out.end[line])
                out.id_begin[line], out.id_end[line] = begin, end
    check_ids(todo, data, ids.needed, out)
    read_messages(todo, data, starts, known, skeletons, plans, first, seen, wanted, taken, kinds, rows, out, scratch)
