"""How much is compared while one task is mined: some of its runs, and no more than the work allows (ours)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from offscript.workflow.seen import Run, Runs

DRAFTED = 100
"""Sessions by which unsure cuts are compared at first: what one in twenty has is among them but for one time in 170."""


def sample(runs: Runs, most: int = DRAFTED) -> Counter[Run]:
    """Return so many runs, evenly from the commonest to the rarest; all of them where they are no more.

    The commonest alone would be the short ones: of a loop those that come round once.

    >>> sample({(1,): 6, (1, 1): 3, (1, 1, 1): 1}, 2)
    Counter({(1,): 1, (1, 1): 1})
    """
    ranked = sorted(runs.items(), key=lambda one: (-one[1], one[0]))
    if len(ranked) <= most:
        return Counter(runs)
    total = sum(runs.values())
    found: Counter[Run] = Counter()
    passed = taken = 0
    for run, count in ranked:
        passed += count
        here = (2 * most * passed + total) // (2 * total) - taken
        if here:
            found[run] = here
            taken += here
    return found


MOST_COMPARED = 250_000
"""Entries described, once for each unsure way, in all of one task: twice what the sessions of HDFS need, and half a
minute of work where runs have no order at all and every way is as bad as the next."""


@dataclass(slots=True)
class Room:
    """What is left of the work that one task may make: each comparison takes half of it at most."""

    left: int = MOST_COMPARED

    def of(self, runs: Counter[Run], ways: int) -> Counter[Run]:
        """Take the commonest runs by which so many ways can still be compared; none when the room is used up.

        >>> Room(100).of(Counter({(1, 2): 9, (2, 1): 8, (2,) * 50: 1}), 10)
        Counter({(1, 2): 9, (2, 1): 8})
        """
        taken: Counter[Run] = Counter()
        most = self.left // 2
        for run, count in runs.most_common():
            if len(run) * ways > most:
                break
            most -= len(run) * ways
            self.left -= len(run) * ways
            taken[run] = count
        return taken
