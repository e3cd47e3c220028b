"""From sessions to trees."""

from __future__ import annotations

import random
from collections import Counter

from hypothesis import example, given
from hypothesis import strategies as st
from tests.naive_workflow import runs, trees
from tests.strategies import FEW

from offscript.workflow.length import described
from offscript.workflow.mine import Miner, mine
from offscript.workflow.play import accepts, play
from offscript.workflow.room import Room
from offscript.workflow.tidy import tidy, tidy_top
from offscript.workflow.tree import Tree, choice, loop, parallel, sequence, skip, step

TASKS = {
    "creation and deletion": choice(
        sequence(step(1), parallel(step(2), sequence(step(3), step(4))), step(5)), sequence(step(6), step(7))
    ),
    "a step left out": sequence(step(1), choice(step(2), skip()), step(3)),
    "rounds": sequence(step(1), loop(sequence(step(2), step(3)), step(4)), step(5)),
    "rounds of parallel steps": sequence(step(1), loop(parallel(step(2), step(3)), skip()), step(4)),
    "rounds beside steps": parallel(sequence(step(1), step(2)), loop(step(3), skip())),
    "rounds of one step or two": sequence(step(1), loop(choice(step(2), parallel(step(3), step(4))), skip()), step(5)),
    "rounds of a step or none": sequence(step(1), loop(choice(step(2), skip()), step(3)), step(4)),
    "rounds beside rounds": parallel(loop(choice(step(1), step(2)), step(3)), loop(sequence(step(4), step(5)), skip())),
    "a shared beginning": sequence(step(1), step(2), choice(sequence(step(3), step(4)), step(5))),
}


def played(tree: Tree, number: int, seed: int = 0) -> Counter[tuple[int, ...]]:
    """Return runs of a tree with their counts."""
    chance = random.Random(seed)
    return Counter(play(tree, chance) for _ in range(number))


@FEW
@example({(1, 2, 1): 1, (2, 1, 1, 1): 1})
@given(st.dictionaries(st.lists(st.integers(1, 4), max_size=6).map(tuple), st.integers(1, 5), min_size=1, max_size=6))
def test_without_a_share_for_noise_every_session_is_on_the_tree(sessions: dict[tuple[int, ...], int]) -> None:
    """Where nothing is taken for noise, the tree accepts every session it was mined from, whatever they are."""
    tree = Miner(0.0).tree(sessions)
    assert all(accepts(tree, session) for session in sessions)


@FEW
@given(trees())
def test_tidying_changes_no_run(tree: Tree) -> None:
    """A tree said with fewer parts has the same runs, and cannot be said with fewer again."""
    found = tidy(tree)
    assert runs(found, 5) == runs(tree, 5)
    assert tidy(found) == tidy_top(found) == found


def test_tasks_are_found_again() -> None:
    """From 300 runs of a task comes a tree with just the runs of the task."""
    for name, task in TASKS.items():
        mined = mine(played(task, 300))
        assert runs(mined, 8) == runs(task, 8), (name, str(mined))


def test_one_mistake_in_twenty_sessions_changes_no_task() -> None:
    """Where a step is lost, doubled or swapped in 5% of the sessions, the tree is the same as without."""
    chance = random.Random(3)
    for name, task in TASKS.items():
        sessions: Counter[tuple[int, ...]] = Counter()
        for session, count in played(task, 600).items():
            for _ in range(count):
                sessions[mistaken(session, chance) if chance.random() < 0.05 else session] += 1
        assert runs(mine(sessions), 8) == runs(task, 8), (name, str(mine(sessions)))


def mistaken(session: tuple[int, ...], chance: random.Random) -> tuple[int, ...]:
    """Lose, double or swap one step at random."""
    place = chance.randrange(len(session))
    before, here, after = session[:place], session[place : place + 1], session[place + 1 :]
    return chance.choice([before + after, before + here + here + after, before + after[:1] + here + after[1:]])


def test_kinds_of_sessions_that_share_keys_are_branches() -> None:
    """Clients that log in, open and close transactions alike are one choice among clients."""
    clients = [
        sequence(step(3), loop(sequence(step(4), step(5)), skip()), step(6)),  # begins with 3, commits with 6
        sequence(step(3), step(10), step(11), loop(step(12), skip()), step(13), step(6)),
        sequence(step(15), step(16), step(17), step(3), step(18), step(19), choice(step(6), step(7))),
        sequence(step(20), step(21), loop(sequence(step(4), step(22)), skip()), step(23)),
    ]
    task = sequence(step(1), step(2), choice(*clients), step(8))
    mined = mine(played(task, 600))
    fresh = played(task, 300, seed=1)
    assert all(accepts(mined, session) for session in fresh)
    assert all(accepts(task, session) for session in played(mined, 300)), str(mined)


def test_the_true_task_is_described_shorter_than_looser_and_tighter_trees() -> None:
    """The criterion prefers the task to a flower of its keys, and to a tree with only its commonest run."""
    task = TASKS["creation and deletion"]
    sessions = played(task, 300)
    flower = loop(choice(*map(step, range(1, 8))), skip())
    commonest = sequence(*map(step, sessions.most_common(1)[0][0]))
    assert described(task, sessions) < min(described(flower, sessions), described(commonest, sessions))


def test_nothing_at_all_is_a_skip() -> None:
    """Sessions without entries give a tree of nothing."""
    assert mine({(): 3}) == skip()


def test_sessions_without_any_order_take_bounded_work() -> None:
    """However many ways are as bad as the next, what is compared stays within the room of a task, and a tree comes."""
    chance = random.Random(1)
    runs = Counter(tuple(chance.randrange(1, 7) for _ in range(8)) for _ in range(20))
    room = Room(2_000)
    tree = Miner(0.0, 2, room).tree(runs)
    assert 0 <= room.left < 2_000
    assert all(accepts(tree, run) for run in runs)
    assert Room(0).of(runs, 3) == Counter()
    assert mine(runs) == mine(runs)


def test_a_seldom_way_is_kept_where_there_is_no_noise() -> None:
    """One session in twenty passes over a choice: its step is optional, and no session is off the tree."""
    branches = choice(step(1), step(2), step(3), choice(step(4), step(5), step(6), step(7), skip()))
    task = sequence(branches, parallel(step(8), step(9)), step(10))
    sessions = played(task, 1000)
    mined = mine(sessions)
    assert all(accepts(mined, session) for session in sessions)
    assert runs(mined, 8) == runs(task, 8), str(mined)


def test_one_mistake_in_twenty_is_not_taken_into_a_short_task() -> None:
    """In a task of four steps the same swap comes ten times in a thousand sessions, and is a mistake all the same."""
    task = sequence(*map(step, range(1, 5)))
    chance = random.Random(5)
    noisy = Counter(mistaken((1, 2, 3, 4), chance) if chance.random() < 0.05 else (1, 2, 3, 4) for _ in range(1000))
    assert mine(noisy) == task


def test_rounds_of_parallel_steps_beside_steps_are_seen_in_sessions_that_come_round_once() -> None:
    """A loop around parallel steps is none around each of them, also with a choice in a round and steps beside it."""
    tasks = [
        parallel(step(1), step(2), loop(parallel(step(3), step(4), step(5)), skip())),
        sequence(step(1), loop(parallel(step(2), choice(step(3), step(4), skip()), step(5)), skip()), step(6)),
    ]
    for task in tasks:
        mined = mine(played(task, 600))
        fresh = played(task, 300, seed=1)
        assert all(accepts(mined, session) for session in fresh), str(mined)
        assert all(accepts(task, session) for session in played(mined, 300)), str(mined)
