"""Split and merge: which skeletons one print statement wrote (the journal version of Spell, TKDE 2019; PAPER 1.5).

Online, Spell joins whatever shares half its words, and so both merges too much ("VM Started" with "VM Paused") and too
little (a statement of two words, one of them a name). When the log has been read, every skeleton is judged again. Two
skeletons that differ in one place come together when that place is a variable, and stay apart when it is a constant
in disguise. A place is a variable when

* a typed value stood there too (`user <*>` and `user root`), and two other words say it is the same statement;
* it follows `=` directly, or stands alone in single quotes: that is how print statements mark what they fill in;
* it follows a value and all its words are units (`4 KB`, `900 B`): the unit varies with the size;
* its words look like names, not like language: dots, slashes, underscores or hyphens inside;
* its vocabulary is open: several words, and a good share of them hardly ever comes again;
* its vocabulary is larger than any set of states that a programmer writes out;
* its words stood in other such places.

All else stays apart. Words of one statement that vary in number (lists, optional values) come together when the words
that do not vary are the same.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from offscript.entries import WILDCARD
from offscript.parse.tokens import Tokens, is_word

OPEN_WORDS: Final = 4
"""Distinct words from which a vocabulary may be judged open: with fewer, one chance word would decide."""

RARE_COUNT: Final = 2
"""Lines up to which a word counts as hardly coming again."""

RARE_SHARE: Final = 1 / 3
"""Share of a vocabulary that must be rare for it to be open: names follow a long-tailed law, states recur."""

MANY_WORDS: Final = 25
"""Distinct words that are no set of states any more: the longest list of states or commands in code is shorter."""

NAME_SHARE: Final = 0.5
"""Share of the words at a place that must look like names, or be known values: the majority."""

MAX_PASSES: Final = 6
"""Rounds of joining: each settles one more variable place of a statement, and few have six without digits."""

_NAME: Final = re.compile(r"[^\W_][./\\@-]+[^\W_]")
_DELIMITERS: Final = frozenset("=:,;()[]{}<>\"'|`.")
_OPENERS: Final = frozenset("([{<\"'")
_ENDERS: Final = frozenset(".,:;>}\"'")
_UNIT: Final = re.compile(
    r"(?:[KMGTPkmgtp]i?)?[Bb](?:ytes?|its?)?|(?:[numµ]|milli|micro|nano)?s(?:ec(?:ond)?s?)?|min(?:ute)?s?|h(?:ours?)?|[kMGT]?Hz"
)


@dataclass(slots=True)
class _Row:
    tokens: Tokens
    members: list[int]
    lines: int


def regroup(skeletons: Sequence[Tokens], spaces: Sequence[tuple[bool, ...]], counts: Sequence[int]) -> list[list[int]]:
    """Group the places of skeletons by print statement, in the order of their first members.

    Args:
        skeletons: distinct skeletons.
        spaces: for each, whether white space stood before each token.
        counts: for each, the lines it had.

    >>> regroup([("user", "=", "bob"), ("user", "=", "eve"), ("bye",)], [(False,) * 3] * 2 + [(False,)], [9, 9, 9])
    [[0, 1], [2]]
    """
    rows = [_Row(tokens, [place], counts[place]) for place, tokens in enumerate(skeletons)]
    known: set[str] = set()
    for _ in range(MAX_PASSES):
        size = len(rows), len(known)
        rows = _join_places(rows, spaces, known)
        if size == (len(rows), len(known)):
            break
    rows = _join_lists(_join_chunks(rows, spaces))
    return sorted(sorted(row.members) for row in rows)


def _join_places(rows: list[_Row], spaces: Sequence[tuple[bool, ...]], known: set[str]) -> list[_Row]:
    buckets: dict[tuple[int, Tokens], list[int]] = {}
    for number, row in enumerate(rows):
        for place, token in enumerate(row.tokens):
            if token == WILDCARD or is_word(token):
                buckets.setdefault((place, row.tokens[:place] + row.tokens[place + 1 :]), []).append(number)
    joined = list(rows)
    used: set[int] = set()
    # the largest vocabularies first: they are the surest
    order = sorted((item for item in buckets.items() if len(item[1]) > 1), key=lambda item: (-len(item[1]), item[1]))
    for (place, rest), numbers in order:
        free = [number for number in numbers if number not in used]
        words = Counter({rows[n].tokens[place]: rows[n].lines for n in free})
        if len(free) < 2 or not _is_variable(place, rest, words, spaces[rows[free[0]].members[0]], known):
            continue
        used.update(free)
        known.update(word for word in words if word != WILDCARD)
        tokens = (*rest[:place], WILDCARD, *rest[place:])
        joined.append(_Row(tokens, [m for n in free for m in rows[n].members], words.total()))
    return _same_tokens([row for number, row in enumerate(joined) if number not in used])


def _join_chunks(rows: list[_Row], spaces: Sequence[tuple[bool, ...]]) -> list[_Row]:
    # `LOCAL(0)` where another line has `10.0.0.1`: a chunk without white space that holds a value is one value, when
    # a line of equal rest has a bare value there. `name=value` says itself that only its right side varies.
    bare = {row.tokens: row for row in rows}
    out: list[_Row] = []
    for row in rows:
        home = None
        for first, last in _chunks(row.tokens, spaces[row.members[0]]):
            other = bare.get((*row.tokens[:first], WILDCARD, *row.tokens[last:]))
            home = home or other
        if home is None:
            out.append(row)
        else:
            home.members += row.members
            home.lines += row.lines
    return out


def _chunks(tokens: Tokens, spaces: tuple[bool, ...]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    starts = [place for place, space in enumerate(spaces) if space or place == 0]
    for first, last in zip(starts, [*starts[1:], len(tokens)], strict=True):
        while first < last and tokens[first] in _OPENERS:
            first += 1
        while last > first and (
            tokens[last - 1] in _ENDERS or (tokens[last - 1] in ")]" and _is_open(tokens[first:last]))
        ):
            last -= 1
        chunk = tokens[first:last]
        if len(chunk) > 1 and WILDCARD in chunk and "=" not in chunk and any(map(is_word, chunk)):
            found.append((first, last))
    return found


def _is_open(chunk: Tokens) -> bool:
    return sum(token in "([" for token in chunk) < sum(token in ")]" for token in chunk)


def _same_tokens(rows: list[_Row]) -> list[_Row]:
    merged: dict[Tokens, _Row] = {}
    for row in rows:
        if row.tokens in merged:
            merged[row.tokens].members += row.members
            merged[row.tokens].lines += row.lines
        else:
            merged[row.tokens] = row
    return list(merged.values())


def _is_variable(place: int, rest: Tokens, words: Counter[str], spaces: tuple[bool, ...], known: set[str]) -> bool:
    before = rest[place - 1] if place else ""
    after = rest[place] if place < len(rest) else ""
    others = sum(map(is_word, rest))
    if before == "=" and not spaces[place] or before == after == "'":
        return True
    if WILDCARD in words:
        return others >= 2
    if not others:
        return False
    if before == WILDCARD and all(_UNIT.fullmatch(word) for word in words):
        return True
    # a statement seldom begins with what it fills in, and a state word often stands there
    if place == 0 and others < 3:
        return False
    names = sum(1 for word in words if _NAME.search(word))
    if names >= NAME_SHARE * len(words):
        return True
    if sum(1 for word in words if word in known) > NAME_SHARE * len(words):
        return True
    rare = sum(1 for count in words.values() if count <= RARE_COUNT)
    return len(words) >= MANY_WORDS or (len(words) >= OPEN_WORDS and rare >= RARE_SHARE * len(words))


def _join_lists(rows: list[_Row]) -> list[_Row]:
    merged: dict[Tokens, _Row] = {}
    out: list[_Row] = []
    for row in rows:
        # delimiters may come and go with the values; signs such as + and - are as constant as words
        words = tuple(token for token in row.tokens if token != WILDCARD and token not in _DELIMITERS)
        if len(words) < 2 or WILDCARD not in row.tokens:
            out.append(row)
        elif words in merged:
            merged[words].members += row.members
            merged[words].lines += row.lines
        else:
            merged[words] = row
    return out + list(merged.values())
