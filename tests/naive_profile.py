"""The session profile the obvious way: one session, one vector, one symbol at a time. Slow; the truth for its tests."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

LEAST = math.log(2) * math.log(4 / 3)
Vector = tuple[int, ...]


def vector(session: Sequence[int], symbols: int) -> Vector:
    """Return how often each symbol comes."""
    counted = Counter(session)
    return tuple(counted[symbol] for symbol in range(symbols))


def gaps(one: Vector, other: Vector) -> list[float]:
    """Return the difference of log(1 + count) at each symbol."""
    return [abs(math.log1p(a) - math.log1p(b)) for a, b in zip(one, other, strict=True)]


def weights(normal: Sequence[Vector]) -> list[float]:
    """Return minus the logarithm of how often the nearest of distinct vectors differ, symbol by symbol."""
    symbols = len(normal[0])
    differ = [0.0] * symbols
    for one in normal:
        others = [other for other in normal if other != one]
        if not others:
            continue
        nearest = min(sum(gaps(one, other)) for other in others)
        near = [other for other in others if sum(gaps(one, other)) <= nearest + 1e-9]
        for symbol in range(symbols):
            differ[symbol] += sum(one[symbol] != other[symbol] for other in near) / len(near)
    return [max(math.log((len(normal) + 2) / (count + 1)), LEAST) for count in differ]


def distance(
    sessions: Sequence[Sequence[int]], judged: Sequence[int], symbols: int, told: Sequence[Sequence[int]] = ()
) -> float:
    """Return the distance of a session to the nearest of the normal ones, or of those that a person called normal.

    Where only lengths of loops set one of the latter apart, or three of them are set apart by the same, that is taken
    from a session that has the same, too: the rest may be near to a normal one.
    """
    normal = sorted({vector(session, symbols) for session in sessions})
    weight = weights(normal)

    def far(one: Vector, other: Vector) -> float:
        return sum(w * gap for w, gap in zip(weight, gaps(one, other), strict=True))

    def nearest_to(one: Vector) -> Vector:
        least = min(far(one, other) for other in normal)
        return min(other for other in normal if far(one, other) <= least + 1e-9)

    def apart(one: Vector) -> dict[int, int]:
        nearest = nearest_to(one)
        return {symbol: one[symbol] for symbol in range(symbols) if one[symbol] != nearest[symbol]}

    mine = vector(judged, symbols)
    found = min(far(mine, one) for one in normal)
    others = sorted({vector(session, symbols) for session in told})
    for one in others:
        found = min(found, far(mine, one))
        differs = apart(one)
        only_loops = all(min(one[symbol], nearest_to(one)[symbol]) > 0 for symbol in differs)
        sharing = [other for other in others if apart(other) == differs]
        has_it = all(mine[symbol] == count for symbol, count in differs.items())
        if has_it and (only_loops or len(sharing) >= 3):
            like = nearest_to(sharing[-1])
            rest = tuple(like[symbol] if symbol in differs else mine[symbol] for symbol in range(symbols))
            found = min(found, *(far(rest, other) for other in normal))
    return found
