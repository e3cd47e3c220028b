"""Loops over bytes at machine speed: numba compiles them once and keeps them in the user's own folder (ours)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numba
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from offscript.caches import edition_of, private_folder

F = TypeVar("F", bound=Callable[..., Any])

_settings: Any = numba.config  # its settings are not typed

# Numba's cache is pickle, so it may only lie where nobody else can write; else each process compiles anew, in memory.
# It keeps compiled callers although what they call has changed, hence a folder for each edition of the sources.
if not _settings.CACHE_DIR and (_folder := private_folder("numba")) is not None:
    _settings.CACHE_DIR = str(_folder / edition_of(Path(__file__).parent))


def inlined(function: F) -> F:
    """Compile a function into each of its callers.

    A call costs ten nanoseconds for each array that it hands on, for references counted; what is called for every
    line and byte is inlined. Only for functions with few places to be called from: each makes another copy.

    >>> @inlined
    ... def twice(number: int) -> int:
    ...     return 2 * number
    >>> twice(21)
    42
    """
    compiler: Any = numba.njit
    made: F = compiler(inline="always", nogil=True)(function)
    return made


def compiled(function: F) -> F:
    """Compile a function of numbers and arrays when it is first called, free of the interpreter's lock.

    >>> @compiled
    ... def twice(number: int) -> int:
    ...     return 2 * number
    >>> twice(21)
    42
    """
    compiler: Any = numba.njit
    try:
        made: F = compiler(cache=bool(_settings.CACHE_DIR), nogil=True)(function)
        _forgive(getattr(made, "_cache", None))
    except RuntimeError:  # there is nothing to key a cache by: the function stands in no file
        made = compiler(nogil=True)(function)
    return made


def _forgive(cache: Any) -> None:
    """Let a cache that is damaged, full or read-only be as if it were empty: then the process compiles anew."""
    for name in ("load_overload", "save_overload"):
        if hasattr(cache, name):
            setattr(cache, name, _forgiving(getattr(cache, name)))


def _forgiving(call: Callable[..., Any]) -> Callable[..., Any]:
    def made(*arguments: Any) -> Any:
        try:
            return call(*arguments)
        except Exception:  # whatever a pickle or a disk may raise
            return None

    return made


def _as_pointer(_: Any, address: Any) -> Any:
    def lower(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ARG001
        return builder.inttoptr(arguments[0], cgutils.voidptr_t)

    return types.voidptr(address), lower


_lowered: Any = intrinsic  # its types are those of the lowering, not of what it makes
_as_pointer_of = _lowered(_as_pointer)
_numba: Any = numba  # its exports are not typed


def _borrowed(array: Any, shape: Any, dtype: Any) -> Any:
    return _numba.carray(_as_pointer_of(array.ctypes.data), shape, dtype)


borrowed: Any = _numba.njit(inline="always")(_borrowed)
"""`borrowed(array, shape, dtype)`: the same array for inlined functions to hand on, without counting references to it,
which costs more than what they do. For compiled functions that were given the array, and only while they run."""
