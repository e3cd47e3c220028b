"""Another version of the model while detecting: open sessions, counts, levels and clocks go on, exactly."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.test_feedback import judged, of_reason

from offscript import Detector, Line, Model, ModelError, Reason, StateError, Verdict, detect, read
from offscript.alphabet import Alphabet, Passage
from offscript.feedback import learn
from offscript.journal import record_of
from offscript.parse.pieces import in_bytes
from offscript.testing import lines_of, service_log

STORIES = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
NEWS = {7: "alpha widget rose loudly by 3", 11: "beta gadget sank quietly", 15: "alpha widget rose loudly by 9"}


def told_texts(seed: int = 6, sessions: int = 24) -> list[str]:
    """Return a log in which news come in mid-session and at the end of sessions, and some sessions stop early."""
    texts = service_log(sessions, seed=seed, broken=(5, 9, 14))
    out: list[str] = []
    for text in texts:
        out.append(text)
        number = int(text.split("[req-")[1][:6]) - 100_000
        for every, message in NEWS.items():
            if number % every == 3 and ("authenticated" in text or "response sent" in text):
                out.append(f"{text.split(' INFO')[0]} INFO [req-{100_000 + number}] {message}")
    return out


LINES = lines_of(told_texts())


def told(verdicts: Sequence[Verdict]) -> list[dict[str, Any]]:
    """Everything that verdicts say."""
    return [record_of(verdict) for verdict in verdicts]


@pytest.fixture(scope="module")
def family(service_model: Model) -> tuple[Model, ...]:
    """A model and two versions beside each other, which gave one key to two lines and have other gauges."""
    found = of_reason(judged(service_model, told_texts()), Reason.NEW_KEY)
    by_word = {verdict.entry.text.split("] ")[1].split()[0]: verdict for verdict in reversed(found)}
    alpha, beta = (learn(service_model, [by_word[word]]).model for word in ("alpha", "beta"))
    values = service_model.values
    assert len(values.gauges) > 2
    fewer = replace(values, gauges=tuple(reversed(values.gauges[1:])))
    moved = replace(values, gauges=tuple(replace(one, level=one.level + 0.25) for one in values.gauges[::2]))
    return service_model, replace(alpha, values=fewer), replace(beta, values=moved)


def as_written(rows: dict[str, Any]) -> dict[str, Any]:
    """The rows as they come back from a file."""
    read: dict[str, Any] = json.loads(json.dumps(rows))
    return read


@STORIES
@given(
    switches=st.lists(st.tuples(st.integers(0, len(LINES)), st.integers(0, 2)), max_size=5),
    looks=st.sets(st.integers(0, 5)),
)
def test_a_switch_is_a_new_detector_from_the_state(
    family: tuple[Model, ...], switches: list[tuple[int, int]], looks: set[int]
) -> None:
    """A switch before any line, to any version of the family, is `Detector(version, state)`; changes tell all of it.

    Verdicts, counts, state and the rows kept from `changes` are the same whether lines come alone or together.
    """
    live, naive = Detector(family[0]), Detector(family[0])
    kept: dict[str, Any] = live.changes()
    begin = 0
    for number, (place, which) in enumerate([*sorted(switches), (len(LINES), None)]):
        some, begin = LINES[begin:place], place
        together = told(live.push_block(some))
        assert together == told([verdict for line in some for verdict in naive.push(line)])
        if number in looks:
            kept |= as_written(live.changes())
        if which is not None:
            live.adopt(family[which])
            naive = Detector(family[which], as_written(naive.state()))
        assert live.state() == naive.state()
    kept |= as_written(live.changes())
    assert {name: row for name, row in kept.items() if row is not None} == as_written(live.state())
    assert told(live.close(complete=True)) == told(naive.close(complete=True))
    assert live.counts == naive.counts


@pytest.mark.parametrize("ahead", [False, True])
@STORIES
@given(places=st.lists(st.integers(1, len(LINES) - 1), max_size=6), at=st.integers(0, 6), which=st.integers(0, 2))
def test_blocks_scanned_ahead_are_judged_by_the_version_in_force(
    family: tuple[Model, ...], monkeypatch: pytest.MonkeyPatch, ahead: bool, places: list[int], at: int, which: int
) -> None:
    """Whole blocks, read before the switch or after it, give what single lines give with the switch at that place."""
    monkeypatch.setattr("offscript.detector.is_compiled", lambda _: True)
    cuts = sorted({0, len(LINES), *places})
    pieces = [LINES[begin:end] for begin, end in pairwise(cuts)]
    at, version = at % len(pieces), family[which]
    in_columns, in_lines = Detector(family[1]), Detector(family[1])
    blocks: Iterator[Any] = in_columns.scanned(iter([in_bytes(piece) for piece in pieces]))
    if ahead:
        blocks = iter(list(blocks))
    done = 0
    for number, block in enumerate(blocks):
        if number == at:
            in_columns.adopt(version)
            in_lines.adopt(version)
        here = LINES[done : done + len(block.raw)]
        done += len(here)
        assert told(in_columns.push_scanned(block)) == told(in_lines.push_block(here))
    assert done == len(LINES)
    assert in_columns.state() == in_lines.state()
    assert told(in_columns.close(complete=True)) == told(in_lines.close(complete=True))


def test_the_same_false_alarm_in_open_sessions_is_closed_live(service_model: Model) -> None:
    """One report, taken over in mid-log: the same line in sessions open by then, and in later ones, is no news."""
    lines = lines_of(text for text in told_texts(sessions=60) if "beta" not in text)
    detector = Detector(service_model)
    found: list[Verdict] = []
    reported: Verdict | None = None
    for line in lines:
        for verdict in detector.push(line):
            found.append(verdict)
            if reported is None and verdict.reason is Reason.NEW_KEY:
                reported = verdict
                detector.adopt(learn(service_model, [verdict]).model)
    assert reported is not None
    assert sum("alpha" in line.text for line in lines[reported.entry.line.number :]) > 3
    assert of_reason(found, Reason.NEW_KEY) == [reported]
    assert len(of_reason(judged(service_model, [line.text for line in lines]), Reason.NEW_KEY)) > 3


def test_what_the_older_version_does_not_know_is_unknown_to_it(family: tuple[Model, ...]) -> None:
    """Gone back from an update, a session whose last line the update taught ends with a line that is unknown again."""
    first, second, _ = family
    stamp = "2024-05-01 10:00:0"
    lines = lines_of(
        f"{stamp}{number} INFO [req-1] {message}"
        for number, message in enumerate(["request accepted from 10.0.0.3", "user authenticated", NEWS[7]])
    )
    detector = Detector(second)
    assert not of_reason(detector.push_block(lines), Reason.NEW_KEY)
    detector.adopt(first)
    (verdict,) = of_reason(detector.close(complete=True), Reason.INCOMPLETE_SESSION)
    assert not verdict.entry.known
    assert verdict.entry.template
    assert verdict.history[-1] == 0


def test_another_model_is_no_version(service_model: Model) -> None:
    """A model of another lineage, or made up to look like ours, is refused, and detection goes on."""
    detector = Detector(service_model)
    other = replace(service_model, lineage="0" * 32)
    longer = replace(service_model, header=replace(service_model.header, coverage=0.123))
    for model in (other, longer):
        with pytest.raises(ModelError, match="no version of the one"):
            detector.adopt(model)
    assert detector.model is service_model
    assert told(detector.push_block(LINES)) == told(Detector(service_model).push_block(LINES))


@pytest.mark.parametrize("row", [None, {}, {"symbols": [1]}, {"symbols": [9], "templates": [[1, "a"]]},
                                 {"symbols": [], "templates": [[1, 2]]}, {"symbols": "7", "templates": 7}])  # fmt: skip
def test_a_state_whose_numbers_mean_nothing_is_refused(service_model: Model, row: object) -> None:
    """Without what its numbers stand for a state cannot be read."""
    with pytest.raises(StateError, match="numbers"):
        Detector(service_model, Detector(service_model).state() | {"alphabet": row})


def test_an_update_keeps_all_symbols(family: tuple[Model, ...]) -> None:
    """From a version to one that grew from it nothing is lost; back, what was learnt is."""
    first, second, third = (Alphabet.of(model) for model in family)
    assert not Passage.between(first, second).loses
    assert Passage.between(second, first).loses
    assert Passage.between(second, third).symbols[-1] == 2
    assert Alphabet.of_row(as_written(second.row())) == second


def test_a_line_known_beside_under_another_key_stays_known(family: tuple[Model, ...], service_model: Model) -> None:
    """Two versions learnt the same line under two keys: gone over, a session's last line has the key of its version."""
    found = of_reason(judged(service_model, told_texts()), Reason.NEW_KEY)
    by_word = {verdict.entry.text.split("] ")[1].split()[0]: verdict for verdict in reversed(found)}
    both = learn(learn(service_model, [by_word["beta"]]).model, [by_word["alpha"]]).model
    text = f"2024-05-01 10:00:00 INFO [req-1] {NEWS[7]}"
    detector = Detector(family[1])
    detector.push(Line(text))
    before = detector.state()
    detector.adopt(both)
    rows = [next(row for name, row in one.items() if "req-1" in name) for one in (before, detector.state())]
    keys = [row["extra"]["last"][3] for row in rows]
    assert keys[0] > 0
    assert keys[1] == keys[0] + 1


def test_a_file_is_judged_on_by_what_was_learnt_of_its_beginning(
    service_model: Model, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """While `detect` goes through a file in columns, a report is learnt: from a block on, its line is no news."""
    monkeypatch.setattr("offscript.detector.is_compiled", lambda _: True)
    for name, value in (("detection.READ_FIRST", 0), ("detection.TOGETHER", 1), ("sources.files.PIECE", 4_000)):
        monkeypatch.setattr(f"offscript.{name}", value)
    texts = [text for text in told_texts(sessions=200) if "beta" not in text]
    log = tmp_path / "long.log"
    log.write_text("\n".join(texts) + "\n", "utf-8")
    plain = of_reason(judged(service_model, texts), Reason.NEW_KEY)
    detector, found = Detector(service_model), list[Verdict]()
    for verdict in detect(service_model, read(str(log)), detector=detector):
        if not of_reason(found, Reason.NEW_KEY) and verdict.reason is Reason.NEW_KEY:
            detector.learn([verdict]).result(60)
        found.append(verdict)
    assert detector._in_blocks
    assert detector.counts["lines"] == len(texts)
    numbers = [verdict.entry.line.number for verdict in of_reason(found, Reason.NEW_KEY)]
    assert numbers == [verdict.entry.line.number for verdict in plain[: len(numbers)]]
    assert 0 < len(numbers) < len(plain) / 2
