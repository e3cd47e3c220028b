"""The HDFS loaders: samples, full sets and raw log are read as what they are, and damaged ones are told."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests.test_parsing import write

from offscript import InputError
from offscript.evaluate.hdfs_data import AUTHORS, LOGHUB, TRAINING, find_copies, read_block_rows, read_key_lines
from offscript.evaluate.hdfs_sessions import WHOLE_NORMAL, Copy, in_order

NORMAL = ["5 22 5 5 11 9", "5 5 22 5 11 9", "5 22 5 5 11 9 26"]
BLOCKS = b"".join(b"blk_%d,5\n" % number for number in range(99))
WRONG = ["5 22", "5 22 5 7 7"]


def write_full(folder: Path) -> None:
    """Write the authors' copy under its public names."""
    write(folder / "hdfs_train", "\n".join(f"{line} " for line in NORMAL[:2]) + "\n")
    write(folder / "hdfs_test_normal", "\n".join([*NORMAL, NORMAL[0]]) + "\n")
    write(folder / "hdfs_test_abnormal", "\n".join(WRONG) + "\n\n")


def write_samples(folder: Path) -> None:
    """Write samples of both copies."""
    write(folder / "deeplog_copy_train.txt.gz", "\n".join(NORMAL[:2]) + "\n")
    write(folder / "deeplog_copy_abnormal.txt", "\n".join(WRONG) + "\n")
    write(folder / "deeplog_copy_normal_3366.txt.gz", NORMAL[0] + "\n")
    write(folder / "deeplog_copy_normal_7000.txt.gz", NORMAL[2] + "\n")
    head = "block_id,in_first_100k_lines,sequence\n"
    rows = [f"blk_{number},0,{line}" for number, line in enumerate([*NORMAL, *WRONG])]
    write(folder / "normal_by_block.csv.gz", head + "\n".join(rows[:3]) + "\n")
    write(folder / "abnormal_by_block.csv.gz", head + "\n".join(rows[3:]) + "\n")


def write_raw(folder: Path, blocks: int = 60) -> dict[str, bool]:
    """Write a raw log of interleaved blocks with its labels, and return the labels."""
    steps = [
        "INFO dfs.DataNode: Receiving block {block} src: /10.0.0.{n}:50010",
        "INFO dfs.FSNamesystem: BLOCK* allocateBlock: /tmp/part-{n}. {block}",
        "INFO dfs.DataNode: PacketResponder {n} for block {block} terminating",
    ]
    labels = {f"blk_{'-' * (number % 2)}{1000 + number}": number % 10 == 3 for number in range(blocks)}
    lines = []
    for number in range(blocks + 2):
        for step, text in enumerate(steps):
            block = number - step
            names = list(labels)
            if 0 <= block < blocks and not (labels[names[block]] and step == 2):
                lines.append(f"081109 2035{number % 60:02} {number} " + text.format(block=names[block], n=number % 200))
    write(folder / "HDFS.log", "\n".join(lines) + "\n")
    rows = [f"{name},{'Anomaly' if wrong else 'Normal'}" for name, wrong in labels.items()]
    write(folder / "anomaly_label.csv", "BlockId,Label\n" + "\n".join(rows) + "\n")
    return labels


class TestCopies:
    @pytest.mark.parametrize("place", ["", "hdfs", "HDFS_v1"])
    def test_the_full_set_of_the_authors(self, tmp_path: Path, place: str) -> None:
        """Their three files are read whole, wherever they lie, and nothing is scaled."""
        write_full(tmp_path / place)
        (copy,) = find_copies(tmp_path)
        assert (copy.name, copy.whole, copy.drawn) == (AUTHORS, True, False)
        assert copy.train == ((5, 22, 5, 5, 11, 9), (5, 5, 22, 5, 11, 9))
        split = copy.split(0)
        assert (split.normals, split.anomalies, split.scale) == (4, 2, 1.0)

    def test_full_sets_come_before_samples(self, tmp_path: Path) -> None:
        """Samples beside a full set are passed over, those of the other copy are read."""
        write_samples(tmp_path / "hdfs")
        write_full(tmp_path)
        copies = {copy.name: copy for copy in find_copies(tmp_path)}
        assert copies[AUTHORS].whole
        assert not copies[LOGHUB].whole
        assert copies[LOGHUB].drawn

    def test_samples_are_scaled(self, tmp_path: Path) -> None:
        """The normal sessions of a sample stand for those of the whole set, the anomalous for themselves."""
        write_samples(tmp_path)
        split = find_copies(tmp_path)[0].split(0)
        assert split.scale == WHOLE_NORMAL / 2
        assert split.stands_for.sum() == pytest.approx(WHOLE_NORMAL + 2)
        assert dict(zip(split.test, split.normal.tolist(), strict=True))[(5, 22)] == 0

    def test_the_raw_log_is_parsed_by_block(self, tmp_path: Path) -> None:
        """Each labelled block of the raw log is a session in the order of its lines; keys tell its steps apart."""
        labels = write_raw(tmp_path)
        (copy,) = find_copies(tmp_path)
        assert (copy.name, copy.whole) == (LOGHUB, True)
        assert len(copy.normal) == sum(not wrong for wrong in labels.values())
        assert len(set(copy.normal)) == 1
        assert len(copy.normal[0]) == len(set(copy.normal[0])) == 3
        assert set(copy.anomalous) == {copy.normal[0][:2]}

    def test_labels_without_blocks_are_told(self, tmp_path: Path) -> None:
        """Labels that the log does not have are counted in the notes; that it has none at all is an error."""
        write_raw(tmp_path)
        with (tmp_path / "anomaly_label.csv").open("a") as file:
            file.write("blk_7,Normal\n")
        assert any("1 labelled blocks are not in HDFS.log" in note for note in find_copies(tmp_path)[0].notes)
        write(tmp_path / "anomaly_label.csv", "BlockId,Label\nblk_7,Normal\n")
        with pytest.raises(InputError, match=r"anomaly_label\.csv: names none of the 60 blocks"):
            find_copies(tmp_path)

    def test_labels_of_lines_are_no_labels_of_blocks(self, tmp_path: Path) -> None:
        """A label file by line number is refused, with the file that is meant."""
        write_raw(tmp_path)
        write(tmp_path / "anomaly_label.csv", "line,label\n1,1\n")
        with pytest.raises(InputError, match=r"anomaly_label\.csv: labels lines, not blocks; give HDFS_v1's"):
            find_copies(tmp_path)


class TestDraws:
    COPY = Copy(LOGHUB, (), tuple((n,) for n in range(40)), ((99,),), whole=False, files=("x.csv",))

    def test_a_draw_trains_on_some_and_judges_the_rest(self) -> None:
        """No drawn training session is judged, each draw is another one, and the same number gives the same draw."""
        splits = [self.COPY.split(draw, 10) for draw in (0, 0, 1)]
        for split in splits:
            assert len(split.train) == 10
            assert not set(split.train) & {session for session, n in zip(split.test, split.normal, strict=True) if n}
            assert split.normals == 30
        assert splits[0].train == splits[1].train != splits[2].train

    def test_more_than_there_are_cannot_be_drawn(self) -> None:
        """Too few normal sessions are an error with the remedy."""
        with pytest.raises(InputError, match="40 normal sessions, not more than the 4,855"):
            self.COPY.split(0, TRAINING)

    def test_equal_sessions_are_judged_once(self) -> None:
        """Distinct sessions carry how many of each label they stand for."""
        copy = Copy(AUTHORS, ((1,),), ((1,), (2,), (1,)), ((2,), (3,)), whole=True, files=("x",))
        split = copy.split(0)
        assert split.test == ((1,), (2,), (3,))
        assert split.normal.tolist() == [2, 1, 0]
        assert split.anomalous.tolist() == [0, 1, 1]
        np.testing.assert_array_equal(in_order(copy.normal)[1], [2, 1])


class TestDamaged:
    @pytest.mark.parametrize(
        ("content", "what"),
        [
            ("5 22\n5 x 22\n", r":2: holds 'x' where a key should be; keys are whole numbers"),
            ("5 22\n\n5\n", r":2: is blank; delete the line"),
            ("5 -1\n", r":1: holds '-1'"),
            ("5 " + "9" * 40 + "\n", r":1: holds '9+' where"),
            ("\n", "holds no sessions; get the file again"),
        ],
    )
    def test_a_file_of_keys(self, tmp_path: Path, content: str, what: str) -> None:
        """A line that is no session is named with file and remedy."""
        write(tmp_path / "hdfs_train", content)
        with pytest.raises(InputError, match=r"hdfs_train.*" + what):
            read_key_lines(tmp_path / "hdfs_train")

    @pytest.mark.parametrize(
        ("content", "what"),
        [
            ("block,keys\n", r":1: is not a file of sessions; .* columns block_id and sequence"),
            ("block_id,sequence\nblk_1\n", r":2: misses cells"),
            ("block_id,sequence\nblk_1,5\nblk_1,5\n", r":3: names the block 'blk_1' a second time"),
            ("block_id,sequence\nblk_1,5 E7\n", r":2: holds 'E7' where a key should be"),
            ("block_id,sequence\nblk_1,\n", r":2: holds a session without keys"),
            ("block_id,sequence\n", "holds no sessions"),
        ],
    )
    def test_a_file_of_blocks(self, tmp_path: Path, content: str, what: str) -> None:
        """A row that is no session is named with file and remedy."""
        write(tmp_path / "n.csv", content)
        with pytest.raises(InputError, match=r"n\.csv.*" + what):
            read_block_rows(tmp_path / "n.csv")

    @pytest.mark.parametrize(
        ("reader", "text"),
        [(read_key_lines, b"5 22\n" * 99), (read_block_rows, b"block_id,sequence\n" + BLOCKS)],
    )
    def test_a_damaged_archive(self, tmp_path: Path, reader: Callable[[Path], object], text: bytes) -> None:
        """A file that cannot be unpacked, or not to its end, is an error that names it."""
        for content in (b"no archive", gzip.compress(text, mtime=0)[:-9]):
            (tmp_path / "a.gz").write_bytes(content)
            with pytest.raises(InputError, match=r"a\.gz: cannot be read"):
                reader(tmp_path / "a.gz")

    def test_a_block_with_two_labels(self, tmp_path: Path) -> None:
        """A block in both files is an error: its label is not known."""
        write_samples(tmp_path)
        write(tmp_path / "abnormal_by_block.csv.gz", "block_id,sequence\nblk_1,5\n")
        with pytest.raises(InputError, match="names the block 'blk_1', which normal_by_block"):
            find_copies(tmp_path)

    @pytest.mark.parametrize("folder", ["", "nowhere"])
    def test_nothing_found(self, tmp_path: Path, folder: str) -> None:
        """Without files the error names those expected and where they are had from."""
        with pytest.raises(InputError) as error:
            find_copies(tmp_path / folder)
        for word in (str(tmp_path), "hdfs_train", "anomaly_label.csv", "https://"):
            assert word in str(error.value)


@pytest.mark.data
def test_the_samples_are_as_described(data_dir: Path) -> None:
    """The samples hold as many sessions as the paper has to train on, and all anomalous ones."""
    authors, loghub = find_copies(data_dir)
    assert (len(authors.train), len(authors.normal), len(authors.anomalous)) == (4855, 10_366, 16_838)
    assert (len(loghub.normal), len(loghub.anomalous)) == (19_571, 16_838)
    assert sum(len(session) <= 10 for session in authors.anomalous) == 6193
    assert all(len(session) > 10 for session in authors.train)
