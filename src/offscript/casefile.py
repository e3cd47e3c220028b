"""The case file of a verdict: its session's whole path and the lines around it, from a second reading (ours).

A detector forgets a session's entries beyond the last few, so that its memory stays small. Whoever explains a verdict
reads the same logs once more: only the entries of sessions that were flagged become objects, cut into sessions by the
rules of the detector, so that an id that returns after its session closed is another session here, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

import numpy as np
from numpy.typing import NDArray

from offscript.case_columns import Columns, Rereader
from offscript.case_runs import Around, Clock, Run
from offscript.entries import START, UNKNOWN, Entry, Line, Verdict
from offscript.model import Model
from offscript.wording import TEXT_KEPT

MAX_SESSIONS: Final = 1_000
"""Sessions whose paths are read, those of the first verdicts: nobody looks at more of them one by one."""

MAX_ENTRIES: Final = 2_000
"""Entries kept of one session: a hundred times what most have, and more than anybody follows."""

MAX_KEPT: Final = 200_000
"""Entries kept in all, some 100 MB: 200 of each of so many sessions, or those of a hundred of the longest."""

MAX_LINES: Final = 10_000
"""Verdicts whose lines are looked up."""

CONTEXT: Final = 3
"""Raw lines before and after that of a verdict: what fits beside it on a screen."""

STREAM: Final = -1
"""The code of the session of an entry in a log without sessions."""

Marks = dict[int, list[Verdict]]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Case:
    """What a second reading found of a verdict.

    `entries` are those of its session in order, without their values; none where its line was not found, or the session
    was beyond the bounds. `path_is_whole` says that they begin with the session's first, `ended` that it has closed
    after the last of them.
    `line` is the raw line of the verdict, `before` and `after` are those around it in its source.
    """

    verdict: Verdict
    entries: tuple[Entry, ...] = ()
    path_is_whole: bool = False
    ended: bool = False
    line: Line | None = None
    before: tuple[Line, ...] = ()
    after: tuple[Line, ...] = ()


def cases(
    model: Model, lines: Iterable[Line], verdicts: Sequence[Verdict], *, anywhere: bool = False
) -> dict[str, Case]:
    """Read logs once more, from their beginning, and return what is found of each verdict, by its id (ours).

    A line is that of a verdict when it stands at the same position of the same source with the same text; `anywhere`
    passes over the name of the source, for a log that was moved. The paths of the first `MAX_SESSIONS` sessions are
    read; in a log without sessions a path is the 2h entries before the verdict's, and the h after it.
    """
    names = dict.fromkeys(verdict.session for verdict in verdicts if verdict.session is not None)
    rereader = Rereader(model, list(islice(names, MAX_SESSIONS)))
    reading = _Reading(model, rereader, verdicts, anywhere=anywhere)
    for columns in rereader.columns(lines):
        reading.take(columns)
    return reading.finish()


class _Reading:
    """One pass over the logs, piece after piece."""

    def __init__(self, model: Model, rereader: Rereader, verdicts: Sequence[Verdict], *, anywhere: bool) -> None:
        self._model = model
        self._rereader = rereader
        self._verdicts = verdicts
        self._anywhere = anywhere
        self._one_stream = model.session_key.where == "none"
        self._at: Marks = {}
        for verdict in verdicts[:MAX_LINES]:
            self._at.setdefault(verdict.entry.line.offset, []).append(verdict)
        self._offsets = np.array(sorted(self._at), np.int64)
        self._clocks: dict[str, Clock] = {}
        self._runs: dict[str, dict[int, Run]] = {}
        self._hit: list[Run] = []
        self._kept = 0
        self._found: dict[str, Line] = {}
        self._lines: dict[str, Around[Line]] = {}
        self._stream: dict[str, Around[Entry]] = {}

    def take(self, columns: Columns) -> None:
        """Take what is wanted out of a piece."""
        source, marks = columns.source, self._marks(columns)
        around = self._lines.setdefault(source, Around(CONTEXT, CONTEXT))
        around.passed(len(columns.raw), columns.line, _named(marks))
        by_entry = {at: some for place, some in marks.items() if (at := columns.entry_at(place)) is not None}
        if self._one_stream:
            history = self._model.config.history
            stream = self._stream.setdefault(source, Around(2 * history, history))
            stream.passed(len(columns.places), lambda at: self._rereader.entry(columns, at, STREAM), _named(by_entry))
        else:
            self._enter(columns, by_entry)

    def _marks(self, columns: Columns) -> Marks:
        """The verdicts whose lines stand in a piece, by place."""
        if not len(self._offsets) or not len(columns.raw):
            return {}
        offsets = columns.offsets()
        begin, end = np.searchsorted(self._offsets, (offsets[0], offsets[-1] + 1)).tolist()
        marks: Marks = {}
        for offset in self._offsets[begin:end].tolist():
            place = int(np.searchsorted(offsets, offset))
            if offsets[place] == offset:
                line = columns.line(place)
                marks[place] = [one for one in self._at[offset] if self._is_line_of(line, one)]
                self._found |= {one.id: line for one in marks[place]}
        return marks

    def _is_line_of(self, line: Line, verdict: Verdict) -> bool:
        known = verdict.entry.line
        same_text = line.text[: TEXT_KEPT - 1] == known.text[: TEXT_KEPT - 1]  # what a closed session kept of its last
        return same_text and (self._anywhere or line.source == known.source) and verdict.id not in self._found

    # -- sessions --------------------------------------------------------------------------------------------------

    def _enter(self, columns: Columns, marks: Marks) -> None:
        """Put the entries of the wanted sessions into their runs."""
        clock = self._clocks.setdefault(columns.source, Clock())
        runs = self._runs.setdefault(columns.source, {})
        counted = clock.now
        clocks, stamped_at = clock.passed(columns.stamps)
        for at in np.flatnonzero(columns.codes >= 0).tolist():
            if stamped_at is not None and at >= stamped_at:
                self._renew(runs, counted + stamped_at, float(columns.stamps[stamped_at]))
                stamped_at = None
            code, now = int(columns.codes[at]), float(clocks[at])
            run = runs.get(code)
            if run is None or self._is_idle(run, now):
                run = runs[code] = self._begin(columns.source, run, now)
            run.last = now
            if self._kept < MAX_KEPT:
                self._kept += run.add(self._rereader.entry(columns, at, code), MAX_ENTRIES)
            else:
                run.has_end = False
            run.hits += [one for one in marks.get(at, ()) if one.session == self._rereader.name(code)]
        if stamped_at is not None:
            self._renew(runs, counted + stamped_at, float(columns.stamps[stamped_at]))

    def _renew(self, runs: dict[int, Run], counted: float, stamp: float) -> None:
        """A clock of lines turns into time: the first stamp is the last sign of life of the sessions then open."""
        for code, run in list(runs.items()):
            if self._is_idle(run, counted):
                self._leave(runs.pop(code), ended=True)
            else:
                run.began = run.last = stamp

    def _is_idle(self, run: Run, now: float) -> bool:
        return self._model.timeout is not None and run.last + self._model.timeout < now

    def _begin(self, source: str, old: Run | None, now: float) -> Run:
        if old is not None:
            self._leave(old, ended=True)
        return Run(source, now, now)

    def _leave(self, run: Run, *, ended: bool) -> None:
        run.ended = ended
        if run.hits:
            self._hit.append(run)
        else:
            self._kept -= len(run.entries)

    # -- the end ---------------------------------------------------------------------------------------------------

    def finish(self) -> dict[str, Case]:
        """What was found of each verdict."""
        for source, runs in self._runs.items():
            for run in runs.values():
                self._leave(run, ended=self._is_idle(run, self._clocks[source].now))
        run_of = {verdict.id: run for run in self._hit for verdict in run.hits}
        joined = self._joined()
        paths = {id(run): tuple(run.entries) for run in self._hit}  # one for all verdicts of a run
        return {verdict.id: self._case(verdict, run_of.get(verdict.id), paths, joined) for verdict in self._verdicts}

    def _case(
        self, verdict: Verdict, run: Run | None, paths: Mapping[int, tuple[Entry, ...]], joined: set[int]
    ) -> Case:
        line = self._found.get(verdict.id)
        if line is None:
            return Case(verdict)
        before, after = self._lines[line.source].found[verdict.id]
        entries: tuple[Entry, ...] = ()
        whole = ended = False
        if run is not None:
            entries, ended = paths[id(run)], run.ended and run.has_end
            whole = run.is_whole and id(run) not in joined
        elif self._one_stream and verdict.id in self._stream[line.source].found:
            past, later = self._stream[line.source].found[verdict.id]
            entries = (*past, verdict.entry, *later)
        if not any(entry.line.offset == line.offset for entry in entries):
            entries, whole = (), False
        return Case(verdict, entries, whole, ended, line, tuple(before), tuple(after))

    def _joined(self) -> set[int]:
        """The identities of runs that seem to have begun before their source did, as the detector has it."""
        timeout, keys = self._model.timeout, self._model.keys
        if timeout is None:
            return set()
        early = [run for run in self._hit if run.began - self._clocks[run.source].first <= timeout and run.entries]
        if not early:
            return set()
        start = np.full((len(early), self._model.config.history), START, np.int32)
        first = [run.entries[0].key for run in early]
        targets = [keys.symbol(key) if key > 0 else UNKNOWN for key in first]
        scores = keys.surprise(start, np.array(targets, np.int32))
        return {id(run) for run, score in zip(early, scores.tolist(), strict=True) if score >= 1.0}


def _named(marks: Marks) -> list[tuple[int, str]]:
    return [(place, verdict.id) for place, some in marks.items() for verdict in some]
