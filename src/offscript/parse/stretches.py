"""Values of several tokens: what one print statement filled in, where lines show it in different forms (ours).

Each rule compares groups whose templates are equal but for one stretch of tokens:

* a chunk without white space is one value when another line has a bare value there (`LOCAL(0)` and `10.0.0.1`);
* a phrase in double quotes that differs from line to line was filled in as a whole (a browser's name), unless the
  quotes hold what the line has to say (`msg="..."`);
* values that vary in number, with the delimiters between them, are a list.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Final

from offscript.entries import WILDCARD
from offscript.parse.groups import Group
from offscript.parse.tokens import Tokens, is_word

OPEN_WORDS: Final = 4
"""Distinct words from which a vocabulary may be judged open: with fewer, one chance word would decide."""

RARE_COUNT: Final = 2
"""Lines up to which a word counts as hardly coming again."""

RARE_SHARE: Final = 0.5
"""Share of a vocabulary that must be rare for it to be open: half of the words of any text come once, while a set of
states has a few rare ones, the failures, and those must keep their keys."""

MANY_WORDS: Final = 25
"""Distinct words that are no set of states any more: the longest list of states or commands in code is shorter."""

MAX_PHRASES: Final = 8
"""Quoted phrases of a template that are looked at, one after the other: statements quote two or three things."""

LONG_ROW: Final = 4
"""Values in a row from which the number of them may vary with so little as one word beside them."""

_DELIMITERS: Final = frozenset("=:,;()[]{}<>\"'|`.")
_OPENERS: Final = frozenset("([{<\"'")
_ENDERS: Final = frozenset(".,:;>}\"'")
_UNIT: Final = re.compile(
    r"(?:[KMGTPkmgtp]i?)?[Bb](?:ytes?|its?)?|(?:[numµ]|milli|micro|nano)?s(?:ec(?:ond)?s?)?|min(?:ute)?s?|h(?:ours?)?"
    r"|[kMGT]?Hz"
)
# Names for what a line has to say, where a field of it has a name at all.
_SAYINGS: Final = frozenset(("msg", "message", "text", "event", "log", "error", "err", "reason", "description"))


def is_open(words: Counter[str] | Counter[Tokens]) -> bool:
    """Tell whether a vocabulary, with its lines, is open: no set of states, but whatever a statement was given.

    >>> is_open(Counter(ann=1, bob=1, cyd=2, root=90)), is_open(Counter(started=9, stopped=9, failed=1, paused=3))
    (True, False)
    """
    rare = sum(1 for count in words.values() if count <= RARE_COUNT)
    return len(words) >= MANY_WORDS or (len(words) >= OPEN_WORDS and rare >= RARE_SHARE * len(words))


def are_units(words: Counter[str]) -> bool:
    """Tell whether all words are units of size, time or frequency.

    >>> are_units(Counter(("KB", "bytes"))), are_units(Counter(("KB", "files")))
    (True, False)
    """
    return all(_UNIT.fullmatch(word) for word in words)


def without_units(tokens: Tokens, spaces: tuple[bool, ...]) -> tuple[Tokens, tuple[bool, ...]]:
    """Return a template without the units behind its values.

    >>> without_units(("used", "<*>", "KB", ",", "free", "<*>", "B"), (True,) * 7)[0]
    ('used', '<*>', ',', 'free', '<*>')
    """
    kept = [
        place
        for place, token in enumerate(tokens)
        if not (place and tokens[place - 1] == WILDCARD and _UNIT.fullmatch(token))
    ]
    return tuple([tokens[place] for place in kept]), tuple([spaces[place] for place in kept])


def join_chunks(groups: list[Group]) -> list[Group]:
    """Join what differs from another group only by a chunk without white space where that has a bare value.

    `name=value` says itself that only its right side varies.

    >>> rows = ("at", "<*>"), ("at", "LOCAL", "(", "<*>", ")")
    >>> gaps = (True, True), (True, True, False, False, False)
    >>> [group.tokens for group in join_chunks([Group(*row, [0], 1) for row in zip(rows, gaps)])]
    [('at', '<*>')]
    """
    known = {group.tokens: group for group in groups}
    gone: set[Tokens] = set()
    # the longest first, so that what moves takes along what moved there
    for group in sorted(groups, key=lambda group: (-len(group.tokens), group.members[0])):
        for first, last in _chunks(group.tokens, group.spaces):
            home = known.get((*group.tokens[:first], WILDCARD, *group.tokens[last:]))
            if home is not None:
                home.take_members(group)
                gone.add(group.tokens)
                break
    return [group for group in groups if group.tokens not in gone]


def _chunks(tokens: Tokens, spaces: tuple[bool, ...]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    starts = [0, *(place for place, space in enumerate(spaces) if space and place)]
    for first, last in zip(starts, [*starts[1:], len(tokens)], strict=True):
        while first < last and tokens[first] in _OPENERS:
            first += 1
        while last > first and (
            tokens[last - 1] in _ENDERS or (tokens[last - 1] in ")]" and _closes_more(tokens[first:last]))
        ):
            last -= 1
        chunk = tokens[first:last]
        if len(chunk) > 1 and WILDCARD in chunk and "=" not in chunk:
            found.append((first, last))
    return found


def _closes_more(chunk: Tokens) -> bool:
    return sum(part in "([" for part in chunk) < sum(part in ")]" for part in chunk)


def join_phrases(groups: list[Group]) -> list[Group]:
    """Join what differs only by a phrase in double quotes that was filled in.

    >>> rows = [("by", '"', *agent.split(), '"') for agent in ("A b c", "D e", "F g h", "I j")]
    >>> [group.tokens for group in join_phrases([Group(row, (True,) * len(row), [0], 1) for row in rows])]
    [('by', '"', '<*>', '"')]
    """
    for number in range(MAX_PHRASES):
        groups = _join_phrase(groups, number)
    return groups


def _join_phrase(groups: list[Group], number: int) -> list[Group]:
    rests: dict[tuple[Tokens, Tokens], list[tuple[Group, int, int]]] = {}
    out: list[Group] = []
    for group in groups:
        marks = [place for place, sign in enumerate(group.tokens) if sign == '"']
        if len(marks) % 2 or len(marks) < 2 * number + 2:
            out.append(group)
            continue
        first, last = marks[2 * number] + 1, marks[2 * number + 1]
        rests.setdefault((group.tokens[:first], group.tokens[last:]), []).append((group, first, last))
    for (before, after), found in rests.items():
        insides = Counter({group.tokens[first:last]: group.lines for group, first, last in found})
        if len(found) > 1 and _is_filled_in(before, after, insides):
            home, first, last = found[0]
            home.tokens = (*before, WILDCARD, *after)
            home.spaces = (*home.spaces[:first], False, *home.spaces[last:])
            for group, _, _ in found[1:]:
                home.take_members(group)
            out.append(home)
        else:
            out += [group for group, _, _ in found]
    return out


def _is_filled_in(before: Tokens, after: Tokens, insides: Counter[Tokens]) -> bool:
    phrases = sum(1 for inside in insides if sum(map(is_word, inside)) > 1)
    others = sum(map(is_word, before)) + sum(map(is_word, after))
    if not others or not phrases or before[-2:-1] == (":",):
        return False
    if before[-2:-1] == ("=",) and not _SAYINGS.isdisjoint(before[-3:-2]):
        return False
    if (WILDCARD,) in insides and others > 1:
        return True
    return 2 * phrases >= len(insides) and is_open(insides)


def join_lists(groups: list[Group]) -> list[Group]:
    """Join what has the same words in the same order, with values that vary in number.

    >>> rows = ("sent", "<*>", "to", "<*>"), ("sent", "<*>", "to", "<*>", "<*>")
    >>> [group.tokens for group in join_lists([Group(row, (True,) * len(row), [0], 1) for row in rows])]
    [('sent', '<*>', 'to', '<*>')]
    """
    found: dict[Tokens, Group] = {}
    out: list[Group] = []
    for group in groups:
        # delimiters may come and go with the values; signs such as + and - are as constant as words
        words = tuple([part for part in group.tokens if part != WILDCARD and part not in _DELIMITERS])
        if WILDCARD not in group.tokens or not words:
            out.append(group)
            continue
        home = found.setdefault(words if len(words) > 1 else tuple(_with_short_rows(group.tokens)), group)
        if home is not group:
            home.take(group)
    return out + list(found.values())


def _with_short_rows(tokens: Tokens) -> Iterator[str]:
    row = 0
    for token in tokens:
        row = row + 1 if token == WILDCARD else 0
        if row <= LONG_ROW:
            yield token
