"""Lines that are alike but for their digits: what was read of one holds for all."""

from __future__ import annotations

import itertools
import random
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tests.strategies import messages
from tests.test_lexer import triggers
from tests.test_scan import both_ways

from offscript import Config
from offscript.parse import alike, columnar, repeats, scan
from offscript.parse.byte_table import address_of
from offscript.parse.lexer import SCRATCH, lex
from offscript.parse.tokens import MAX_TOKENS
from offscript.parse.tokens import skeleton as tokens_of
from offscript.sources import files
from offscript.testing import service_log

ZEROS = bytes.maketrans(b"0123456789", b"0" * 10)
FILES = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def with_other_digits(text: str, seed: int) -> str:
    """The text with every digit drawn anew."""
    rng = random.Random(seed)
    return re.sub("[0-9]", lambda _: rng.choice("0123456789"), text)


def skeleton(message: str) -> tuple[bytes, list[tuple[int, int]], bool]:
    """The canonical bytes of a message, where its values stand, and whether it may be kept."""
    data = np.frombuffer(message.encode(), np.uint8)
    canon = np.empty(len(data) + SCRATCH, np.uint8)
    starts, ends = np.empty((2, MAX_TOKENS + 1), np.int64)
    size, values, _ = lex(data, 0, len(data), canon, starts, ends)
    begin = address_of(data)
    kept = bool(alike.may_keep(begin, begin + len(data), address_of(canon), size))
    return canon[:size].tobytes(), list(zip(starts[:values].tolist(), ends[:values].tolist(), strict=True)), kept


@settings(max_examples=400, deadline=None)
@given(messages() | triggers() | triggers(), st.integers(0, 99))
@example("at 45 Jan 3", 0)
@example("Mon 45 Feb 1 x", 1)
def test_one_digit_is_as_good_as_another(message: str, seed: int) -> None:
    """A message that may be kept has its tokens and values at the same places whatever its digits are."""
    canon, spans, kept = skeleton(message)
    if kept:
        assert skeleton(with_other_digits(message, seed)) == (canon, spans, True)


@pytest.mark.parametrize(
    ("message", "kept"),
    [
        ("Received block blk_-42 of size 67 from /10.0.0.1", True),
        ("took 0.61 s at 12:34:56, 3 of 7 in May", True),
        ("retry4=1 is a name", False),
        ("on 12 Dec it went", False),
    ],
)
def test_what_may_be_kept(message: str, kept: bool) -> None:
    """Lines of ordinary logs are kept; those in which a digit may matter by itself are not."""
    assert skeleton(message)[2] is kept


@settings(max_examples=200, deadline=None)
@given(st.binary(min_size=8, max_size=150) | st.text("0123456789/:; a", min_size=8, max_size=150).map(str.encode))
def test_folding(line: bytes) -> None:
    """A folded line has a 0 for each digit and nothing else changed, and lines that fold alike have one hash."""
    other = with_other_digits(line.decode("latin-1"), 5).encode("latin-1")
    marks = []
    for text in (line, other):
        data, out = np.frombuffer(text, np.uint8), np.full(len(text) + int(alike.SUMS) + 1, 7, np.uint8)
        marks.append(int(alike.fold_line(address_of(data), len(data), address_of(out))))
        assert out[: len(text)].tobytes() == text.translate(ZEROS)
        assert out[-1] == 7
    assert marks[0] == marks[1] != 0


def test_few_lines_share_a_hash() -> None:
    """Lines that differ by a byte, or in the order of their parts, have hashes of their own."""
    parts = [bytes([97 + n]) * 32 for n in range(5)]
    lines = [b"".join(order) for order in itertools.permutations(parts)]
    lines += [b"x" * at + b"y" + b"x" * (99 - at) for at in range(100)]
    marks = set()
    for line in lines:
        data, out = np.frombuffer(line, np.uint8), np.empty(len(line) + int(alike.SUMS), np.uint8)
        marks.add(int(alike.fold_line(address_of(data), len(data), address_of(out))))
    assert len(marks) == len(lines)


@settings(max_examples=100, deadline=None)
@given(st.lists(messages() | st.sampled_from(["open 7", "open 8", "shut", "", "r24=7", "r25=7"]), max_size=30))
def test_repeats_are_found(texts: list[str]) -> None:
    """Of messages that were not learnt yet, each is told the first one with the same skeleton."""
    raw = [text.encode("utf-8", "surrogatepass") for text in texts]
    data = np.frombuffer(b"".join(raw) + b" ", np.uint8)
    ends = np.cumsum([0, *map(len, raw)])
    found = repeats.firsts_of(data, ends[:-1], ends[1:])
    skeletons = [tokens_of(text)[0] for text in texts]
    assert found.tolist() == [skeletons.index(one) for one in skeletons]


def counted(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Count from now on the lines that were recalled, and those that were not."""
    counts = {"recalled": 0, "read": 0}
    recall = columnar.recall_lines

    def counting(*arguments: Any) -> int:
        left = recall(*arguments)
        counts["read"] += left
        counts["recalled"] += len(arguments[1]) - left
        return left

    monkeypatch.setattr(scan, "recall_lines", counting)
    return counts


SHAPES = [
    "2024-05-01 10:00:00.000 INFO [req-100] open /a/1 for 10.0.0.1, then 4 of 12",
    "2024-05-01 10:00:00.000 INFO [req-200] step 3 took 0.611 s",
    "2024-05-01 10:00:00.000 WARN [req-300] job req-300=5 and req-310=4",
    "2024-05-01 10:00:00.000 INFO [req-400] until 12 Dec 2005 or 3 May",
    "2024-05-01 10:00:00.000 INFO [req-500] retry4=1 on node7",
    "2024-05-01 10:00:00.000 INFO [req-600] password=1234567 given",
    "no header 12 here",
    "     at frame 7 of 9",
]


@FILES
@given(
    st.lists(st.tuples(st.sampled_from(SHAPES), st.integers(0, 10_000)), min_size=100, max_size=300),
    st.sampled_from([600, 5_000, 1 << 18]),
    st.integers(1, 2),
    st.sampled_from([None, r"req-(\d+)", r"req-(1\d+)", "none"]),
)
def test_recalled_lines_are_equal_to_read_ones(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    lines: list[tuple[str, int]],
    size: int,
    cores: int,
    session: str | None,
) -> None:
    """A log of few lines with ever other digits, stamps out of range too, is read as its lines are (promise 1)."""
    path = tmp_path / "app.log"
    drawn = [with_other_digits(line, seed) if seed % 3 else line for line, seed in lines]
    path.write_text("\n".join(drawn) + "\n")
    monkeypatch.setattr(files, "PIECE", size)
    monkeypatch.setattr(scan, "_cores", lambda: cores)
    one_by_one, in_columns = both_ways(path, Config(session=session, sample_lines=40), monkeypatch)
    assert one_by_one == in_columns


def test_nearly_all_of_a_log_is_recalled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After its first blocks, what a service writes is recalled, not read."""
    path = tmp_path / "app.log"
    path.write_text("\n".join(service_log(3_000, seed=3)) + "\n")
    counts = counted(monkeypatch)
    monkeypatch.setattr(scan, "_cores", lambda: 1)  # blocks read ahead on others know less
    one_by_one, in_columns = both_ways(path, Config(), monkeypatch)
    assert one_by_one == in_columns
    assert counts["recalled"] > 0.9 * (counts["recalled"] + counts["read"])


def test_a_log_that_never_repeats_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where each line has a random id of letters, a block is not searched beyond its first lines, and read as ever."""
    rng = random.Random(4)
    path = tmp_path / "app.log"
    ids = ["".join(rng.choice("abcdef") for _ in range(24)) for _ in range(8_000)]
    path.write_text("\n".join(f"2024-05-01 10:00:{n % 60:02} INFO open {name}" for n, name in enumerate(ids)) + "\n")
    counts = counted(monkeypatch)
    one_by_one, in_columns = both_ways(path, Config(session="none"), monkeypatch)
    assert one_by_one == in_columns
    assert counts["recalled"] == 0


def test_more_lines_than_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What finds no place takes that of another line, and changes no answer."""
    rng = random.Random(6)
    words = ["".join(rng.choice("xyz") for _ in range(9)) for _ in range(3 * alike.PLACES)]
    path = tmp_path / "app.log"
    lines = [f"2024-05-01 10:00:{rng.randrange(60):02} INFO /{rng.choice(words)}/{n} is open" for n in range(40_000)]
    path.write_text("\n".join(lines) + "\n")
    monkeypatch.setattr(files, "PIECE", 1 << 16)
    one_by_one, in_columns = both_ways(path, Config(session="none"), monkeypatch)
    assert one_by_one == in_columns
