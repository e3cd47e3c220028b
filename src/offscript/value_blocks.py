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
from offscript.parse.histories import Histories
from offscript.parse.scan import Scanned
from offscript.parse.session_columns import Entered
from offscript.value_judge import Cells, ValueFlag, ValueJudge

NOT_LOOKED_UP: Final = -2
"""A place of the table of gauges that was not asked for yet."""

Numbers = NDArray[np.int64]


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
        self._before: NDArray[np.int32] = np.empty(0, np.int32)
        self._by_symbols: dict[tuple[int, int], int] = {}
        self._table = np.full(len(self._values.places) * len(self._keys), NOT_LOOKED_UP, np.int64)

    def flagged(self, scanned: Scanned, entered: Entered, histories: Histories, told: Numbers) -> dict[int, ValueFlag]:
        """What is wrong with the times and values of a block's entries, by place; `told` are those whose key is."""
        if not self._values.judges or not len(entered.slots):
            return {}
        self._look_up(histories)
        accepted = (entered.slots >= 0) & (scanned.numbers > 0)
        accepted[told] = False
        times = self._times(entered, accepted)
        if scanned.values is None:
            return self._judge.worst(scanned.source, [times], [])
        numbers = self._numbers(scanned.values, entered, accepted)
        return self._judge.worst(scanned.source, [times, numbers], self._fresh(scanned.values, accepted))

    def _times(self, entered: Entered, accepted: NDArray[np.bool_]) -> Cells:
        places = np.flatnonzero(accepted & ~np.isnan(entered.idle))
        gauges = self._gauges[entered.edges[places]]
        judged = gauges != NO_GAUGE
        return Cells(places[judged], gauges[judged], entered.idle[places[judged]])

    def _numbers(self, values: Values, entered: Entered, accepted: NDArray[np.bool_]) -> Cells:
        entries, asked, numbers = values
        here = np.flatnonzero(accepted[entries] & (asked < len(self._values.places)) & ~np.isnan(numbers))
        places = entries[here].astype(np.int64)
        before = self._before[entered.edges[places]]
        gauges = self._gauges_asked(asked[here].astype(np.int64) * len(self._keys) + before)
        judged = gauges != NO_GAUGE
        return Cells(places[judged], gauges[judged], numbers[here][judged])

    def _gauges_asked(self, codes: Numbers) -> Numbers:
        """The gauges of numbers that were asked, each after a symbol: their codes are places in a table."""
        fresh = codes[self._table[codes] == NOT_LOOKED_UP]
        for code in np.unique(fresh).tolist():
            number, before = divmod(code, len(self._keys))
            self._table[code] = self._judge.gauge_asked(number, self._keys[before])
        return self._table[codes]

    def _fresh(self, values: Values, accepted: NDArray[np.bool_]) -> list[tuple[int, int]]:
        """The new words: entry, and number of what was asked."""
        entries, asked, numbers = values
        here = np.flatnonzero((asked >= len(self._values.places)) & (numbers > 0) & accepted[entries])
        return list(zip(entries[here].tolist(), asked[here].tolist(), strict=True))

    def _look_up(self, histories: Histories) -> None:
        """Find the gauges of the times of edges that are new."""
        if self._of is not histories:
            self._of, self._gauges, self._before = histories, np.empty(0, np.int64), np.empty(0, np.int32)
        fresh = histories.edges[len(self._gauges) : histories.edge_count]
        if not len(fresh):
            return
        before = histories.of(fresh["from"])[:, -1].astype(np.int32)
        gauges = [self._time_gauge(*pair) for pair in zip(before.tolist(), fresh["symbol"].tolist(), strict=True)]
        self._gauges = np.concatenate([self._gauges, np.array(gauges, np.int64)])
        self._before = np.concatenate([self._before, before])

    def _time_gauge(self, before: int, symbol: int) -> int:
        found = self._by_symbols.get((before, symbol))
        if found is None:
            key = self._keys[symbol]
            found = self._values.gauge_of(key, TIME, self._keys[before]) if key else NO_GAUGE
            self._by_symbols[before, symbol] = found
        return found
