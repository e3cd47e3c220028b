"""Arrays that begin where a line of the processor's cache does: a record of a line's size is in one, not two (ours)."""

from __future__ import annotations

from math import prod
from typing import Any, Final

import numpy as np
from numpy.typing import DTypeLike, NDArray

LINE: Final = 64
"""Bytes of a line, which the processor fetches together; memory as it is handed out begins 16 bytes behind one."""


def aligned_zeros(shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
    """Return zeros of a shape that begin at a line; what is not written to costs nothing (ours).

    >>> array = aligned_zeros((3, 2), np.int32)
    >>> array.tolist(), array.ctypes.data % LINE
    ([[0, 0], [0, 0], [0, 0]], 0)
    """
    size = prod(shape) * np.dtype(dtype).itemsize
    room = np.zeros(size + LINE, np.uint8)
    begin = -room.ctypes.data % LINE
    array: NDArray[Any] = room[begin : begin + size].view(dtype).reshape(shape)
    return array
