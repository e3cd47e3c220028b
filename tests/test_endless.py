"""Ids of services and threads, written all through a log, are no sessions: not in training and not while detecting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.conftest import SMALL
from tests.naive_sessions import endless_of

from offscript import Config, Detector, Line, Model, ModelError, Reason, Verdict, detect, fit, load, read
from offscript.endless import FEWEST, take_out
from offscript.parse.candidates import A_PLACE
from offscript.parse.learn import Kept, Parsed, learn

SESSION = r"req-([0-9a-f]+)"
CONFIG = Config(session=SESSION, false_alarms=0.02, **SMALL)
STEPS = ("claim attempted", "claim granted", "image made", "machine built")


def log_of(requests: int, thread: str | None = "ffff", *, seconds: float = 20.0, seed: int = 1) -> list[str]:
    """Requests of four steps, one after another; a thread of the service tells of two of them in between."""
    chance = np.random.default_rng(seed)
    rows: list[tuple[float, str]] = []
    for number in range(requests):
        at = seconds * number
        for step in STEPS:
            at += chance.uniform(1.0, 2.0)
            rows.append((at, f"[req-{number:x}] {step}"))
        if thread is not None:
            rows += [(at - 0.4, f"[req-{thread}] lifecycle started"), (at - 0.2, f"[req-{thread}] lifecycle resumed")]
    return [
        f"2026-03-01 {int(t // 3600):02d}:{int(t // 60 % 60):02d}:{t % 60:06.3f} INFO {text}"
        for t, text in sorted(rows)
    ]


def lines_of(texts: Sequence[str], source: str = "nova.log") -> list[Line]:
    """The texts as lines of one source."""
    return [Line(text, source, number + 1, 100 * number) for number, text in enumerate(texts)]


@pytest.fixture(scope="module")
def model() -> Model:
    """What a log with such a thread teaches."""
    return fit(lines_of(log_of(300)), CONFIG)


def by_lines(model: Model, texts: Sequence[str]) -> list[Verdict]:
    """All verdicts, line by line."""
    detector = Detector(model)
    return [verdict for line in lines_of(texts) for verdict in detector.push(line)] + detector.close(complete=True)


def test_a_thread_is_no_session(model: Model) -> None:
    """Its entries teach no order, and `fit` says that they are left out, and why."""
    told = [text for text in model.facts["findings"] if "never ends" in text]

    assert told == [
        "1 id never ends: a service or a thread, no run; its 600 entries are of no session, nor are 2 log keys"
    ]
    assert {model.templates.template(key).text for key in model.outside} == {
        "lifecycle started",
        "lifecycle resumed",
    }
    assert model.facts["sessions"] == 300


def test_a_thread_of_another_name_is_none_either(model: Model) -> None:
    """After a restart the thread has another id; its lines are still no false alarms, and the requests are judged."""
    texts = log_of(40, "eeee", seed=2)
    wrong = [text for text in texts if "[req-9] claim granted" not in text]

    assert by_lines(model, texts) == []
    found = by_lines(model, wrong)
    assert found[0].reason is Reason.UNEXPECTED_KEY
    assert {verdict.session for verdict in found} == {"9"}


def test_columns_leave_out_what_lines_do(model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A whole file read in columns gives the verdicts of its lines one by one."""
    monkeypatch.setattr("offscript.parse.pieces.is_warm", lambda: True)
    monkeypatch.setattr("offscript.detector.is_compiled", lambda _: True)
    monkeypatch.setattr("offscript.detection.READ_FIRST", 0)
    texts = [
        text for text in log_of(60, "dddd", seed=3) if "[req-9] claim granted" not in text and "b] image" not in text
    ]
    path = tmp_path / "nova.log"
    path.write_text("\n".join(texts) + "\n", "utf-8")
    found = list(detect(model, read(str(path)), complete=True))

    assert found
    assert [(one.entry.line.number, one.reason, one.score) for one in found] == [
        (one.entry.line.number, one.reason, one.score) for one in by_lines(model, texts)
    ]


def test_the_keys_outside_are_saved(model: Model, tmp_path: Path) -> None:
    """A model loaded leaves out what the model saved did; damage is an error."""
    model.save(tmp_path / "m.model")
    assert load(tmp_path / "m.model").outside == model.outside
    replace(model, outside=frozenset({99})).save(tmp_path / "odd.model")
    with pytest.raises(ModelError, match="a key outside sessions has no template"):
        load(tmp_path / "odd.model")


@pytest.mark.parametrize(
    ("texts", "why"),
    [
        (log_of(300, None), "there is no thread"),
        (log_of(FEWEST - 2), "too few ids to tell one from the others"),
        ([*log_of(300, None), *log_of(10, "ffff")], "it lives through less than half of the log"),
        (
            [*log_of(150, None), "2026-03-01 00:50:00.000 INFO [req-0] machine kept", *log_of(300, None)[600:]],
            "a slow run has no more entries than others",
        ),
    ],
    ids=lambda given: given if isinstance(given, str) else "",
)
def test_runs_stay_runs(texts: list[str], why: str) -> None:
    """Nothing is taken out where an id may be a run."""
    parsed = learn(lines_of(texts), CONFIG)
    before = list(parsed.kept.sessions)

    assert take_out(parsed, 1e9).ids == 0, why
    assert list(parsed.kept.sessions) == before


def test_a_thread_of_each_process_is_none() -> None:
    """Processes with files of their own, read one after another, have each a thread that lives through its file."""
    lines = [replace(line, source=f"worker-{n}.log") for n in range(4) for line in lines_of(log_of(150, seed=n))]
    parsed = learn(lines, CONFIG)

    assert take_out(parsed, 30.0).describe().startswith("1 id never ends: a service or a thread, no run; its 1,200 ")
    assert parsed.kept.sessions.count(-1) == 1200


def test_several_threads_of_a_service_are_none() -> None:
    """A service has a thread for the one and a thread for the other; both are found beside a hundred requests."""
    texts = log_of(100)
    second = [
        text.replace("req-ffff", "req-eeee").replace("lifecycle", "heartbeat") for text in texts if "ffff" in text
    ]
    parsed = learn(lines_of(sorted(texts + second)), CONFIG)

    assert take_out(parsed, 30.0).ids == 2


def test_a_connection_kept_open_is_a_session() -> None:
    """What goes on and on with the steps that runs have, too, is judged by their order, and teaches it."""
    texts = [
        text.replace("lifecycle started", "claim attempted").replace("lifecycle resumed", "claim granted")
        for text in log_of(300)
    ]
    parsed = learn(lines_of(texts), CONFIG)

    assert take_out(parsed, 1e9).ids == 0
    assert -1 not in parsed.kept.sessions


def test_the_one_run_of_a_file_is_a_run() -> None:
    """A file that one long run fills tells nothing of what never ends: it has no others beside it."""
    alone = [replace(line, source="long.log") for line in lines_of(log_of(300)) if "[req-ffff]" in line.text]
    parsed = learn([*lines_of(log_of(300, None)), *alone], CONFIG)

    assert take_out(parsed, 1e9).ids == 0


ROWS = st.lists(
    st.tuples(st.sampled_from("ab"), st.integers(0, 2), st.sampled_from([None, *"tttttabcdef"]), st.integers(0, 30)),
    max_size=60,
)


@pytest.fixture(scope="module")
def parsed() -> Parsed:
    """Some log that was parsed, of which the entries are put in the place of."""
    return learn(lines_of(log_of(3)), CONFIG)


@settings(deadline=None)
@given(rows=ROWS, timeout=st.none() | st.integers(1, 12))
def test_endless_is_what_is_said_of_it(parsed: Parsed, rows: Sequence[Any], timeout: float | None) -> None:
    """What is taken out is what the definition says, by the sources and clocks that sessions have."""
    kept = Kept()
    for place, (source, key, session, time) in enumerate(rows):
        # a source has stamps from its first line on, and misses a few, or has none
        first = next(other for other in rows if other[0] == source)
        is_stamped = first[3] % 4 > 0 and (rows.index(first) == place or time % 7 > 0)
        kept.add(source, key, session, float(time) if is_stamped else None)
    before = list(kept)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("offscript.endless.FEWEST", 3)
        patch.setattr("offscript.endless.LONGER", 2.0)
        patch.setattr("offscript.endless.USUAL", 0.6)
        patch.setattr("offscript.endless.NEARLY", 0.6)
        found = take_out(replace(parsed, kept=kept, key_of=[5, 6, 7]), timeout)
    never, outside = endless_of(before, timeout, fewest=3, longer=2.0, usual=0.6, nearly=0.6, life=A_PLACE)

    assert (found.ids, {key - 5 for key in found.keys}) == (len(never), outside)
    assert [row.session for row in kept] == [
        None if row.session in never or row.skeleton in outside else row.session for row in before
    ]
    assert found.entries == sum(a.session is not None and b.session is None for a, b in zip(before, kept, strict=True))


def test_a_request_told_of_by_several_services_is_a_run() -> None:
    """A long run whose lines stand in two files, one read after the other, has lived as long as in each of them."""
    texts = log_of(300, None)
    long = [text.replace("[req-5]", "[req-5] again") for text in texts[20:24] for _ in range(12)]
    logs = {name: lines_of([*texts[:24], *long, *texts[24:]], name) for name in ("api.log", "nova.log")}

    assert take_out(learn([line for lines in logs.values() for line in lines], CONFIG), 1e9).ids == 0


def test_a_missing_stamp_stops_no_clock() -> None:
    """An id that rests does so though one of its lines has no stamp."""
    parsed = learn(lines_of(log_of(300)), CONFIG)
    parsed.kept.times[1_000] = float("nan")

    assert take_out(parsed, 10.0).ids == 0
    assert take_out(parsed, 30.0).ids == 1


def test_an_id_that_rests_is_many_sessions() -> None:
    """An address that comes again and again, with pauses beyond the time-out, has sessions that end."""
    parsed = learn(lines_of(log_of(300)), CONFIG)

    assert take_out(parsed, 10.0).ids == 0
    assert take_out(parsed, 30.0).ids == 1
