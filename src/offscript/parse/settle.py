"""Split and merge: which skeletons one print statement wrote (the journal version of Spell, TKDE 2019; PAPER 1.5).

Online, Spell joins whatever shares half its words, and so both merges too much ("VM Started" with "VM Paused") and too
little (a statement of two words, one of them a name). When the log has been read, every skeleton is judged again. Two
skeletons that differ in one place come together when that place is a variable, and stay apart when it is a constant
in disguise. A place is a variable when

* a typed value stood there too (`user <*>` and `user root`), and two other words say it is the same statement;
* it follows `=` directly, or stands alone in single quotes: that is how print statements mark what they fill in;
* it follows a value and all its words are units (`4 KB`, `900 B`): the unit varies with the size;
* its words look like names, not like language: dots or slashes inside;
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
from offscript.parse.lcs import merged
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

NAME_SHARE: Final = 0.5
"""Share of the words at a place that must look like names, or be known values: the majority."""

MAX_PASSES: Final = 6
"""Rounds of joining: each settles one more variable place of a statement, and few have six without digits."""

_NAME: Final = re.compile(r"[^\W_][./\\@]+[^\W_]")
_DELIMITERS: Final = frozenset("=:,;()[]{}<>\"'|`.")
_OPENERS: Final = frozenset("([{<\"'")
_ENDERS: Final = frozenset(".,:;>}\"'")
_UNIT: Final = re.compile(
    r"(?:[KMGTPkmgtp]i?)?[Bb](?:ytes?|its?)?|(?:[numµ]|milli|micro|nano)?s(?:ec(?:ond)?s?)?|min(?:ute)?s?|h(?:ours?)?|[kMGT]?Hz"
)


_PRIME: Final = (1 << 61) - 1
_MULTIPLIER: Final = 0x9E3779B97F4A7C15 % _PRIME
"""Of the hash that finds equal rests; any large odd number does, since what it finds is compared."""


@dataclass(slots=True)
class Group:
    """The skeletons of one print statement, by place, and their template; `lines` is how many lines they had."""

    tokens: Tokens
    spaces: tuple[bool, ...]
    members: list[int]
    lines: int


def regroup(skeletons: Sequence[Tokens], spaces: Sequence[tuple[bool, ...]], counts: Sequence[int]) -> list[Group]:
    """Group the places of skeletons by print statement, in the order of their first members.

    Args:
        skeletons: distinct skeletons.
        spaces: for each, whether white space stood before each token.
        counts: for each, the lines it had.

    >>> skeletons = [("user", "=", "bob"), ("user", "=", "eve"), ("bye",)]
    >>> groups = regroup(skeletons, [(False,) * len(tokens) for tokens in skeletons], [9, 9, 9])
    >>> [(group.tokens, group.members) for group in groups]
    [(('user', '=', '<*>'), [0, 1]), (('bye',), [2])]
    """
    groups = [Group(tokens, spaces[place], [place], counts[place]) for place, tokens in enumerate(skeletons)]
    known: set[str] = set()
    for _ in range(MAX_PASSES):
        size = len(groups), len(known)
        groups = _join_places(groups, known)
        if size == (len(groups), len(known)):
            break
    groups = _join_lists(_join_chunks(groups))
    for group in groups:
        group.members.sort()
    return sorted(groups, key=lambda group: group.members[0])


def _equal_rests(groups: list[Group]) -> list[tuple[int, Tokens, list[int]]]:
    # Groups that differ in one place, found by a sum of token hashes with that place taken out, one place at a time:
    # copies of the tokens without each place would take quadratic memory on long lines.
    sums = [sum(hash(part) * _power(place) for place, part in enumerate(g.tokens)) % _PRIME for g in groups]
    found: list[tuple[int, Tokens, list[int]]] = []
    for place in range(max((len(group.tokens) for group in groups), default=0)):
        buckets: dict[tuple[int, int], list[int]] = {}
        for number, group in enumerate(groups):
            if place < len(group.tokens) and (group.tokens[place] == WILDCARD or is_word(group.tokens[place])):
                rest = (sums[number] - hash(group.tokens[place]) * _power(place)) % _PRIME
                buckets.setdefault((len(group.tokens), rest), []).append(number)
        for numbers in buckets.values():
            if len(numbers) > 1:
                found += _checked(groups, place, numbers)
    # the largest vocabularies first: they are the surest
    return sorted(found, key=lambda item: (-len(item[2]), item[2], item[0]))


def _checked(groups: list[Group], place: int, numbers: list[int]) -> list[tuple[int, Tokens, list[int]]]:
    rests: dict[Tokens, list[int]] = {}
    for number in numbers:
        tokens = groups[number].tokens
        rests.setdefault(tokens[:place] + tokens[place + 1 :], []).append(number)
    return [(place, rest, equal) for rest, equal in rests.items() if len(equal) > 1]


def _power(place: int) -> int:
    return pow(_MULTIPLIER, place, _PRIME)


def _join_places(groups: list[Group], known: set[str]) -> list[Group]:
    joined = list(groups)
    used: set[int] = set()
    for place, rest, numbers in _equal_rests(groups):
        free = [number for number in numbers if number not in used]
        words = Counter({groups[n].tokens[place]: groups[n].lines for n in free})
        if len(free) < 2 or not _is_variable(place, rest, words, groups[free[0]].spaces, known):
            continue
        used.update(free)
        known.update(word for word in words if word != WILDCARD)
        tokens = (*rest[:place], WILDCARD, *rest[place:])
        members = [member for number in free for member in groups[number].members]
        joined.append(Group(tokens, groups[free[0]].spaces, members, words.total()))
    return _same_tokens([group for number, group in enumerate(joined) if number not in used])


def _join_chunks(groups: list[Group]) -> list[Group]:
    # `LOCAL(0)` where another line has `10.0.0.1`: a chunk without white space that holds a value is one value, when
    # a line of equal rest has a bare value there. `name=value` says itself that only its right side varies.
    bare = {group.tokens: group for group in groups}
    moved: set[Tokens] = set()
    # the longest first, so that what moves takes along what moved there
    for group in sorted(groups, key=lambda group: (-len(group.tokens), group.members[0])):
        for first, last in _chunks(group.tokens, group.spaces):
            home = bare.get((*group.tokens[:first], WILDCARD, *group.tokens[last:]))
            if home is not None:
                home.members += group.members
                home.lines += group.lines
                moved.add(group.tokens)
                break
    return [group for group in groups if group.tokens not in moved]


def _chunks(tokens: Tokens, spaces: tuple[bool, ...]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    starts = [0, *(place for place, space in enumerate(spaces) if space and place)]
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
    return sum(part in "([" for part in chunk) < sum(part in ")]" for part in chunk)


def _same_tokens(groups: list[Group]) -> list[Group]:
    found: dict[Tokens, Group] = {}
    for group in groups:
        home = found.setdefault(group.tokens, group)
        if home is not group:
            home.members += group.members
            home.lines += group.lines
    return list(found.values())


def _is_variable(place: int, rest: Tokens, words: Counter[str], spaces: tuple[bool, ...], known: set[str]) -> bool:
    before = rest[place - 1] if place else ""
    after = rest[place] if place < len(rest) else ""
    others = sum(map(is_word, rest))
    if (before == "=" and not spaces[place]) or before == after == "'":
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


def _join_lists(groups: list[Group]) -> list[Group]:
    found: dict[Tokens, Group] = {}
    out: list[Group] = []
    for group in groups:
        # delimiters may come and go with the values; signs such as + and - are as constant as words
        words = tuple([part for part in group.tokens if part != WILDCARD and part not in _DELIMITERS])
        home = found.get(words)
        if len(words) < 2 or WILDCARD not in group.tokens:
            out.append(group)
        elif home is None:
            found[words] = group
        else:
            home.tokens, home.spaces = merged(home.tokens, home.spaces, group.tokens)
            home.members += group.members
            home.lines += group.lines
    return out + list(found.values())
