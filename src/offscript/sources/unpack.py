"""Decompression by magic bytes, in bounded pieces: gz, bz2, xz, zst, also inside one another (ours).

A name says nothing here. Every step takes and gives chunks of bytes; the output is capped against the compressed bytes
that went in, so a bomb ends in an error and not in memory.
"""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import zstandard

from offscript.errors import InputError

# A chunk of output: large enough that a Python call per chunk costs nothing, small beside any memory. With the rest of
# the line before it, it is no longer than the longest line may be, so that no line in it needs to be cut.
PIECE = (1 << 20) - (1 << 16)
# zstd has no bound on the output of one call: at most 128 KiB for 4 bytes, so 8 MiB for this much input.
_ZSTD_INPUT = 1 << 8
# The preset with the largest dictionary (xz -9) needs 65 MiB; windows of `zstd --long` are 128 MiB.
_MEMORY = 128 << 20
# Rates are meaningless at first: so much may always be unpacked.
FREE = 64 << 20
# A log packed twice by mistake is met; more is a trick.
DEEPEST = 3

_MAGIC = {b"\x1f\x8b": "gz", b"BZh": "bz2", b"\xfd7zXZ\x00": "xz", b"\x28\xb5\x2f\xfd": "zst"}


class _Decompressor(Protocol):
    """The part of the standard library's decompressors that is used here."""

    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def pieces(self, data: bytes) -> Iterator[bytes]:
        """What the data unpacks to, in bounded pieces."""


class _Gz:
    def __init__(self) -> None:
        self._inner = zlib.decompressobj(wbits=31)

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def pieces(self, data: bytes) -> Iterator[bytes]:
        while not self._inner.eof:
            piece = self._inner.decompress(data, PIECE)
            yield piece
            data = self._inner.unconsumed_tail
            if not data and len(piece) < PIECE:  # a full piece may leave more inside
                return


class _Bounded:
    """bz2 and xz, which keep their unread input themselves."""

    def __init__(self, inner: bz2.BZ2Decompressor | lzma.LZMADecompressor) -> None:
        self._inner = inner

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def pieces(self, data: bytes) -> Iterator[bytes]:
        yield self._inner.decompress(data, PIECE)
        while not self._inner.eof and not self._inner.needs_input:
            yield self._inner.decompress(b"", PIECE)


class _Zst:
    def __init__(self) -> None:
        self._inner = zstandard.ZstdDecompressor(max_window_size=_MEMORY).decompressobj()
        self._rest = b""

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data + self._rest

    def pieces(self, data: bytes) -> Iterator[bytes]:
        ready: list[bytes] = []
        size = 0
        for at in range(0, len(data), _ZSTD_INPUT):
            ready.append(self._inner.decompress(data[at : at + _ZSTD_INPUT]))
            size += len(ready[-1])
            if size >= PIECE:
                yield b"".join(ready)
                ready, size = [], 0
            if self._inner.eof:
                self._rest = data[at + _ZSTD_INPUT :]
                break
        yield b"".join(ready)


_OPEN: dict[str, Callable[[], _Decompressor]] = {
    "gz": _Gz,
    "bz2": lambda: _Bounded(bz2.BZ2Decompressor()),
    "xz": lambda: _Bounded(lzma.LZMADecompressor(memlimit=_MEMORY)),
    "zst": _Zst,
}
_DAMAGE = (zlib.error, OSError, ValueError, EOFError, lzma.LZMAError, zstandard.ZstdError)


@dataclass(slots=True)
class Unpacked:
    """Counts of one file: bytes taken in, and given out at the end of all unpacking."""

    source: str
    max_expansion: int
    taken: int = 0
    given: int = 0


def unpack(chunks: Iterator[bytes], counts: Unpacked) -> Iterator[bytes]:
    """The chunks as they are, or unpacked if they start as an archive does.

    InputError, after all that was readable, for a damaged or truncated archive and for a bomb.
    """
    return _capped(_layer(_counted(chunks, counts), counts, 0), counts)


def _counted(chunks: Iterator[bytes], counts: Unpacked) -> Iterator[bytes]:
    for chunk in chunks:
        counts.taken += len(chunk)
        yield chunk


def _capped(chunks: Iterator[bytes], counts: Unpacked) -> Iterator[bytes]:
    for chunk in chunks:
        counts.given += len(chunk)
        yield chunk


def _check_rate(unpacked: int, counts: Unpacked) -> None:
    if unpacked > FREE and unpacked > counts.max_expansion * counts.taken:
        raise InputError(
            f"unpacks to over {counts.max_expansion} bytes for each of its first {counts.taken} bytes, as a bomb does",
            where=counts.source, remedy="unpack it yourself if you trust it, or raise max_expansion",
        )  # fmt: skip


def _layer(chunks: Iterator[bytes], counts: Unpacked, depth: int) -> Iterator[bytes]:
    head = b""
    for chunk in chunks:
        head += chunk
        if not any(len(head) < len(magic) and magic.startswith(head) for magic in _MAGIC):
            break
    codec = next((codec for magic, codec in _MAGIC.items() if head.startswith(magic)), None)
    if codec is None:
        if head:
            yield head
        yield from chunks
        return
    if depth == DEEPEST:
        raise InputError("is packed more than three times", where=counts.source, remedy="unpack it first")
    yield from _layer(_unpacked(codec, head, chunks, counts), counts, depth + 1)


def _unpacked(codec: str, head: bytes, chunks: Iterator[bytes], counts: Unpacked) -> Iterator[bytes]:
    """One layer: the members of an archive, one behind the other."""
    magic = next(magic for magic, name in _MAGIC.items() if name == codec)
    inner, data, given = _OPEN[codec](), head, 0
    while True:
        try:
            for piece in inner.pieces(data):
                given += len(piece)
                _check_rate(given, counts)
                if piece:
                    yield piece
        except _DAMAGE as reason:
            raise _damaged(codec, f"is damaged ({reason})", counts) from reason
        data = next(chunks, b"")
        if inner.eof:
            # Archives may be padded with zeros up to a block's end.
            rest = (inner.unused_data + data).lstrip(b"\0")
            while len(rest) < len(magic) and (data := next(chunks, b"")):
                rest = (rest + data).lstrip(b"\0")
            if not rest:
                return
            if not rest.startswith(magic):
                raise _damaged(codec, "goes on with something else after its end", counts)
            inner, data = _OPEN[codec](), rest
        elif not data:
            raise _damaged(codec, "ends too early", counts)


def _damaged(codec: str, what: str, counts: Unpacked) -> InputError:
    return InputError(f"this {codec} archive {what} (at byte {counts.taken}; what came before was read)",
                      where=counts.source, remedy="copy the file again, or cut it there")  # fmt: skip
