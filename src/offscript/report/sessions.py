"""The list of the sessions that were flagged, a row each: what was found, how far from normal, and the last steps."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from offscript.entries import Reason, Verdict
from offscript.render import clock
from offscript.report.contents import Shown
from offscript.report.markup import Html, cut, join, tag

SESSIONS_SHOWN = 1_000
"""Rows of the list, 600 bytes each; more are not read one by one, and the JSON lines have them all."""

UNFOLDED = 40
"""Longer lists are folded: a browser then need not lay them out before the page is there."""

STEPS_SHOWN = 8
"""Last steps of a path: a line of them."""


@dataclass(slots=True)
class Flagged:
    """A session with its verdicts, in order, and the numbers of the incidents it is part of."""

    name: str
    verdicts: list[Verdict]
    incidents: list[int]


def flagged(cases: Sequence[Shown]) -> list[Flagged]:
    """Return the sessions that verdicts name, in the order of the page's incidents."""
    found: dict[tuple[str, str], Flagged] = {}
    for number, case in enumerate(cases, 1):
        for verdict in case.incident.verdicts:
            if verdict.session is None:
                continue
            one = found.setdefault((verdict.entry.line.source, verdict.session), Flagged(verdict.session, [], []))
            one.verdicts.append(verdict)
            if one.incidents[-1:] != [number]:
                one.incidents.append(number)
    return list(found.values())


def session_list(cases: Sequence[Shown], templates: Mapping[int, str], listed: Collection[int]) -> Html:
    """Return the list as a table; a sentence where no verdict names a session. The page lists the keys `listed`."""
    found = flagged(cases)
    if not found:
        return tag("p", {"class": "quiet"}, "No verdict names a session.")
    heads = [tag("th", {"scope": "col"}, name) for name in ("session", "found", "score", "first", "last steps", "in")]
    rows = [_row(one, templates, listed) for one in found[:SESSIONS_SHOWN]]
    table = tag("table", None, tag("thead", None, tag("tr", None, *heads)), tag("tbody", None, *rows))
    scrolled = tag("div", {"class": "scroll", "tabindex": 0, "role": "region", "aria-label": "sessions"}, table)
    if len(found) > UNFOLDED:
        scrolled = tag("details", {"class": "list"}, tag("summary", None, f"{len(found):,} sessions"), scrolled)
    more = len(found) - len(rows)
    note = f"{more:,} more sessions are in the JSON lines: offscript detect --output jsonl"
    return join([scrolled, tag("p", {"class": "quiet"}, note)]) if more else scrolled


def _row(one: Flagged, templates: Mapping[int, str], listed: Collection[int]) -> Html:
    reasons = list(dict.fromkeys(verdict.reason.value for verdict in one.verdicts))
    first = min((verdict.time for verdict in one.verdicts if verdict.time is not None), default=None)
    links = [tag("a", {"href": f"#i{number}"}, f"{number}") for number in one.incidents[:3]]
    return tag(
        "tr",
        None,
        tag("th", {"scope": "row", "class": "mono"}, cut(one.name, 60)),
        tag("td", None, *(tag("span", {"class": f"chip r-{reason}"}, reason) for reason in reasons)),
        tag("td", {"class": "figure"}, f"{max(verdict.score for verdict in one.verdicts):.1f}"),
        tag("td", {"class": "mono"}, clock(first)[11:19] if first is not None else "-"),
        tag("td", {"class": "mono path"}, path_of(one.verdicts[0], templates, listed)),
        tag("td", None, *_spaced(links)),
    )


def _spaced(links: Sequence[Html]) -> list[Html]:
    return [join((" ", link)) if place else link for place, link in enumerate(links)]


def path_of(verdict: Verdict, templates: Mapping[int, str], listed: Collection[int]) -> Html:
    """Return the keys of the last steps up to a verdict's; each leads to its template where the page lists it."""
    keys = [*verdict.history[-STEPS_SHOWN:]]
    cut_short = verdict.reason is Reason.INCOMPLETE_SESSION
    if not cut_short:
        keys.append(verdict.entry.key)
    last = len(keys) - (not cut_short)
    parts = [_key(key, templates, listed, last=place == last) for place, key in enumerate(keys)]
    ended = [tag("span", {"class": "bad"}, "end")] if cut_short else []
    dots = ["… "] if len(verdict.history) > STEPS_SHOWN else []
    return join([*dots, *_arrows([*parts, *ended])])


def _arrows(parts: Sequence[Html]) -> list[Html]:
    return [join((" → ", part)) if place else part for place, part in enumerate(parts)]


def _key(key: int, templates: Mapping[int, str], listed: Collection[int], *, last: bool) -> Html:
    """A key as a link to its template, if that is listed; a line that no template matches has none."""
    if key <= 0 or key not in templates:
        return tag("span", {"class": "bad"}, "new" if key <= 0 else f"{key}")
    link = {"href": f"#k{key}"} if key in listed else {}
    told = {"class": "bad", "title": cut(templates[key], 80)} if last else {}  # the last only: they are many
    return tag("a" if link else "span", link | told, f"{key}")


def keys_mentioned(cases: Sequence[Shown], templates: Mapping[int, str]) -> list[int]:
    """Return the keys that the list of sessions names, in order."""
    keys: set[int] = set()
    for one in flagged(cases)[:SESSIONS_SHOWN]:
        verdict = one.verdicts[0]
        keys |= {*verdict.history[-STEPS_SHOWN:], verdict.entry.key}
    return sorted(key for key in keys if key in templates)
