"""Feedback on whole sessions: one that was called normal joins those that the profile is made of (ours).

A verdict says how often each key came in its session, and the profile asks for no more. What the session taught is
itself: it is one more that others may be near to, and what a difference weighs stays as training has it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from offscript.entries import Reason, Verdict
from offscript.errors import UsageError
from offscript.models.keys import KeyModel
from offscript.models.learning import profile_of
from offscript.models.profile import Counts
from offscript.models.told_sessions import room_for_told

ENDED: Final = frozenset({Reason.INCOMPLETE_SESSION, Reason.UNUSUAL_SESSION})
"""The reasons for which a session is judged when it ends."""

AT_ONCE: Final = 1 << 12
"""Sessions scored together: with a thousand symbols their counts take 16 MiB."""

MOST: Final = int(np.iinfo(np.int32).max)
"""Of one symbol in a session: counts are held in 32 bits."""

Named = dict[tuple[str, str | None], list[int]]
"""The log keys that reported unknown lines have got, by source and session."""


def check_session(keys: KeyModel, verdict: Verdict) -> None:
    """Raise UsageError for a session of which it is not known what it held."""
    if keys.profile is not None and counts_of(keys, verdict) is None:
        raise UsageError(
            "what its session held is not in the journal",
            where=f"verdict {verdict.id}",
            remedy="run `offscript detect` again and report what it prints; if that says the same, fit again",
        )


def counts_of(keys: KeyModel, verdict: Verdict) -> dict[int, int] | None:
    """How often each key came in the session of a verdict, 0 for unknown lines; None where that is not known."""
    if verdict.counts is not None:
        return dict(verdict.counts)
    # journals of older versions have the last keys only, which may be all
    return dict(Counter(verdict.history)) if len(verdict.history) < keys.history else None


def with_sessions(keys: KeyModel, normal: Sequence[Verdict], named: Named) -> tuple[KeyModel, list[str]]:
    """The key model with the reported sessions in its profile, as far as it flags them, and what that is in sentences.

    Lines that were unknown, and are `named` by the same update, are counted by their names.
    """
    profile, learnt = keys.profile, keys.learnt
    if profile is None:
        return keys, []
    ended = [verdict for verdict in normal if verdict.reason in ENDED]
    held = [(verdict, session) for verdict in ended if (session := counts_of(keys, verdict))]
    sessions = [_symbols(keys, session, _names(verdict, named)) for verdict, session in held]
    flagged = np.flatnonzero(np.array(_scores(keys, sessions)) >= 1).tolist()
    if not flagged:
        return keys, []
    told, size = learnt.told.with_more([sessions[number] for number in flagged]), len(keys.vocabulary)
    if len(told) > room_for_told(size):
        raise UsageError(
            f"{len(told):,} different sessions told to be normal are more than a model takes",
            remedy="fit again with the logs of these days",
        )
    learnt = replace(learnt, told=told, profile=profile_of(learnt.sessions, told, size, profile.threshold))
    after = KeyModel(keys.vocabulary, keys.history, keys.count_weight, learnt)
    return after, [_told(*held[number]) for number in flagged]


def scores_of_sessions(keys: KeyModel, verdicts: Sequence[Verdict], named: Named) -> list[float]:
    """The score of the session of each verdict by its counts, which are known; unknown lines may be `named`."""
    sessions = [_symbols(keys, dict(verdict.counts or ()), _names(verdict, named)) for verdict in verdicts]
    return _scores(keys, sessions)


def _names(verdict: Verdict, named: Named) -> Sequence[int]:
    return named.get((verdict.entry.line.source, verdict.session), ())


def _scores(keys: KeyModel, sessions: Sequence[Mapping[int, int]]) -> list[float]:
    found: list[float] = []
    for start in range(0, len(sessions), AT_ONCE):
        found += keys.session_scores(_vectors(keys, sessions[start : start + AT_ONCE])).tolist()
    return found


def _symbols(keys: KeyModel, session: Mapping[int, int], names: Sequence[int]) -> dict[int, int]:
    """Counts by symbol of counts by key; as many of the unknown lines as have got `names` are counted by these."""
    found: Counter[int] = Counter()
    for key, count in named_counts(tuple(session.items()), names):
        found[keys.symbol(key)] += count
    return {symbol: min(count, MOST) for symbol, count in found.items()}


def named_counts(counts: Sequence[tuple[int, int]], names: Sequence[int]) -> tuple[tuple[int, int], ...]:
    """Counts by key in which as many of the unknown lines, key 0, as have got names are counted by these.

    What is counted by a name already stays so.

    >>> named_counts([(0, 3), (5, 1), (8, 1)], [7, 7, 8])
    ((0, 1), (5, 1), (7, 2), (8, 1))
    """
    found = Counter(dict(counts))
    names = list((Counter(names) - found).elements())[: found[0]]
    found.update(names)
    found[0] -= len(names)
    return tuple(sorted((key, count) for key, count in found.items() if count))


def _vectors(keys: KeyModel, sessions: Sequence[Mapping[int, int]]) -> Counts:
    vectors = np.zeros((len(sessions), len(keys.vocabulary)), np.int32)
    for vector, session in zip(vectors, sessions, strict=True):
        vector[list(session)] = list(session.values())
    return vectors


def _told(verdict: Verdict, session: Mapping[int, int]) -> str:
    """What a verdict taught of its session, in a sentence."""
    lines = sum(session.values())
    what = f", {verdict.detail}" if verdict.reason is Reason.UNUSUAL_SESSION else ""
    return f"a session of {lines:,} lines is normal{what} (verdict {verdict.id})"
