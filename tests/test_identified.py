"""Streams whose entries name their run: tasks that take turns are told apart, and every entry keeps its place."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.naive_tasks import owners_of

from offscript.errors import InputError
from offscript.parse.candidates import A_PLACE
from offscript.workflow.identified import in_drawn_order
from offscript.workflow.tasks import Separation, by_co_occurrence, by_probability, counted

NAMES = st.lists(st.sampled_from([None, "a", "b", "c", "d", "e"]), max_size=40)


def _first(keys: Sequence[int]) -> Separation:
    return by_probability(keys, counted(keys))


METHODS = pytest.mark.parametrize("method", [_first, by_co_occurrence], ids=["probability", "co-occurrence"])


def _machines(count: int) -> tuple[list[int], list[str | None]]:
    """A machine is created, 1 2 8 3, deleted, 4 5 9 6, and followed by the next; 8 names a thread, 9 nothing."""
    keys, names = [], list[str | None]()
    for number in range(count):
        keys += [1, 2, 8, 3, 4, 5, 9, 6]
        names += [f"c{number}"] * 2 + ["thread", f"c{number}"] + [f"d{number}"] * 2 + [None, f"d{number}"]
    return keys, names


@METHODS
def test_tasks_that_take_turns_are_told_apart(method: Callable[[Sequence[int]], Separation]) -> None:
    """What no order tells apart is two tasks once entries name their run; what names none goes where it stands."""
    keys, names = _machines(100)
    drawn = in_drawn_order(keys, names)
    found = drawn.in_place(method(drawn.keys))

    assert [task.keys for task in method(keys).tasks] == [{1, 2, 3, 4, 5, 6, 8, 9}]
    assert [task.keys for task in found.tasks] == [{1, 2, 3, 8}, {4, 5, 6, 9}]
    assert [run.positions for run in found.runs[:3]] == [(0, 1, 2, 3), (4, 5, 6, 7), (8, 9, 10, 11)]
    assert all(run.is_complete for run in found.runs)


@METHODS
def test_runs_at_work_at_once_are_told_apart(method: Callable[[Sequence[int]], Separation]) -> None:
    """Two runs at a time, one task always started within the other: names give every entry its run."""
    chance = random.Random(1)
    keys, names = [], list[str | None]()
    for number in range(100):
        waiting = [
            [(key, f"{task}{number}") for key in range(first, first + 4)] for task, first in (("a", 1), ("b", 5))
        ]
        while any(waiting):
            key, name = chance.choice([some for some in waiting if some]).pop(0)
            keys.append(key)
            names.append(name)
    drawn = in_drawn_order(keys, names)
    found = drawn.in_place(method(drawn.keys))

    assert [task.keys for task in found.tasks] == [{1, 2, 3, 4}, {5, 6, 7, 8}]
    owners = {(name, run.task, run.instance) for name, run in zip(names, found.owners, strict=True) if run}
    assert len(owners) == len(set(names)) == len(found.runs)


@given(NAMES)
def test_entries_go_to_runs_as_defined(names: list[str | None]) -> None:
    """The order drawn has the entries of each run together, as the slow definition gives them, in time order."""
    drawn = in_drawn_order(range(len(names)), names)
    owners = owners_of(names, A_PLACE)
    met = [owners[place] for place in drawn.places]
    runs = [run for n, run in enumerate(met) if n == 0 or met[n - 1] != run]

    assert sorted(drawn.places) == list(range(len(names)))
    assert drawn.keys == drawn.places
    assert len(runs) == len(set(owners))
    assert all(
        one < other for one, other in zip(drawn.places, drawn.places[1:], strict=False) if owners[one] == owners[other]
    )


@given(NAMES.filter(bool))
def test_the_ends_stay_where_they_are(names: list[str | None]) -> None:
    """A run cut off by an end of the stream is at that end in the drawn order: the first begun, and the last begun."""
    drawn = in_drawn_order(range(len(names)), names)
    owners = owners_of(names, A_PLACE)

    assert owners[drawn.places[0]] == owners[0]
    assert owners[drawn.places[-1]] == max(owners, key=owners.index)


def test_without_names_nothing_moves() -> None:
    """A stream whose entries name nothing, or only a place, is as it was."""
    assert in_drawn_order([3, 1, 2], [None, None, None]).keys == (3, 1, 2)
    assert in_drawn_order([3, 1, 2], ["nova", "nova", "nova"]).keys == (3, 1, 2)
    assert in_drawn_order([], []).keys == ()


def test_a_name_for_each_key_is_asked_for() -> None:
    """Names that are not beside the keys are refused with the remedy."""
    with pytest.raises(InputError, match="2 keys and 1 names"):
        in_drawn_order([1, 2], ["a"])
