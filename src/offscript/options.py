"""Arguments and options that several verbs share: one name and one help text each."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from offscript.console import Output

Logs = Annotated[list[str], typer.Argument(metavar="LOG...", help="Files, folders, globs, or - for standard input.")]
ModelDir = Annotated[Path, typer.Argument(metavar="MODEL", help="A folder made by `offscript fit`.")]
Form = Annotated[Output | None, typer.Option("--output", help="Default: a table on a terminal, JSON lines on a pipe.")]
SessionKeyOption = Annotated[
    str | None,
    typer.Option(
        "--session",
        metavar="REGEX",
        help="What names a session: a pattern whose group 1 (or match) is the id, or 'none'. Default: discovered.",
    ),
]
HeaderOption = Annotated[
    str | None,
    typer.Option(
        "--header", metavar="REGEX", help="Pattern with named groups time, level, message, ... Default: detected."
    ),
]
TimeOption = Annotated[
    str | None,
    typer.Option(
        "--time-format",
        metavar="FORMAT",
        help="strptime format of the stamp at the start of a line. Default: detected.",
    ),
]
AlarmsOption = Annotated[
    float | None, typer.Option("--false-alarms", help="Share of normal sessions that may be flagged. Default: 0.001.")
]
SeedOption = Annotated[int | None, typer.Option("--seed", help="Seed of the training. Default: 0.")]
ConfigOption = Annotated[
    Path | None, typer.Option("--config", metavar="FILE", help="Settings in TOML (see docs/reference).")
]
CompleteOption = Annotated[
    bool, typer.Option("--complete", help="The input is all there is: close every session at its end.")
]
ReportOption = Annotated[
    Path | None, typer.Option("--report", metavar="FILE", help="Write what was found as one HTML page.")
]
ExitOption = Annotated[bool, typer.Option("--exit-code", help="Exit with 1 when anomalies are found.")]
