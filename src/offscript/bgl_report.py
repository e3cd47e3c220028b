"""Showing what the BlueGene/L experiment found: tables on a terminal, records on a pipe, and files to keep."""

from __future__ import annotations

from pathlib import Path

from rich.text import Text

from offscript.bgl_page import COLUMNS, QUICK, cells, page, paper_cells
from offscript.console import Output, print_rows, say, show
from offscript.evaluate.bgl import Bgl
from offscript.evaluate.bgl_pictures import draw_bgl
from offscript.render import table
from offscript.report_files import write_report


def print_bgl(found: Bgl, output: Output) -> None:
    """Print the experiment in the form asked for: as records a row for each run."""
    if output is not Output.TABLE:
        records = found.records()
        print_rows("bgl-update", list(records[0]), [list(record.values()) for record in records], output)
    else:
        for share in found.plan.shares:
            rows = [*map(cells, found.of(share)), *paper_cells(share)]
            show(table(f"trained on the first {share:.0%} of {len(found.stream):,} entries", list(COLUMNS), rows))
            show(Text(""))
        if found.sessions is not None:
            one, (before, after) = found.sessions, found.sessions.recalls
            show(Text(f"HDFS: {one.reported} false alarms reported in {one.updates} updates, {one.kinds} kinds"))
            show(
                Text(f"  of these kinds {one.alike} sessions were flagged in the other half, and {one.still} are after")
            )
            show(
                Text(
                    f"  false alarms there {one.flagged_before}, then {one.flagged_after}; recall on {one.anomalies:,}"
                )
            )
            show(Text(f"  anomalous sessions {before:.2%}, then {after:.2%}"))
    for finding in found.findings:
        say(finding)
    if found.plan.quick:
        say(QUICK)


def write_bgl(found: Bgl, folder: Path) -> None:
    """Write `report.md`, `report.json` and, with the extra `plots`, the figure (`bgl-progress.png`) to a folder.

    Raises UsageError when the folder cannot be written.
    """
    write_report(folder, found.report(), lambda to: draw_bgl(found, to), lambda pictures: page(found, pictures))
