"""Cells: the values of all entries by key, the same however the log is read, and those that the entries show."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.test_scan import FILES, columns, logs

from offscript import Config, read
from offscript.parse import cells, pieces, scan
from offscript.parse.cells import NOT_KEPT, Cells, CellStore
from offscript.parse.learn import Parsed, entries, learn
from offscript.parse.numbers import number_of
from offscript.parse.origins import by_place
from offscript.parse.taken import room_for_values
from offscript.sources import files
from offscript.testing import service_log


def stored(parsed: Parsed) -> dict[str, Any]:
    """All that is kept of the values of a log, by skeleton."""
    store = parsed.kept.cells
    assert store is not None
    sizes = [0 if count == NOT_KEPT else count for count in store.counts]
    assert len(store.numbers) == len(store.units) == len(store.texts) == sum(sizes)
    words = {}
    for skeleton, count in zip(parsed.kept.skeletons, store.counts, strict=True):
        if count != NOT_KEPT and skeleton not in words:
            slot = store.slot(skeleton, count)
            words[skeleton] = [store.words(slot + value) for value in range(count)]
    return {
        "counts": list(store.counts),
        "numbers": [None if math.isnan(number) else number for number in store.numbers],
        "units": list(store.units),
        "texts": list(store.texts),
        "words": words,
        "counted": (store.beyond, store.unlike),
    }


def both_ways(path: Path, config: Config, monkeypatch: pytest.MonkeyPatch) -> tuple[Parsed, Parsed]:
    """Learn a file with its cells from a list of its lines, and in columns."""
    one_by_one = learn(list(read(str(path), config=config)), config, cells=True)
    monkeypatch.setattr(pieces, "is_warm", lambda: True)
    return one_by_one, learn(read(str(path), config=config), config, cells=True)


def check(parsed: Parsed, path: Path, config: Config) -> dict[str, int]:
    """Compare the cells of all keys with the entries of the log; count what was compared."""
    keys = parsed.templates.keys()
    tables = {key: parsed.cells_of(key) for key in keys}
    rows = {int(entry): (cells, row) for cells in tables.values() for row, entry in enumerate(cells.entries)}
    counts = {"entries": 0, "numbers": 0, "texts": 0, "unknown": 0, "untold": 0}
    for number, entry in enumerate(entries(parsed, read(str(path), config=config))):
        if number not in rows:
            continue
        table, row = rows[number]
        assert entry.key == table.key
        placed = by_place(entry.template, *parsed.templates.wording(entry.key), entry.values)
        counts["entries"] += 1
        if placed is None:
            assert all(table.unknown)
            continue
        assert len(placed) == table.numbers.shape[1] == parsed.templates.template(entry.key).text.count("<*>")
        for place, value in enumerate(placed):
            compare(table, row, place, value, counts)
    return counts


def compare(table: Cells, row: int, place: int, value: str, counts: dict[str, int]) -> None:
    """Compare the cells of one value with the value."""
    counts["unknown"] += bool(table.unknown[place])
    counts["untold"] += bool(table.untold[place])
    if not table.unknown[place]:
        read = number_of(value)
        cell = float(table.numbers[row, place])
        counts["numbers"] += not math.isnan(cell)
        assert math.isnan(cell) if read is None else cell == read.value
        if read is not None:
            assert read.unit in table.units[place]
    vocabulary = table.vocabularies[place]
    assert (vocabulary is None) == bool(table.untold[place])
    if vocabulary is not None:
        assert vocabulary[table.texts[row, place]] == value
        counts["texts"] += 1
    else:
        assert table.texts[row, place] == -1


@FILES
@given(
    logs(),
    st.sampled_from([40, 700, 1 << 18]),
    st.integers(1, 2),
    st.sampled_from([None, "none", r"req-(\d+)"]),
    st.sampled_from([20, 10_000]),
    st.sampled_from([2, 64]),
    st.sampled_from([3, 1 << 18]),
)
def test_equal_to_the_lines(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    log: bytes,
    size: int,
    cores: int,
    session: str | None,
    most: int,
    texts: int,
    in_all: int,
) -> None:
    """A file read in columns, in chunks of any size, on one core or two, has the cells of its lines (promise 1).

    They are those that its entries show.
    """
    path = tmp_path / "app.log"
    path.write_bytes(log)
    monkeypatch.setattr(files, "PIECE", size)
    monkeypatch.setattr(scan, "_cores", lambda: cores)
    monkeypatch.setattr(cells, "MOST_TEXTS", texts)
    monkeypatch.setattr(cells, "ALL_TEXTS", in_all)
    config = Config(session=session, sample_lines=40, max_line_bytes=256, max_templates=12, max_training_entries=most)
    if not log.strip():
        return
    one_by_one, in_columns = both_ways(path, config, monkeypatch)
    assert stored(one_by_one) == stored(in_columns)
    check(in_columns, path, config)


def test_a_log_that_changes_over_to_columns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the first lines are read one by one and the rest in columns, both parts are one log."""
    path = tmp_path / "app.log"
    path.write_text("\n".join(service_log(60, seed=2)))
    monkeypatch.setattr(files, "PIECE", 4096)
    one_by_one, warm = both_ways(path, Config(), monkeypatch)
    monkeypatch.setattr(pieces, "is_warm", lambda: False)
    monkeypatch.setattr(pieces, "PAYS_FROM", 150)
    switched = learn(read(str(path)), Config(), cells=True)
    assert stored(one_by_one) == stored(warm) == stored(switched)
    assert check(switched, path, Config())["numbers"] > 0


@pytest.mark.parametrize("cores", [1, 2])
def test_no_room_for_all_values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cores: int) -> None:
    """Lines for whose values a block has no room are read alone, and the cells are the same."""
    path = tmp_path / "app.log"
    path.write_text("\n".join(service_log(60, seed=4)) + "\n")
    monkeypatch.setattr(files, "PIECE", 8_000)
    monkeypatch.setattr(scan, "_cores", lambda: cores)
    monkeypatch.setattr(scan, "room_for_values", lambda sizes, *rest: room_for_values(sizes[:1], *rest))
    one_by_one, in_columns = both_ways(path, Config(), monkeypatch)
    assert stored(one_by_one) == stored(in_columns)
    assert columns(one_by_one) == columns(in_columns)


def log_of(messages: list[str]) -> str:
    """A log with these messages."""
    return "".join(
        f"2024-05-01 10:{n // 60 % 60:02}:{n % 60:02} INFO {message}\n" for n, message in enumerate(messages)
    )


def learnt(tmp_path: Path, messages: list[str], **settings: Any) -> tuple[Parsed, Path]:
    """Learn some messages with their cells."""
    path = tmp_path / "app.log"
    path.write_text(log_of(messages))
    return learn(read(str(path)), Config(session="none", **settings), cells=True), path


def test_units_behind_values(tmp_path: Path) -> None:
    """A value and the unit behind it are one number, in base units, whatever unit each line has."""
    messages = [f"used {n} {unit} of memory" for n in range(2, 20) for unit in ("KB", "MB", "B")]
    parsed, path = learnt(tmp_path, messages)
    (key,) = parsed.templates.keys()
    found = parsed.cells_of(key)
    assert parsed.templates.template(key).text == "used <*> of memory"
    assert found.numbers[:3, 0].tolist() == [2 * 1024.0, 2 * 1024.0**2, 2.0]
    assert found.units == (("B", "KB", "MB"),)
    assert found.untold == ("several words",)
    check(parsed, path, Config())


def test_words_and_stems(tmp_path: Path) -> None:
    """Texts are told apart where they are few, without the stem that the template shows; many are not."""
    messages = [f"node-{n % 3} gave id{n}x in state={n % 4}" for n in range(120)]
    parsed, path = learnt(tmp_path, messages)
    (key,) = parsed.templates.keys()
    assert parsed.templates.template(key).text.startswith("node-<*> gave")
    found = parsed.cells_of(key)
    assert found.vocabularies[0] == ("0", "1", "2")
    assert found.numbers[:4, 0].tolist() == [0, 1, 2, 0]
    assert "open vocabulary" in found.untold
    counts = check(parsed, path, Config())
    assert counts["entries"] == 120
    assert counts["texts"] == 240


def test_entries_beyond_the_cap_are_counted(tmp_path: Path) -> None:
    """Only so many entries have cells, the latest ones; the others are left out of the arrays and counted."""
    parsed, _ = learnt(tmp_path, [f"took {n} ms" for n in range(50)], max_training_entries=30)
    store = parsed.kept.cells
    assert store is not None
    (key,) = parsed.templates.keys()
    found = parsed.cells_of(key)
    assert (len(store), store.beyond, found.entries.tolist()) == (50, 20, list(range(20, 50)))
    assert found.numbers[:, 0].tolist() == list(range(20, 50))


def test_no_cells_unless_asked() -> None:
    """A log learnt without cells has none, and says so; a key without `<*>` has arrays without columns."""
    lines = list(read_lines(["went up"] * 30))
    with pytest.raises(ValueError, match="learn with"):
        learn(lines, Config(session="none")).cells_of(1)
    found = learn(lines, Config(session="none"), cells=True).cells_of(1)
    assert found.numbers.shape == found.texts.shape == (30, 0)
    assert found.entries.tolist() == list(range(30))


def read_lines(messages: list[str]) -> Any:
    """The lines of a log with these messages."""
    from offscript.entries import Line

    return (Line(text, "app.log", n + 1) for n, text in enumerate(log_of(messages).splitlines()))


def test_many_texts_in_one_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """More texts than are told apart, and ones too long, open a place at the same line either way."""
    path = tmp_path / "app.log"
    words = [f"x{n * 7 % 101}" for n in range(400)] + ["y1" * 40] + ["x0"] * 20
    path.write_text(log_of([f"state {word} of a{n % 64}, {'z1' * (n // 10)}" for n, word in enumerate(words)]))
    one_by_one, in_columns = both_ways(path, Config(session="none"), monkeypatch)
    assert stored(one_by_one) == stored(in_columns)
    kinds = [words is None for some in stored(in_columns)["words"].values() for words in some]
    assert sorted(set(kinds)) == [False, True]


def test_many_statements_in_one_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hundreds of statements that are new in one block have their cells like any others."""
    path = tmp_path / "app.log"
    verbs = [f"{a}{b}{c}ing" for a in "bdfglm" for b in "aeiou" for c in "nrst"]
    lines = [f"{verb} {n % 7} of {n % 3}5 for x{n % 5}, {verb}ed" for n in range(4) for verb in verbs]
    path.write_text(log_of([f"up {n}" for n in range(2_000)] + lines))
    monkeypatch.setattr(files, "PIECE", 1 << 20)
    one_by_one, in_columns = both_ways(path, Config(session="none"), monkeypatch)
    assert stored(one_by_one) == stored(in_columns)
    assert check(in_columns, path, Config())["numbers"] >= 2 * len(lines)


def test_the_store_is_small() -> None:
    """A value takes ten bytes, an entry two."""
    store = CellStore(10)
    store.add(1, ("7", "up"))
    held = (store.numbers, store.units, store.texts)
    assert sum(column.itemsize for column in held) == 10
    assert store.counts.itemsize == 2
    assert np.dtype(np.int8).itemsize == store.texts.itemsize


@pytest.mark.data
@pytest.mark.parametrize("folder", ["loghub2k", "openstack"])
def test_real_logs(data_dir: Path, monkeypatch: pytest.MonkeyPatch, folder: str) -> None:
    """On the ten systems and the OpenStack log the cells are those of the entries, and equal either way."""
    name = "*normal*" if folder == "openstack" else "*"
    for path in sorted((data_dir / folder).glob(f"{name}.log.gz")):
        config = Config(sample_lines=2000)
        one_by_one, in_columns = both_ways(path, config, monkeypatch)
        assert stored(one_by_one) == stored(in_columns), path.name
        counts = check(in_columns, path, config)
        assert counts["entries"] == len(in_columns.kept), path.name
        assert counts["numbers"] > 0, path.name
