"""Value vectors of machines, as the baselines and the controlled test see them: elapsed time first, then the numbers.

Keys and values are those of a fitted model, so that whatever is compared looks at the same vectors (CCS 2017 section
3.2; elapsed time is counted from the machine's own previous entry, ours).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from offscript.entries import Line
from offscript.evaluate.openstack_data import Machine
from offscript.model import Model
from offscript.parse.records import Reader

_NUMBER: Final = re.compile(r"-?\d+(?:\.\d+)?")


@dataclass(frozen=True, slots=True)
class Vector:
    """One entry: its line, key, the key before it (0 at the start), elapsed seconds (NaN there), and its values.

    `numbers` has NaN where a value is no plain decimal number.
    """

    line: Line
    key: int
    before: int
    elapsed: float
    values: tuple[str, ...]
    numbers: tuple[float, ...]


def number_of(value: str) -> float:
    """Return a plain decimal number, NaN for anything else.

    >>> number_of("512.00"), number_of("1e5"), number_of("b9000564")
    (512.0, nan, nan)
    """
    return float(value) if len(value) <= 15 and _NUMBER.fullmatch(value) else math.nan


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
        numbers = tuple(number_of(value) for value in entry.values)
        found.append(Vector(line, entry.key, before, now - last, entry.values, numbers))
        last, before = now, entry.key
    return found
