"""Showing what the demonstration found: a table for people, one JSON object for programs."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from offscript.console import Output, emit, say, show
from offscript.detect_report import VERDICTS_KEPT, Kept, check_report, report_of, write_page
from offscript.entries import Reason
from offscript.errors import UsageError
from offscript.evaluate.demo import FAULTED, OF_VALUES, Demo, Judged, recording
from offscript.journal import Journal
from offscript.model_folder import journal_path
from offscript.model_workflows import workflows_if_quick
from offscript.render import clock, csv_row, explained, json_line, table
from offscript.sources import read

PAGE = Path("offscript-demo.html")

_COLUMNS = ["kind of fault", "shows as", "injected", "found", "new-event rule", "first verdict"]


def print_demo(demo: Demo, output: Output) -> None:
    """Print the demonstration in the form asked for."""
    if output in (Output.JSON, Output.JSONL):
        emit(json_line(as_record(demo)))
        return
    lines = [judged for judged in demo.judged if judged.fault.shows_as not in OF_VALUES]
    values = [judged for judged in demo.judged if judged.fault.shows_as in OF_VALUES]
    if output is Output.CSV:
        emit(csv_row(_COLUMNS))
        for row in [*kind_rows(lines), *kind_rows(values)]:
            emit(csv_row(row))
        return
    show(table("injected faults that lines and their order show", _COLUMNS, [*kind_rows(lines), _total(lines)]))
    emit("")
    show(table("faults that only time or values show", _COLUMNS, [*kind_rows(values), _total(values)]))
    emit("")
    for line in _alarm_lines(demo):
        emit(line)
    emit("\nsome verdicts, explained:")
    for judged in [*_examples(lines), *_examples_of_values(values)]:
        emit(f"\n{judged.fault.kind}\n{explained(judged.verdicts[0])}")
    say(f"fit {demo.seconds['fit']:.0f} s, detect {demo.seconds['detect']:.0f} s")


def page_place(asked: Path | None) -> Path:
    """Return where the page of the demonstration goes: where asked, else here, else into a new temporary folder.

    Raises UsageError where it is asked for a place that cannot be written.
    """
    place = PAGE if asked is None else asked
    try:
        check_report(place)
    except UsageError:
        if asked is not None:
            raise
        place = Path(tempfile.mkdtemp(prefix="offscript-")) / PAGE
    return place


def write_demo_page(demo: Demo, place: Path, kept: Path | None) -> None:
    """Write the page of the faulted run; `kept` is the folder in which the model was saved, if it was.

    The journal of that folder gets the verdicts, so that the commands on the page work.
    """
    if kept is not None:
        Journal(journal_path(kept)).record(demo.verdicts, lineage=demo.model.lineage, version=demo.model.version)
    with recording() as folder:
        log = str(folder / FAULTED)
        contents = report_of(
            demo.faulted,
            Kept(demo.verdicts[:VERDICTS_KEPT], len(demo.verdicts[VERDICTS_KEPT:])),
            sources=[FAULTED],
            again=read(log),
            first=read(log),
            model_name="" if kept is None else str(kept),
            anywhere=True,
            workflows=workflows_if_quick(demo.model, wanted=None),
        )
    write_page(place, contents)
    say(f"report {place}: open it in a browser")


def as_record(demo: Demo) -> dict[str, Any]:
    """Return the demonstration as one JSON object."""
    return {
        "faults": [_fault_record(judged) for judged in demo.judged],
        "false_alarms_per_1000_sessions": round(demo.false_alarms_per_1000, 3),
        "false_alarms": len(demo.false_alarms),
        "heldout_normal_sessions": demo.sessions_heldout,
        "faulted_run_sessions": demo.sessions_faulted,
        "faulted_run_flagged_without_label": demo.flagged_unlabelled,
        "new_event_rule_false_alarms": demo.false_alarms_new_event,
    }


def _fault_record(judged: Judged) -> dict[str, Any]:
    first = judged.verdicts[0] if judged.verdicts else None
    return {
        "kind": judged.fault.kind,
        "shows_as": judged.fault.shows_as,
        "injected_at": clock(judged.fault.start),
        "found": judged.found,
        "found_by_new_event_rule": judged.found_by_new_event,
        "first_verdict": None
        if first is None
        else {
            "id": first.id,
            "time": clock(first.time),
            "reason": first.reason.value,
            "line": first.entry.line.number,
            "score": round(first.score, 3),
        },
    }


def kind_rows(judged: Sequence[Judged]) -> list[list[object]]:
    """Return a row for each kind of fault, in order of appearance."""
    kinds: dict[str, list[Judged]] = {}
    for one in judged:
        kinds.setdefault(one.fault.kind, []).append(one)
    return [
        [kind, group[0].fault.shows_as, len(group), *_found(group), _usual_first(group)]
        for kind, group in kinds.items()
    ]


def _found(group: Sequence[Judged]) -> tuple[int, int]:
    return sum(one.found for one in group), sum(one.found_by_new_event for one in group)


def _usual_first(group: Sequence[Judged]) -> str:
    firsts = Counter(one.verdicts[0].reason.value for one in group if one.verdicts)
    return ", ".join(f"{count} x {reason}" for reason, count in firsts.most_common()) or "-"


def _total(judged: Sequence[Judged]) -> list[object]:
    found, by_rule = _found(judged)
    share = found / max(1, len(judged))
    return [
        "all of these",
        "",
        len(judged),
        f"{found} ({share:.0%})",
        f"{by_rule} ({by_rule / max(1, len(judged)):.0%})",
        "",
    ]


def _alarm_lines(demo: Demo) -> list[str]:
    reasons = Counter(reason.value for reason in demo.false_alarms.values())
    by_reason = ", ".join(f"{count} {reason}" for reason, count in reasons.most_common()) or "none"
    rule = 1000 * demo.false_alarms_new_event / max(1, demo.sessions_heldout)
    return [
        f"false alarms: {demo.false_alarms_per_1000:.2f} per 1,000 sessions of a held-out normal run "
        f"({len(demo.false_alarms)} of {demo.sessions_heldout:,} sessions: {by_reason}); new-event rule {rule:.2f}",
        f"in the faulted run {demo.flagged_unlabelled} of {demo.sessions_faulted:,} sessions were flagged "
        "though no fault hit them",
    ]


def _examples(judged: Sequence[Judged]) -> list[Judged]:
    """Return one fault found by order and one found otherwise, where there are such."""
    found = [one for one in judged if one.found]
    by_order = [one for one in found if one.verdicts[0].reason is Reason.UNEXPECTED_KEY]
    cut_short = [one for one in found if one.verdicts[0].reason is Reason.INCOMPLETE_SESSION]
    others = cut_short or [one for one in found if one not in by_order]
    return by_order[:1] + others[:1]


def _examples_of_values(judged: Sequence[Judged]) -> list[Judged]:
    """Return one fault found by a time and one found by a value, where there are such."""
    firsts = {one.verdicts[0].reason: one for one in reversed(judged) if one.found}
    return [firsts[reason] for reason in (Reason.UNUSUAL_TIME, Reason.UNUSUAL_VALUE) if reason in firsts]
