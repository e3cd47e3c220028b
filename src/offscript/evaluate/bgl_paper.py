"""What DeepLog's paper reports of BlueGene/L (CCS 2017, section 5.3.2 and figure 10)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Reported:
    """One row: shares of 1, and milliseconds an entry."""

    precision: float
    recall: float
    f1: float
    false_positive_rate: float
    ms: float


FIGURE_10: Final = {
    (0.01, False): Reported(0.16, 1.0, 0.27, 0.401, 1.06),
    (0.01, True): Reported(0.82, 1.0, 0.90, 0.017, 3.48),
    (0.1, False): Reported(0.16, 1.0, 0.28, 0.382, 1.11),
    (0.1, True): Reported(0.88, 1.0, 0.93, 0.011, 2.46),
}
"""By the share trained on, and whether the model was updated online."""
