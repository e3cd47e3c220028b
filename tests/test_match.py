"""Templates: a pure table, equal to trying every template, stored as plain JSON."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests import naive
from tests.strategies import FEW, logs, messages

from offscript.entries import WILDCARD
from offscript.errors import ModelError
from offscript.parse.match import FrozenTemplate, Templates
from offscript.parse.spell import Spell
from offscript.parse.tokens import skeleton


def learnt(log: list[str]) -> Templates:
    """Learn a log and give its settled table."""
    spell = Spell()
    for message in log:
        spell.learn(message)
    return spell.settle()[0]


@FEW
@given(logs(), st.lists(messages(), max_size=8))
def test_match_equals_naive(log: list[str], new: list[str]) -> None:
    """The key is the one that trying every template gives, and unknown where none fits."""
    templates = learnt(log)
    for message in new:
        tokens, _ = skeleton(message)
        match = templates.match(message)
        expected = naive.match(list(templates._table.values()), templates._members, tokens, 0.5)
        assert match.known == (expected is not None)
        assert match.key == expected if match.known else match.key < 0


@FEW
@given(logs(), st.lists(messages(), max_size=8))
def test_matching_never_learns(log: list[str], new: list[str]) -> None:
    """The answer to a message does not depend on what was matched before."""
    templates = learnt(log)
    before = templates.to_dict()
    fresh = Templates.from_dict(before)
    first = [templates.match(message) for message in new]
    assert [templates.match(message) for message in reversed(new)] == first[::-1]
    assert [fresh.match(message) for message in reversed(new)] == first[::-1]
    assert templates.to_dict() == before


@FEW
@given(logs())
def test_storing_changes_nothing(log: list[str]) -> None:
    """What was stored as JSON and loaded is the same table, odd Unicode included."""
    templates = learnt(log)
    stored = json.loads(json.dumps(templates.to_dict()))
    loaded = Templates.from_dict(stored)
    assert loaded.to_dict() == templates.to_dict()
    assert [loaded.match(message) for message in log] == [templates.match(message) for message in log]


def test_typed_places_refuse_words() -> None:
    """A place that only ever held numbers does not take a word; one that held words does."""
    templates = learnt([f"session {n} closed by {who}" for n, who in enumerate(["ann", "bob", "cyd", "dan"])])
    assert templates.match("session 77 closed by zoe").known
    odd = templates.match("session nobody closed by zoe")
    assert not odd.known
    assert odd.nearest == templates.keys()[0]


def test_unknown_messages_are_grouped() -> None:
    """Equal unknown skeletons have one negative key, in every process alike, and say their nearest template."""
    templates = learnt(["session 1 opened", "block 7 removed"])
    one, two = templates.match("session 3 went astray"), templates.match("session 4 went astray")
    assert one.key == two.key == -487103059015970130
    assert (one.values, two.values) == (("3",), ("4",))
    assert templates.match("entirely something else").nearest is None
    assert templates.match("session 3 astray").nearest == templates.match("session 1 opened").key


def test_most_words_win() -> None:
    """Of several templates that fit, the one with most words is taken, then the smaller, then the older."""
    rows = [
        FrozenTemplate(1, ("a", "<*>", "c"), "a <*> c", 1, ("w",)),
        FrozenTemplate(2, ("a", "b", "<*>", "c"), "a b <*> c", 1, ("w",)),
        FrozenTemplate(3, ("a", "b", "<*>", "c", "<*>"), "a b <*> c <*>", 1, ("w", "w?")),
    ]
    templates = Templates(rows, {})
    assert templates.match("a b x c").key == 2
    assert templates.match("a x c").key == 1
    assert not templates.match("a x y z u v c").known


@pytest.mark.parametrize(
    "damage",
    [
        lambda body: body.update(tau=2),
        lambda body: body.update(tau="0.5"),
        lambda body: body.pop("templates"),
        lambda body: body.update(templates={}),
        lambda body: body["templates"].append(3),
        lambda body: body["templates"].append(body["templates"][0]),
        lambda body: body["templates"][0].update(key=0),
        lambda body: body["templates"][0].update(key=True),
        lambda body: body["templates"][0].update(count=-1),
        lambda body: body["templates"][0].update(text=None),
        lambda body: body["templates"][0].update(kinds=[]),
        lambda body: body["templates"][0].update(kinds=["x"]),
        lambda body: body["templates"][0].update(frames=["two words"]),
        lambda body: body["templates"][0].update(frames=["<*>", "<*>"]),
        lambda body: body["templates"][0].update(frames=[7]),
        lambda body: body["templates"][0].pop("frames"),
        lambda body: body["templates"][0].update(tokens=["a"] * 10_000),
        lambda body: body["templates"][0].update(tokens=[1]),
        lambda body: body.update(skeletons=[[99, ["a"]]]),
        lambda body: body.update(skeletons=[["a"]]),
        lambda body: body.update(skeletons=[[1, ["a"], 3]]),
    ],
)
def test_damaged_tables_are_refused(damage: Callable[[dict[str, Any]], Any]) -> None:
    """A stored table of the wrong shape, type or size is refused by one clear error."""
    body = copy.deepcopy(learnt(["port 22 open", "all is well"]).to_dict())
    damage(body)
    with pytest.raises(ModelError, match="fit the model again"):
        Templates.from_dict(body)


@pytest.mark.parametrize("stored", [None, [], "x", 3])
def test_foreign_tables_are_refused(stored: object) -> None:
    """What is no table at all is refused too."""
    with pytest.raises(ModelError):
        Templates.from_dict(stored)


def test_hostile_text_is_kept_raw() -> None:
    """Markup and escapes are kept as they stood; making them safe is for whoever shows them."""
    match = learnt(["ok"]).match("[bold]x[/bold] \x1b[31m <script>")
    assert "<" in match.template
    assert "script" in match.template


@FEW
@given(logs())
def test_there_is_one_value_for_each_wildcard(log: list[str]) -> None:
    """A template without `<*>` has no value, and every other as many as it has `<*>`."""
    spell = Spell()
    for message in log:
        spell.learn(message)
    templates, _ = spell.settle()
    for message in log:
        match = templates.match(message)
        if WILDCARD not in message and templates.template(match.key).count:
            assert len(match.values) == match.template.count(WILDCARD)
