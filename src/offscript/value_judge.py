"""Times and values judged: the state of the levels, and what is flagged (CCS 2017 section 3.2; state handling ours).

An entry is judged when its key was accepted. Its elapsed time comes first, then its values; of what is flagged the
worst is told. The levels, one for each gauge and source, move with what was judged, line by line or in columns alike.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from offscript.entries import Entry, Reason
from offscript.errors import StateError
from offscript.models.gauges import INSIDE, NEW_LEVEL, Follow, follow
from offscript.models.tails import Floats
from offscript.models.values import NO_GAUGE, ValueModel
from offscript.models.vectors import TIME, Ints
from offscript.parse.asked import Asked, Values, asked_by_key, asked_values
from offscript.parse.match import Templates

Json = Any

MOST_DIGITS = 18
"""Digits of the number of a gauge; of thousands more, Python would refuse to make a number."""

DAMAGED = "start the detector without this state, or restore the state from a backup"


@dataclass(frozen=True, slots=True)
class ValueFlag:
    """What is wrong with an entry whose key was accepted: a number by a gauge, or (gauge -1) a word by a list.

    `level` is where the level of the gauge stood; `settled` says that the number is the last of so many on one side
    that the level was put there.
    """

    reason: Reason
    score: float
    gauge: int
    word_list: int
    number: float = math.nan
    level: float = 0.0
    settled: bool = False


@dataclass(slots=True)
class Levels:
    """Where the levels of one source stand, and how many numbers running were flagged, on which side."""

    level: Floats
    run: Ints


class Cells(NamedTuple):
    """Numbers to judge, in order: the entry each belongs to, its gauge, the number itself."""

    entries: Ints
    gauges: Ints
    numbers: Floats


class ValueJudge:
    """Judges times, numbers and words under one model; holds the levels of each source.

    `asked` is what is to be known of the values of entries: first the numbers of `model.places`, then the lists whose
    new words score 1.0 or more, of which `lists` has the numbers.
    """

    def __init__(self, model: ValueModel, templates: Templates) -> None:
        self.model = model
        self.run: Follow = follow
        self.lists = tuple(number for number in range(len(model.lists)) if model.fresh_score(number) >= 1.0)
        known = (model.lists[number] for number in self.lists)
        self.asked: Asked = (
            *((key, place - 1, None) for key, place in model.places),
            *((one.key, one.place - 1, frozenset(one.known)) for one in known),
        )
        self._of_key = asked_by_key(templates, self.asked)
        self._sources: dict[str, Levels] = {}
        self._told: dict[str, Levels] = {}
        self._touched: dict[str, None] = {}

    # -- one entry -------------------------------------------------------------------------------------------------

    def asks(self, key: int) -> bool:
        """Whether the values of a key are judged; its time may be without."""
        return key in self._of_key

    def read(self, entry: Entry) -> list[tuple[int, float]]:
        """What is asked of the values of an entry: number in `asked`, and the answer."""
        of_key = self._of_key[entry.key]
        found = asked_values(entry, of_key)
        return [(number, value) for (number, _, _), value in zip(of_key.wanted, found, strict=True)]

    @staticmethod
    def by_entry(values: Values | None) -> dict[int, list[tuple[int, float]]]:
        """What a scan found of the values of a block's entries, by entry, as `read` gives it."""
        found: dict[int, list[tuple[int, float]]] = {}
        if values is not None:
            columns = zip(values.entries.tolist(), values.asked.tolist(), values.numbers.tolist(), strict=True)
            for entry, asked, number in columns:
                found.setdefault(entry, []).append((asked, number))
        return found

    def one(
        self, source: str, key: int, before: int, elapsed: float | None, asked: Sequence[tuple[int, float]]
    ) -> ValueFlag | None:
        """Judge an entry: its key, the key before it (0: none), seconds since then (None: unknown), and its values."""
        gauges, numbers, fresh = [], [], []
        if elapsed is not None and (gauge := self.model.gauge_of(key, TIME, before)) != NO_GAUGE:
            gauges.append(gauge)
            numbers.append(elapsed)
        for number, value in asked:
            if number >= len(self.model.places):
                if value:
                    fresh.append((0, number))
            elif value == value and (gauge := self.gauge_asked(number, before)) != NO_GAUGE:
                gauges.append(gauge)
                numbers.append(value)
        if not gauges and not fresh:
            return None
        cells = Cells(np.zeros(len(gauges), np.int64), np.array(gauges, np.int64), np.array(numbers, np.float64))
        return self.worst(source, [cells], fresh).get(0)

    def gauge_asked(self, number: int, before: int) -> int:
        """The gauge of a number that is asked, after a key; `NO_GAUGE` where there is none."""
        return self.model.gauge_of(*self.model.places[number], before)

    # -- many entries ----------------------------------------------------------------------------------------------

    def worst(self, source: str, cells: Sequence[Cells], fresh: Sequence[tuple[int, int]]) -> dict[int, ValueFlag]:
        """Judge cells, and new words (entry, number in `asked`), of one source; return by entry what is flagged.

        Of each entry that is the worst, of equals the first. No gauge is in two of the `cells`.
        """
        worst: dict[int, ValueFlag] = {}
        for some in cells:
            for entry, flag in self._judge(source, some):
                _keep_worst(worst, entry, flag)
        for entry, number in fresh:
            listed = self.lists[number - len(self.model.places)]
            flag = ValueFlag(Reason.NEW_VALUE, self.model.fresh_score(listed), NO_GAUGE, listed)
            _keep_worst(worst, entry, flag)
        return worst

    def _judge(self, source: str, cells: Cells) -> Iterator[tuple[int, ValueFlag]]:
        if not len(cells.gauges):
            return
        state = self._of(source)
        self._touched[source] = None
        found, deviations = np.empty(len(cells.gauges), np.int64), np.empty(len(cells.gauges))
        limits = self.model.limits
        self.run(cells.gauges, cells.numbers, *limits, state.level, state.run, found, deviations)
        for place in np.flatnonzero(found != INSIDE).tolist():
            gauge, deviation = int(cells.gauges[place]), float(deviations[place])
            number = float(cells.numbers[place])
            reason = Reason.UNUSUAL_TIME if self.model.gauges[gauge].seconds else Reason.UNUSUAL_VALUE
            score, settled = self.model.score(gauge, deviation), bool(found[place] == NEW_LEVEL)
            flag = ValueFlag(reason, score, gauge, NO_GAUGE, number, number - deviation, settled)
            yield int(cells.entries[place]), flag

    # -- state -----------------------------------------------------------------------------------------------------

    def _of(self, source: str) -> Levels:
        state = self._sources.get(source)
        if state is None:
            size = len(self.model.gauges)
            state = self._sources[source] = Levels(self.model.levels.copy(), np.zeros(size, np.int64))
        return state

    def rows(self) -> dict[str, Json]:
        """The levels that are not where training left them, as JSON rows by source and gauge."""
        return {
            f"{gauge} {source}": _row(state, gauge)
            for source, state in self._sources.items()
            for gauge in self._moved(state, None)
        }

    def changes(self) -> dict[str, Json]:
        """The rows touched since the last call; None for a level that is back where training left it."""
        rows: dict[str, Json] = {}
        for source in self._touched:
            state = self._sources[source]
            for gauge in self._moved(state, self._told.get(source)):
                is_as_learnt = state.level[gauge] == self.model.levels[gauge] and state.run[gauge] == 0
                rows[f"{gauge} {source}"] = None if is_as_learnt else _row(state, gauge)
            self._told[source] = Levels(state.level.copy(), state.run.copy())
        self._touched.clear()
        return rows

    def _moved(self, state: Levels, told: Levels | None) -> list[int]:
        level, run = (self.model.levels, 0) if told is None else (told.level, told.run)
        moved: list[int] = np.flatnonzero((state.level != level) | (state.run != run)).tolist()
        return moved

    def load(self, rows: Mapping[str, Json]) -> None:
        """Continue from rows that `rows` or `changes` gave; StateError where they are not such."""
        self._sources.clear()
        self._touched.clear()
        for name, row in rows.items():
            number, _, source = name.partition(" ")
            known = number.isascii() and number.isdecimal() and len(number) <= MOST_DIGITS
            if not (known and int(number) < len(self.model.gauges)):
                raise StateError(f"the level {name[:60]!r} is of no gauge", remedy=DAMAGED)
            if not (isinstance(row, list) and len(row) == 2 and type(row[0]) is float and math.isfinite(row[0])):
                raise StateError(f"the level {name[:60]!r} is damaged", remedy=DAMAGED)
            if type(row[1]) is not int or abs(row[1]) > 1 << 32:
                raise StateError(f"the level {name[:60]!r} is damaged", remedy=DAMAGED)
            state = self._of(source)
            state.level[int(number)], state.run[int(number)] = row
        self._told = {name: Levels(one.level.copy(), one.run.copy()) for name, one in self._sources.items()}


def _row(state: Levels, gauge: int) -> Json:
    return [float(state.level[gauge]), int(state.run[gauge])]


def _keep_worst(worst: dict[int, ValueFlag], entry: int, flag: ValueFlag) -> None:
    before = worst.get(entry)
    if before is None or flag.score > before.score:
        worst[entry] = flag
