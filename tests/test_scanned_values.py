"""Values asked of a scan: those that the entries show, in blocks of any size, on one core and on two."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.test_scan import FILES, logs

from offscript import Config, read
from offscript.entries import Entry
from offscript.parse import byte_table, columnar, scan
from offscript.parse.asked import Asked, asked_by_key, asked_values
from offscript.parse.learn import Parsed, learn
from offscript.parse.match import FrozenTemplate, Templates
from offscript.parse.origins import by_place
from offscript.parse.records import Matching, Reader, Records
from offscript.parse.taken import room_for_values
from offscript.sources import files
from offscript.testing import service_log

Rows = list[tuple[int, int, float | None]]


def by_lines(parsed: Parsed, asked: Asked, path: Path, config: Config) -> tuple[list[int], Rows]:
    """The keys of all entries, and what is asked of their values, line by line."""
    reader = Reader(parsed.header, parsed.discovery.key, parsed.templates)
    of_key = asked_by_key(parsed.templates, asked)
    keys: list[int] = []
    rows: Rows = []
    for line in read(str(path), config=config):
        found = reader.entry(line)
        if found is None:
            continue
        of = of_key.get(found[0].key)
        if of is not None:
            values = asked_values(found[0], of)
            rows += [row(len(keys), number, value) for (number, _, _), value in zip(of.wanted, values, strict=True)]
        keys.append(found[0].key)
    return keys, rows


def row(entry: int, asked: int, number: float) -> tuple[int, int, float | None]:
    """One value, so that it can be compared: None for NaN."""
    return entry, asked, None if math.isnan(number) else number


def in_blocks(parsed: Parsed, asked: Asked, path: Path, config: Config) -> tuple[list[int], Rows]:
    """The same, from a scan."""
    sample = [line.text for line, _ in zip(read(str(path), config=config), range(2000), strict=False)]
    skeletons = Matching(parsed.templates, asked)
    scanner = scan.Scanner(parsed.header, parsed.discovery.key, sample, skeletons, Records(parsed.header))
    keys: list[int] = []
    rows: Rows = []
    for scanned in scanner.scan(read(str(path), config=config).raw()):
        values = scanned.values
        assert (values is None) == (not asked)
        if values is not None:
            pairs = list(zip(values.entries.tolist(), values.asked.tolist(), strict=True))
            assert pairs == sorted(set(pairs))
            columns = zip(pairs, values.numbers.tolist(), strict=True)
            rows += [row(len(keys) + entry, number, value) for (entry, number), value in columns]
        keys += scanned.numbers.tolist()
    return keys, rows


def texts_of(parsed: Parsed, path: Path, config: Config) -> dict[tuple[int, int], Counter[str]]:
    """The texts at each place of each key."""
    reader = Reader(parsed.header, parsed.discovery.key, parsed.templates)
    texts = {(key, place): Counter[str]() for key, place in places_of(parsed.templates)}
    for line in read(str(path), config=config):
        found = reader.entry(line)
        if found is not None and found[0].known:
            for place, text in enumerate(placed(parsed.templates, found[0]) or ()):
                texts[found[0].key, place][text] += 1
    return texts


def placed(templates: Templates, entry: Entry) -> tuple[str, ...] | None:
    """The values of an entry by place."""
    return by_place(entry.template, *templates.wording(entry.key), entry.values)


def places_of(templates: Templates) -> Iterator[tuple[int, int]]:
    """All places of all keys."""
    return ((key, place) for key in templates.keys() for place in range(templates.places(key)))  # noqa: SIM118


def asked_of(texts: dict[tuple[int, int], Counter[str]], seed: int) -> Asked:
    """A draw of what can be asked: numbers of some places, of others whether the text is among half of those met."""
    rng = random.Random(seed)
    asked: list[tuple[int, int, frozenset[str] | None]] = []
    for (key, place), met in texts.items():
        if rng.random() < 0.7:
            asked.append((key, place, None))
        if rng.random() < 0.6:
            asked.append((key, place, frozenset(text for text in sorted(met) if rng.random() < 0.5)))
    rng.shuffle(asked)
    return tuple(asked)


def fit(path: Path, config: Config, share: float = 1.0) -> Parsed:
    """Learn the first lines of a file."""
    lines = list(read(str(path), config=config))
    return learn(lines[: max(30, int(share * len(lines)))], config)


@FILES
@given(
    logs(),
    st.sampled_from([40, 700, 1 << 18]),
    st.integers(1, 2),
    st.sampled_from([None, "none", r"req-(\d+)"]),
    st.sampled_from([0.5, 1.0]),
    st.integers(0, 99),
)
def test_equal_to_the_lines(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    log: bytes,
    size: int,
    cores: int,
    session: str | None,
    share: float,
    seed: int,
) -> None:
    """What is asked of a scan is what the entries show, in chunks of any size, on one core or two (promise 1)."""
    path = tmp_path / "app.log"
    path.write_bytes(log)
    monkeypatch.setattr(files, "PIECE", size)
    monkeypatch.setattr(scan, "_cores", lambda: cores)
    config = Config(session=session, sample_lines=40, max_line_bytes=256, max_templates=12)
    if not log.strip():
        return
    parsed = fit(path, config, share)
    if not scan.Scanner.serves(parsed.header, parsed.discovery.key):
        return
    asked = asked_of(texts_of(parsed, path, config), seed)
    assert in_blocks(parsed, asked, path, config) == by_lines(parsed, asked, path, config)


def log_of(messages: list[str]) -> str:
    """A log with these messages."""
    return "".join(
        f"2024-05-01 10:{n // 60 % 60:02}:{n % 60:02} INFO {message}\n" for n, message in enumerate(messages)
    )


TABLE = [
    FrozenTemplate(1, ("took", "<*>", "by", "<*>", "via", "<*>"), "took <*> by <*> via <*>", 9, ("w", "w?", "v"),
                   ("<*>", "node-<*>", "eth1")),
    FrozenTemplate(2, ("used", "<*>", "of", "<*>"), "used <*> of <*>", 9, ("w", "w")),
    FrozenTemplate(3, ("is", "<*>", "now"), "is <*> now", 9, ("w?",)),
]  # fmt: skip
MESSAGES = [
    "took 5 by node-7 via eth1", "took 5ms by node-12 via eth1", "took 7 by core-7 via eth1",
    "took x by node-7 via eth2", "took 9 ms by node-8 via eth1", "took 9  ms by via eth3",
    "took 3 by 8 via eth1", "took 4 s by node-a b via eth1", "used 4 KB of 7 MB", "used 4 of 7",
    "used 4\tKB of 7ms KB", "used all of it", "used 0x10 of 12.5%", "used 4 big KB of 7", "is up now",
    "is now", "is going  down now", "is going down now", "is 77 now", "is b- now", "is 4 s now", "is 5 s now",
]  # fmt: skip
ASKED: Asked = (
    (1, 0, None), (1, 1, None), (2, 0, None), (2, 1, None), (3, 0, None),
    (1, 0, frozenset(["5", "9 ms"])), (1, 1, frozenset(["7", "core-7", ""])),
    (2, 1, frozenset(["7", "it", "7 MB"])), (3, 0, frozenset(["up", "going down", ""])), (3, 0, frozenset()),
)  # fmt: skip


@pytest.mark.parametrize("kinds", [ASKED, ASKED[:5], ASKED[5:], ASKED[:1], ()])
def test_runs_frames_and_units(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kinds: Asked) -> None:
    """Units behind values, stems, words, several and none, and lines that depart from a frame: all as entries show."""
    path = tmp_path / "app.log"
    path.write_text(log_of(MESSAGES * 80))
    monkeypatch.setattr(files, "PIECE", 3_000)
    parsed = learn(list(read(str(path))), Config(session="none"))
    parsed.templates = Templates(TABLE, {}, tau=0.3)
    keys, rows = by_lines(parsed, kinds, path, Config())
    assert in_blocks(parsed, kinds, path, Config()) == (keys, rows)
    assert set(keys) >= {1, 2, 3}
    assert len({asked for _, asked, _ in rows}) == len(kinds)


def test_what_the_values_are(tmp_path: Path) -> None:
    """Numbers are in base units, texts 0.0 or 1.0, and what stands behind a frame is read without it."""
    path = tmp_path / "app.log"
    path.write_text(log_of(MESSAGES))
    parsed = learn(list(read(str(path))) * 2, Config(session="none"))
    parsed.templates = Templates(TABLE, {}, tau=0.3)
    _, rows = in_blocks(parsed, ASKED, path, Config())
    first = {asked: number for entry, asked, number in rows if entry == 0}
    assert first == {0: 5.0, 1: 7.0, 5: 0.0, 6: 0.0}
    departing = {asked: number for entry, asked, number in rows if entry == 2}
    assert departing == {0: 7.0, 1: None, 5: 1.0, 6: 0.0}
    sizes = {asked: number for entry, asked, number in rows if entry == 8}
    assert sizes == {2: 4096.0, 3: 7.0 * 2**20, 7: 0.0}


def test_a_place_that_is_none() -> None:
    """To ask for a place that a template does not have is an error, at once."""
    with pytest.raises(ValueError, match="no place 2"):
        Matching(Templates(TABLE, {}), ((1, 2, None),))


def test_recalled_lines_give_values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is recalled, and not read, gives the values of its own digits; most lines are."""
    path = tmp_path / "app.log"
    path.write_text("\n".join(service_log(3_000, seed=3)) + "\n")
    left: list[int] = []
    recall = columnar.recall_lines

    def counting(*arguments: Any) -> int:
        left.append(recall(*arguments))
        return left[-1]

    monkeypatch.setattr(scan, "recall_lines", counting)
    monkeypatch.setattr(scan, "_cores", lambda: 1)
    parsed = fit(path, Config(), 0.2)
    asked = asked_of(texts_of(parsed, path, Config()), 1)
    found = in_blocks(parsed, asked, path, Config())
    assert found == by_lines(parsed, asked, path, Config())
    assert len(found[1]) > 3_000
    assert sum(left) < 0.2 * len(found[0])


def test_no_room_for_all_values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines for whose values a block has no room are read alone, and give the same."""
    path = tmp_path / "app.log"
    path.write_text("\n".join(service_log(60, seed=4)) + "\n")
    monkeypatch.setattr(files, "PIECE", 8_000)
    parsed = fit(path, Config())
    asked = asked_of(texts_of(parsed, path, Config()), 2)
    truth = by_lines(parsed, asked, path, Config())
    monkeypatch.setattr(scan, "room_for_values", lambda sizes, *rest: room_for_values(sizes[:1], *rest))
    assert in_blocks(parsed, asked, path, Config()) == truth


def test_a_table_that_does_not_hold_all_texts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where known texts find no place in the table, lines are matched as text, and nothing known is called new."""
    path = tmp_path / "app.log"
    path.write_text(log_of(MESSAGES * 3))
    parsed = learn(list(read(str(path))), Config(session="none"))
    parsed.templates = Templates(TABLE, {}, tau=0.3)
    truth = by_lines(parsed, ASKED, path, Config())
    monkeypatch.setattr(byte_table.ByteCodes, "find", lambda *_: -1)
    assert in_blocks(parsed, ASKED, path, Config()) == truth


@pytest.mark.data
@pytest.mark.parametrize("folder", ["loghub2k", "openstack"])
def test_real_logs(data_dir: Path, folder: str) -> None:
    """On the ten systems and the OpenStack log all that can be asked is what the entries show."""
    name = "*normal*" if folder == "openstack" else "*"
    for path in sorted((data_dir / folder).glob(f"{name}.log.gz")):
        config = Config(sample_lines=2000)
        parsed = fit(path, config, 0.6)
        asked = asked_of(texts_of(parsed, path, config), 7)
        found = in_blocks(parsed, asked, path, config)
        assert found == by_lines(parsed, asked, path, config), path.name
        assert any(number for _, _, number in found[1]), path.name
