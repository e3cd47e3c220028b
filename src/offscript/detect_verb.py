"""The verb `detect`: judge logs with a model. What only some of its options need is loaded where it is asked for."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from offscript.announce import Strange, announce, announce_live, journalled, summarise
from offscript.console import chosen, progress_bar, say
from offscript.detection import detect
from offscript.detector import Detector
from offscript.errors import UsageError
from offscript.journal import Journal
from offscript.model import load
from offscript.model_folder import journal_path
from offscript.options import CompleteOption, ExitOption, Form, Logs, ModelDir, ReportOption
from offscript.sources import follow, read

if TYPE_CHECKING:
    from offscript.detect_report import Kept


def detect_verb(
    model: ModelDir,
    logs: Logs,
    output: Form = None,
    complete: CompleteOption = False,
    follow_file: Annotated[
        bool, typer.Option("--follow", help="Keep reading the file as it grows, through rotation.")
    ] = False,
    same_version: Annotated[
        bool,
        typer.Option("--same-version", help="Live: keep to the version it begins with, whatever is learnt meanwhile."),
    ] = False,
    no_journal: Annotated[
        bool, typer.Option("--no-journal", help="Do not keep the verdicts in the model folder.")
    ] = False,
    report: ReportOption = None,
    task: Annotated[
        bool | None,
        typer.Option(
            "--task/--no-task", help="Draw the workflows in the report. Default: where learning them takes seconds."
        ),
    ] = None,
    exit_code: ExitOption = False,
) -> None:
    """Judge logs with a model: print each anomaly, where it is, what was expected instead, and why."""
    judge = load(model)
    if follow_file and len(logs) != 1:
        raise UsageError("--follow takes one file", remedy="give one file, or pipe `tail -F` into `detect MODEL -`")
    detector = Detector(judge)
    kept = _kept(report, logs, model, detector) if report is not None else None
    strange = Strange(iter if kept is None else kept.passing)
    journal = None if no_journal else Journal(journal_path(model))
    live = follow_file or logs == ["-"]
    if live:
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # a stopped service tells its sums too
        reading = None if follow_file else read("-", config=judge.config)
        lines = follow(logs[0], stop=lambda: False, config=judge.config) if reading is None else reading
        between = None if same_version else _succession(detector, model)
        found = announce_live(
            detector, lines, chosen(output), journal, complete=complete, passing=strange.passing, between=between
        )
    else:
        form = chosen(output)
        with progress_bar(shown=form.waits) as told:
            reading = read(*logs, config=judge.config, progress=lambda done, of: told("judging bytes", done, of or 0))
            judged = strange.passing(detect(judge, reading, complete=complete, detector=detector))
            verdicts = journalled(judged, journal, detector)
            if form.waits:  # nothing is printed while the bar is
                verdicts = iter(list(verdicts))
        found = announce(verdicts, form)
        for finding in reading.report.findings():
            say(finding)
    if report is not None and kept is not None:
        from offscript.detect_report import write_report  # noqa: PLC0415  (the page is loaded only where it is written)

        met = None if reading is None else reading.report
        folder = None if no_journal else model
        write_report(report, detector, kept, met, again=() if live else logs, model=folder, with_tasks=task)
    if (hint := strange.describe(detector)) is not None:
        say(hint)
    end(detector, found, exit_code)


def _kept(report: Path, logs: list[str], model: Path, detector: Detector) -> Kept:
    """What keeps the verdicts for a report, which can be written there."""
    from offscript.detect_report import Kept, check_report  # noqa: PLC0415  (the page is loaded only where it is written)

    check_report(report, logs, model)
    return Kept(judge=lambda: detector.model)


def _succession(detector: Detector, model: Path) -> Callable[[], object]:
    """What takes over versions that are learnt meanwhile, by whomever."""
    from offscript.succession import Succession  # noqa: PLC0415  (of live detection alone)

    return Succession(detector, model, say).look


def end(detector: Detector, found: int, exit_code: bool) -> NoReturn:
    """Say what was read and judged, and leave with 1 where that was asked for and something was found."""
    summarise(detector, found)
    raise typer.Exit(1 if found and exit_code else 0)
