"""The HDFS sets: samples or full public files, read into sessions of keys that are normal, anomalous, or for training.

Two copies of the same log (Xu et al. 2009) go around, and are not equally hard: the parse of DeepLog's authors, whose
training sessions are a file of their own, and Loghub's, where they are drawn from the normal sessions. Every file may
be packed (`.gz`), and lie in the folder given or in `hdfs`, `HDFS` or `HDFS_v1` below it.
"""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TextIO

from offscript.errors import InputError
from offscript.evaluate.hdfs_raw import read_raw
from offscript.evaluate.hdfs_sessions import Copy, Session
from offscript.evaluate.public_files import files_together

AUTHORS: Final = "authors"
LOGHUB: Final = "loghub"

TITLES: Final = {AUTHORS: "the authors' parse", LOGHUB: "Loghub, by block id"}

TRAINING: Final = 4855
"""Normal sessions to train on: as many as the paper has (CCS 2017 table 3)."""

FOLDERS: Final = (".", "hdfs", "HDFS", "HDFS_v1")

REMEDY: Final = (
    "put hdfs_train, hdfs_test_normal and hdfs_test_abnormal there (the parse of DeepLog's authors, which public "
    "implementations of it carry), or HDFS.log and anomaly_label.csv (HDFS_v1 of https://github.com/logpai/loghub)"
)


@dataclass(frozen=True)
class _Layout:
    """A set of files that together are one copy: which they are, whether it is complete, and what reads them."""

    copy: str
    files: tuple[str, ...]
    whole: bool
    read: Callable[[Sequence[Path]], Copy]


def find_copies(folder: Path) -> list[Copy]:
    """Read the copies in a folder, that of the authors first; full sets are taken before samples (ours).

    Raises InputError, naming the files expected and where they are had from, when there is none or a damaged one.
    """
    if not folder.is_dir():
        raise InputError("is no folder", where=str(folder), remedy=REMEDY)
    copies: dict[str, Copy] = {}
    for layout in _LAYOUTS:
        if layout.copy not in copies and (paths := files_together(folder, FOLDERS, layout.files)):
            copies[layout.copy] = layout.read(paths)
    if not copies:
        raise InputError("holds no HDFS sessions", where=str(folder), remedy=REMEDY)
    return list(copies.values())


def read_key_lines(path: Path) -> list[Session]:
    """Read sessions, one a line, of keys separated by blanks; InputError names the line that is none.

    Blank lines at the end are passed over; elsewhere they are an error, for a session without keys is none.
    """
    sessions: list[Session] = []
    blank = 0
    for number, line in numbered_lines(path):
        if not line.strip():
            blank = blank or number
            continue
        if blank:
            raise InputError("is blank", where=str(path), line=blank, remedy="delete the line, or get the file again")
        sessions.append(_keys(line, path, number))
    if not sessions:
        raise InputError("holds no sessions", where=str(path), remedy="get the file again")
    return sessions


def read_block_rows(path: Path) -> dict[str, Session]:
    """Read sessions by block id: CSV with the columns `block_id` and `sequence` (keys separated by blanks)."""
    found: dict[str, Session] = {}
    with _opened(path) as file:
        reader = csv.DictReader(file)
        try:
            if not {"block_id", "sequence"} <= set(reader.fieldnames or ()):
                remedy = "give a file with the columns block_id and sequence"
                raise InputError("is not a file of sessions", where=str(path), line=1, remedy=remedy)
            for row in reader:
                block, keys = row["block_id"], row["sequence"]
                if not block or keys is None:
                    raise InputError("misses cells", where=str(path), line=reader.line_num, remedy="get the file again")
                if block in found:
                    what = f"names the block {block[:60]!r} a second time"
                    raise InputError(what, where=str(path), line=reader.line_num, remedy="keep one of the two")
                found[block] = _keys(keys, path, reader.line_num)
        except (csv.Error, OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
            raise _unreadable(path, error) from error
    if not found:
        raise InputError("holds no sessions", where=str(path), remedy="get the file again")
    return found


def _keys(text: str, path: Path, number: int) -> Session:
    words = text.split()
    # twelve digits: keys are numbers of templates, and a longer one would be a damaged file
    odd = next((word for word in words if not (word.isascii() and word.isdigit() and len(word) <= 12)), None)
    if odd is not None or not words:
        what = f"holds {odd[:40]!r} where a key should be" if odd is not None else "holds a session without keys"
        remedy = "keys are whole numbers separated by blanks: get the file again"
        raise InputError(what, where=str(path), line=number, remedy=remedy)
    return tuple(map(int, words))


def _opened(path: Path) -> TextIO:
    try:
        raw = gzip.open(path) if path.suffix == ".gz" else path.open("rb")  # noqa: SIM115  (the caller closes)
    except OSError as error:
        raise _unreadable(path, error) from error
    return io.TextIOWrapper(raw, "utf-8-sig", newline="")


def numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines of a file, packed (`.gz`) or not, with their numbers from 1; InputError when it is damaged."""
    with _opened(path) as file:
        try:
            yield from enumerate(file, 1)
        except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
            raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> InputError:
    return InputError(f"cannot be read ({error})", where=str(path), remedy="get the file again")


def _full_authors(paths: Sequence[Path]) -> Copy:
    train, normal, abnormal = map(read_key_lines, paths)
    return Copy(AUTHORS, tuple(train), tuple(normal), tuple(abnormal), whole=True, files=_names(paths))


def _sample_of_authors(paths: Sequence[Path]) -> Copy:
    train, abnormal, *normals = map(read_key_lines, paths)
    normal = tuple(session for part in normals for session in part)
    return Copy(AUTHORS, tuple(train), normal, tuple(abnormal), whole=False, files=_names(paths))


def _full_loghub(paths: Sequence[Path]) -> Copy:
    log, labels = paths
    normal, abnormal, notes = read_raw(log, labels)
    return Copy(LOGHUB, (), normal, abnormal, whole=True, files=_names(paths), notes=notes)


def _sample_of_loghub(paths: Sequence[Path]) -> Copy:
    normal, abnormal = map(read_block_rows, paths)
    if both := normal.keys() & abnormal.keys():
        what = f"names the block {min(both)[:60]!r}, which {paths[0].name} calls normal"
        raise InputError(what, where=str(paths[1]), remedy="get the files again")
    return Copy(LOGHUB, (), tuple(normal.values()), tuple(abnormal.values()), whole=False, files=_names(paths))


def _names(paths: Sequence[Path]) -> tuple[str, ...]:
    return tuple(path.name for path in paths)


_LAYOUTS: Final = (
    _Layout(AUTHORS, ("hdfs_train", "hdfs_test_normal", "hdfs_test_abnormal"), True, _full_authors),
    _Layout(
        AUTHORS,
        (
            "deeplog_copy_train.txt",
            "deeplog_copy_abnormal.txt",
            "deeplog_copy_normal_3366.txt",
            "deeplog_copy_normal_7000.txt",
        ),
        False,
        _sample_of_authors,
    ),
    _Layout(LOGHUB, ("HDFS.log", "anomaly_label.csv"), True, _full_loghub),
    _Layout(LOGHUB, ("normal_by_block.csv", "abnormal_by_block.csv"), False, _sample_of_loghub),
)
