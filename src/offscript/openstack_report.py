"""Showing what the OpenStack experiment found: tables on a terminal, records on a pipe, and files to keep."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rich.table import Table
from rich.text import Text

from offscript.console import Output, print_rows, say, show
from offscript.evaluate.metrics import wilson
from offscript.evaluate.openstack import Values
from offscript.evaluate.openstack_controlled import OURS, pooled
from offscript.evaluate.openstack_pictures import draw_openstack, told
from offscript.hdfs_page import share
from offscript.openstack_page import QUICK, page
from offscript.plain import plain
from offscript.render import table
from offscript.report_files import write_report


def print_openstack(found: Values, output: Output) -> None:
    """Print the experiment in the form asked for: as records a row for each detector."""
    if output is not Output.TABLE:
        records = found.records()
        print_rows("openstack-values", list(records[0]), [list(record.values()) for record in records], output)
    else:
        for line in _lines(found):
            show(Text(line))
        show(_recalls(found))
        show(Text(""))
        show(_figure_9(found))
    for finding in [*found.findings, *found.data.notes]:
        say(finding)
    if found.plan.quick:
        say(QUICK)


def _lines(found: Values) -> Iterator[str]:
    for part in (found.abnormal, found.abnormal_by_all):
        labelled, others = found.labelled(part), found.others(part)
        hits = sum(one is not None for one in labelled.values())
        yield (
            f"fitted on {part.trained:,} normal machines: {hits} of {len(labelled)} labelled machines found by the "
            f"spawn or build time, {len(others)} of the other {part.judged - len(labelled)} flagged"
        )
        for name, one in labelled.items():
            yield f"  {name[:8]}  labelled  " + (
                f"{one.reason}  {plain(one.detail, 140)}" if one else "not by its time"
            )
        for name, some in others.items():
            yield f"  {name[:8]}  other     {some[0].reason}  {plain(some[0].detail, 140)}"
    for name, flagged, judged in (
        ("rolling origin", *found.rolled),
        (f"after the first {found.held_out.trained:,}", len(found.held_out.flagged), found.held_out.judged),
    ):
        low, high = wilson(flagged, judged)
        yield (
            f"normal machines held out, {name}: {flagged} of {judged:,} flagged, {flagged / max(1, judged):.2%} "
            f"(95% interval {low:.2%} to {high:.2%})"
        )
    yield ""


def _recalls(found: Values) -> Table:
    names = [OURS, *(peer.name for peer in found.peers)]
    rows = [
        [
            told(one).replace("\n", ", "),
            f"{one.changed:,}",
            share(one.named),
            *(share(one.share(name)) for name in names),
        ]
        for one in pooled(found.recalls)
    ]
    return table(
        "recall of controlled changes, all at the same false alarms", ["change", "tried", "on the line", *names], rows
    )


def _figure_9(found: Values) -> Table:
    columns = ["key", "98%", "99%", "99.9%"]
    rows = []
    for one in found.telling:
        above = [one.above(confidence) for confidence in (0.98, 0.99, 0.999)]
        labelled = found.data.labelled
        rows.append([one.template, *(f"{len(some & labelled)} and {len(some - labelled)}" for some in above)])
    return table("figure 9: labelled and other machines above each threshold", columns, rows)


def write_openstack(found: Values, folder: Path) -> None:
    """Write `report.md`, `report.json` and, with the extra `plots`, the figures (`openstack-*.png`) to a folder.

    Raises UsageError when the folder cannot be written.
    """
    write_report(folder, found.report(), lambda to: draw_openstack(found, to), lambda pictures: page(found, pictures))
