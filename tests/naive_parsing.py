"""The measures of parsing the obvious way, as they are defined: line by line and set by set. Slow; the truth."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

Labels = Sequence[Hashable]


def peers_of(line: int, labels: Labels) -> set[int]:
    """Return the lines with the same label as a line."""
    return {other for other in range(len(labels)) if labels[other] == labels[line]}


def grouping_accuracy(groups: Labels, reference: Labels) -> float:
    """Return the share of the lines that share their group with just the lines they should share it with."""
    lines = range(len(reference))
    return sum(peers_of(line, groups) == peers_of(line, reference) for line in lines) / len(reference)


def f1(hits: int, found: int, there: int) -> float:
    """Return the harmonic mean of precision and recall."""
    precision, recall = hits / found, hits / there
    return 2 * precision * recall / (precision + recall) if hits else 0.0


def group_f1(groups: Labels, reference: Labels) -> float:
    """Return F1 over groups, each a set of lines."""
    ours = {frozenset(peers_of(line, groups)) for line in range(len(groups))}
    theirs = {frozenset(peers_of(line, reference)) for line in range(len(reference))}
    return f1(len(ours & theirs), len(ours), len(theirs))


def template_f1(texts: Labels, reference: Labels) -> float:
    """Return F1 over templates, each a wording with its set of lines."""
    ours = {(texts[line], frozenset(peers_of(line, texts))) for line in range(len(texts))}
    theirs = {(reference[line], frozenset(peers_of(line, reference))) for line in range(len(reference))}
    return f1(len(ours & theirs), len(ours), len(theirs))
