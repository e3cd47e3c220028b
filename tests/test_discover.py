"""The session key is found by what it predicts, on logs made here and on real ones, or honestly not found."""

from __future__ import annotations

import gzip
import random
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.naive_atoms import naive_atoms
from tests.naive_sessions import naive_bits_per_key

from offscript.entries import Fields
from offscript.parse.atoms import MAX_ATOMS, MAX_LENGTH, MAX_TEXT, cut
from offscript.parse.code_length import bits_per_key
from offscript.parse.discover import FIRST_LOOK, Discovery, discover_session_key
from offscript.parse.header import detect_header
from offscript.parse.identifiers import find_families
from offscript.parse.spell import Spell

Sample = list[tuple[Fields, int]]

FLOWS = (
    ("received", "authorized", "begin", "select stock", "update stock", "insert order", "commit", "closed"),
    ("received", "authorized", "begin", "select account", "update ledger", "commit", "closed"),
    ("received", "authorized", "select cart", "select item", "select item", "closed"),
)


def service(runs: int, *, clients: int = 6, pids: int = 100_000, seed: int = 1) -> Sample:
    """Write the log of a service: runs interleaved, each with a process id, a unique id, and values of no meaning."""
    rng = random.Random(seed)
    live: list[tuple[int, str, list[str]]] = []
    sample: Sample = []
    words = {word: number for number, word in enumerate(sorted({word for flow in FLOWS for word in flow}))}
    started = 0
    while started < runs or live:
        while started < runs and len(live) < clients:
            started += 1
            live.append((started % pids + 300, f"65a1{started:04x}.{started % pids + 300:x}", list(rng.choice(FLOWS))))
        run = rng.choice(live)
        word = run[2].pop(0)
        message = f"{run[1]} {rng.randint(1, 9)} app=shop {word} row {rng.randint(1, 99_999)}"
        header = (("pid", str(run[0])), ("component", word.split()[0]), ("host", "db1"))
        sample.append((Fields(message, float(len(sample)), "INFO", header), words[word]))
        if not run[2]:
            live.remove(run)
    return sample


class TestMeasure:
    @settings(max_examples=60, deadline=None)
    @given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3)), min_size=1, max_size=50))
    def test_bits_equal_the_obvious_count(self, pairs: list[tuple[int, int]]) -> None:
        """The code length by arrays is that of the loop that counts as it goes."""
        keys, group = [key for key, _ in pairs], [one for _, one in pairs]
        assert bits_per_key(np.array(keys), np.array(group)) == pytest.approx(naive_bits_per_key(keys, group))

    def test_names_of_ids_do_not_matter(self) -> None:
        """Renaming the groups changes nothing."""
        keys, group = np.array([0, 1, 2, 0, 1, 2, 2]), np.array([0, 0, 1, 1, 0, 1, 2])
        assert bits_per_key(keys, group) == bits_per_key(keys, 9 - group)


class TestAtoms:
    @settings(max_examples=150, deadline=None)
    @given(st.lists(st.text("aB07_.-:=[ \n\0\x01é٣\ud800", max_size=40), max_size=6))
    @example([])
    @example(["", "7", ""])
    @example(["1 " * (MAX_ATOMS + 1), "a" * MAX_LENGTH + "1", "ab" * MAX_TEXT, "x" * (MAX_TEXT - 1) + "12", "a_b: 1"])
    def test_atoms_equal_the_obvious_ones(self, messages: list[str]) -> None:
        """Cut all at once, messages have the atoms and contexts that cutting them sign by sign gives."""
        atoms = cut(messages)
        contexts = atoms.contexts(np.arange(len(atoms.lines)))
        assert list(zip(atoms.lines.tolist(), atoms.texts(), contexts, strict=True)) == naive_atoms(messages)

    def test_families_know_the_first_id_of_each_line(self) -> None:
        """Of several ids of one family in a line the first counts, in slices of messages as in one."""
        messages = [f"copy req-{at} to req-{at + 1}" for at in range(2_500)]
        (family,) = find_families(messages)
        assert [family.found.texts[one] for one in family.found.ids.tolist()] == [f"req-{at}" for at in range(2_500)]
        assert family.found.lines.tolist() == list(range(2_500))


class TestMadeLogs:
    def test_finds_the_run_and_says_why(self) -> None:
        """Of a unique id and a process id that group alike, the message's unique id is chosen, with reasons printed."""
        found = discover_session_key(service(300))
        assert found.key.describe() == "<hex>.<hex> in the message"
        assert found.key.find(Fields("65a1000f.12d 3 app=shop begin row 7")) == "65a1000f.12d"
        first, *others = found.reasons()
        assert first.startswith(
            "session key: <hex>.<hex> in the message (100% of 2,096 lines, 300 ids, 6.6 keys an id;"
        )
        assert any(line.startswith("not pid in the header") for line in others)
        assert all("\n" not in line for line in [first, *others])

    def test_an_id_that_returns_gives_way(self) -> None:
        """A process id that is used again and again spans the log; the unique id does not."""
        found = discover_session_key(service(300, pids=12))
        assert found.key.where == "message"
        pid = next(one for one in found.candidates if one.key.field == "pid")
        assert "a place, not a run" in pid.why_not(None)

    def test_header_when_the_message_has_none(self) -> None:
        """Without an id in the messages, the header's process id is the session."""
        sample = [(Fields(fields.message.split(" ", 1)[1], named=fields.named), key) for fields, key in service(300)]
        assert discover_session_key(sample).key.describe() == "pid in the header"

    def test_a_category_is_no_session(self) -> None:
        """A component says which keys come but not in which order; a host never ends: the log has no session."""
        sample = [(Fields("x", named=fields.named[1:]), key) for fields, key in service(300)]
        random.Random(0).shuffle(sample)
        assert discover_session_key(sample).key.where == "none"

    @pytest.mark.parametrize("stretches", [2, 3, 30, 300])
    def test_a_stretch_of_time_is_no_session(self, stretches: int) -> None:
        """A date or the file of a rotation groups neighbouring lines, but its stretches begin anywhere in a run."""
        log = [(fields.message.split(" ", 2)[2], key) for fields, key in service(600, clients=1)]
        sample = [
            (Fields(text, named=(("file", f"log.{at * stretches // len(log)}"),)), key)
            for at, (text, key) in enumerate(log)
        ]
        found = discover_session_key(sample)
        assert found.key.where == "none", found.reasons()
        assert found.candidates[0].gain > 0.4

    def test_random_ids_are_no_session(self) -> None:
        """Ids handed out at random predict nothing."""
        rng = random.Random(3)
        sample = [(Fields(f"event of req-{rng.randint(1, 400)}"), rng.randint(0, 9)) for _ in range(3_000)]
        found = discover_session_key(sample)
        assert found.key.where == "none"
        assert found.reasons()[0].startswith("session key: none")

    def test_pairs_are_sessions(self) -> None:
        """The smallest session, an opening and a closing, is found."""
        rng = random.Random(5)
        moments = [(rng.uniform(at, at + 3.0), at, step) for at in range(500) for step in (0, 1)]
        pairs = {at: sorted(moment for moment, other, _ in moments if other == at) for at in range(500)}
        ordered = sorted((pairs[at][step], at, step) for at in pairs for step in (0, 1))
        sample = [(Fields(f"{('open', 'close')[step]} handle-{at}"), step) for _, at, step in ordered]
        assert discover_session_key(sample).key.name == "handle-<n>"

    def test_an_id_counts_where_it_stands_elsewhere(self) -> None:
        """The same ids beside other words join the family; other ids of that shape beside other words do not."""
        rng = random.Random(7)
        sample: Sample = []
        for fields, step in service(300):
            run = f"{int(fields.named[0][1]):08x}-0000-4000-8000-000000000000"
            other = f"{rng.getrandbits(32):08x}-ffff-4000-8000-000000000000"
            where = f"[instance: {run}]" if step % 3 else f"GET /servers/{run}"
            sample.append((Fields(f"{where} tenant {other}"), step))
        key = discover_session_key(sample).key
        assert key.name in ("instance: <uuid>", "servers/<uuid>")
        assert {fields.message[-37:] in (key.find(fields) or "") for fields, _ in sample} == {False}
        assert all(key.find(fields) for fields, _ in sample)

    def test_lines_after_the_first_look_are_read_only_in_need(self) -> None:
        """Where the first lines show the session no more are taken; where they show none, all are."""
        busy = iter(service(3_000))
        assert discover_session_key(busy).key.where == "message"
        assert next(busy, None) is not None
        quiet: Sample = [(Fields("waiting"), 99)] * FIRST_LOOK
        late = discover_session_key(quiet + service(3_000))
        assert late.key.where == "message"
        assert late.candidates[0].sample > FIRST_LOOK

    def test_a_log_that_begins_amid_many_runs(self) -> None:
        """Runs that began before the log do not hide that runs begin alike."""
        sample = service(1_000, clients=200)
        middle = len(sample) // 3
        assert discover_session_key(sample[middle : middle + 1_200]).key.where == "message"

    def test_same_sample_same_answer(self) -> None:
        """Discovery is a function of the sample: the shuffles are seeded."""
        sample = service(100)
        assert discover_session_key(sample) == discover_session_key(sample)


class TestAnyText:
    @settings(max_examples=60, deadline=None)
    @given(st.lists(st.tuples(st.text(max_size=60), st.text("ab1 -_.:[=\0\x01é٣", max_size=12)), max_size=12))
    @example([("٣٤ blk_٣ \0001 \x011", "1")] * 6)
    def test_never_fails(self, lines: list[tuple[str, str]]) -> None:
        """Whatever the lines hold, there is an answer with reasons, and every candidate's pattern is valid."""
        found = discover_session_key([(Fields(a + b, named=((b, a),)), len(a) % 3) for a, b in lines])
        assert found.reasons()
        for family in find_families([a + b for a, b in lines]):
            family.key()

    @pytest.mark.parametrize(
        "text", ["1 " * 50_000, "a1-" * 30_000, "é" * 100_000, "[" * 100_000 + "7", "0.1_" * 9_999]
    )
    def test_hostile_text_takes_bounded_time(self, text: str) -> None:
        """Long lines of numbers, joints, signs or letters cost no more than their first part."""
        begin = time.perf_counter()
        discover_session_key([(Fields(text), number % 3) for number in range(300)])
        assert time.perf_counter() - begin < 3.0


def discovered(path: Path, lines: int = 8_000) -> Discovery:
    """Discover the session key of a real log from its first lines, as `fit` does."""
    texts = gzip.decompress(path.read_bytes()).decode("utf-8", "replace").splitlines()[:lines]
    if "utah" in path.name:
        texts.sort(key=lambda text: text.split(" ", 3)[1:3])
    header, spell = detect_header(texts), Spell()
    split = (header.split(text) or Fields(text) for text in texts)
    return discover_session_key([(fields, spell.learn(fields.message)) for fields in split])


@pytest.mark.data
@pytest.mark.parametrize(
    ("log", "key"),
    [
        ("hdfs/HDFS_first_20000.log.gz", "blk_<n> in the message"),
        ("openstack/utah_normal.log.gz", "instance: <uuid> in the message"),
        ("openstack/utah_abnormal.log.gz", "instance: <uuid> in the message"),
        ("openstack/kalaki_sample.log.gz", "instance: <uuid> in the message"),
        ("openstack/kalaki_destroy_after_create.log.gz", "instance: <uuid> in the message"),
        ("loghub2k/OpenSSH_2k.log.gz", "pid in the header"),
        ("loghub2k/OpenStack_2k.log.gz", "instance: <uuid> in the message"),
        *(
            (f"loghub2k/{name}_2k.log.gz", "none (each source is one stream)")
            for name in ("Apache", "BGL", "HDFS", "HPC", "Linux", "Mac", "Spark", "Thunderbird")
        ),
        ("bgl/BGL_first_10000.log.gz", "none (each source is one stream)"),
    ],
)
def test_real_logs(data_dir: Path, log: str, key: str) -> None:
    """On real logs the key is the one their authors use; logs without runs (or with one line a run) have none."""
    found = discovered(data_dir / log)
    assert found.key.describe() == key, "\n".join(found.reasons())
