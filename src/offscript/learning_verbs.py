"""The verbs that learn from logs: `fit` a model, or `scan` one log by what its earlier part says."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from offscript.announce import announce
from offscript.config import Config
from offscript.console import chosen, progress_bar, say, settings
from offscript.detect_verb import end
from offscript.detection import detect
from offscript.detector import Detector
from offscript.entries import Line
from offscript.errors import InputError
from offscript.fitting import MIN_ENTRIES, fit
from offscript.model import Model
from offscript.model_folder import check_place
from offscript.options import (
    AlarmsOption,
    ConfigOption,
    ExitOption,
    Form,
    HeaderOption,
    Logs,
    SeedOption,
    SessionKeyOption,
    TimeOption,
)
from offscript.parse.header import Header, header_from_options
from offscript.sources import read


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
    if split < MIN_ENTRIES:
        raise InputError(
            "1 line is too little" if len(lines) == 1 else f"{len(lines)} lines are too few",
            where=logs[0],
            remedy="give a log of some hundred lines at least",
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
    end(detector, found, exit_code)


def _fit(lines: Iterable[Line], config: Config, header: Header | None) -> Model:
    with progress_bar() as report:
        return fit(lines, config, header=header, progress=report)
