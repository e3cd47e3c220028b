"""What tests need, ours and our users': lines from text, and a small scripted service whose log has sessions."""

from __future__ import annotations

import random
from collections.abc import Iterable
from datetime import UTC, datetime

from offscript.entries import Line

START_TIME = 1_714_557_600.0  # 2024-05-01 10:00:00 UTC: any fixed moment will do


def lines_of(texts: Iterable[str], source: str = "test.log") -> list[Line]:
    """Return the lines that a file with these texts would give, numbers and byte positions included (ours).

    >>> [line.offset for line in lines_of(["ab", "c"])]
    [0, 3]
    """
    lines, offset = [], 0
    for number, text in enumerate(texts, 1):
        lines.append(Line(text, source, number, offset))
        offset += len(text.encode("utf-8", "surrogatepass")) + 1
    return lines


def session_steps(chance: random.Random) -> list[str]:
    """Return the messages of one normal run of the scripted service: a branch, a loop and an optional step."""
    steps = [f"request accepted from 10.0.0.{chance.randint(2, 40)}", "user authenticated"]
    if chance.random() < 0.6:
        steps += [f"cache hit for item {chance.randint(1, 999)}"]
    else:
        steps += [f"cache miss for item {chance.randint(1, 999)}", f"query took {chance.randint(3, 30)} ms"]
    for _ in range(chance.randint(1, 4)):
        steps += [f"chunk {chance.randint(1, 9)} written"]
    if chance.random() < 0.2:
        steps += ["audit record stored"]
    return [*steps, "response sent with status 200", "connection closed"]


def service_log(
    sessions: int = 300, seed: int = 0, *, broken: Iterable[int] = (), start: float = START_TIME
) -> list[str]:
    """Return the log of a small service: interleaved sessions `[req-NNNNNN]`, one begun about every 0.4 s (ours).

    The sessions numbered in `broken` stop after their third line, each line of which is normal: only the missing end
    gives them away.

    >>> service_log(1)[0]
    '2024-05-01 10:00:00.000 INFO [req-100000] request accepted from 10.0.0.26'
    """
    chance = random.Random(seed)
    cut = set(broken)
    stamped: list[tuple[float, int, str]] = []
    for number in range(sessions):
        time = start + 0.4 * number
        steps = session_steps(chance)
        for step in steps[:3] if number in cut else steps:
            stamped.append((time, len(stamped), f"INFO [req-{100_000 + number}] {step}"))
            time += chance.uniform(0.01, 0.5)
    return [f"{_stamp(time)} {text}" for time, _, text in sorted(stamped)]


def _stamp(time: float) -> str:
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
