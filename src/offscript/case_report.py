"""A diagnosis with its case, as text for a terminal and as a record; log text is hostile, so escaped (ours)."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Any, Final

from offscript.casefile import Case
from offscript.diagnosis import Diagnosis, Named, SlowEdge
from offscript.diagnosis_wording import Wording
from offscript.entries import Line
from offscript.journal import record_of
from offscript.plain import duration, plain
from offscript.render import clock, place
from offscript.session_path import elapsed
from offscript.wording import LEAST_NAMED
from offscript.workflow.graph import Times

WIDTH: Final = 100
"""Columns of the sentences: what is read without losing the line."""

LINE, HEAD = 180, 60
"""Characters of a raw line that are shown, and of them from its beginning: lines differ at their ends, and the log has
the rest."""

BEFORE, AFTER = 8, 4
"""Steps shown before and after a departure: those before tell more."""

BAR: Final = 20
"""Signs of the bar of a certain step."""


def case_text(diagnosis: Diagnosis, case: Case, wording: Wording) -> str:
    """Return a diagnosis for a person: the sentences, the lines around it, the path, and what was expected."""
    verdict = diagnosis.verdict
    session = f"  session {plain(verdict.session, 60)}" if verdict.session is not None else ""
    parts = [
        f"{clock(verdict.time)}  {plain(place(verdict), 80)}{session}  {verdict.reason}  score {verdict.score:.2f}",
        "",
        *textwrap.wrap(plain(diagnosis.text), WIDTH, break_long_words=False, break_on_hyphens=False),
        *_section("the lines around it", _context(case)),
        *_section("the path of its session", _path(diagnosis, wording)),
        *_section("expected there", _expected(diagnosis, wording)),
    ]
    return "\n".join(parts)


def _section(title: str, rows: Iterator[str]) -> list[str]:
    found = list(rows)
    return ["", f"{title}:", *found] if found else []


def _context(case: Case) -> Iterator[str]:
    if case.line is None:
        yield f"  > {_cut(case.verdict.entry.text)}"
        return
    for mark, lines in ((" ", case.before), (">", (case.line,)), (" ", case.after)):
        for line in lines:
            yield f"  {mark} {line.number:>7}  {_cut(line.text)}"


def _cut(text: str) -> str:
    return plain(text if len(text) <= LINE else f"{text[:HEAD]} … {text[HEAD - LINE :]}")


def _path(diagnosis: Diagnosis, wording: Wording) -> Iterator[str]:
    """The steps around the departure, each with the time since the one before; what is off script is marked."""
    keys, departure = diagnosis.keys, diagnosis.departure
    middle = len(keys) if departure is None else departure
    first, last = max(0, middle - BEFORE), min(len(keys), middle + AFTER)
    times = [None, *elapsed(diagnosis.entries)] if diagnosis.entries else [None] * len(keys)
    slow = {(edge.before.key, edge.after.key): edge for edge in diagnosis.slow}
    if first or not diagnosis.path_is_whole:
        yield f"    ... {first:,} before" if diagnosis.path_is_whole else "    ..."
    for at in range(first, last):
        mark = "x" if at == departure else " "
        since = times[at]
        took = "" if since is None or since != since else f"+{duration(since)}"
        edge = slow.get((keys[at - 1], keys[at])) if at else None
        late = f"  slow: {_normal(edge.normal)} is normal" if edge is not None else ""
        yield f"  {mark} {took:>9}  {plain(wording.name(keys[at], _template(diagnosis, at)))}{late}"
    if departure == len(keys):
        yield "  x            the session ended"
    elif last < len(keys):
        yield f"    ... {len(keys) - last:,} more"


def _template(diagnosis: Diagnosis, at: int) -> str:
    """The template of a step, as far as it is known."""
    steps = {step.key: step.template for step in (diagnosis.last_step, diagnosis.came) if step is not None}
    return diagnosis.entries[at].template if diagnosis.entries else steps.get(diagnosis.keys[at], "")


def _normal(times: Times) -> str:
    return f"{duration(times.low)} to {duration(times.high)}"


def _expected(diagnosis: Diagnosis, wording: Wording) -> Iterator[str]:
    for one in diagnosis.expected:
        if one.probability < LEAST_NAMED:
            continue
        bar = "#" * round(BAR * one.probability)
        yield f"  {one.probability:>6.1%}  {bar:<{BAR}}  {plain(wording.name(one.key, one.template))}"


def case_record(diagnosis: Diagnosis, case: Case) -> dict[str, Any]:
    """Return a diagnosis as plain JSON: the verdict as `detect` prints it, and what is known beyond it."""
    times = [None, *(None if one != one else one for one in elapsed(diagnosis.entries))]
    return {
        "verdict": record_of(diagnosis.verdict),
        "task": None if diagnosis.workflow is None else diagnosis.workflow.number,
        "last_step": _named(diagnosis.last_step),
        "came": _named(diagnosis.came),
        "departure": diagnosis.departure,
        "expected": [
            {"key": one.key, "template": one.template, "probability": round(one.probability, 6)}
            for one in diagnosis.expected
        ],
        "missing": [_named(step) for step in diagnosis.missing],
        "extra": [_named(step) for step in diagnosis.extra],
        "slow": [_slow(edge) for edge in diagnosis.slow],
        "path_is_whole": diagnosis.path_is_whole,
        "path": [
            {
                "key": entry.key,
                "template": entry.template,
                "line": entry.line.number,
                "time": entry.time,
                "elapsed": took,
            }
            for entry, took in zip(diagnosis.entries, times, strict=False)
        ],
        "keys": list(diagnosis.keys),
        "before": [_line(line) for line in case.before],
        "after": [_line(line) for line in case.after],
        "text": diagnosis.text,
    }


def _named(step: Named | None) -> dict[str, Any] | None:
    return None if step is None else {"key": step.key, "template": step.template}


def _slow(edge: SlowEdge) -> dict[str, Any]:
    normal = {name: getattr(edge.normal, name) for name in ("count", "low", "median", "high", "longest")}
    return {"before": _named(edge.before), "after": _named(edge.after), "seconds": edge.seconds, "normal": normal}


def _line(line: Line) -> dict[str, Any]:
    return {"line": line.number, "text": line.text}
