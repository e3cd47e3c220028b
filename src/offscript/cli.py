"""The command line: one function a verb; formatting and exit codes only.

Exit codes: 0 nothing found (or no question asked), 1 anomalies found (with --exit-code), 2 usage or input error.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from typer.exceptions import Abort, Exit, TyperException

from offscript import __version__
from offscript.announce import announce, announce_live, journalled, summarise
from offscript.config import Config
from offscript.console import (
    Output,
    chosen,
    emit,
    handed_over,
    print_rows,
    progress_bar,
    quiet_broken_pipe,
    say,
    settings,
)
from offscript.detect_report import Kept, check_report, write_report
from offscript.detection import detect
from offscript.detector import Detector
from offscript.entries import Line
from offscript.errors import InputError, OffscriptError, UsageError
from offscript.explain_verb import explain_verb
from offscript.feedback_verbs import learn_verb, undo_verb, versions_verb
from offscript.journal import Journal
from offscript.model import Model, load
from offscript.model_folder import check_place, journal_path
from offscript.options import (
    AlarmsOption,
    CompleteOption,
    ConfigOption,
    ExitOption,
    Form,
    HeaderOption,
    Logs,
    ModelDir,
    ReportOption,
    SeedOption,
    SessionKeyOption,
    TimeOption,
)
from offscript.parse.header import Header, header_from_options
from offscript.parse_verb import parse_verb
from offscript.reproduce import reproduce_verb
from offscript.sources import follow, read
from offscript.succession import Succession
from offscript.workflow_verb import workflow_verb

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Reads raw logs, learns what is normal, and says when a system goes off script.",
)


@app.callback(invoke_without_command=True)
def version(
    context: typer.Context,
    show_version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Print the version when asked to."""
    if show_version:
        emit(f"offscript {__version__}")
        raise typer.Exit(0)
    if context.invoked_subcommand is None:
        emit(context.get_help())


@app.command("fit")
def fit_verb(
    logs: Logs,
    out: Annotated[Path, typer.Option("-o", "--out", metavar="MODEL", help="The folder to write.")],
    session: SessionKeyOption = None,
    header: HeaderOption = None,
    time_format: TimeOption = None,
    false_alarms: AlarmsOption = None,
    seed: SeedOption = None,
    config: ConfigOption = None,
    note: Annotated[str, typer.Option("--note", help="A word on this version, kept with it.")] = "",
) -> None:
    """Learn a model from the logs of normal operation; print what was found and what can be promised."""
    chosen_settings = settings(config, session=session, false_alarms=false_alarms, seed=seed)
    reading = read(*logs, config=chosen_settings)
    check_place(out)
    model = _fit(reading, chosen_settings, header_from_options(time_format, header))
    model = model.save(out, note=note)
    for finding in (*reading.report.findings(), *model.facts["findings"]):
        say(finding)
    say(f"model {out}, version {model.version}, lineage {model.lineage}")


@app.command("detect")
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
    if report is not None:
        check_report(report, logs, model)
    detector = Detector(judge)
    kept = Kept(judge=lambda: detector.model)
    journal = None if no_journal else Journal(journal_path(model))
    live = follow_file or logs == ["-"]
    if live:
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # a stopped service tells its sums too
        reading = None if follow_file else read("-", config=judge.config)
        lines = follow(logs[0], stop=lambda: False, config=judge.config) if reading is None else reading
        between = None if same_version else Succession(detector, model, say).look
        found = announce_live(
            detector, lines, chosen(output), journal, complete=complete, passing=kept.passing, between=between
        )
    else:
        form = chosen(output)
        with progress_bar(shown=form.waits) as told:
            reading = read(*logs, config=judge.config, progress=lambda done, of: told("judging bytes", done, of or 0))
            judged = kept.passing(detect(judge, reading, complete=complete, detector=detector))
            verdicts = journalled(judged, journal, detector)
            if form.waits:  # nothing is printed while the bar is
                verdicts = iter(list(verdicts))
        found = announce(verdicts, form)
        for finding in reading.report.findings():
            say(finding)
    if report is not None:
        met = None if reading is None else reading.report
        folder = None if no_journal else model
        write_report(report, detector, kept, met, again=() if live else logs, model=folder, with_tasks=task)
    _end(detector, found, exit_code)


@app.command("scan")
def scan_verb(
    logs: Logs,
    output: Form = None,
    session: SessionKeyOption = None,
    header: HeaderOption = None,
    time_format: TimeOption = None,
    share: Annotated[
        float, typer.Option("--learn-share", min=0.1, max=0.95, help="Share of the lines to learn from.")
    ] = 0.7,
    false_alarms: AlarmsOption = None,
    seed: SeedOption = None,
    config: ConfigOption = None,
    exit_code: ExitOption = False,
) -> None:
    """Look at one mixed log without a model: learn from its earlier part, judge the later, and say so."""
    chosen_settings = settings(config, session=session, false_alarms=false_alarms, seed=seed)
    reading = read(*logs, config=chosen_settings)
    lines = list(reading)
    for finding in reading.report.findings():
        say(finding)
    split = int(len(lines) * share)
    from offscript.fitting import MIN_ENTRIES  # noqa: PLC0415  (loaded only by the verbs that learn)

    if split < MIN_ENTRIES:
        raise InputError(
            f"{len(lines)} lines are too few", where=logs[0], remedy="give a log of some hundred lines at least"
        )
    say(
        f"learning from the first {split:,} lines and judging the last {len(lines) - split:,}: what went wrong in the "
        "first part counts as normal here; for a clean model use `offscript fit` on normal logs"
    )
    model = _fit(lines[:split], chosen_settings, header_from_options(time_format, header))
    for finding in model.facts["findings"]:
        say(finding)
    detector = Detector(model)
    detector.push_block(lines[:split])  # opens the sessions that run across the border; what it says is not news
    detector.counts.clear()
    found = announce(detect(model, lines[split:], detector=detector), chosen(output))
    _end(detector, found, exit_code)


app.command("parse")(parse_verb)


@app.command("keys")
def keys_verb(
    model: ModelDir,
    output: Form = None,
    values: Annotated[
        bool, typer.Option("--values", help="List the times and values instead: what is normal, or why not judged.")
    ] = False,
) -> None:
    """List the log keys of a model with their counts and templates."""
    loaded = load(model)
    if values:
        from offscript.value_table import VALUE_COLUMNS, value_rows  # noqa: PLC0415

        print_rows("times and values", VALUE_COLUMNS, value_rows(loaded), chosen(output))
        return
    templates = loaded.templates
    known = templates.keys()
    rows = [[key, templates.template(key).count, templates.template(key).text] for key in known]
    print_rows(
        "log keys", ["key", "count", "template"], sorted(rows, key=lambda row: (-row[1], row[0])), chosen(output)
    )


@app.command("evaluate")
def evaluate_verb(
    model: ModelDir,
    logs: Logs,
    labels: Annotated[
        Path, typer.Option("--labels", metavar="CSV", help="session,label or line,label; 1 is anomalous.")
    ],
    output: Form = None,
    complete: CompleteOption = False,
    allow_unknown: Annotated[
        bool, typer.Option("--allow-unknown", help="Leave out labels of units not in the log.")
    ] = False,
) -> None:
    """Compare verdicts with labels: precision, recall, F1, and what was counted."""
    from offscript.evaluate.judge import evaluate  # noqa: PLC0415
    from offscript.evaluate.labels import read_labels  # noqa: PLC0415

    truth = read_labels(labels)
    judge = load(model)
    reading = read(*logs, config=judge.config)
    record = evaluate(judge, reading, truth, complete=complete, allow_unknown=allow_unknown).record()
    if chosen(output) is Output.TABLE:
        print_rows("evaluation", ["what", "value"], [[name, value] for name, value in record.items()], Output.TABLE)
    else:
        print_rows("evaluation", list(record), [list(record.values())], chosen(output))


@app.command("demo")
def demo_verb(
    output: Form = None,
    keep: Annotated[Path | None, typer.Option("--keep", metavar="MODEL", help="Save the model and keep it.")] = None,
    report: ReportOption = None,
) -> None:
    """Fit on a recorded PostgreSQL log, detect injected faults in another, score what was found, and write a page."""
    from offscript.demo_report import page_place, print_demo, write_demo_page  # noqa: PLC0415
    from offscript.evaluate.demo import run_demo  # noqa: PLC0415

    place = page_place(report)
    with progress_bar() as told:
        result = run_demo(progress=told, say=say)
    if keep is not None:
        result.model.save(keep)
        say(f"model saved as {keep}")
    print_demo(result, output if output is not None else Output.TABLE)
    write_demo_page(result, place, keep)


app.command("explain")(explain_verb)
app.command("workflow")(workflow_verb)
app.command("reproduce")(reproduce_verb)
app.command("learn")(learn_verb)
app.command("versions")(versions_verb)
app.command("undo")(undo_verb)


def _end(detector: Detector, found: int, exit_code: bool) -> NoReturn:
    summarise(detector, found)
    raise typer.Exit(1 if found and exit_code else 0)


def _fit(lines: Iterable[Line], config: Config, header: Header | None) -> Model:
    from offscript.fitting import fit  # noqa: PLC0415  (training is loaded only by the verbs that learn)

    with progress_bar() as report:
        return fit(lines, config, header=header, progress=report)


def main() -> None:
    """Run the command line; every expected error is one line on standard error and exit code 2."""
    try:
        with handed_over():
            code = app(standalone_mode=False)
    except OffscriptError as error:
        say(f"offscript: {error}")
        code = 2
    except TyperException as error:
        say(f"offscript: {' '.join(error.format_message().split()).rstrip('.')}; see `offscript {_verb()}--help`")
        code = 2
    except Exit as stop:
        code = stop.exit_code
    except (Abort, KeyboardInterrupt):
        say("offscript: stopped")
        code = 130
    except BrokenPipeError:
        quiet_broken_pipe()
        code = 0
    sys.exit(code if isinstance(code, int) else 0)


def _verb() -> str:
    known = {command.name for command in app.registered_commands}
    return next((f"{word} " for word in sys.argv[1:2] if word in known), "")
