"""The model and its bundle: everything learnt, saved as one folder of readable versions (DESIGN section 8).

    M/versions/N/model.json  settings, header, session key, templates, key model, facts: readable, hashed
    M/versions/N/weights.safetensors
    M/versions/N/about.json  author, time, note and the hashes: outside the hashed bytes

Nothing in a bundle is unpickled or evaluated; how its files are kept is told by `model_folder`.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray
from pydantic import ValidationError
from safetensors import SafetensorError

from offscript.config import Config
from offscript.errors import ModelError, OffscriptError
from offscript.model_folder import (
    MAX_ABOUT_BYTES,
    REFIT,
    claim,
    current_version,
    digest,
    dump,
    numbers_in,
    parse_json,
    publish,
    read_checked,
    read_json,
)
from offscript.models.keys import KeyModel
from offscript.models.values import ValueModel
from offscript.models.vectors import TIME
from offscript.parse.header import Header
from offscript.parse.match import Templates
from offscript.parse.sessions import SessionKey
from offscript.workflow.times import EdgeTimes

FORMAT = "offscript-model"
FORMAT_VERSION = 6  # 2: session profile, one joint promise; 3: values; 4: times between steps; 5: widths; 6: outside
MAX_JSON_BYTES = 512 << 20  # 10,000 templates and 200,000 distinct sessions take about 100 MB
MAX_WEIGHT_BYTES = 1 << 30  # the largest network that Config allows, eight layers of 1,024 units, takes 300 MB
TOLD = 2_000  # characters kept of a note, and of each thing taught: a screenful

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


@dataclass(frozen=True)
class Model:
    """Everything learnt from normal logs; immutable (ours, DESIGN section 8).

    `timeout` is the idle time, in seconds of log time (lines, for a log without stamps), after which a session is
    closed; None means that sessions never close. `times` are those from one key to the next within a session. `facts`
    holds what `fit` saw and can promise, for people to read. Entries of the keys `outside` are of no session, whatever
    id they name.
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
    outside: frozenset[int] = frozenset()

    def sessions_of(self, keys: NDArray[np.int64], sessions: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the codes of the sessions that entries are of, (n,), -1: none, from their keys and those they name."""
        if not self.outside:
            return sessions
        return np.where(np.isin(keys, sorted(self.outside)), np.int64(-1), sessions)

    def save(
        self, path: str | Path, *, author: str = "", time: str = "", note: str = "", changes: Sequence[str] = ()
    ) -> Model:
        """Write the model as the next version of the folder `path` and make it the current one.

        Earlier versions stay. Returns the model as saved (with its version and lineage). `author`, `time`, `note` and
        `changes`, what it was taught, are kept beside the hashed bytes, as far as there is room. Raises ModelError when
        `path` is a file or somebody else's folder.
        """
        folder = claim(Path(path))
        weights, body = _encode(self)
        lineage = self.lineage or _lineage(body)
        number = max(numbers_in(folder), default=0) + 1
        about = {
            "author": author[:TOLD],
            "time": time[:TOLD],
            "note": note[:TOLD],
            "lineage": lineage,
            "parent": self.version if self.lineage else None,
            "changes": _as_fits(changes),
            "sha256": {"model.json": digest(body), "weights.safetensors": digest(weights)},
        }
        files = {"weights.safetensors": weights, "model.json": body, "about.json": dump(about)}
        publish(folder, number, files)
        return replace(self, lineage=lineage, version=number)


def _as_fits(changes: Sequence[str]) -> list[str]:
    """The changes as far as half of what `about.json` may hold takes them, and how many more there were."""
    kept: list[str] = []
    room = MAX_ABOUT_BYTES // 2
    for number, change in enumerate(changes):
        room -= len(dump([change[:TOLD]]))
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
    about = read_json(home / "about.json", MAX_ABOUT_BYTES)
    body = read_checked(home / "model.json", MAX_JSON_BYTES, about)
    weights = read_checked(home / "weights.safetensors", MAX_WEIGHT_BYTES, about)
    return replace(
        _decode(home, parse_json(home / "model.json", body), weights),
        lineage=str(about.get("lineage", "")),
        version=number,
    )


def _lineage(body: bytes) -> str:
    return digest(body)[:32]


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
        "outside": sorted(model.outside),
        "weights": {"bytes": len(weights), "sha256": digest(weights)},
    }
    return weights, dump(body)


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
            outside=_outside(body["outside"]),
        )
        _check_fit(model)
        return model
    except _DAMAGE as error:
        raise ModelError(f"is damaged ({_reason(error)})", where=where, remedy=REFIT) from error


def _outside(stored: object) -> frozenset[int]:
    """The keys outside sessions: whole numbers, which truth values are not."""
    if not isinstance(stored, list) or not all(type(key) is int for key in stored):
        raise ValueError("the keys outside sessions are not keys")
    return frozenset(stored)


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
    if not model.outside <= set(model.templates.keys()):
        raise ValueError("a key outside sessions has no template")
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
