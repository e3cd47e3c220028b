"""The verbs that ask a model: the `keys` it knows, and how well its verdicts `evaluate` against labels."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from offscript.console import Output, chosen, print_rows
from offscript.model import load
from offscript.options import CompleteOption, Form, Logs, ModelDir
from offscript.sources import read


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
