"""Frames: what is constant in a value; equal in any order and in bulk; without a part in matching."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests import naive
from tests.strategies import FEW

from offscript.entries import WILDCARD
from offscript.parse.frames import LONGEST, NOTHING, frame_of, framed, is_frame, joined, likeness, unframed
from offscript.parse.match import Templates
from offscript.parse.spell import Spell
from offscript.parse.tokens import skeleton

NAMES = [
    "ssh2",
    "eth0",
    "node-7",
    "node-8",
    "node-D7",
    "core.12",
    "com.a.b1",
    "com.a.c2",
    "x_1",
    "HTTP/1.1",
    "7",
    "/a/1",
]
VALUES = st.sampled_from([*NAMES, "a-" * 31 + "b1", "a-" * 31 + "bc1", "a-" * 40 + "1", "é-1", "node-é1", "b-1é"])


def logs() -> st.SearchStrategy[list[str]]:
    """Messages of few statements whose values often have something in common."""
    statement = st.sampled_from(["via {} now", "user={} of {} left", "got {} {}", "at '{}' in {}"])
    return st.lists(st.builds(str.format, statement, VALUES, VALUES), max_size=25)


def texts(log: Sequence[str]) -> set[str]:
    """Learn a log and give the texts of its templates."""
    spell = Spell()
    for message in log:
        spell.learn(message)
    templates, _ = spell.settle()
    return {templates.template(key).text for key in templates._table}


@pytest.mark.parametrize(
    ("values", "frame"),
    [
        (["ssh2"] * 3, "ssh2"),
        (["ssh2"], "ssh2"),
        (["jk2_init"] * 3, "jk2_init"),
        (["jk2_init"] * 2, WILDCARD),
        (["BIOS-e820"] * 3, "BIOS-e820"),
        (["ssh2", "ssh2", "ssh3"], WILDCARD),
        (["eth0"], "eth0"),
        (["core.7", "core.8"], "core.<*>"),
        (["core.7"], "core.<*>"),
        (["HTTP/1.1"] * 3, "HTTP/<*>"),
        (["CPU#0"] * 3, "CPU#<*>"),
        (["com.apple.a1.b", "com.apple.c2"], "com.apple.<*>"),
        (["cp-1.some.net"] * 9, WILDCARD),
        (["blk_-12"] * 9, WILDCARD),
        (["job_1445144423722"] * 9, WILDCARD),
        (["v1"] * 9, WILDCARD),
        (["cafe12"] * 9, WILDCARD),
        (["10.0.0.1"] * 9, WILDCARD),
        (["false"] * 9, WILDCARD),
        (["/var/log/a1"] * 9, WILDCARD),
    ],
)
def test_what_is_constant(values: list[str], frame: str) -> None:
    """Short names that never vary and stems before a number are constant; data that happened not to vary is not."""
    assert texts([f"it came via {value} just now" for value in values]) == {f"it came via {frame} just now"}


def test_what_is_filled_in_is_no_name() -> None:
    """What stands after `=` or alone in quotes was filled in, though it never varied; its stem may be constant."""
    assert texts(["charset=utf8 of page"] * 5) == {"charset=<*> of page"}
    assert texts(["charset=UTF-8 of page"] * 5) == {"charset=UTF-<*> of page"}
    assert texts(["opened 'eth0' again"] * 5) == {"opened '<*>' again"}


def test_what_also_covers_words_or_nothing_has_no_name() -> None:
    """A `<*>` that held several tokens or none somewhere is more than one value."""
    assert texts(["kept 4 KB of ssh2 data", "kept 900 B of ssh2 data", "kept 1 MB of ssh2 data"]) == {
        "kept <*> of ssh2 data"
    }
    lists = [f"send it to {' '.join(['ssh2'] * size)} at once" for size in (1, 2, 3)]
    assert texts(lists) == {"send it to <*> at once"}


def test_no_session_in_a_template() -> None:
    """The identifier of a session is never taken for a constant, though only one session met the statement."""
    spell = Spell()
    for _ in range(5):
        spell.learn("retry of vm7 by eth1", ("vm7",))
    assert spell.settle()[0].template(1).text == "retry of <*> by eth1"


def test_departing_values_are_kept_whole() -> None:
    """A value that departs from its frame keeps the line's key, and stands whole at a `<*>` of its own."""
    spell = Spell()
    for port in range(3):
        spell.learn(f"from node-{port} port {port} ssh2")
    templates, _ = spell.settle()
    text = "from node-<*> port <*> ssh2"
    usual, odd = templates.match("from node-9 port 22 ssh2"), templates.match("from edge-9 port 22 ssh3")
    assert (usual.template, usual.values) == (text, ("9", "22"))
    assert (odd.template, odd.values) == ("from <*> port <*> <*>", ("edge-9", "22", "ssh3"))
    assert usual.key == odd.key
    assert odd.known
    assert templates.template(usual.key).text == text


@FEW
@given(st.lists(VALUES, min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_order_does_not_matter(values: list[str], random: object) -> None:
    """The likeness of values is the one that looking at all of them gives, joined in any order and in any parts."""
    shuffled = list(values)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    for order in (values, shuffled, values + shuffled):
        alike = likeness(order[0])
        for value in order[1:]:
            alike = joined(alike, likeness(value))
        assert alike == naive.likeness(values)
    halves = [naive.likeness(half) for half in (values[::2], values[1::2]) if half]
    assert joined(halves[0], halves[-1]) == naive.likeness(values)
    assert joined(NOTHING, halves[0]) == NOTHING


@FEW
@given(logs())
def test_adding_in_bulk_is_learning(log: list[str]) -> None:
    """Lines of known skeletons may be counted together with what their values have in common: nothing else changes."""
    whole, bulk = Spell(), Spell()
    more: dict[int, list[tuple[str, ...]]] = {}
    numbers: dict[tuple[str, ...], int] = {}
    for message in log:
        whole.learn(message)
        tokens, values = skeleton(message)
        if tokens in numbers:
            more.setdefault(numbers[tokens], []).append(values)
        else:
            numbers[tokens] = bulk.learn(message)
    for number, lines in more.items():
        columns = list(zip(*lines, strict=True))
        common = [(_start(column), _equal(column)) for column in columns]
        bulk.add(number, len(lines), common)
    assert bulk.settle()[0].to_dict() == whole.settle()[0].to_dict()


def _start(values: Sequence[str]) -> str:
    shortest = min(values, key=len)[:LONGEST]
    return max(
        (shortest[:n] for n in range(len(shortest) + 1) if all(v.startswith(shortest[:n]) for v in values)), key=len
    )


def _equal(values: Sequence[str]) -> str:
    return values[0] if len(set(values)) == 1 and len(values[0].encode()) <= LONGEST else ""


@FEW
@given(logs(), logs())
def test_frames_take_no_part_in_matching(log: list[str], new: list[str]) -> None:
    """Keys are those of the same table without frames, and frames with values are what the plain values were."""
    spell = Spell()
    for message in log:
        spell.learn(message)
    templates, _ = spell.settle()
    rows = [replace(row, frames=()) for row in templates._table.values()]
    plain = Templates(rows, templates._members)
    for message in log + new:
        found, bare = templates.match(message), plain.match(message)
        assert (found.key, found.known, found.nearest) == (bare.key, bare.known, bare.nearest)
        assert len(found.values) == found.template.count(WILDCARD)
        assert _filled(found.template, found.values) == _filled(bare.template, bare.values)


def _filled(template: str, values: Sequence[str]) -> str:
    left = list(values)
    return re.sub(re.escape(WILDCARD), lambda _: left.pop(0), template)


@FEW
@given(st.lists(VALUES, min_size=1, max_size=4), st.integers(1, 5))
def test_every_frame_is_one(values: list[str], lines: int) -> None:
    """What is made is also accepted when a model is loaded, and takes its own values apart and together again."""
    alike = naive.likeness(values)
    frame = frame_of(alike, lines)
    assert is_frame(frame)
    for value in values:
        frames, left = unframed([value], [frame])
        assert _filled(framed(WILDCARD, frames), left) == value


@pytest.mark.parametrize("text", ["", "a b", "<*><*>", "7<*>", "a<*>", "x" * 80, "ssh", "a.<*>b", "/<*>"])
def test_foreign_texts_are_no_frames(text: str) -> None:
    """A stored frame that could not have been made is refused."""
    assert not is_frame(text)
