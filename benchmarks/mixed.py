"""Ten systems' logs, made long: every repetition of a sample has other digits in its values.

    python -m benchmarks.mixed FOLDER [REPETITIONS]

A parser that met equal lines again and again would profit from nothing but their being equal. Only digits behind the
header that `detect_header` finds are drawn anew, so stamps stay valid; one that begins a number is no 0 unless it was.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from benchmarks.rendered import DATA

from offscript.errors import InputError
from offscript.evaluate.loghub import find_systems, read_text
from offscript.parse.header import detect_header
from offscript.testing import session_steps

REPETITIONS: Final = 50  # of 2,000 lines: 100,000 a system, a million in all
ZERO: Final = ord("0")
NINE: Final = ord("9")


def samples(data: Path = DATA) -> tuple[dict[str, list[str]], str]:
    """Return the lines of each system's sample, and what they are, for people.

    Where there are no real logs, the messages of the scripted service stand in.
    """
    try:
        systems = [system for system in find_systems(data) if system.raw is not None]
    except InputError:
        chance = random.Random(0)
        steps = [step for _ in range(300) for step in session_steps(chance)][:2_000]
        lines = [f"2024-05-01 10:{n // 60 % 60:02}:{n % 60:02} INFO {step}" for n, step in enumerate(steps)]
        return {"service": lines}, "the scripted service: no real logs found (set OFFSCRIPT_DATA)"
    texts = {system.name: read_text(system.raw).splitlines() for system in systems if system.raw is not None}
    return texts, f"{len(texts)} systems of Loghub"


def repeat(lines: Sequence[str], repetitions: int, seed: int = 0) -> Iterator[bytes]:
    """Yield the lines that often, in pieces, each time with other digits behind the header."""
    header = detect_header(list(lines))
    near: float | None = None
    pieces, drawn = [], []
    for line in lines:
        fields = header.split(line, near)
        near = near if fields is None or fields.time is None else fields.time
        message = line if fields is None else fields.message
        begin = len(line[: line.rindex(message)].encode())
        pieces.append(line.encode() + b"\n")
        drawn.append(np.arange(len(pieces[-1])) >= begin)
    whole = np.frombuffer(b"".join(pieces), np.uint8)
    digit = (whole >= ZERO) & (whole <= NINE)
    places = np.flatnonzero(digit & np.concatenate(drawn))
    inner = digit[places - 1] & (places > 0)
    least = np.where(inner | (whole[places] == ZERO), 0, 1)
    draw = np.random.default_rng(seed)
    for _ in range(repetitions):
        copy = whole.copy()
        copy[places] = ZERO + draw.integers(least, 10)
        yield copy.tobytes()


def write(folder: Path, repetitions: int = REPETITIONS) -> tuple[list[Path], str]:
    """Write a file for each system; return the files, and what they are made of, for people."""
    systems, origin = samples()
    paths = []
    for name, lines in systems.items():
        paths.append(folder / f"{name}.log")
        with paths[-1].open("wb") as file:
            file.writelines(repeat(lines, repetitions))
    return paths, origin


if __name__ == "__main__":
    print(write(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else REPETITIONS)[1])
