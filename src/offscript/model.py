"""The model and its bundle: everything learnt, saved as one folder of readable versions (DESIGN section 8).

    M/CURRENT                the number of the version in force, switched atomically
    M/versions/N/model.json  settings, header, session key, templates, key model, facts: readable, hashed
    M/versions/N/weights.safetensors
    M/versions/N/about.json  author, time, note and the hashes: outside the hashed bytes
    M/journal.sqlite         verdicts and feedback (see journal.py)

Nothing in a bundle is unpickled or evaluated; only regular files are read, and no more of them than a stated bound.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
import stat
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy
from pydantic import ValidationError
from safetensors import SafetensorError

from offscript.config import Config
from offscript.errors import ModelError, OffscriptError
from offscript.models.keys import KeyModel
from offscript.models.values import ValueModel
from offscript.models.vectors import TIME
from offscript.parse.header import Header
from offscript.parse.match import Templates
from offscript.parse.sessions import SessionKey
from offscript.workflow.times import EdgeTimes

FORMAT = "offscript-model"
FORMAT_VERSION = 5  # 2: session profile, one joint promise; 3: times and values; 4: times between steps; 5: widths
MAX_JSON_BYTES = 512 << 20  # 10,000 templates and 200,000 distinct sessions take about 100 MB
MAX_WEIGHT_BYTES = 1 << 30  # the largest network that Config allows, eight layers of 1,024 units, takes 300 MB
MAX_ABOUT_BYTES = 1 << 20
TOLD = 2_000  # characters kept of a note, and of each thing taught: a screenful
MAX_POINTER_BYTES = 20  # a version number, with room
LEFT_BEHIND = 3600.0  # seconds after which a draft is that of a process killed: to write one takes seconds

_DAMAGE = (
    OffscriptError,
    SafetensorError,
    ValidationError,
    LookupError,
    TypeError,
    ValueError,
    AttributeError,
    OverflowError,
    RecursionError,
)
"""What the parts raise on contents that somebody made up."""

REFIT = "fit the model again with this offscript"


@dataclass(frozen=True)
class Model:
    """Everything learnt from normal logs; immutable (ours, DESIGN section 8).

    `timeout` is the idle time, in seconds of log time (lines, for a log without stamps), after which a session is
    closed; None means that sessions never close. `times` are those from one key to the next within a session. `facts`
    holds what `fit` saw and can promise, for people to read.
    `lineage` names the family of versions that grew from one fit; `identify` gives one to a model never saved.
    """

    config: Config
    header: Header
    session_key: SessionKey
    timeout: float | None
    templates: Templates
    keys: KeyModel
    values: ValueModel = field(default_factory=ValueModel)
    times: EdgeTimes = field(default_factory=EdgeTimes)
    facts: Mapping[str, Any] = field(default_factory=dict)
    lineage: str = ""
    version: int = 1

    def save(
        self, path: str | Path, *, author: str = "", time: str = "", note: str = "", changes: Sequence[str] = ()
    ) -> Model:
        """Write the model as the next version of the folder `path` and make it the current one.

        Earlier versions stay. Returns the model as saved (with its version and lineage). `author`, `time`, `note` and
        `changes`, what it was taught, are kept beside the hashed bytes, as far as there is room. Raises ModelError when
        `path` is a file or somebody else's folder.
        """
        folder = _claim(Path(path))
        weights, body = _encode(self)
        lineage = self.lineage or _lineage(body)
        number = max(_numbers(folder), default=0) + 1
        about = {
            "author": author[:TOLD],
            "time": time[:TOLD],
            "note": note[:TOLD],
            "lineage": lineage,
            "parent": self.version if self.lineage else None,
            "changes": _as_fits(changes),
            "sha256": {"model.json": _digest(body), "weights.safetensors": _digest(weights)},
        }
        files = {"weights.safetensors": weights, "model.json": body, "about.json": _dump(about)}
        _publish(folder, number, files)
        return replace(self, lineage=lineage, version=number)


def _as_fits(changes: Sequence[str]) -> list[str]:
    """The changes as far as half of what `about.json` may hold takes them, and how many more there were."""
    kept: list[str] = []
    room = MAX_ABOUT_BYTES // 2
    for number, change in enumerate(changes):
        room -= len(_dump([change[:TOLD]]))
        if room < 0:
            return [*kept, f"and {len(changes) - number:,} more"]
        kept.append(change[:TOLD])
    return kept


def identify(model: Model) -> Model:
    """Return the model with the lineage that `save` would give it, so that an unsaved one has one too (ours).

    A model that has a lineage keeps it. Equal models get equal lineages.
    """
    return model if model.lineage else replace(model, lineage=_lineage(_encode(model)[1]))


def load(path: str | Path, *, version: int | None = None) -> Model:
    """Read the current version (or `version`) of the model folder `path` (ours).

    Raises ModelError, one line, for a folder of something else, a damaged bundle, or one of a newer offscript.
    """
    folder = Path(path)
    number = version if version is not None else current_version(folder)
    home = folder / "versions" / str(number)
    if not os.path.isdir(home):  # noqa: PTH112 (a forbidden folder is False here, an exception in pathlib)
        raise ModelError(f"has no version {number}", where=str(folder), remedy="leave the version out, or fit again")
    about = _read_json(home / "about.json", MAX_ABOUT_BYTES)
    body = _read_checked(home / "model.json", MAX_JSON_BYTES, about)
    weights = _read_checked(home / "weights.safetensors", MAX_WEIGHT_BYTES, about)
    return replace(
        _decode(home, _parse_json(home / "model.json", body), weights),
        lineage=str(about.get("lineage", "")),
        version=number,
    )


def about_version(folder: Path, number: int) -> Mapping[str, Any]:
    """Return what is kept beside a version, as it stands there; ModelError where it cannot be read."""
    return _read_json(folder / "versions" / str(number) / "about.json", MAX_ABOUT_BYTES)


def numbers_of(folder: Path) -> list[int]:
    """Return the numbers of the versions of a model folder, ascending; ModelError if it is none."""
    current_version(folder)
    return sorted(_numbers(folder))


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


def _claim(folder: Path) -> Path:
    check_place(folder)
    try:
        (folder / "versions").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(folder, error) from error
    return folder


def _unwritable(folder: Path, error: OSError) -> ModelError:
    return ModelError(f"cannot be written ({error.strerror})", where=str(folder), remedy="choose another place")


def _is_number(text: str) -> bool:
    """Whether these are plain digits: `isdigit` alone lets a superscript through, which `int` refuses."""
    return text.isascii() and text.isdecimal()


def _numbers(folder: Path) -> list[int]:
    return [int(child.name) for child in (folder / "versions").iterdir() if _is_number(child.name)]


def _lineage(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()[:32]


def _encode(model: Model) -> tuple[bytes, bytes]:
    meta, arrays = model.keys.parts()
    weights = safetensors.numpy.save({name: np.ascontiguousarray(arrays[name]) for name in sorted(arrays)})
    body = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "config": model.config.model_dump(mode="json"),
        "header": model.header.to_dict(),
        "session_key": model.session_key.to_dict(),
        "timeout": model.timeout,
        "facts": dict(model.facts),
        "templates": model.templates.to_dict(),
        "keys": meta,
        "values": model.values.to_dict(),
        "times": model.times.to_dict(),
        "weights": {"bytes": len(weights), "sha256": _digest(weights)},
    }
    return weights, _dump(body)


def _decode(home: Path, body: Mapping[str, Any], weights: bytes) -> Model:
    where = str(home)
    if body.get("format") != FORMAT:
        raise ModelError("is not an offscript model", where=where, remedy="give a folder made by `offscript fit`")
    if not isinstance(body.get("format_version"), int) or body["format_version"] > FORMAT_VERSION:
        raise ModelError(
            f"was made by a newer offscript (format {body.get('format_version')})",
            where=where,
            remedy=f"upgrade offscript; this one reads format {FORMAT_VERSION}",
        )
    if body["format_version"] < FORMAT_VERSION:
        raise ModelError(f"was made by an older offscript (format {body['format_version']})", where=where, remedy=REFIT)
    try:
        arrays = safetensors.numpy.load(weights)
        model = Model(
            config=_config(body["config"]),
            header=Header.from_dict(body["header"]),
            session_key=SessionKey.from_dict(body["session_key"]),
            timeout=_timeout(body["timeout"]),
            templates=Templates.from_dict(body["templates"]),
            keys=KeyModel.from_parts(body["keys"], arrays),
            values=ValueModel.from_dict(body["values"]),
            times=EdgeTimes.from_dict(body["times"]),
            facts=dict(body["facts"]),
        )
        _check_fit(model)
        return model
    except _DAMAGE as error:
        raise ModelError(f"is damaged ({_reason(error)})", where=where, remedy=REFIT) from error


def _timeout(stored: object) -> float | None:
    """The idle time: a number JSON can hold and time can have, so no truth value, no text, no NaN."""
    if stored is None:
        return None
    if isinstance(stored, bool) or not isinstance(stored, int | float) or not 0 < stored < math.inf:
        raise ValueError("the time-out is not a positive number")
    return float(stored)


def _check_fit(model: Model) -> None:
    """Raise ValueError where the parts, each sound, would fail together while judging."""
    if model.config.history != model.keys.history:
        raise ValueError("settings and key model differ in their history")
    if not set(model.keys.vocabulary.keys) <= set(model.templates.keys()):
        raise ValueError("a key of the key model has no template")
    if not {key for pair in model.times for key in pair} <= set(model.templates.keys()):
        raise ValueError("a key of the times between steps has no template")
    places = model.values.named_places
    if not {key for key, _ in places} <= set(model.templates.keys()):
        raise ValueError("a key of the value models has no template")
    if not all(0 <= place <= model.templates.places(key) for key, place in places):
        raise ValueError("a place of the value models is not in its template")
    if any(one.place == TIME for one in model.values.lists):
        raise ValueError("a word list is of a time")


def _reason(error: Exception) -> str:
    if isinstance(error, OffscriptError):
        return error.what
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"setting {'.'.join(map(str, first['loc']))}: {first['msg']}"[:200]
    return f"{type(error).__name__} {error}".splitlines()[0][:200]


def _config(stored: dict[str, Any]) -> Config:
    # Every setting is named, so that the environment of whoever loads cannot fill in one that an older bundle lacks.
    return Config(**({name: setting.default for name, setting in Config.model_fields.items()} | stored))


def _publish(folder: Path, number: int, files: Mapping[str, bytes]) -> None:
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


def _dump(value: object) -> bytes:
    return (
        json.dumps(value, ensure_ascii=True, sort_keys=True, separators=(",", ":"), allow_nan=False) + "\n"
    ).encode()


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


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


def _read_checked(path: Path, limit: int, about: Mapping[str, Any]) -> bytes:
    content = _read_bounded(path, limit)
    hashes = about.get("sha256")
    if not isinstance(hashes, dict) or hashes.get(path.name) != _digest(content):
        raise ModelError("is damaged: its hash differs", where=str(path), remedy="restore it, or " + REFIT)
    return content


def _read_json(path: Path, limit: int) -> Mapping[str, Any]:
    return _parse_json(path, _read_bounded(path, limit))


def _parse_json(path: Path, content: bytes) -> Mapping[str, Any]:
    try:
        value = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ModelError("is damaged: not JSON", where=str(path), remedy="restore it, or " + REFIT) from error
    if not isinstance(value, dict):
        raise ModelError("is damaged: not a JSON object", where=str(path), remedy="restore it, or " + REFIT)
    return value
