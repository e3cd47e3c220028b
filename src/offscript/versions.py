"""The versions of a model folder: what each was taught, the way back, and who may write (ours, DESIGN section 8)."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from offscript.errors import ModelError, UsageError
from offscript.model import Model, load
from offscript.model_folder import about_version, current_version, numbers_of, switch

UPDATES_PER_HOUR: Final = 30
"""Updates within an hour: one every other minute is as fast as a person can look at verdicts, and what was reported
together is one update; a program that reports all it sees is stopped before it has taught much."""


@dataclass(frozen=True, slots=True)
class Version:
    """What is kept beside a version of a model.

    `parent` is the number of the version that it grew from, None for one that was fitted. `changes` say what it was
    taught. `time` is as it was written, in ISO 8601 where a command wrote it.
    """

    number: int
    parent: int | None
    author: str
    time: str
    note: str
    changes: tuple[str, ...]
    is_current: bool


def versions(folder: Path) -> list[Version]:
    """Return the versions of a model folder, oldest first; ModelError if it is none."""
    current = current_version(folder)
    return [_version(number, about_version(folder, number), current, folder) for number in numbers_of(folder)]


def ancestors(folder: Path, number: int) -> list[int]:
    """Return a version and those that it grew from, nearest first; the list ends where one cannot be read."""
    found, following = [number], number
    while True:
        try:
            parent = _version(following, about_version(folder, following), number, folder).parent
        except ModelError:
            return found
        if parent is None:
            return found
        found.append(parent)
        following = parent


def shared_keys(folder: Path, model: Model, number: int) -> frozenset[int]:
    """Return the keys that mean the same lines in a model and in version `number` of its folder.

    An update adds templates and leaves those there are, so all keys of an ancestor keep their meaning. Two versions
    that grew from one parent may have given the same number to different lines: there templates are compared. No key
    is shared with a version that cannot be read.
    """
    mine = model.templates
    if number in ancestors(folder, model.version):
        return frozenset(mine.keys())
    try:
        other = load(folder, version=number).templates
    except ModelError:
        return frozenset()
    both = set(mine.keys()) & set(other.keys())
    return frozenset(key for key in both if mine.template(key).text == other.template(key).text)


def undo(folder: Path) -> tuple[Version, Version]:
    """Go back to the version that the current one grew from; return the one left, and the one in force now.

    No byte of either changes. UsageError where the current version was fitted, not taught.
    """
    known = {version.number: version for version in versions(folder)}
    left = known.get(current_version(folder))
    back = None if left is None else known.get(left.parent or 0)
    if left is None or back is None:
        raise UsageError(
            "the version in force was fitted, not taught", where=str(folder), remedy="there is nothing to undo"
        )
    switch(folder, back.number)
    return left, back


def check_pace(folder: Path, now: datetime, limit: int = UPDATES_PER_HOUR) -> None:
    """Raise UsageError when the folder had so many updates within the hour before `now`."""
    begin = now - timedelta(hours=1)
    times = [_time(version.time) for version in versions(folder) if version.changes]
    recent = sum(time is not None and begin < time <= now for time in times)
    if recent >= limit:
        raise UsageError(
            f"{recent} updates within an hour are enough",
            where=str(folder),
            remedy="report several verdicts at once, they are one update; or look at `offscript versions` first",
        )


def keep(folder: Path, model: Model, changes: Sequence[str], *, author: str = "", note: str = "") -> Model:
    """Save what a detector learnt as the next version, and return that; for `Detector.learn(save=...)`.

    UsageError where the version in force is not the one that it grew from, which would be lost, where somebody else
    updates the folder, and where there were enough updates within the hour.
    """
    with alone(folder):
        if (number := current_version(folder)) != model.version:
            raise UsageError(
                f"version {number} is in force, and this grew from version {model.version}",
                where=str(folder),
                remedy="let the detector adopt the version in force, and report again",
            )
        now = datetime.now(UTC)
        check_pace(folder, now)
        time = now.isoformat(timespec="seconds")
        return model.save(folder, author=author, time=time, note=note, changes=changes)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Be the only one that updates a model folder; UsageError when somebody else is at it.

    The lock ends with the process, so that one that was killed leaves none behind. Readers need none.
    """
    try:
        descriptor = os.open(folder / "versions", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise ModelError(f"cannot be read ({error.strerror})", where=str(folder), remedy="give a model") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise UsageError(
                "another update is under way", where=str(folder), remedy="try again when it is done"
            ) from error
        yield
    finally:
        os.close(descriptor)


def _version(number: int, about: Mapping[str, Any], current: int, folder: Path) -> Version:
    parent, changes = about.get("parent"), about.get("changes")
    kin = isinstance(parent, int) and 0 < parent < number and (folder / "versions" / str(parent)).is_dir()
    if kin:
        kin = about_version(folder, int(str(parent))).get("lineage") == about.get("lineage")
    texts = tuple(str(change) for change in changes) if isinstance(changes, list) else ()
    author, time, note = (str(about.get(name, "")) for name in ("author", "time", "note"))
    return Version(number, int(str(parent)) if kin else None, author, time, note, texts, number == current)


def _time(text: str) -> datetime | None:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return time if time.tzinfo is not None else time.replace(tzinfo=UTC)
