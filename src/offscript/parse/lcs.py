"""Longest common subsequences of token sequences, and the search for the sequence that shares most (PAPER 1.2-1.3)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Final

from offscript.entries import WILDCARD
from offscript.parse.tokens import Tokens, is_word

MOST_HOLDERS: Final = 128
"""Sequences looked at because they hold a message's rarest words, those that came first before others: on nineteen
public logs twenty at most. Without a bound a log of few words in any order compares each line with thousands."""

MOST_COMPARED: Final = 32
"""Of these, sequences compared with a message, the most promising first: on the same logs nine at most."""


def lcs_length(first: Sequence[str], second: Sequence[str]) -> int:
    """Return the length of the longest common subsequence, by bit-parallel dynamic programming (Hyyro's form).

    Time is len(second) operations on integers of len(first) bits.

    >>> lcs_length("ABCBDAB", "BDCABA")
    4
    """
    return len(first) - _table(first, second)[-1].bit_count()


def lcs_pairs(first: Sequence[str], second: Sequence[str]) -> list[tuple[int, int]]:
    """Return the index pairs of one true LCS, by back-tracking through the table (PAPER 1.2).

    Among equals, the pairs that stand latest in `first`.

    >>> lcs_pairs("ABC", "XBXC")
    [(1, 1), (2, 3)]
    """
    if not first or not second:
        return []
    table = _table(first, second)
    pairs: list[tuple[int, int]] = []
    i, j = len(first), len(second)
    while i and j:
        bit = 1 << (i - 1)
        if table[j] & bit:
            i -= 1
            continue
        j -= 1
        if table[j] & bit:
            i -= 1
            pairs.append((i, j))
    return pairs[::-1]


def _table(first: Sequence[str], second: Sequence[str]) -> list[int]:
    # Row j of the LCS table as bits: bit i is 0 where the length grows from first[:i] to first[:i + 1].
    places: dict[str, int] = {}
    for place, token in enumerate(first):
        places[token] = places.get(token, 0) | (1 << place)
    full = (1 << len(first)) - 1
    row = full
    rows = [row]
    for token in second:
        hit = row & places.get(token, 0)
        row = ((row + hit) | (row - hit)) & full
        rows.append(row)
    return rows


def common_tokens(first: Tokens, second: Tokens) -> list[tuple[int, int]]:
    """Return the index pairs of the tokens two sequences have in common: an LCS of the words, delimiters between.

    Words are aligned first, since two statements share most of their punctuation; then, between each two common
    words, an LCS of the delimiters. Wildcards never match.

    >>> common_tokens(("VM", "Started", "(", "x"), ("VM", "Paused", "(", "x"))
    [(0, 0), (2, 2), (3, 3)]
    """
    at = [place for place, token in enumerate(first) if is_word(token)]
    to = [place for place, token in enumerate(second) if is_word(token)]
    words = lcs_pairs([first[place] for place in at], [second[place] for place in to])
    pairs: list[tuple[int, int]] = []
    i, j = 0, 0
    for end, stop in [*((at[x], to[y]) for x, y in words), (len(first), len(second))]:
        signs = [place for place in range(i, end) if _is_sign(first[place])]
        others = [place for place in range(j, stop) if _is_sign(second[place])]
        between = lcs_pairs([first[place] for place in signs], [second[place] for place in others])
        pairs += [(signs[x], others[y]) for x, y in between]
        pairs.append((end, stop))
        i, j = end + 1, stop + 1
    return pairs[:-1]


def _is_sign(token: str) -> bool:
    return token != WILDCARD and not is_word(token)


def merged(tokens: Tokens, spaces: tuple[bool, ...], other: Tokens) -> tuple[Tokens, tuple[bool, ...]]:
    """Return the template of two: their common tokens, one `<*>` wherever they disagree (PAPER 1.2).

    `spaces` say where white space stood before a token of the first; the result has its own.

    >>> merged(("Failed", "on", "<*>"), (False, True, True), ("Failed", "on", "<*>", "<*>"))[0]
    ('Failed', 'on', '<*>')
    """
    if tokens == other:
        return tokens, spaces
    out: list[str] = []
    gaps: list[bool] = []
    at, to = 0, 0
    for i, j in [*common_tokens(tokens, other), (len(tokens), len(other))]:
        if tokens[at:i] == other[to:j]:
            out += tokens[at:i]
            gaps += spaces[at:i]
        else:
            out.append(WILDCARD)
            gaps.append(spaces[at] if at < len(tokens) else True)
        if i < len(tokens):
            out.append(tokens[i])
            gaps.append(spaces[i])
        at, to = i + 1, j + 1
    return tuple(out), tuple(gaps)


def is_subsequence(short: Sequence[str], long: Sequence[str]) -> bool:
    """Tell whether all of `short` stands in `long` in this order (the simple loop of PAPER 1.3).

    >>> is_subsequence("AC", "ABC"), is_subsequence("CA", "ABC")
    (True, False)
    """
    rest = iter(long)
    return all(token in rest for token in short)


class _Node:
    """A node of the prefix tree of PAPER 1.3: children by word, and the numbers of the sequences that end here."""

    __slots__ = ("ending", "next")

    def __init__(self) -> None:
        self.next: dict[str, _Node] = {}
        self.ending: set[int] = set()

    def put(self, words: Tokens, number: int) -> None:
        node = self
        for word in words:
            child = node.next.get(word)
            if child is None:
                child = node.next[word] = _Node()
            node = child
        node.ending.add(number)

    def take(self, words: Tokens, number: int) -> None:
        path = [self]
        for word in words:
            path.append(path[-1].next[word])
        path[-1].ending.discard(number)
        for parent, word in zip(path[-2::-1], words[::-1], strict=True):
            child = parent.next[word]
            if not child.ending and not child.next:
                del parent.next[word]

    def walk(self, words: Tokens) -> tuple[int, int] | None:
        """Find a sequence in `words`: what is no child is skipped as a value; the deepest end met counts."""
        node = self
        depth = 0
        found: tuple[int, int] | None = None
        for word in words:
            child = node.next.get(word)
            if child is not None:
                node = child
                depth += 1
                if node.ending:
                    found = min(node.ending), depth
        return found


class WordIndex:
    """Word sequences by number, searched for the one that shares the longest subsequence with a message.

    `best` gives exactly what a loop over all sequences gives (`tests/naive.py`), as long as no more of them may share
    enough than are compared (`MOST_HOLDERS`, `MOST_COMPARED`), in the order of PAPER 1.3: a walk of
    the prefix tree and the subsequence check find a lower bound cheaply, an inverted index an upper bound for each
    sequence, and only sequences whose upper bound is above the best so far see the LCS itself.

    >>> index = WordIndex()
    >>> index.add(1, ("session", "closed")); index.add(2, ("session", "opened", "by"))
    >>> index.best(("session", "opened"), 0.5)
    (2, 2)
    """

    def __init__(self) -> None:
        self._words: dict[int, Tokens] = {}
        self._bags: dict[int, Counter[str]] = {}
        self._holders: dict[str, dict[int, None]] = {}  # the sequences with a word, in the order in which they came
        self._tree = _Node()

    def add(self, number: int, words: Tokens) -> None:
        """Add the words of sequence `number`; sequences without words are never found."""
        self._words[number] = words
        self._bags[number] = Counter(words)
        self._tree.put(words, number)
        for word in self._bags[number]:
            self._holders.setdefault(word, {})[number] = None

    def remove(self, number: int) -> None:
        """Take sequence `number` out."""
        words = self._words.pop(number)
        for word in self._bags.pop(number):
            del self._holders[word][number]
            if not self._holders[word]:
                del self._holders[word]
        self._tree.take(words, number)

    def best(self, words: Tokens, tau: float) -> tuple[int, int] | None:
        """Find the number sharing most with `words`, and how many; None when none shares tau of both lengths.

        Ties: the smallest sequence, then the lowest number (the oldest key).
        """
        need = least_common(len(words), tau)
        hit = self._tree.walk(words)
        if hit and hit[1] == len(words):
            return hit  # nothing can share more, or share as much and be smaller
        bag = Counter(words)
        best = (-hit[1], hit[1], hit[0]) if hit and hit[1] >= need else None
        for bound, length, number in self._candidates(bag, len(words), need, tau):
            if best is not None and bound < -best[0]:
                break
            other = self._words[number]
            whole = bound == length and is_subsequence(other, words)
            shared = length if whole else lcs_length(other, words)
            rank = (-shared, length, number)
            if shared >= max(need, least_common(length, tau)) and (best is None or rank < best):
                best = rank
        return None if best is None else (best[2], -best[0])

    def _candidates(self, bag: Counter[str], size: int, need: int, tau: float) -> list[tuple[int, int, int]]:
        # A sequence that shares `need` of the words holds one of the size - need + 1 rarest, so the postings of the
        # commonest words are never read.
        rare = sorted(bag, key=lambda word: len(self._holders.get(word, ())))
        spare = size - need
        numbers: dict[int, None] = {}
        for word in rare:
            holders = self._holders.get(word, {})
            if len(numbers) + len(holders) > MOST_HOLDERS:
                holders = dict.fromkeys(islice(holders, max(0, MOST_HOLDERS - len(numbers))))
            numbers |= holders
            spare -= bag[word]
            if spare < 0:
                break
        found: list[tuple[int, int, int]] = []
        for number in numbers:
            length = len(self._words[number])
            other = self._bags[number]
            bound = sum(min(count, other[word]) for word, count in bag.items() if word in other)
            if bound >= max(need, least_common(length, tau)):
                found.append((bound, length, number))
        found.sort(key=lambda item: (-item[0], item[1], item[2]))
        return found[:MOST_COMPARED]


def least_common(length: int, tau: float) -> int:
    """Return the least number of common words for `length` words: at least tau of them, and one.

    >>> least_common(3, 0.5), least_common(4, 0.5), least_common(0, 0.5)
    (2, 2, 1)
    """
    return max(1, -int(-length * tau // 1))


def glob_runs(template: Tokens, tokens: Tokens, kinds: Iterable[str] = ()) -> list[tuple[int, int]] | None:
    """Find where each `<*>` of a template stands in `tokens`, as (first, past last); None when it does not fit.

    An anchored glob: constants in order, other tokens only where a `<*>` stands. `kinds` tell what each `<*>` takes:
    `v` values and punctuation only, `w` words too; with `?` also nothing. Without kinds every `<*>` takes anything.
    The shortest run that works is taken, from the right to the left, but one token before none.

    >>> glob_runs(("user", "<*>", "left"), ("user", "bob", "smith", "left"))
    [(1, 3)]
    >>> glob_runs(("user", "<*>", "left"), ("user", "bob", "left"), ["v"]) is None
    True
    """
    wanted = list(kinds)
    if not wanted:
        if template == tokens:  # from the right, every token of the other is the shortest run that works
            return [(place, place + 1) for place, token in enumerate(template) if token == WILDCARD]
        wanted = ["w?"] * template.count(WILDCARD)
    # reach[i] is the set, as bits, of the places in tokens where the template's first i tokens may end
    reach = [1]
    size = len(tokens)
    wordy = [is_word(token) for token in tokens]
    places: dict[str, int] = {}
    for place, token in enumerate(tokens):
        places[token] = places.get(token, 0) | 1 << place
    wild = 0
    for token in template:
        if token != WILDCARD:
            ends = (reach[-1] & places.get(token, 0)) << 1
        else:
            ends = _wild_ends(reach[-1], wordy, wanted[wild])
            wild += 1
        if not ends:
            return None
        reach.append(ends)
    if not reach[-1] >> size & 1:
        return None
    return _runs_back(template, wordy, wanted, reach)


def _wild_ends(starts: int, wordy: list[bool], kind: str) -> int:
    ends = starts if "?" in kind else 0
    if kind[0] == "w":  # from the first start on, everything
        return ends | ((2 << len(wordy)) - 1 & ~(2 * (starts & -starts) - 1) if starts else 0)
    alive = False
    for place, word in enumerate(wordy):
        alive = (alive or bool(starts >> place & 1)) and not word
        if alive:
            ends |= 1 << (place + 1)
    return ends


def _runs_back(template: Tokens, wordy: list[bool], wanted: list[str], reach: list[int]) -> list[tuple[int, int]]:
    runs: list[tuple[int, int]] = []
    end = len(wordy)
    wild = len(wanted)
    for step in range(len(template) - 1, -1, -1):
        if template[step] != WILDCARD:
            end -= 1
            continue
        wild -= 1
        kind = wanted[wild]
        start = end - 1
        if "?" in kind and not (end and _takes_one(kind, wordy[start]) and reach[step] >> start & 1):
            start = end
        while not reach[step] >> start & 1:
            start -= 1
        runs.append((start, end))
        end = start
    return runs[::-1]


def _takes_one(kind: str, word: bool) -> bool:
    return kind[0] == "w" or not word
