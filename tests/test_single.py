"""Single messages: what the compiled lexer recalls is what the tokeniser finds, whatever came before."""

from __future__ import annotations

import csv
import gzip
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.strategies import logs, messages
from tests.test_lexer import real_messages, triggers

from offscript.parse import match, single
from offscript.parse.match import FrozenTemplate, Templates
from offscript.parse.spell import Spell
from offscript.parse.tokens import MAX_CACHED_TEXT, MAX_TOKENS

SOME = settings(max_examples=80, deadline=None)
IDS = ["blk_-12", "req-1", "alice", "7", "r24", "a b", ".x1", "", "user", "é1", "x..1"]


def learnt(log: list[str]) -> Templates:
    """Learn a log and give its settled table."""
    spell = Spell()
    for message in log:
        spell.learn(message)
    return spell.settle()[0]


def swift(templates: Templates) -> Templates:
    """The same table, matching by recall from its first message on."""
    same = Templates.from_dict(templates.to_dict())
    same._recall = single.Recall(same._ask)
    return same


def texts() -> st.SearchStrategy[str]:
    """Messages of all kinds, half surrogate pairs and white space of all kinds among them."""
    parts = st.sampled_from(
        ["user alice", "block blk_-12", "\ud800", "\0", "\n", "r24=7", "é1 x", "x..1", " \x1f\t", "."]
    )
    odd = st.lists(parts | messages(), max_size=4).map("".join)
    return messages() | triggers() | odd


@SOME
@given(logs(8), st.lists(st.tuples(texts(), st.lists(st.sampled_from(IDS), max_size=2).map(tuple)), max_size=8))
def test_recall_changes_nothing(log: list[str], new: list[tuple[str, tuple[str, ...]]]) -> None:
    """Any message with any session ids has the same match by recall, when it is met first and when it comes again."""
    plain = learnt([*log, *(message for message, _ in new[::2])])
    quick = swift(plain)
    for message, ids in new + new:
        assert quick.match(message, ids) == plain.match(message, ids)


@pytest.mark.parametrize("ending", ["", " x", " 7", "\n7", " \0", "é", "..", "'"])
def test_bounds(ending: str) -> None:
    """Messages about as long as what is recalled, or of as many tokens, have the same match."""
    made = ["7 a " * (MAX_TOKENS // 2 + more) + ending for more in (-1, 0, 1)]
    made += [f"open {'x' * (MAX_CACHED_TEXT - 6 + more)}7{ending}" for more in range(-3, 4)]
    made += ["7 " * 3 + ending, ending]
    plain = learnt(made)
    quick = swift(plain)
    for message in made + made:
        assert quick.match(message) == plain.match(message)


def test_values_that_depart_from_their_frames() -> None:
    """A value without its frame is shown whole, also when the skeleton is recalled."""
    plain = learnt([f"login on node-{n} by ssh2 from {n}" for n in range(4)])
    quick = swift(plain)
    for node in ("node-7", "node-", "rack-7", "node-<*>", "7"):
        for tool in ("ssh2", "ssh3"):
            message = f"login on {node} by {tool} from 9"
            assert [quick.match(message) for _ in range(3)] == [plain.match(message)] * 3
    assert quick.match("login on node-7 by ssh2 from 9").values == ("7", "9")
    assert quick.match("login on rack-7 by ssh2 from 9").values == ("rack-7", "9")


def test_runs_of_several_tokens() -> None:
    """A `<*>` that holds words, or nothing, has its text as it stood, spaces and odd characters included."""
    row = FrozenTemplate(1, ("user", "<*>", "in", "<*>"), "user <*> in <*>", 3, ("w?", "w?"))
    plain = Templates([row], {})
    quick = swift(plain)
    for message in ("user  big bøb 7  in", "user in", "user in a\tb", "user in 7 "):
        assert [quick.match(message) for _ in range(3)] == [plain.match(message)] * 3
    assert quick.match("user  big bøb 7  in").values == ("big bøb 7", "")


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """No more skeletons are remembered than the cap, and forgetting changes no answer."""
    monkeypatch.setattr(single, "MAX_REMEMBERED", 4)
    made = [f"{word} is {n}" for word in "abcdefghij" for n in (1, 2)]
    plain = learnt(made)
    quick = swift(plain)
    for message in made + made:
        assert quick.match(message) == plain.match(message)
    assert quick._recall is not None
    assert len(quick._recall._known) <= 4


def test_threads_share_no_room() -> None:
    """Threads that match by the same table at once do not see each other's messages."""
    templates = swift(learnt(["open 1 by 2", "close 3"]))
    made = [f"open {n} by {n}" for n in range(2_000)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(templates.match, made))
    assert [match.values for match in found] == [(str(n), str(n)) for n in range(2_000)]


@pytest.mark.parametrize("ready", [True, False])
def test_short_runs_load_nothing(monkeypatch: pytest.MonkeyPatch, ready: bool) -> None:
    """Recall begins after some thousand messages, and only where compiled code lies ready."""
    monkeypatch.setattr(match, "_is_ready", lambda: ready)
    templates = learnt(["open 1"])
    for _ in range(match.SHORT_RUN - 1):
        templates.match("open 2")
    assert templates._recall is None
    for _ in range(3):
        assert templates.match("open 2").values == ("2",)
    assert (templates._recall is not None) == ready


@pytest.mark.data
def test_real_messages(data_dir: Path) -> None:
    """Every message of the real logs has the same match, by the templates of its own log and by those of another."""
    samples = []
    for path in sorted((data_dir / "loghub2k").glob("*_2k.structured.csv.gz")):
        with gzip.open(path, "rt", encoding="utf-8", errors="replace", newline="") as rows:
            samples.append([row["Content"] for row in csv.DictReader(rows)])
    others = list(dict.fromkeys(real_messages(data_dir)))[::40]
    for sample in samples:
        plain = learnt(sample)
        quick = swift(plain)
        for message in sample + others:
            assert quick.match(message) == plain.match(message)
