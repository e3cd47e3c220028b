"""Sessions of keys to train on and to judge: a copy of the HDFS set, its draws, and distinct sessions with counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from offscript.errors import InputError

Session: TypeAlias = tuple[int, ...]

WHOLE_NORMAL: Final = 553_366
"""Normal test sessions of the paper (CCS 2017 table 3): false positives on a sample are scaled to as many."""


@dataclass(frozen=True)
class Split:
    """Normal sessions to train on, and distinct sessions to judge, of which each stands for some.

    `train` is every training session. `test` (d) are distinct; `normal` and `anomalous` (d,) say how many labelled
    sessions of the sample are equal to each, and only scoring looks at them. `stands_for` (d,) is how many sessions of
    the whole log each stands for: what is known of how the sample was drawn. `scale` is by how much the whole log's
    normal sessions are more than those here, 1 where nothing is scaled.
    """

    train: tuple[Session, ...]
    test: tuple[Session, ...]
    normal: npt.NDArray[np.int64]
    anomalous: npt.NDArray[np.int64]
    stands_for: npt.NDArray[np.float64]
    scale: float

    @property
    def normals(self) -> int:
        """Normal sessions judged."""
        return int(self.normal.sum())

    @property
    def anomalies(self) -> int:
        """Anomalous sessions judged."""
        return int(self.anomalous.sum())


@dataclass(frozen=True)
class Copy:
    """One copy of the set: given training sessions, if it has such, other normal sessions, and anomalous ones.

    `whole` says that all sessions of the public set are here, so that nothing is scaled; `notes` are for the report.
    """

    name: str
    train: tuple[Session, ...]
    normal: tuple[Session, ...]
    anomalous: tuple[Session, ...]
    whole: bool
    files: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def drawn(self) -> bool:
        """Whether training sessions are drawn from the normal ones: there is no file of them."""
        return not self.train

    def split(self, draw: int, size: int | None = None) -> Split:
        """The training sessions given, with all others to judge; where there are none, draw number `draw` of `size`."""
        if not self.drawn:
            return self._split(self.train, self.normal)
        return self.redrawn(draw, size)

    def redrawn(self, draw: int, size: int | None = None) -> Split:
        """Draw `size` training sessions (half if None) from all normal ones, given or not, and judge the rest."""
        pool = self.train + self.normal
        size = len(pool) // 2 if size is None else size
        if not 0 < size < len(pool):
            what = f"has {len(pool):,} normal sessions, not more than the {size:,} to train on"
            raise InputError(what, where=", ".join(self.files), remedy="get the files again")
        order = np.random.default_rng([draw, 11]).permutation(len(pool))
        return self._split(tuple(pool[n] for n in order[:size]), tuple(pool[n] for n in order[size:]))

    def _split(self, train: tuple[Session, ...], normal: tuple[Session, ...]) -> Split:
        scale = 1.0 if self.whole else max(1.0, WHOLE_NORMAL / len(normal))
        parts = Counter(normal), Counter(self.anomalous)
        test = tuple(sorted(parts[0].keys() | parts[1].keys()))
        fine, wrong = (np.array([part[session] for session in test], np.int64) for part in parts)
        return Split(train, test, fine, wrong, np.asarray(fine * scale + wrong, np.float64), scale)


def in_order(sessions: Sequence[Session]) -> tuple[tuple[Session, ...], npt.NDArray[np.int64]]:
    """The distinct sessions, sorted, and how often each comes.

    >>> in_order([(5, 7), (5,), (5, 7)])
    (((5,), (5, 7)), array([1, 2]))
    """
    counts = Counter(sessions)
    distinct = tuple(sorted(counts))
    return distinct, np.array([counts[session] for session in distinct], np.int64)
