"""What an update of the key model takes: one report, and a thousand together.

    python -m benchmarks.updates

Fitted is the model of the HDFS sessions that DeepLog's authors trained on (a folder named by OFFSCRIPT_DATA, else
`../shared/data`). Times are of the processor, on one core, beside one pass of the same model over 1,000 other normal
sessions: machines are shared, and ratios count.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Final

import numpy as np
from benchmarks.contestants import Clock
from benchmarks.parse import cores
from benchmarks.rendered import DATA

from offscript import Config, UsageError
from offscript.evaluate.hdfs_data import AUTHORS, find_copies
from offscript.evaluate.hdfs_sessions import Session
from offscript.models.keys import KeyModel
from offscript.models.pairs import windows
from offscript.models.update import Step, taught

TOGETHER: Final = 1_000
ONE_ALLOWED: Final = 1.0  # seconds that a warm update may take
MANY_ALLOWED: Final = 60.0  # seconds that a thousand reports together may take
WARM: Final = 20  # single updates, of which the slowest counts


def flagged_steps(model: KeyModel, sessions: Sequence[Session], most: int) -> list[Step]:
    """Return the distinct steps that are flagged by order, in sessions as they come."""
    found: dict[Step, None] = {}
    for start in range(0, len(sessions), TOGETHER):
        part = sessions[start : start + TOGETHER]
        each = windows([model.vocabulary.encode(session) for session in part], [True] * len(part), model.history)
        flagged = np.flatnonzero(model.surprise(each.histories, each.targets) >= 1)
        for owner, at in zip(each.session[flagged].tolist(), each.position[flagged].tolist(), strict=True):
            session = part[owner]
            history = session[max(0, at - model.history) : at]
            found[Step(tuple(history), None if at == len(session) else session[at])] = None
            if len(found) == most:
                return list(found)
    return list(found)


def damaged(sessions: Sequence[Session], seed: int) -> list[Session]:
    """Return normal sessions with a known key at a place where it does not belong: false alarms by the thousand."""
    chance, found = np.random.default_rng(seed), []
    keys = sorted({key for session in sessions for key in session})
    for session in sessions:
        at = int(chance.integers(0, len(session)))
        found.append((*session[:at], int(chance.choice(keys)), *session[at:]))
    return found


def told(name: str, model: KeyModel, steps: Sequence[Step]) -> tuple[str, float, str]:
    """Return name, processor seconds and outcome of one update with these steps."""
    with Clock() as clock:
        try:
            after = taught(model, steps)
            outcome = f"{len(after.vocabulary) - len(model.vocabulary)} new keys"
        except UsageError as error:
            outcome = f"refused: {error.what}"
    return name, clock.cpu, f"{len(steps):,} steps, {outcome}"


def run() -> bool:
    """Print the table; return whether everything stayed within what is allowed."""
    copy = next(copy for copy in find_copies(DATA) if copy.name == AUTHORS)
    model = KeyModel.fit(copy.train, Config())
    wrong = flagged_steps(model, copy.anomalous, TOGETHER + WARM)
    odd = flagged_steps(model, damaged(copy.normal, seed=0), TOGETHER)
    with Clock() as clock:
        KeyModel.from_parts(*model.parts()).judge(copy.normal[:TOGETHER])
    rows = [("judging 1,000 normal sessions", clock.cpu, "")]
    rows.append(told("first update", model, wrong[:1]))
    version, single = model, []
    for step in wrong[1:WARM]:
        single.append(told("warm update, the slowest of 19", version, [step]))
        try:
            version = taught(version, [step])
        except UsageError:
            continue
    rows.append(max(single, key=lambda row: row[1]))
    rows.append(told("a new key", version, [Step(wrong[0].history, 10_000)]))
    many = [told("anomalies together", model, wrong[WARM:]), told("stray keys, together", model, odd)]
    for name, seconds, outcome in (*rows, *many):
        print(f"{name:<34}{seconds:8.3f} s   {seconds / clock.cpu:6.1f} x   {outcome}")
    return max(seconds for _, seconds, _ in rows[2:]) < ONE_ALLOWED and max(row[1] for row in many) < MANY_ALLOWED


if __name__ == "__main__":
    with cores(1):
        sys.exit(0 if run() else 1)
