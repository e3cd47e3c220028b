"""Evaluation of a model on a labelled log."""

from __future__ import annotations

from collections.abc import Iterable

from offscript.detector import Detector, detect
from offscript.entries import Entry, Line
from offscript.evaluate.labels import Labels
from offscript.evaluate.metrics import Score, first_reasons, score_units
from offscript.model import Model


def evaluate(
    model: Model, lines: Iterable[Line], truth: Labels, *, complete: bool = False, allow_unknown: bool = False
) -> Score:
    """Judge the lines and compare with the labels (ours; the labels only score, nothing is chosen by them).

    Raises InputError when a label names a session or line that the log does not have, unless allowed.
    """
    names: set[str] = set()

    def seen(entry: Entry) -> None:
        name = str(entry.line.number) if truth.unit == "lines" else entry.session
        if name is not None:
            names.add(name)

    detector = Detector(model, observe=seen)
    flagged = first_reasons(list(detect(model, lines, complete=complete, detector=detector)), truth.unit)
    return score_units(truth.unit, truth.known_only(names, allow_unknown=allow_unknown), flagged)
