"""`offscript explain`: one verdict, diagnosed for a person: where its session left the script, and what was slow."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from offscript.case_report import case_record, case_text
from offscript.casefile import Case, cases
from offscript.console import Output, emit, say
from offscript.diagnosis import Diagnoser
from offscript.entries import Verdict
from offscript.errors import InputError, ModelError, UsageError
from offscript.journal import Journal
from offscript.model import Model, load
from offscript.model_folder import current_version, journal_path
from offscript.model_workflows import workflows_if_quick
from offscript.render import json_line
from offscript.sources import STDIN, read

if TYPE_CHECKING:
    from offscript.workflow.learn import Workflows

NO_LOG: Final = "only what the verdict itself holds is known; give the log it was found in with --log"


def explain_verb(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="A folder made by `offscript fit`.")],
    verdict_id: Annotated[str, typer.Argument(metavar="VERDICT_ID", help="As `offscript detect` printed it.")],
    log: Annotated[
        list[str] | None,
        typer.Option("--log", metavar="FILE", help="The log it was found in, if that is no longer where it was."),
    ] = None,
    task: Annotated[
        bool | None,
        typer.Option(
            "--task/--no-task",
            help="Lay the session on the workflow of its task. Default: where learning the workflows takes seconds.",
        ),
    ] = None,
    output: Annotated[Output, typer.Option("--output", help="table: for people; json: one record.")] = Output.TABLE,
) -> None:
    """Explain a verdict: where its session left the script, what was expected there, which step was slow."""
    if output not in (Output.TABLE, Output.JSON):
        raise UsageError(f"explain does not print {output.value}", remedy="give --output table or json")
    verdict, judge = stored(model, verdict_id)
    case = reread(judge, verdict, log or [])
    diagnoser = Diagnoser(judge, learnt(judge, wanted=task))
    diagnosis = diagnoser.of(verdict, case.entries or None, whole=case.path_is_whole, ended=case.ended)
    if output is Output.JSON:
        emit(json_line(case_record(diagnosis, case)))
    else:
        emit(case_text(diagnosis, case, diagnoser.wording))


def learnt(model: Model, *, wanted: bool | None) -> Workflows | None:
    """Return the workflows of a model where they are wanted, or, with None, where it takes seconds to learn them."""
    found = workflows_if_quick(model, wanted)
    if found is None and wanted is None:
        say("the task is told with --task: learning the workflows of this model takes a while, or is a guess")
    return found


def stored(folder: Path, verdict_id: str) -> tuple[Verdict, Model]:
    """Return a verdict of the journal of a model, and the version that gave it.

    Raises UsageError where no such verdict is stored, ModelError where that version is gone.
    """
    current_version(folder)
    if not journal_path(folder).exists():
        raise UsageError(
            "no verdicts are stored", where=str(folder), remedy="run `offscript detect` without --no-journal first"
        )
    journal = Journal(journal_path(folder))
    verdict = journal.get(verdict_id)
    lineage, version = journal.origin(verdict.id)
    judge = load(folder, version=version)
    if judge.lineage != lineage:
        raise ModelError(
            "holds another model than the one that gave this verdict",
            where=str(folder),
            remedy="run `offscript detect` again, and explain what it prints",
        )
    return verdict, judge


def reread(model: Model, verdict: Verdict, logs: list[str]) -> Case:
    """Read the log of a verdict once more; where it is not there, or another by now, say so and go without."""
    source = verdict.entry.line.source
    if not logs and (source == STDIN or not Path(source).is_file()):
        where = "from a pipe" if source == STDIN else f"in {source}, which is not there"
        say(f"the line came {where}: {NO_LOG}")
        return Case(verdict)
    try:
        lines = read(*(logs or [source]), config=model.config)
        case = cases(model, lines, [verdict], anywhere=bool(logs))[verdict.id]
    except InputError as error:
        if logs:
            raise
        say(f"{error}: {NO_LOG}")
        return Case(verdict)
    if case.line is None:
        told = ", ".join(logs or [source])
        say(f"line {verdict.entry.line.number:,} of {told} is not the one that was judged: {NO_LOG}")
    return case
