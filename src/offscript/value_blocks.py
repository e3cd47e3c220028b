"""Times and values judged in columns: which gauge each number of a block belongs to, without an object per line (ours).

The gauge depends on the key before; an entry's edge in the automaton of histories tells both, so the gauge of the time
is looked up once for each edge that is met.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from offscript.model import Model
from offscript.models.follow_compiled import follow_compiled
from offscript.models.values import NO_GAUGE
from offscript.models.vectors import TIME
from offscript.parse.asked import Values
from offscript.parse.compiled import compiled
from offscript.parse.histories import Histories
from offscript.parse.scan import Scanned
from offscript.parse.session_columns import Entered
from offscript.value_judge import Cells, ValueFlag, ValueJudge

NOT_LOOKED_UP: Final = -2
"""A place of the table of gauges that was not asked for yet."""

Numbers = NDArray[np.int64]
Small = NDArray[np.int32]
Bytes = NDArray[np.uint8]


class BlockValues:
    """Judges the times and values of whole blocks; the levels are those of the judge of single entries."""

    def __init__(self, model: Model, judge: ValueJudge) -> None:
        self._judge = judge
        self._values = model.values
        judge.run = follow_compiled
        vocabulary = model.keys.vocabulary
        self._keys = [model.keys.key(symbol) or 0 for symbol in range(len(vocabulary))]
        self._of: Histories | None = None
        self._gauges: Numbers = np.empty(0, np.int64)
        self._before: Small = np.empty(0, np.int32)
        self._of_times: dict[int, int] = {}  # by pair of symbols: a table of all pairs of ten thousand keys is 800 MB
        self._table = np.full(len(self._values.places) * len(self._keys), NOT_LOOKED_UP, np.int64)

    def flagged(self, scanned: Scanned, entered: Entered, histories: Histories, told: Numbers) -> dict[int, ValueFlag]:
        """What is wrong with the times and values of a block's entries, by place; `told` are those whose key is."""
        entries = len(entered.slots)
        if not self._values.judges or not entries:
            return {}
        self._look_up(histories)
        accepted, times = np.empty(entries, np.uint8), _room_for(entries)
        times = _first(times, take_times(scanned.numbers, told, entered, self._gauges, accepted, times))
        values = scanned.values
        if values is None or not len(values.entries):
            return self._judge.worst(scanned.source, [times], [])
        numbers = self._numbers(values, entered, accepted)
        return self._judge.worst(scanned.source, [times, numbers], self._fresh(values, accepted))

    def _numbers(self, values: Values, entered: Entered, accepted: Bytes) -> Cells:
        """The numbers to judge; a gauge that was never asked for before is looked up when its number comes."""
        cells, symbols, at, count = _room_for(len(values.entries)), len(self._keys), 0, 0
        given = values, entered, accepted, self._before, self._table, symbols, cells
        while at >= 0:
            at, count = take_numbers(at, count, *given)
            if at >= 0:
                before, number = int(self._before[entered.edges[values.entries[at]]]), int(values.asked[at])
                self._table[number * symbols + before] = self._judge.gauge_asked(number, self._keys[before])
        return _first(cells, count)

    def _fresh(self, values: Values, accepted: Bytes) -> list[tuple[int, int]]:
        """The new words: entry, and number of what was asked."""
        if not self._judge.lists:
            return []
        entries, asked, numbers = values
        here = np.flatnonzero((asked >= len(self._values.places)) & (numbers > 0) & (accepted[entries] != 0))
        return list(zip(entries[here].tolist(), asked[here].tolist(), strict=True))

    def _look_up(self, histories: Histories) -> None:
        """Find the gauges of the times of edges that are new."""
        if self._of is not histories:
            self._of, self._gauges, self._before = histories, np.empty(0, np.int64), np.empty(0, np.int32)
        fresh = histories.edges[len(self._gauges) : histories.edge_count]
        if not len(fresh):
            return
        before = histories.of(fresh["from"])[:, -1].astype(np.int32)
        pairs = before.astype(np.int64) * len(self._keys) + fresh["symbol"]
        distinct, which = np.unique(pairs, return_inverse=True)
        for pair in distinct.tolist():
            if pair not in self._of_times:
                self._of_times[pair] = self._time_gauge(*divmod(pair, len(self._keys)))
        gauges = np.array([self._of_times[pair] for pair in distinct.tolist()], np.int64)
        self._gauges = np.concatenate([self._gauges, gauges[which]])
        self._before = np.concatenate([self._before, before])

    def _time_gauge(self, before: int, symbol: int) -> int:
        key = self._keys[symbol]
        return self._values.gauge_of(key, TIME, self._keys[before]) if key else NO_GAUGE


def _room_for(count: int) -> Cells:
    return Cells(np.empty(count, np.int64), np.empty(count, np.int64), np.empty(count))


def _first(cells: Cells, count: int) -> Cells:
    return Cells(cells.entries[:count], cells.gauges[:count], cells.numbers[:count])


@compiled
def take_times(keys: Numbers, told: Numbers, entered: Entered, of: Numbers, accepted: Bytes, out: Cells) -> int:
    """Write which entries have a key that was accepted, and of these the times to judge; return how many there are.

    `told` are the entries whose key was not, though known; `of` has the gauge of each edge's time.
    """
    _, slots, edges, _, idle = entered
    for place in range(len(keys)):
        accepted[place] = slots[place] >= 0 and keys[place] > 0
    for place in told:
        accepted[place] = 0
    entries, gauges, numbers = out
    count = 0
    for place in range(len(keys)):
        if accepted[place] and idle[place] == idle[place] and of[edges[place]] != NO_GAUGE:
            entries[count], gauges[count], numbers[count] = place, of[edges[place]], idle[place]
            count += 1
    return count


@compiled
def take_numbers(
    at: int,
    count: int,
    values: Values,
    entered: Entered,
    accepted: Bytes,
    before: Small,
    table: Numbers,
    symbols: int,
    out: Cells,
) -> tuple[int, int]:
    """Write the numbers to judge behind the first `count`; return where a gauge must be looked up, and how many.

    Values are gone through from number `at` on, to the end if -1 is returned. `before` has the symbol before each edge,
    `table` the gauge of each number asked after each of the symbols.
    """
    entries, gauges, numbers = out
    for value in range(at, len(values.entries)):
        entry, place = values.entries[value], values.asked[value] * symbols
        number = values.numbers[value]
        if accepted[entry] and place < len(table) and number == number:
            gauge = table[place + before[entered.edges[entry]]]
            if gauge == NOT_LOOKED_UP:
                return value, count
            if gauge != NO_GAUGE:
                entries[count], gauges[count], numbers[count] = entry, gauge, number
                count += 1
    return -1, count
