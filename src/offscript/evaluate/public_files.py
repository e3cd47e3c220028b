"""Finding the files of a public set in a folder, whole or packed, and only where all of them are there (ours)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


def files_together(folder: Path, places: Sequence[str], names: Sequence[str]) -> list[Path]:
    """Return the files of these names, plain or `.gz`, from the first place that has all; else none.

    >>> files_together(Path("nowhere"), (".",), ("HDFS.log",))
    []
    """
    for place in places:
        found = [_plain_or_packed(folder / place / name) for name in names]
        paths = [path for path in found if path is not None]
        if len(paths) == len(names):
            return paths
    return []


def _plain_or_packed(path: Path) -> Path | None:
    packed = path.with_name(path.name + ".gz")
    return path if path.is_file() else packed if packed.is_file() else None
