"""The quick look for credentials finds what the automaton finds, in every line."""

from __future__ import annotations

import gzip
import importlib
import lzma
import random
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.test_mask import PIECES

from offscript.parse import known_lines, mask, suspects
from offscript.parse.known_lines import KnownLines
from offscript.parse.mask import stems_in

parsed: Any = importlib.import_module("re._parser").parse
RECORDED = Path(suspects.__file__).parents[1] / "recorded"
ALTERNATIVES = [*(f"(?i){part}" for part in mask._SUSPECTS), *mask._SUSPECT_SHAPES]


def suspects_in(block: bytes) -> list[int]:
    """Return where in a block of lines a credential may be, nothing of it being known."""
    ends = np.cumsum([len(line) + 1 for line in block.split(b"\n")]) - 1
    return KnownLines().look(block, np.append(0, ends[:-1] + 1), ends)[1]


def of_class(items: list[Any]) -> str:
    """Return the bytes of a class of a pattern."""
    found: set[int] = set()
    for kind, of in items:
        if str(kind) == "LITERAL":
            found.add(of)
        elif str(kind) == "RANGE":
            found.update(range(of[0], of[1] + 1))
        elif str(kind) == "CATEGORY":
            assert str(of) == "CATEGORY_WORD"
            found.update(b"_09azAZmM")
    is_negated = str(items[0][0]) == "NEGATE"
    return "".join(chr(byte) for byte in range(256) if (byte in found) != is_negated and byte != 10)


def written(pattern: Any, pick: random.Random) -> str:
    """Return a text that a pattern stands for, by picks among all it allows."""
    made = ""
    for kind, of in pattern:
        if str(kind) == "LITERAL":
            made += chr(of)
        elif str(kind) == "IN":
            made += pick.choice(of_class(of))
        elif str(kind) == "BRANCH":
            made += written(pick.choice(of[1]), pick)
        elif str(kind) == "SUBPATTERN":
            made += written(of[3], pick)
        elif str(kind) == "MAX_REPEAT":
            least, most, inner = of
            times = pick.randint(least, min(int(most), least + 2))
            made += "".join(written(inner, pick) for _ in range(times))
        else:
            assert str(kind) in ("AT", "NOT_LITERAL"), f"extend `written` by {kind}"
            made += "x" if str(kind) == "NOT_LITERAL" else ""
    return made


@pytest.mark.parametrize("alternative", ALTERNATIVES)
def test_each_part_of_the_automaton_has_its_literals(alternative: str) -> None:
    """A pattern added to the automaton, or a word added to one, is missed here until it has four characters there."""
    pick, pattern, hits = random.Random(7), parsed(alternative), 0
    for _ in range(1500):
        text = written(pattern, pick).encode("latin-1")
        text = pick.choice([text, text.upper(), text.lower(), text.title()])
        before = pick.choice([b"", b" ", b"x ", b"a, b", b"--", b"<", b"\xe9"])
        block = b"a\n" + before + text + b"\r\n" + b"b" * 40
        found = stems_in(block)
        assert suspects_in(block) == found, block
        hits += bool(found)
    assert hits > 300


@settings(max_examples=250, deadline=None)
@given(st.lists(st.lists(st.sampled_from(PIECES), max_size=9).map("".join), max_size=20), st.integers(0, 3))
def test_it_finds_what_the_automaton_finds(lines: list[str], gap: int) -> None:
    """The same places in any block of lines, few or many of which hold credentials."""
    block = ("\n" + "x\n" * 150 * gap).join(lines).encode()
    assert suspects_in(block) == stems_in(block)


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=300), st.sampled_from(PIECES), st.binary(max_size=60))
def test_blocks_hold_any_bytes(before: bytes, piece: str, after: bytes) -> None:
    """Also what is no UTF-8, an empty block, and one without a line end."""
    block = before + piece.encode() + after
    assert suspects_in(block) == stems_in(block)


@pytest.mark.parametrize("text", [b"pwd=x", b"sk-" + b"a1" * 12, b"a://b:c@d", b"eyJ.a", b"--user a:b", b"<pwd>x</a>"])
def test_no_place_in_a_block_is_blind(text: bytes) -> None:
    """At the first and the last byte, at every place of a step, behind short lines and long ones."""
    for before in range(40):
        for after in range(0, 40, 3):
            for block in (
                b"a\n" + b" " * before + text + b" " * after + b"\nb",
                b" " * before + text + b"\n" * after,
                b"\n" * before + text + b" " * after,
            ):
                assert suspects_in(block) == stems_in(block)


@pytest.mark.parametrize("far", [10, 62, 63, 64, 65, 66, 200])
def test_what_stands_far_from_a_name_counts(far: int) -> None:
    """Long names, many blanks, long hosts and long flags are left to the automaton."""
    for text in (
        f"password{' ' * far}= x",
        f"x{'a_' * far}token{' ' * 3}'a'=1 --{'a-' * far}pwd abc",
        f"<{'a.' * far}token a='b'>x</token>",
        f"token{'_secret' * far}=5",
        f"a://{'b' * far}:c@d",
        f"password{chr(92) * far}'=x",
    ):
        block = f"a\n{text}\n{'b' * 40}".encode()
        assert suspects_in(block) == stems_in(block) != []


def test_blocks_full_of_credentials_are_given_to_the_automaton_whole() -> None:
    """Line by line would be slower there."""
    block = b"token=abc\n" * 1000
    assert suspects_in(block) == list(range(0, 10_000, 10))


@pytest.mark.data
def test_real_logs_have_few_candidates(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same places in all real logs, and of few lines more than hold one is the automaton asked."""
    asked: list[int] = []

    def counting(block: bytes, begins: Any, ends: Any) -> list[int]:
        asked.append(len(begins))
        return suspects.stems_among(block, begins, ends)

    monkeypatch.setattr(known_lines, "stems_among", counting)
    blocks = [gzip.decompress(path.read_bytes()) for path in sorted(data_dir.glob("*/*.log.gz"))]
    blocks += [lzma.decompress(path.read_bytes())[:4_000_000] for path in sorted(RECORDED.glob("*/*.log.xz"))]
    assert len(blocks) > 10
    for block in blocks:
        found = suspects_in(block)
        assert found == stems_in(block)
        assert asked[-1] <= len(found) + 0.03 * block.count(b"\n") + 10


@pytest.mark.parametrize("piece", ["token", "pwd ", "a-token ", "://", "://a", "passw", "secret\t", "ecre", "-"])
def test_time_is_linear_in_hostile_text(piece: str) -> None:
    """A look from each of many places ends soon, in one long line as in many."""
    suspects_in(b"a\nb")
    start = time.process_time()
    for text in (piece * (1_000_000 // len(piece)), f"{piece}\n" * (1_000_000 // len(piece))):
        suspects_in(f"a\n{text}".encode())
    assert time.process_time() - start < 3
