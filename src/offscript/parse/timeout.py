"""The idle time-out after which a session counts as ended, learnt from the gaps within training sessions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Gaps = Sequence[float] | NDArray[np.float64]

MAX_CUT = 1e-3
"""Share of in-session gaps that may be longer than the time-out before safety is added: a session cut in two costs a
false verdict, and one session in a thousand is the share of false alarms promised by default."""

SAFETY = 5.0
"""The time-out is this many times that gap. Twice would cut hardly a normal session, but a step that takes three times
as long as ever before is to be told as a slow step, and not as the end of one session and an odd beginning of another;
with five times, what is slower than that counts as lost. Waiting costs only delay."""

MIN_TIMEOUT = 10.0
"""Seconds (or lines) below which closing gains nothing: stamps of whole seconds hide shorter gaps, and threads write
late by as much."""

MIN_SPANS = 2.0
"""The log must be this many time-outs long (ten such gaps) before silence counts as an end: in a shorter one the longer
gaps could not have been seen. The first three minutes of a file system's log show no step that follows hours later."""


@dataclass(frozen=True, slots=True)
class Timeout:
    """An idle time-out and what it was learnt from.

    `seconds` (lines, where lines have no stamps) is None where no session had two entries: then nothing closes. `gap`
    is the in-session gap that at most one in a thousand exceeds. `completed` counts the sessions idle past the
    time-out at the end of the log; 0 where the log is too short to tell, and then END is not learnt.
    """

    seconds: float | None
    gap: float
    gaps: int
    completed: int
    open: int
    span: float

    def describe(self, unit: str = "s") -> str:
        """One human line: the time-out and why; `unit` is `s`, or ` lines` for a log without stamps.

        >>> learn_timeout([1.0] * 2000, [50.0] * 90, span=5000.0).describe()
        'idle time-out 10s (at most 1 in 1,000 of 2,000 gaps within sessions is over 1s); 90 sessions completed, 0 open'
        """
        if self.seconds is None:
            return "no idle time-out: no session has two lines"
        head = f"idle time-out {_short(self.seconds)}{unit} (at most 1 in {1 / MAX_CUT:,.0f} of {self.gaps:,} gaps "
        head += f"within sessions is over {_short(self.gap)}{unit}); "
        if self.completed:
            return f"{head}{self.completed:,} sessions completed, {self.open:,} open"
        if self.span < MIN_SPANS * self.seconds:
            why = f"the log is {_short(self.span)}{unit} long, under {MIN_SPANS:.0f} time-outs"
        else:
            why = "every session goes on until the log ends"
        return f"{head}no session is known to have completed ({why}): END is not learnt"


def _short(number: float) -> str:
    return f"{number:,.0f}" if number >= 10 else f"{number:.3g}"


def learn_timeout(gaps: Gaps, censored: Gaps, span: float | None = None) -> Timeout:
    """Learn the idle time-out from training gaps, those still open at the log's end counting as at least that long.

    The share of gaps longer than a time is the product-limit estimate (Kaplan and Meier, 1958) with the silent sessions
    as right-censored. It levels off at the share of entries that were the last of their session; what lies above that
    level are gaps within sessions. With fewer than a thousand gaps the tail is not seen and is taken to fall like 1/t,
    slower than in any log measured. Ours; DESIGN section 4.

    Args:
        gaps: times between neighbouring entries of a session, seconds (or lines, where lines have no stamps).
        censored: for each session, the time from its last entry to the end of the log.
        span: the time from the first to the last line of the log; the longest of the gaps if not given.

    >>> learn_timeout([1.0] * 990 + [30.0] * 10, [500.0], span=5000.0).seconds
    150.0
    """
    seen = np.sort(np.maximum(np.asarray(gaps, np.float64), 0.0))
    silent = np.sort(np.maximum(np.asarray(censored, np.float64), 0.0))
    if span is None:
        span = max(float(seen[-1]) if len(seen) else 0.0, float(silent[-1]) if len(silent) else 0.0)
    if not len(seen):
        return Timeout(None, 0.0, 0, 0, len(silent), span)
    gap = _rarely_exceeded(seen, silent)
    seconds = max(MIN_TIMEOUT, SAFETY * gap)
    completed = int((silent > seconds).sum()) if span >= MIN_SPANS * seconds else 0
    return Timeout(seconds, gap, len(seen), completed, len(silent) - completed, span)


def _rarely_exceeded(seen: NDArray[np.float64], silent: NDArray[np.float64]) -> float:
    """Find the shortest time that at most `MAX_CUT` of the gaps within sessions exceed."""
    if len(seen) * MAX_CUT < 1:
        return float(seen[-1] / (len(seen) * MAX_CUT))
    times, ended = np.unique(seen, return_counts=True)
    at_risk = len(seen) - np.searchsorted(seen, times) + len(silent) - np.searchsorted(silent, times)
    survival = np.cumprod(1.0 - ended / at_risk)
    cut = (survival - survival[-1]) / (1.0 - survival[-1])
    return float(times[np.argmax(cut <= MAX_CUT + 1e-12)])
