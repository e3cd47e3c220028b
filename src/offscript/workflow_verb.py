"""The verb `workflow`: the tasks of a model as an outline, a picture, or in the notation of another program."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from offscript.console import emit, say, writing
from offscript.errors import ModelError, UsageError
from offscript.model import Model, load
from offscript.model_workflows import workflows_of
from offscript.workflow.graph import Workflow

STDOUT = "-"


def workflow_verb(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="A folder made by `offscript fit`.")],
    task: Annotated[
        int | None, typer.Option("--task", metavar="N", help="Only this task; 1 has the most sessions.")
    ] = None,
    svg: Annotated[
        str | None,
        typer.Option("--svg", metavar="FILE", help="Write a picture to this file, or - for standard output."),
    ] = None,
    mermaid: Annotated[bool, typer.Option("--mermaid", help="Print a Mermaid flowchart.")] = False,
    dot: Annotated[bool, typer.Option("--dot", help="Print a graph for Graphviz.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print all that is known, one line of JSON a task.")] = False,
) -> None:
    """Show what the system does: the steps of each task in order, their choices, repetitions and times."""
    forms = [name for name, given in (("--mermaid", mermaid), ("--dot", dot), ("--json", json)) if given]
    forms += ["--svg"] if svg is not None else []
    if len(forms) > 1:
        raise UsageError(f"{' and '.join(forms)} are two forms", remedy="ask for one of them")
    loaded = load(model)
    flows = _flows(loaded, model)
    names = _names(loaded)
    if svg is not None:
        _picture(_one(flows, task), names, svg)
        return
    form = forms[0] if forms else ""
    shown = flows if form in ("", "--json") and task is None else [_one(flows, task)]
    for number, flow in enumerate(shown):
        emit(("\n" if number and not form else "") + _written(flow, names, form).rstrip("\n"))


def _flows(model: Model, place: Path) -> Sequence[Workflow]:
    flows = workflows_of(model, model.times).flows
    if not flows:
        remedy = "fit again on a log whose lines name their session, or with `--session REGEX`"
        raise ModelError("holds no workflow: its training log has no sessions", where=str(place), remedy=remedy)
    return flows


def _names(model: Model) -> dict[int, str]:
    return {key: model.templates.template(key).text for key in model.templates.keys()}  # noqa: SIM118  (no mapping)


def _one(flows: Sequence[Workflow], task: int | None) -> Workflow:
    """Return the task asked for, else the first, and say that there are others."""
    if task is None:
        if len(flows) > 1:
            say(f"task 1 of {len(flows)}, which has the most sessions; choose another with --task")
        return flows[0]
    found = next((flow for flow in flows if flow.number == task), None)
    if found is None:
        known = f"1 to {len(flows)}" if len(flows) > 1 else "1"
        raise UsageError(f"there is no task {task}", where="--task", remedy=f"give {known}")
    return found


def _written(flow: Workflow, names: Mapping[int, str], form: str) -> str:
    from offscript.workflow import notations, outline  # noqa: PLC0415  (loaded only by this verb)

    match form:
        case "--mermaid":
            return notations.mermaid(flow, names)
        case "--dot":
            return notations.dot(flow, names)
        case "--json":
            return notations.to_json(flow, names)
    return outline.text(flow, names)


def _picture(flow: Workflow, names: Mapping[int, str], file: str) -> None:
    from offscript.workflow.svg import svg  # noqa: PLC0415  (loaded only by this verb)

    drawn = svg(flow, names)
    if file == STDOUT:
        with writing():
            sys.stdout.buffer.write(drawn.encode("utf-8"))  # XML is UTF-8 whatever the terminal's encoding
            sys.stdout.buffer.flush()
        return
    try:
        Path(file).write_text(drawn, "utf-8")
    except OSError as error:
        raise UsageError(
            f"cannot be written ({error.strerror})", where=file, remedy="give a file in a folder that is yours"
        ) from error
    say(f"task {flow.number} drawn as {file}")
