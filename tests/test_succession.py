"""A running detector follows what another process learns or takes back, and says so."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.test_cli import command_line
from tests.test_feedback import judged, of_reason, texts_with_news
from tests.test_versions import run

from offscript import Detector, Model, Reason, Verdict, detect_verb, load
from offscript.announce import journalled
from offscript.detect_report import Kept, write_report
from offscript.feedback import learn
from offscript.journal import Journal
from offscript.model_folder import journal_path, switch
from offscript.succession import Succession
from offscript.testing import lines_of, service_log
from offscript.versions import undo


class Watched:
    """A saved model, a detector that follows it, what it told, and a clock that stands still."""

    def __init__(self, model: Model, folder: Path) -> None:
        self.folder = folder
        self.first = model.save(folder)
        self.detector = Detector(self.first)
        self.told: list[str] = []
        self.now = 0.0
        self.succession = Succession(self.detector, folder, self.told.append, clock=lambda: self.now)

    def later(self) -> None:
        """Let a second pass, and what is loading be loaded."""
        self.now += 1
        self.succession.look()
        if (loading := self.succession._loading) is not None:
            loading.exception(60)
        self.succession.look()


@pytest.fixture
def watched(service_model: Model, tmp_path: Path) -> Watched:
    """A detector that follows its folder."""
    return Watched(service_model, tmp_path / "m.model")


@pytest.fixture(scope="module")
def news(service_model: Model) -> list[Verdict]:
    """False alarms on a new line."""
    return of_reason(judged(service_model, texts_with_news()), Reason.NEW_KEY)


def test_an_update_and_its_undo_are_followed(watched: Watched, news: list[Verdict]) -> None:
    """What another process learns judges, as saved, and what is undone no longer does; each is said once."""
    watched.later()
    assert watched.told == []
    second = learn(watched.first, news).model.save(watched.folder)
    watched.now += 0.5
    watched.succession.look()
    assert watched.detector.model is watched.first
    watched.later()
    assert watched.detector.model.version == 2
    watched.later()
    assert watched.told == [f"version 2 of {watched.folder} judges from here on, instead of version 1"]
    texts = texts_with_news()
    assert watched.detector.push_block(lines_of(texts)) == Detector(second).push_block(lines_of(texts))
    undo(watched.folder)
    watched.later()
    assert watched.detector.model.version == 1
    assert len(watched.told) == 2


def test_a_version_that_was_left_before_it_was_seen_changes_nothing(watched: Watched, news: list[Verdict]) -> None:
    """Learnt and undone within the same second, nothing is taken over or said."""
    watched.later()
    learn(watched.first, news).model.save(watched.folder)
    undo(watched.folder)
    watched.later()
    assert watched.told == []
    assert watched.detector.model is watched.first


def test_the_folder_is_looked_at_once_a_second(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many lines come, one stat a second."""
    looks, stamp = [], Succession._stamp

    def counted(one: Succession) -> tuple[int, int, int] | None:
        looks.append(1)
        return stamp(one)

    monkeypatch.setattr(Succession, "_stamp", counted)
    watched.later()
    for _ in range(10_000):
        watched.now += 0.001
        watched.succession.look()
    assert len(looks) in (10, 11)


def _damaged(watched: Watched) -> None:
    version = watched.folder / "versions" / "2" / "model.json"
    learn(watched.first, []).model.save(watched.folder)
    version.write_bytes(version.read_bytes()[:-9])


def _foreign(watched: Watched) -> None:
    replace(watched.first, lineage="", facts={}).save(watched.folder)


def _gone(watched: Watched) -> None:
    (watched.folder / "CURRENT").unlink()


def _no_version(watched: Watched) -> None:
    switch(watched.folder, 7)


@pytest.mark.parametrize("harm", [_damaged, _foreign, _gone, _no_version])
def test_a_version_that_cannot_be_taken_is_told_once(
    watched: Watched, news: list[Verdict], harm: Callable[[Watched], None]
) -> None:
    """Damaged, of another model, or gone: said in one line, and the old version goes on; the next good one is taken."""
    watched.later()
    harm(watched)
    for _ in range(3):
        watched.later()
    (told,) = watched.told
    assert told.endswith("version 1 goes on judging")
    assert "\n" not in told
    assert watched.detector.model is watched.first
    good = learn(watched.first, news).model.save(watched.folder)
    watched.later()
    assert watched.detector.model.version == good.version


def test_verdicts_are_journalled_under_the_version_that_gave_them(watched: Watched, news: list[Verdict]) -> None:
    """A batch that a switch falls into is stored in two parts."""
    journal = Journal(journal_path(watched.folder))
    second = learn(watched.first, news[:1]).model.save(watched.folder)
    texts = texts_with_news()
    half = len(texts) // 2

    def stream() -> Iterator[Verdict]:
        yield from watched.detector.push_block(lines_of(texts[:half]))
        watched.detector.adopt(second)
        yield from watched.detector.push_block(lines_of(texts)[half:])
        yield from watched.detector.close(complete=True)

    ids = [verdict.id for verdict in journalled(stream(), journal, watched.detector)]
    before = {verdict.id for verdict in Detector(watched.first).push_block(lines_of(texts[:half]))}
    assert 0 < len(before) < len(ids)
    assert {one: journal.origin(one)[1] for one in ids} == {one: 1 if one in before else 2 for one in ids}


def test_a_report_of_a_stream_holds_verdicts_of_a_version_gone_back_from(
    watched: Watched, news: list[Verdict], tmp_path: Path
) -> None:
    """The page is made by the version in force at the end; steps that it does not know are no reason to fail."""
    second = learn(watched.first, news[:1]).model.save(watched.folder)
    texts, kept, detector = texts_with_news(), Kept(), Detector(second)
    list(kept.passing(detector.push_block(lines_of(texts))))
    assert any(key > max(watched.first.templates.keys()) for verdict in kept.verdicts for key in verdict.history)
    detector.adopt(watched.first)
    list(kept.passing(detector.close(complete=True)))
    write_report(tmp_path / "page.html", detector, kept, None, again=(), model=None)
    assert (tmp_path / "page.html").stat().st_size > 10_000


def test_a_report_calls_no_line_by_the_name_of_another(watched: Watched, tmp_path: Path) -> None:
    """Two versions gave one key to two lines: what the first called by it is unknown on a page made by the second."""
    texts = service_log(30, seed=5)
    stem = texts[-1].split("] ")[0]
    odd = [f"{stem}] alpha widget rose loudly", f"{stem}] gamma lever broke"]
    alpha, beta = (
        learn(watched.first, Detector(watched.first).push_block(lines_of([f"{stem}] {message}"]))).model
        for message in ("alpha widget rose loudly", "beta gadget sank quietly")
    )
    detector = Detector(alpha)
    kept = Kept(judge=lambda: detector.model)
    told = list(kept.passing(detector.push_block(lines_of([*texts, *odd]))))
    fresh = max(alpha.templates.keys())
    assert any(fresh in verdict.history for verdict in told)
    detector.adopt(beta)
    told += kept.passing(detector.close(complete=True))
    as_by_beta = kept.as_by(beta)
    assert [verdict.id for verdict in as_by_beta] == [verdict.id for verdict in told]
    assert not [verdict for verdict in as_by_beta if fresh in verdict.history or verdict.entry.key == fresh]
    assert kept.as_by(alpha)[: kept.versions[1][0]] == told[: kept.versions[1][0]]
    write_report(tmp_path / "page.html", detector, kept, None, again=(), model=None)


def test_the_version_can_be_kept(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    """With `--same-version` the folder is not looked at; without it, it is, through a pipe as with `--follow`."""
    given = []

    def noted(*_: Any, between: object, **__: Any) -> int:
        given.append(between)
        return 0

    monkeypatch.setattr(detect_verb, "announce_live", noted)
    for extra in (["-"], ["-", "--same-version"], ["app.log", "--follow"], ["app.log", "--follow", "--same-version"]):
        run("detect", watched.folder, "--no-journal", *extra)
    assert [between is None for between in given] == [False, True, False, True]


def test_a_running_command_follows_learn_and_undo(service_model: Model, tmp_path: Path) -> None:
    """`detect --follow` beside `learn` and `undo`: the alarm stays away within seconds, and comes back; it says so."""
    folder, log, said = tmp_path / "m.model", tmp_path / "app.log", tmp_path / "said.txt"
    service_model.save(folder)
    texts = service_log(6, seed=24)
    stamp = texts[-1].split(" INFO")[0]
    log.write_text("\n".join(texts) + "\n", "utf-8")

    def write(*messages: str) -> None:
        with log.open("a", encoding="utf-8") as out:
            out.writelines(f"{stamp} INFO {message}\n" for message in messages)

    def wait_for(text: str) -> None:
        end = time.monotonic() + 60
        while text not in said.read_text("utf-8"):
            assert time.monotonic() < end, said.read_text("utf-8")
            time.sleep(0.05)

    command = command_line("detect", folder, log, "--follow")
    with said.open("wb") as errors, subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors) as child:
        assert child.stdout is not None
        write("[req-100004] quota of tenant 7 was raised to 21 units")
        first = json.loads(child.stdout.readline())
        run("learn", folder, first["id"], "--normal")
        wait_for("version 2 of")
        write("[req-100004] quota of tenant 9 was raised to 3 units", "[req-100004] smoke in the server room")
        second = json.loads(child.stdout.readline())
        while second["reason"] != "new_key":
            second = json.loads(child.stdout.readline())
        assert "smoke" in second["text"]
        run("undo", folder)
        wait_for("version 1 of")
        write("[req-100005] quota of tenant 3 was raised to 6 units")
        third = json.loads(child.stdout.readline())
        while third["reason"] != "new_key":
            third = json.loads(child.stdout.readline())
        assert "tenant 3" in third["text"]
        child.terminate()
    journal = Journal(journal_path(folder))
    assert [journal.origin(one["id"])[1] for one in (first, second, third)] == [1, 2, 1]
    assert said.read_text("utf-8").count("judges from here on") == 2
    assert load(folder).version == 1
