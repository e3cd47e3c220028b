"""Value vectors of machines, as the baselines and the controlled test see them: elapsed time first, then the numbers.

Keys and values are those of a fitted model, so that whatever is compared looks at the same vectors (CCS 2017 section
3.2; elapsed time is counted from the machine's own previous entry, ours).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from offscript.entries import Line
from offscript.evaluate.openstack_data import Machine
from offscript.model import Model
from offscript.parse.numbers import number_of
from offscript.parse.records import Reader


@dataclass(frozen=True, slots=True)
class Vector:
    """One entry: its line, key, the key before it (0 at the start), elapsed seconds (NaN there), and its values.

    `numbers` has NaN where a value is no number.
    """

    line: Line
    key: int
    before: int
    elapsed: float
    values: tuple[str, ...]
    numbers: tuple[float, ...]


def vectors_of(model: Model, machines: Iterable[Machine]) -> list[list[Vector]]:
    """Return the vectors of each machine, in the order of its lines."""
    reader = Reader(model.header, model.session_key, model.templates)
    return [_vectors(reader, machine.lines) for machine in machines]


def _vectors(reader: Reader, lines: Sequence[Line]) -> list[Vector]:
    found: list[Vector] = []
    last, before = math.nan, 0
    for line in lines:
        read = reader.entry(line)
        if read is None:
            continue
        entry, _ = read
        now = entry.time if entry.time is not None else math.nan
        read_numbers = map(number_of, entry.values)
        numbers = tuple(math.nan if number is None else number.value for number in read_numbers)
        found.append(Vector(line, entry.key, before, now - last, entry.values, numbers))
        last, before = now, entry.key
    return found
