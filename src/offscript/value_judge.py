"""Times and values judged: the state of the levels, and what is flagged (CCS 2017 section 3.2; state handling ours).

An entry is judged when its key was accepted. Its elapsed time comes first, then its values; of what is flagged the
worst is told. The levels, one for each gauge and source, move with what was judged, line by line or in columns alike.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from offscript.entries import Entry, Reason
from offscript.errors import StateError
from offscript.models.gauges import INSIDE, NEW_LEVEL, Follow, Gauge, follow
from offscript.models.tails import Floats
from offscript.models.values import NO_GAUGE, ValueModel
from offscript.models.vectors import TIME, Ints
from offscript.parse.asked import Asked, Values, asked_by_key, asked_values
from offscript.parse.match import Templates

Json = Any

_LEVEL = re.compile(r"([0-9]{1,18} [0-9]{1,18} (?:-|[0-9]{1,18})) (.*)", re.DOTALL)
"""The name of a row: the numbers that name a gauge (of thousands of digits Python would make none), then a source."""

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
        self._names = [_name(gauge) for gauge in model.gauges]
        self._numbers = {name: number for number, name in enumerate(self._names)}
        self._sources: dict[str, Levels] = {}
        self._told: dict[str, Levels] = {}
        self._touched: dict[str, None] = {}
        self._gone: dict[str, None] = {}

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
                if value > 0:  # not a value that nothing is known of, either
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
            state = self._sources[source] = self._started()
        return state

    def _started(self) -> Levels:
        """The levels of a source where training left them."""
        return Levels(self.model.levels.copy(), np.zeros(len(self.model.gauges), np.int64))

    def rows(self) -> dict[str, Json]:
        """The levels that are not where training left them, as JSON rows by gauge (key, place, key before) and source.

        A gauge is named by what it judges, not by its number, which is another in another version.
        """
        return {
            f"{self._names[gauge]} {source}": _row(state, gauge)
            for source, state in self._sources.items()
            for gauge in self._moved(state, None)
        }

    def changes(self) -> dict[str, Json]:
        """The rows touched since the last call; None for a level that is back where training left it."""
        rows: dict[str, Json] = dict.fromkeys(self._gone)
        for source in self._touched:
            state = self._sources[source]
            for gauge in self._moved(state, self._told.get(source)):
                is_as_learnt = state.level[gauge] == self.model.levels[gauge] and state.run[gauge] == 0
                rows[f"{self._names[gauge]} {source}"] = None if is_as_learnt else _row(state, gauge)
            self._told[source] = _copy(state)
        self._touched.clear()
        self._gone.clear()
        return rows

    def _moved(self, state: Levels, told: Levels | None) -> list[int]:
        level, run = (self.model.levels, 0) if told is None else (told.level, told.run)
        moved: list[int] = np.flatnonzero((state.level != level) | (state.run != run)).tolist()
        return moved

    def load(self, rows: Mapping[str, Json], shared: Set[int], keys: Set[int]) -> None:
        """Continue from rows that `rows` or `changes` gave; StateError where they are not such.

        `keys` are those of the version that gave them, `shared` those of them that mean the same here. The level of a
        gauge that this version does not have is left out.
        """
        self._sources.clear()
        self._touched.clear()
        self._told.clear()
        self._gone.clear()
        for name, row in rows.items():
            gauge, source = _split(name)
            if not _keys_of(gauge) <= keys:
                raise StateError(f"the level {name[:60]!r} is of no gauge", remedy=DAMAGED)
            if not (isinstance(row, list) and len(row) == 2 and type(row[0]) is float and math.isfinite(row[0])):
                raise StateError(f"the level {name[:60]!r} is damaged", remedy=DAMAGED)
            if type(row[1]) is not int or abs(row[1]) > 1 << 32:
                raise StateError(f"the level {name[:60]!r} is damaged", remedy=DAMAGED)
            number = self._numbers.get(gauge) if _keys_of(gauge) <= shared else None
            if number is None:
                self._gone[name] = None
                continue
            state = self._of(source)
            state.level[number], state.run[number] = row
        self._told = {name: _copy(one) for name, one in self._sources.items()}

    def take_over(self, before: ValueJudge, shared: Set[int]) -> None:
        """Go on with the levels of the judge of another version, with which these keys are `shared`.

        A gauge that judges the same keeps its level, unless that never left where training put it; a gauge that is new
        here starts where training put it.
        """
        numbers = [self._numbers.get(name) if _keys_of(name) <= shared else None for name in before._names]
        self._touched = dict.fromkeys(before._sources)
        self._gone = dict(before._gone)
        for source, state in before._sources.items():
            mine, told = self._of(source), self._started()
            for gauge in before._moved(state, None):
                _put(state, gauge, mine, numbers[gauge])
            if (known := before._told.get(source)) is not None:
                for gauge in before._moved(known, None):
                    if not _put(known, gauge, told, numbers[gauge]):
                        self._gone[f"{before._names[gauge]} {source}"] = None
            self._told[source] = told


def _row(state: Levels, gauge: int) -> Json:
    return [float(state.level[gauge]), int(state.run[gauge])]


def _copy(levels: Levels) -> Levels:
    return Levels(levels.level.copy(), levels.run.copy())


def _put(state: Levels, gauge: int, into: Levels, number: int | None) -> bool:
    """Put the level of a gauge where another version has it; False where that has no such gauge."""
    if number is None:
        return False
    into.level[number], into.run[number] = state.level[gauge], state.run[gauge]
    return True


def _name(gauge: Gauge) -> str:
    """What a gauge judges: key, place, and the key before (-: any)."""
    return f"{gauge.key} {gauge.place} {'-' if gauge.after is None else gauge.after}"


def _keys_of(name: str) -> set[int]:
    """The keys in the name of a gauge; 0 stands for none."""
    key, _, after = name.split(" ")
    return {int(key), 0 if after == "-" else int(after)} - {0}


def _split(name: str) -> tuple[str, str]:
    """The name of a gauge and the source, of which a row has the level; StateError where it is not such a row."""
    found = _LEVEL.fullmatch(name)
    if found is None:
        raise StateError(f"the level {name[:60]!r} is of no gauge", remedy=DAMAGED)
    return found[1], found[2]


def _keep_worst(worst: dict[int, ValueFlag], entry: int, flag: ValueFlag) -> None:
    before = worst.get(entry)
    if before is None or flag.score > before.score:
        worst[entry] = flag
