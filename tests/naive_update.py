"""The training of an update the obvious way: one pair, one column, one float at a time: slow, the truth for tests."""

from __future__ import annotations

import math
from collections.abc import Sequence

Matrix = list[list[float]]
Pairs = Sequence[tuple[Sequence[float], int]]
"""States of the last layer, each with the symbol that came."""


def log_shares(state: Sequence[float], leave: Matrix, bias: Sequence[float], allowed: Sequence[bool]) -> list[float]:
    """Return the log-probability of each symbol after one history; minus infinity for those that cannot follow."""
    logits = [
        sum(x * row[symbol] for x, row in zip(state, leave, strict=True)) + bias[symbol]
        if allowed[symbol]
        else -math.inf
        for symbol in range(len(bias))
    ]
    whole = math.log(sum(math.exp(logit) for logit in logits))
    return [logit - whole for logit in logits]


def trained(
    leave: Matrix,
    bias: list[float],
    allowed: Sequence[bool],
    replayed: Pairs,
    own: Pairs,
    need: float,
    steps: int,
    rate: float,
) -> tuple[Matrix, list[float]]:
    """Return the softmax layer after Adam steps in the columns of the reported symbols, until all are accepted."""
    leave, bias = [list(row) for row in leave], list(bias)
    columns = sorted({target for _, target in own})
    names = [(unit, column) for unit in range(len(leave)) for column in columns] + [(-1, column) for column in columns]
    first, second = dict.fromkeys(names, 0.0), dict.fromkeys(names, 0.0)
    for step in range(1, steps + 1):
        lacking = [pair for pair in own if log_shares(pair[0], leave, bias, allowed)[pair[1]] < need]
        if not lacking:
            break
        slope = dict.fromkeys(names, 0.0)
        for pairs, size in ((replayed, len(replayed)), (lacking, len(own))):
            for state, target in pairs:
                logs = log_shares(state, leave, bias, allowed)
                for column in columns:
                    error = (math.exp(logs[column]) - (column == target)) / size
                    slope[-1, column] += error
                    for unit, x in enumerate(state):
                        slope[unit, column] += error * x
        for unit, column in names:
            first[unit, column] = 0.9 * first[unit, column] + 0.1 * slope[unit, column]
            second[unit, column] = 0.999 * second[unit, column] + 0.001 * slope[unit, column] ** 2
            mean = first[unit, column] / (1 - 0.9**step)
            move = rate * mean / (math.sqrt(second[unit, column] / (1 - 0.999**step)) + 1e-8)
            if unit < 0:
                bias[column] -= move
            else:
                leave[unit][column] -= move
    return leave, bias
