"""What a page is made of: the incidents with the lines about them, what was read, and what the model is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from offscript.diagnosis import Incident
from offscript.entries import Line


@dataclass(frozen=True, slots=True)
class Shown:
    """An incident, and the lines of the log `around` that of its first verdict, in their order (ours)."""

    incident: Incident
    around: tuple[Line, ...] = ()


@dataclass(frozen=True, slots=True)
class Contents:
    """All that a page shows (ours).

    `model` is the folder as the user typed it, empty where `offscript explain` would not find the verdicts; `sources`
    are what was judged. `counts` says what was read and judged,
    `notes` what was repaired, passed over or not judged, and why; `learnt` what the model was learnt from and
    promises. `span` is the log time of the first and the last line, in seconds since 1970, None without times.
    `templates` names log keys.
    """

    model: str
    version: int
    lineage: str
    sources: tuple[str, ...]
    cases: tuple[Shown, ...]
    counts: tuple[tuple[str, int], ...] = ()
    notes: tuple[str, ...] = ()
    learnt: tuple[str, ...] = ()
    span: tuple[float, float] | None = None
    templates: Mapping[int, str] = field(default_factory=dict)

    @property
    def verdicts(self) -> int:
        """How many verdicts there are in all incidents."""
        return sum(len(case.incident.verdicts) for case in self.cases)

    def count(self, name: str) -> int:
        """Return one of the counts, 0 where it is not there."""
        return dict(self.counts).get(name, 0)


def severity(case: Shown) -> tuple[float, int, float]:
    """Return what incidents are sorted by, the worst first: score, sessions, then the earliest."""
    incident = case.incident
    worst = max(verdict.score for verdict in incident.verdicts)
    return -worst, -max(1, len(incident.sessions)), incident.start if incident.start is not None else 0.0
