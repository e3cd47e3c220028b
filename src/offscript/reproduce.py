"""The verb `reproduce`: experiments that anyone can run again, each named as in docs/paper.md."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from offscript.console import Output, chosen, progress_bar, say
from offscript.errors import UsageError

Found = TypeVar("Found")


class Experiment(StrEnum):
    """What can be reproduced."""

    PARSING = "parsing"
    HDFS = "hdfs"
    BGL_UPDATE = "bgl-update"
    OPENSTACK_VALUES = "openstack-values"
    OPENSTACK_WORKFLOW = "openstack-workflow"
    WORKFLOW_STUDY = "workflow-study"


def reproduce_verb(
    experiment: Annotated[
        Experiment,
        typer.Argument(
            help="parsing: templates of Loghub's samples, beside peers. hdfs: table 4 of DeepLog's paper. "
            "bgl-update: its section 5.3, online update by feedback. "
            "openstack-values: its section 5.2, machines that take too long. openstack-workflow: its section 5.5, the "
            "workflow of a machine. workflow-study: tasks and graphs found in random systems, which needs no data."
        ),
    ],
    data: Annotated[
        Path | None, typer.Option("--data", metavar="DIR", help="The folder of the public data sets.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Also write tables, records and figures here.")
    ] = None,
    quick: Annotated[
        bool,
        typer.Option(
            "--quick", help="A look within minutes, not figures to quote; not for parsing and openstack-workflow."
        ),
    ] = False,
    output: Annotated[
        Output | None, typer.Option("--output", help="Default: a table on a terminal, JSON lines on a pipe.")
    ] = None,
) -> None:
    """Run an experiment on public data again, with other programs beside, and print its table."""
    if experiment is Experiment.WORKFLOW_STUDY:
        _study(out, chosen(output), quick=quick)
        return
    if data is None:
        raise UsageError("--data is missing", where=experiment, remedy="name the folder of the public data sets")
    if quick and experiment in (Experiment.PARSING, Experiment.OPENSTACK_WORKFLOW):
        remedy = "leave it out: the whole experiment takes minutes"
        raise UsageError(f"--quick is not for {experiment}", where=experiment, remedy=remedy)
    match experiment:
        case Experiment.PARSING:
            _parsing(data, out, chosen(output))
        case Experiment.HDFS:
            _hdfs(data, out, chosen(output), quick=quick)
        case Experiment.BGL_UPDATE:
            _bgl(data, out, chosen(output), quick=quick)
        case Experiment.OPENSTACK_VALUES:
            _openstack(data, out, chosen(output), quick=quick)
        case Experiment.OPENSTACK_WORKFLOW:
            _machines(data, out, chosen(output))


def _parsing(data: Path, out: Path | None, output: Output) -> None:
    from offscript.evaluate.parsing import run_parsing  # noqa: PLC0415  (loaded only by the verbs that need it)
    from offscript.parsing_report import print_parsing, write_parsing  # noqa: PLC0415

    _shown(lambda report: run_parsing(data, progress=report), write_parsing, print_parsing, out, output)


def _hdfs(data: Path, out: Path | None, output: Output, *, quick: bool) -> None:
    from offscript.evaluate import hdfs  # noqa: PLC0415  (loaded only by the verbs that need it)
    from offscript.hdfs_report import print_hdfs, write_hdfs  # noqa: PLC0415

    plan = hdfs.quick() if quick else hdfs.FULL
    _shown(lambda report: hdfs.run_hdfs(data, plan, progress=report), write_hdfs, print_hdfs, out, output)


def _bgl(data: Path, out: Path | None, output: Output, *, quick: bool) -> None:
    from offscript.bgl_report import print_bgl, write_bgl  # noqa: PLC0415  (loaded only by the verbs that need it)
    from offscript.evaluate import bgl  # noqa: PLC0415

    plan = bgl.quick() if quick else bgl.FULL
    _shown(lambda report: bgl.run_bgl(data, plan, progress=report), write_bgl, print_bgl, out, output)


def _openstack(data: Path, out: Path | None, output: Output, *, quick: bool) -> None:
    from offscript.evaluate import openstack  # noqa: PLC0415  (loaded only by the verbs that need it)
    from offscript.openstack_report import print_openstack, write_openstack  # noqa: PLC0415

    plan = openstack.quick() if quick else openstack.FULL
    _shown(
        lambda report: openstack.run_openstack(data, plan, progress=report),
        write_openstack,
        print_openstack,
        out,
        output,
    )


def _machines(data: Path, out: Path | None, output: Output) -> None:
    from offscript.evaluate.openstack_workflow import run_machines  # noqa: PLC0415  (loaded only by the verbs that need it)
    from offscript.workflow_report import print_machines, write_machines  # noqa: PLC0415

    _shown(lambda report: run_machines(data, progress=report), write_machines, print_machines, out, output)


def _study(out: Path | None, output: Output, *, quick: bool) -> None:
    from offscript.evaluate import workflow_study as study  # noqa: PLC0415  (loaded only by the verbs that need it)
    from offscript.workflow_report import print_study, write_study  # noqa: PLC0415

    plan = study.quick() if quick else study.FULL
    _shown(lambda report: study.run_study(plan, progress=report), write_study, print_study, out, output)


def _shown(
    run: Callable[[Callable[[str, float, float], None]], Found],
    write: Callable[[Found, Path], None],
    tell: Callable[[Found, Output], None],
    out: Path | None,
    output: Output,
) -> None:
    """Run an experiment under a progress bar, write it down where that is asked for, and print it."""
    with progress_bar() as report:
        found = run(report)
    if out is not None:  # first: an hour's work is not lost to a reader on a pipe that left
        write(found, out)
        say(f"written to {out}")
    tell(found, output)
