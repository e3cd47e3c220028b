"""From what a user names to sources: files, folders, patterns; rotated files are one source, oldest first (ours)."""

from __future__ import annotations

import glob
import os
import re
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from offscript.errors import InputError

STDIN = "-"

_PACKED = re.compile(r"\.(?:gz|bz2|xz|zst|zstd|Z)$")
_DATE = r"\d{4}-?\d\d-?\d\d(?:[-T_.]?\d\d(?:[-:.]?\d\d(?:[-:.]?\d\d)?)?)?"
# What rotation appends: a number, a date (before the ending or after it), or a word.
_SUFFIX = re.compile(
    rf"(?P<base>.*?[^\d./-][^/]*?)(?:\.(?P<number>\d{{1,4}})|[-._](?P<date>{_DATE})|\.(?P<old>old|bak)|(?P<tilde>~))$"
)
_DATED_NAME = re.compile(rf"(?P<stem>.*?[^\d./-][^/]*?)[-._](?P<date>{_DATE})(?P<ending>\.[A-Za-z]+)$")


@dataclass(frozen=True, slots=True)
class Source:
    """One log: its name, and its files from the oldest to the newest."""

    name: str
    files: tuple[str, ...]
    required: bool = True


def find_sources(paths: Sequence[str | os.PathLike[str]]) -> list[Source]:
    """The sources that files, folders, patterns and `-` stand for, in the order given; folders are sorted.

    InputError for a path that does not exist or is no file, and for a folder without files.

    >>> group_rotated(["app.log", "app.log.1", "app.log.2.gz"])
    [Source(name='app.log', files=('app.log.2.gz', 'app.log.1', 'app.log'), required=True)]
    """
    named: list[str] = []
    found: set[str] = set()
    for path in [os.fspath(path) for path in paths]:
        files = [path] if path == STDIN else _expand(path)
        if files != [path]:
            found.update(files)
        named += files
    if not named:
        raise InputError("no input was named", remedy="give a log file, a folder, or - for standard input")
    unique = list(dict.fromkeys(named))
    explicit = set(unique) - found
    return [Source(s.name, s.files, any(file in explicit for file in s.files)) for s in group_rotated(unique)]


def _expand(path: str) -> list[str]:
    place = Path(path)
    if place.is_dir():
        if files := sorted(_inside(place)):
            return files
        raise InputError("holds no files", where=path, remedy="give a folder with log files in it")
    if place.exists():
        return [_checked(path)]
    if glob.has_magic(path):
        if files := sorted(f for f in glob.glob(path, recursive=True) if Path(f).is_file()):  # noqa: PTH207 (absolute ones too)
            return files
        raise InputError("no file fits this pattern", where=path, remedy="check the pattern, or quote it less")
    raise InputError("does not exist", where=path, remedy="check the path")


def _inside(folder: Path) -> Iterable[str]:
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            path = Path(parent) / name
            if not name.startswith(".") and path.is_file():
                yield str(path)


def _checked(path: str) -> str:
    mode = Path(path).stat().st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)):
        raise InputError("is neither a file nor a pipe", where=path, remedy="give a log file")
    return path


def group_rotated(files: Sequence[str]) -> list[Source]:
    """The files with those of one rotation put together, oldest first, each at the place of its first."""
    present = {_PACKED.sub("", file) for file in files}
    groups: dict[str, list[tuple[tuple[int, int, str], str]]] = {}
    for file in files:
        base, age = _rotation(file, present)
        groups.setdefault(base, []).append((age, file))
    sources = []
    for base, members in groups.items():
        ordered = tuple(file for _, file in sorted(members))
        sources.append(Source(base if len(ordered) > 1 else ordered[0], ordered))
    return sources


def _rotation(file: str, present: set[str]) -> tuple[str, tuple[int, int, str]]:
    """The name without what rotation added, and a key that sorts old before new: dates, numbers (falling), the base."""
    name = _PACKED.sub("", file)
    if dated := _DATED_NAME.fullmatch(name):
        return dated["stem"] + dated["ending"], (0, 0, dated["date"])
    match = _SUFFIX.fullmatch(name)
    # `10.0.0.1` and `node.3` are names: a number is a rotation only of a file that is here or ends as files do.
    if match is None or not (match["base"] in present or re.search(r"\.[A-Za-z]\w*$", match["base"]) or match["date"]):
        return name, (3, 0, "")
    if match["number"]:
        return match["base"], (1, -int(match["number"]), "")
    return match["base"], (0, 0, match["date"]) if match["date"] else (2, 0, "")
