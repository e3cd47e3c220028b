"""Blocks that were scanned under the templates of one version, read again under those of another (ours)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import islice

from offscript.parse.header import Header
from offscript.parse.records import Matching, Records
from offscript.parse.scan import Scanned, Scanner
from offscript.parse.session_key import SessionKey

SAMPLE = 200  # lines from which the extent of headers is seen: they were all read once, so any will do


def read_again(blocks: Sequence[Scanned], header: Header, session_key: SessionKey, matching: Matching) -> list[Scanned]:
    """Return the blocks with the keys and values that these templates give (ours).

    Entries, sessions and times are those of the first reading: they hang on header and session key, and on the clock
    of the source, which has moved on since.
    """
    scanner: Scanner | None = None
    out = []
    for block in blocks:
        if scanner is None:
            sample = [line.text for line in islice(block.raw, SAMPLE)]
            scanner = Scanner(header, session_key, sample, matching, Records(header))
        out.append(_read(block, scanner, matching))
    return out


def _read(block: Scanned, scanner: Scanner, matching: Matching) -> Scanned:
    source = scanner.records.state(block.source)
    source.records = 0 if len(block.places) and block.places[0] == 0 else 1  # a first line without header: a record?
    known = block.times[block.times == block.times]
    source.near = float(known[0]) if len(known) else None
    again = scanner.read(block.raw)
    assert len(again.places) == len(block.places), "what is an entry hangs on the header alone"
    return replace(block, numbers=again.numbers, values=again.values, skeletons=matching)
