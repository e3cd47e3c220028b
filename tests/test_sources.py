"""Sources: what is named is read in order and once, whatever it is packed in; a growing file loses nothing."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import subprocess
import sys
import tarfile
import threading
import time
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from offscript.config import Config
from offscript.entries import Line
from offscript.errors import InputError
from offscript.sources import follow, read
from offscript.sources.files import why_binary
from offscript.sources.paths import find_sources, group_rotated
from offscript.sources.unpack import Unpacked, unpack

PACK: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zst": zstandard.ZstdCompressor().compress,
}
TEXT = b"".join(b"2026-11-21 10:00:00 line %d of the log\n" % i for i in range(6_000))


def texts(*paths: str | Path) -> list[str]:
    """Return the texts of all lines of the inputs."""
    return [line.text for line in read(*paths)]


def put(path: Path, content: bytes | str) -> Path:
    """Write a file, its folders too."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def refused(*paths: str | Path, config: Config | None = None) -> tuple[list[str], str]:
    """Return the lines that were given before the InputError, and its one line."""
    before: list[str] = []
    with pytest.raises(InputError) as error:
        before.extend(line.text for line in read(*paths, config=config))
    message = str(error.value)
    assert "\n" not in message
    assert ": " in message
    assert "; " in message  # where, what, remedy
    return before, message


@pytest.mark.parametrize("codec", PACK)
def test_archives_are_known_by_their_bytes(codec: str, tmp_path: Path) -> None:
    """Packed files read as their contents, under any name; members one behind the other and padding too."""
    pack = PACK[codec]
    half = TEXT.index(b"\n", len(TEXT) // 2) + 1
    for content in (pack(TEXT), pack(TEXT[:half]) + pack(TEXT[half:]), pack(TEXT) + b"\0" * 512, pack(pack(TEXT))):
        path = put(tmp_path / "named.txt", content)
        lines = list(read(path))
        assert [line.text for line in lines] == TEXT.decode().splitlines()
        assert lines[-1].offset == TEXT.rindex(b"\n", 0, -1) + 1


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(sorted(PACK)), st.binary(max_size=2000), st.integers(1, 300))
def test_any_chunking_of_an_archive_unpacks_alike(codec: str, content: bytes, size: int) -> None:
    """However the packed bytes arrive, the content is the same."""
    packed = PACK[codec](b"start " + content)
    chunks = iter([packed[at : at + size] for at in range(0, len(packed), size)])
    assert b"".join(unpack(chunks, Unpacked("a", 2000))) == b"start " + content


@settings(max_examples=80, deadline=None)
@given(st.sampled_from(sorted(PACK)), st.binary(max_size=60), st.integers(0, 200))
def test_damaged_archives_give_one_named_error(codec: str, junk: bytes, at: int) -> None:
    """Promise 5: any damage gives bytes or InputError, never another exception or a hang."""
    packed = PACK[codec](TEXT[:3000])
    damaged = packed[:at] + junk + packed[at + len(junk) :]
    with suppress(InputError):
        b"".join(unpack(iter([damaged]), Unpacked("a", 2000)))


@pytest.mark.parametrize("codec", PACK)
def test_a_truncated_archive_gives_its_lines_first(codec: str, tmp_path: Path) -> None:
    """What was readable is given, then the error names file and byte."""
    packed = PACK[codec](os.urandom(300_000).hex().encode() + b"\n" + TEXT)
    whole = PACK[codec](b"first\n") + packed[: len(packed) // 2]
    before, message = refused(put(tmp_path / "cut.log", whole))
    assert before[0] == "first"
    assert "cut.log" in message
    assert "at byte" in message


@pytest.mark.parametrize("codec", PACK)
@pytest.mark.parametrize("layers", [1, 2])
def test_a_bomb_is_an_error_and_not_memory(
    codec: str, layers: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An archive of zeros stops at the cap, however it is packed, with little memory."""
    monkeypatch.setattr("offscript.sources.unpack.FREE", 8 << 20)
    bomb = b"a line\n" + b"x" * (32 << 20)
    for _ in range(layers):
        bomb = PACK[codec](bomb)
    path = put(tmp_path / "bomb", bomb)
    del bomb
    tracemalloc.start()
    _, message = refused(path, config=Config(max_expansion=100))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "bomb" in message
    assert peak < 24 << 20


def test_an_archive_packed_too_often_is_refused(tmp_path: Path) -> None:
    """Nesting is bounded."""
    content = b"text\n"
    for _ in range(4):
        content = gzip.compress(content)
    assert "three times" in refused(put(tmp_path / "a.gz", content))[1]


def test_rotated_files_are_one_source_read_from_the_oldest(tmp_path: Path) -> None:
    """Numbers and offsets run on through the set, whichever way it is named."""
    put(tmp_path / "app.log.2.gz", gzip.compress(b"one\ntwo\n", mtime=0))
    put(tmp_path / "app.log.10", "zero\n")
    put(tmp_path / "app.log.1", "three")
    put(tmp_path / "app.log", "four\n")
    name = str(tmp_path / "app.log")
    expected = [
        Line("zero", name, 1, 0),
        Line("one", name, 2, 5),
        Line("two", name, 3, 9),
        Line("three", name, 4, 13),
        Line("four", name, 5, 18),
    ]
    assert list(read(tmp_path)) == list(read(f"{tmp_path}/app.log*")) == expected
    assert list(read(*(f"{name}{end}" for end in (".1", "", ".10", ".2.gz")))) == expected


@pytest.mark.parametrize(
    ("files", "sources"),
    [
        (
            ["s.log-20261120", "s.log-20261121.gz", "s.log"],
            [("s.log", ["s.log-20261120", "s.log-20261121.gz", "s.log"])],
        ),
        (
            ["a-2026-11-21.log", "a-2026-11-20.log", "a.log"],
            [("a.log", ["a-2026-11-20.log", "a-2026-11-21.log", "a.log"])],
        ),
        (["syslog", "syslog.1"], [("syslog", ["syslog.1", "syslog"])]),
        (["10.0.0.1", "10.0.0.2"], [("10.0.0.1", ["10.0.0.1"]), ("10.0.0.2", ["10.0.0.2"])]),
        (["node.1", "node.2"], [("node.1", ["node.1"]), ("node.2", ["node.2"])]),
        (["data-1.log", "data-2.log"], [("data-1.log", ["data-1.log"]), ("data-2.log", ["data-2.log"])]),
        (["x/app.log.1", "y/app.log"], [("x/app.log.1", ["x/app.log.1"]), ("y/app.log", ["y/app.log"])]),
        (["app.log.old", "app.log"], [("app.log", ["app.log.old", "app.log"])]),
        (["b.log", "a.log"], [("b.log", ["b.log"]), ("a.log", ["a.log"])]),
    ],
)
def test_what_is_a_rotation_and_what_is_not(files: list[str], sources: list[tuple[str, list[str]]]) -> None:
    """Dates and numbers behind a name that is here or has an ending; hosts and workers stay apart."""
    assert [(source.name, list(source.files)) for source in group_rotated(files)] == sources


def test_folders_are_read_sorted_without_hidden_or_binary_files(tmp_path: Path) -> None:
    """A folder gives its text files in order; what is passed over is reported with a reason."""
    put(tmp_path / "b" / "x.log", "two\n")
    put(tmp_path / "a.log", "one\n")
    put(tmp_path / ".hidden", "no\n")
    put(tmp_path / ".git" / "x.log", "no\n")
    put(tmp_path / "wtmp", bytes(range(256)) * 10)
    put(tmp_path / "empty.log", "")
    reading = read(tmp_path)
    assert [line.text for line in reading] == ["one", "two"]
    assert set(reading.report.skipped) == {str(tmp_path / "wtmp"), str(tmp_path / "empty.log")}
    assert len(reading.report.findings()) == 2
    assert reading.report.lines == 2
    assert reading.report.bytes_read == reading.report.bytes_unpacked == 8


def test_a_file_named_twice_is_read_once(tmp_path: Path) -> None:
    """A file given again, or by a pattern too, does not double its lines."""
    path = put(tmp_path / "a.log", "one\n")
    assert texts(path, path, tmp_path, f"{tmp_path}/*.log") == ["one"]


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "is empty"),
        (b"\n \n\n", "holds no lines"),
        (bytes(range(256)) * 300, "binary"),
        (b"\x7fELF\x02\x01\x01" + b"\0" * 9 + b"\x03\0>\0\x01\0\0\0" * 20, "binary"),
        (("text\n" * 50).encode("utf-16"), "UTF-16"),
        (b"PK\x03\x04" + b"a" * 50, "unpack it"),
        (gzip.compress(b"", mtime=0), "is empty"),
        (b"\x1f\x8b" + b"junk" * 10, "damaged"),
    ],
)
def test_what_is_no_log_is_refused_in_one_line(content: bytes, what: str, tmp_path: Path) -> None:
    """Empty, blank, binary and broken files: file, fact and remedy."""
    _, message = refused(put(tmp_path / "a.log", content))
    assert what in message
    assert "a.log" in message


def test_wrong_paths_are_refused_at_once(tmp_path: Path) -> None:
    """A missing file, an empty folder and a pattern without files are errors before anything is read."""
    for path in (tmp_path / "missing.log", tmp_path, tmp_path / "*.log"):
        with pytest.raises(InputError, match=str(tmp_path)):
            read(path)
    with pytest.raises(InputError, match="no input"):
        read()


def test_a_tar_is_named_as_such(tmp_path: Path) -> None:
    """A packed folder is no log."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        archive.add(put(tmp_path / "x.log", "one\n" * 100), "x.log")
    assert "unpack it" in refused(put(tmp_path / "a.tgz", buffer.getvalue()))[1]


def test_an_unreadable_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Permissions and failing disks give one line (stubbed: tests may run as root)."""
    path = put(tmp_path / "a.log", "one\n")

    def fail(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", fail)
    assert "Permission denied" in refused(path)[1]
    monkeypatch.undo()
    monkeypatch.setattr(os, "read", fail)
    assert "cannot be read" in refused(path)[1]


def test_progress_and_report_count_packed_bytes(tmp_path: Path) -> None:
    """Progress runs up to the size of the files; the report counts what was read, unpacked and repaired."""
    packed = gzip.compress(TEXT + b"token=abc\nbad \xff\n")
    seen: list[tuple[int, int | None]] = []
    reading = read(put(tmp_path / "a.gz", packed), progress=lambda done, total: seen.append((done, total)))
    lines = list(reading)
    assert seen[-1] == (len(packed), len(packed))
    assert (reading.report.lines, reading.report.bytes_unpacked) == (len(lines), len(TEXT) + 16)
    assert reading.report.counts == {"masked": 1, "invalid_utf8": 1}
    assert [note.split()[0] for note in reading.report.findings()] == ["1", "1"]


@settings(max_examples=60, deadline=None)
@given(content=st.binary(max_size=400))
def test_any_bytes_are_lines_or_one_error(content: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Promise 5: any file at all gives lines or InputError."""
    path = put(tmp_path_factory.getbasetemp() / "any.log", content)
    with suppress(InputError):
        list(read(path))


def test_holes_and_colours_are_text() -> None:
    """NUL at the start (a file truncated under its writer), escapes and other encodings are no reason to refuse."""
    assert why_binary(b"\0" * 5000 + b"hello world\n") is None
    assert why_binary(b"\x1b[31mred\x1b[0m caf\xe9 \xff\xfe\n" * 3) is None
    assert why_binary(os.urandom(4096)) is not None


def test_a_pipe_is_not_judged_by_its_first_bytes(tmp_path: Path) -> None:
    """One control character in the first few bytes that come says nothing about those that follow."""
    path = tmp_path / "pipe"
    os.mkfifo(path)

    def write() -> None:
        with path.open("wb", buffering=0) as pipe:
            pipe.write(b"\x01a\n")
            time.sleep(0.05)
            pipe.write(TEXT[:1000])

    writer = threading.Thread(target=write)
    writer.start()
    lines = texts(path)
    writer.join()
    assert lines[0] == "\x01a"
    assert "\n".join(lines[1:]) == TEXT[:1000].decode()


def test_reading_does_not_depend_on_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without settings the defaults hold; a variable that is wrong, or meant for learning, changes nothing."""
    monkeypatch.setenv("OFFSCRIPT_SEED", "abc")
    path = put(tmp_path / "app.log", "one\n")
    assert texts(path) == ["one"]
    answers = iter([False, True])
    assert [line.text for line in follow(path, lambda: next(answers), poll=0.001)] == ["one"]


def test_standard_input_gives_a_line_before_the_next_is_written() -> None:
    """On a pipe a line is there as soon as its newline is; packed input is unpacked too."""
    code = "from offscript.sources import read\nfor line in read('-'): print(line.source, line.text, flush=True)"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for text in (b"one", b"two"):
            process.stdin.write(text + b"\npart")
            process.stdin.flush()
            assert process.stdout.readline().endswith(text + b"\n")
        process.stdin.close()
        assert process.stdout.read() == b"- part\n"
    packed = subprocess.run([sys.executable, "-c", code], input=gzip.compress(b"x\n"), capture_output=True, check=True)
    assert packed.stdout == b"- x\n"


def test_sources_keep_their_order() -> None:
    """Inputs are read as they were named; `-` is one of them."""
    assert [source.name for source in find_sources(["-", "-"])] == ["-"]


def test_lines_of_a_long_file_are_whole_wherever_chunks_end(tmp_path: Path) -> None:
    """Chunks end with a line where one ends nearby; lines longer than that, and the last one, come whole too."""
    texts = ["x" * (977 * n % 90_000) + f" {n}" for n in range(400)] + ["last without an end"]
    path = put(tmp_path / "a.log", "\n".join(texts))
    assert path.stat().st_size > 3 << 20
    lines = list(read(path))
    assert [line.text for line in lines] == texts
    data = path.read_bytes()
    assert all(data[line.offset :].startswith(line.text.encode()) for line in lines)
    pieces = list(read(path).raw())
    assert [line for piece in pieces for line in piece] == lines
