"""The verb `reproduce`: experiments that anyone can run again, each named as in docs/paper.md."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from offscript.console import Output, chosen, progress_bar, say


class Experiment(StrEnum):
    """What can be reproduced."""

    PARSING = "parsing"


def reproduce_verb(
    experiment: Annotated[Experiment, typer.Argument(help="parsing: templates of Loghub's samples, beside peers.")],
    data: Annotated[Path, typer.Option("--data", metavar="DIR", help="The folder of the public data sets.")],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Also write the table, the records and a figure here.")
    ] = None,
    output: Annotated[
        Output | None, typer.Option("--output", help="Default: a table on a terminal, JSON lines on a pipe.")
    ] = None,
) -> None:
    """Run an experiment on public data again, with other programs beside, and print its table."""
    match experiment:
        case Experiment.PARSING:
            _parsing(data, out, chosen(output))


def _parsing(data: Path, out: Path | None, output: Output) -> None:
    from offscript.evaluate.parsing import run_parsing  # noqa: PLC0415  (loaded only by the verbs that need it)
    from offscript.parsing_report import print_parsing, write_parsing  # noqa: PLC0415

    with progress_bar() as report:
        found = run_parsing(data, progress=report)
    print_parsing(found, output)
    if out is not None:
        write_parsing(found, out)
        say(f"written to {out}")
