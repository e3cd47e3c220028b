"""The folder of a model: its versions, the one in force, and files that are read with care (DESIGN section 8).

    M/CURRENT                the number of the version in force, switched atomically
    M/versions/N/            the files of a version, hashed in its about.json
    M/journal.sqlite         verdicts and feedback (see journal.py)

Only regular files are read, and no more of them than a stated bound.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from offscript.errors import ModelError

MAX_ABOUT_BYTES = 1 << 20
MAX_POINTER_BYTES = 20  # a version number, with room
LEFT_BEHIND = 3600.0  # seconds after which a draft is that of a process killed: to write one takes seconds

REFIT = "fit the model again with this offscript"


def journal_path(folder: str | Path) -> Path:
    """Return where the journal of the model folder lies."""
    return Path(folder) / "journal.sqlite"


def check_place(folder: Path) -> None:
    """Raise ModelError when a model cannot be saved as `folder`: it is a file, or a folder of something else (ours).

    For a caller who is about to learn for a while, and would rather know before.
    """
    try:
        if folder.exists() and not folder.is_dir():
            raise ModelError("is a file", where=str(folder), remedy="give the name of a new folder")
        if folder.is_dir() and any(folder.iterdir()) and not (folder / "versions").is_dir():
            raise ModelError("is a folder of something else", where=str(folder), remedy="give the name of a new folder")
    except OSError as error:
        raise _unwritable(folder, error) from error


def claim(folder: Path) -> Path:
    """Make the folder of a model, if it is none yet; ModelError as `check_place`, or where it cannot be made."""
    check_place(folder)
    try:
        (folder / "versions").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(folder, error) from error
    return folder


def _unwritable(folder: Path, error: OSError) -> ModelError:
    return ModelError(f"cannot be written ({error.strerror})", where=str(folder), remedy="choose another place")


def numbers_of(folder: Path) -> list[int]:
    """Return the numbers of the versions of a model folder, ascending; ModelError if it is none."""
    current_version(folder)
    return sorted(numbers_in(folder))


def numbers_in(folder: Path) -> list[int]:
    """Return the numbers of the versions that lie in a folder, in any order."""
    return [int(child.name) for child in (folder / "versions").iterdir() if _is_number(child.name)]


def current_version(folder: Path) -> int:
    """Return the number of the version in force in `folder`; ModelError if it is no model folder."""
    if not os.path.lexists(folder):
        raise ModelError(
            "there is no such model", where=str(folder), remedy="make one with `offscript fit LOG -o MODEL`"
        )
    pointer = folder / "CURRENT"
    if not os.path.lexists(pointer):
        raise ModelError("is not an offscript model", where=str(folder), remedy="give a folder made by `offscript fit`")
    text = _read_bounded(pointer, MAX_POINTER_BYTES).decode("ascii", "replace").strip()
    if not _is_number(text):
        raise ModelError("CURRENT does not hold a version number", where=str(folder), remedy=REFIT)
    return int(text)


def _is_number(text: str) -> bool:
    """Whether these are plain digits: `isdigit` alone lets a superscript through, which `int` refuses."""
    return text.isascii() and text.isdecimal()


def about_version(folder: Path, number: int) -> Mapping[str, Any]:
    """Return what is kept beside a version, as it stands there; ModelError where it cannot be read."""
    return read_json(folder / "versions" / str(number) / "about.json", MAX_ABOUT_BYTES)


def publish(folder: Path, number: int, files: Mapping[str, bytes]) -> None:
    """Write the files of a version, then switch CURRENT: a reader sees the old version or the new, never half."""
    draft = folder / "versions" / f".{number}.{os.getpid()}"
    try:
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir()
        for name, content in files.items():
            _write_synced(draft / name, content)
        draft.rename(folder / "versions" / str(number))
    except OSError as error:
        shutil.rmtree(draft, ignore_errors=True)
        raise _unwritable(folder, error) from error
    switch(folder, number)
    _clear(folder)


def _clear(folder: Path) -> None:
    """Remove what processes that were killed while saving have left; what cannot be removed is in nobody's way."""
    for left in (*(folder / "versions").glob(".[0-9]*.[0-9]*"), *folder.glob(".CURRENT.[0-9]*")):
        try:
            if time.time() - left.stat().st_mtime > LEFT_BEHIND:
                shutil.rmtree(left) if left.is_dir() else left.unlink()
        except OSError:
            continue


def switch(folder: Path, number: int) -> None:
    """Make a version the current one, at once: a reader sees the one before or this one."""
    pointer = folder / f".CURRENT.{os.getpid()}"
    try:
        _write_synced(pointer, f"{number}\n".encode())
        pointer.replace(folder / "CURRENT")
    except OSError as error:
        raise _unwritable(folder, error) from error


def _write_synced(path: Path, content: bytes) -> None:
    with path.open("wb") as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())


def dump(value: object) -> bytes:
    """Write JSON so that equal values have equal bytes."""
    return (
        json.dumps(value, ensure_ascii=True, sort_keys=True, separators=(",", ":"), allow_nan=False) + "\n"
    ).encode()


def digest(content: bytes) -> str:
    """Return the hash that stands in about.json."""
    return hashlib.sha256(content).hexdigest()


def read_json(path: Path, limit: int) -> Mapping[str, Any]:
    """Read a JSON object of at most `limit` bytes; ModelError for anything else."""
    return parse_json(path, _read_bounded(path, limit))


def read_checked(path: Path, limit: int, about: Mapping[str, Any]) -> bytes:
    """Read a file of a version whose hash stands in `about`; ModelError where it is another, or too long."""
    content = _read_bounded(path, limit)
    hashes = about.get("sha256")
    if not isinstance(hashes, dict) or hashes.get(path.name) != digest(content):
        raise ModelError("is damaged: its hash differs", where=str(path), remedy="restore it, or " + REFIT)
    return content


def _read_bounded(path: Path, limit: int) -> bytes:
    """The content of a regular file: a link, a pipe or a device would lead elsewhere, or never end."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, "rb") as file:  # noqa: PTH123 (a descriptor has no path)
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                raise ModelError("is not a regular file", where=str(path), remedy=REFIT)
            content = file.read(min(limit, found.st_size) + 1)
    except OSError as error:
        raise ModelError(f"cannot be read ({error.strerror})", where=str(path), remedy=REFIT) from error
    if len(content) > limit or found.st_size > limit:
        raise ModelError(f"is larger than {limit} bytes", where=str(path), remedy=REFIT)
    return content


def parse_json(path: Path, content: bytes) -> Mapping[str, Any]:
    """Return the JSON object in the bytes of a file; ModelError where there is none."""
    try:
        value = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ModelError("is damaged: not JSON", where=str(path), remedy="restore it, or " + REFIT) from error
    if not isinstance(value, dict):
        raise ModelError("is damaged: not a JSON object", where=str(path), remedy="restore it, or " + REFIT)
    return value
