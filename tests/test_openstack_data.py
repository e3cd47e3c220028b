"""The OpenStack set: what is read of it, its vectors, and controlled changes to its lines."""

from __future__ import annotations

import gzip
import math
import random
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.conftest import SMALL

from offscript import Config, InputError, Line, Model, fit
from offscript.evaluate.openstack_changes import Kind, Step, change, delayed, steps_of, with_number
from offscript.evaluate.openstack_data import (
    SESSION,
    OpenStack,
    find_openstack,
    in_time,
    read_labels,
    stamp_of,
    stream,
)
from offscript.evaluate.openstack_vectors import Vector, vectors_of

START = datetime(2017, 5, 16, tzinfo=UTC).timestamp()


def machine_id(number: int) -> str:
    """The id of a machine."""
    return f"{number:08x}-fe1a-409b-b8cc-1e88b294cd1d"


def machine_lines(number: int, start: float, chance: random.Random, slow: float = 1.0) -> list[str]:
    """The lines of one machine: claimed, spawned in about 20 s, ended."""
    spawn = chance.gauss(19.8, 0.4) * slow
    free = chance.gauss(0.5, 0.01)
    steps = [
        (0.0, "Attempting claim: memory 2048 MB, disk 20 GB"),
        (0.033, "Creating image"),
        (spawn - 0.05, "VM Started (Lifecycle Event)"),
        (0.05, f"Took {spawn:.2f} seconds to spawn the instance on the hypervisor."),
        (0.14, f"Took {spawn + 0.9:.2f} seconds to build instance."),
        (chance.gauss(7.5, 0.05), "Terminating instance"),
        (free, f"Took {free:.2f} seconds to deallocate network for instance."),
    ]
    lines, time = [], start
    for elapsed, text in steps:
        time += elapsed
        stamp = datetime.fromtimestamp(time, UTC).isoformat(sep=" ", timespec="milliseconds")[:23]
        head = f"nova-compute.log.1.2017-05-16_13:55:31 {stamp} 2931 INFO nova.compute.manager"
        lines.append(f"{head} [req-{chance.getrandbits(32):08x} - - - - -] [instance: {machine_id(number)}] {text}")
    return lines


def machine_log(count: int, seed: int, first: int = 0, slow: Sequence[int] = ()) -> list[str]:
    """The lines of some machines, machine after machine; a new one begins every 12 s."""
    chance = random.Random(seed)
    return [
        line
        for number in range(first, first + count)
        for line in machine_lines(number, START + 12 * number, chance, 2.0 if number in slow else 1.0)
    ]


SLOW = (1003, 1011)
NORMAL = machine_log(100, seed=1)
ABNORMAL = machine_log(16, seed=2, first=1000, slow=SLOW)
LABELS = "These machines were slowed:\n\n" + "\n".join(map(machine_id, SLOW)) + "\n"
TINY = Config(session=SESSION, false_alarms=0.05, **SMALL)


def write_set(folder: Path, labels: str = LABELS) -> Path:
    """Write the set as a sample."""
    folder.mkdir(exist_ok=True)
    for name, lines in (("utah_normal.log.gz", NORMAL), ("utah_abnormal.log.gz", ABNORMAL)):
        (folder / name).write_bytes(gzip.compress("".join(f"{line}\n" for line in lines).encode()))
    (folder / "utah_anomalous_instances.txt").write_text(labels)
    return folder


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> OpenStack:
    """The set as it is read."""
    return find_openstack(write_set(tmp_path_factory.mktemp("openstack")))


@pytest.fixture(scope="module")
def model(data: OpenStack) -> Model:
    """A model of the first 70 normal machines."""
    return fit(stream(data.normal[:70]), TINY)


class TestReading:
    def test_machines_and_their_lines_are_in_time_order(self, data: OpenStack) -> None:
        """The files have machine after machine; the stream has their lines as they were written, one among others."""
        lines = stream(data.normal)
        assert len(lines) == len(NORMAL)
        assert [stamp_of(line) for line in lines] == sorted(map(stamp_of, lines))
        assert len({line.text.split("instance: ")[1][:8] for line in lines[:20]}) > 2
        assert [machine.name for machine in data.normal] == [machine_id(number) for number in range(100)]
        assert data.labelled == {machine_id(number) for number in SLOW}

    def test_a_line_keeps_where_it_stands(self, data: OpenStack) -> None:
        """Line numbers are those of the file, though the stream is in time order."""
        assert [line.number for line in data.normal[2].lines] == list(range(15, 22))
        assert data.normal[2].lines[0].text == NORMAL[14]

    def test_lines_of_one_stamp_stay_as_they_stood(self) -> None:
        """Sorting moves nothing that happened at the same millisecond."""
        lines = [Line(f"nova.log 2017-05-16 00:00:0{at}.000 {what}") for at, what in ((2, "c"), (1, "b"), (1, "a"))]
        assert [line.text[-1] for line in in_time(lines)] == ["b", "a", "c"]

    @pytest.mark.parametrize("place", [".", "openstack", "OpenStack"])
    def test_the_public_set_is_taken_first(self, tmp_path: Path, place: str) -> None:
        """The public files are read under their names, both normal ones, rotated log names and all; then the sample."""
        write_set(tmp_path)
        folder = tmp_path / place
        folder.mkdir(exist_ok=True)
        api = "nova-api.log.1.2017-05-16_13:53:08 2017-05-16 00:00:00.008 25746 INFO nova.osapi_compute [req-1] GET"
        (folder / "openstack_normal1.log").write_text("\n".join([api, *NORMAL[: 7 * 60]]) + "\n")
        (folder / "openstack_normal2.log").write_text("\n".join([*NORMAL[7 * 60 :], "Traceback", api]) + "\n")
        (folder / "openstack_abnormal.log").write_text("\n".join(ABNORMAL) + "\n")
        (folder / "anomaly_labels.txt").write_text(LABELS)
        data = find_openstack(tmp_path)
        assert data.files[0] == "openstack_normal1.log"
        assert len(data.normal) == 100
        assert data.notes == (
            "openstack_normal1.log, openstack_normal2.log: 3 of 703 lines name no machine, or have no stamp, "
            "and were left out",
        )

    def test_a_machine_in_both_logs_is_no_normal_one(self, tmp_path: Path) -> None:
        """What the abnormal log holds is not trained on."""
        write_set(tmp_path)
        both = "\n".join([*ABNORMAL, *NORMAL[:7]]) + "\n"
        (tmp_path / "utah_abnormal.log.gz").write_bytes(gzip.compress(both.encode()))
        data = find_openstack(tmp_path)
        assert (len(data.normal), len(data.abnormal)) == (99, 17)
        assert "1 machines are in utah_abnormal.log.gz too" in data.notes[0]

    @pytest.mark.parametrize(
        ("name", "text", "what"),
        [
            ("utah_anomalous_instances.txt", "none\n", "names no machine"),
            ("utah_anomalous_instances.txt", machine_id(7) + "\n", "names none of the 16 machines of utah_abnormal"),
            ("utah_normal.log.gz", "2017-05-16 00:00:00.008 INFO no machine\n", "has no line with a stamp that names"),
            ("utah_normal.log.gz", "", "is empty"),
        ],
    )
    def test_damaged_files_are_named(self, tmp_path: Path, name: str, text: str, what: str) -> None:
        """Each is one error that names file and fact."""
        write_set(tmp_path)
        (tmp_path / name).write_text(text)
        with pytest.raises(InputError, match=what) as caught:
            find_openstack(tmp_path)
        assert caught.value.where is not None
        assert name in caught.value.where

    def test_nothing_to_read(self, tmp_path: Path) -> None:
        """A folder without the files, or none at all, is an error that says where the set is found."""
        for folder in (tmp_path, tmp_path / "nowhere"):
            with pytest.raises(InputError, match=r"put openstack_normal1.log.*github.com/logpai/loghub"):
                find_openstack(folder)

    def test_ids_of_any_label_file(self, tmp_path: Path) -> None:
        """Whatever stands around the ids is passed over."""
        (tmp_path / "labels.txt").write_text(f"injected:\n  {machine_id(3)} (slow), {machine_id(4)}\n")
        assert read_labels(tmp_path / "labels.txt") == {machine_id(3), machine_id(4)}


class TestVectors:
    def test_elapsed_time_then_numbers(self, model: Model, data: OpenStack) -> None:
        """Elapsed time is that since the machine's own previous line; what is no number is NaN."""
        (vectors,) = vectors_of(model, data.normal[5:6])
        assert math.isnan(vectors[0].elapsed)
        assert vectors[1].elapsed == pytest.approx(0.033, abs=1e-3)
        assert [math.isnan(number) for number in vectors[0].numbers] == [True, False, False]
        assert vectors[0].numbers[1:] == (2048, 20)
        assert [vector.before for vector in vectors] == [0, *(vector.key for vector in vectors[:-1])]


class TestChanges:
    @given(
        place=st.integers(1, 6),
        factor=st.floats(1.01, 10),
        seed=st.integers(0, 99),
        hour=st.sampled_from([0.0, 86391.0]),
    )
    @settings(max_examples=40, deadline=None)
    def test_a_slow_step_moves_all_that_follows(self, place: int, factor: float, seed: int, hour: float) -> None:
        """One elapsed time grows, to the stamp's millisecond, and no other changes, nor any other part of a line."""
        lines = tuple(map(Line, machine_lines(1, START + hour, random.Random(seed))))
        times = [when(line) for line in lines]
        vectors = [Vector(line, n + 1, n, times[n] - times[n - 1], (), ()) for n, line in enumerate(lines)]
        step = Step(Kind.TIME, "x", place + 1, place)
        found = change(None, step, factor, vectors, 0)  # type: ignore[arg-type]  # times need no templates
        extra = round((factor - 1) * vectors[place].elapsed, 3)
        assert (found is None) == (extra == 0)
        if found is None:
            return
        moved = [when(line) - old for line, old in zip(found.lines, times, strict=True)]
        assert moved == pytest.approx([0.0] * place + [extra] * (len(lines) - place), abs=1e-5)
        assert found.at is found.lines[place]
        assert [line.text.split(" ", 3)[3] for line in found.lines] == [line.text.split(" ", 3)[3] for line in lines]

    def test_delays_pass_midnight(self) -> None:
        """A stamp moves on into the next day."""
        assert delayed(Line("a 2017-05-16 23:59:59.999 x"), 0.001).text == "a 2017-05-17 00:00:00.000 x"

    @pytest.mark.parametrize(
        ("text", "place", "factor", "after"),
        [
            ("took 19.00 s, 2 left", 0, 1.5, "took 28.50 s, 2 left"),
            ("took 19.05 s, 2 left", 1, 2.0, "took 19.05 s, 4 left"),
            ("took 0.00 s, 0 left", 0, 2.0, "took 0.01 s, 0 left"),
            ("took 0.00 s, 0 left", 1, 2.0, "took 0.00 s, 1 left"),
            ("took /dev/vda s, 0 left", 0, 2.0, "took /dev/vda s, 0 left"),
        ],
    )
    def test_numbers_keep_their_form(self, text: str, place: int, factor: float, after: str) -> None:
        """A changed number has as many decimals as before; a 0 becomes the least there is; what is none stays."""
        assert with_number(Line(text), "took <*> s, <*> left", place, factor).text == after

    def test_what_may_be_changed(self, model: Model, data: OpenStack) -> None:
        """Every step, duration and size of the log is found, with the spread that training machines have."""
        vectors = vectors_of(model, data.normal[:70])
        steps = steps_of(model, vectors)
        kinds = [step.kind for step in steps]
        assert {kind: kinds.count(kind) for kind in Kind} == {"time": 6, "duration": 3, "size": 2, "status": 4}
        spawn = next(step for step in steps if step.kind is Kind.DURATION and "spawn" in step.what)
        took = [vector.numbers[1] for some in vectors for vector in some if vector.key == spawn.key]
        low, middle, high = np.quantile(took, [0.05, 0.5, 0.95])
        assert (spawn.seen, spawn.median) == (70, middle)
        assert spawn.spread == pytest.approx((high - low) / 2 / middle)
        assert spawn.narrow
        image = next(step for step in steps if step.what.startswith("Creating image"))
        assert image.spread == pytest.approx(0.001 / 0.033, rel=0.1)  # never less than a digit of the stamp

    def test_each_change_is_one(self, model: Model, data: OpenStack) -> None:
        """In a changed machine one line differs in its text, or the lines from one on in their stamps alone."""
        (vectors,) = vectors_of(model, data.normal[80:81])
        for step in steps_of(model, vectors_of(model, data.normal[:70])):
            made = change(model, step, 2.0, vectors, 0)
            if made is None:
                assert step.kind is Kind.STATUS  # this small log has no such words
                continue
            pairs = zip(made.lines, data.normal[80].lines, strict=True)
            differing = [(new, old) for new, old in pairs if new != old]
            assert made.at is differing[0][0]
            assert all((new.number, new.offset) == (old.number, old.offset) for new, old in differing)
            if step.kind is not Kind.TIME:
                assert len(differing) == 1
                assert stamp_of(differing[0][0]) == stamp_of(differing[0][1])

    def test_of_several_such_entries_one_is_changed(self) -> None:
        """Which one is drawn by number."""
        vectors = [Vector(Line(f"a INFO {n}"), 1, 0, 1.0, (), ()) for n in range(3)]
        step = Step(Kind.STATUS, "x", words=(" INFO ", " ERROR "))
        found = [change(None, step, 1, vectors, draw) for draw in range(4)]  # type: ignore[arg-type]
        assert [one.at.text for one in found if one] == ["a ERROR 0", "a ERROR 1", "a ERROR 2", "a ERROR 0"]


def when(line: Line) -> float:
    """The time of a line."""
    return datetime.fromisoformat(stamp_of(line) + "+00:00").timestamp()


@pytest.mark.data
def test_the_authors_logs_are_read_whole(data_dir: Path) -> None:
    """557 normal machines, 198 in the abnormal log, 4 of them labelled, and no line left out."""
    data = find_openstack(data_dir)
    assert (len(data.normal), len(data.abnormal), len(data.labelled)) == (557, 198, 4)
    assert (len(stream(data.normal)), len(stream(data.abnormal))) == (13_865, 4_904)
    assert data.notes == ()
