"""The verb `demo`: what this is about, shown on a recorded log."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from offscript.console import Output, progress_bar, say
from offscript.demo_report import page_place, print_demo, write_demo_page
from offscript.evaluate.demo import run_demo
from offscript.options import Form, ReportOption


def demo_verb(
    output: Form = None,
    keep: Annotated[Path | None, typer.Option("--keep", metavar="MODEL", help="Save the model and keep it.")] = None,
    report: ReportOption = None,
) -> None:
    """Fit on a recorded PostgreSQL log, detect injected faults in another, score what was found, and write a page."""
    place = page_place(report)
    with progress_bar() as told:
        result = run_demo(progress=told, say=say)
    if keep is not None:
        result.model.save(keep)
        say(f"model saved as {keep}")
    print_demo(result, output if output is not None else Output.TABLE)
    write_demo_page(result, place, keep)
