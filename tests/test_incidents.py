"""Incidents: verdicts with one cause are told once, and nothing else is put together."""

from __future__ import annotations

import time
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from offscript.diagnosis import Diagnosis, Incident, Named, SlowEdge
from offscript.entries import Entry, Line, Reason, Verdict
from offscript.incidents import cause_of, incidents
from offscript.workflow.graph import Times


def diagnosis(
    at: float | None,
    session: str | None,
    last: int = 1,
    came: int = 2,
    reason: Reason = Reason.UNEXPECTED_KEY,
    slow: Sequence[tuple[int, int]] = (),
    line: int = 1,
) -> Diagnosis:
    """A diagnosis made by hand."""
    entry = Entry(Line("text", "app.log", line, line * 10), came, (), "text", at, None, session)
    verdict = Verdict(f"{line}", reason, 2.0, entry, at, session)
    edges = tuple(SlowEdge(Named(a, ""), Named(b, ""), 9.0, Times(5, 1.0, 1.0, 1.0, 1.0)) for a, b in slow)
    return Diagnosis(verdict, None, None, (), False, Named(last, "last"), (), (), edges, "", came=Named(came, "came"))


def grouped(diagnoses: Sequence[Diagnosis], gap: float) -> list[Incident]:
    """The incidents of diagnoses that are there already."""
    known = {id(one.verdict): one for one in diagnoses}
    return incidents([one.verdict for one in diagnoses], lambda verdict: known[id(verdict)], gap)


def test_one_cause_near_in_time_is_one_incident() -> None:
    """Ten sessions that leave the script at one step, seconds apart, are one incident with ten sessions."""
    found = grouped([diagnosis(100.0 + number, f"s{number}", line=number) for number in range(10)], gap=60)
    assert len(found) == 1
    assert found[0].sessions == tuple(f"s{number}" for number in range(10))
    assert (found[0].start, found[0].end, len(found[0].verdicts)) == (100.0, 109.0, 10)
    assert found[0].first.verdict is found[0].verdicts[0]


def test_the_same_cause_long_after_is_another_incident() -> None:
    """What comes back after the gap is told again; each link of a chain may be as long as the gap."""
    times = [0.0, 60.0, 120.0, 181.0]
    found = grouped([diagnosis(at, f"s{at}") for at in times], gap=60)
    assert [len(one.verdicts) for one in found] == [3, 1]


def test_another_departure_is_another_incident() -> None:
    """Another last step, another step that came, or another reason: another cause."""
    found = grouped(
        [
            diagnosis(0.0, "a"),
            diagnosis(0.0, "b", last=5),
            diagnosis(0.0, "c", came=5),
            diagnosis(0.0, "d", reason=Reason.NEW_KEY),
        ],
        gap=60,
    )
    assert [one.sessions for one in found] == [("a",), ("b",), ("c",), ("d",)]


def test_what_follows_in_a_session_belongs_to_its_first_departure() -> None:
    """Several verdicts of a session are one incident, whatever they say; they put no other sessions together."""
    found = grouped(
        [
            diagnosis(0.0, "a", last=1),
            diagnosis(1.0, "a", last=8, came=9),
            diagnosis(2.0, "b", last=8, came=9),
            diagnosis(3.0, "b", last=1),
        ],
        gap=60,
    )
    assert [(one.sessions, len(one.verdicts)) for one in found] == [(("a",), 2), (("b",), 2)]


def test_a_slow_step_is_one_cause_whoever_tells_of_it() -> None:
    """The line that came late and the line that says how long it took name the same slow edge."""
    late = diagnosis(0.0, "a", reason=Reason.UNUSUAL_TIME, slow=[(52, 53)])
    told = diagnosis(1.0, "b", last=57, came=56, reason=Reason.UNUSUAL_VALUE, slow=[(52, 53), (3, 4)])
    assert cause_of(late) == cause_of(told)
    assert len(grouped([late, told], gap=60)) == 1
    assert len(grouped([late, diagnosis(1.0, "b", reason=Reason.UNUSUAL_TIME, slow=[(3, 4)])], gap=60)) == 2


def test_a_session_whose_verdicts_follow_on_each_other_is_diagnosed_once() -> None:
    """A long session may have thousands of verdicts, and its whole path is gone through for each diagnosis."""
    some = [diagnosis(float(at), "a", came=at, line=at) for at in range(100)]
    asked: list[Verdict] = []

    def diagnosed(verdict: Verdict) -> Diagnosis:
        asked.append(verdict)
        return some[verdict.entry.line.number]

    assert len(incidents([one.verdict for one in some], diagnosed, 60)) == 1
    assert asked == [some[0].verdict]


def test_lines_outside_sessions_are_grouped_by_cause_alone() -> None:
    """Without a session each verdict stands for itself."""
    found = grouped([diagnosis(float(at), None, line=at) for at in range(5)], gap=60)
    assert [(one.sessions, len(one.verdicts)) for one in found] == [((), 5)]


def test_without_stamps_lines_are_the_clock() -> None:
    """In a log without times the gap counts lines; start and end are not known."""
    found = grouped([diagnosis(None, f"s{line}", line=line) for line in (1, 50, 200)], gap=60)
    assert [(len(one.verdicts), one.start, one.end) for one in found] == [(2, None, None), (1, None, None)]


@given(
    st.lists(st.tuples(st.floats(0, 500), st.sampled_from("abcd"), st.integers(1, 2), st.integers(1, 2)), max_size=30),
    st.randoms(use_true_random=False),
)
def test_every_verdict_is_in_one_incident(rows: list[tuple[float, str, int, int]], chance: object) -> None:
    """No verdict is lost or told twice, and the order in which different moments are given changes nothing."""
    moments = {at: (at, session, last, came) for at, session, last, came in rows}
    some = [diagnosis(*row, line=place) for place, row in enumerate(moments.values())]
    found = grouped(some, gap=30)
    told = [verdict.id for one in found for verdict in one.verdicts]
    assert sorted(told) == sorted(one.verdict.id for one in some)
    shuffled = list(some)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    assert grouped(shuffled, gap=30) == found
    starts = [one.start for one in found]
    assert starts == sorted(starts, key=lambda at: at or 0.0)


def test_a_hundred_thousand_verdicts_take_seconds() -> None:
    """Grouping grows with the number of verdicts, not with its square."""

    def seconds(count: int) -> float:
        some = [diagnosis(number * 0.1, f"s{number // 2}", last=number % 50, line=number) for number in range(count)]
        taken = []
        for _ in range(3):  # the least of three: a round of the garbage collector falls into some
            began = time.process_time()
            grouped(some, gap=60)
            taken.append(time.process_time() - began)
        return min(taken)

    assert seconds(100_000) < 15 * seconds(20_000)  # thrice what is in proportion; by the square it would be 25 times
