"""The page as a whole: head and policy, headline, incidents, timeline, sessions, what was read, the model (ours).

One file that asks for nothing: no picture, font, script or style from anywhere. Its policy forbids all but the one
style and the one script that it carries, by their hashes, so that even markup which got past the escaping would be
inert. Without JavaScript everything is there but the filter and the switches.
"""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.resources import files

from offscript.entries import Reason
from offscript.render import clock
from offscript.report.contents import Contents, Shown, severity
from offscript.report.incidents import card, compact, many
from offscript.report.markup import Html, cut, join, tag
from offscript.report.names import Names
from offscript.report.pictures import Pictures
from offscript.report.sessions import flagged, keys_mentioned, session_list
from offscript.report.timeline import timeline
from offscript.version import __version__
from offscript.workflow.shapes import STYLE

CARD_BYTES = 2_000_000
"""Bytes of incidents told in full: a card takes 4 to 7 kB, so these are the worst 300 at least. With the pictures,
the short ones and the sessions the page stays under 5 MB, which a browser opens at once and a mail takes along."""

ROW_BYTES = 800_000
"""Bytes of incidents told in short, 700 each; those that are left then are counted."""

OPEN = 1
"""Incidents unfolded at first: the worst."""

TEMPLATE_SHOWN = 400
"""Characters of a template in the list of log keys, where there is room."""

KEYS_BYTES = 1_150_000
"""Bytes of the list of log keys: 1,000 sessions name 9,000 keys at the most, and each is listed with a fifth of its
share as text, the rest being its row; templates made of what must be escaped take more, and then not all are."""

LEARNT_SHOWN = 600
"""Characters of a finding."""


def page(contents: Contents) -> Html:
    """Return the page, a whole HTML document; the same contents give the same bytes."""
    cases = sorted(contents.cases, key=severity)
    style, script = Html(_asset("page.css") + STYLE), _asset("page.js")
    title = f"offscript: {many(len(cases), 'incident')} in {cut(_named(contents.sources), 80)}"
    head = tag(
        "head",
        None,
        tag("meta", {"charset": "utf-8"}),
        tag("meta", {"http-equiv": "Content-Security-Policy", "content": policy(style, script)}),
        tag("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}),
        tag("meta", {"name": "referrer", "content": "no-referrer"}),
        tag("meta", {"name": "color-scheme", "content": "light dark"}),
        tag("title", None, title),
        tag("style", None, style),
    )
    body = tag(
        "body",
        None,
        tag("a", {"class": "skip", "href": "#incidents"}, "Skip to the incidents"),
        _header(contents, cases),
        tag("main", None, *_parts(contents, cases)),
        _footer(contents),
        tag("script", None, script),
    )
    return Html(f"<!doctype html>\n{tag('html', {'lang': 'en'}, head, body)}\n")


def policy(style: Html, script: Html) -> str:
    """Return the content security policy of a page with one style and one script."""
    return (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; base-uri 'none'; "
        "form-action 'none'"
    )


def _hash(content: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()


@cache
def _asset(name: str) -> Html:
    return Html((files("offscript") / "report" / name).read_text("utf-8"))


def _named(sources: Sequence[str]) -> str:
    return ", ".join(sources[:3]) + (f" and {len(sources) - 3:,} more" if len(sources) > 3 else "")


def _header(contents: Contents, cases: Sequence[Shown]) -> Html:
    top = tag(
        "div",
        {"class": "top"},
        tag("span", {"class": "mark"}, "offscript"),
        tag("nav", {"aria-label": "page"}, *(tag("a", {"href": f"#{name}"}, name) for name in _PARTS)),
        tag("button", {"id": "theme", "type": "button", "hidden": True}, "dark"),
    )
    return tag("header", None, top, _headline(contents, cases), _figures(contents, cases))


_PARTS = ("incidents", "timeline", "sessions", "reading", "model")


def _headline(contents: Contents, cases: Sequence[Shown]) -> Html:
    starts = [case.incident.start for case in cases if case.incident.start is not None]
    since = f" since {clock(min(starts))[:19]}" if starts else ""
    found = f"{many(len(cases), 'incident')}{since}" if cases else "Nothing went off script"
    judged = [tag("span", {"class": "mono"}, cut(name, 100)) for name in contents.sources[:3]]
    more = f" and {len(contents.sources) - 3:,} more" if len(contents.sources) > 3 else ""
    lines = f", {many(contents.count('lines'), 'line')}" if contents.count("lines") else ""
    span = ""
    if contents.span is not None:
        span = f", {clock(contents.span[0])[:19]} to {clock(contents.span[1])[:19]} (times as in the log, else UTC)"
    names = [join((", ", name)) if place else name for place, name in enumerate(judged)]
    told = tag("p", {"class": "judged"}, "judged: ", *names, more, lines, span)
    return join([tag("h1", None, found), told])


def _figures(contents: Contents, cases: Sequence[Shown]) -> Html:
    of = contents.count("sessions")
    figures = [("incidents", f"{len(cases):,}", ""), ("verdicts", f"{contents.verdicts:,}", "")]
    if of:
        figures.append(("sessions flagged", f"{len(flagged(cases)):,}", f"of {of:,}"))
    if contents.count("lines"):
        figures.append(("lines read", f"{contents.count('lines'):,}", ""))
    return tag("dl", {"class": "figures"}, *(_figure(*one) for one in figures))


def _figure(name: str, figure: str, of: str) -> Html:
    quiet = tag("span", {"class": "of"}, f" {of}") if of else ""
    return tag("div", None, tag("dt", None, name), tag("dd", None, figure, quiet))


def _parts(contents: Contents, cases: Sequence[Shown]) -> Iterator[Html]:
    yield _section("incidents", "Incidents", _filter(cases), _incidents(contents, cases))
    yield _section("timeline", "Timeline", timeline(cases, contents.span))
    listed, keys = _keys(contents, cases)
    yield _section("sessions", "Flagged sessions", session_list(cases, contents.templates, listed), keys)
    yield _section("reading", "What was read, and what was not", _reading(contents))
    yield _section("model", "The model", _model(contents))


def _section(name: str, title: str, *content: Html) -> Html:
    head = tag("h2", {"id": f"{name}-title"}, title)
    return tag("section", {"id": name, "class": "part", "aria-labelledby": f"{name}-title"}, head, *content)


def _filter(cases: Sequence[Shown]) -> Html:
    """The controls, hidden until the script shows that it runs."""
    if len(cases) < 2:
        return Html("")
    counts = Counter(case.incident.first.verdict.reason for case in cases)
    buttons = [
        tag(
            "button",
            {"type": "button", "class": f"chip r-{reason.value}", "data-reason": reason.value, "aria-pressed": "false"},
            f"{reason.value} {counts[reason]:,}",
        )
        for reason in Reason
        if counts[reason]
    ]
    box = tag(
        "input",
        {"id": "filter", "type": "search", "placeholder": "text, session, file …", "autocomplete": "off"},
    )
    unfold = tag("button", {"id": "unfold", "type": "button", "aria-pressed": "false"}, "unfold all")
    return tag(
        "form",
        {"class": "filter", "role": "search", "hidden": True},
        tag("label", {"for": "filter"}, "Filter"),
        box,
        tag(
            "div", {"class": "chips", "role": "group", "aria-label": "reasons"}, *(buttons if len(buttons) > 1 else ())
        ),
        unfold,
        tag("output", {"id": "shown", "for": "filter"}),
        tag("p", {"class": "quiet keys"}, "j and k go to the next and the one before, / to the filter"),
    )


def _incidents(contents: Contents, cases: Sequence[Shown]) -> Html:
    if not cases:
        return tag("p", {"class": "good"}, "Every line that was judged is one that the model has seen come so.")
    made = list(_cards(contents, cases))
    left = len(cases) - len(made)
    rest = f"{left:,} more incidents are not on this page: offscript detect --output jsonl has them all"
    return join([*made, *([tag("p", {"class": "quiet"}, rest)] if left else [])])


def _cards(contents: Contents, cases: Sequence[Shown]) -> Iterator[Html]:
    """The incidents, in full as far as there is room, then in short as far as there is room."""
    pictures, names = Pictures(contents.templates), Names(contents.templates)
    room, short_room = CARD_BYTES, ROW_BYTES
    for number, case in enumerate(cases, 1):
        if room > 0:
            picture = pictures.of(case.incident.first, number)
            made = card(case, number, contents.model, names, picture, is_open=number <= OPEN)
            room -= len(made.encode()) - len(picture.encode())
        else:
            made = compact(case, number, contents.model)
            short_room -= len(made.encode())
            if short_room < 0:
                return
        yield made


def _keys(contents: Contents, cases: Sequence[Shown]) -> tuple[frozenset[int], Html]:
    """The log keys that the list of sessions names, as far as there is room: which these are, and their list."""
    keys = keys_mentioned(cases, contents.templates)
    if not keys:
        return frozenset(), Html("")
    longest = min(TEMPLATE_SHOWN, KEYS_BYTES // len(keys) // 5)
    rows: list[Html] = []
    room = KEYS_BYTES
    for key in keys:
        shown = cut(contents.templates[key], longest)
        rows.append(tag("tr", {"id": f"k{key}"}, _cell("th", f"{key}", "figure"), _cell("td", shown, "mono")))
        room -= len(rows[-1].encode())
        if room < 0:
            break
    left = len(keys) - len(rows)
    more = [tag("p", {"class": "quiet"}, f"{left:,} more: offscript keys has them all")] if left else []
    table = tag("table", None, tag("tbody", None, *rows))
    summary = tag("summary", None, "The log keys by number")
    return frozenset(keys[: len(rows)]), tag("details", {"class": "keys list"}, summary, table, *more)


def _cell(name: str, content: str, kind: str) -> Html:
    return tag(name, {"class": kind} | ({"scope": "row"} if name == "th" else {}), content)


def _reading(contents: Contents) -> Html:
    pairs = [tag("div", None, tag("dt", None, name), tag("dd", None, f"{count:,}")) for name, count in contents.counts]
    notes = [tag("li", None, cut(note, LEARNT_SHOWN)) for note in contents.notes]
    skipped = tag("ul", None, *notes) if notes else tag("p", {"class": "quiet"}, "Nothing was repaired or passed over.")
    return join([tag("dl", {"class": "facts"}, *pairs), skipped])


def _model(contents: Contents) -> Html:
    facts = (
        ("folder", contents.model or "not kept"),
        ("version", f"{contents.version}"),
        ("lineage", contents.lineage or "-"),
    )
    pairs = [tag("div", None, tag("dt", None, name), tag("dd", {"class": "mono"}, fact)) for name, fact in facts]
    learnt = [tag("li", None, cut(finding, LEARNT_SHOWN)) for finding in contents.learnt]
    return join([tag("dl", {"class": "facts"}, *pairs), tag("ul", None, *learnt)])


def _footer(contents: Contents) -> Html:
    made = f"offscript {__version__}, model version {contents.version}"
    return tag("footer", None, made, ". A score of 1.0 is the threshold for every kind of verdict.")
