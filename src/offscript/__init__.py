"""offscript tells you when a system goes off script: it learns from normal logs and explains each departure.

    model = offscript.fit(offscript.read("normal.log"), offscript.Config())
    detector = offscript.Detector(model)
    for line in offscript.read("today.log"):
        for verdict in detector.push(line):
            print(verdict.reason, verdict.score, verdict.entry.text)

The public names are loaded when first used, so that a command which only parses does not wait for the models.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from offscript.config import Config
    from offscript.detection import detect
    from offscript.detector import Detector
    from offscript.diagnosis import Diagnosis, Incident, diagnose
    from offscript.entries import Entry, Expected, Line, Match, Measured, Reason, Template, Verdict
    from offscript.errors import InputError, ModelError, OffscriptError, StateError, UsageError
    from offscript.fitting import fit
    from offscript.model import Model, load
    from offscript.models.keys import KeyModel, SessionVerdict
    from offscript.parse.spell import Spell
    from offscript.sources import follow, read
    from offscript.version import __version__

_ROOMS = {
    "config": ("Config",),
    "detection": ("detect",),
    "detector": ("Detector",),
    "diagnosis": ("Diagnosis", "Incident", "diagnose"),
    "entries": ("Entry", "Expected", "Line", "Match", "Measured", "Reason", "Template", "Verdict"),
    "errors": ("InputError", "ModelError", "OffscriptError", "StateError", "UsageError"),
    "fitting": ("fit",),
    "model": ("Model", "load"),
    "models.keys": ("KeyModel", "SessionVerdict"),
    "parse.spell": ("Spell",),
    "sources": ("follow", "read"),
    "version": ("__version__",),
}
_HOME = {name: f"offscript.{room}" for room, names in _ROOMS.items() for name in names}

__all__ = [
    "Config",
    "Detector",
    "Diagnosis",
    "Entry",
    "Expected",
    "Incident",
    "InputError",
    "KeyModel",
    "Line",
    "Match",
    "Measured",
    "Model",
    "ModelError",
    "OffscriptError",
    "Reason",
    "SessionVerdict",
    "Spell",
    "StateError",
    "Template",
    "UsageError",
    "Verdict",
    "__version__",
    "detect",
    "diagnose",
    "fit",
    "follow",
    "load",
    "read",
]


def __getattr__(name: str) -> object:
    """Load the room of a public name on its first use."""
    if name not in _HOME:
        raise AttributeError(f"module 'offscript' has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value
