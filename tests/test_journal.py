"""The journal keeps verdicts, for its owner only."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from offscript import Detector, Line, Model, ModelError, UsageError, Verdict, detect
from offscript.journal import Journal
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


def test_only_the_owner_may_read(tmp_path: Path) -> None:
    """Log lines are private: mode 0600."""
    Journal(tmp_path / "journal.sqlite")
    assert stat.S_IMODE((tmp_path / "journal.sqlite").stat().st_mode) == 0o600


def test_an_unknown_id_is_told(tmp_path: Path) -> None:
    """An id that is not there is the user's error, with the remedy; wildcards are not obeyed."""
    journal = Journal(tmp_path / "journal.sqlite")
    for wrong in ("beef", "%", "_"):
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
