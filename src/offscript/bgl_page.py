"""The BlueGene/L experiment as a page of Markdown: every table with what was counted, and how to read it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from textwrap import fill

import numpy as np

from offscript.evaluate.bgl import NEW, Bgl, Run
from offscript.evaluate.bgl_paper import FIGURE_10
from offscript.evaluate.bgl_pictures import told_delay
from offscript.evaluate.session_reports import SessionReports
from offscript.hdfs_page import markdown, share

QUICK = (
    "This was a quick run: fewer entries and optimiser steps than the full one. Its figures say that everything runs, "
    "and are not to be quoted."
)

COLUMNS = ("detector", "feedback", "P", "R", "F1", "FP rate", "FP", "FN", "reported", "updates", "refused")


def cells(run: Run) -> list[str]:
    """A run as a row of the table with `COLUMNS`."""
    score = run.score
    return [
        run.detector,
        told_delay(run.delay) + (f", {run.limit:,} updates at most" if run.limit is not None else ""),
        *(share(value) for value in (score.precision, score.recall, score.f1)),
        rate(score.false_positive_rate),
        f"{score.fp:,}",
        f"{score.fn:,}",
        *(("-", "-", "-") if run.delay is None else (f"{run.reports:,}", f"{run.learnt:,}", f"{run.refused:,}")),
    ]


def rate(value: float) -> str:
    """A rate in per cent with what digits say something.

    >>> rate(0.401), rate(0.00014)
    ('40.1%', '0.014%')
    """
    return f"{value:.1%}" if value >= 0.01 else f"{value:.3%}"


def paper_cells(trained_on: float) -> list[list[str]]:
    """What the paper prints beside, as rows of the table."""
    rows = []
    for updated in (False, True):
        if known := FIGURE_10.get((trained_on, updated)):
            shares = (share(value) for value in (known.precision, known.recall, known.f1))
            told = "with" if updated else "no feedback"
            blank = ["-"] * 5
            rows.append(["the paper prints", told, *shares, rate(known.false_positive_rate), *blank])
    return rows


def page(found: Bgl, pictures: Sequence[str]) -> str:
    """Return the whole page; `pictures` are the files that were drawn."""
    parts = [
        "# BlueGene/L: online update, as in the paper's figure 10",
        _HOW_TO,
        *([_text(f"**{QUICK}**")] if found.plan.quick else []),
        *map(_text, (_what(found), *_READING, *found.findings)),
        *(f"![F1 and false alarms so far over the stream]({name})" for name in pictures),
        *_tables(found),
        "## Keys with both labels",
        *_both(found),
        "## What differs from the paper",
        *map(_text, _DIFFERENCES),
        "## Whole sessions: HDFS",
        *(_sessions(found.sessions) if found.sessions is not None else ["Not run."]),
    ]
    return "\n\n".join(parts) + "\n"


_HOW_TO = """\
This page is what this command writes; DATA holds the stream (`stream_key_label.txt`, a line `KEY LABEL` for each entry)
and, for the last part, Loghub's copy of HDFS.

```sh
pip install '.[plots]'
offscript reproduce bgl-update --data DATA --out DIR   # report.md, report.json and the figure
```"""

_READING = (
    "Reported: false alarms of which the label was told, after the entry was judged: at once, before the next entry, "
    "or when so many further entries were judged. Only false alarms are told, never a miss. Updates: versions made; "
    "a report whose entry the version in force accepts already makes none. Refused: reports for which an update would "
    "have flagged what is stored as normal; such a step is not tried again. No threshold is chosen by a label.",
)

_DIFFERENCES = (
    "**The stream** is not the paper's: here it is 2,356,747 consecutive entries with about one alert in twenty; "
    "by the paper's figures about one entry in fourteen of its test part is one.",
    "**An update** here stops when the reported step is accepted and replays what is stored; the paper's trains on the "
    "reported entry and says no more.",
    "**The paper's settings** (L=1, alpha=256, g=6, h=3) are run in our key model: four networks, each trained without "
    "a part, and what was sighted often is normal. Without feedback most entries are false alarms, for most have keys "
    "that the first part has not, and each step of them takes a report of its own. Teaching ends after the updates "
    "that the column `feedback` names, so that the run ends within the hour; the last version judges what follows. How "
    "many it would take in all is not known, so that these rows say nothing against the paper's with feedback.",
    "**The rule of new keys** flags what was never seen, and learns a key with its first report. On this stream labels "
    "are nearly a function of the key, so that nothing can be much better: it is the yardstick here, not a detector "
    "of anything but new keys.",
)


def _text(text: str) -> str:
    return fill(text, 120)


def _what(found: Bgl) -> str:
    stream = found.stream
    told = " ".join(
        f"{name}, {part:.0%}: {promise} (fitted in {seconds:,.0f} s)."
        for name, part, promise, seconds in found.promises
    )
    return (
        f"File: {stream.file}, {len(stream):,} entries of {len(np.unique(stream.keys)):,} keys, "
        f"{int(stream.anomalous.sum()):,} of them labelled as alerts. Each model is fitted on the normal entries of "
        "the first part, as one stream without sessions, and judges all later ones. Promises: "
        f"{told} The whole run took {found.seconds / 60:.1f} minutes, {found.processor_seconds / 60:.1f} of "
        "processor time."
    )


def _tables(found: Bgl) -> Iterator[str]:
    for part in found.plan.shares:
        yield f"## Trained on the first {part:.0%}"
        yield markdown(COLUMNS, [*map(cells, found.of(part)), *paper_cells(part)])
        yield "Times, of the processor:"
        yield markdown(TIMES, _times(found, part))


TIMES = ("detector", "feedback", "mean update", "longest update", "judging an entry", "all, an entry")


def _times(found: Bgl, part: float) -> Iterator[list[str]]:
    for run in found.of(part):
        if run.detector == NEW:
            continue
        judged = run.score.tp + run.score.fp + run.score.fn + run.score.tn
        whole = run.judged + run.update_mean * (run.learnt + run.refused) / max(1, judged)
        updates = ("-", "-") if run.delay is None else (f"{run.update_mean:.3f} s", f"{run.update_max:.3f} s")
        yield [run.detector, told_delay(run.delay), *updates, f"{1e3 * run.judged:.4f} ms", f"{1e3 * whole:.4f} ms"]
    for updated in (False, True):
        if known := FIGURE_10.get((part, updated)):
            yield ["the paper prints", "with" if updated else "no feedback", "-", "-", "-", f"{known.ms:.2f} ms"]


_BOTH = (
    "These keys are normal in some entries and alerts in others. Nothing is done about them: where such a key is "
    "flagged and the entry is normal, that is reported like any other, and the key is learnt as normal after that "
    "history; alerts of it that are then accepted are counted as missed."
)


def _both(found: Bgl) -> Iterator[str]:
    yield _text(_BOTH)
    rows = [[str(key), f"{normal:,}", f"{odd:,}"] for key, (normal, odd) in found.stream.ambiguous.items()]
    yield markdown(["key (in the file: one less)", "normal entries", "alerts"], rows)


def _sessions(found: SessionReports) -> Iterator[str]:
    before, after = found.recalls
    yield _text(
        f"Fitted on {found.trained:,} normal sessions of Loghub's copy, by block id, at a share of {found.asked:.0%} "
        f"({found.promise}). The other normal sessions are cut into halves of {found.halves[0]:,} and "
        f"{found.halves[1]:,}; of the {found.flagged_in_reported_half:,} false alarms of the first, the first "
        f"{found.reported:,} are reported one after another, each with all that is said of its session, as long as the "
        "version in force flags it. A kind is a reason with the history and the key, or for a session as a whole with "
        "the keys it holds."
    )
    rows = [
        ("updates, refused", f"{found.updates:,}, {found.refused:,}"),
        ("processor time of an update, mean and longest", f"{found.update_mean:.3f} s, {found.update_max:.3f} s"),
        ("kinds reported", f"{found.kinds:,}"),
        ("of them met in the other half before, and again after", f"{found.met:,}, {found.back:,}"),
        ("sessions of these kinds flagged in the other half before, after", f"{found.alike:,}, {found.still:,}"),
        ("share of them that alarm no more", f"{found.quiet:.1%}"),
        ("reported sessions still flagged", f"{found.reported_still:,}"),
        ("all false alarms of the other half before, after", f"{found.flagged_before:,}, {found.flagged_after:,}"),
        (f"recall on {found.anomalies:,} anomalous sessions before, after", f"{before:.2%}, {after:.2%}"),
    ]
    yield markdown(["measure", "value"], [list(row) for row in rows])
