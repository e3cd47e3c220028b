"""The model and its bundle: everything learnt, saved as one folder of readable versions (DESIGN section 8).

    M/CURRENT                the number of the version in force, switched atomically
    M/versions/N/model.json  settings, header, session key, templates, key model, facts: readable, hashed
    M/versions/N/weights.safetensors
    M/versions/N/about.json  author, time, note and the hashes: outside the hashed bytes
    M/journal.sqlite         verdicts and feedback (see journal.py)

Nothing in a bundle is unpickled or evaluated; sizes are bounded before anything is read into memory.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
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
from offscript.parse.header import Header
from offscript.parse.match import Templates
from offscript.parse.sessions import SessionKey

FORMAT = "offscript-model"
FORMAT_VERSION = 1
MAX_JSON_BYTES = 512 << 20  # 10,000 templates and 200,000 distinct sessions take about 100 MB
MAX_WEIGHT_BYTES = 1 << 30  # the largest network that Config allows, eight layers of 1,024 units, takes 300 MB
MAX_ABOUT_BYTES = 1 << 20

REFIT = "fit the model again with this offscript"


@dataclass(frozen=True)
class Model:
    """Everything learnt from normal logs; immutable (ours, DESIGN section 8).

    `timeout` is the idle time, in seconds of log time (lines, for a log without stamps), after which a session is
    closed; None means that sessions never close. `facts` holds what `fit` saw and can promise, for people to read.
    `lineage` names the family of versions that grew from one fit.
    """

    config: Config
    header: Header
    session_key: SessionKey
    timeout: float | None
    templates: Templates
    keys: KeyModel
    facts: Mapping[str, Any] = field(default_factory=dict)
    lineage: str = ""
    version: int = 1

    def save(self, path: str | Path, *, author: str = "", time: str = "", note: str = "") -> Model:
        """Write the model as the next version of the folder `path` and make it the current one.

        Earlier versions stay. Returns the model as saved (with its version and lineage). `author`, `time` and `note`
        are kept beside the hashed bytes. Raises ModelError when `path` is a file or somebody else's folder.
        """
        folder = _claim(Path(path))
        weights, body = _encode(self)
        lineage = self.lineage or hashlib.sha256(body).hexdigest()[:32]
        number = max(_numbers(folder), default=0) + 1
        about = {
            "author": author,
            "time": time,
            "note": note,
            "lineage": lineage,
            "sha256": {"model.json": _digest(body), "weights.safetensors": _digest(weights)},
        }
        files = {"weights.safetensors": weights, "model.json": body, "about.json": _dump(about)}
        _publish(folder, number, files)
        return replace(self, lineage=lineage, version=number)


def load(path: str | Path, *, version: int | None = None) -> Model:
    """Read the current version (or `version`) of the model folder `path` (ours).

    Raises ModelError, one line, for a folder of something else, a damaged bundle, or one of a newer offscript.
    """
    folder = Path(path)
    number = version if version is not None else current_version(folder)
    home = folder / "versions" / str(number)
    if not home.is_dir():
        raise ModelError(f"has no version {number}", where=str(folder), remedy="see `offscript versions` or fit again")
    about = _read_json(home / "about.json", MAX_ABOUT_BYTES)
    body = _read_checked(home / "model.json", MAX_JSON_BYTES, about)
    weights = _read_checked(home / "weights.safetensors", MAX_WEIGHT_BYTES, about)
    return replace(
        _decode(home, _parse_json(home / "model.json", body), weights),
        lineage=str(about.get("lineage", "")),
        version=number,
    )


def current_version(folder: Path) -> int:
    """Return the number of the version in force in `folder`; ModelError if it is no model folder."""
    if not folder.exists():
        raise ModelError(
            "there is no such model", where=str(folder), remedy="make one with `offscript fit LOG -o MODEL`"
        )
    pointer = folder / "CURRENT"
    if not pointer.is_file():
        raise ModelError("is not an offscript model", where=str(folder), remedy="give a folder made by `offscript fit`")
    text = pointer.read_bytes()[:20].decode("ascii", "replace").strip()
    if not text.isascii() or not text.isdigit():
        raise ModelError("CURRENT does not hold a version number", where=str(folder), remedy=REFIT)
    return int(text)


def journal_path(folder: str | Path) -> Path:
    """Return where the journal of the model folder lies."""
    return Path(folder) / "journal.sqlite"


def check_place(folder: Path) -> None:
    """Raise ModelError when a model cannot be saved as `folder`: it is a file, or a folder of something else (ours).

    For a caller who is about to learn for a while, and would rather know before.
    """
    if folder.is_file():
        raise ModelError("is a file", where=str(folder), remedy="give the name of a new folder")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / "versions").is_dir():
        raise ModelError("is a folder of something else", where=str(folder), remedy="give the name of a new folder")


def _claim(folder: Path) -> Path:
    check_place(folder)
    try:
        (folder / "versions").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = f"cannot be written ({error.strerror})"
        raise ModelError(reason, where=str(folder), remedy="choose another place") from error
    return folder


def _numbers(folder: Path) -> list[int]:
    return [int(child.name) for child in (folder / "versions").iterdir() if child.name.isdigit()]


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
    try:
        arrays = safetensors.numpy.load(weights)
        timeout = body["timeout"]
        return Model(
            config=_config(body["config"]),
            header=Header.from_dict(body["header"]),
            session_key=SessionKey.from_dict(body["session_key"]),
            timeout=None if timeout is None else float(timeout),
            templates=Templates.from_dict(body["templates"]),
            keys=KeyModel.from_parts(body["keys"], arrays),
            facts=dict(body["facts"]),
        )
    except (ModelError, SafetensorError, ValidationError, KeyError, TypeError, ValueError, OffscriptError) as error:
        raise ModelError(f"is damaged ({_reason(error)})", where=where, remedy=REFIT) from error


def _reason(error: Exception) -> str:
    if isinstance(error, OffscriptError):
        return error.what
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"setting {'.'.join(map(str, first['loc']))}: {first['msg']}"[:200]
    return f"{type(error).__name__} {error}".splitlines()[0][:200]


def _config(stored: Mapping[str, Any]) -> Config:
    return Config(**stored)


def _publish(folder: Path, number: int, files: Mapping[str, bytes]) -> None:
    """Write the files of a version, then switch CURRENT: a reader sees the old version or the new, never half."""
    draft = folder / "versions" / f".{number}.{os.getpid()}"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir()
    for name, content in files.items():
        _write_synced(draft / name, content)
    draft.rename(folder / "versions" / str(number))
    _write_synced(folder / f".CURRENT.{os.getpid()}", f"{number}\n".encode())
    (folder / f".CURRENT.{os.getpid()}").replace(folder / "CURRENT")


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
    try:
        if path.stat().st_size > limit:
            raise ModelError(f"is larger than {limit} bytes", where=str(path), remedy=REFIT)
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"cannot be read ({error.strerror})", where=str(path), remedy=REFIT) from error


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
