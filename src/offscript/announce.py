"""Announcing verdicts: to the journal first, then to the person or program that asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from offscript.console import Output, emit, say, show
from offscript.detector import COUNTED, Detector
from offscript.entries import Line, Reason, Verdict
from offscript.journal import Journal, record_of
from offscript.live import watch
from offscript.plain import counted, plain
from offscript.render import (
    VERDICT_COLUMNS,
    clock,
    csv_row,
    explained,
    json_line,
    place,
    table,
    verdict_csv,
    verdict_groups,
)
from offscript.versions import ancestors

GROUPS_SHOWN = 100  # rows of a table on a terminal; more are not read there, and every verdict is in the JSON lines
GROUPS_EXPLAINED = 5  # a screenful: each takes three lines
JOURNAL_BATCH = 1000  # verdicts written to the journal at once when a whole file is judged
TEMPLATE_WIDTH = 60  # characters of a template in a table; the explanations below it hold the line itself
STRANGE_SHARE = 0.5  # of a log's entries: no fault makes most lines new
STRANGE_FROM = 20  # entries, as many as `fit` asks for: of fewer, a fault may be most
SESSION_WIDTH = 40  # characters of a session's name in a table: a UUID has 36


def journalled(
    verdicts: Iterable[Verdict], journal: Journal | None, detector: Detector, batch: int = JOURNAL_BATCH
) -> Iterator[Verdict]:
    """Yield the verdicts, each stored before the next batch is asked for, under the version that gave it."""
    if journal is None:
        yield from verdicts
        return
    waiting: list[Verdict] = []
    model = detector.model
    kin = ancestors(journal.folder, model.version)

    def store() -> None:
        journal.record(waiting, lineage=model.lineage, version=model.version, ancestors=kin)
        waiting.clear()

    for verdict in verdicts:
        if detector.model is not model:
            if waiting:
                store()
            model = detector.model
            kin = ancestors(journal.folder, model.version)
        waiting.append(verdict)
        if len(waiting) >= batch:
            store()
        yield verdict
    if waiting:
        store()


def announce(verdicts: Iterable[Verdict], output: Output) -> int:
    """Print the verdicts of whole files in the form asked for; return how many there were."""
    if not output.waits:
        return announce_each(verdicts, output)
    found = list(verdicts)
    if output is Output.JSON:
        emit("[" + ",\n ".join(_as_json(verdict) for verdict in found) + "]")
    elif found:
        _print_groups(found)
    return len(found)


def announce_each(verdicts: Iterable[Verdict], output: Output) -> int:
    """Print each verdict as it comes; return how many there were."""
    if output is Output.CSV:
        emit(csv_row(VERDICT_COLUMNS))
    forms: dict[Output, Callable[[Verdict], str]] = {Output.TABLE: explained, Output.CSV: verdict_csv}
    form = forms.get(output, _as_json)
    count = 0
    for verdict in verdicts:
        emit(form(verdict))
        count += 1
    return count


def _as_json(verdict: Verdict) -> str:
    return json_line(record_of(verdict))


def announce_live(
    detector: Detector,
    lines: Iterable[Line],
    output: Output,
    journal: Journal | None,
    *,
    complete: bool,
    passing: Callable[[Iterable[Verdict]], Iterable[Verdict]] = iter,
    between: Callable[[], object] | None = None,
) -> int:
    """Judge a stream as it comes, and print each verdict before the next line is judged; return how many there were.

    The verdicts go through `passing`, which sees each as it comes; `between` is called where nothing is being judged.
    """

    def verdicts() -> Iterator[Verdict]:
        try:
            yield from watch(detector, lines, between=between)
        except KeyboardInterrupt:
            say("stopped")
        else:
            yield from detector.close(complete=complete)

    return announce_each(journalled(passing(verdicts()), journal, detector, batch=1), output)


class Strange:
    """Counts the new keys among verdicts, and says so where a log has hardly anything else (ours)."""

    def __init__(self, passing: Callable[[Iterable[Verdict]], Iterable[Verdict]] = iter) -> None:
        self._passing, self._new = passing, 0

    def passing(self, verdicts: Iterable[Verdict]) -> Iterator[Verdict]:
        """Yield what the next in line makes of the verdicts, each as it comes."""
        for verdict in self._passing(verdicts):
            self._new += verdict.reason is Reason.NEW_KEY
            yield verdict

    def describe(self, detector: Detector) -> str | None:
        """One human line where most lines are new, None elsewhere."""
        entries = detector.counts["entries"]
        if entries < STRANGE_FROM or self._new <= STRANGE_SHARE * entries:
            return None
        return (
            f"{self._new:,} of {counted(entries, 'entries')} fit no template: is this a log of the system "
            "that the model was learnt from? if so, fit again"
        )


def summarise(detector: Detector, found: int) -> None:
    """Say what was read and judged, what was not, and why."""
    counts = [(name, detector.counts[name]) for name in COUNTED if detector.counts[name]]
    told = ", ".join(counted(count, name) for name, count in counts) or "no lines"
    say(f"{found:,} {'anomaly' if found == 1 else 'anomalies'}; {told}")


def _print_groups(found: list[Verdict]) -> None:
    groups = verdict_groups(found)
    columns = ["time", "line", "session", "reason", "score", "more", "what came"]
    rows = [
        [
            clock(v.time),
            place(v),
            plain(v.session or "-", SESSION_WIDTH),
            v.reason,
            f"{v.score:.2f}",
            f"+{more}" if more else "",
            plain(v.entry.template, TEMPLATE_WIDTH),
        ]
        for v, more in groups[:GROUPS_SHOWN]
    ]
    if all(v.session is None for v, _ in groups):
        columns, rows = [c for c in columns if c != "session"], [row[:2] + row[3:] for row in rows]
    show(table(f"{len(found):,} verdicts in {len(groups):,} groups", columns, rows))
    emit("\nthe highest scores, explained:")
    for verdict, _ in sorted(groups, key=lambda group: -group[0].score)[:GROUPS_EXPLAINED]:
        emit("\n" + explained(verdict))
    if len(groups) > GROUPS_SHOWN:
        say(f"{len(groups) - GROUPS_SHOWN:,} more groups not shown: use --output jsonl")
