"""Open sessions in columns: whole blocks of entries enter them at machine speed (ours).

What `sessions.OpenSessions` does with objects, in the same order and with the same result. A record of fixed size
stands for a session; the sessions of a source are linked from the idlest to the latest, so closing looks at the front
only. A session that closes keeps its record until the block is done, because its verdict needs it.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from offscript.entries import END, UNKNOWN
from offscript.parse.compiled import borrowed, compiled, inlined
from offscript.parse.histories import EDGE, Automaton, find_edge, is_full, make_edge
from offscript.parse.session_counts import Keys, count, new_chunk
from offscript.parse.session_records import CLOCK, FACTS, SESSION, SUMS

FIRST_LINE: Final = 1.0
"""Where the clock of a source without stamps begins: it counts lines."""

OPENED, MAY_BE_JOINED = 1, 2
"""An entry opened a session; it may have begun before its source did."""

Numbers = NDArray[np.int64]
Small = NDArray[np.int32]
Flags = NDArray[np.bool_]
Times = NDArray[np.float64]
Bytes = NDArray[np.uint8]
Records = NDArray[Any]


class Rules(NamedTuple):
    """What `enter` goes by: `timeout` is not a number where sessions never close."""

    timeout: float
    most: int
    may_join: bool
    counts: bool


class Table(NamedTuple):
    """The open sessions: records, facts, clocks, chunks of counts, sums, the record of each code in the block's source.

    `left` are those that closed or were dropped within the block, in that order.
    """

    sessions: Records
    facts: Records
    clocks: Records
    chunks: Small
    sums: Records
    slots: Small
    left: Small


class Entered(NamedTuple):
    """What `enter` tells of each entry: its symbol, its session's record, the edge it took, whether it opened it.

    Record and edge are -1 for an entry without session. `idle` is the time since the entry before in the session, not a
    number where there is none, or where the entry has no stamp, or one before that entry.
    """

    symbols: Small
    slots: Small
    edges: Small
    opened: Bytes
    idle: Times


@inlined
def borrowed_table(table: Table) -> Table:
    """The same table, of arrays that are lent."""
    sessions, facts, clocks, chunks, sums, slots, left = table
    return Table(
        borrowed(sessions, len(sessions), SESSION),
        borrowed(facts, len(facts), FACTS),
        borrowed(clocks, len(clocks), CLOCK),
        borrowed(chunks, chunks.shape, np.int32),
        borrowed(sums, 1, SUMS),
        borrowed(slots, len(slots), np.int32),
        borrowed(left, len(left), np.int32),
    )


@inlined
def unlink(slot: int, sessions: Records, clocks: Records) -> None:
    """Take a session out of its source's order."""
    session = sessions[slot]
    if session.before >= 0:
        sessions[session.before].after = session.after
    else:
        clocks[session.source].head = session.after
    if session.after >= 0:
        sessions[session.after].before = session.before
    else:
        clocks[session.source].tail = session.before


@inlined
def append(slot: int, sessions: Records, clocks: Records) -> None:
    """Put a session at the end of its source's order."""
    session = sessions[slot]
    clock = clocks[session.source]
    session.before, session.after = clock.tail, -1
    if clock.tail >= 0:
        sessions[clock.tail].after = slot
    else:
        clock.head = slot
    clock.tail = slot


@inlined
def leave(slot: int, source: int, place: int, closed: float, table: Table) -> None:
    """Close or drop a session; `source` is that of the block."""
    sessions, facts, clocks, _, sums, slots, left = table
    unlink(slot, sessions, clocks)
    sessions[slot].is_open, facts[slot].closed, facts[slot].left = 0, closed, place
    if sessions[slot].source == source and facts[slot].code >= 0:
        slots[facts[slot].code] = -1
    left[sums[0].left] = slot
    sums[0].left += 1
    sums[0].open -= 1


@inlined
def advance(source: int, stamp: float, sessions: Records, facts: Records, clocks: Records) -> bool:
    """Move the clock of a source to the line at hand; whether it moved."""
    clock = clocks[source]
    if stamp - stamp != 0:  # neither what is not a number nor infinity
        if clock.stamped:
            return False
        clock.now += 1.0
    elif not clock.stamped:
        clock.stamped, clock.now = 1, stamp
        slot = clock.head
        while slot >= 0:
            facts[slot].first = sessions[slot].last = stamp
            sessions[slot].touched = 1
            slot = sessions[slot].after
    elif stamp > clock.now:
        clock.now = stamp
    else:
        return False
    clock.touched = 1
    return True


@inlined
def close_idle(source: int, place: int, timeout: float, table: Table) -> None:
    """Close the sessions of a source that are idle past the time-out."""
    sessions, clocks = table.sessions, table.clocks
    slot = clocks[source].head
    while slot >= 0 and sessions[slot].last + timeout < clocks[source].now:
        leave(slot, source, place, sessions[slot].last + timeout, table)
        slot = clocks[source].head


@inlined
def drop_idlest(source: int, place: int, most: int, table: Table) -> None:
    """While there are too many sessions, drop the one, of any source, whose last entry arrived first."""
    sessions, clocks = table.sessions, table.clocks
    while table.sums[0].open > most:
        idlest = -1
        for number in range(len(clocks)):
            head = clocks[number].head
            if head >= 0 and (idlest < 0 or sessions[head].arrival < sessions[idlest].arrival):
                idlest = head
        leave(idlest, source, place, np.nan, table)
        table.sums[0].overflow += 1


@inlined
def open_session(source: int, code: int, has_counts: bool, table: Table) -> int:
    """Open a session; there is room for one."""
    sessions, facts, clocks, chunks, sums, slots, _ = table
    slot = sums[0].free
    if slot >= 0:
        sums[0].free = sessions[slot].after
    else:
        slot = sums[0].used
        sums[0].used += 1
    clock, session, known = clocks[source], sessions[slot], facts[slot]
    clock.opened += 1
    clock.touched = 1
    known.first, known.instance, known.code = clock.now, clock.opened, code
    session.arrival, session.entries, session.hash = sums[0].arrivals, 0, 0
    session.row, session.source = 0, source
    session.is_open, session.stored, session.joined = 1, 0, 0
    session.counts = new_chunk(chunks, sums) if has_counts else -1
    slots[code] = slot
    sums[0].open += 1
    sums[0].begun += 1
    append(slot, sessions, clocks)
    return int(slot)


@inlined
def come_back(slot: int, source: int, stamp: float, sessions: Records, clocks: Records) -> float:
    """Put an open session behind all others of its source; return for how long it was idle, if its stamps say so."""
    if sessions[slot].after >= 0:
        unlink(slot, sessions, clocks)
        append(slot, sessions, clocks)
    idle = stamp - sessions[slot].last
    return float(idle) if clocks[source].stamped and 0 <= idle < np.inf else np.nan


@inlined
def may_be_joined(source: int, timeout: float, clocks: Records) -> bool:
    """Whether a session that opens now may have begun before its source did."""
    clock = clocks[source]
    return bool(clock.now - (FIRST_LINE if clock.began != clock.began else clock.began) <= timeout)


@inlined
def has_room(sums: Records, sessions: Records, chunks: Small) -> bool:
    """Whether one more entry can be taken, whatever it is: it may need a record and a chunk."""
    has_record = sums[0].free >= 0 or sums[0].used < len(sessions)
    return bool(has_record) and (sums[0].free_chunk >= 0 or sums[0].used_chunks < len(chunks))


@inlined
def symbol_of(key: int, direct: Small, large: Numbers, symbols: Small) -> int:
    """The symbol of a key, UNKNOWN where it has none."""
    if key < len(direct):
        return int(direct[key]) if key > 0 else UNKNOWN
    place = np.searchsorted(large, key)
    return int(symbols[place]) if place < len(large) and large[place] == key else UNKNOWN


@compiled
def enter(
    at: int,
    source: int,
    codes: Numbers,
    numbers: Numbers,
    stamps: Times,
    rules: Rules,
    keys: Keys,
    table: Table,
    automaton: Automaton,
    out: Entered,
) -> int:
    """Let the entries of a block from number `at` on enter their sessions; return how far that came.

    `numbers` are their keys. It ends before the last entry where there is no room for what the next one may need.
    """
    timeout, most, may_join, has_counts = rules
    direct, weights = borrowed(keys.direct, len(keys.direct), np.int32), keys.weights
    large = borrowed(keys.large, len(keys.large), np.int64)
    symbols = borrowed(keys.symbols, len(keys.symbols), np.int32)
    first = borrowed(automaton.first, len(automaton.first), np.int32)
    edges, met = borrowed(automaton.edges, len(automaton.edges), EDGE), borrowed(automaton.sums, 2, np.int64)
    table = borrowed_table(table)
    sessions, facts, clocks, chunks, sums, slots, _ = table
    out_symbols, out_slots, out_edges, out_opened, out_idle = out
    while at < len(codes):
        if not has_room(sums, sessions, chunks) or is_full(met, first, edges):
            return at
        if stamps[at] == stamps[at] and clocks[source].began != clocks[source].began:
            clocks[source].began = stamps[at]
        if advance(source, stamps[at], sessions, facts, clocks):
            close_idle(source, at, timeout, table)
        symbol = symbol_of(numbers[at], direct, large, symbols)
        out_symbols[at], out_slots[at], out_edges[at], out_opened[at] = symbol, -1, -1, 0
        out_idle[at] = np.nan
        if codes[at] < 0:
            at += 1
            continue
        sums[0].arrivals += 1
        slot = int(slots[codes[at]])
        if slot < 0:
            slot = open_session(source, codes[at], has_counts, table)
            out_opened[at] = MAY_BE_JOINED if may_join and may_be_joined(source, timeout, clocks) else OPENED
            drop_idlest(source, at, most, table)
        else:
            out_idle[at] = come_back(slot, source, stamps[at], sessions, clocks)
        session = sessions[slot]
        session.last, session.arrival = clocks[source].now, sums[0].arrivals
        session.entries += 1
        session.touched = 1
        if has_counts:
            count(session.counts, symbol, 1, chunks, sums)
            session.hash += weights[symbol]
        edge = find_edge(session.row, symbol, first, edges)
        if edge < 0:
            edge = make_edge(session.row, symbol, True, automaton)
        out_slots[at], out_edges[at] = slot, edge
        session.row = edges[edge].next
        at += 1
    return at


@compiled
def find_high(numbers: Numbers, flags: Flags, entered: Entered, high: Numbers) -> tuple[int, int]:
    """Write the places of the entries that are flagged into `high`; return how many, and how many have no session.

    `flags` are those of the edges; an entry without session is flagged when its key is unknown.
    """
    _, slots, edges, _, _ = entered
    found = outside = 0
    for place in range(len(numbers)):
        if slots[place] < 0:
            outside += 1
            is_high = numbers[place] <= 0
        else:
            is_high = flags[edges[place]]
        if is_high:
            high[found] = place
            found += 1
    return found, outside


@compiled
def find_last(slots: Small, before: int, sessions: Records, last: Numbers) -> int:
    """Write the places of the entries that are the last ones of open sessions into `last`; return how many there are.

    `slots` are the records of a block's entries, `before` the number of entries that had arrived before it.
    """
    found, arrival = 0, before
    for place in range(len(slots)):
        if slots[place] >= 0:
            arrival += 1
            if sessions[slots[place]].arrival == arrival and sessions[slots[place]].is_open:
                last[found] = place
                found += 1
    return found


@compiled
def close_all_idle(source: int, place: int, timeout: float, table: Table) -> None:
    """Close the sessions of a source that are idle past the time-out, outside of any block."""
    close_idle(source, place, timeout, table)


@compiled
def leave_one(slot: int, source: int, place: int, closed: float, table: Table) -> None:
    """Close one session, outside of any block."""
    leave(slot, source, place, closed, table)


@compiled
def free_left(table: Table) -> None:
    """Make the records and chunks of the sessions that have left ready to be used again."""
    sessions, _, _, chunks, sums, _, left = table
    for number in range(sums[0].left):
        slot = left[number]
        sessions[slot].after = sums[0].free
        sums[0].free = slot
        chunk = sessions[slot].counts
        while chunk >= 0:
            following = chunks[chunk, 0]
            chunks[chunk, 0] = sums[0].free_chunk
            sums[0].free_chunk = chunk
            chunk = following
    sums[0].left = sums[0].begun = 0


@compiled
def find_ends(at: int, rows: Small, automaton: Automaton, out: Small) -> int:
    """Write the edges of END after rows from number `at` on, made if need be, into `out`; return how far that came."""
    while at < len(rows) and not is_full(automaton.sums, automaton.first, automaton.edges):
        out[at] = make_edge(rows[at], END, False, automaton)
        at += 1
    return at
