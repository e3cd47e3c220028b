"""The forward pass of the network, in numpy: histories that begin alike are one until they part (ours).

A state after k symbols depends on these alone, so each distinct beginning of the histories is stepped once, all
beginnings of one length together. Rows go through in batches of one size, whatever comes: a row's bits then depend
neither on its company nor on what else began like it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

ROWS: Final = 64
"""Rows of every product, padded if need be: BLAS rounds differently for different batch sizes (ours)."""

THREADED_PRODUCT: Final = 1 << 18
"""Multiplications in one product above which OpenBLAS uses threads (its SMP_THRESHOLD_MIN x 4)."""

AT_ONCE: Final = 1 << 11
"""Histories whose beginnings are looked for together: more hardly share more, and the states of these, some 4 MiB, stay
near the processor."""

GATES: Final = 4
OPENING: Final = 3
"""Gates that open, i, f and o; the last one, g, is what enters."""

Array: TypeAlias = npt.NDArray[np.float32]
Symbols: TypeAlias = npt.NDArray[np.integer[Any]]
Places: TypeAlias = npt.NDArray[np.intp]


class Weights(NamedTuple):
    """The weights of a network of L layers with a units as the pass wants them.

    Columns of gates are in the order i, f, o, g and lie in strips (s, m, w): s strips of w columns. `entered` (s,
    capacity, w) is what a symbol brings to the first layer, bias included. `recurrent` and `leave` take hidden states
    that are doubled, and all of a gate that opens is halved: sigmoid(x) = (1 + tanh(x / 2)) / 2, and powers of two
    change no bit but the exponent.
    """

    entered: Array
    recurrent: tuple[Array, ...]
    bias: tuple[Array, ...]
    leave: Array
    leave_bias: Array

    @classmethod
    def of(
        cls, entry: Array, recurrent: tuple[Array, ...], bias: tuple[Array, ...], leave: Array, leave_bias: Array
    ) -> Weights:
        """The weights as `Network` has them: gates in the order i, f, g, o."""
        strips = tuple(_gates_in_strips(weights * np.float32(0.5)) for weights in recurrent)
        widths = [layer.shape[2] for layer in strips]
        return cls(
            _gates_in_strips(entry + bias[0], widths[0]),
            strips,
            tuple(_gates_in_strips(one[None], width) for one, width in zip(bias, widths, strict=True)),
            _in_strips(leave * np.float32(0.5), leave.shape[1]),
            leave_bias,
        )


class _States:
    """The states of some beginnings by layer: `hidden` (m, a), doubled, and `cells` (s / 4, m, w).

    That of row 0 is where every history begins; the others are yet to be written.
    """

    def __init__(self, weights: Weights, rows: int) -> None:
        units = weights.leave.shape[1]
        widths = [layer.shape[2] for layer in weights.recurrent]
        self.hidden = [np.empty((rows, units), np.float32) for _ in widths]
        self.cells = [np.empty((units // width, rows, width), np.float32) for width in widths]
        for hidden, cells in zip(self.hidden, self.cells, strict=True):
            hidden[:1], cells[:, :1] = 0, 0


def probabilities(weights: Weights, targets: npt.NDArray[np.bool_], histories: Symbols) -> Array:
    """The probability of each symbol after each history: (n, h) symbols -> (n, capacity) float32.

    `targets` (capacity,) are the symbols that can follow.
    """
    out = np.empty((len(histories), len(targets)), np.float32)
    for start in range(0, len(histories), AT_ONCE):
        rows = histories[start : start + AT_ONCE]
        hidden, number = _last_hidden(weights, rows)
        shares = np.empty((len(hidden), len(targets)), np.float32)
        for first in range(0, len(hidden), ROWS):
            shares[first : first + ROWS] = _shares(weights, targets, hidden[first : first + ROWS])
        out[start : start + AT_ONCE] = shares[number]
    return out


def last_states(weights: Weights, histories: Symbols) -> Array:
    """The last layer's hidden state after each history: (n, h) symbols -> (n, a); what the softmax layer acts on."""
    units = weights.leave.shape[1]
    out = np.empty((len(histories), units), np.float32)
    for start in range(0, len(histories), AT_ONCE):
        hidden, number = _last_hidden(weights, histories[start : start + AT_ONCE])
        out[start : start + AT_ONCE] = hidden[number] * np.float32(0.5)
    return out


def probabilities_from(weights: Weights, targets: npt.NDArray[np.bool_], states: Array) -> Array:
    """What `probabilities` gives, (n, capacity), bit for bit, from what `last_states` gave, (n, a)."""
    hidden = np.zeros((-(-len(states) // ROWS) * ROWS, states.shape[1]), np.float32)
    hidden[: len(states)] = states * np.float32(2)
    out = np.empty((len(hidden), len(targets)), np.float32)
    for first in range(0, len(hidden), ROWS):
        out[first : first + ROWS] = _shares(weights, targets, hidden[first : first + ROWS])
    return out[: len(states)]


def product(rows: Array, weights: Array) -> Array:
    """Rows times a matrix, (n, a) and (a, m) -> (n, m), in pieces that wake no threads of OpenBLAS.

    >>> product(np.ones((3, 2), np.float32), np.ones((2, 1), np.float32)).tolist()
    [[2.0], [2.0], [2.0]]
    """
    count, units, columns = len(rows), len(weights), weights.shape[1]
    size = THREADED_PRODUCT // max(1, units * columns)
    if size >= ROWS:  # some columns alone
        return np.concatenate([rows[start : start + size] @ weights for start in range(0, max(1, count), size)])
    width = 1 << max(0, columns - 1).bit_length()
    while width > 1 and ROWS * units * width > THREADED_PRODUCT:
        width //= 2
    left = np.zeros((-(-count // ROWS) * ROWS, units), np.float32)
    right = np.zeros((units, -(-columns // width) * width), np.float32)
    left[:count], right[:, :columns] = rows, weights
    pieces = np.matmul(left.reshape(-1, 1, ROWS, units), _in_strips(right, width, width))
    return np.asarray(pieces.transpose(0, 2, 1, 3).reshape(len(left), -1)[:count, :columns])


def product_over(rows: Array, others: Array) -> Array:
    """The transpose of rows times other rows, (n, a) and (n, m) -> (a, m), in pieces that wake no threads of OpenBLAS.

    >>> product_over(np.ones((3, 2), np.float32), np.ones((3, 1), np.float32)).tolist()
    [[3.0], [3.0]]
    """
    size = max(1, THREADED_PRODUCT // (rows.shape[1] * others.shape[1]))
    total = np.zeros((rows.shape[1], others.shape[1]), np.float32)
    for start in range(0, len(rows), size):
        total += rows[start : start + size].T @ others[start : start + size]
    return total


def _shares(weights: Weights, targets: npt.NDArray[np.bool_], hidden: Array) -> Array:
    logits = np.matmul(hidden, weights.leave).transpose(1, 0, 2).reshape(ROWS, -1) + weights.leave_bias
    logits = np.where(targets, logits, np.float32(-np.inf))
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float32)


def _last_hidden(weights: Weights, histories: Symbols) -> tuple[Array, Places]:
    """The last hidden states of the distinct histories, padded to whole batches, and the place of each history's."""
    most = -(-len(histories) // ROWS) * ROWS
    before, after = _States(weights, most), _States(weights, most)
    number, size = np.zeros(len(histories), np.intp), 0
    for symbols, longer_than, here in _beginnings(histories):
        number, room = here, np.zeros(-len(symbols) % ROWS, np.intp)
        symbols, longer_than = np.concatenate((symbols, room)), np.concatenate((longer_than, room))
        size = len(symbols)
        for start in range(0, size, ROWS):
            some = slice(start, start + ROWS)
            _step(weights, symbols[some], longer_than[some], before, after, some)
        before, after = after, before
    return before.hidden[-1][:size], number


def _beginnings(histories: Symbols) -> Iterator[tuple[Places, Places, Places]]:
    """The distinct beginnings of histories, (n, h), by length from 1 to h.

    Yields for each its last symbol and the number of the one that it extends, then the number of each history's, (n,).
    What fits in one batch is left as it is: it would be padded again.
    """
    number = np.zeros(len(histories), np.intp)
    columns = np.ascontiguousarray(histories.T, np.intp)
    span = int(columns.max(initial=0)) + 1
    for column in columns:
        if len(histories) <= ROWS:
            symbols, longer_than, number = column, number, np.arange(len(column))
        else:
            distinct, number = np.unique(number * span + column, return_inverse=True)
            symbols, longer_than = distinct % span, distinct // span
        yield symbols, longer_than, number


def _step(weights: Weights, symbols: Places, longer_than: Places, before: _States, after: _States, here: slice) -> None:
    """One symbol further: the states of one batch of beginnings, written at their place in `after`."""
    below: Array | None = None
    for layer, recurrent in enumerate(weights.recurrent):
        own = before.hidden[layer].take(longer_than, axis=0)
        if below is None:
            gates = np.matmul(own, recurrent)
            gates += weights.entered.take(symbols, axis=1)
        else:
            gates = np.matmul(np.concatenate((below, own), axis=1), recurrent)
            gates += weights.bias[layer]
        below, cells = after.hidden[layer][here], after.cells[layer][:, here]
        _cell(gates, before.cells[layer].take(longer_than, axis=1), below, cells)


def _cell(gates: Array, cell: Array, hidden: Array, cells: Array) -> None:
    """Write the new hidden state, doubled, (ROWS, a), and the new cell state (s / 4, ROWS, w); `gates` are used up."""
    strips, _, width = cell.shape
    np.tanh(gates, out=gates)  # numpy's float32 tanh is vectorised and never overflows
    gates[: OPENING * strips] += np.float32(1)
    i, f, o, g = gates.reshape(GATES, *cell.shape)
    f *= cell
    i *= g
    f += i
    f *= np.float32(0.5)
    cells[:] = f
    np.tanh(f, out=f)
    np.multiply(o, f, out=hidden.reshape(ROWS, strips, width).transpose(1, 0, 2))


def _gates_in_strips(weights: Array, width: int = 0) -> Array:
    """Weights of gates i, f, g, o (m, 4a) in strips of the order i, f, o, g, those that open halved."""
    i, f, g, o = np.split(weights, GATES, axis=1)
    half = np.float32(0.5)
    return _in_strips(np.concatenate((i * half, f * half, o * half, g), axis=1), len(i[0]), width)


def _in_strips(weights: Array, most: int, width: int = 0) -> Array:
    """A matrix (m, n) as strips of columns (s, m, w), so wide if that is given, at `most` else.

    Above 2^18 multiplications OpenBLAS wakes its threads, which for products this small take forty times the work
    they share; and how they share it is not the same on every machine. Strips stay below.
    """
    rows, columns = weights.shape
    if not width:
        width = most
        while width % 2 == 0 and ROWS * rows * width > THREADED_PRODUCT:
            width //= 2
    return np.ascontiguousarray(weights.reshape(rows, columns // width, width).transpose(1, 0, 2))
