"""The verb `reproduce`: experiments that anyone can run again, each named as in docs/paper.md."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from offscript.console import Output, chosen, progress_bar, say
from offscript.errors import UsageError


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

    with progress_bar() as report:
        found = run_parsing(data, progress=report)
    print_parsing(found, output)
    if out is not None:
        write_parsing(found, out)
        say(f"written to {out}")


def _hdfs(data: Path, out: Path | None, output: Output, *, quick: bool) -> None:
    from offscript.evaluate import hdfs  # noqa: PLC0415  (loaded only by the verbs that need it)
    from offscript.hdfs_report import print_hdfs, write_hdfs  # noqa: PLC0415

    with progress_bar() as report:
        found = hdfs.run_hdfs(data, hdfs.quick() if quick else hdfs.FULL, progress=report)
    if out is not None:  # first: an hour's work is not lost to a reader on a pipe that left
        write_hdfs(found, out)
        say(f"written to {out}")
    print_hdfs(found, output)


def _bgl(data: Path, out: Path | None, output: Output, *, quick: bool) -> None:
    from offscript.bgl_report import print_bgl, write_bgl  # noqa: PLC0415  (loaded only by the verbs that need it)
    from offscript.evaluate import bgl  # noqa: PLC0415

    with progress_bar() as report:
        found = bgl.run_bgl(data, bgl.quick() if quick else bgl.FULL, progress=report)
    if out is not None:
        write_bgl(found, out)
        say(f"written to {out}")
    print_bgl(found, output)


def _openstack(data: Path, out: Path | None, output: Output, *, quick: bool) -> None:
    from offscript.evaluate import openstack  # noqa: PLC0415  (loaded only by the verbs that need it)
    from offscript.openstack_report import print_openstack, write_openstack  # noqa: PLC0415

    with progress_bar() as report:
        found = openstack.run_openstack(data, openstack.quick() if quick else openstack.FULL, progress=report)
    if out is not None:
        write_openstack(found, out)
        say(f"written to {out}")
    print_openstack(found, output)


def _machines(data: Path, out: Path | None, output: Output) -> None:
    from offscript.evaluate.openstack_workflow import run_machines  # noqa: PLC0415  (loaded only by the verbs that need it)
    from offscript.workflow_report import print_machines, write_machines  # noqa: PLC0415

    with progress_bar() as report:
        found = run_machines(data, progress=report)
    if out is not None:
        write_machines(found, out)
        say(f"written to {out}")
    print_machines(found, output)


def _study(out: Path | None, output: Output, *, quick: bool) -> None:
    from offscript.evaluate import workflow_study as study  # noqa: PLC0415  (loaded only by the verbs that need it)
    from offscript.workflow_report import print_study, write_study  # noqa: PLC0415

    with progress_bar() as report:
        found = study.run_study(study.quick() if quick else study.FULL, progress=report)
    if out is not None:
        write_study(found, out)
        say(f"written to {out}")
    print_study(found, output)
