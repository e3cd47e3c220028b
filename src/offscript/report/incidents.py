"""The incidents of a page: a card each, folded, with all that is known; the last of very many in short."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from offscript.diagnosis import Diagnosis, Incident, SlowEdge
from offscript.entries import Line, Reason, Verdict
from offscript.plain import duration
from offscript.render import clock, place
from offscript.report.contents import Shown
from offscript.report.markup import Html, cut, join, tag, text
from offscript.report.names import Names
from offscript.report.plots import expected_bars, value_plot
from offscript.report.steps import steps
from offscript.session_path import OF_VALUES

SENTENCE_SHOWN = 480
"""Characters of a diagnosis on a card: some four sentences."""

TEXT_SHOWN = 4_000
"""Characters of a diagnosis that is longer, told whole below its beginning."""

LINE_SHOWN = 360
"""Characters of a raw line: three lines of a laptop's screen; the middle of a longer one is left out."""

SESSIONS_SHOWN = 12
"""Sessions named on a card: one line; the list of sessions has them all."""

Attribute = str | int | float | bool


def card(case: Shown, number: int, model: str, names: Names, picture: Html, *, is_open: bool = False) -> Html:
    """Return an incident with all that is known of it; `picture` is its workflow, or what stands in its place."""
    incident, verdict = case.incident, case.incident.first.verdict
    told = incident.first.text
    whole = tag("p", {"class": "said"}, sentence(told, TEXT_SHOWN)) if len(told) > SENTENCE_SHOWN else Html("")
    body = tag(
        "div",
        {"class": "body"},
        whole,
        tag(
            "div",
            {"class": "column"},
            _part("What was expected", _expected(incident.first, names)),
            _part("The number", Html("") if verdict.measured is None else value_plot(verdict.measured)),
            _part("Slow steps", _slow(incident.first.slow, names)),
        ),
        _part("The session, step by step", steps(incident.first, names)),
        _part("The log", _lines(case), is_wide=True),
        _part("The workflow", picture, is_wide=True),
        tag(
            "div",
            {"class": "last"},
            _part("Sessions", _sessions(incident)),
            _part("How to go on", _commands(model, verdict)),
        ),
    )
    return tag("details", _named(incident, number) | {"open": is_open}, summary(incident, number), body)


def _expected(diagnosis: Diagnosis, names: Names) -> Html:
    """What should have come where the path was left; a time or a value is wrong on a path that is right."""
    verdict, came = diagnosis.verdict, diagnosis.came
    if verdict.reason in OF_VALUES:
        return Html("")
    ended = verdict.reason is Reason.INCOMPLETE_SESSION or diagnosis.departure is not None
    if came is None and ended:
        what = tag("span", {"class": "label"}, "nothing: the session ended here")
    elif came is None:
        what = names.told(verdict.entry.key, verdict.entry.template)
    else:
        what = names.told(came.key, came.template)
    return expected_bars(diagnosis.expected or verdict.expected, what, names)


def compact(case: Shown, number: int, model: str) -> Html:
    """Return an incident in a few lines: the sentence, the raw line, and the command that tells the rest."""
    verdict = case.incident.first.verdict
    body = tag(
        "div",
        {"class": "body"},
        _part("The log", _lines(Shown(case.incident)), is_wide=True),
        _part("How to go on", _commands(model, verdict)),
    )
    return tag("details", _named(case.incident, number), summary(case.incident, number), body)


def summary(incident: Incident, number: int) -> Html:
    """Return the head of an incident: what, where and why, then reason, score, counts and times."""
    verdict = incident.first.verdict
    said = tag("span", {"class": "what"}, sentence(beginning(incident.first.text, SENTENCE_SHOWN), SENTENCE_SHOWN))
    worst = max(one.score for one in incident.verdicts)
    facts = [
        tag("span", {"class": f"chip r-{verdict.reason.value}"}, verdict.reason.value),
        tag("span", None, f"score {worst:.1f}"),
        tag("span", None, counted(incident)),
        tag("span", {"class": "when"}, when(incident)),
        tag("span", {"class": "mono where"}, cut(place(verdict), 60)),
    ]
    if incident.first.workflow is not None:
        facts.append(tag("span", None, f"task {incident.first.workflow.number}"))
    inner = tag("span", {"class": "head"}, said, tag("span", {"class": "facts"}, *facts))
    return tag("summary", None, tag("span", {"class": "number"}, f"{number}"), inner)


def _named(incident: Incident, number: int) -> dict[str, Attribute]:
    return {"class": "incident", "id": f"i{number}", "data-reason": incident.first.verdict.reason.value}


def beginning(told: str, limit: int) -> str:
    """Return the first sentences, as many as are no longer than `limit` together; all where even the first is.

    >>> beginning("It came late. `a. B` was before. The rest.", 34)
    'It came late. `a. B` was before.'
    """
    ends = [
        at + 1 for at in range(min(limit, len(told))) if told.startswith(". ", at) and told.count("`", 0, at) % 2 == 0
    ]
    return told[: ends[-1]] if len(told) > limit and ends else told


def sentence(told: str, limit: int) -> Html:
    """Return a sentence; what stands between backticks is set as log text."""
    parts = cut(told, limit).split("`")
    if len(parts) % 2 == 0:  # a backtick of the log's own has no partner
        return text("`".join(parts))
    return join(tag("code", None, part) if n % 2 else text(part) for n, part in enumerate(parts))


def counted(incident: Incident) -> str:
    """Say how many verdicts and sessions an incident has."""
    verdicts = many(len(incident.verdicts), "verdict")
    return f"{verdicts} in {many(len(incident.sessions), 'session')}" if incident.sessions else verdicts


def many(count: int, name: str) -> str:
    """Write a count with its noun.

    >>> many(1, "session"), many(1200, "session")
    ('1 session', '1,200 sessions')
    """
    return f"{count:,} {name}{'' if count == 1 else 's'}"


def when(incident: Incident) -> str:
    """Say from when to when, the day once."""
    if incident.start is None:
        return "no time"
    first = clock(incident.start)
    if incident.end is None or incident.end <= incident.start:
        return first[:19]
    last = clock(incident.end)
    last = last[11:19] if last[:10] == first[:10] else last[:19]
    return f"{first[:19]} to {last}" if last != first[11:19] else first[:19]


def _part(title: str, content: Html, *, is_wide: bool = False) -> Html:
    width: dict[str, Attribute] = {"class": "wide"} if is_wide else {}
    return tag("section", width, tag("h4", None, title), content) if content else Html("")


def _lines(case: Shown) -> Html:
    """The line of the first verdict among those about it."""
    own = case.incident.first.verdict.entry.line
    around = case.around or (own,)
    rows = [_line(line, is_own=(line.number, line.offset) == (own.number, own.offset)) for line in around]
    head = tag("p", {"class": "quiet mono"}, f"{cut(own.source, 120)}:{own.number}")
    return join([head, tag("ol", {"class": "log mono", "tabindex": 0}, *rows)])


def _line(line: Line, *, is_own: bool) -> Html:
    number = tag("span", {"class": "no"}, f"{line.number}")
    marked: dict[str, Attribute] = {"class": "own"} if is_own else {}
    return tag("li", marked, number, tag("span", {"class": "raw"}, cut(line.text, LINE_SHOWN)))


def _slow(slow: Sequence[SlowEdge], names: Names) -> Html:
    rows = [
        tag(
            "li",
            None,
            tag("b", None, duration(one.seconds)),
            " from ",
            names.step(one.before.key, one.before.template),
            " to ",
            names.step(one.after.key, one.after.template),
            tag("span", {"class": "quiet"}, f" normally {duration(one.normal.low)} to {duration(one.normal.high)}"),
        )
        for one in slow
    ]
    return tag("ul", None, *rows) if rows else Html("")


def _sessions(incident: Incident) -> Html:
    if not incident.sessions:
        return Html("")
    shown = [tag("li", {"class": "mono"}, cut(name, 80)) for name in incident.sessions[:SESSIONS_SHOWN]]
    more = len(incident.sessions) - len(shown)
    if more:
        shown.append(tag("li", {"class": "quiet"}, f"and {more:,} more"))
    return tag("ul", {"class": "names"}, *shown)


def _commands(model: str, verdict: Verdict) -> Html:
    if not model:
        return Html("")
    explain = f"offscript explain {shlex.quote(model)} {verdict.id}"
    return tag("pre", {"class": "command", "tabindex": 0}, tag("code", None, explain))
