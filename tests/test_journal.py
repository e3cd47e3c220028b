"""The journal keeps verdicts, for its owner only."""

from __future__ import annotations

import json
import os
import sqlite3
import stat
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from offscript import Detector, Line, Measured, Model, ModelError, UsageError, Verdict, detect
from offscript.journal import MAX_TEXT, Journal, record_of, verdict_of
from offscript.testing import lines_of, service_log


@pytest.fixture(scope="module")
def verdicts(service_model: Model) -> list[Verdict]:
    """Some verdicts of every reason there is."""
    texts = service_log(40, seed=9, broken=(5, 15))
    texts.insert(30, texts[30].split("] ")[0] + "] \x1b[31mkernel panic ünïcode \U0001f4a5")
    return list(detect(service_model, lines_of(texts), complete=True))


def test_a_stored_verdict_comes_back_as_it_was(verdicts: list[Verdict], tmp_path: Path) -> None:
    """What `detect` printed can be explained later, by its id or the beginning of it."""
    journal = Journal(tmp_path / "journal.sqlite")
    journal.record(verdicts, lineage="l", version=1)
    for verdict in verdicts:
        again = journal.get(verdict.id)
        assert (again.id, again.reason, again.entry.text, again.expected[:1] != (), again.detail) == (
            verdict.id,
            verdict.reason,
            verdict.entry.text,
            verdict.expected[:1] != (),
            verdict.detail,
        )


def test_a_replay_stores_nothing_twice(verdicts: list[Verdict], tmp_path: Path) -> None:
    """The same log judged twice gives the same ids, so one row each."""
    journal = Journal(tmp_path / "journal.sqlite")
    journal.record(verdicts, lineage="l", version=1)
    journal.record(verdicts, lineage="l", version=1)
    assert len(journal) == len({verdict.id for verdict in verdicts})


def test_what_a_version_beside_gave_is_stored_anew(verdicts: list[Verdict], tmp_path: Path) -> None:
    """An id that an ancestor gave keeps its record; one that another version gave gets that of the new one."""
    journal = Journal(tmp_path / "journal.sqlite")
    first = verdicts[0]
    journal.record([first], lineage="l", version=2)
    journal.record([replace(first, detail="of three")], lineage="l", version=3, ancestors=[2, 1])
    assert (journal.origin(first.id), journal.get(first.id).detail) == (("l", 2), first.detail)
    journal.record([replace(first, detail="of four")], lineage="l", version=4, ancestors=[1])
    assert (journal.origin(first.id), journal.get(first.id).detail) == (("l", 4), "of four")
    assert (len(journal), journal.origins("l"), journal.origins("other")) == (1, {first.id: 4}, {})


def test_only_the_owner_may_read(tmp_path: Path) -> None:
    """Log lines are private: mode 0600."""
    Journal(tmp_path / "journal.sqlite")
    assert stat.S_IMODE((tmp_path / "journal.sqlite").stat().st_mode) == 0o600


def test_an_unknown_id_is_told(verdicts: list[Verdict], tmp_path: Path) -> None:
    """An id that is not there is the user's error, with the remedy; wildcards are not obeyed."""
    journal = Journal(tmp_path / "journal.sqlite")
    journal.record(verdicts[:1], lineage="l", version=1)
    for wrong in ("beef beef", "%", "_", "", "\udcff"):
        with pytest.raises(UsageError, match="no stored verdict"):
            journal.get(wrong)


def test_a_damaged_journal_is_told(tmp_path: Path) -> None:
    """A file that is no database gives one clear error."""
    (tmp_path / "journal.sqlite").write_bytes(b"not a database, but long enough to be looked at" * 100)
    with pytest.raises(ModelError, match="damaged"):
        Journal(tmp_path / "journal.sqlite")


def test_hostile_source_names_are_only_text(service_model: Model, tmp_path: Path) -> None:
    """A source named like SQL is stored as it is."""
    found = Detector(service_model).push(Line("'); DROP TABLE verdicts; --", "'); DROP TABLE verdicts; --"))
    assert found
    journal = Journal(tmp_path / "journal.sqlite")
    journal.record(found, lineage="l", version=1)
    assert len(journal) == len(found)


def test_a_source_name_of_odd_bytes_is_stored(service_model: Model, tmp_path: Path) -> None:
    """A file name that is no UTF-8 comes from the system with surrogates: it is stored and comes back."""
    found = Detector(service_model).push(Line("kernel panic", os.fsdecode(b"bad\xff.log")))
    journal = Journal(tmp_path / "journal.sqlite")
    journal.record(found, lineage="l", version=1)
    assert journal.get(found[0].id).entry.line.source == "bad\udcff.log"


def test_long_lines_are_stored_short(service_model: Model, tmp_path: Path) -> None:
    """The bound on verdicts bounds bytes too: of a line of a megabyte two thousand characters are kept."""
    found = Detector(service_model).push(Line("panic " + "deep 7 " * 150_000))
    journal = Journal(tmp_path / "journal.sqlite")
    journal.record(found, lineage="l", version=1)
    again = journal.get(found[0].id)
    assert again.entry.text.startswith("panic deep 7")
    assert len(again.entry.text) == MAX_TEXT
    assert (tmp_path / "journal.sqlite").stat().st_size < 100_000


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    """A journal that is a link to another file is refused, and that file keeps its mode and its bytes."""
    victim = tmp_path / "victim"
    victim.write_bytes(b"")
    victim.chmod(0o644)
    (tmp_path / "journal.sqlite").symlink_to(victim)
    with pytest.raises(ModelError, match="cannot be written"):
        Journal(tmp_path / "journal.sqlite")
    assert (stat.S_IMODE(victim.stat().st_mode), victim.read_bytes()) == (0o644, b"")


def test_a_pipe_is_no_journal(tmp_path: Path) -> None:
    """A pipe under the journal's name is refused at once instead of waited for."""
    os.mkfifo(tmp_path / "journal.sqlite")
    with pytest.raises(ModelError, match="not a regular file"):
        Journal(tmp_path / "journal.sqlite")


@pytest.mark.parametrize(
    "extra",
    [
        "CREATE TRIGGER t AFTER INSERT ON verdicts BEGIN DELETE FROM feedback; END",
        "CREATE VIEW v AS SELECT * FROM verdicts",
        "CREATE TABLE other (x)",
    ],
)
def test_a_journal_with_more_in_it_is_refused(tmp_path: Path, extra: str) -> None:
    """Triggers and views run when a table is touched: a bundle of somebody else must not bring any."""
    Journal(tmp_path / "journal.sqlite")
    with closing(sqlite3.connect(tmp_path / "journal.sqlite")) as database, database:
        database.execute(extra)
    with pytest.raises(ModelError, match="not a journal"):
        Journal(tmp_path / "journal.sqlite")


def test_a_newer_journal_is_left_as_it_is(tmp_path: Path) -> None:
    """A journal of a later format is refused and its version is not written over."""
    Journal(tmp_path / "journal.sqlite")
    with closing(sqlite3.connect(tmp_path / "journal.sqlite")) as database, database:
        database.execute("PRAGMA user_version = 2")
    with pytest.raises(ModelError, match="newer"):
        Journal(tmp_path / "journal.sqlite")
    with closing(sqlite3.connect(tmp_path / "journal.sqlite")) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (2,)


@pytest.mark.parametrize("record", ["{", "[]", "{}", json.dumps({"text": 1})])
def test_a_damaged_record_is_told(verdicts: list[Verdict], tmp_path: Path, record: str) -> None:
    """A row that somebody changed is one clear error when it is asked for."""
    journal = Journal(tmp_path / "journal.sqlite")
    journal.record(verdicts[:1], lineage="l", version=1)
    with closing(sqlite3.connect(tmp_path / "journal.sqlite")) as database, database:
        database.execute("UPDATE verdicts SET record = ?", (record,))
    with pytest.raises(ModelError, match="damaged"):
        journal.get(verdicts[0].id)


def test_what_was_measured_comes_back(verdicts: list[Verdict], tmp_path: Path) -> None:
    """The number, its normal range and unit are stored; a journal written before there were any is read as it is."""
    timed = replace(verdicts[0], measured=Measured(0, 21.5, 0.1, 0.4, 2.25, "s"))
    journal = Journal(tmp_path / "journal.sqlite")
    journal.record([timed], lineage="l", version=1)
    assert journal.get(timed.id).measured == timed.measured
    older = record_of(timed)
    del older["measured"]
    assert verdict_of(older).measured is None
    with pytest.raises(ValueError, match="no number"):
        verdict_of(older | {"measured": {**asdict(Measured(0, 1.0, 0.0, 0.5, 1.0)), "low": "x"}})
