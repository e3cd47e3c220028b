"""The figures of DeepLog's paper on HDFS, to be printed beside ours: read off its tables and figures, never computed.

Bars and curves were measured off the figures' coordinates, to about a thousandth (CCS 2017 table 4, figures 6 and 8).
They count 16,838 anomalous sessions, though its table 3 prints 15,200: only so do its FN and recall agree.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Published:
    """Precision, recall and F1 as the bars of figure 6a have them, FP and FN as table 4 prints them."""

    precision: float
    recall: float
    f1: float
    fp: int | None
    fn: int | None


TABLE_4: Final = {
    "DeepLog": Published(0.951, 0.963, 0.957, 833, 619),
    "N-gram": Published(0.922, 0.956, 0.939, 1360, 739),
    "invariant mining": Published(0.882, 0.946, 0.913, 2122, 1217),
    "PCA": Published(0.976, 0.667, 0.792, 277, 5400),
    "log clustering": Published(0.140, 0.925, 0.243, 95833, 1256),
}
"""Log clustering stands in table 4 as TFIDF, with FP and FN alone: P, R and F1 follow for 16,838 anomalous sessions."""

TOP_G: Final = (0.8891, 0.9612, 0.9806, 0.9929, 0.9985, 0.9991, 0.9994, 0.9997, 0.9998, 0.9998, 0.9999)
"""Figure 6b: the share of the keys of normal sessions that rank within g = 1, 2, ... 11."""

PARAMETERS: Final[dict[str, dict[int, tuple[float, float, float]]]] = {
    "history": {
        5: (0.909, 0.974, 0.940),
        6: (0.898, 0.973, 0.934),
        7: (0.903, 0.950, 0.926),
        8: (0.900, 0.946, 0.923),
        9: (0.926, 0.949, 0.937),
        10: (0.945, 0.963, 0.954),
    },
    "candidates": {
        7: (0.881, 0.976, 0.926),
        8: (0.932, 0.975, 0.953),
        9: (0.945, 0.963, 0.954),
        10: (0.952, 0.941, 0.946),
        11: (0.964, 0.920, 0.942),
        12: (0.971, 0.899, 0.934),
    },
    "layers": {
        1: (0.856, 0.972, 0.905),
        2: (0.945, 0.963, 0.954),
        3: (0.925, 0.945, 0.935),
        4: (0.935, 0.942, 0.938),
        5: (0.947, 0.920, 0.934),
    },
    "hidden": {
        32: (0.889, 0.979, 0.932),
        64: (0.954, 0.963, 0.954),
        128: (0.949, 0.956, 0.953),
        192: (0.951, 0.963, 0.957),
        256: (0.949, 0.941, 0.945),
    },
}
"""Figure 8: precision, recall and F1 by h, g, L and alpha, the others at their defaults."""

SYMBOLS: Final = {"history": "h", "candidates": "g", "layers": "L", "hidden": "alpha"}
"""What the paper calls the settings."""
