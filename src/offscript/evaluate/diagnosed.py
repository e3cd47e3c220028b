"""How often a diagnosis names the last step on script, on the faults of the recording: the table of docs/diagnosis.md.

The truth is the injector's (`departures.py`); what is compared is the first verdict that is told of each fault.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from offscript.casefile import cases
from offscript.diagnosis import Diagnoser, Diagnosis
from offscript.entries import Verdict
from offscript.evaluate.demo import Fault, Judged
from offscript.evaluate.departures import departures
from offscript.model import Model
from offscript.sources import read

COLUMNS: Final = ("fault", "shows as", "injected", "found", "right", "wrong", "for example, the last step on script")


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered for a fault that was found: the line named as the last on script, and those that are right."""

    fault: Fault
    diagnosis: Diagnosis
    line: int | None
    truth: frozenset[int]

    @property
    def is_right(self) -> bool:
        """Whether the line named is the last on script."""
        return self.line in self.truth


@dataclass(frozen=True, slots=True)
class Row:
    """The faults of one kind: how many were injected, found, and diagnosed rightly; the first right step named."""

    kind: str
    shows_as: str
    injected: int
    found: int
    right: int
    example: str

    def cells(self) -> tuple[str, ...]:
        """The row as text, without marks of its own."""
        counts = (self.injected, self.found, self.right, self.found - self.right)
        return (self.kind, self.shows_as, *map(str, counts), self.example)


def answers(model: Model, judged: Sequence[Judged], folder: Path) -> list[Answer]:
    """Diagnose the first verdict told of each fault that was found, from a second reading of the log in the folder."""
    truths = {(one.fault.kind, one.fault.start): one.last for one in departures(folder)}
    chosen: list[tuple[Fault, Verdict, frozenset[int]]] = []
    for one in judged:
        last = truths[one.fault.kind, one.fault.start]
        told = [verdict for verdict in one.verdicts if verdict.session in last]
        if told:
            chosen.append((one.fault, told[0], last[told[0].session or ""]))
    verdicts = [verdict for _, verdict, _ in chosen]
    found = cases(model, read(str(folder / "faulted.log.xz")), verdicts, anywhere=True)
    diagnoser = Diagnoser(model)
    rows: list[Answer] = []
    for fault, verdict, truth in chosen:
        case = found[verdict.id]
        diagnosis = diagnoser.of(verdict, case.entries, whole=case.path_is_whole, ended=case.ended)
        at = diagnosis.departure
        line = diagnosis.entries[at - 1].line.number if at and diagnosis.entries else None
        rows.append(Answer(fault, diagnosis, line, truth))
    return rows


def rows_of(model: Model, judged: Sequence[Judged], answered: Iterable[Answer]) -> list[Row]:
    """Count the answers by kind of fault, in the order in which kinds were injected first."""
    wording = Diagnoser(model).wording
    given = list(answered)
    rows = []
    for kind in dict.fromkeys(one.fault.kind for one in judged):
        mine = [one for one in given if one.fault.kind == kind]
        right = [one for one in mine if one.is_right]
        steps = [one.diagnosis.last_step for one in right if one.diagnosis.last_step is not None]
        example = wording.name(steps[0].key, steps[0].template) if steps else ""
        of_kind = [one for one in judged if one.fault.kind == kind]
        rows.append(Row(kind, of_kind[0].fault.shows_as, len(of_kind), len(mine), len(right), example))
    return rows


def table(rows: Sequence[Row]) -> str:
    """Return the rows as a table of a page, with their sums."""
    sums = [str(sum(getattr(row, name) for row in rows)) for name in ("injected", "found", "right")]
    wrong = str(sum(row.found - row.right for row in rows))
    cells = [COLUMNS, ("---",) * len(COLUMNS), *(row.cells() for row in rows), ("all", "", *sums, wrong, "")]
    return "\n".join(f"| {' | '.join(row)} |" for row in cells)
