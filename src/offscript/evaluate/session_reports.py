"""False alarms of whole sessions reported: which of their kinds come back among fresh sessions, and at what cost.

Only normal sessions are reported, and only those that the model flags; anomalous ones are judged before and after, and
teach nothing.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np

from offscript.config import Config
from offscript.entries import Entry, Line, Reason, Verdict
from offscript.errors import UsageError
from offscript.evaluate.hdfs_sessions import Copy, Session
from offscript.models.keys import KeyModel, SessionVerdict
from offscript.models.pairs import windows
from offscript.models.update import Step, taught
from offscript.session_feedback import with_sessions

ROUNDS: Final = 3
"""Most updates for one session: what a report opens may show another reason behind it."""

Kind = tuple[Reason | None, tuple[int, ...]]
"""A reason with the history and key, or with the keys of the session in order of their numbers."""


@dataclass(frozen=True)
class SessionReports:
    """What came of reporting the first false alarms of one half of the normal sessions, measured on the other half.

    `kinds` were reported; of the sessions of the other half that were flagged before for one of these kinds, `alike`,
    so many are `still` flagged after. `met` kinds were met there, and `back` of them alarmed again. Times are of the
    processor.
    """

    copy: str
    trained: int
    promise: str
    asked: float
    halves: tuple[int, int]
    flagged_in_reported_half: int
    reported: int
    updates: int
    refused: int
    kinds: int
    met: int
    back: int
    alike: int
    still: int
    reported_still: int
    flagged_before: int
    flagged_after: int
    anomalies: int
    found_before: int
    found_after: int
    update_mean: float
    update_max: float

    @property
    def quiet(self) -> float:
        """The share of sessions of the reported kinds that alarm no more."""
        return 1 - self.still / self.alike if self.alike else 1.0

    @property
    def recalls(self) -> tuple[float, float]:
        """The share of the anomalous sessions found, before and after."""
        return self.found_before / max(1, self.anomalies), self.found_after / max(1, self.anomalies)

    def record(self) -> dict[str, Any]:
        """Every figure by name."""
        before, after = self.recalls
        return asdict(self) | {
            "halves": list(self.halves),
            "quiet": round(self.quiet, 4),
            "recall_before": round(before, 5),
            "recall_after": round(after, 5),
        }


def report_sessions(copy: Copy, config: Config, *, trained: int, most: int) -> SessionReports:
    """Fit on some normal sessions, report the first `most` false alarms of half of the others, judge the other half.

    Raises InputError where there are not more normal sessions than are trained on.
    """
    copy.redrawn(0, trained)  # says so where there are too few
    pool = copy.train + copy.normal
    order = np.random.default_rng([0, 11]).permutation(len(pool))
    sessions = [pool[number] for number in order]
    model = KeyModel.fit(sessions[:trained], config)
    middle = (trained + len(sessions)) // 2
    mine, fresh = sessions[trained:middle], sessions[middle:]
    wrong = _flagged(model, mine)
    after, times, refused = _taught_all(model, [session for session, _ in wrong[:most]])
    kinds = {_kind(model, session, verdict) for session, verdict in wrong[:most]}
    before = _flagged(model, fresh)
    alike = [(session, kind) for session, verdict in before if (kind := _kind(model, session, verdict)) in kinds]
    again = Counter(_kind(after, session, verdict) for session, verdict in _flagged(after, fresh))
    met = {kind for _, kind in alike}
    return SessionReports(
        copy.name,
        trained,
        model.promise.describe(),
        config.false_alarms,
        (len(mine), len(fresh)),
        len(wrong),
        len(wrong[:most]),
        len(times) - refused,
        refused,
        len(kinds),
        len(met),
        len(met & again.keys()),
        len(alike),
        len(_flagged(after, [session for session, _ in alike])),
        len(_flagged(after, [session for session, _ in wrong[:most]])),
        len(before),
        again.total(),
        len(copy.anomalous),
        len(_flagged(model, copy.anomalous)),
        len(_flagged(after, copy.anomalous)),
        float(np.mean(times)) if times else 0.0,
        max(times, default=0.0),
    )


def _flagged(model: KeyModel, sessions: Sequence[Session]) -> list[tuple[Session, SessionVerdict]]:
    judged = zip(sessions, model.judge(sessions), strict=True)
    return [(session, verdict) for session, verdict in judged if verdict.is_anomaly]


def _kind(model: KeyModel, session: Session, verdict: SessionVerdict) -> Kind:
    if verdict.reason is Reason.UNUSUAL_SESSION:
        return verdict.reason, tuple(sorted(session))
    at = verdict.position
    return verdict.reason, session[max(0, at - model.history) : at + 1]


def _taught_all(model: KeyModel, sessions: Sequence[Session]) -> tuple[KeyModel, list[float], int]:
    """Report one session after another, each with all that is said of it, as long as the version in force flags it."""
    times: list[float] = []
    refused = 0
    for session in sessions:
        for _ in range(ROUNDS):
            if not (verdicts := verdicts_of(model, session)):
                break
            began = time.process_time()
            try:
                model = taught_of(model, verdicts)
            except UsageError:
                refused += 1
            times.append(time.process_time() - began)
    return model, times, refused


def taught_of(model: KeyModel, verdicts: Sequence[Verdict]) -> KeyModel:
    """The next version of a key model after reports of false alarms: what `feedback.learn` teaches it of them."""
    steps = [
        Step(verdict.history, None if verdict.reason is Reason.INCOMPLETE_SESSION else verdict.entry.key)
        for verdict in verdicts
        if verdict.reason is not Reason.UNUSUAL_SESSION
    ]
    return with_sessions(taught(model, steps), verdicts, {})[0]


def verdicts_of(model: KeyModel, session: Session) -> list[Verdict]:
    """What is said of a session that has ended: a verdict for each step that is flagged, else one for its counts.

    >>> model = KeyModel.fit([[1, 2, 3]] * 40, Config(hidden=8, layers=1, training_steps=100, folds=2))
    >>> [(one.reason, one.entry.key) for one in verdicts_of(model, (1, 9, 3))][0]
    (<Reason.NEW_KEY: 'new_key'>, 9)
    """
    found = windows([model.vocabulary.encode(session)], [model.learns_end], model.history)
    scores = model.surprise(found.histories, found.targets)
    counts = tuple(sorted(Counter(session).items()))
    said = []
    for position in found.position[scores >= 1].tolist():
        if position == len(session):
            said.append(_verdict(Reason.INCOMPLETE_SESSION, model, session, position, counts))
            continue
        known = session[position] in model.vocabulary.numbers
        said.append(_verdict(Reason.UNEXPECTED_KEY if known else Reason.NEW_KEY, model, session, position, None))
    if not said and model.judge([session])[0].is_anomaly:
        said.append(_verdict(Reason.UNUSUAL_SESSION, model, session, len(session), counts))
    return said


def _verdict(
    reason: Reason, model: KeyModel, session: Session, position: int, counts: tuple[tuple[int, int], ...] | None
) -> Verdict:
    key = session[min(position, len(session) - 1)] if session else 0
    entry = Entry(Line("", "sessions", position), key, (), "", session="session")
    history = session[max(0, position - model.history) : position]
    return Verdict("", reason, 1.0, entry, session="session", history=history, counts=counts)
