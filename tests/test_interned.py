"""Byte strings as dense codes: a dictionary's codes, whatever the names, in bounded time even if made to collide."""

from __future__ import annotations

import random
import time

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from offscript.parse.interned import _MIX, _SPREAD, FIRST_BYTES, FIRST_PLACES, MAX_PROBES, Interner


def interned(interner: Interner, names: list[bytes | None]) -> list[int]:
    """Return the codes of a chunk of names, which stand in one text with other bytes between; None starts at -1."""
    data, starts, stops = bytearray(b"<"), [], []
    for name in names:
        starts.append(-1 if name is None else len(data))
        data += name or b""
        stops.append(-1 if name is None else len(data))
        data += b">"
    codes = np.full(len(names), -7)
    interner.intern(np.frombuffer(bytes(data), np.uint8), np.array(starts, int), np.array(stops, int), codes)
    return codes.tolist()


def counted(known: dict[bytes, int], names: list[bytes | None]) -> list[int]:
    """Return the codes the obvious way."""
    return [known.setdefault(name, len(known)) if name else -1 for name in names]


def signed(number: int) -> int:
    """Return the lower 64 bits as a signed number."""
    return (number + (1 << 63)) % (1 << 64) - (1 << 63)


def colliding(count: int) -> list[bytes]:
    """Return names of sixteen bytes whose hashes are all the same: the second word undoes what the first did."""
    names = []
    for first in range(count):
        mixed = signed(signed(signed(16 * _SPREAD) ^ first) * _MIX)
        mixed ^= mixed >> 29
        names.append(first.to_bytes(8, "little", signed=True) + (mixed ^ 42).to_bytes(8, "little", signed=True))
    return names


class TestCodes:
    @settings(max_examples=150, deadline=None)
    @given(
        st.lists(
            st.lists(st.none() | st.binary(max_size=20) | st.text("ab", max_size=18).map(str.encode), max_size=30),
            max_size=4,
        )
    )
    def test_codes_are_those_of_a_dictionary(self, chunks: list[list[bytes | None]]) -> None:
        """Chunk by chunk every name has the code that a dictionary gives it; `names` has them in order."""
        interner, known = Interner(), dict[bytes, int]()
        for names in chunks:
            before = len(known)
            assert interned(interner, names) == counted(known, names)
            assert interner.names(before) == list(known)[before:]
            assert len(interner) == len(known)

    def test_names_that_differ_in_any_byte_differ(self) -> None:
        """Each byte of a name counts, at every length, and its length too."""
        names: list[bytes | None] = [
            bytes(size) if at < 0 else bytes(at) + b"\1" + bytes(size - at - 1)
            for size in range(1, 40)
            for at in range(-1, size)
        ]
        assert interned(Interner(), names) == list(range(len(names)))

    def test_table_and_bytes_grow_inside_one_call(self) -> None:
        """One chunk of very many and of very long names is taken in; later chunks find them all."""
        rng = random.Random(1)
        names: list[bytes | None] = [str(rng.randrange(40 * FIRST_PLACES)).encode() for _ in range(40 * FIRST_PLACES)]
        names += [rng.randbytes(rng.randrange(1, 3 * FIRST_BYTES)) for _ in range(20)]
        interner, known = Interner(), dict[bytes, int]()
        assert interned(interner, names) == counted(known, names)
        assert interned(interner, names[::-1]) == counted(known, names[::-1])
        assert interner.names(0) == list(known)
        assert not interner._crowded

    def test_nothing_to_intern(self) -> None:
        """An empty chunk, and one without names, change nothing."""
        interner = Interner()
        assert interned(interner, []) == []
        assert interned(interner, [None, b"", None]) == [-1, -1, -1]
        assert (len(interner), interner.names(0), interner.names(7)) == (0, [], [])


class TestCollisions:
    def test_equal_hashes_never_share_a_code(self) -> None:
        """Names made to collide in all bits get codes of their own, before, between and after growths."""
        rng, names = random.Random(2), colliding(3 * MAX_PROBES)
        interner, known = Interner(), dict[bytes, int]()
        for _ in range(6):
            chunk: list[bytes | None] = [*rng.choices(names, k=100), *(rng.randbytes(9) for _ in range(FIRST_PLACES))]
            rng.shuffle(chunk)
            assert interned(interner, chunk) == counted(known, chunk)
        assert interner.names(0) == list(known)
        assert len(interner._crowded) >= len(names) - MAX_PROBES
        assert interner._crowded.keys() <= set(names)

    def test_time_is_bounded_by_the_number_of_names(self) -> None:
        """Twenty thousand names with one hash take time in proportion, not with its square."""
        names: list[bytes | None] = [*colliding(20_000)]
        interner = Interner()
        interned(interner, names[:2_000])
        begin = time.process_time()
        assert interned(interner, names) == list(range(20_000))
        assert time.process_time() - begin < 2.0
