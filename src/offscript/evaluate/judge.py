"""Evaluation of a model on a labelled log."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from offscript.detection import detect
from offscript.detector import Detector
from offscript.entries import Entry, Line
from offscript.errors import InputError
from offscript.evaluate.labels import Labels
from offscript.evaluate.metrics import Score, first_reasons, score_units
from offscript.model import Model


def evaluate(
    model: Model, lines: Iterable[Line], truth: Labels, *, complete: bool = False, allow_unknown: bool = False
) -> Score:
    """Judge the lines and compare with the labels (ours; the labels only score, nothing is chosen by them).

    A label of a continuation line counts for its record. Sessions still open at the end were not judged on their
    ends: without a verdict they are no true negatives, but left out and counted in `not_judged`; with `complete` there
    are none. Raises InputError when a label names a session or line that the log does not have, unless allowed, and
    for labels by line with more than one source, whose numbers would not say which.
    """
    if truth.unit == "lines":
        return _by_line(model, lines, truth, complete=complete, allow_unknown=allow_unknown)
    names: set[str] = set()

    def seen(entry: Entry) -> None:
        if entry.session is not None:
            names.add(entry.session)

    detector = Detector(model, observe=seen)
    flagged = first_reasons(detect(model, lines, complete=complete, detector=detector), truth.unit)
    labels = truth.known_only(names, allow_unknown=allow_unknown)
    not_judged = detector.open_sessions() - flagged.keys()
    return score_units(truth.unit, labels, flagged, names=names, not_judged=not_judged)


def _by_line(model: Model, lines: Iterable[Line], truth: Labels, *, complete: bool, allow_unknown: bool) -> Score:
    records = _Records(truth)
    detector = Detector(model, observe=records.begin)
    flagged = first_reasons(detect(model, records.watched(lines), complete=complete, detector=detector), truth.unit)
    labels = records.labels(truth.known_only(records.labelled, allow_unknown=allow_unknown))
    return score_units(truth.unit, labels, flagged, names={str(number) for number in records.starts})


@dataclass
class _Records:
    """Which labelled lines of the one source there are, and where its records begin."""

    truth: Labels
    source: str | None = None
    labelled: set[str] = field(default_factory=set)
    starts: list[int] = field(default_factory=list)

    def watched(self, lines: Iterable[Line]) -> Iterator[Line]:
        """The lines as they are; InputError at the first of a second source."""
        for line in lines:
            if self.source is None:
                self.source = line.source
            if line.source != self.source:
                raise InputError(
                    f"labels lines, and there are several sources ({self.source}, {line.source})",
                    where=self.truth.path,
                    remedy="evaluate one log at a time, or label sessions",
                )
            name = str(line.number)
            if name in self.truth.anomalous:
                self.labelled.add(name)
            yield line

    def begin(self, entry: Entry) -> None:
        """Take note of a record's first line."""
        self.starts.append(entry.line.number)

    def labels(self, known: dict[str, bool]) -> dict[str, bool]:
        """The labels of records: one is anomalous when any of its lines is."""
        found: dict[str, bool] = {}
        for name, anomalous in known.items():
            if place := bisect_right(self.starts, int(name)):
                record = str(self.starts[place - 1])
                found[record] = found.get(record, False) or anomalous
        return found
