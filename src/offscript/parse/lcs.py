"""Longest common subsequences of token sequences, and the search for the sequence that shares most (PAPER 1.2-1.3)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from offscript.entries import WILDCARD
from offscript.parse.tokens import Tokens, is_word

_WORD_WEIGHT: Final = 1 << 12
"""What a word weighs against a delimiter when tokens are aligned: more than all delimiters of a message together."""


def lcs_length(first: Sequence[str], second: Sequence[str]) -> int:
    """Return the length of the longest common subsequence, by bit-parallel dynamic programming (Hyyro's form).

    Time is len(second) operations on integers of len(first) bits.

    >>> lcs_length("ABCBDAB", "BDCABA")
    4
    """
    places: dict[str, int] = {}
    for place, token in enumerate(first):
        places[token] = places.get(token, 0) | (1 << place)
    full = (1 << len(first)) - 1
    row = full
    for token in second:
        hit = row & places.get(token, 0)
        row = ((row + hit) | (row - hit)) & full
    return len(first) - row.bit_count()


def common_tokens(first: Tokens, second: Tokens) -> list[tuple[int, int]]:
    """Return the index pairs of one true LCS of two token sequences, by back-tracking (PAPER 1.2).

    Wildcards never match. Most words first, then most delimiters; among equals the latest pairs are taken, as the
    back-tracking starts at the end.

    >>> common_tokens(("VM", "Started", "(", "x"), ("VM", "Paused", "(", "x"))
    [(0, 0), (2, 2), (3, 3)]
    """
    weights = [0 if token == WILDCARD else _WORD_WEIGHT if is_word(token) else 1 for token in first]
    table = [[0] * (len(second) + 1)]
    for token, weight in zip(first, weights, strict=True):
        above = table[-1]
        row = [0]
        left = 0
        for place, other in enumerate(second):
            best = max(left, above[place + 1])
            if weight and token == other and above[place] + weight > best:
                best = above[place] + weight
            row.append(best)
            left = best
        table.append(row)
    return _back_track(table, first, second, weights)


def _back_track(table: list[list[int]], first: Tokens, second: Tokens, weights: list[int]) -> list[tuple[int, int]]:
    pairs: list[tuple[int, int]] = []
    i, j = len(first), len(second)
    while i and j:
        weight = weights[i - 1]
        if weight and first[i - 1] == second[j - 1] and table[i][j] == table[i - 1][j - 1] + weight:
            i, j = i - 1, j - 1
            pairs.append((i, j))
        elif table[i - 1][j] >= table[i][j - 1]:
            i -= 1
        else:
            j -= 1
    return pairs[::-1]


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
            node = node.next.setdefault(word, _Node())
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

    `best` gives exactly what a loop over all sequences gives (`tests/naive.py`), in the order of PAPER 1.3: a walk of
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
        self._holders: dict[str, set[int]] = {}
        self._tree = _Node()

    def add(self, number: int, words: Tokens) -> None:
        """Add the words of sequence `number`; sequences without words are never found."""
        self._words[number] = words
        self._bags[number] = Counter(words)
        self._tree.put(words, number)
        for word in self._bags[number]:
            self._holders.setdefault(word, set()).add(number)

    def remove(self, number: int) -> None:
        """Take sequence `number` out."""
        words = self._words.pop(number)
        for word in self._bags.pop(number):
            self._holders[word].discard(number)
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
        numbers: set[int] = set()
        for word in rare:
            numbers |= self._holders.get(word, set())
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
        return found


def least_common(length: int, tau: float) -> int:
    """Return the least number of common words for `length` words: at least tau of them, and one.

    >>> least_common(3, 0.5), least_common(4, 0.5), least_common(0, 0.5)
    (2, 2, 1)
    """
    return max(1, -int(-length * tau // 1))


def glob_runs(template: Tokens, tokens: Tokens, kinds: Iterable[str] = ()) -> list[tuple[int, int]] | None:
    """Find where each `<*>` of a template stands in `tokens`, as (first, past last); None when the template does not fit.

    An anchored glob: constants in order, other tokens only where a `<*>` stands. `kinds` say what each `<*>` takes:
    `v` values and punctuation only, `w` words too; with `?` also nothing. Without kinds every `<*>` takes anything.
    The shortest run that works is taken, from the right to the left.

    >>> glob_runs(("user", "<*>", "left"), ("user", "bob", "smith", "left"))
    [(1, 3)]
    >>> glob_runs(("user", "<*>", "left"), ("user", "bob", "left"), ["v"]) is None
    True
    """
    wanted = list(kinds) or ["w?"] * template.count(WILDCARD)
    # reach[i] is the set, as bits, of the places in tokens where the template's first i tokens may end
    reach = [1]
    size = len(tokens)
    wordy = [is_word(token) for token in tokens]
    wild = 0
    for token in template:
        ends = 0
        if token != WILDCARD:
            for place in range(size):
                if reach[-1] >> place & 1 and tokens[place] == token:
                    ends |= 1 << (place + 1)
        else:
            ends = _wild_ends(reach[-1], wordy, wanted[wild])
            wild += 1
        if not ends:
            return None
        reach.append(ends)
    if not reach[-1] >> size & 1:
        return None
    return _runs_back(template, size, wanted, reach)


def _wild_ends(starts: int, wordy: list[bool], kind: str) -> int:
    ends = starts if "?" in kind else 0
    alive = False
    for place, word in enumerate(wordy):
        alive = (alive or bool(starts >> place & 1)) and not (word and kind[0] == "v")
        if alive:
            ends |= 1 << (place + 1)
    return ends


def _runs_back(template: Tokens, size: int, wanted: list[str], reach: list[int]) -> list[tuple[int, int]]:
    runs: list[tuple[int, int]] = []
    end = size
    wild = len(wanted)
    for step in range(len(template) - 1, -1, -1):
        if template[step] != WILDCARD:
            end -= 1
            continue
        wild -= 1
        start = end if "?" in wanted[wild] else end - 1
        while not reach[step] >> start & 1:
            start -= 1
        runs.append((start, end))
        end = start
    return runs[::-1]
