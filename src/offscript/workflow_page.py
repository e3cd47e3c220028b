"""The workflow experiments as pages of Markdown: tables with what was counted, and how to read them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from textwrap import fill

from offscript.evaluate.openstack_workflow import HIDDEN, STEPS, Machines
from offscript.evaluate.workflow_study import FIRST, MINED, SEPARATED, Study
from offscript.hdfs_page import markdown

QUICK = "This was a quick run of few systems and runs. Its figures say that everything runs, and are not to be quoted."

WITH_IDS = (
    "With session ids: from {runs:,} sessions of the first task of each system a tree is mined, with a mistake (an "
    "entry lost, doubled, out of place, or changed with the next) in the share of sessions named. Fitness is the share "
    "of {runs:,} new, clean runs that the mined tree accepts, precision the share of {runs:,} runs played from the "
    "mined tree that the true one accepts."
)
WITHOUT_IDS = (
    "Without session ids: {runs:,} runs of each task in one stream, in random order, one after another or two to four "
    "at a time, each as likely to write the next entry. A pair of keys counts where both have a task in common, a pair "
    "of entries where both are of one run; P, R and F1 are means over systems. Where runs of one task are at work at "
    "once nothing in a key says whose it is, so the pairs of entries of interleaved streams have a low ceiling."
)


def study_page(found: Study) -> str:
    """Return the page of the synthetic study."""
    runs = found.plan.runs
    parts = [
        "# Workflows on random systems",
        "This page is what this command writes; it needs no data.",
        "```sh\noffscript reproduce workflow-study --out DIR\n```",
        *([f"**{QUICK}**"] if found.plan.quick else []),
        _text(
            f"{found.plan.systems} systems, seeds from {FIRST:,} (developed on seeds below 1,000); "
            "`evaluate.workflow_trees` says how they are drawn. "
            f"The run took {found.seconds / 60:.1f} minutes, {found.processor_seconds / 60:.1f} of processor time."
        ),
        "## With session ids",
        _text(WITH_IDS.format(runs=runs)),
        markdown(MINED, found.mined_rows()),
        "## Without session ids",
        _text(WITHOUT_IDS.format(runs=runs)),
        markdown(SEPARATED, found.separated_rows()),
    ]
    return "\n\n".join(parts) + "\n"


def machines_page(found: Machines, pictures: Sequence[str]) -> str:
    """Return the page of the OpenStack workflow; `pictures` are the files that were drawn."""
    parts = [
        "# OpenStack: the workflow of a virtual machine",
        _text(
            "This page is what this command writes; DATA holds the public set, or a sample of it, as for "
            "`openstack-values`."
        ),
        "```sh\noffscript reproduce openstack-workflow --data DATA --out DIR\n```",
        _text(f"Files: {', '.join(found.files)}; {found.machines:,} machines. It took {found.seconds:.0f} seconds."),
        *map(_text, found.findings),
        *(f"![The workflow of a virtual machine, from claim to the stop]({name})" for name in pictures),
        "## The paper's steps",
        _text("Machines with a step, and of those that have the step before it too, how many have it after that."),
        markdown(STEPS, _escaped(found.step_rows())),
        "## With ids hidden",
        _text(
            "Creation is what a machine wrote before its `Terminating instance`, deletion the rest. *As it stands* is "
            "the log in time order, by its keys alone; *requests left* takes as well which request a line names beside "
            "the machine (many name none, or the thread they are of). For the other streams creations and deletions "
            "are put in an order drawn at random. *Keys apart* are those that only one of the two has, and that lie in "
            "no task that is mostly the other's."
        ),
        markdown(HIDDEN, _escaped(found.hidden_rows())),
    ]
    return "\n\n".join(parts) + "\n"


def _escaped(rows: Iterable[Sequence[str]]) -> list[list[str]]:
    return [[cell.replace("|", r"\|").replace("<*>", "`<*>`") for cell in row] for row in rows]


def _text(text: str) -> str:
    return fill(text, 120, break_long_words=False, break_on_hyphens=False)
