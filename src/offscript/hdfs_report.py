"""Showing what the HDFS experiment found: one table on a terminal, records on a pipe, and files to keep."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from textwrap import fill

from rich.text import Text

from offscript.console import Output, print_rows, say, show
from offscript.evaluate.hdfs import Hdfs
from offscript.evaluate.hdfs_paper import TABLE_4
from offscript.evaluate.hdfs_pictures import draw_hdfs
from offscript.evaluate.hdfs_promises import summaries
from offscript.evaluate.hdfs_scoring import Row
from offscript.hdfs_page import QUICK, page, share, table_title
from offscript.render import json_line, table
from offscript.report_files import write_report

_COLUMNS = [
    "detector",
    "runs",
    "FP",
    "FN",
    "P",
    "R",
    "F1",
    "F1 from-to",
    "FP rate (95% interval)",
    "oracle",
    "paper F1",
]


def print_hdfs(found: Hdfs, output: Output) -> None:
    """Print the experiment in the form asked for: as records the rows of the table, one each."""
    if output is not Output.TABLE:
        records = found.records()
        flat = output is Output.CSV  # a cell of CSV holds no table of its own
        rows = [[json_line(v) if flat and isinstance(v, dict) else v for v in record.values()] for record in records]
        print_rows("hdfs", list(records[0]), rows, output)
    else:
        for facts in found.copies:
            show(table(table_title(facts), _COLUMNS, [_cells(row) for row in found.of(facts.name)]))
            show(Text(""))
        for line in _promise_lines(found):
            show(Text(line))
        show(Text("\n" + fill(_NOTE, 160)))
    for finding in [*found.findings, *(note for facts in found.copies for note in facts.notes)]:
        say(finding)
    if found.plan.quick:
        say(QUICK)


_NOTE = (
    "Every threshold comes from normal training sessions; only the column oracle, for orientation, has the one that "
    "labels would choose. FP and with it P and F1 are scaled where the title says so; R and the rate are as counted."
)


def _cells(row: Row) -> list[str]:
    low, high = row.spread("f1")
    return [
        row.name,
        str(len(row.runs)),
        f"{row.mean('false_positives'):,.0f}",
        f"{row.mean('fn'):,.0f}",
        *(share(row.mean(measure)) for measure in ("precision", "recall", "f1")),
        f"{share(low)}-{share(high)}" if len(row.runs) > 1 else "-",
        f"{row.mean('rate'):.2%} ({row.interval[0]:.2%}-{row.interval[1]:.2%})",
        share(row.oracle),
        "-" if row.paper is None else share(TABLE_4[row.paper].f1),
    ]


def _promise_lines(found: Hdfs) -> Iterator[str]:
    for one in summaries(found.promises):
        yield (
            f"{one['copy']}: asked {one['asked']:.1%}, promised {one['mean_promised']:.2%}, realised "
            f"{one['mean_realised']:.2%} (mean of {one['splits']} splits, {one['ratio']:.2f} times the promised; "
            f"{one['splits_above_bound']} above the 99% bound)"
        )


def write_hdfs(found: Hdfs, folder: Path) -> None:
    """Write `report.md`, `report.json` and, with the extra `plots`, the figures (`hdfs-*.png`) to a folder.

    Raises UsageError when the folder cannot be written.
    """
    write_report(folder, found.report(), lambda to: draw_hdfs(found, to), lambda pictures: page(found, pictures))
