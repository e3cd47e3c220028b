"""The BlueGene/L stream: log keys in time order, each with a label, and no sessions."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from offscript.errors import InputError
from offscript.evaluate.hdfs_data import numbered_lines
from offscript.evaluate.public_files import files_together

FOLDERS: Final = (".", "bgl", "BGL")

NAME: Final = "stream_key_label.txt"

REMEDY: Final = (
    f"put {NAME} (or .gz) there, or in a folder `bgl` or `BGL` in it: a line `KEY LABEL` for each entry of the log in "
    "time order, KEY the number of its template, LABEL 1 for an alert, 0 for none, -1 for unknown"
)

ANOMALOUS: Final = 1
UNKNOWN: Final = -1

HIGHEST_KEY: Final = 1_000_000
"""A higher one is a damaged file: BlueGene/L has some hundred templates."""


@dataclass(frozen=True)
class Stream:
    """The entries of a log in time order: `keys` (n,) from 1 on, and what the labels say, (n,)."""

    keys: npt.NDArray[np.int64]
    anomalous: npt.NDArray[np.bool_]
    unlabelled: npt.NDArray[np.bool_]
    file: str

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def ambiguous(self) -> dict[int, tuple[int, int]]:
        """Keys that carry both labels: in how many entries they are normal, and in how many anomalous."""
        size = int(self.keys.max(initial=0)) + 1
        normal = np.bincount(self.keys[~self.anomalous & ~self.unlabelled], minlength=size)
        odd = np.bincount(self.keys[self.anomalous], minlength=size)
        return {int(key): (int(normal[key]), int(odd[key])) for key in np.flatnonzero((normal > 0) & (odd > 0))}


def find_stream(folder: Path) -> Stream:
    """Read the stream in a folder, its keys numbered from 1 on: 0 stands for lines that no template matches (ours).

    Raises InputError, naming the file expected, when there is none, or it is damaged.
    """
    if not folder.is_dir():
        raise InputError("is no folder", where=str(folder), remedy=REMEDY)
    paths = files_together(folder, FOLDERS, (NAME,))
    if not paths:
        raise InputError("holds no BlueGene/L stream", where=str(folder), remedy=REMEDY)
    return read_stream(paths[0])


def read_stream(path: Path) -> Stream:
    """Read a file of keys and labels; InputError names the line that holds something else."""
    keys, labels = array("q"), array("b")
    for number, line in numbered_lines(path):
        words = line.split()
        try:
            key, label = map(int, words)
        except ValueError:
            key, label = -1, 0
        if not 0 <= key <= HIGHEST_KEY or label not in (UNKNOWN, 0, ANOMALOUS):
            what = f"holds {line.strip()[:40]!r} where a key and a label should be"
            remedy = "each line is `KEY LABEL`, as in `12 0`; labels are 0, 1 and -1: get the file again"
            raise InputError(what, where=str(path), line=number, remedy=remedy)
        keys.append(key)
        labels.append(label)
    told = np.array(labels, np.int8)
    if not len(told):
        raise InputError("holds no entries", where=str(path), remedy="get the file again")
    return Stream(np.array(keys, np.int64) + 1, told == ANOMALOUS, told == UNKNOWN, path.name)
