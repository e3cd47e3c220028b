"""The value model the obvious way: one number, one gate, one vector at a time. Slow; the truth for its tests."""

from __future__ import annotations

import math

from tests.naive_keys import sigmoid

from offscript.models.value_network import ValueNetwork


def step(
    net: ValueNetwork, hidden: list[float], cell: list[float], vector: list[float]
) -> tuple[list[float], list[float]]:
    """Return hidden and cell states after one vector in deviations: the LSTM equations, scalar by scalar."""
    units = len(hidden)
    gates = [
        float(net.bias[column])
        + sum(x * float(net.entry[place][column]) for place, x in enumerate(vector))
        + sum(x * float(net.recurrent[unit][column]) for unit, x in enumerate(hidden))
        for column in range(4 * units)
    ]
    new_hidden, new_cell = [], []
    for unit in range(units):
        write, forget, value, read = (gates[part * units + unit] for part in range(4))
        new_cell.append(sigmoid(forget) * cell[unit] + sigmoid(write) * math.tanh(value))
        new_hidden.append(sigmoid(read) * math.tanh(new_cell[-1]))
    return new_hidden, new_cell


def judged(net: ValueNetwork, rows: list[list[float]], above: float) -> tuple[list[list[float]], list[float]]:
    """Return what is expected of each vector in the log's units, and its error in deviations (NaN where all is gone).

    A number that is missing enters as the mean, one far out as ten deviations, a vector above the error as expected,
    unless the sixteen before it did too.
    """
    hidden, cell = ([0.0] * len(net.recurrent) for _ in range(2))
    predictions, errors, running = [], [], 0
    for row in rows:
        expected = [
            float(net.exit_bias[place]) + sum(x * float(net.exit[unit][place]) for unit, x in enumerate(hidden))
            for place in range(len(row))
        ]
        vector = [(x - m) / d for x, m, d in zip(row, net.mean.tolist(), net.deviation.tolist(), strict=True)]
        squares = [(x - e) ** 2 for x, e in zip(vector, expected, strict=True) if not math.isnan(x)]
        errors.append(sum(squares) / len(squares) if squares else math.nan)
        running = running + 1 if errors[-1] > above else 0
        if 1 <= running <= 16:
            vector = expected
        entered = [0.0 if math.isnan(x) else min(10.0, max(-10.0, x)) for x in vector]
        hidden, cell = step(net, hidden, cell, entered)
        parts = zip(expected, net.mean.tolist(), net.deviation.tolist(), strict=True)
        predictions.append([e * d + m for e, m, d in parts])
    return predictions, errors
