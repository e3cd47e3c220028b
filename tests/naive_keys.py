"""The key model the obvious way: one row, one step, one session at a time. Slow; the truth for its tests."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from offscript.models.lstm import Network


def sigmoid(x: float) -> float:
    """Return 1 / (1 + e^-x)."""
    return 1 / (1 + math.exp(-x)) if x > -700 else 0.0


def probabilities(net: Network, history: Sequence[int]) -> list[float]:
    """Return the probability of each symbol after one history: the LSTM equations, scalar by scalar."""
    units = len(net.exit)
    states = [([0.0] * units, [0.0] * units) for _ in net.recurrent]
    for symbol in history:
        below: list[float] = []
        for layer, (hidden, cell) in enumerate(states):
            inputs = hidden if layer == 0 else below + hidden
            gates = [
                float(net.bias[layer][column])
                + (float(net.entry[symbol][column]) if layer == 0 else 0.0)
                + sum(x * float(net.recurrent[layer][row][column]) for row, x in enumerate(inputs))
                for column in range(4 * units)
            ]
            new_cell, new_hidden = [], []
            for unit in range(units):
                write, forget, value, read = (gates[part * units + unit] for part in range(4))
                new_cell.append(sigmoid(forget) * cell[unit] + sigmoid(write) * math.tanh(value))
                new_hidden.append(sigmoid(read) * math.tanh(new_cell[-1]))
            states[layer] = (new_hidden, new_cell)
            below = new_hidden
    top = states[-1][0]
    logits = [
        float(net.exit_bias[symbol]) + sum(x * float(net.exit[unit][symbol]) for unit, x in enumerate(top))
        for symbol in range(len(net.targets))
    ]
    powers = [math.exp(logit) if allowed else 0.0 for logit, allowed in zip(logits, net.targets, strict=True)]
    return [power / sum(powers) for power in powers]


def pairs(sessions: Sequence[Sequence[int]], complete: Sequence[bool], h: int) -> Counter[tuple[tuple[int, ...], int]]:
    """Return every (history, next) with the number of sessions it occurs in; 0 pads, 1 ends."""
    counted: Counter[tuple[tuple[int, ...], int]] = Counter()
    for session, ended in zip(sessions, complete, strict=True):
        padded = [0] * h + list(session) + ([1] if ended else [])
        counted.update({(tuple(padded[at - h : at]), padded[at]) for at in range(h, len(padded))})
    return counted


def blend(
    counted: Counter[tuple[tuple[int, ...], int]], history: tuple[int, ...], plain: Sequence[float], weight: float
) -> list[float]:
    """Return the mixture of network and sightings for one history."""
    whole = sum(count for (seen, _), count in counted.items() if seen == history)
    return [
        (counted[history, symbol] + weight * probability) / (whole + weight) for symbol, probability in enumerate(plain)
    ]
