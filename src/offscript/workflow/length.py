"""How long a tree makes the description of sessions: the criterion by which one tree is better than another (ours).

Minimum description length (Rissanen 1978): the bits of the tree, and those of the sessions told with its help. A tree
too loose tells each session at length, one too tight leaves many to be told as exceptions, one too big is itself long.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from itertools import chain

import numpy as np

from offscript.workflow.machine import Machine, machine_of
from offscript.workflow.tree import Kind, Tree
from offscript.workflow.walk import lay

USUAL = 1.5
"""Mistakes told for a session off the tree where they are not counted: one is the most usual, and there may be more."""

MOST_NOISE = 0.07
"""Share of the sessions that may be noise: a twentieth, and three standard errors of it in a thousand. What is off the
tree beyond that is told entry by entry, as if there were no tree."""

LAID = 40
"""Distinct sessions off the tree, the commonest ones, whose mistakes are told: their mean stands for all."""

END, NOTHING = 0, -1
"""Stand among the options for the end of a run, and for the end before anything came."""

ROUNDS = 50
"""Rounds in which weights are fitted at most; most are within a bit of the best after ten."""

TINY = 1e-300
"""Where nothing was possible nothing was taken: 0 / 0 is 0."""


def tree_bits(tree: Tree, keys: int) -> float:
    """Return the bits of a tree: which of six kinds each part is, where a part ends, and for steps which of `keys`.

    >>> from offscript.workflow.tree import sequence, step
    >>> round(tree_bits(sequence(step(1), step(2)), 2), 1)
    13.8
    """
    here = math.log2(len(Kind)) + 1
    if tree.kind is Kind.STEP:
        return here + math.log2(max(keys, 2))
    return here + 1 + sum(tree_bits(part, keys) for part in tree.parts) if tree.parts else here


def described(tree: Tree, runs: Mapping[tuple[int, ...], int], *, laid: bool = False) -> float:
    """Return the bits of the tree and of the runs told by it.

    A run that is on the tree is told step by step: of the steps possible at a point, each has a chance in proportion to
    its weight. A run that is not is told like one that is, of the mean cost of a step, and its mistakes: as
    many as is usual, or with `laid`, which takes longer, those there are; for no more than can be noise (MOST_NOISE).
    """
    machine = machine_of(tree)
    options = _Options(machine)
    keys = {key for run in runs for key in run}
    passes: dict[int, int] = {}
    fits = length = stray_length = 0
    off: dict[tuple[int, ...], int] = {}
    for run, count in runs.items():
        met = options.met(run)
        if met is None:
            off[run] = count
            stray_length += count * (len(run) + 1)
            continue
        fits += count
        length += count * (len(run) + 1)
        for turn in met:
            passes[turn] = passes.get(turn, 0) + count
    taken, chances = options.chosen(passes)
    strays = sum(off.values())
    size = math.log2(max(len(keys), 2))
    bits = _choices(taken, chances) + 0.5 * len(taken) * math.log2(fits + strays + 1)
    usual = USUAL * (_place(stray_length / strays) + size) if strays else 0.0
    mistake = _mistakes(machine, off, size) if laid else usual
    raw = stray_length * math.log2(len(keys) + 1)
    told = stray_length * bits / length + strays * mistake if length else raw
    noise = min(1.0, MOST_NOISE * (fits + strays) / strays) if strays else 1.0
    return tree_bits(tree, len(keys)) + bits + min(raw, noise * told + (1 - noise) * raw) + _entropy(fits, strays)


def _place(length: float) -> float:
    """The bits of the kind of a mistake, one of four, and of its place."""
    return 2 + math.log2(max(length, 2))


def _mistakes(machine: Machine, off: Mapping[tuple[int, ...], int], size: float) -> float:
    """The mean bits of the mistakes of runs off the tree: entries lost, doubled, moved, and foreign ones with a key."""
    key_of = {position.into: position.key for position in machine.positions if not position.levels}
    some = sorted(off, key=lambda run: (-off[run], run))[:LAID]
    found = 0.0
    for run in some:
        walked = lay(machine.tree, run, ended=True)
        places = [place for place, node in enumerate(walked.nodes) if node is None]
        lost = Counter(key_of[node] for node in walked.missing)
        extra = Counter(run[place] for place in places)
        doubled = sum(run[place] in run[max(place - 1, 0) : place] for place in places)
        moved = (lost & extra).total()
        number = lost.total() + extra.total() - moved
        foreign = max(extra.total() - moved - doubled, 0)
        found += off[run] * (number * _place(len(run)) + foreign * size)
    return found / sum(off[run] for run in some) if some else 0.0


def _entropy(*counts: int) -> float:
    total = sum(counts)
    return sum(count * math.log2(total / count) for count in counts if count)


def _choices(taken: Counter[int], chances: Counter[tuple[int, ...]]) -> float:
    """The bits of all choices, with the weights under which they are fewest (Luce 1959; fitted as in Hunter 2004)."""
    if not taken:
        return 0.0
    options = np.fromiter((option for options in chances for option in options), np.int64) - NOTHING
    sets = np.repeat(np.arange(len(chances)), [len(options) for options in chances])
    counts = np.fromiter(chances.values(), np.float64)
    often = np.zeros(options.max() + 1)
    for option, count in taken.items():
        often[option - NOTHING] = count
    weight = often / np.maximum(np.bincount(options, counts[sets]), 1)
    met = often > 0
    bits, before = math.inf, math.inf
    for _ in range(ROUNDS):
        whole = np.bincount(sets, weight[options])
        before, bits = bits, float(counts @ np.log2(whole) - often[met] @ np.log2(weight[met]))
        if before - bits < 1:
            break
        weight = often / np.maximum(np.bincount(options, (counts / whole)[sets]), TINY)
    return min(bits, before)


class _Options:
    """The steps possible after each set of states, as numbers: a key counts as one option with the nodes it may be.

    A turn is one way on from a set of states, by a key or to the end; turns have numbers too.
    """

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._known: dict[int, tuple[dict[int, int], tuple[int, ...]]] = {}
        self._numbers: dict[tuple[int, ...], int] = {(): END}  # so that those of steps begin at 1
        self._turns: list[tuple[int, tuple[int, ...]]] = []
        self._steps: dict[tuple[int, int], tuple[int, int]] = {}
        self._ends: dict[int, int] = {}

    def met(self, run: tuple[int, ...]) -> list[int] | None:
        """The turns of a run; None for a run that is not of the tree."""
        steps = self._steps
        state, met = 0, []
        for key in run:
            found = steps.get((state, key))
            turn, state = self._step(state, key) if found is None else found
            if state < 0:
                return None
            met.append(turn)
        if not self._machine.ends[state]:
            return None
        if state not in self._ends:
            self._ends[state] = len(self._turns)
            self._turns.append((END if state else NOTHING, self._at(state)[1]))
        return [*met, self._ends[state]]

    def chosen(self, passes: Mapping[int, int]) -> tuple[Counter[int], Counter[tuple[int, ...]]]:
        """How often each option was taken, and all that were possible there, by how often each turn was."""
        taken: Counter[int] = Counter()
        chances: Counter[tuple[int, ...]] = Counter()
        for turn, count in passes.items():
            option, possible = self._turns[turn]
            taken[option] += count
            chances[possible] += count
        return taken, chances

    def _step(self, state: int, key: int) -> tuple[int, int]:
        """The turn, and the state after it, negative where none is left."""
        by_key, possible = self._at(state)
        found = self._steps[state, key] = len(self._turns), self._machine.after(state, key)
        self._turns.append((by_key.get(key, END), possible))
        return found

    def _at(self, state: int) -> tuple[dict[int, int], tuple[int, ...]]:
        if state not in self._known:
            numbers = self._numbers
            states = self._machine.states[state]
            found = dict.fromkeys(chain.from_iterable(map(self._machine.options, states)))
            nodes: dict[int, list[int]] = {}
            # a set of states comes in any order, and the last bit of a sum depends on it
            for key, node in sorted(found) if len(states) > 1 else found:
                nodes.setdefault(key, []).append(node)
            by_key = {key: numbers.setdefault(tuple(sorted(at)), len(numbers)) for key, at in nodes.items()}
            ends = (END if state else NOTHING,) if self._machine.ends[state] else ()
            self._known[state] = by_key, (*sorted(by_key.values()), *ends)
        return self._known[state]
