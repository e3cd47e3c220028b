"""Where a line belongs to no session, where a session began before its log, and what is said of both."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import numpy as np
import pytest

from offscript import Config, Detector, InputError, Line, Model, Reason, StateError, detect, fit
from offscript.detection import checked
from offscript.testing import lines_of, service_log


def with_heartbeats(texts: list[str], every: int) -> list[str]:
    """Put a line without a session id after each so many lines."""
    out: list[str] = []
    for number, text in enumerate(texts, 1):
        out.append(text)
        if number % every == 0:
            out.append(f"{text[:23]} INFO [-] heartbeat of worker {number % 7} ok")
    return out


@pytest.fixture(scope="module")
def beating(small: Config) -> Model:
    """A model of a log in which some lines belong to no session."""
    return fit(lines_of(with_heartbeats(service_log(300, seed=41), 30)), small)


def test_a_known_line_outside_sessions_is_no_news(beating: Model) -> None:
    """Lines without a session id that training knew raise nothing, and are counted."""
    detector = Detector(beating)
    found = list(detect(beating, lines_of(with_heartbeats(service_log(60, seed=42), 20)), detector=detector))
    assert detector.counts["entries without session"] > 10
    assert not [verdict for verdict in found if verdict.session is None]
    assert any("are of no session" in finding for finding in beating.facts["findings"])


def test_a_new_line_outside_sessions_is_told(beating: Model) -> None:
    """A line without a session id that training never met is a new key."""
    found = Detector(beating).push(Line("2024-05-01 10:00:00.000 INFO [-] volcano erupts nearby"))
    assert [(verdict.reason, verdict.session) for verdict in found] == [(Reason.NEW_KEY, None)]


def test_a_line_known_only_outside_sessions_is_unexpected_within_one(beating: Model) -> None:
    """A known template that no session held before is an unexpected key in one, not a new key."""
    texts = service_log(30, seed=43)
    texts.append(texts[-1].split("] ")[0] + "] heartbeat of worker 3 ok")
    found = [verdict for verdict in detect(beating, lines_of(texts)) if "heartbeat" in verdict.entry.text]
    assert [verdict.reason for verdict in found] == [Reason.UNEXPECTED_KEY]


def test_sessions_running_before_the_training_log_teach_no_beginning(small: Config) -> None:
    """A log cut out of a busy service: what its first sessions open with is not how sessions begin."""
    texts = service_log(400, seed=44)
    whole, cut = fit(lines_of(texts), small), fit(lines_of(texts[40:]), small)
    assert any("had begun before the log did" in finding for finding in cut.facts["findings"])
    # sessions that open late and wrongly, long after the log's beginning
    wrong = lines_of(t for n, t in enumerate(service_log(120, seed=45)) if n < 500 or "accepted" not in t)
    flagged = [{v.session for v in detect(model, wrong) if v.reason is Reason.UNEXPECTED_KEY} for model in (whole, cut)]
    assert flagged[0] == flagged[1] != set()


def test_sessions_running_before_the_judged_log_are_not_judged_by_their_beginning(service_model: Model) -> None:
    """A file that begins in mid-session raises no alarm for lines it never held, and says how many such sessions."""
    detector = Detector(service_model)
    found = list(detect(service_model, lines_of(service_log(60, seed=46)[30:]), detector=detector))
    assert detector.counts["sessions joined midway"] > 0
    assert [verdict.reason for verdict in found if verdict.session in {f"req-{100000 + n}" for n in range(8)}] == []


def test_a_stream_without_sessions_is_not_judged_by_where_its_file_begins(small: Config) -> None:
    """A log without sessions begins anywhere: its first lines raise nothing."""
    texts = [f"2024-05-01 10:{n // 60:02}:{n % 60:02} step {'abcde'[n % 5]}" for n in range(1500)]
    model = fit(lines_of(texts), small.model_copy(update={"session": "none"}))
    assert list(detect(model, lines_of(texts[703:900]))) == []


def test_each_source_must_fit_the_header(service_model: Model) -> None:
    """A file of another format is refused by its own name, wherever it comes in the list."""
    good = lines_of(service_log(20, seed=47), "good.log")
    bad = lines_of((f"something else {n}" for n in range(50)), "bad.log")
    with pytest.raises(InputError, match=r"^bad\.log:1: "):
        list(checked(service_model.header, [*good, *bad]))
    assert list(checked(service_model.header, good)) == good


def test_the_garbage_collector_is_left_as_it_was(service_model: Model) -> None:
    """What judging sets aside is given back before the caller's code runs, and what others set aside stays there."""
    lines = [*lines_of(service_log(60, seed=53)), Line("2024-05-02 10:00:00.000 INFO [req-1] fire on roof")]
    gc.unfreeze()
    assert {gc.get_freeze_count() for _ in detect(service_model, lines)} == {0}

    def damaged() -> Iterator[Line]:
        yield from lines
        raise InputError("the disk is gone", remedy="mount it")

    with pytest.raises(InputError, match="the disk is gone"):
        list(detect(service_model, damaged()))
    assert gc.get_freeze_count() == 0
    gc.freeze()
    try:
        held = gc.get_freeze_count()
        assert list(detect(service_model, lines))
        assert gc.get_freeze_count() in range(held // 2, held + 1)  # what has died meanwhile is no longer counted
    finally:
        gc.unfreeze()


def test_equal_places_of_different_logs_have_different_verdict_ids(service_model: Model) -> None:
    """Two days piped in have verdicts at the same byte: their ids differ, so neither hides the other."""
    stamp = "2024-05-01 10:00:00.000 INFO [req-1] "
    ids = {Detector(service_model).push(Line(stamp + text))[0].id for text in ("flood in cellar", "fire on roof")}
    assert len(ids) == 2


@pytest.mark.parametrize("damage", [
    {"counts": [1]}, {"extra": {}}, {"extra": {"last": [1]}}, {"history": [10**6]}, {"history": [-1]}, {"junk": 1},
])  # fmt: skip
def test_a_damaged_state_is_refused(service_model: Model, damage: dict[str, object]) -> None:
    """Whatever is wrong with a state, it is one StateError, and at once."""
    first = Detector(service_model)
    first.push_block(lines_of(service_log(3, seed=48)))
    state = first.state()
    row = next(name for name in state if name.startswith("session/") and "req-" in name)
    if "counts" in damage:
        state["detector"]["counts"] = damage["counts"]
    elif "junk" in damage:
        state["junk/x"] = {}
    else:
        state[row] |= damage
    with pytest.raises(StateError):
        Detector(service_model, state)


def test_sessions_over_the_cap_are_counted(service_model: Model) -> None:
    """What a cap drops is told, not hidden."""
    config = service_model.config.model_copy(update={"max_open_sessions": 2})
    detector = Detector(Model(**{**vars(service_model), "config": config}))
    detector.push_block(lines_of(service_log(30, seed=49)))
    detector.close()
    assert detector.counts["sessions over the cap, closed unjudged"] > 0


def test_what_stands_for_no_template_is_not_quoted(service_model: Model) -> None:
    """Sentences put templates in quotes, and only these: "a line never seen before" is no print statement."""
    texts = service_log(80, seed=52)
    place = next(n for n, text in enumerate(texts) if "[req-100040]" in text and "authenticated" in text)
    texts[place] = texts[place].split("] ")[0] + "] volcano erupts nearby"
    told = [verdict.detail for verdict in detect(service_model, lines_of(texts), complete=True)]

    assert any("a line never seen before" in detail for detail in told)
    assert not any("`a line never seen before`" in detail for detail in told)


def test_the_nearest_template_shows_where_it_differs(small: Config) -> None:
    """Of two long lines that differ in their middle, the sentence shows the middle."""
    fields = " ".join(
        f"{name}=unset" for name in ("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta")
    )
    closed = f"client closed its connection {fields} flags=normal {fields} last command was quit"
    texts = [text for n in range(60) for text in (f"client {n} accepted", closed)]
    news = [*texts[:20], closed.replace("flags=normal", "flags=blocked")]
    found = list(detect(fit(lines_of(texts), small), lines_of(news)))

    assert found[-1].reason is Reason.NEW_KEY
    assert "the nearest is `client closed its connection alpha=unset … flags=normal alpha" in found[-1].detail


def test_an_unusual_session_is_told_by_what_it_holds(service_model: Model) -> None:
    """Steps of long ago that never came, and loops too long, are named with the numbers that are usual (ours)."""
    texts = service_log(80, seed=51)
    loop = next(text for text in texts if "[req-100040]" in text and "chunk" in text)
    place = texts.index(loop)
    looping = [*texts[:place], *[loop] * 40, *texts[place:]]
    found = [v for v in detect(service_model, lines_of(looping), complete=True) if v.session == "req-100040"]
    unusual = [verdict for verdict in found if verdict.reason is Reason.UNUSUAL_SESSION]
    assert len(unusual) == 1
    assert "x `chunk <*> written` where normal sessions have" in unusual[0].detail
    assert unusual[0].score >= 1.0
    assert unusual[0].expected == ()


def test_one_close_is_one_verdict_of_the_higher_score(service_model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where END and the counts both say so, one verdict has the higher score and says what was missing at the end."""
    texts = service_log(60, seed=52, broken=(20,))
    told = {}
    for score in (0.0, 1.0, 1000.0):
        monkeypatch.setattr(
            type(service_model.keys), "session_scores", lambda _, counts, s=score: np.full(len(counts), s)
        )
        verdicts = [v for v in detect(service_model, lines_of(texts), complete=True) if v.session == "req-100020"]
        told[score] = [(verdict.reason, verdict.score) for verdict in verdicts]
    end = told[0.0][0][1]
    assert end > 1.0
    assert told[0.0] == told[1.0] == [(Reason.INCOMPLETE_SESSION, end)]
    assert told[1000.0] == [(Reason.INCOMPLETE_SESSION, 1000.0)]


def test_a_session_joined_midway_is_not_judged_by_its_counts(
    service_model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What came before the log did is not in the counts, so these say nothing."""
    monkeypatch.setattr(type(service_model.keys), "session_scores", lambda _, counts: np.full(len(counts), 50.0))
    detector = Detector(service_model)
    found = list(detect(service_model, lines_of(service_log(60, seed=46)[30:]), detector=detector, complete=True))
    judged = {verdict.session for verdict in found if verdict.reason is Reason.UNUSUAL_SESSION}
    assert len(judged) == detector.counts["sessions"] - detector.counts["sessions joined midway"]


def test_a_source_of_another_format_is_named(small: Config) -> None:
    """Of a folder of logs, `fit` says which taught nothing because the header is not theirs."""
    ours = lines_of(service_log(40, seed=53))
    others = [
        Line(f"{name}: event {n} was noted", f"{name}.log", n + 1, 30 * n) for name in ("a", "b") for n in range(30)
    ]
    told = [finding for finding in fit([*ours, *others], small).facts["findings"] if "warning" in finding]

    assert told == [
        "warning: hardly a line of a.log, b.log has this header: learn logs of another format apart",
    ]
    assert not [finding for finding in fit(ours, small).facts["findings"] if "warning" in finding]
