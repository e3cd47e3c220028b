"""The HDFS experiment as a page of Markdown: every table with what was counted, and how to read it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from textwrap import fill

from offscript.evaluate.hdfs import ASKED, Facts, Hdfs
from offscript.evaluate.hdfs_data import TITLES
from offscript.evaluate.hdfs_paper import PARAMETERS, SYMBOLS, TABLE_4, TOP_G
from offscript.evaluate.hdfs_promises import summaries
from offscript.evaluate.hdfs_scoring import Outcome, Row
from offscript.evaluate.hdfs_sweeps import Swept

QUICK = (
    "This was a quick run: fewer optimiser steps, seeds, splits and sweeps than the full one. Its figures say that "
    "everything runs, and are not to be quoted."
)


def share(value: float | None) -> str:
    """Return a share as text, a dash where there is none.

    >>> share(0.9571), share(1.0), share(None)
    ('.957', '1', '-')
    """
    if value is None:
        return "-"
    return "1" if value == 1 else f"{value:.3f}".removeprefix("0")


def table_title(facts: Facts) -> str:
    """What was counted on a copy, in a line."""
    trained = f"{facts.trained_on:,} normal sessions{' drawn at random' if facts.drawn else ''}"
    scaled = "nothing scaled" if facts.scale == 1 else f"FP scaled by {facts.scale:.2f} to 553,366 normal sessions"
    judged = f"{facts.normals:,} other normal and {facts.anomalies:,} anomalous"
    return f"{TITLES.get(facts.name, facts.name)}: trained on {trained}, judged on {judged}; {scaled}"


def page(found: Hdfs, pictures: Sequence[str]) -> str:
    """Return the whole page; `pictures` are the files that were drawn."""
    plan = found.plan
    parts = [
        "# HDFS, as in the paper's table 4",
        _HOW_TO,
        *([fill(f"**{QUICK}**", 120)] if plan.quick else []),
        *(fill(note, 120) for note in _NOTES),
        _settings(found),
        *_tables(found),
        *_picture(pictures, "hdfs-table.png", "precision, recall and F1 of every detector on each copy"),
        "## Why some rows differ from the published ones",
        *(fill(note, 120) for note in _DIFFERENCES),
        "## Promises",
        fill(_PROMISES, 120),
        *_promises(found),
        *_picture(pictures, "hdfs-promises.png", "promised and realised shares with their bounds"),
    ]
    if found.swept is not None:
        parts += _swept(found, found.swept, pictures)
    parts += _sizes(found, pictures)
    return "\n\n".join(parts) + "\n"


_HOW_TO = """\
This page is what this command writes; DATA holds samples or the full public sets (`hdfs_train`, `hdfs_test_normal` and
`hdfs_test_abnormal`; `HDFS.log` and `anomaly_label.csv`), which are then used whole.

```sh
pip install '.[baselines,plots]'
offscript reproduce hdfs --data DATA --out DIR   # report.md, report.json and the figures
```"""

_NOTES = (
    "Every detector learns from normal sessions alone (two rows, named so, from all sessions without labels, as they "
    "were first published), and is judged on the others and on all anomalous ones. Thresholds and settings are fixed "
    "before any label is looked at: by the original's own setting where it has one, else by held-out training "
    "sessions. The column oracle is the best F1 that any threshold on the same scores would reach, chosen by the "
    "labels: for orientation only.",
    "FP, precision and F1 are scaled to the 553,366 normal test sessions of the paper where not all are at hand; FN, "
    "recall and the false-positive rate are as counted. The interval is Wilson's, of 95%, for the mean count of one "
    "run. Means are over runs: seeds where the training sessions are given, seeds and draws where they are drawn; a "
    "detector without chance in it has one run on given sessions. The paper's figures stand beside on both copies.",
    "The two copies are not equally hard. The authors' parse lacks 3,432 exception lines and writes one key as "
    "another; 84% of its anomalous sessions have a key that training has not, or are shorter than any normal one, "
    "against 54% on Loghub.",
)

_DIFFERENCES = (
    "**DeepLog and N-gram.** 6,177 anomalous sessions of the authors' parse are exact beginnings of normal training "
    "sessions: without a rule for the end of a session recall cannot pass .633. The paper states none. The rows named "
    "short flag every session of at most ten keys without asking the model: with that, N-gram misses just the 739 "
    "sessions that the paper prints. The rows with END have the end as a key to be predicted instead.",
    "**DeepLog's top-9** hangs on the order of candidates that all have a probability near zero, END among them: it "
    "changes with the seed, which is what the range shows.",
    "**PCA.** On the authors' parse the short sessions hold only keys that every training session has, which weigh "
    "nothing, so that it finds next to none of them; on Loghub half of them hold an exception line, and are found.",
    "**Invariant mining** looks through all sets of up to four keys here, and takes a key that 98% of the sessions "
    "lack for an invariant of one key, so that more anomalous sessions break one than published.",
    "**Log clustering.** The paper's row, TFIDF, learnt from 1,638 anomalous sessions besides the normal ones. Here "
    "there are normal ones alone, and the published distance is a wide one for them.",
)

_PROMISES = (
    "For each split our model is trained on as many normal sessions, asked for a share, and judged on the normal "
    "sessions left. Held out: the share of the training sessions at the thresholds, each judged by what was learnt "
    "without it, one more counted. The bound is the 99% point of the beta-binomial distribution for that many of so "
    "many scores: what chance explains in 99 of 100 splits. Ratio: realised by promised."
)


def _settings(found: Hdfs) -> str:
    plan, ours = found.plan, found.plan.ours
    runs = "One seed or draw" if plan.seeds == 1 else f"{plan.seeds} seeds or draws"
    return fill(
        f"Ours: h={ours.history}, g={ours.candidates}, L={ours.layers}, alpha={ours.hidden}, {ours.folds} networks, "
        f"{ours.training_steps:,} steps. DeepLog as in the paper: one network with the same h, g, L and alpha, "
        f"{plan.paper.training_steps:,} steps of {plan.paper.batch_size} windows. {runs}. The run "
        f"took {found.seconds / 60:.0f} minutes, {found.processor_seconds / 60:.0f} of processor time on all cores.",
        120,
    )


def _tables(found: Hdfs) -> Iterator[str]:
    for facts in found.copies:
        rows = found.of(facts.name)
        title = TITLES.get(facts.name, facts.name)
        yield f"## {title[0].upper()}{title[1:]}"
        yield fill(f"{table_title(facts)}. Files: {', '.join(facts.files)}.", 120)
        yield from (fill(note, 120) for note in facts.notes)
        yield markdown(_TABLE, (_cells(row) for row in rows))
        yield "By reason: anomalous sessions found, and normal ones flagged, as counted (means over the runs)."
        yield markdown(
            ["detector", "what it is", "found by", "wrongly flagged by"],
            ([row.name, row.how, _by(row.reasons("found_by")), _by(row.reasons("wrong_by"))] for row in rows),
        )


_TABLE = [
    "detector",
    "trained on",
    "runs",
    "FP counted",
    "FP scaled, 95% interval",
    "FN",
    "P",
    "R",
    "F1",
    "F1 from-to",
    "FP rate, 95% interval",
    "oracle F1",
    "paper FP, FN",
    "paper P, R, F1",
]


def _cells(row: Row) -> list[str]:
    low, high = row.spread("f1")
    fewest, most = row.scaled_interval
    scaled = row.runs[0].scale != 1
    return [
        row.name,
        row.trained_on,
        str(len(row.runs)),
        f"{row.mean('fp'):,.1f}",
        f"{row.mean('false_positives'):,.0f} ({fewest:,.0f}-{most:,.0f})" if scaled else "not scaled",
        f"{row.mean('fn'):,.0f}",
        *(share(row.mean(measure)) for measure in ("precision", "recall", "f1")),
        f"{share(low)}-{share(high)}" if len(row.runs) > 1 else "-",
        f"{row.mean('rate'):.3%} ({row.interval[0]:.3%}-{row.interval[1]:.3%})",
        share(row.oracle),
        *_paper(row.paper),
    ]


def _paper(name: str | None) -> tuple[str, str]:
    if name is None:
        return "-", "-"
    known = TABLE_4[name]
    counts = "-" if known.fp is None or known.fn is None else f"{known.fp:,}, {known.fn:,}"
    return counts, ", ".join(map(share, (known.precision, known.recall, known.f1)))


def _by(reasons: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {reason}" for reason, count in reasons.items()) or "-"


def _promises(found: Hdfs) -> Iterator[str]:
    yield markdown(
        ["copy", "asked", "splits", "promised", "held out", "realised", "ratio", "highest", "splits above the bound"],
        (
            [
                one["copy"],
                f"{one['asked']:.1%}",
                str(one["splits"]),
                *(f"{one[name]:.3%}" for name in ("mean_promised", "mean_calibrated", "mean_realised")),
                f"{one['ratio']:.2f}",
                f"{one['highest_realised']:.3%}",
                str(one["splits_above_bound"]),
            ]
            for one in summaries(found.promises)
        ),
    )
    yield markdown(
        [
            "copy",
            "asked",
            "split",
            "promised",
            "held out",
            "of scores",
            "flagged",
            "of normals",
            "realised",
            "99% bound",
        ],
        (
            [
                one.copy,
                f"{one.asked:.1%}",
                str(one.split),
                f"{one.promised:.3%}",
                f"{one.calibrated:.3%}",
                f"{one.scores:,}",
                str(one.flagged),
                f"{one.judged:,}",
                f"{one.realised:.3%}",
                f"{one.bound} ({one.bound / one.judged:.3%})",
            ]
            for one in found.promises
        ),
    )


def _swept(found: Hdfs, swept: Swept, pictures: Sequence[str]) -> list[str]:
    copy = TITLES.get(found.copies[0].name, found.copies[0].name)
    names = [str(g) for g in range(1, len(swept.top_g) + 1)]
    rows = [
        ["our run", *(f"{value:.4f}" for value in swept.top_g)],
        ["paper, figure 6b", *(f"{value:.4f}" for value in TOP_G)],
    ]
    return [
        "## Keys among the g likeliest",
        fill(
            f"DeepLog with END, seed 0, {copy}: the share of the keys of {found.copies[0].normals:,} normal sessions "
            "that rank within g; END is not counted among the keys, and the first keys of a session are.",
            120,
        ),
        markdown(["g", *names], rows),
        *_picture(pictures, "hdfs-top-g.png", "share of normal keys within g, beside the paper's"),
        "## Settings",
        fill(
            f"DeepLog with END, one seed, {found.plan.sweep_steps:,} steps each, {copy}; the other settings at their "
            "defaults. Recall jumps where the rank of END, a candidate near zero, passes g. Gap: nats between the "
            "training loss at the end and its floor, the empirical conditional entropy of the next key.",
            120,
        ),
        markdown(
            ["setting", "value", "P", "R", "F1", "gap", "paper P, R, F1"],
            (
                [
                    SYMBOLS[point.setting],
                    str(point.value),
                    *_three(point.outcome),
                    f"{point.gap:.3f}",
                    ", ".join(map(share, PARAMETERS[point.setting].get(point.value, ()))) or "-",
                ]
                for point in swept.points
            ),
        ),
        *_picture(pictures, "hdfs-parameters.png", "precision, recall and F1 by h, g, L and alpha"),
    ]


def _sizes(found: Hdfs, pictures: Sequence[str]) -> list[str]:
    copy = TITLES.get(found.copies[0].name, found.copies[0].name)
    gaps = ", ".join(f"{curve.gap:.3f} above {curve.floor:.3f}" for curve in found.curves)
    return [
        "## Training",
        fill(
            f"Ours asked for {ASKED:.1%}, seed 0, {copy}, trained on the first so many of the sessions. With too few "
            "sessions the share asked cannot be promised; the promise says what can.",
            120,
        ),
        markdown(
            ["sessions", "promised", "P", "R", "F1", "FP rate"],
            (
                [f"{one.sessions:,}", f"{one.promised:.3%}", *_three(one.outcome), f"{one.outcome.rate:.3%}"]
                for one in found.sizes
            ),
        ),
        fill(f"The loss of each network at the end, in nats a pair: {gaps} (its floor).", 120),
        *_picture(pictures, "hdfs-training.png", "training loss above its floor, and F1 by training sessions"),
    ]


def _three(outcome: Outcome) -> list[str]:
    return [share(value) for value in (outcome.precision, outcome.recall, outcome.f1)]


def _picture(pictures: Sequence[str], name: str, what: str) -> list[str]:
    return [f"![{what}]({name})"] if name in pictures else []


def markdown(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table of Markdown; cells are plain text."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
