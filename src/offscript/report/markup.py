"""HTML from parts: a string is text and is escaped, `Html` is markup; there is no other way to make a page (ours).

Log text is hostile, and all that a page shows may come from a log. So what is no `Html` is escaped, whatever it is; and
joining the two by hand gives a string again, which is then shown as text: a slip is ugly, never dangerous.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from html import escape

from offscript.plain import plain

_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9-]*")
_VOID = frozenset({"meta", "input", "br", "link"})

Attributes = Mapping[str, "str | int | float | bool"]


class Html(str):
    """Markup: a string that is put into a page as it is."""

    __slots__ = ()


def text(value: object) -> Html:
    r"""Return anything as text of a page: escaped, with what is unprintable spelt out and set apart.

    Control characters, ANSI escapes, direction overrides and invisible characters are spelt out (`\x1b`, `\u202e`).

    >>> text("<b> & \u202e")
    '&lt;b&gt; &amp; <span class="ctl">\\u202e</span>'
    """
    if isinstance(value, Html):
        return value
    raw = str(value)
    if raw.isprintable():
        return Html(escape(raw))
    return Html("".join(_run(part) for part in _runs(raw)))


def _runs(raw: str) -> Iterable[tuple[bool, str]]:
    """The text in runs of what can be shown and what cannot."""
    start = 0
    for place in range(1, len(raw) + 1):
        if place == len(raw) or raw[place].isprintable() != raw[start].isprintable():
            yield raw[start].isprintable(), raw[start:place]
            start = place


def _run(part: tuple[bool, str]) -> str:
    can_be_shown, raw = part
    return escape(raw) if can_be_shown else f'<span class="ctl">{escape(plain(raw))}</span>'


def attribute(value: object) -> str:
    """Return the value of an attribute, to stand between double quotes."""
    return escape(plain(str(value)), quote=True)


def tag(name: str, attributes: Attributes | None = None, *children: object) -> Html:
    """Return an element; children that are no `Html` are escaped, attributes that are False are left out.

    >>> tag("p", {"class": "a b", "hidden": True}, "1 < 2 ", tag("b", None, "bold"))
    '<p class="a b" hidden>1 &lt; 2 <b>bold</b></p>'
    """
    if not _NAME.fullmatch(name):
        raise ValueError(f"no element: {name!r}")
    parts = [name]
    for key, value in (attributes or {}).items():
        if not _NAME.fullmatch(key) or key.lower().startswith("on") or key == "style":
            raise ValueError(f"no attribute of a page: {key!r}")
        if value is True:
            parts.append(key)
        elif value is not False:
            parts.append(f'{key}="{attribute(value)}"')
    opened = f"<{' '.join(parts)}>"
    return Html(opened if name in _VOID else f"{opened}{join(children)}</{name}>")


def join(parts: Iterable[object]) -> Html:
    """Return parts one after another; those that are no `Html` are escaped."""
    return Html("".join(text(part) for part in parts))


def cut(raw: str, limit: int) -> str:
    """Cut a text that is too long in its middle, and say how much is not shown.

    >>> cut("abcdefghij" * 10, 40)
    'abcdefghijabcdefghi … 66 more … fghijabcdefghij'
    """
    if len(raw) <= limit:
        return raw
    head = limit // 2 - 1
    tail = limit - head - 6
    return f"{raw[:head]} … {len(raw) - head - tail:,} more … {raw[-tail:]}"
