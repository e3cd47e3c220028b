"""Sessions open and close in log time, the same way in batch, live, interleaved and resumed."""

from __future__ import annotations

import json
import random
import time
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.naive_sessions import NaiveSessions, naive_rarely_exceeded

from offscript.entries import Fields
from offscript.errors import ModelError, StateError, UsageError
from offscript.parse.session_key import MAX_ID
from offscript.parse.sessions import Closed, OpenSessions, SessionKey
from offscript.parse.timeout import MAX_CUT, SAFETY, _rarely_exceeded, learn_timeout

stamps = st.none() | st.integers(0, 40).map(lambda half: half / 2)
sources = st.sampled_from(["a", "b"])
ids = st.none() | st.sampled_from(["p", "q", "r", "s", "t"])
events = st.one_of(
    st.tuples(st.just("line"), sources, stamps, ids),
    st.tuples(st.just("tick"), st.integers(0, 40).map(float)),
    st.tuples(st.just("resume")),
    st.tuples(st.just("changes")),
)
timeouts = st.sampled_from([None, 0.0, 1.0, 3.5])


def row(closed: Closed) -> tuple[object, ...]:
    """Write what is compared of a closed session."""
    one = closed.session
    return (closed.at, one.source, one.id, one.instance, one.entries, one.first, one.last)


class TestAgainstTheObvious:
    @settings(max_examples=200, deadline=None)
    @given(st.lists(events, max_size=60), timeouts, st.integers(1, 5), st.booleans())
    # the first stamp may equal the number of lines so far, and is a change all the same
    @example(
        [("line", "b", None, "p"), ("resume",), ("line", "b", 1.0, None), ("resume",), ("line", "b", None, None)],
        0.0,
        1,
        False,
    )
    def test_same_closings(
        self, story: list[tuple[Any, ...]], timeout: float | None, most: int, complete: bool
    ) -> None:
        """Whatever comes (ticks, steps back, missing stamps, overflow, resuming anywhere), it equals the oracle."""
        fast, slow = OpenSessions(timeout, most), NaiveSessions(timeout, most)
        stored: dict[str, Any] = {}
        for kind, *told in story:
            if kind == "line":
                source, stamp, one = told
                assert [row(closed) for closed in fast.advance(source, stamp)] == slow.advance(source, stamp)
                if one is not None:
                    fast.enter(source, one)
                    slow.enter(source, one)
            elif kind == "tick":
                assert [row(closed) for closed in fast.tick(*told)] == slow.tick(*told)
            elif kind == "resume":
                _save(fast, stored)
                fast = _restored(stored, timeout, most)
            else:
                _save(fast, stored)
                assert stored == json.loads(json.dumps(fast.rows()))
            assert len(fast) == len(slow.open) <= most
        closed, still_open = fast.finish(complete=complete)
        assert ([row(one) for one in closed], [(one.source, one.id) for one in still_open]) == slow.finish(
            complete=complete
        )
        assert fast.overflow == slow.overflow

    @settings(max_examples=100, deadline=None)
    @given(st.lists(st.tuples(st.integers(0, 20).map(float), st.sampled_from("pqr")), max_size=40), st.data())
    def test_interleaving_does_not_matter(self, lines: list[tuple[float, str]], data: st.DataObject) -> None:
        """Lines of one moment may come in any order: the same sessions close at the same times."""
        lines.sort(key=lambda line: line[0])
        other = sorted(data.draw(st.permutations(lines)), key=lambda line: line[0])
        assert _closings(lines) == _closings(other)

    @settings(max_examples=50, deadline=None)
    @given(st.lists(st.tuples(sources, stamps, ids), max_size=40))
    def test_sources_are_independent(self, lines: list[tuple[str, float | None, str | None]]) -> None:
        """The closings of a source are the same whether it is read alone or among others."""
        together = OpenSessions(3.5, 100)
        alone = {source: OpenSessions(3.5, 100) for source in "ab"}
        for source, stamp, one in lines:
            assert [row(closed) for closed in together.advance(source, stamp)] == [
                row(closed) for closed in alone[source].advance(source, stamp)
            ]
            if one is not None:
                together.enter(source, one)
                alone[source].enter(source, one)


def _save(sessions: OpenSessions, stored: dict[str, Any]) -> None:
    """Apply the changes to a store, as a live service does."""
    for name, value in json.loads(json.dumps(sessions.changes())).items():
        if value is None:
            del stored[name]
        else:
            stored[name] = value


def _restored(stored: dict[str, Any], timeout: float | None, most: int) -> OpenSessions:
    """Start again from a store, whose rows come back in no particular order."""
    rows = list(stored.items())
    random.Random(len(rows)).shuffle(rows)
    sessions = OpenSessions(timeout, most)
    sessions.load(dict(rows))
    return sessions


def _closings(lines: list[tuple[float, str]]) -> list[tuple[object, ...]]:
    sessions = OpenSessions(3.0, 100)
    closed: list[Closed] = []
    for stamp, one in lines:
        closed += sessions.advance("a", stamp)
        sessions.enter("a", one)
    closed += sessions.finish(complete=True)[0]
    return [(one.at, one.session.id, one.session.entries) for one in closed]


class TestClosingRules:
    def test_end_of_input_judges_only_what_is_idle(self) -> None:
        """A session that may go on in the next file stays open; `complete` says there is no next file."""
        sessions = OpenSessions(60.0, 10)
        sessions.advance("a", 0.0)
        sessions.enter("a", "old")
        assert [one.session.id for one in sessions.advance("a", 61.0)] == ["old"]
        sessions.enter("a", "young")
        closed, still_open = sessions.finish()
        assert (closed, [one.id for one in still_open]) == ([], ["young"])
        assert [(one.session.id, one.time) for one in sessions.finish(complete=True)[0]] == [("young", 61.0)]

    def test_an_id_that_returns_is_another_session(self) -> None:
        """After closing, the same id opens a second instance with an empty history."""
        sessions = OpenSessions(10.0, 10)
        sessions.advance("a", 0.0)
        sessions.enter("a", "p").history.append(7)
        sessions.advance("a", 11.0)
        again = sessions.enter("a", "p")
        assert (again.instance, again.history, again.first) == (2, [], 11.0)

    def test_without_stamps_idleness_is_counted_in_lines(self) -> None:
        """A source without any stamp closes a session after so many lines, and has no closing time to tell."""
        sessions = OpenSessions(3.0, 10)
        sessions.advance("a", None)
        sessions.enter("a", "p")
        closed = [one for _ in range(4) for one in sessions.advance("a", None)]
        assert [(one.session.id, one.at, one.time) for one in closed] == [("p", 4.0, None)]
        assert sessions.tick(1e9) == []

    def test_a_stamp_that_is_no_number_is_none(self) -> None:
        """Infinity and NaN never move a clock."""
        sessions = OpenSessions(3.0, 10)
        sessions.advance("a", 5.0)
        sessions.advance("a", float("inf"))
        sessions.advance("a", float("nan"))
        assert sessions.clock("a") == 5.0

    def test_changes_cost_what_was_touched(self) -> None:
        """With ten thousand sessions open, one line changes one session's row (and the clock's and the counts')."""
        sessions = OpenSessions(None, 20_000)
        for number in range(10_000):
            sessions.advance("a", float(number))
            sessions.enter("a", str(number))
        assert len(sessions.changes()) == 10_002
        sessions.advance("a", 10_001.0)
        sessions.enter("a", "77").history.append(3)
        changed = sessions.changes()
        assert len(changed) == 3
        assert changed['["session", "a", "77"]']["history"] == [3]
        assert sessions.changes() == {}

    def test_a_caller_who_never_asks_for_changes_pays_nothing(self) -> None:
        """Closed sessions leave no trace behind: memory is that of the open ones."""
        sessions = OpenSessions(5.0, 100)
        for number in range(10_000):
            sessions.advance("a", float(number))
            sessions.enter("a", str(number))
        assert len(sessions) == len(sessions._touched) == 6

    @pytest.mark.parametrize(
        "rows",
        [
            {"clock": {}},
            {'["clock"]': {"now": 1.0, "stamped": True, "opened": 1}},
            {'["clock", "a"]': {"now": "1", "stamped": True, "opened": 1}},
            {'["clock", "a"]': {"now": 1.0, "stamped": 1, "opened": 1}},
            {'["clock", "a"]': {"now": 10**400, "stamped": True, "opened": 1}},
            {'["counts"]': {"arrivals": -1, "overflow": 0}},
            {'["counts"]': [1, 2]},
            {'["session", "a", "p"]': {"instance": 1}},
            {
                '["session", "a", "p"]': {
                    "instance": 1,
                    "first": 0.0,
                    "last": 0.0,
                    "entries": 1,
                    "arrival": 1,
                    "history": ["x"],
                    "counts": [],
                    "extra": {},
                }
            },
            {
                '["session", "a", "p"]': {
                    "instance": 1,
                    "first": 0.0,
                    "last": 9.0,
                    "entries": 1,
                    "arrival": 1,
                    "history": [],
                    "counts": [],
                    "extra": {},
                }
            },
            *(
                {
                    '["counts"]': {"arrivals": 1, "overflow": 0},
                    '["clock", "a"]': {"now": 1.0, "stamped": True, "opened": 1},
                    '["session", "a", "p"]': {
                        "instance": 1,
                        "first": 0.0,
                        "last": 0.0,
                        "entries": 1,
                        "arrival": 1,
                        "history": [3],
                        "counts": counts,
                        "extra": {},
                    },
                }
                for counts in ([3], [3, 0], [4, 1, 3, 1], [3, 1, 3, 1], [3, "1"], [3, 1.0], [-3, 1], [3, 2**40])
            ),
        ],
    )
    def test_foreign_rows_are_refused(self, rows: dict[str, Any]) -> None:
        """Rows that are not ours, or contradict each other, are one clear error, and change nothing."""
        sessions = OpenSessions(5.0, 100)
        before = sessions.rows()
        with pytest.raises(StateError):
            sessions.load(rows)
        assert sessions.rows() == before


class TestSessionKey:
    def test_a_users_pattern_looks_in_the_message_then_in_the_header(self) -> None:
        """The first group (else the whole match) is the id; the header is read as name=value."""
        key = SessionKey.from_pattern(r"pid=(\d+)")
        header = (("component", "sshd"), ("pid", "7"))
        assert key.find(Fields("x pid=12 pid=13", named=header)) == "12"
        assert key.find(Fields("x", named=header)) == "7"
        assert key.find(Fields("x")) is None
        assert SessionKey.from_pattern(r"blk_-?\d+").find(Fields("at blk_-5.")) == "blk_-5"

    @pytest.mark.parametrize("pattern", ["", "(", "(?=a)b", r"(a)\1", "a" * 5000, "[\ud800]"])
    def test_an_invalid_pattern_is_one_line(self, pattern: str) -> None:
        """A pattern that RE2 does not know is a usage error that says so in one line."""
        with pytest.raises(UsageError) as caught:
            SessionKey.from_pattern(pattern)
        assert "\n" not in str(caught.value)

    def test_no_pattern_can_hang(self) -> None:
        """A pattern that takes a backtracking engine centuries takes milliseconds."""
        key = SessionKey.from_pattern("(a+)+$")
        begin = time.perf_counter()
        assert key.find(Fields("a" * 5_000 + "b")) is None
        assert time.perf_counter() - begin < 1.0

    def test_ids_are_bounded_and_any_text_is_searched(self) -> None:
        """A pattern that takes the whole line gives a bounded id; half a surrogate pair is no crash; empty is no id."""
        key = SessionKey.from_pattern(".*")
        assert len(key.find(Fields("x" * 10_000)) or "") == MAX_ID
        assert key.find(Fields("id \ud800")) == "id ?"
        assert key.find(Fields("")) is None
        assert SessionKey("header", field="pid").find(Fields("", named=(("pid", ""), ("pid", "8")))) == "8"

    @pytest.mark.parametrize(
        "key",
        [SessionKey.none(), SessionKey.from_pattern("(x)"), SessionKey("header", field="pid", name="pid")],
    )
    def test_round_trip(self, key: SessionKey) -> None:
        """A key read back from JSON is the same key."""
        assert SessionKey.from_dict(json.loads(json.dumps(key.to_dict()))) == key

    @pytest.mark.parametrize(
        "data",
        [
            None,
            {},
            {"where": "message", "pattern": "(", "field": "", "name": ""},
            {"where": "nowhere", "pattern": "a", "field": "", "name": ""},
            {"where": "header", "pattern": "", "field": 3, "name": ""},
            {"where": "none", "pattern": "", "field": "", "name": "", "more": ""},
        ],
    )
    def test_a_damaged_key_is_refused(self, data: object) -> None:
        """What is not a session key is a model error, never another exception."""
        with pytest.raises(ModelError):
            SessionKey.from_dict(data)


class TestTimeout:
    @settings(max_examples=60, deadline=None)
    @given(
        st.lists(st.integers(0, 30).map(float), min_size=1, max_size=60),
        st.lists(st.integers(0, 40).map(float), max_size=30),
    )
    def test_equals_the_product_limit_in_fractions(self, gaps: list[float], silent: list[float]) -> None:
        """With a thousand gaps and more, the gap found is that of the estimate computed exactly."""
        many = gaps * (1000 // len(gaps) + 1)
        found = _rarely_exceeded(np.sort(many), np.sort(np.array(silent)))
        assert found == naive_rarely_exceeded(many, silent, Fraction(1, round(1 / MAX_CUT)))

    def test_gaps_still_open_lengthen_the_time_out(self) -> None:
        """Gaps cut off by the end of the log count as at least that long: without them it would be learnt too short."""
        gaps = [1.0] * 4000 + [50.0] * 4
        assert learn_timeout(gaps, [60.0] * 3990, span=1e6).gap == 1.0
        assert learn_timeout(gaps, [1.5] * 3990, span=1e6).gap == 50.0

    def test_few_gaps_are_not_trusted(self) -> None:
        """Ten gaps say nothing of the thousandth: the time-out is far longer than the longest of them."""
        assert learn_timeout([1.0] * 10, [], span=1e6).seconds == SAFETY * 100.0

    def test_a_log_too_short_teaches_no_end(self) -> None:
        """Where a longer gap could not have been seen, silence is no end, and the reason says so."""
        short = learn_timeout([60.0] * 2000, [330.0] * 50, span=180.0)
        assert (short.completed, short.open) == (0, 50)
        assert "END is not learnt" in short.describe()
        long = learn_timeout([60.0] * 2000, [330.0] * 50, span=1800.0)
        assert (long.completed, long.open) == (50, 0)

    def test_without_gaps_nothing_closes(self) -> None:
        """Sessions of one line each give no gap, and no time-out is made up."""
        assert learn_timeout([], [3.0, 4.0]).seconds is None
