"""Logs that nobody should write: nothing crashes, hangs or grows without bound, and both ways of reading agree."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from benchmarks import hostile

from offscript import Config, InputError, read
from offscript.parse.learn import Parsed, learn
from offscript.parse.spell import SKELETONS_PER_TEMPLATE

HOSTILE = [name for name in hostile.LOGS if name != "normal"]
SMALL = 150_000  # bytes: hundreds of lines, or one that is longer than any cap but that of bytes
MEDIUM = 400_000  # bytes: enough for a small sample and a few blocks of columns
# Few enough that a small log meets the caps.
CAPPED = Config(max_templates=40, sample_lines=200)


@pytest.fixture
def log(tmp_path: Path) -> Callable[[str, int], Path]:
    """Return what writes a hostile log of a size to a file."""

    def write(name: str, size: int) -> Path:
        path = tmp_path / f"{name}-{size}.log"
        hostile.write(path, name, size)
        return path

    return write


def seconds_for(path: Path) -> float:
    """Return the seconds of processor that learning a file takes."""
    begun = time.process_time()
    learn(read(path), Config(sample_lines=200))
    return time.process_time() - begun


def all_of(parsed: Parsed) -> tuple[object, ...]:
    """Return everything that two ways of reading a log must agree in."""
    rows = list(parsed.kept)
    return rows, parsed.templates.to_dict(), parsed.key_of, parsed.records.rows(), parsed.findings()


@pytest.mark.parametrize("name", HOSTILE)
def test_both_ways_agree(name: str, log: Callable[[str, int], Path]) -> None:
    """Promises 1 and 5: bytes in columns and text line by line give the same, caps met or not; every line counts."""
    path = log(name, SMALL)
    reading = read(path)
    columnar = learn(reading, CAPPED)
    assert all_of(columnar) == all_of(learn(iter(list(read(path))), CAPPED))
    state = columnar.records.sources[str(path)]
    assert state.lines == reading.report.lines == state.records + state.continuations
    assert len(columnar.kept) == state.records
    assert all(row.skeleton < len(columnar.key_of) for row in columnar.kept)


@pytest.mark.parametrize(
    "name", ["random_words", "random_words_with_digits", "few_words", "other_verbs", "punctuation"]
)
def test_caps_are_told(name: str, log: Callable[[str, int], Path]) -> None:
    """Promise 5: of a log that is not made of print statements a bounded number is kept, and the user is told.

    Settling may part what was joined while reading, but no further than into the skeletons kept.
    """
    parsed = learn(read(log(name, SMALL)), CAPPED)
    assert any("cap" in warning for warning in parsed.warnings)
    assert len(parsed.templates.keys()) <= SKELETONS_PER_TEMPLATE * CAPPED.max_templates + 1


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Have what is compiled for large logs compiled, so that no test pays for it."""
    path = tmp_path_factory.mktemp("hostile") / "normal.log"
    hostile.write(path, "normal", MEDIUM)
    seconds_for(path)


@pytest.mark.parametrize("name", ["nested", "long_lines", "one_token_lines", "one_long_token", "digits_only"])
@pytest.mark.usefixtures("compiled")
def test_long_lines_take_linear_time(name: str, log: Callable[[str, int], Path]) -> None:
    """Promise 5: four times the bytes of long lines take about four times as long; sixteen would be quadratic."""
    few, many = seconds_for(log(name, SMALL)), seconds_for(log(name, 4 * SMALL))
    assert many < 12 * max(few, 0.02)


@pytest.mark.parametrize("name", ["session_ids", "host_names", "levels", "stack_traces", "stamps"])
@pytest.mark.usefixtures("compiled")
def test_many_lines_take_linear_time(name: str, log: Callable[[str, int], Path]) -> None:
    """Promise 5: four times as many lines take about four times as long, whatever is different in each of them."""
    few, many = seconds_for(log(name, MEDIUM)), seconds_for(log(name, 4 * MEDIUM))
    assert many < 12 * max(few, 0.02)


def test_memory_is_bounded_without_line_ends() -> None:
    """Promise 5: bytes without a line end are cut at the cap and never held: sixty megabytes take as much as six."""
    few, many = (hostile.figures("no_newline", size)["peak"] for size in (6_000_000, 60_000_000))
    assert many < few + 40


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    """Promise 5: a file of random bytes is one error that names it."""
    path = tmp_path / "random.log"
    path.write_bytes(bytes(range(256)) * 4_000)
    with pytest.raises(InputError, match=r"random\.log.*binary"):
        learn(read(path), Config())
