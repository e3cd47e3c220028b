"""Judging in columns: equal to judging line by line, whatever comes, in whatever pieces."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from offscript import Detector, Line, Model
from offscript.entries import Fields, Verdict
from offscript.journal import record_of
from offscript.parse import last_lines
from offscript.parse.asked import Values
from offscript.parse.raw_lines import RawLines
from offscript.parse.records import entry_of
from offscript.parse.scan import Scanned
from offscript.parse.session_key import SessionKey
from offscript.value_judge import ValueJudge

STORIES = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
MESSAGES = [
    "request accepted from 10.0.0.7",
    "user authenticated",
    "cache hit for item 5",
    "chunk 3 written",
    "chunk 90000 written",
    "response sent with status 200",
    "response sent with status 777",
    "connection closed",
    "volcano erupts",
    "größe is 7 " + "ü" * 600,
    "",
]
STAMPS = st.none() | st.sampled_from([math.inf]) | st.integers(0, 60).map(lambda half: 1e9 + half / 2)
ENTRIES = st.tuples(STAMPS, st.none() | st.integers(0, 6), st.integers(0, len(MESSAGES) - 1))
BLOCKS = st.tuples(st.sampled_from("ab"), st.lists(ENTRIES, max_size=25), st.booleans())
STEPS = st.one_of(
    st.tuples(st.just("blocks"), st.lists(BLOCKS, min_size=1, max_size=4)),
    st.tuples(st.just("blocks"), st.tuples(BLOCKS)),
    st.tuples(
        st.just("blocks"),
        st.tuples(st.tuples(st.just("a"), st.lists(ENTRIES, min_size=10, max_size=60), st.booleans())),
    ),
    st.tuples(st.just("lines"), st.sampled_from("ab"), st.lists(ENTRIES, max_size=5), st.booleans()),
    st.tuples(st.just("tick"), st.integers(0, 70).map(lambda half: 1e9 + half / 2)),
    st.tuples(st.just("restore")),
    st.tuples(st.just("scan anew")),
    st.tuples(st.just("changes")),
    st.tuples(st.just("state")),
    st.tuples(st.just("finish"), st.booleans()),
)


def told(verdicts: Sequence[Verdict]) -> list[dict[str, object]]:
    """Everything that verdicts say, their histories too."""
    return [record_of(verdict) | {"history": verdict.history} for verdict in verdicts]


def as_bytes_at_odd_places(lines: Sequence[Line]) -> RawLines:
    """The lines as they stand in a file, at places of its own choosing."""
    texts = [line.text.encode() for line in lines]
    stops = np.cumsum([len(text) + 1 for text in texts]) - 1
    starts = stops - np.array([len(text) for text in texts])
    numbers, offsets = (np.array([getattr(line, name) for line in lines]) for name in ("number", "offset"))
    first = (lines[0].number, lines[0].offset)
    data = b"\n".join(texts)
    return RawLines(data, lines[0].source, *first, starts, stops, numbers - first[0], offsets - first[1], 0, 0)


class Twins:
    """Two detectors that get the same: one judges blocks in columns, the other entry by entry."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.fast, self.slow = Detector(model), Detector(model)
        self.fast_rows: dict[str, Any] = {}
        self.names: list[str] = []
        self.began: dict[str, float | None] = {}
        self.count = 0

    def both(self, do: Callable[[Detector], list[Verdict]]) -> None:
        """Let both do something, and compare what they say and count."""
        fast, slow = told(do(self.fast)), told(do(self.slow))
        assert fast == slow

    def scanned(self, source: str, rows: Sequence[tuple[Any, ...]], as_bytes: bool) -> Scanned:
        """The block that the scan would give for these entries; names come in the order of their first sight."""
        texts = [MESSAGES[message] or "." for _, _, message in rows]
        lines = [Line(text, source, self.count + n + 1, 100 * (self.count + n)) for n, text in enumerate(texts)]
        raw: Any = lines
        if as_bytes and lines:
            raw = as_bytes_at_odd_places(lines)
        codes = []
        for _, one, _ in rows:
            name = f"req-{one}"
            if one is not None and name not in self.names:
                self.names.append(name)
            codes.append(-1 if one is None else self.names.index(name))
        began = self.began.get(source)
        stamps = np.array([math.nan if stamp is None else stamp for stamp, _, _ in rows], np.float64)
        for detector in (self.fast, self.slow):
            detector._reader.records.state(source)
        if began is None and (known := stamps[~np.isnan(stamps)]).size:
            self.began[source] = float(known[0])
        self.count += len(rows)
        keys = [self.model.templates.match(text).key for text in texts]
        none = self.model.session_key.where == "none"
        sessions = np.array([-1 if none else code for code in codes], np.int64)
        numbers, places = np.array(keys, np.int64), np.arange(len(rows))
        times = np.where(np.isfinite(stamps), stamps, math.nan)
        values = self.values(lines, keys)
        return Scanned(raw, source, places, numbers, sessions, stamps, times, began, self.names, values)

    def values(self, lines: Sequence[Line], keys: Sequence[int]) -> Values:
        """What the scan would say of the values of these entries."""
        judge = ValueJudge(self.model.values, self.model.templates)
        rows = [
            (place, *answer)
            for place, (line, key) in enumerate(zip(lines, keys, strict=True))
            if judge.asks(key)
            for answer in judge.read(entry_of(line, Fields(line.text), None, None, self.model.templates))
        ]
        entries, asked, numbers = zip(*rows, strict=True) if rows else ((), (), ())
        return Values(np.array(entries, np.int32), np.array(asked, np.int32), np.array(numbers, np.float64))

    def step(self, kind: str, *told_: Any) -> None:
        """Take one step of a story."""
        if kind == "blocks":
            blocks = [self.scanned(*one) for one in told_[0]]
            slow = [verdict for block in blocks for verdict in self.slow._in_lines().push_scanned(block)]
            assert told(self.fast.push_scanned(*blocks)) == told(slow)
        elif kind == "lines":
            block = self.scanned(*told_)
            self.both(lambda detector: detector._in_lines().push_scanned(block))
        elif kind == "tick":
            self.both(lambda detector: detector.tick(*told_))
        elif kind == "restore":
            self.fast = Detector(self.model, json.loads(json.dumps(self.fast.state())))
            self.slow = Detector(self.model, json.loads(json.dumps(self.slow.state())))
            self.fast_rows, self.names = self.fast.state(), []
        elif kind == "scan anew":
            self.names = []
        elif kind == "changes":
            rows = self.fast.changes()
            assert rows == self.slow.changes()
            self.fast_rows |= rows
            assert {name: row for name, row in self.fast_rows.items() if row is not None} == self.fast.state()
        elif kind == "state":
            states = [json.dumps(one.state(), sort_keys=True) for one in (self.fast, self.slow)]
            assert states[0] == states[1]
        else:
            self.both(lambda detector: detector.close(complete=told_[0]))
            assert self.fast.open_sessions() == self.slow.open_sessions()
        counts = [{name: n for name, n in one.counts.items() if n} for one in (self.fast, self.slow)]
        assert counts[0] == counts[1]


@pytest.fixture(scope="module")
def models(service_model: Model) -> Callable[[str], Model]:
    """The model of the scripted service, as it is and with other rules for its sessions."""
    without_end = copy.copy(service_model.keys)
    without_end.learns_end = False
    learnt = service_model.keys.learnt
    by_counts, profile = copy.copy(service_model.keys), copy.copy(learnt.profile)
    assert profile is not None
    profile.threshold /= 1000
    order = replace(learnt.rule, threshold=1000 * learnt.rule.threshold)
    by_counts.learnt, by_counts._remembered = replace(learnt, profile=profile, rule=order), {}
    few = service_model.config.model_copy(update={"max_open_sessions": 3})
    outside = frozenset(service_model.templates.keys()[1:3])
    kinds = {
        "as it is": replace(service_model, timeout=4.0),
        "keys outside": replace(service_model, timeout=4.0, outside=outside),
        "counts decide": replace(service_model, timeout=4.0, keys=by_counts),
        "a short time-out": replace(service_model, timeout=0.5),
        "no time-out": replace(service_model, timeout=None),
        "few sessions at once": replace(service_model, timeout=9.0, config=few),
        "END not learnt": replace(service_model, timeout=4.0, keys=without_end),
        "one stream": replace(service_model, timeout=None, session_key=SessionKey.none(), outside=outside),
        "one stream that closes": replace(service_model, timeout=2.0, session_key=SessionKey.none()),
    }
    return lambda kind: kinds[kind]


@pytest.fixture(autouse=True)
def _columns_are_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("offscript.detector.is_compiled", lambda _: True)


KINDS = [
    "as it is",
    "keys outside",
    "counts decide",
    "a short time-out",
    "no time-out",
    "few sessions at once",
    "END not learnt",
    "one stream",
    "one stream that closes",
]


@pytest.mark.parametrize("kind", KINDS)
@STORIES
@given(story=st.lists(STEPS, max_size=12), held=st.sampled_from([0, 1, 16]))
def test_equal_to_entry_by_entry(
    models: Callable[[str], Model],
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    story: list[tuple[Any, ...]],
    held: int,
) -> None:
    """Verdicts and their order, counts, states and changes are those of judging entry by entry (promises 1 and 9).

    Whatever comes: sources in turn, stamps that step back, are missing or infinite, unknown lines, lines outside
    sessions, sessions that return, ticks, states read back, other scans, ends of files, mixed with single lines.
    """
    monkeypatch.setattr(last_lines, "BLOCKS_HELD", held)
    twins = Twins(models(kind))
    for step in [*story, ("state",), ("finish", True), ("state",)]:
        twins.step(*step)
