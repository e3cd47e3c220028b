"""The journal: verdicts of a model, kept so that a later command can explain them or learn from them.

One SQLite file in the model folder, readable by its owner only (mode 0600); nothing in it is evaluated.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from offscript.entries import Entry, Expected, Line, Reason, Verdict
from offscript.errors import ModelError, UsageError

MAX_VERDICTS = 100_000  # about 100 MB of one-kilobyte records; the oldest go first

_SCHEMA = """
CREATE TABLE IF NOT EXISTS verdicts (
    id TEXT PRIMARY KEY, lineage TEXT NOT NULL, version INTEGER NOT NULL, reason TEXT NOT NULL,
    score REAL NOT NULL,
    time REAL, source TEXT NOT NULL, line INTEGER NOT NULL, position INTEGER NOT NULL, session TEXT,
    record TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS feedback (
    number INTEGER PRIMARY KEY, verdict TEXT NOT NULL, normal INTEGER NOT NULL, author TEXT, time TEXT, note TEXT
);
PRAGMA user_version = 1;
"""


class Journal:
    """The stored verdicts of one model folder (ours, DESIGN section 8).

    >>> import tempfile, pathlib
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     journal = Journal(pathlib.Path(folder) / "journal.sqlite")
    ...     journal.record([], lineage="l", version=1)
    ...     len(journal)
    0
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
            path.chmod(0o600)
        except OSError as error:
            raise ModelError(
                f"cannot be written ({error.strerror})", where=str(path), remedy="use --no-journal"
            ) from error
        with self._connection() as database:
            database.executescript(_SCHEMA)

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(sqlite3.connect(self._path, timeout=10)) as database, database:
                yield database
        except sqlite3.DatabaseError as error:
            raise ModelError(
                f"is damaged or busy ({error})",
                where=str(self._path),
                remedy="move it away; a new one is made, or use --no-journal",
            ) from error

    def record(self, verdicts: Iterable[Verdict], *, lineage: str, version: int) -> None:
        """Store verdicts; one that is already there (same id) stays as it was."""
        rows = [
            (
                v.id,
                lineage,
                version,
                v.reason.value,
                v.score,
                v.time,
                v.entry.line.source,
                v.entry.line.number,
                v.entry.line.offset,
                v.session,
                json.dumps(record_of(v)),
            )
            for v in verdicts
        ]
        with self._connection() as database:
            database.executemany("INSERT OR IGNORE INTO verdicts VALUES (?,?,?,?,?,?,?,?,?,?,?)", rows)
            database.execute(
                "DELETE FROM verdicts WHERE rowid <= (SELECT MAX(rowid) FROM verdicts) - ?", (MAX_VERDICTS,)
            )

    def get(self, verdict_id: str) -> Verdict:
        """Return the stored verdict with this id or unique beginning of it; UsageError if there is none."""
        pattern = verdict_id.replace("%", "").replace("_", "") + "%"
        with self._connection() as database:
            rows = database.execute("SELECT id, record FROM verdicts WHERE id LIKE ? LIMIT 2", (pattern,)).fetchall()
        if len(rows) != 1:
            what = "no stored verdict has" if not rows else "several stored verdicts have"
            raise UsageError(f"{what} the id {verdict_id!r}", remedy="copy the id that `offscript detect` printed")
        return verdict_of(json.loads(rows[0][1]))

    def __len__(self) -> int:
        """Return the number of stored verdicts."""
        with self._connection() as database:
            return int(database.execute("SELECT COUNT(*) FROM verdicts").fetchone()[0])


def record_of(verdict: Verdict) -> dict[str, Any]:
    """Return the verdict as plain JSON: what `--output jsonl` prints and the journal keeps."""
    entry = verdict.entry
    return {
        "id": verdict.id,
        "time": verdict.time,
        "source": entry.line.source,
        "line": entry.line.number,
        "offset": entry.line.offset,
        "session": verdict.session,
        "reason": verdict.reason.value,
        "score": round(verdict.score, 4),
        "key": entry.key,
        "template": entry.template,
        "text": entry.text,
        "level": entry.level,
        "values": list(entry.values),
        "nearest": entry.nearest,
        "expected": [
            {"key": e.key, "template": e.template, "probability": round(e.probability, 6)} for e in verdict.expected
        ],
        "history": list(verdict.history),
        "detail": verdict.detail,
    }


def verdict_of(record: dict[str, Any]) -> Verdict:
    """Return the verdict that `record_of` wrote down."""
    line = Line(record["text"], record["source"], record["line"], record["offset"])
    entry = Entry(
        line=line,
        key=record["key"],
        values=tuple(record["values"]),
        template=record["template"],
        time=record["time"],
        level=record["level"],
        session=record["session"],
        known=record["key"] > 0,
        nearest=record["nearest"],
    )
    expected = tuple(Expected(e["key"], e["template"], e["probability"]) for e in record["expected"])
    return Verdict(
        id=record["id"],
        reason=Reason(record["reason"]),
        score=record["score"],
        entry=entry,
        time=record["time"],
        session=record["session"],
        expected=expected,
        detail=record["detail"],
        history=tuple(record["history"]),
    )
