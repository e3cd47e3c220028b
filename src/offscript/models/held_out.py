"""The training sessions of each fold, judged by what was learnt without it: what calibration rests on (ours)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from offscript.models.calibrate import Rule, support
from offscript.models.ensemble import Ensemble
from offscript.models.pairs import Pairs, Sightings, Symbols, at_targets, rows_at_once
from offscript.models.profile import CELLS_KEPT, Profile, alike_sessions, counts_of


@dataclass(frozen=True, slots=True)
class HeldOut:
    """The windows of all units: the pair of each is in `pairs`, `unit` and `fold` (n,) say whose it is."""

    pairs: Pairs
    unit: npt.NDArray[np.int64]
    fold: npt.NDArray[np.int64]
    count_weight: float

    def scores(self, ensemble: Ensemble, rule: Rule, asked: float) -> npt.NDArray[np.float64]:
        """For each unit its highest raw score by order, infinite with a new key: (units,)."""
        worst = np.zeros(int(self.unit.max()) + 1)
        for fold in range(len(ensemble.networks)):
            here = self.fold == fold
            others = len(worst) - len(np.unique(self.unit[here]))
            scores = self._pair_scores(fold, ensemble, rule, support(asked, others))
            np.maximum.at(worst, self.unit[here], scores[self.pairs.row[here]])
        return worst

    def _pair_scores(self, fold: int, ensemble: Ensemble, rule: Rule, often: int) -> npt.NDArray[np.float64]:
        rows = np.flatnonzero(self.pairs.units[:, fold])
        units = self.pairs.without(fold)
        known = units > 0
        sightings = Sightings(self.pairs.histories[known], self.pairs.targets[known], units[known])

        def raw(histories: Symbols) -> npt.NDArray[np.float64]:
            plain = ensemble.alone(fold, histories)
            return rule.raw(sightings.blend(histories, plain, weight=self.count_weight, often=often)[0])

        scores = np.zeros(len(self.pairs))
        most = rows_at_once(ensemble.seen.shape[1])
        scores[rows] = at_targets(self.pairs.histories[rows], self.pairs.targets[rows], raw, most)
        scores[units >= often] = 0.0
        scores[~ensemble.seen[fold][self.pairs.targets]] = np.inf
        return scores


def held_out_distances(
    sessions: list[Symbols], fold: npt.NDArray[np.int64], folds: int, symbols: int
) -> npt.NDArray[np.float64]:
    """The distance of each session's counts to the sessions of the other folds, (n,); zero where those hold none.

    >>> twice = [np.array([3, 4], np.int32), np.array([4, 3], np.int32)]
    >>> held_out_distances([*twice, np.array([3], np.int32)], np.array([0, 1, 1]), 2, symbols=5).round(2).tolist()
    [0.0, 0.0, 0.76]
    """
    alike, number = alike_sessions(sessions)
    cells = number * folds + fold
    units = np.bincount(cells, minlength=len(alike) * folds).reshape(-1, folds)
    distances = np.zeros(units.shape)
    step = max(1, CELLS_KEPT // symbols)
    for one in range(folds):
        others = units.sum(axis=1) - units[:, one]
        known, here = np.flatnonzero(others), np.flatnonzero(units[:, one])
        if not len(known):
            continue
        profile = Profile.of([alike[place] for place in known], others[known], symbols, 1.0)
        for start in range(0, len(here), step):
            part = here[start : start + step]
            distances[part, one] = profile.raw(counts_of([alike[place] for place in part], symbols))
    return np.asarray(distances.reshape(-1)[cells])
