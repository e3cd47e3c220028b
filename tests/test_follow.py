"""Following: a growing file loses nothing through rotation and truncation, and is one source."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from offscript.entries import Line
from offscript.errors import InputError
from offscript.sources import follow


class Follower:
    """Runs `follow` in a thread and waits for what it gives."""

    def __init__(self, path: Path) -> None:
        self.lines: list[Line] = []
        self.polls = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(follow(path, self._stop, poll=0.01),))
        self._thread.start()

    def _stop(self) -> bool:
        self.polls += 1
        return self._over.is_set()

    def _run(self, lines: Iterator[Line]) -> None:
        for line in lines:
            self.lines.append(line)

    def wait(self, expected: list[str]) -> None:
        """Wait until these are the texts so far."""
        deadline = time.monotonic() + 10
        while self.texts != expected and time.monotonic() < deadline:
            time.sleep(0.005)
        assert self.texts == expected

    @property
    def texts(self) -> list[str]:
        """The texts so far."""
        return [line.text for line in self.lines]

    def __enter__(self) -> Follower:
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(10)


def append(path: Path, content: str) -> None:
    """Write more to the end of a file."""
    with path.open("a") as file:
        file.write(content)


def test_follow_waits_for_the_file_and_for_the_end_of_each_line(tmp_path: Path) -> None:
    """A file that appears late is read; half a line is held until its end comes."""
    path = tmp_path / "app.log"
    with Follower(path) as follower:
        time.sleep(0.03)
        append(path, "one\ntw")
        follower.wait(["one"])
        append(path, "o\n")
        follower.wait(["one", "two"])
        time.sleep(0.1)
        assert follower.polls < 100  # no busy loop: a poll takes 10 ms
    assert [(line.number, line.offset) for line in follower.lines] == [(1, 0), (2, 4)]


def test_follow_goes_through_rename_rotation(tmp_path: Path) -> None:
    """The renamed file is read to its end, also what a writer adds right after; then the new one: one source."""
    path, old = tmp_path / "app.log", tmp_path / "app.log.1"
    append(path, "one\n")
    with Follower(path) as follower:
        follower.wait(["one"])
        path.rename(old)
        append(old, "two\nhalf")
        follower.wait(["one", "two"])
        append(path, "three\n")
        follower.wait(["one", "two", "half", "three"])
        path.unlink()
        append(tmp_path / "new", "four\n")
        (tmp_path / "new").rename(path)
        follower.wait(["one", "two", "half", "three", "four"])
    assert {line.source for line in follower.lines} == {str(path)}
    assert [line.number for line in follower.lines] == [1, 2, 3, 4, 5]
    assert [line.offset for line in follower.lines] == [0, 4, 8, 12, 18]


def test_follow_goes_through_truncation(tmp_path: Path) -> None:
    """A file that got shorter is read again from its start."""
    path = tmp_path / "app.log"
    append(path, "one\ntwo\n")
    with Follower(path) as follower:
        follower.wait(["one", "two"])
        os.truncate(path, 0)
        append(path, "new\n")
        follower.wait(["one", "two", "new"])


def test_follow_may_start_at_the_end(tmp_path: Path) -> None:
    """With `from_end` only what comes later is given, whole lines."""
    path = tmp_path / "app.log"
    append(path, "one\nha")
    asked: list[bool] = []

    def stop() -> bool:
        if not asked:
            append(path, "lf\n")
        asked.append(True)
        return len(asked) > 3

    assert [line.text for line in follow(path, stop, poll=0.001, from_end=True)] == ["half"]


def test_only_files_are_followed(tmp_path: Path) -> None:
    """A folder and a pipe are one InputError, at once."""
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(InputError, match=r"no file that grows; follow one log file"):
            next(follow(path, lambda: False))
