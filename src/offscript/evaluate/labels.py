"""Label files: which sessions, or which lines, were anomalous."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path

from offscript.errors import InputError

_UNITS = {
    "session": "sessions",
    "session_id": "sessions",
    "blockid": "sessions",
    "block_id": "sessions",
    "instance": "sessions",
    "id": "sessions",
    "line": "lines",
    "lineid": "lines",
    "line_number": "lines",
}
_ANOMALOUS = {"1", "true", "yes", "anomaly", "anomalous", "abnormal"}
_NORMAL = {"0", "false", "no", "normal", "-"}
_FORMAT = "the first line must be `session,label` or `line,label`, and labels 1 or 0 (or Anomaly, Normal)"


@dataclass(frozen=True)
class Labels:
    """The labels of a file: `unit` is "sessions" or "lines"; `anomalous` maps each session or line number."""

    path: str
    unit: str
    anomalous: dict[str, bool]
    lines: dict[str, int]

    def known_only(self, names: AbstractSet[str], *, allow_unknown: bool = False) -> dict[str, bool]:
        """Return the labels of units that occur in the log.

        Raises InputError, naming the first label's line, when one names a unit that is not there, unless allowed.
        """
        for name, number in self.lines.items():
            if name not in names and not allow_unknown:
                raise InputError(
                    f"names {name!r}, which is not among the {len(names):,} {self.unit} of the log",
                    where=self.path,
                    line=number,
                    remedy="check that log and labels belong together, or add --allow-unknown",
                )
        return {name: label for name, label in self.anomalous.items() if name in names}


def read_labels(path: Path) -> Labels:
    """Read a CSV of labels, by session or by line number (ours).

    Raises InputError with file, line and remedy for anything that is not such a file.
    """
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise InputError(f"cannot be read ({reason})", where=str(path), remedy="give a CSV file of labels") from error
    rows = _rows(path, text)
    head = [cell.strip().lower() for cell in next(rows, (1, []))[1]]
    unit = _UNITS.get(head[0]) if head else None
    if unit is None or "label" not in head:
        raise InputError("is not a label file", where=str(path), line=1, remedy=_FORMAT)
    return _read_rows(path, unit, head.index("label"), rows)


def _rows(path: Path, text: str) -> Iterator[tuple[int, list[str]]]:
    """The rows, each with the number of its (last) line."""
    reader = csv.reader(io.StringIO(text, newline=""))
    try:
        for row in reader:
            yield reader.line_num, row
    except csv.Error as error:
        raise InputError(f"is no CSV ({error})", where=str(path), line=reader.line_num, remedy=_FORMAT) from error


def _read_rows(path: Path, unit: str, column: int, rows: Iterator[tuple[int, list[str]]]) -> Labels:
    anomalous: dict[str, bool] = {}
    lines: dict[str, int] = {}
    for number, row in rows:
        if not row:
            continue
        word = row[column].strip().lower() if len(row) > column else ""
        if word not in _ANOMALOUS | _NORMAL:
            raise InputError(f"has the label {word[:80]!r}", where=str(path), line=number, remedy=_FORMAT)
        name, label = row[0].strip(), word in _ANOMALOUS
        if unit == "lines":
            name = _line_number(path, number, name)
        if anomalous.setdefault(name, label) != label:
            raise InputError(
                f"labels {name[:80]!r} otherwise than line {lines[name]} does",
                where=str(path),
                line=number,
                remedy="keep one of the two",
            )
        lines.setdefault(name, number)
    if not anomalous:
        raise InputError("holds no labels", where=str(path), line=1, remedy=_FORMAT)
    return Labels(str(path), unit, anomalous, lines)


def _line_number(path: Path, number: int, name: str) -> str:
    """The line number as a log's lines are named: without leading zeros."""
    plain = name.lstrip("0")
    if not (plain.isascii() and plain.isdecimal()):
        raise InputError(f"names the line {name[:80]!r}", where=str(path), line=number, remedy="number lines from 1")
    return plain
