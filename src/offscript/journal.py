"""The journal: verdicts of a model, kept so that a later command can explain them or learn from them.

One SQLite file in the model folder, readable by its owner only (mode 0600); nothing in it is evaluated: a file with
triggers or views of its own is refused.
"""

from __future__ import annotations

import json
import os
import sqlite3
import stat
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from offscript.alphabet import LARGEST
from offscript.entries import Entry, Expected, Line, Measured, Reason, Verdict
from offscript.errors import ModelError, UsageError

MAX_VERDICTS = 100_000  # about 100 MB of one-kilobyte records; the oldest go first
MAX_TEXT = 2_000  # characters kept of any text: nearly every line whole, and the bound above holds for long ones
MAX_VALUES = 100  # values kept of a line: no print statement has more
MAX_COUNTED = 500  # keys whose counts are kept of a session: five kilobytes, and hardly a task has so many steps
MOST = 2**31 - 1  # of one line in a session: counts are held in 32 bits
HUGE = 1e300  # numbers are below it: beyond, arithmetic with doubles fails
_VERSION = 1

_REMEDY = "move it away; a new one is made, or use --no-journal"

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
"""
_FOREIGN = """
SELECT COUNT(*) FROM sqlite_master
WHERE type NOT IN ('table', 'index') OR sql LIKE 'CREATE VIRTUAL%' OR tbl_name NOT IN ('verdicts', 'feedback')
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
        _claim(path)
        with self._connection() as database:
            (version,) = database.execute("PRAGMA user_version").fetchone()
            if version > _VERSION:
                raise ModelError(
                    "was made by a newer offscript", where=str(path), remedy="upgrade offscript, or use --no-journal"
                )
            if database.execute(_FOREIGN).fetchone() != (0,):
                raise ModelError("is not a journal of offscript", where=str(path), remedy=_REMEDY)
            database.executescript(_SCHEMA)
            if version < _VERSION:
                database.execute(f"PRAGMA user_version = {_VERSION}")

    @property
    def folder(self) -> Path:
        """The model folder that the journal lies in."""
        return self._path.parent

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(sqlite3.connect(self._path, timeout=10)) as database, database:
                database.execute("PRAGMA trusted_schema = OFF")
                yield database
        except (sqlite3.Error, OverflowError) as error:
            raise ModelError(f"is damaged or busy ({error})", where=str(self._path), remedy=_REMEDY) from error

    def record(
        self, verdicts: Iterable[Verdict], *, lineage: str, version: int, ancestors: Collection[int] = ()
    ) -> None:
        """Store verdicts; one that this version, or one of its ancestors, gave before (same id) stays as it was.

        One that another version gave is stored anew: its keys may mean other lines here. So is one on a session of
        which it was not known, or only in part, what lines it held.
        """
        stay = {version, *ancestors}
        rows = [
            (
                _plain(v.id),
                _plain(lineage),
                version,
                v.reason.value,
                v.score,
                v.time,
                _plain(v.entry.line.source),
                v.entry.line.number,
                v.entry.line.offset,
                None if v.session is None else _plain(v.session),
                json.dumps(_shortened(record_of(v))),
            )
            for v in verdicts
        ]
        with self._connection() as database:
            database.create_function("stays", 2, lambda number, record: number in stay and _is_whole(record))
            database.executemany(
                "DELETE FROM verdicts WHERE id = ? AND NOT stays(version, record)", [row[:1] for row in rows]
            )
            database.executemany("INSERT OR IGNORE INTO verdicts VALUES (?,?,?,?,?,?,?,?,?,?,?)", rows)
            database.execute(
                "DELETE FROM verdicts WHERE rowid <= (SELECT MAX(rowid) FROM verdicts) - ? "
                "AND id NOT IN (SELECT verdict FROM feedback)",
                (MAX_VERDICTS,),
            )

    def get(self, verdict_id: str) -> Verdict:
        """Return the stored verdict with this id or unique beginning of it; UsageError if there is none."""
        wanted = _plain(verdict_id)
        with self._connection() as database:
            rows = database.execute(
                "SELECT record FROM verdicts WHERE ?1 != '' AND substr(id, 1, length(?1)) = ?1 LIMIT 2", (wanted,)
            ).fetchall()
        if len(rows) != 1:
            what = "no stored verdict has" if not rows else "several stored verdicts have"
            raise UsageError(f"{what} the id {wanted!r}", remedy="copy the id that `offscript detect` printed")
        try:
            return verdict_of(json.loads(rows[0][0]))
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
            raise ModelError(f"holds a damaged verdict {wanted!r}", where=str(self._path), remedy=_REMEDY) from error

    def origin(self, verdict_id: str) -> tuple[str, int]:
        """Return lineage and version of the model that gave the verdict with this whole id; UsageError if none."""
        with self._connection() as database:
            rows = database.execute(
                "SELECT lineage, version FROM verdicts WHERE id = ?", (_plain(verdict_id),)
            ).fetchall()
        if len(rows) != 1 or not isinstance(rows[0][0], str) or not isinstance(rows[0][1], int):
            raise UsageError(f"no stored verdict has the id {verdict_id!r}", remedy="copy it from `offscript detect`")
        return rows[0][0], rows[0][1]

    def origins(self, lineage: str) -> dict[str, int]:
        """Return the version that gave each stored verdict of a lineage, by whole id."""
        with self._connection() as database:
            rows = database.execute("SELECT id, version FROM verdicts WHERE lineage = ?", (_plain(lineage),)).fetchall()
        return {str(name): version for name, version in rows if isinstance(version, int)}

    def note(
        self, verdict_ids: Sequence[str], *, normal: bool, author: str = "", time: str = "", note: str = ""
    ) -> None:
        """Store a person's word on verdicts, whole ids: false alarms (`normal`) or confirmed anomalies."""
        rows = [(_plain(one), int(normal), _plain(author), _plain(time), _plain(note)) for one in verdict_ids]
        with self._connection() as database:
            database.executemany("INSERT INTO feedback (verdict, normal, author, time, note) VALUES (?,?,?,?,?)", rows)

    def confirmed(self, lineage: str) -> list[Verdict]:
        """Return the verdicts of a lineage that were last said to be anomalies, oldest word first."""
        return self._verdicts(
            "SELECT record FROM verdicts JOIN (SELECT verdict, MAX(number) AS last, normal FROM feedback "
            "GROUP BY verdict) ON verdict = id WHERE normal = 0 AND lineage = ? ORDER BY last",
            lineage,
        )

    def verdicts(self, lineage: str) -> list[Verdict]:
        """Return all stored verdicts of a lineage, oldest first."""
        return self._verdicts("SELECT record FROM verdicts WHERE lineage = ? ORDER BY rowid", lineage)

    def _verdicts(self, query: str, lineage: str) -> list[Verdict]:
        with self._connection() as database:
            rows = database.execute(query, (_plain(lineage),)).fetchall()
        try:
            return [verdict_of(json.loads(record)) for (record,) in rows]
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
            raise ModelError("holds a damaged verdict", where=str(self._path), remedy=_REMEDY) from error

    def __len__(self) -> int:
        """Return the number of stored verdicts."""
        with self._connection() as database:
            return int(database.execute("SELECT COUNT(*) FROM verdicts").fetchone()[0])


def _is_whole(record: object) -> bool:
    """Whether a stored verdict, if it is on a session that ended, says what known lines this held."""
    try:
        verdict = verdict_of(json.loads(str(record)))
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
        return False
    ended = verdict.reason in (Reason.INCOMPLETE_SESSION, Reason.UNUSUAL_SESSION)
    return not ended or (verdict.counts is not None and 0 not in dict(verdict.counts))


def _claim(path: Path) -> None:
    """Make the file, or take the one that is there, for its owner alone; never what a link leads to."""
    try:
        flags = os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        descriptor = os.open(path, flags, 0o600)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise ModelError("is not a regular file", where=str(path), remedy=_REMEDY)
            os.fchmod(descriptor, 0o600)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise ModelError(f"cannot be written ({error.strerror})", where=str(path), remedy="use --no-journal") from error


def _plain(text: str) -> str:
    r"""The text as SQLite can hold it: file names may hold bytes that are no UTF-8.

    >>> _plain("bad\udcff.log")
    'bad\\udcff.log'
    """
    return _short(text).encode("utf-8", "backslashreplace").decode("utf-8")


def _short(text: str) -> str:
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "\u2026"


def _shortened(record: dict[str, Any]) -> dict[str, Any]:
    """The record with every text cut to MAX_TEXT characters, the values to that many in all."""
    kept = {name: _short(value) if isinstance(value, str) else value for name, value in record.items()}
    if kept["counts"] is not None and len(kept["counts"]) > MAX_COUNTED:
        kept["counts"] = None  # some of them would be another session's
    kept["expected"] = [one | {"template": _short(one["template"])} for one in record["expected"]]
    values, room = [], MAX_TEXT
    for value in record["values"][:MAX_VALUES]:
        values.append(value[:room])
        room -= len(values[-1])
    return kept | {"values": values}


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
        "measured": None if verdict.measured is None else asdict(verdict.measured),
        "counts": None if verdict.counts is None else [list(pair) for pair in verdict.counts],
    }


def verdict_of(record: dict[str, Any]) -> Verdict:
    """Return the verdict that `record_of` wrote down."""
    whole = [record["line"], record["offset"], record["key"], *record["history"]]
    if not all(type(one) is int and abs(one) < LARGEST for one in whole):
        raise ValueError("a line or a log key is no number")
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
        measured=_measured_of(record.get("measured")),  # not there in journals of older versions
        counts=_counts_of(record.get("counts")),  # nor these
    )


def _counts_of(stored: list[list[Any]] | None) -> tuple[tuple[int, int], ...] | None:
    if stored is None:
        return None
    counts = tuple((key, count) for key, count in stored)
    if not all(type(one) is int for pair in counts for one in pair) or not all(0 < n <= MOST for _, n in counts):
        raise ValueError("what a session held is no number")
    if any(key < 0 for key, _ in counts) or len({key for key, _ in counts}) != len(counts):
        raise ValueError("what a session held is no set of keys")
    return counts


def _measured_of(stored: dict[str, Any] | None) -> Measured | None:
    if stored is None:
        return None
    made = Measured(**stored)
    numbers = (made.place, made.number, made.low, made.middle, made.high)
    if type(made.unit) is not str or not all(type(one) in (int, float) and abs(one) < HUGE for one in numbers):
        raise ValueError("what was measured is no number")
    return made
