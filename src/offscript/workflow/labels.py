"""Short names of log keys for drawings: the telling words of each template, no two alike (ours)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping

from offscript.entries import WILDCARD
from offscript.plain import plain

LONGEST = 38  # characters of a label: two lines of a box, and the width of an outline's first column
SPREAD = 0.5  # a word in more than half of the templates tells none of them apart
FEWEST = 4  # of fewer templates none is "more than half" by anything but chance
READ = 400  # characters of a template looked at: what tells print statements apart stands before

_WORD = re.compile(r"[^\W\d_][\w.'/-]*")
_BRACKETS = re.compile(r"\[[^\[\]]*<\*>[^\[\]]*\]")  # `[instance: <*>]` says of whom, not what
_WRAPPED = re.compile(r"\S*<\*>\S*")


def labels(names: Mapping[int, str]) -> dict[int, str]:
    r"""Return a label for each log key: a few telling words of its template, cut, printable, unlike all others.

    Values, numbers and words that most of the templates have are left out, unless nothing else is left.

    >>> labels({1: "[instance: <*>] VM Started (Lifecycle Event)", 2: "Took <*> seconds to build instance."})
    {1: 'VM Started Lifecycle Event', 2: 'Took seconds to build instance.'}
    >>> long = "the service has finished what it was asked for by"
    >>> labels({1: "<*>", 2: f"{long} Alice", 3: f"{long} Bob"})
    {1: 'key 1', 2: 'the … Alice', 3: 'the … Bob'}
    """
    words = {key: _words(template) for key, template in names.items()}
    spread = Counter(word for found in words.values() for word in set(found))
    usual = {word for word, count in spread.items() if len(names) >= FEWEST and count > SPREAD * len(names)}
    telling = {key: [word for word in found if word not in usual] or found for key, found in words.items()}
    found = {key: _cut(telling[key]) or f"key {key}" for key in names}
    for alike in _alike(found):
        others = set.intersection(*(set(telling[other]) for other in alike))
        for key in alike:
            own = [word for word in telling[key] if word not in others]
            found[key] = _cut([*telling[key][:1], "…", *own]) if own else found[key]
    for alike in _alike(found):
        for key in alike:
            found[key] = f"{_cut_text(found[key], LONGEST - len(str(key)) - 3)} ({key})"
    return found


def _words(template: str) -> list[str]:
    text = _WRAPPED.sub(_bare, _BRACKETS.sub(" ", template[:READ]))
    words = _WORD.findall(text)
    return [plain(word.strip("-/'")) for word in words if word.strip("-/'.")]


def _bare(found: re.Match[str]) -> str:
    """Of what stands around a value keep the words before it: `user=<*>` is about the user."""
    before = found[0].split(WILDCARD)[0]
    return f" {before} "


def _cut(words: Iterable[str]) -> str:
    text = ""
    for word in words:
        longer = f"{text} {word}".strip()
        if len(longer) > LONGEST:
            is_whole = text and not text.endswith("…") and len(text) < LONGEST
            return f"{text}…" if is_whole else _cut_text(longer, LONGEST)
        text = longer
    return text


def _cut_text(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1].rstrip()}…"


def _alike(found: Mapping[int, str]) -> list[list[int]]:
    groups: dict[str, list[int]] = {}
    for key, label in found.items():
        groups.setdefault(label, []).append(key)
    return [keys for keys in groups.values() if len(keys) > 1]
