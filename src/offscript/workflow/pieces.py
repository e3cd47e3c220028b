"""Runs taken to pieces: without a key, between the occurrences of one, in rounds of a loop (ours)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import TypeAlias

from offscript.workflow.seen import Run, Runs, noise

Cutter: TypeAlias = Callable[[Run], list[Run]]
"""Cuts a run into pieces."""

AT_ONCE = 2
"""Equal keys in a row that are kept while cutting: to be repeated is all a cut can see."""

OFTEN_AGAIN = 2
"""How often at most a loop comes again for each time it ends: three rounds in the mean."""

LONG = 150
"""Entries above which a run is not held against others: what is one mistake away takes the square of that, 180 MiB for
a thousand such runs; the longest of the random systems has 144."""


def shortened(runs: Runs) -> Counter[Run]:
    """Return the runs with no key more than AT_ONCE times in a row.

    >>> shortened({(1, 1, 1, 2): 3})
    Counter({(1, 1, 2): 3})
    """
    return counted((_shortened(run), count) for run, count in runs.items())


def _shortened(run: Run) -> Run:
    short: list[int] = []
    one = other = None  # the last AT_ONCE keys
    for key in run:
        if not one == other == key:
            short.append(key)
        one, other = other, key
    return tuple(short)


def counted(runs: Iterable[tuple[Run, int]]) -> Counter[Run]:
    """Return distinct runs with their counts, of some that may be equal.

    >>> counted([((1,), 2), ((1,), 3)])
    Counter({(1,): 5})
    """
    found: dict[Run, int] = {}
    for run, count in runs:
        found[run] = found.get(run, 0) + count
    return Counter(found)


def without(runs: Runs, key: int) -> Counter[Run]:
    """Return the runs without a key.

    >>> without({(1, 2, 1): 3}, 1)
    Counter({(2,): 3})
    """
    return counted((tuple([other for other in run if other != key]), count) for run, count in runs.items())


def only(runs: Runs, key: int) -> Counter[Run]:
    """Return of each run the occurrences of a key.

    >>> only({(1, 2, 1): 3}, 1)
    Counter({(1, 1): 3})
    """
    return counted(((key,) * run.count(key), count) for run, count in runs.items())


def cut_up(runs: Runs, cutter: Cutter) -> Counter[Run]:
    """Return the pieces of all runs.

    >>> cut_up({(1, 2, 1): 3}, cut_at_repeats)
    Counter({(1, 2): 3, (1,): 3})
    """
    return counted((piece, count) for run, count in runs.items() for piece in cutter(run))


def cut_out(run: Run, key: int) -> list[Run]:
    """Return the pieces between the occurrences of a key.

    >>> cut_out((1, 2, 3, 2), 2)
    [(1,), (3,), ()]
    """
    places = [place for place, other in enumerate(run) if other == key]
    return [
        run[begin:end] for begin, end in zip([0, *(place + 1 for place in places)], [*places, len(run)], strict=True)
    ]


def cut_evenly(run: Run, even: int) -> list[Run]:
    """Return pieces of as many keys each.

    >>> cut_evenly((1, 2, 3, 4), 2)
    [(1, 2), (3, 4)]
    """
    return _pieces(run, list(range(even, len(run), even)))


def cut_between(run: Run, ends: frozenset[int], starts: frozenset[int]) -> list[Run]:
    """Return the pieces between which a key that ends rounds meets one that starts them.

    >>> cut_between((1, 2, 1, 3), frozenset({2, 3}), frozenset({1}))
    [(1, 2), (1, 3)]
    """
    return _pieces(run, [place for place in range(1, len(run)) if run[place - 1] in ends and run[place] in starts])


def cut_at_repeats(run: Run) -> list[Run]:
    """Return pieces with no key twice, each as long as can be.

    >>> cut_at_repeats((1, 2, 1, 3))
    [(1, 2), (1, 3)]
    """
    met: set[int] = set()
    places = []
    for place, key in enumerate(run):
        if key in met:
            places.append(place)
            met = set()
        met.add(key)
    return _pieces(run, places)


def plausible(runs: Runs, rare: float) -> Counter[Run]:
    """Return the runs but those that mistakes in others explain: one entry more, less, or changed with the next.

    Such a run comes no more often than the share `rare` of all commoner runs that are one mistake away. Runs of more
    than LONG entries are kept.

    >>> plausible({(1, 2): 97, (2, 1): 1, (1,): 1, (3,): 1}, 0.03)
    Counter({(1, 2): 97, (3,): 1})
    """
    if len(set(runs.values())) < 2:  # none is commoner
        return Counter(runs)
    commoner = _commoner(runs)
    return Counter({run: count for run, count in runs.items() if count > noise(rare, commoner.get(run, 0))})


def _commoner(runs: Runs) -> dict[Run, int]:
    """How often all commoner runs that are one mistake away come, for the runs that have such."""
    letters = {key: chr(place) for place, key in enumerate(frozenset[int]().union(*runs))}
    words = {"".join(map(letters.__getitem__, run)): run for run in runs if len(run) <= LONG}  # as text, cut faster
    counts = {word: runs[run] for word, run in words.items()}
    least = min(runs.values())
    lengths = set(map(len, words))
    common = {len(word) for word, count in counts.items() if count > least}
    found: Counter[Run] = Counter()
    for word, count in counts.items():
        if len(word) - 1 in (lengths if count > least else common):
            for near in _shorter(word):
                other = counts.get(near, count)
                if other != count:
                    found[words[near] if other < count else words[word]] += max(count, other)
        if count > least:
            for near in _swapped(word):
                if counts.get(near, count) < count:
                    found[words[near]] += count
    return found


def _shorter(word: str) -> list[str]:
    """Each word with a letter less, once."""
    return [
        word[:place] + word[place + 1 :] for place in range(len(word)) if not place or word[place] != word[place - 1]
    ]


def _swapped(word: str) -> list[str]:
    """Each word with two neighbours changed."""
    return [word[:place] + word[place + 1] + word[place] + word[place + 2 :] for place in range(len(word) - 1)]


def single_rounds(runs: Runs) -> Counter[Run]:
    """Return the runs that are one round: no key twice, and not two of them, as often as chance puts such together.

    >>> single_rounds({(1, 2): 60, (2, 1): 60, (3,): 120, (1, 2, 3): 15, (3, 3): 30})
    Counter({(3,): 120, (1, 2): 60, (2, 1): 60})
    """
    once = {run: count for run, count in runs.items() if run and len(set(run)) == len(run)}
    total = sum(runs.values())
    found: Counter[Run] = Counter()
    for run, count in once.items():
        two = sum(once.get(run[:place], 0) * once.get(run[place:], 0) for place in range(1, len(run)))
        if count > noise(OFTEN_AGAIN, two / total):
            found[run] = count
    return found


def companions(runs: Runs, rare: float) -> list[list[int]]:
    """Return the groups of keys that come equally often in each run, but for the share `rare` of those with either.

    >>> companions({(1, 2, 3): 5, (2, 1): 5}, 0)
    [[1, 2]]
    """
    counts = [(Counter(run), count) for run, count in runs.items()]
    groups: list[list[int]] = []
    for key in sorted({key for times, _ in counts for key in times}):
        for group in groups:
            having = sum(count for times, count in counts if times[key] or times[group[0]])
            uneven = sum(count for times, count in counts if times[key] != times[group[0]])
            if uneven <= noise(rare, having):
                group.append(key)
                break
        else:
            groups.append([key])
    return [group for group in groups if len(group) > 1]


def cut_when_even(run: Run, companions: list[list[int]]) -> list[Run]:
    """Return pieces that end where all companions have come equally often.

    >>> cut_when_even((3, 1, 2, 2, 1), [[1, 2]])
    [(3,), (1, 2), (2, 1)]
    """
    met: Counter[int] = Counter()
    places = []
    for place, key in enumerate(run[:-1]):
        met[key] += 1
        if all(met[group[0]] == met[other] for group in companions for other in group):
            places.append(place + 1)
    return _pieces(run, places)


def _pieces(run: Run, places: list[int]) -> list[Run]:
    return [run[begin:end] for begin, end in zip([0, *places], [*places, len(run)], strict=True)]
