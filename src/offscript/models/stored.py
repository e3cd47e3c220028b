"""The learnt parts of a key model as JSON and arrays, and back: nothing is believed that was not checked (ours)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from offscript.entries import FIRST_KEY_SYMBOL, UNKNOWN
from offscript.errors import ModelError
from offscript.models.calibrate import Promise, Rule
from offscript.models.ensemble import Ensemble
from offscript.models.learning import DistinctSessions, Learnt, profile_of
from offscript.models.lstm import Curve
from offscript.models.pairs import Sightings, Vocabulary
from offscript.models.profile import CELLS_KEPT, Profile
from offscript.models.told_sessions import ToldSessions


def stored_parts(
    vocabulary: Vocabulary, history: int, count_weight: float, learnt: Learnt
) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
    """Everything learnt, for `restored_parts`. The profile is that of the distinct sessions: its threshold is kept."""
    network = learnt.ensemble.networks[0]
    meta = {
        "keys": list(vocabulary.keys),
        "history": history,
        "hidden": len(network.exit),
        "layers": len(network.bias),
        "networks": len(learnt.ensemble.networks),
        "capacity": learnt.ensemble.seen.shape[1],
        "rule": learnt.rule.name,
        "candidates": learnt.rule.candidates,
        "rare": learnt.rule.rare,
        "threshold": learnt.rule.threshold,
        "often": learnt.often,
        "count_weight": count_weight,
        "profile": None if learnt.profile is None else learnt.profile.threshold,
        "promise": learnt.promise.to_dict(),
        "curves": [{"floor": c.floor, "points": [list(point) for point in c.points]} for c in learnt.curves],
    }
    pairs: dict[str, npt.NDArray[Any]] = {
        "pairs.histories": learnt.sightings.histories,
        "pairs.targets": learnt.sightings.targets,
        "pairs.units": learnt.sightings.units,
    }
    return meta, learnt.ensemble.arrays() | learnt.sessions.arrays() | pairs | learnt.told.arrays()


def restored_parts(meta: dict[str, Any], arrays: dict[str, npt.NDArray[Any]]) -> tuple[Vocabulary, int, float, Learnt]:
    """What `stored_parts` was given; ModelError when anything is missing, misshapen or out of bounds."""
    try:
        return _restored(meta, arrays)
    except (KeyError, TypeError, ValueError, IndexError, OverflowError) as error:
        raise _damaged(str(error)) from error


def _damaged(what: str) -> ModelError:
    return ModelError(f"has a damaged key model ({what})", remedy="fit the model again, or copy it again")


def _restored(meta: dict[str, Any], arrays: dict[str, npt.NDArray[Any]]) -> tuple[Vocabulary, int, float, Learnt]:
    whole = ("history", "layers", "hidden", "capacity", "networks", "often", "candidates")
    sizes = {name: meta[name] for name in whole}
    keys = meta["keys"]
    if not all(type(key) is int for key in keys) or len(set(keys)) != len(keys):
        raise _damaged("keys")
    if not all(type(size) is int and 1 <= size <= 1 << 20 for size in sizes.values()):
        raise _damaged("sizes")
    history, capacity = sizes["history"], sizes["capacity"]
    if history > 64 or sizes["networks"] > 100 or capacity < len(keys) + FIRST_KEY_SYMBOL:
        raise _damaged("sizes")
    numbers = [float(meta[name]) for name in ("rare", "threshold", "count_weight")]
    if not all(0 < number < math.inf for number in numbers) or numbers[0] >= 1:
        raise _damaged("numbers")
    if meta["rule"] not in {"likelihood", "top-g"}:
        raise _damaged("rule")
    sessions, symbols = _sessions(arrays, capacity), len(keys) + FIRST_KEY_SYMBOL
    told = _told(arrays, symbols)
    learnt = Learnt(
        Ensemble.from_arrays(
            arrays, count=sizes["networks"], capacity=capacity, hidden=sizes["hidden"], layers=sizes["layers"]
        ),
        tuple(_curve(stored) for stored in meta["curves"]),
        Rule(meta["rule"], numbers[0], sizes["candidates"], numbers[1]),
        sizes["often"],
        Promise.from_dict(meta["promise"]),
        _sightings(arrays, history, capacity),
        sessions,
        _profile(meta["profile"], sessions, told, symbols),
        told,
    )
    return Vocabulary.from_keys(keys), history, numbers[2], learnt


def _curve(stored: dict[str, Any]) -> Curve:
    curve = Curve(tuple((int(step), float(loss)) for step, loss in stored["points"]), float(stored["floor"]))
    if not all(map(math.isfinite, [curve.floor, *(loss for _, loss in curve.points)])):
        raise _damaged("curves")
    return curve


def _sightings(arrays: dict[str, npt.NDArray[Any]], history: int, capacity: int) -> Sightings:
    histories = _whole(arrays, "pairs.histories", np.int32, 2, capacity)
    targets = _whole(arrays, "pairs.targets", np.int32, 1, capacity)
    units = _whole(arrays, "pairs.units", np.int64, 1, 1 << 40)
    if histories.shape != (len(targets), history) or len(units) != len(targets) or not units.all():
        raise _damaged("pairs")
    return Sightings(histories, targets, units)


def _sessions(arrays: dict[str, npt.NDArray[Any]], capacity: int) -> DistinctSessions:
    sessions = DistinctSessions(
        _whole(arrays, "sessions.symbols", np.int32, 1, capacity),
        _whole(arrays, "sessions.lengths", np.int32, 1, 1 << 31),
        _whole(arrays, "sessions.counts", np.int32, 1, 1 << 31),
        _whole(arrays, "sessions.complete", np.uint8, 1, 2),
    )
    if int(sessions.lengths.sum(dtype=np.int64)) != len(sessions.symbols) or not (
        len(sessions.lengths) == len(sessions.counts) == len(sessions.complete)
    ):
        raise _damaged("sessions")
    return sessions


def _told(arrays: dict[str, npt.NDArray[Any]], symbols: int) -> ToldSessions:
    """The sessions that a person called normal: none in a bundle without their arrays."""
    if not any(name.startswith("told.") for name in arrays):
        return ToldSessions.none()
    told = ToldSessions(
        _whole(arrays, "told.symbols", np.int32, 1, symbols),
        _whole(arrays, "told.times", np.int32, 1, 1 << 31),
        _whole(arrays, "told.lengths", np.int32, 1, 1 << 31),
        _whole(arrays, "told.reports", np.int32, 1, 1 << 31),
    )
    sound = int(told.lengths.sum(dtype=np.int64)) == len(told.symbols) == len(told.times)
    if not sound or len(told.lengths) != len(told) or len(told) * symbols > 2 * CELLS_KEPT:
        raise _damaged("told")
    if not told.lengths.all() or not told.times.all() or (told.symbols < UNKNOWN).any():
        raise _damaged("told")
    return told


def _profile(threshold: object, sessions: DistinctSessions, told: ToldSessions, symbols: int) -> Profile | None:
    if threshold is None:
        return None
    if isinstance(threshold, bool) or not isinstance(threshold, int | float) or not 0 < threshold < math.inf:
        raise _damaged("profile")
    if not sessions.complete.any() or int(sessions.symbols.max(initial=0)) >= symbols:
        raise _damaged("profile")
    return profile_of(sessions, told, symbols, float(threshold))


def _whole(
    arrays: dict[str, npt.NDArray[Any]], name: str, dtype: type[np.generic], dimensions: int, below: int
) -> npt.NDArray[Any]:
    """An array of whole numbers from 0 to `below`, of the type and dimensions it was saved with."""
    array = arrays[name]
    if array.dtype != dtype or array.ndim != dimensions:
        raise _damaged(name)
    if array.size and (int(array.min()) < 0 or int(array.max()) >= below):
        raise _damaged(name)
    return array
