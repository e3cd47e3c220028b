"""Following a growing file through its rotations (ours)."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from offscript.config import Config
from offscript.entries import Line
from offscript.errors import InputError
from offscript.parse.lines import LineSplitter
from offscript.sources.unpack import PIECE


class _Tail:
    """The open file, and what the path says about it."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.descriptor: int | None = None
        self.position = 0

    def open(self) -> bool:
        try:
            # Opening a named pipe would wait for a writer, and not ask `stop`.
            self.descriptor, self.position = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK), 0
        except FileNotFoundError:
            return False
        except OSError as reason:
            raise InputError(f"cannot be opened ({reason.strerror})", where=self.path,
                             remedy="check its permissions") from reason  # fmt: skip
        if not stat.S_ISREG(os.fstat(self.descriptor).st_mode):
            self.close()
            raise InputError("is no file that grows", where=self.path, remedy="follow one log file, or pipe it into -")
        return True

    def close(self) -> None:
        if self.descriptor is not None:
            os.close(self.descriptor)
            self.descriptor = None

    def read(self) -> bytes:
        assert self.descriptor is not None
        try:
            chunk = os.read(self.descriptor, PIECE)
        except OSError as reason:
            raise InputError(
                f"cannot be read ({reason.strerror})", where=self.path, remedy="check the disk"
            ) from reason
        self.position += len(chunk)
        return chunk

    def is_replaced(self) -> bool:
        """Whether another file now has the path; a path without a file may still get its old one's successor."""
        assert self.descriptor is not None
        try:
            there = Path(self.path).stat()
        except OSError:
            return False
        here = os.fstat(self.descriptor)
        return (there.st_dev, there.st_ino) != (here.st_dev, here.st_ino)

    def is_truncated(self) -> bool:
        assert self.descriptor is not None
        return os.fstat(self.descriptor).st_size < self.position

    def rewind(self) -> None:
        assert self.descriptor is not None
        self.position = os.lseek(self.descriptor, 0, os.SEEK_SET)


def follow(
    path: str | os.PathLike[str],
    stop: Callable[[], bool],
    poll: float = 0.2,
    *,
    config: Config | None = None,
    from_end: bool = False,
) -> Iterator[Line]:
    r"""The lines of a file, and those that are added to it until `stop()` is true (ours).

    One source throughout: numbers and offsets run on when the file is renamed away (it is read to its end, and once
    more a poll later for a writer that had it open, then the new file from its start) or truncated (read again from
    its start; what was written and truncated between two polls is lost, and a file that has grown past the old place
    by then cannot be told from one that was never truncated). A missing file is waited for. A last line is held until
    its end arrives. `poll` is in seconds: a fifth keeps up with a person watching and costs no load. Without `config`
    the defaults hold, whatever the environment says. InputError for a folder, a pipe or a device, and for what is
    unreadable.

    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = pathlib.Path(folder, "app.log").write_text("one\ntw")
    ...     answers = iter([False, False, True])
    ...     [line.text for line in follow(f"{folder}/app.log", lambda: next(answers), poll=0.01)]
    ['one']
    """
    settings = config or Config.model_construct()
    tail = _Tail(os.fspath(path))
    splitter = LineSplitter(tail.path, settings.max_line_bytes)
    try:
        if from_end and tail.open():
            _skip_to_end(tail)
        yield from _follow(tail, splitter, stop, poll)
    finally:
        tail.close()


def _follow(tail: _Tail, splitter: LineSplitter, stop: Callable[[], bool], poll: float) -> Iterator[Line]:
    leaving = False
    while not stop():
        if tail.descriptor is None and not tail.open():
            time.sleep(poll)
            continue
        if chunk := tail.read():
            yield from splitter.feed(chunk)
        elif leaving:
            yield from splitter.finish()
            tail.close()
            leaving = False
        elif tail.is_truncated():
            yield from splitter.finish()
            tail.rewind()
        else:
            leaving = tail.is_replaced()
            time.sleep(poll)


def _skip_to_end(tail: _Tail) -> None:
    """Start behind the last whole line."""
    assert tail.descriptor is not None
    end = os.lseek(tail.descriptor, 0, os.SEEK_END)
    start = max(0, end - PIECE)
    os.lseek(tail.descriptor, start, os.SEEK_SET)
    last = os.read(tail.descriptor, end - start).rfind(b"\n")
    tail.position = os.lseek(tail.descriptor, start + last + 1 if last >= 0 else end, os.SEEK_SET)
