"""Text and times as a person can be shown them: log text is hostile, so what cannot be seen is spelt out (ours)."""

from __future__ import annotations


def plain(text: str, limit: int | None = None) -> str:
    r"""Return text that a terminal can be shown: controls, escapes and invisible characters are spelt out (ours).

    >>> plain("red \x1b[31m alert\n")
    'red \\x1b[31m alert\\x0a'
    """
    if limit is not None and len(text) > limit:
        text = text[: limit - 1] + "…"
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else _spelt(c) for c in text)


def _spelt(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def counted(count: int, name: str) -> str:
    """Return a count with what is counted: `name` is a plural of lines, entries or sessions, with words beside (ours).

    >>> counted(1_200, "lines"), counted(1, "continuation lines"), counted(1, "entries without session")
    ('1,200 lines', '1 continuation line', '1 entry without session')
    """
    if count == 1:
        for many, one in (("entries", "entry"), ("lines", "line"), ("sessions", "session")):
            name = name.replace(many, one, 1)
    return f"{count:,} {name}"


def duration(seconds: float) -> str:
    """Return a span of time in the unit people would choose.

    >>> duration(0.25), duration(90), duration(7200), duration(200000)
    ('250 ms', '90 s', '2.0 h', '2.3 days')
    """
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 600:
        return f"{seconds:.3g} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 172_800 else f"{seconds / 86400:.1f} days"
