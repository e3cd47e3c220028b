"""Showing what the workflow experiments found: tables on a terminal, records on a pipe, and files to keep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.text import Text

from offscript.console import Output, print_rows, say, show
from offscript.evaluate.openstack_workflow import HIDDEN, STEPS, Machines
from offscript.evaluate.workflow_study import MINED, SEPARATED, Study
from offscript.render import table
from offscript.report_files import write_report
from offscript.workflow.svg import svg
from offscript.workflow_page import QUICK, machines_page, study_page

PICTURE = "openstack-workflow.svg"


def print_study(found: Study, output: Output) -> None:
    """Print the synthetic study: both tables, or a record a row."""
    if output is not Output.TABLE:
        _print_records("workflow-study", found.records(), output)
    else:
        show(table("with session ids", MINED, found.mined_rows()))
        show(Text(""))
        show(table("without session ids", SEPARATED, found.separated_rows()))
    say(f"{found.plan.systems} systems, {found.seconds / 60:.1f} minutes")
    if found.plan.quick:
        say(QUICK)


def print_machines(found: Machines, output: Output) -> None:
    """Print the OpenStack workflow: both tables and the findings, or a record a row."""
    if output is not Output.TABLE:
        _print_records("openstack-workflow", found.records(), output)
    else:
        show(table("the paper's steps", STEPS, found.step_rows()))
        show(Text(""))
        show(table("with ids hidden", HIDDEN, found.hidden_rows()))
    for finding in found.findings:
        say(finding)


def _print_records(title: str, records: Sequence[Mapping[str, Any]], output: Output) -> None:
    """Print records of several kinds under the columns of all."""
    columns = list(dict.fromkeys(name for record in records for name in record))
    print_rows(title, columns, [[record.get(name, "") for name in columns] for record in records], output)


def write_study(found: Study, folder: Path) -> None:
    """Write `report.md` and `report.json` to a folder; UsageError when it cannot be written."""
    write_report(folder, found.report(), None, lambda _pictures: study_page(found))


def write_machines(found: Machines, folder: Path) -> None:
    """Write `report.md`, `report.json` and the drawing (`openstack-workflow.svg`) to a folder.

    Raises UsageError when the folder cannot be written.
    """

    def page(_figures: list[str]) -> str:
        (folder / PICTURE).write_text(svg(found.workflow, found.templates) + "\n", "utf-8")
        return machines_page(found, [PICTURE])

    write_report(folder, found.report(), None, page)
