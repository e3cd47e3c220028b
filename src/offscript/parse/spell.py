"""Spell: from messages to log keys, online, by true longest common subsequences (ICDM 2016; PAPER section 1).

Where this differs from the paper, and why:

* values are typed before any LCS (`tokens`), so a message is first looked up by its skeleton;
* tau counts words only, and must hold for the template's words as well as for the message's: else a message of two
  words could shrink a template of twenty to one;
* equal shares: the smallest template, then the oldest key; `>=` tau, as all public ports;
* a template without words takes exactly its own skeleton, so that nothing can swallow everything;
* a key stands for the print statement that wrote its founder, the first skeleton that had it. That never changes:
  when templates merge the oldest key survives and the others become its aliases, when one splits the part with the
  founder keeps the key and the others become children with keys of their own (TKDE 2019; `settle`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from offscript.entries import WILDCARD, Entry, Line
from offscript.parse.frames import NOTHING, Likeness, frames_of, joined, likeness, likeness_of_all
from offscript.parse.groups import Group
from offscript.parse.lcs import WordIndex, glob_runs, merged
from offscript.parse.match import FrozenTemplate, Templates, wildcard_kinds
from offscript.parse.settle import regroup
from offscript.parse.tokens import Pieces, Surface, Tokeniser, Tokens, own_runs, render, texts_of, words_of

SKELETONS_PER_TEMPLATE: Final = 5
"""Distinct skeletons kept for each template of `max_templates`: real logs have one to three, a user name without
digits some dozens."""

OVERFLOW: Final[Tokens] = (WILDCARD,)
"""The template of what no template takes when there is no room for more; it is also the skeleton of a lone value."""


_NO_PLAN: Final = (None, (), "")


@dataclass(frozen=True, slots=True)
class KeyEvent:
    """What became of a key at `settle`: `alias` means `key` is now `other`, `child` that `key` split off `other`."""

    kind: Literal["alias", "child"]
    key: int
    other: int


@dataclass(slots=True)
class _Cluster:
    key: int
    tokens: Tokens
    spaces: tuple[bool, ...]
    members: list[int] = field(default_factory=list)


class Spell:
    """The learning parser: gives each message a log key, and settles keys when the log has been read (PAPER 1).

    `parse` gives provisional keys at once; `learn` gives skeleton numbers, which `settle` resolves, so that an early
    line never keeps a key that a later line changed. `skipped` counts by reason what was not looked at in full:
    `long_messages` (more than `tokens.MAX_TOKENS` tokens), `skeletons` and `templates` (over the caps).

    Args:
        tau: share of the words that must be common, of the message and of the template.
        max_templates: cap on templates; above it unknown messages get the overflow key and are counted.

    >>> spell = Spell()
    >>> numbers = [spell.learn(f"Took {n} s to {verb} it") for n in (0.6, 1.2) for verb in ("build", "stop")]
    >>> numbers
    [1, 2, 1, 2]
    >>> templates, keys = spell.settle()
    >>> [templates.template(keys[n]).text for n in (1, 2)]
    ['Took <*> s to build it', 'Took <*> s to stop it']
    """

    def __init__(self, tau: float = 0.5, max_templates: int = 10_000) -> None:
        self._tau = tau
        self._max_templates = max_templates
        self._tokeniser = Tokeniser()
        # Number 0 is the overflow skeleton, so that real numbers start at 1 like keys.
        self._skeletons: list[Tokens] = [OVERFLOW]
        self._spaces: list[tuple[bool, ...]] = [(False,)]
        self._counts: list[int] = [0]
        # By own value of each skeleton, what its values have in common; values that have nothing are left out.
        self._alike: list[dict[int, Likeness]] = [{}]
        self._key_of: list[int] = [0]
        self._numbers: dict[Tokens, int] = {}
        self._clusters: dict[int, _Cluster] = {}
        self._founders: dict[int, int] = {}
        self._index = WordIndex()
        self._plans: dict[int, tuple[Tokens | None, tuple[tuple[int, int], ...], str]] = {}
        self._next_key = 1
        self._over = {"skeletons": 0, "templates": 0}
        self.events: list[KeyEvent] = []

    @property
    def skipped(self) -> dict[str, int]:
        """How many messages were not looked at in full, by reason."""
        return {"long_messages": self._tokeniser.truncated, **self._over}

    @property
    def over(self) -> int:
        """How many messages came over a cap: each was counted with another skeleton than its own."""
        return sum(self._over.values())

    @property
    def is_full(self) -> bool:
        """Whether a cap was met: the log is not made of print statements, and the user should be told."""
        return self.over > 0

    def learn(self, message: str, ids: tuple[str, ...] = ()) -> int:
        """Return the number of the message's skeleton: equal for equal skeletons, and never reused."""
        surface, pieces = self._tokeniser.read(message, ids)
        return self._count(surface, pieces, ids)

    def learn_values(self, message: str, ids: tuple[str, ...] = ()) -> tuple[int, tuple[str, ...] | None]:
        """As `learn`, with the skeleton's own values; None where the message was counted with another skeleton.

        >>> Spell().learn_values("Took 0.6 s")
        (1, ('0.6',))
        """
        surface, pieces = self._tokeniser.read(message, ids)
        was_over = self.over
        number = self._count(surface, pieces, ids)
        if self.over != was_over:
            return number, None
        if surface.truncated:  # the last value is more than one piece
            return number, texts_of(surface, pieces, own_runs(surface.tokens))
        return number, tuple([value for value, _ in pieces if value])

    @property
    def skeletons(self) -> list[Tokens]:
        """The tokens of every skeleton by number; number 0 is that of messages over the caps."""
        return list(self._skeletons)

    def add(self, number: int, lines: int, values: Sequence[tuple[str, str]]) -> None:
        """Count more lines of a skeleton that was learnt; counts and frames are then as if each had been learnt.

        Args:
            number: the skeleton's.
            lines: how many more.
            values: for each of its own values, what those of the lines have in common: a text they all begin with, the
                longest or at least `frames.LONGEST` characters of it; and the text they all are, "" where they differ
                or it is longer than that.

        >>> spell = Spell()
        >>> number = spell.learn("open 7 via eth1")
        >>> spell.add(number, 2, [("", ""), ("eth1", "eth1")])
        >>> spell.settle()[0].template(1)
        Template(key=1, text='open <*> via eth1', count=3)
        """
        self._counts[number] += lines
        alike = self._alike[number]
        for place, like in list(alike.items()):
            self._keep(alike, place, joined(like, likeness_of_all(*values[place])))

    def parse(self, message: str, ids: tuple[str, ...] = ()) -> Entry:
        """Return the entry of a message with the key it has for now; `events` says what became of it at `settle`.

        >>> entry = Spell().parse("Took 0.61 seconds to deallocate network")
        >>> entry.key, entry.template, entry.values
        (1, 'Took <*> seconds to deallocate network', ('0.61',))
        """
        surface, pieces = self._tokeniser.read(message, ids)
        number = self._count(surface, pieces, ids)
        cluster = self._clusters[self._key_of[number]]
        tokens, runs, text = self._plans.get(number, _NO_PLAN)
        own = surface.tokens == self._skeletons[number]
        if tokens is not cluster.tokens or not own:
            fitting = glob_runs(cluster.tokens, surface.tokens)
            # a skeleton over the cap may not fit its nearest template: then all of it is one value
            runs = tuple(fitting if fitting is not None else [(0, len(surface.tokens))])
            text = render(cluster.tokens, cluster.spaces)
            if own:
                self._plans[number] = cluster.tokens, runs, text
        values = texts_of(surface, pieces, runs)
        return Entry(Line(message), cluster.key, values, text)

    def settle(self) -> tuple[Templates, list[int]]:
        """Split and merge; return the frozen table, and the key of every skeleton number (TKDE 2019; PAPER 1.5).

        The list is indexed by skeleton number; place 0 is the overflow's, 0 when it was never needed. Learning may go
        on afterwards, and keys given stay.
        """
        numbers = [n for n in range(len(self._skeletons)) if self._key_of[n]]
        groups = regroup(
            [self._skeletons[n] for n in numbers],
            [self._spaces[n] for n in numbers],
            [self._counts[n] for n in numbers],
        )
        for group in groups:
            group.members = [numbers[place] for place in group.members]
        self._adopt(groups)
        table = [self._freeze(cluster) for cluster in self._clusters.values()]
        members = {self._skeletons[n]: self._key_of[n] for n in numbers}
        return Templates(table, members, self._tau), list(self._key_of)

    def _count(self, surface: Surface, pieces: Pieces, ids: tuple[str, ...]) -> int:
        number = self._numbers.get(surface.tokens)
        if number is None:
            number = self._meet(surface.tokens, surface.spaces)
            if self._numbers.get(surface.tokens) == number:
                self._begin(number, surface, pieces, ids)
        elif self._alike[number]:
            self._compare(self._alike[number], pieces)
        self._counts[number] += 1
        return number

    def _begin(self, number: int, surface: Surface, pieces: Pieces, ids: tuple[str, ...]) -> None:
        # the last value of a message that was cut is more than one piece
        values = () if surface.truncated else [value for value, _ in pieces if value]
        for place, value in enumerate(values):
            # a statement that only one session met so far would show its identifier
            if not any(name in value for name in ids):
                self._keep(self._alike[number], place, likeness(value))

    def _compare(self, alike: dict[int, Likeness], pieces: Pieces) -> None:
        values = [value for value, _ in pieces if value]
        for place, like in list(alike.items()):
            if like.head != values[place]:
                self._keep(alike, place, joined(like, likeness(values[place])))

    def _keep(self, alike: dict[int, Likeness], place: int, like: Likeness) -> None:
        if like != NOTHING:
            alike[place] = like
        else:
            alike.pop(place, None)

    def _meet(self, tokens: Tokens, spaces: tuple[bool, ...]) -> int:
        words = words_of(tokens)
        found = self._index.best(words, self._tau) if words else None
        if len(self._numbers) >= SKELETONS_PER_TEMPLATE * self._max_templates:
            self._over["skeletons"] += 1
            return self._clusters[found[0]].members[0] if found else self._overflow()
        if found is None and len(self._clusters) >= self._max_templates:
            self._over["templates"] += 1
            return self._overflow()
        number = len(self._skeletons)
        self._skeletons.append(tokens)
        self._spaces.append(spaces)
        self._counts.append(0)
        self._alike.append({})
        self._numbers[tokens] = number
        self._key_of.append(self._found(number) if found is None else self._join(self._clusters[found[0]], number))
        return number

    def _found(self, number: int) -> int:
        cluster = _Cluster(self._next_key, self._skeletons[number], self._spaces[number], [number])
        self._next_key += 1
        self._clusters[cluster.key] = cluster
        self._founders[number] = cluster.key
        self._index.add(cluster.key, words_of(cluster.tokens))
        return cluster.key

    def _join(self, cluster: _Cluster, number: int) -> int:
        cluster.members.append(number)
        tokens, spaces = merged(cluster.tokens, cluster.spaces, self._skeletons[number])
        if words_of(tokens) != words_of(cluster.tokens):
            self._index.remove(cluster.key)
            self._index.add(cluster.key, words_of(tokens))
        cluster.tokens, cluster.spaces = tokens, spaces
        return cluster.key

    def _overflow(self) -> int:
        if not self._key_of[0]:
            self._numbers.setdefault(OVERFLOW, 0)
            self._key_of[0] = self._key_of[self._numbers[OVERFLOW]] or self._found(0)
        return 0

    def _adopt(self, groups: list[Group]) -> None:
        clusters: dict[int, _Cluster] = {}
        for group in groups:
            keys = sorted(self._founders[n] for n in group.members if n in self._founders)
            if keys:
                key = keys[0]
                self.events += [KeyEvent("alias", gone, key) for gone in keys[1:]]
            else:
                key = self._next_key
                self._next_key += 1
                self.events.append(KeyEvent("child", key, self._key_of[group.members[0]]))
                self._founders[group.members[0]] = key
            clusters[key] = _Cluster(key, group.tokens, group.spaces, group.members)
        self._founders = {n: key for n, key in self._founders.items() if key in clusters}
        self._clusters = dict(sorted(clusters.items()))
        self._index = WordIndex()
        for key, cluster in self._clusters.items():
            self._index.add(key, words_of(cluster.tokens))
            for number in cluster.members:
                self._key_of[number] = key

    def _freeze(self, cluster: _Cluster) -> FrozenTemplate:
        members = [self._skeletons[n] for n in cluster.members]
        runs = [glob_runs(cluster.tokens, member) for member in members]
        alike = [self._alike[n] for n in cluster.members]
        lines = sum(self._counts[n] for n in cluster.members)
        return FrozenTemplate(
            key=cluster.key,
            tokens=cluster.tokens,
            text=render(cluster.tokens, cluster.spaces),
            count=lines,
            kinds=wildcard_kinds(cluster.tokens, members, runs),
            frames=frames_of(cluster.tokens, cluster.spaces, zip(members, runs, alike, strict=True), lines),
        )
