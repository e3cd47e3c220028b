"""The report of a detection, from verdicts to a file: read again, diagnosed, grouped into incidents, written."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, field, replace
from itertools import islice, pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from offscript.alphabet import Alphabet
from offscript.casefile import Case, cases
from offscript.console import progress_bar, say
from offscript.detector import COUNTED, Detector
from offscript.diagnosis import Diagnoser, Diagnosis
from offscript.entries import Line, Verdict
from offscript.errors import UsageError
from offscript.feedback import readable
from offscript.incidents import gap_of, incidents
from offscript.model import Model
from offscript.model_workflows import workflows_if_quick
from offscript.report.contents import Contents, Shown
from offscript.report.page import page
from offscript.sources import STDIN, Report, read
from offscript.sources.paths import find_sources

if TYPE_CHECKING:
    from offscript.workflow.learn import Workflows

VERDICTS_KEPT = 10_000
"""Verdicts that a report is made of, the first ones: as many as a second reading looks up lines for."""

FIRST_LINES = 50
"""Lines looked at for the first stamp: a log may begin with a banner."""


@dataclass(slots=True)
class Kept:
    """The verdicts that pass by, the first `VERDICTS_KEPT` of them kept; `more` counts the others.

    `judge` tells which version judges, where that may change; `versions` are those that did, each with how many
    verdicts were kept before its first.
    """

    verdicts: list[Verdict] = field(default_factory=list)
    more: int = 0
    judge: Callable[[], Model] | None = None
    versions: list[tuple[int, Model]] = field(init=False, default_factory=list)

    def passing(self, verdicts: Iterable[Verdict]) -> Iterator[Verdict]:
        """Yield the verdicts unchanged."""
        for verdict in verdicts:
            if self.judge is not None and (not self.versions or self.versions[-1][1] is not self.judge()):
                self.versions.append((len(self.verdicts), self.judge()))
            if len(self.verdicts) < VERDICTS_KEPT:
                self.verdicts.append(verdict)
            else:
                self.more += 1
            yield verdict

    def as_by(self, model: Model) -> list[Verdict]:
        """The verdicts as by one version: lines that it does not know, or by another key, are unknown to it."""
        keys = frozenset(model.templates.keys())
        found = [_with_unknown(verdict, keys) for verdict in self.verdicts]
        now = Alphabet.of(model)
        for (first, version), (end, _) in pairwise([*self.versions, (len(found), model)]):
            if version is not model:
                shared = Alphabet.of(version).shared(now)
                found[first:end] = [_with_unknown(verdict, shared) for verdict in found[first:end]]
        return found


def check_report(path: Path, logs: Sequence[str] = (), model: Path | None = None) -> None:
    """Raise UsageError when a report cannot be written there: no such folder, not a file, a log, inside the model.

    For a caller who is about to judge for a while, and would rather know before.
    """
    try:
        if path.exists() and not path.is_file():
            raise UsageError("is not a file", where=str(path), remedy="give the name of a file for the report")
        if model is not None and model.resolve() in path.resolve().parents:
            raise UsageError("is inside the model's folder", where=str(path), remedy="write the report elsewhere")
        if logs and path.exists() and any(Path(file).samefile(path) for file in _files(logs)):
            raise UsageError("is a log that is to be read", where=str(path), remedy="give another file for the report")
        beside = _beside(path)
        beside.touch(exist_ok=False)
        beside.unlink()
    except OSError as error:
        raise _unwritable(path, error) from error


def write_report(
    path: Path,
    detector: Detector,
    kept: Kept,
    met: Report | None,
    *,
    again: Sequence[str],
    model: Path | None,
    with_tasks: bool | None = None,
) -> None:
    """Write the report of what a detector said of some logs, and say where it is.

    `met` is what their reading met; `again` are the logs, where they can be read once more; `model` the folder whose
    journal has the verdicts, if one has. `with_tasks` says whether the workflows of the model are learnt and drawn;
    with None they are where that takes seconds.
    """
    config = detector.model.config
    can_read = _can_be_read_again(again)
    with progress_bar() as told:
        contents = report_of(
            detector,
            kept,
            sources=met.sources if met is not None else again,
            notes=met.findings() if met is not None else (),
            again=read(*again, config=config, progress=lambda done, of: told("reading again", done, of or 0))
            if can_read and kept.verdicts
            else None,
            first=read(*again, config=config) if can_read else (),
            model_name="" if model is None else str(model),
            workflows=workflows_if_quick(detector.model, with_tasks) if kept.verdicts else None,
        )
    write_page(path, contents)
    say(f"report {path}")


def _can_be_read_again(logs: Sequence[str]) -> bool:
    """Whether logs are files: a named pipe, or what a shell puts in place of a command, is empty the second time."""
    return bool(logs) and STDIN not in logs and all(Path(file).is_file() for file in _files(logs))


def write_page(path: Path, contents: Contents) -> None:
    """Write the page: whole, or not at all."""
    made, beside = page(contents), _beside(path)
    try:
        try:
            with beside.open("x", encoding="utf-8") as file:
                file.write(made)
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)
    except OSError as error:
        raise _unwritable(path, error) from error


def _files(logs: Sequence[str]) -> list[str]:
    return [file for source in find_sources(logs) for file in source.files if file != STDIN]


def _beside(path: Path) -> Path:
    """Where the page is written until it is whole: in the same folder, so that it can take its name at once."""
    return path.with_name(f".offscript-{os.getpid()}.html")


def _unwritable(path: Path, error: OSError) -> UsageError:
    return UsageError(f"cannot be written ({error.strerror})", where=str(path), remedy="give another file or folder")


def report_of(
    detector: Detector,
    kept: Kept,
    *,
    sources: Sequence[str],
    notes: Sequence[str] = (),
    again: Iterable[Line] | None = None,
    first: Iterable[Line] = (),
    model_name: str = "",
    anywhere: bool = False,
    workflows: Workflows | None = None,
) -> Contents:
    """Return what a report shows of the verdicts kept (ours).

    Args:
        detector: the detector that gave them, at the end of the input.
        kept: the verdicts; those of versions before the last may refer to lines that this does not know.
        sources: the names of what was judged.
        notes: what the reading met.
        again: the same lines once more, from their beginning; without them only the last steps before a verdict are
            known, and not the lines around it.
        first: the first lines, for the time at which the log begins.
        model_name: the folder of the model, where `offscript explain` finds the verdicts; empty where it does not.
        anywhere: whether the lines may come from a source of another name.
        workflows: those of the model, on which sessions are laid; without them no task is told or drawn.
    """
    model = detector.model
    verdicts = kept.as_by(model)
    found = {} if again is None else cases(model, again, verdicts, anywhere=anywhere)
    diagnoser = Diagnoser(model, workflows)
    grouped = incidents(verdicts, lambda verdict: _diagnosed(diagnoser, verdict, found.get(verdict.id)), gap_of(model))
    return Contents(
        model=model_name,
        version=model.version,
        lineage=model.lineage,
        sources=tuple(sources),
        cases=tuple(Shown(one, _around(found.get(one.first.verdict.id))) for one in grouped),
        counts=tuple((name, detector.counts[name]) for name in COUNTED if detector.counts[name]),
        notes=(*notes, *_limits(kept, read_again=again is not None or not kept.verdicts)),
        learnt=tuple(model.facts.get("findings", ())),
        span=_span(detector, first),
        templates={key: model.templates.template(key).text for key in sorted(model.templates.keys())},
    )


def _with_unknown(verdict: Verdict, keys: Set[int]) -> Verdict:
    """The verdict as by a version that has these keys: lines of others are unknown to it."""
    if readable(verdict, keys):
        return verdict
    history = tuple(key if key in keys else 0 for key in verdict.history)
    entry = verdict.entry
    if entry.key > 0 and entry.key not in keys:
        entry = replace(entry, key=0, known=False)
    return replace(verdict, history=history, entry=entry)


def _diagnosed(diagnoser: Diagnoser, verdict: Verdict, case: Case | None) -> Diagnosis:
    if case is None or not case.entries:
        return diagnoser.of(verdict)
    return diagnoser.of(verdict, case.entries, whole=case.path_is_whole, ended=case.ended)


def _around(case: Case | None) -> tuple[Line, ...]:
    return () if case is None or case.line is None else (*case.before, case.line, *case.after)


def _limits(kept: Kept, *, read_again: bool) -> Iterator[str]:
    """What is not on the page, and why."""
    if kept.more:
        yield f"{kept.more:,} later verdicts are not in this report, which is made of the first {len(kept.verdicts):,}"
    if not read_again:
        yield "the log was not read a second time: of a path the last steps are known, and no lines around it"


def _span(detector: Detector, first: Iterable[Line]) -> tuple[float, float] | None:
    """The time of the first stamp and the latest clock."""
    fields = (detector.model.header.split(line.text) for line in islice(first, FIRST_LINES))
    began = next((one.time for one in fields if one is not None and one.time is not None), None)
    now = detector.now()
    return None if began is None or now is None else (min(began, now), now)
