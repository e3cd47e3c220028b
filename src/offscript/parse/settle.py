"""Split and merge: which skeletons one print statement wrote (the journal version of Spell, TKDE 2019; PAPER 1.5).

Online, Spell joins whatever shares half its words, and so both merges too much ("VM Started" with "VM Paused") and too
little (a statement of two words, one of them a name). When the log has been read, every skeleton is judged again. Two
skeletons that differ in one place come together when that place is a variable, and stay apart when it is a constant
in disguise. A place is a variable when

* a typed value stood there too (`user <*>` and `user root`), and two other words say it is the same statement;
* it follows `=` directly, or stands alone in quotes: that is how print statements mark what they fill in (but two
  words that both come again are states, quotes or not);
* it follows a noun for what has a name of its own, and a preposition before that (`for user alice`);
* it follows a value and all its words are units (`4 KB`, `900 B`): who picks the unit prints it with the size;
* its words look like names, not like language: dots or slashes inside;
* its vocabulary is open: several words, and a good share of them hardly ever comes again;
* its vocabulary is larger than any set of states that a programmer writes out;
* its words stood in other such places.

The account that every system has (`root`) is a variable wherever an account is named, though no other may be seen in
a log. All else stays apart. Values of several tokens are joined afterwards (`stretches`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from offscript.entries import WILDCARD
from offscript.parse.groups import Group, same_tokens
from offscript.parse.stretches import (
    RARE_COUNT,
    are_units,
    is_open,
    join_chunks,
    join_lists,
    join_phrases,
    without_units,
)
from offscript.parse.tokens import Tokens, is_word

NAME_SHARE: Final = 0.5
"""Share of the words at a place that must look like names, or be known values: the majority."""

MAX_PASSES: Final = 6
"""Rounds of joining: each settles one more variable place of a statement, and few have six without digits."""

_NAME: Final = re.compile(r"[^\W_][./\\@]+[^\W_]")
_QUOTES: Final = frozenset("'\"")
# What programs ask for by name; a noun for a thing without one (`file`, `task`) is followed by language too often.
_NAMED: Final = frozenset(("account", "host", "user"))
_PREPOSITIONS: Final = frozenset(("as", "by", "for", "from", "of", "on", "to"))
_ACCOUNTS: Final = frozenset(("root",))


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
    groups = same_tokens(
        Group(_without_accounts(tokens, gaps), gaps, [place], lines)
        for place, (tokens, gaps, lines) in enumerate(zip(skeletons, spaces, counts, strict=True))
    )
    known = set(_ACCOUNTS)
    for _ in range(MAX_PASSES):
        size = len(groups), len(known)
        groups = _join_places(groups, known)
        if size == (len(groups), len(known)):
            break
    groups = join_lists(join_phrases(join_chunks(groups)))
    for group in groups:
        group.members.sort()
    return sorted(groups, key=lambda group: group.members[0])


def _without_accounts(tokens: Tokens, spaces: tuple[bool, ...]) -> Tokens:
    if _ACCOUNTS.isdisjoint(tokens):
        return tokens
    return tuple([WILDCARD if _is_account(tokens, spaces, place) else token for place, token in enumerate(tokens)])


def _is_account(tokens: Tokens, spaces: tuple[bool, ...], place: int) -> bool:
    if not place or tokens[place] not in _ACCOUNTS:
        return False
    before = tokens[place - 1]
    if before == "(":
        return tokens[place + 1 : place + 2] == (")",)
    return before in _NAMED or (before == "=" and not spaces[place])


def _equal_rests(groups: list[Group]) -> list[tuple[int, Tokens, list[int]]]:
    by_size: dict[int, list[int]] = {}
    for number, group in enumerate(groups):
        by_size.setdefault(len(group.tokens), []).append(number)
    found = [one for size, numbers in by_size.items() if len(numbers) > 1 for one in _differing(groups, size, numbers)]
    # the largest vocabularies first: they are the surest
    return sorted(found, key=lambda item: (-len(item[2]), item[2], item[0]))


def _differing(groups: list[Group], size: int, numbers: list[int]) -> Iterator[tuple[int, Tokens, list[int]]]:
    # Groups that differ in one place, found by a sum of the hashes of tokens and places with that place taken out, one
    # place at a time: copies of the tokens without each place would take quadratic memory on long lines.
    sums = {number: sum(map(hash, enumerate(groups[number].tokens))) for number in numbers}
    for place in range(size):
        buckets: dict[int, list[int]] = {}
        for number, total in sums.items():
            token = groups[number].tokens[place]
            if token == WILDCARD or is_word(token):
                buckets.setdefault(total - hash((place, token)), []).append(number)
        for equal in buckets.values():
            if len(equal) > 1:
                yield from _checked(groups, place, equal)


def _checked(groups: list[Group], place: int, numbers: list[int]) -> list[tuple[int, Tokens, list[int]]]:
    rests: dict[Tokens, list[int]] = {}
    for number in numbers:
        tokens = groups[number].tokens
        rests.setdefault(tokens[:place] + tokens[place + 1 :], []).append(number)
    return [(place, rest, equal) for rest, equal in rests.items() if len(equal) > 1]


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
        tokens, gaps = (*rest[:place], WILDCARD, *rest[place:]), groups[free[0]].spaces
        if _is_unit_place(place, rest, words):
            tokens, gaps = without_units((*tokens[:place], *tokens[place + 1 :]), (*gaps[:place], *gaps[place + 1 :]))
        members = [member for number in free for member in groups[number].members]
        joined.append(Group(tokens, gaps, members, words.total()))
    return same_tokens([group for number, group in enumerate(joined) if number not in used])


def _is_variable(place: int, rest: Tokens, words: Counter[str], spaces: tuple[bool, ...], known: set[str]) -> bool:
    others = sum(map(is_word, rest))
    if _is_marked(place, rest, words, spaces):
        return True
    if WILDCARD in words:
        return others >= 2
    if not others:
        return False
    if _is_unit_place(place, rest, words):
        return True
    # a statement seldom begins with what it fills in, and a state word often stands there
    if place == 0 and others < 3:
        return False
    names = sum(1 for word in words if _NAME.search(word))
    met = sum(1 for word in words if word in known)
    return names >= NAME_SHARE * len(words) or met > NAME_SHARE * len(words) or is_open(words)


def _is_marked(place: int, rest: Tokens, words: Counter[str], spaces: tuple[bool, ...]) -> bool:
    before = rest[place - 1] if place else ""
    after = rest[place] if place < len(rest) else ""
    if before == after and before in _QUOTES:
        return len(words) > 2 or min(words.values()) <= RARE_COUNT
    if before == "=":
        return not spaces[place]
    return before.lower() in _NAMED and place > 1 and rest[place - 2].lower() in _PREPOSITIONS


def _is_unit_place(place: int, rest: Tokens, words: Counter[str]) -> bool:
    return place > 0 and rest[place - 1] == WILDCARD and are_units(words)
