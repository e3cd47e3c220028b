"""The second reading: the path of a session is cut as the detector cut it, however the log is read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from offscript import Config, Detector, Line, Model, Verdict, fit, read
from offscript import casefile as casefile_module
from offscript.case_runs import Run
from offscript.casefile import CONTEXT, cases
from offscript.entries import Entry, Reason
from offscript.parse.records import Reader
from offscript.parse.sessions import OpenSessions
from offscript.testing import lines_of, service_log


def judged(model: Model, lines: list[Line]) -> list[Verdict]:
    """The verdicts on some lines, all sessions closed at their end."""
    detector = Detector(model)
    return [*detector.push_block(lines), *detector.close(complete=True)]


def naive_runs(model: Model, lines: list[Line]) -> Iterator[list[tuple[Line, int, float | None]]]:
    """Every session of a log as the detector opens and closes them: line, key and time of each entry."""
    reader = Reader(model.header, model.session_key, model.templates)
    sessions = OpenSessions(model.timeout, 1_000_000)
    for line in lines:
        found = reader.entry(line)
        if found is None:
            continue
        entry, stamp = found
        for closed in sessions.advance(line.source, stamp):
            yield closed.session.extra["path"]
        if entry.session is not None and entry.key not in model.outside:
            session = sessions.enter(line.source, entry.session)
            session.extra.setdefault("path", []).append((line, entry.key, entry.time))
    for closed in sessions.finish(complete=True)[0]:
        yield closed.session.extra["path"]


def naive_path(model: Model, lines: list[Line], verdict: Verdict) -> list[tuple[Line, int, float | None]]:
    """The session of a verdict."""
    return next(
        run for run in naive_runs(model, lines) if any(line.offset == verdict.entry.line.offset for line, _, _ in run)
    )


@pytest.fixture(scope="module")
def broken(service_model: Model) -> tuple[list[Line], list[Verdict]]:
    """A log of the service in which some sessions stop half way, and what is said of it."""
    texts = service_log(60, seed=5, broken=(7, 8, 30))
    texts[40:40] = ["  a line that continues the record before it", "2024-05-01 10:00:05.000 INFO no session here"]
    lines = lines_of(texts)
    verdicts = judged(service_model, lines)
    assert verdicts
    return lines, verdicts


def test_a_path_is_the_whole_session(service_model: Model, broken: tuple[list[Line], list[Verdict]]) -> None:
    """The entries of a case are those of the session, from its first line to its last."""
    lines, verdicts = broken
    found = cases(service_model, lines, verdicts)
    assert list(found) == [verdict.id for verdict in verdicts]
    for verdict in verdicts:
        if verdict.session is not None:
            path = [(entry.line, entry.key, entry.time) for entry in found[verdict.id].entries]
            assert path == naive_path(service_model, lines, verdict)
            assert found[verdict.id].path_is_whole


def test_the_lines_around_a_verdict_are_shown(service_model: Model, broken: tuple[list[Line], list[Verdict]]) -> None:
    """A case holds the raw line, and three before and after it, fewer at the ends of a log."""
    lines, verdicts = broken
    for verdict in verdicts:
        case = cases(service_model, lines, verdicts)[verdict.id]
        at = next(place for place, line in enumerate(lines) if line.offset == verdict.entry.line.offset)
        assert case.line == lines[at]
        assert list(case.before) == lines[max(0, at - CONTEXT) : at]
        assert list(case.after) == lines[at + 1 : at + 1 + CONTEXT]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_an_id_that_returns_is_another_session(service_model: Model, data: st.DataObject) -> None:
    """Whatever the gaps, steps back of the clock, missing stamps and keys outside: runs are the detector's."""
    outside = data.draw(st.frozensets(st.sampled_from(service_model.templates.keys()), max_size=2), label="outside")
    model = replace(service_model, timeout=2.0, outside=outside)
    texts = [text.split(" ", 3)[3] for text in service_log(6, seed=1)]
    times = data.draw(
        st.lists(st.one_of(st.none(), st.floats(0, 12)), min_size=len(texts), max_size=len(texts)), label="times"
    )
    stamped = [
        f"INFO {text}" if time is None else f"2024-05-01 10:00:{time:06.3f} INFO {text}"
        for time, text in zip(times, texts, strict=True)
    ]
    lines = lines_of(stamped)
    runs = list(naive_runs(model, lines))
    verdicts = [
        Verdict(str(line.offset), Reason.NEW_KEY, 1.0, entry, entry.time, entry.session)
        for line in lines
        if (read_entry := Reader(model.header, model.session_key, model.templates).entry(line)) is not None
        and (entry := read_entry[0]).session is not None
        and entry.key not in outside
    ]
    found = cases(model, lines, verdicts)
    for run in runs:
        for line, _, _ in run:
            if str(line.offset) in found:
                assert [entry.line for entry in found[str(line.offset)].entries] == [other for other, _, _ in run]


@pytest.mark.parametrize("left_out", [False, True])
def test_files_and_lines_give_the_same(
    service_model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left_out: bool
) -> None:
    """A file that is scanned in columns gives the cases that its lines give, however it is cut into pieces."""
    outside = service_model.templates.keys()[1:2] if left_out else ()
    model = replace(service_model, outside=frozenset(outside))
    monkeypatch.setattr("offscript.parse.pieces.is_warm", lambda: True)
    monkeypatch.setattr("offscript.case_columns.READ_FIRST", 10)
    log = tmp_path / "app.log"
    log.write_text("\n".join(service_log(400, seed=9, broken=(3, 50, 51, 399))) + "\n", "utf-8")
    verdicts = judged(model, list(read(str(log))))
    by_lines = cases(model, list(read(str(log))), verdicts)
    by_file = cases(model, read(str(log)), verdicts)
    assert len(by_file) == len(verdicts) > 2
    for name, case in by_file.items():
        other = by_lines[name]
        assert [replace(entry, values=(), level=None) for entry in other.entries] == [
            replace(entry, values=(), level=None) for entry in case.entries
        ]
        assert replace(case, entries=()) == replace(other, entries=())


def test_a_log_that_was_moved_is_found_by_position_and_text(
    service_model: Model, broken: tuple[list[Line], list[Verdict]]
) -> None:
    """Under another name a line counts only where the caller says so, and never where the text differs."""
    lines, verdicts = broken
    moved = [replace(line, source="elsewhere.log") for line in lines]
    assert not any(case.entries for case in cases(service_model, moved, verdicts).values())
    assert all(case.line is not None for case in cases(service_model, moved, verdicts, anywhere=True).values())
    changed = [replace(line, text=line.text.replace("INFO", "WARN")) for line in lines]
    assert not any(case.line for case in cases(service_model, changed, verdicts).values())


def test_paths_are_bounded(
    service_model: Model, broken: tuple[list[Line], list[Verdict]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the entries of one session, nor those of all, nor the sessions read are more than stated."""
    lines, verdicts = broken
    within = [verdict for verdict in verdicts if verdict.session is not None]
    monkeypatch.setattr(casefile_module, "MAX_ENTRIES", 2)
    for case in cases(service_model, lines, within).values():
        assert len(case.entries) <= 2
        assert not case.path_is_whole
        assert not case.entries or case.verdict.entry.line.offset in [entry.line.offset for entry in case.entries]
    monkeypatch.setattr(casefile_module, "MAX_KEPT", 4)
    assert sum(len(case.entries) for case in cases(service_model, lines, within).values()) <= 8
    monkeypatch.setattr(casefile_module, "MAX_SESSIONS", 1)
    sessions = {case.verdict.session for case in cases(service_model, lines, within).values() if case.entries}
    assert len(sessions) <= 1


def test_a_path_that_is_cut_has_no_gap_and_no_end() -> None:
    """Of a session that is longer than what is kept, later entries are left out: none after a gap, and no end."""
    entries = [Entry(Line(f"{at}", "app.log", at, at), 1, (), "", None, None, "a") for at in range(5)]
    run = Run("app.log", 0.0, 0.0)
    run.add(entries[0], 2)
    run.hits.append(Verdict("1", Reason.NEW_KEY, 1.0, entries[0], None, "a"))
    for entry in entries[1:3]:
        run.add(entry, 2)
    run.add(entries[3], 9)
    assert (list(run.entries), run.is_whole, run.has_end) == (entries[:2], True, False)


def test_the_end_of_a_session_beyond_the_bounds_is_not_known(
    service_model: Model, broken: tuple[list[Line], list[Verdict]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A case says that its session ended only where its last entry is among those kept."""
    lines, _ = broken
    reader = Reader(service_model.header, service_model.session_key, service_model.templates)
    entry = next(found[0] for line in lines if (found := reader.entry(line)) is not None and found[0].session)
    early = Verdict("early", Reason.UNEXPECTED_KEY, 1.0, entry, entry.time, entry.session)
    model = replace(service_model, timeout=1.0)
    assert cases(model, lines, [early])["early"].ended
    monkeypatch.setattr(casefile_module, "MAX_ENTRIES", 2)
    cut = cases(model, lines, [early])["early"]
    assert (len(cut.entries), cut.path_is_whole, cut.ended) == (2, True, False)


def test_a_log_without_sessions_shows_what_stands_around(small: Config) -> None:
    """Where all lines are one stream, the path is the entries around the verdict's, and is not called whole."""
    texts = [text.replace("[req-", "x").replace("]", "") for text in service_log(120, seed=2)]
    model = fit(lines_of(texts), small.model_copy(update={"session": "none"}))
    texts[200] = "2024-05-01 10:01:00.000 ERROR something that was never seen before"
    lines = lines_of(texts)
    verdict = next(one for one in judged(model, lines) if one.reason is Reason.NEW_KEY)
    case = cases(model, lines, [verdict])[verdict.id]
    history = model.config.history
    assert [entry.line for entry in case.entries] == lines[200 - 2 * history : 201 + history]
    assert not case.path_is_whole
