"""Incidents made by hand, for the tests of the page: plain ones, and ones that are hostile in every part."""

from __future__ import annotations

from dataclasses import replace

from offscript import Entry, Expected, Line, Measured, Reason, Verdict
from offscript.diagnosis import Diagnosis, Incident, Named, SlowEdge
from offscript.report.contents import Contents, Shown
from offscript.workflow.graph import Edge, Node, NodeKind, Times, Walk, Workflow
from offscript.workflow.tree import sequence, step

BEGAN = 1_714_557_600.0
TEMPLATES = {key: f"step {key} of <*> took <*> ms" for key in range(3, 16)}
NUMBERS = (Measured(0, 9.5, 0.01, 0.4, 2.5, "s"), Measured(2, 12_000.0, 1.0, 3.0, 9.0), Measured(0, 3.0, 1, 1, 1, "ms"))
HOSTILE = (
    '</script><script>window.hit = 1</script><img src=x onerror="window.hit=1"><svg/onload=window.hit=1>'
    "<a href='javascript:window.hit=1'>click</a><!-- --><style>body{display:none}</style>&lt;b&gt;"
    " \x1b[31mred\x1b]8;;http://x\x07link\x9b0m \u202egnp.exe \u2066 \x00\x7f\ufeff\udcff"
    " =cmd|'/C calc'!A0 `${window.hit=1}` {{7*7}}"
)


def workflow() -> Workflow:
    """Four steps one after another."""
    kinds = (NodeKind.START, *[NodeKind.STEP] * 4, NodeKind.END)
    nodes = tuple(Node(n, kind, n + 2 if kind is NodeKind.STEP else 0, 90) for n, kind in enumerate(kinds))
    times = Times(90, 0.1, 0.4, 2.0, 3.0)
    edges = tuple(Edge(n, n + 1, 90, 1.0, times) for n in range(len(nodes) - 1))
    return Workflow(1, sequence(*(step(key) for key in range(3, 7))), nodes, edges, 90)


def shown(number: int, reason: Reason = Reason.UNEXPECTED_KEY, said: str = "", text: str = "") -> Shown:
    """An incident of one session that took two steps of the workflow and then another; `text` is its raw line."""
    session, began = f"req-{number}", BEGAN + 37.0 * number
    text = text or f"2024-05-01 10:00:00.000 INFO [req-{number}] step 9 of 12 took 44 ms"
    taken = [
        Entry(Line(f"step {key}", "app.log", 100 * number + key), key, (), TEMPLATES[key], began + key, None, session)
        for key in (3, 4)
    ]
    line = Line(text, "app.log", 100 * number + 9, 9_000 * number)
    entry = Entry(line, 9, ("12", "44"), said or TEMPLATES[9], began + 9, None, session)
    is_value = reason in (Reason.UNUSUAL_TIME, Reason.UNUSUAL_VALUE)
    expected = () if is_value else (Expected(5, said or TEMPLATES[5], 0.97), Expected(6, TEMPLATES[6], 0.004))
    told = said or f"task 1, after `{TEMPLATES[4]}`: expected `{TEMPLATES[5]}` (97%), but `{TEMPLATES[9]}` came"
    measured = NUMBERS[number % len(NUMBERS)] if is_value else None
    verdict = Verdict(
        f"{number:016x}", reason, 1.0 + number % 7, entry, entry.time, session, expected, told, (3, 4), measured
    )
    walk = Walk((1, 2, None), 2, 2, (3, 4))
    slow = (SlowEdge(Named(3, TEMPLATES[3]), Named(4, TEMPLATES[4]), 21.0, Times(90, 0.1, 0.4, 2.0, 3.0)),)
    missing = (Named(5, said or TEMPLATES[5]),)
    diagnosis = Diagnosis(
        verdict,
        workflow(),
        walk,
        (*taken, entry),
        path_is_whole=True,
        last_step=Named(4, TEMPLATES[4]),
        missing=missing,
        extra=(),
        slow=slow if reason is Reason.UNUSUAL_TIME else (),
        text=told,
        keys=(3, 4, 9),
        departure=2,
        came=Named(9, said or TEMPLATES[9]),
    )
    around = tuple(
        Line(f"{text} ({n:+})" if n else text, "app.log", line.number + n, line.offset + n) for n in range(-3, 4)
    )
    return Shown(Incident(diagnosis, (verdict,), (session,), verdict.time, began + 30), around)


def contents(count: int, *, said: str = "", text: str = "") -> Contents:
    """A page of so many incidents, of every reason in turn."""
    reasons = list(Reason)
    cases = tuple(shown(n, reasons[n % len(reasons)], said, text) for n in range(count))
    return Contents(
        model="app.model",
        version=3,
        lineage="0123abcd",
        sources=("app.log",),
        cases=cases,
        counts=(("lines", 52_310), ("entries", 52_300), ("sessions", 4_120)),
        notes=("3 lines were longer than the cap and cut", "passed over core.bin: is binary, not text"),
        learnt=("at most 0.1% of normal sessions flagged",),
        span=(BEGAN - 60, BEGAN + 37.0 * count + 600),
        templates=TEMPLATES,
    )


def hostile(count: int = 14) -> Contents:
    """The same, with markup, scripts, escapes and formulas in every part that a log or a name can reach."""
    made = contents(count, said=HOSTILE, text=HOSTILE)
    cases = tuple(_hostile(one) for one in made.cases)
    return replace(
        made,
        model=HOSTILE,
        lineage=HOSTILE,
        sources=(HOSTILE,),
        cases=cases,
        counts=((HOSTILE, 1), *made.counts),
        notes=(HOSTILE,),
        learnt=(HOSTILE,),
        templates=dict.fromkeys(TEMPLATES, HOSTILE),
    )


def _hostile(one: Shown) -> Shown:
    """The incident with a hostile session, source and id."""
    incident, first = one.incident, one.incident.first
    entry = replace(first.verdict.entry, line=Line(HOSTILE, HOSTILE, 7), session=HOSTILE, template=HOSTILE)
    verdict = replace(first.verdict, id=HOSTILE, entry=entry, session=HOSTILE)
    entries = tuple(replace(old, template=HOSTILE) for old in first.entries)
    named = Named(5, HOSTILE)
    slow = tuple(replace(edge, before=named, after=named) for edge in first.slow)
    diagnosis = replace(first, verdict=verdict, entries=entries, last_step=named, missing=(named,), slow=slow)
    changed = replace(incident, first=diagnosis, verdicts=(verdict,), sessions=(HOSTILE,))
    return Shown(changed, tuple(Line(HOSTILE, HOSTILE, line.number) for line in one.around))
