"""Tokens: typed values, lists, round trips, hostile text."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.strategies import FEW, messages

from offscript.entries import WILDCARD
from offscript.parse.tokens import MAX_CACHED, MAX_TOKENS, Tokeniser, render, skeleton, texts_of


def text(message: str, *ids: str) -> str:
    """Render the skeleton of a message as template text."""
    surface, _ = Tokeniser().read(message, ids)
    return render(surface.tokens, surface.spaces)


def squeezed(message: str) -> str:
    """Take all white space out; control characters count as white space."""
    return re.sub(r"[\x00-\x20]", "", message)


@pytest.mark.parametrize(
    ("message", "template"),
    [
        ("Receiving block blk_-1 src: /10.0.0.1:80 dest: /10.0.0.2:81", "Receiving block <*> src: <*> dest: <*>"),
        ("[req-1 - - - - -] x", "[<*>] x"),
        ("[-] x", "[<*>] x"),
        ("speeds ( 3552 3534 **** 3515 )", "speeds ( <*> )"),
        ("failed for (1, 2, 3) of [4]", "failed for (<*>) of [<*>]"),
        ("New chip FF:F2:9F:16:BF:6C ip=10.5.0.46 v=13", "New chip <*> ip=<*> v=<*>"),
        ("up ff:ff:ff:ff:ff:ff at fe80::c6b3:1ff:feef", "up <*> at <*>"),
        ("Foo::add abc::def a:b", "Foo::add abc::def a:b"),
        ("illegal instruction......0", "illegal instruction......<*>"),
        ("mail root@localhost, key deadbeef and feed", "mail <*>, key <*> and feed"),
        ("GET /index.html?user=x&a=b HTTP", "GET <*> HTTP"),
        ("read and/or write", "read and/or write"),
        ("connection at Sat Jun 18 01:02:03 2005 closed", "connection at <*> closed"),
        ("May fail, Marked, on Sunday", "May fail, Marked, on Sunday"),
        ("password=<masked> of <*>", "password=<*> of <*>"),
        ("can't open 'foo' at 12.", "can't open 'foo' at <*>."),
        ("a - b", "a - b"),
        ("Created an instance - code 7 - failed", "Created an instance - code <*> - failed"),
        ("took 0.5 ms, 12 left", "took <*> ms, <*> left"),
        ("subcommands 1 2 3 4 5 6 7 8 9 gone", "subcommands <*> gone"),
        ("at 1 2 3 4 5 6 7 8 gone", "at <*> <*> <*> <*> <*> <*> <*> <*> gone"),
        ("order: 7, 65536 bytes", "order: <*>, <*> bytes"),
        ("Input split: hdfs://node:9000/x+1 of https://a.b/c?d=e=1.", "Input split: <*> of <*>"),
        ("r24=0x1 psr0=2, job_7_1204=3 host-1=4 i1==2", "r24=<*> psr0=<*>, <*>=<*> <*>=<*> <*>==<*>"),
        ("is true. {a: false, b:null} <nil> (NULL key)", "is <*>. {a: <*>, b:<*>} <<*>> (<*> key)"),
        ("None of it, truly, untrue, trueish-x False, None", "None of it, truly, untrue, trueish-x <*>, <*>"),
        ('1.2.3.4 "GET /x?y=1 HTTP/1.1" 200 77 "-"', '<*> "GET <*>" <*> <*> "-"'),
        ('"3 4" is "5 words" or 6 7 "x"', '"<*>" is "<*> words" or <*> <*> "x"'),
    ],
)
def test_types(message: str, template: str) -> None:
    """A value is known by its own look, and template text reads as the print statement did."""
    assert text(message) == template


def test_absent_values_share_a_skeleton() -> None:
    """Lists in brackets have one skeleton whatever their length and whatever is absent from them."""
    forms = ["[-]", "[req-1 - - - - -]", "[req-1 12ab 34cd - - -]", "[7]", "[7, 8 9]"]
    assert {skeleton(form)[0] for form in forms} == {("[", WILDCARD, "]")}


def test_sql_keeps_its_words() -> None:
    """The constant words of a logged SQL statement stay, the numbers go."""
    message = "LOG:  duration: 0.123 ms  statement: UPDATE accounts SET balance = balance - 12.50 WHERE id = 123"
    assert text(message) == (
        "LOG: duration: <*> ms statement: UPDATE accounts SET balance = balance - <*> WHERE id = <*>"
    )


def test_ids_are_values() -> None:
    """A string known to be a session identifier is a value wherever it stands as a word, and nowhere else."""
    assert text("login of alice: alice.", "alice") == "login of <*>: <*>."
    assert text("login of alices", "alice") == "login of alices"
    assert skeleton("open a:b;c now", ("a:b;c",)) == (("open", WILDCARD, "now"), ("a:b;c",))
    assert text("id1=7 of id1", "id1") == "<*>=<*> of <*>"
    assert skeleton("\ue0000\ue001 x y", ("x", "y"))[1] == ("\ue0000\ue001", "x", "y")


@FEW
@given(messages(), st.lists(st.sampled_from(["user", "10.0.0.1:80", "a b", "(", ""]), max_size=2))
def test_round_trip(message: str, ids: list[str]) -> None:
    """The template with its values put back is the message, up to white space; one value for each wildcard."""
    tokens, values = skeleton(message, tuple(ids))
    assert len(values) == tokens.count(WILDCARD)
    left = list(values)
    assert squeezed("".join(left.pop(0) if token == WILDCARD else token for token in tokens)) == squeezed(message)


@FEW
@given(st.lists(messages(), max_size=12))
def test_memory_changes_nothing(log: list[str]) -> None:
    """A tokeniser that has met other messages reads a message as a fresh one does."""
    used = Tokeniser()
    for message in log + log:
        assert used.read(message) == Tokeniser().read(message)


@FEW
@given(messages())
def test_tokens_ignore_amount_of_space(message: str) -> None:
    """Wider white space never makes another skeleton."""
    once = " ".join(message.split(" "))
    assert skeleton(once.replace(" ", "  "))[0] in (skeleton(once)[0], skeleton(once.replace(" ", "  "))[0])


def test_long_messages_are_cut() -> None:
    """Beyond the cap of tokens the rest is one value, counted, and nothing is lost."""
    message = " ".join(["word"] * 100_000)
    tokeniser = Tokeniser()
    surface, pieces = tokeniser.read(message)
    assert len(surface.tokens) == MAX_TOKENS + 1
    assert texts_of(surface, pieces, [(MAX_TOKENS, MAX_TOKENS + 1)])[0].count("word") == 100_000 - MAX_TOKENS
    assert tokeniser.truncated == 1


def test_cache_is_bounded() -> None:
    """A log of all-different lines does not make the tokeniser grow without bound."""
    tokeniser = Tokeniser()
    for number in range(MAX_CACHED + 10):
        tokeniser.read("w" + "".join(chr(97 + int(digit)) for digit in str(number)))
    assert len(tokeniser._surfaces) <= MAX_CACHED


@pytest.mark.parametrize(
    "piece",
    [
        "a",
        "1",
        ".",
        "a:",
        "1 ",
        "[1 ",
        "[- ",
        "ab:",
        "1,",
        "a..",
        "/",
        "a@",
        "- ",
        "(1 x",
        "'",
        "f",
        "1 - ",
        "::",
        "Mon Jan ",
        "true ",
        "a1",
        "a1=",
        "a.1=",
        "a:/",
        "a://",
        '1 1"',
    ],
)
def test_time_is_linear(piece: str) -> None:
    """No text makes the tokeniser slow: eight times the text takes about eight times the time."""

    def seconds(length: int) -> float:
        message = (piece * length)[:length]
        start = time.process_time()
        skeleton(message)
        return time.process_time() - start

    seconds(1_000)
    assert seconds(80_000) < 20 * max(min(seconds(10_000), seconds(10_000)), 0.005)
