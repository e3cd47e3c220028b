"""The OpenStack experiment as a page of Markdown: every table with what was counted, and how to read it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from textwrap import fill

from offscript.evaluate.metrics import wilson
from offscript.evaluate.openstack import ASKED, Values
from offscript.evaluate.openstack_changes import NARROW, Kind
from offscript.evaluate.openstack_controlled import OURS, Pooled, Recall, pooled
from offscript.evaluate.openstack_figure9 import CONFIDENCES
from offscript.evaluate.openstack_judging import Finding, Part
from offscript.hdfs_page import markdown, share
from offscript.plain import plain

QUICK = (
    "This was a quick run: fewer optimiser steps, origins and factors than the full one. Its figures say that "
    "everything runs, and are not to be quoted."
)


def page(found: Values, pictures: Sequence[str]) -> str:
    """Return the whole page; `pictures` are the files that were drawn."""
    parts = [
        "# OpenStack: values and times, as in the paper's section 5.2",
        _HOW_TO,
        *([_text(f"**{QUICK}**")] if found.plan.quick else []),
        *map(_text, (_what(found), *found.data.notes, *found.findings)),
        "## The labelled machines",
        *_abnormal(found),
        "## Normal machines",
        *_normal(found, pictures),
        "## Controlled changes",
        *_controlled(found, pictures),
        "## Figure 9",
        *_figure_9(found, pictures),
    ]
    return "\n\n".join(parts) + "\n"


_HOW_TO = """\
This page is what this command writes; DATA holds the public set (`openstack_normal1.log`, `openstack_normal2.log`,
`openstack_abnormal.log` and `anomaly_labels.txt`) or a sample of it.

```sh
pip install '.[baselines,plots]'
offscript reproduce openstack-values --data DATA --out DIR   # report.md, report.json and the figures
```"""


def _text(text: str) -> str:
    return fill(text, 120)


def _what(found: Values) -> str:
    data, plan = found.data, found.plan
    return (
        f"Files: {', '.join(data.files)}; {len(data.normal):,} normal machines, {len(data.abnormal):,} in the abnormal "
        f"log, {len(data.labelled)} of them labelled: their spawn was slowed. A machine is flagged when anything of it "
        f"is, by whichever detector (order, end, counts, times, values), at a promised share of {ASKED:.0%} of the "
        f"machines in all. The model is fitted on the first {plan.train_share:.0%} of the normal machines by their "
        "first line; it calibrates itself on parts of these that each of its models was learnt without, so that no "
        "further part is needed for that, and all later normal machines are for judging. "
        f"Its promise: {found.promised}. The run took {found.seconds / 60:.1f} minutes, "
        f"{found.processor_seconds / 60:.1f} of processor time."
    )


def _abnormal(found: Values) -> Iterator[str]:
    for title, part in (
        (f"by the model of the first {found.abnormal.trained:,} normal machines", found.abnormal),
        (f"by a model of all {found.abnormal_by_all.trained:,} normal machines", found.abnormal_by_all),
    ):
        labelled, others = found.labelled(part), found.others(part)
        hits = sum(one is not None for one in labelled.values())
        yield _text(
            f"Judged {title}: {hits} of {len(labelled)} labelled machines are found with a verdict by time or value on "
            f"the line that tells the spawn or build time; {len(others)} of the other "
            f"{part.judged - len(labelled)} are flagged."
        )
        rows = [[name[:8], "yes", *(_told(one) if one else _nothing(part, name))] for name, one in labelled.items()]
        rows += [[name[:8], "no", *_told(one)] for name, some in others.items() for one in some]
        yield markdown(["machine", "labelled", "reason", "score", "line", "what is said"], rows)


def _nothing(part: Part, name: str) -> list[str]:
    first = part.flagged.get(name)
    return _told(first[0]) if first else ["not found", "-", "-", "-"]


def _told(one: Finding) -> list[str]:
    where = one.template.removeprefix("[instance: <*>] ")
    return [one.reason, f"{one.score:.2f}", f"`{plain(where, 60)}`", plain(one.detail, 240)]


def _normal(found: Values, pictures: Sequence[str]) -> Iterator[str]:
    flagged, judged = found.rolled
    if judged:
        low, high = wilson(flagged, judged)
        yield _text(
            f"Rolling origin: {flagged} of {judged:,} held-out normal machines are flagged over {len(found.rolling)} "
            f"origins, {flagged / judged:.2%} (95% interval {low:.2%} to {high:.2%}). Each is fitted "
            "anew on all machines before it."
        )
    parts = [*(("rolling", part) for part in found.rolling), ("first part", found.held_out)]
    yield markdown(
        ["origin", "trained on", "judged", "flagged", "share, 95% interval", "by first reason"],
        (
            [
                name,
                f"{part.trained:,}",
                f"{part.judged:,}",
                str(len(part.flagged)),
                "{:.2%} ({:.2%}-{:.2%})".format(part.share, *wilson(len(part.flagged), part.judged)),
                _reasons(part.record()["by_first_reason"]),
            ]
            for name, part in parts
        ),
    )
    yield from _picture(pictures, "openstack-origins.png", "share of held-out normal machines flagged, by origin")
    yield "Every held-out normal machine that was flagged, with its first verdict:"
    yield markdown(
        ["trained on", "machine", "reason", "score", "line", "what is said"],
        ([f"{part.trained:,}", name[:8], *_told(some[0])] for _, part in parts for name, some in part.flagged.items()),
    )


def _reasons(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in counts.items()) or "-"


_CONTROLLED = (
    "Each change is made to the raw lines of every held-out normal machine that has the step, one change at a time. A "
    "step is a key after another; slowed, its line and all later ones of its machine move. `duration`: the seconds "
    "that a line tells are multiplied. `size`: another number is doubled (0 becomes 1). `status`: a word that tells a "
    "state is another. Spread: half the distance between the 5th and the 95th percentile of the training machines, at "
    "least one digit of what the log writes, by their median; highest normal: the longest or largest of theirs, by the "
    "median. In each stream every machine has another change, so that "
    "a key's own history is changed in few places. Recall counts machines flagged; on the line: those with a verdict "
    "on the changed line itself.",
    "The simple detectors see the same vectors, a key that training has not is an anomaly to each, and their "
    "thresholds are set so that they flag at most as many of the unchanged held-out machines as ours does: chosen by "
    "the machines they are compared on, which favours them, for orientation only.",
)


def _controlled(found: Values, pictures: Sequence[str]) -> Iterator[str]:
    yield from map(_text, _CONTROLLED)
    names = [OURS, *(peer.name for peer in found.peers)]
    others = found.abnormal.judged - len(found.data.labelled)
    yield markdown(
        [
            "detector",
            f"held-out flagged, of {found.held_out.judged}",
            "labelled flagged",
            f"others flagged, of {others}",
        ],
        (
            [
                str(row["detector"]),
                str(row["held_out_flagged"]),
                f"{row['labelled_found']} of {row['of_labelled']}",
                str(row["others_flagged"]),
            ]
            for row in found.records()
        ),
    )
    yield markdown(
        ["kind", "steps", "factor", "changes", "recall, on the line", *(f"recall, {name}" for name in names)],
        ([*_kind(one), share(one.named), *(share(one.share(name)) for name in names)] for one in pooled(found.recalls)),
    )
    yield from _picture(pictures, "openstack-changes.png", "recall of each kind of change by each detector")
    yield "Every step and place:"
    yield markdown(
        [
            "kind",
            "what",
            "median",
            "spread",
            "highest normal",
            "factor",
            "changed",
            "on the line",
            *names,
            "reasons on the line",
        ],
        (_change(one, names) for one in found.recalls),
    )


def _kind(one: Pooled) -> list[str]:
    slowed = one.kind in (Kind.TIME, Kind.DURATION)
    which = (
        f"{len(one.parts)} of spread {'under' if one.narrow else 'from'} {NARROW:.0%}"
        if slowed
        else str(len(one.parts))
    )
    return [one.kind.value, which, f"{one.factor:g}" if one.kind is not Kind.STATUS else "-", f"{one.changed:,}"]


def _change(one: Recall, names: Sequence[str]) -> list[str]:
    step = one.step
    return [
        step.kind.value,
        plain(step.what, 120),
        f"{step.median:,.6g}" if step.seen else "-",
        *((f"{step.spread:.1%}", f"{step.highest:.3g} x") if step.seen and step.spread < 10 else ("-", "-")),
        f"{one.factor:g}" if step.kind is not Kind.STATUS else "-",
        f"{one.changed:,}",
        *(share(hits / one.changed if one.changed else None) for hits in (one.named, *map(one.hits, names))),
        _reasons(one.reasons),
    ]


_FIGURE_9 = (
    "One LSTM a key learns the vectors of that key, elapsed time first, in time order; the error of a vector is the "
    "mean squared difference to what was expected, z-scored. The errors of the normal machines held out are taken for "
    "a Gaussian of mean 0: a threshold is its two-sided point, as the paper's figure has it. This is the paper's own "
    "method, for each entry; what `fit` makes of it, calibrated for a machine as a whole, is above. Of several such "
    "lines of a machine the highest error counts."
)


def _figure_9(found: Values, pictures: Sequence[str]) -> Iterator[str]:
    yield _text(_FIGURE_9)
    labelled, others = len(found.data.labelled), found.abnormal.judged - len(found.data.labelled)
    rows = []
    for one in found.telling:
        cells = []
        for confidence in CONFIDENCES:
            above = one.above(confidence)
            hits = len(above & found.data.labelled)
            cells.append(f"{one.threshold(confidence):.3g}: {hits} and {len(above) - hits}")
        rows.append([f"`{plain(one.template, 80)}`", f"{one.trained:,}", f"{one.validated:,}", *cells])
    columns = ["key", "trained on", "validated on", *(f"{confidence:.4g}" for confidence in CONFIDENCES)]
    yield _text(f"Threshold: how many of the {labelled} labelled and of the {others} other machines are above it.")
    yield markdown(columns, rows)
    yield from _picture(pictures, "openstack-figure9.png", "error of each machine with thresholds, key by key")


def _picture(pictures: Sequence[str], name: str, what: str) -> list[str]:
    return [f"![{what}]({name})"] if name in pictures else []
