"""Which steps of a session were slow, and what is normal for them: the paper's 52 -> 53 (CCS 2017 section 4.4.2; ours).

A verdict is looked at because something is wrong, and all edges of its session are searched: a range that one normal
time in a hundred leaves would point at innocent steps in every fifth session of twenty. So an edge is slow only beyond
what training ever allows: the range of the gauge of that time, where there is one (99.9% of normal times, by a tail
fitted to them), else by as much beyond the longest time met as times of that pair, or of any, are known to scatter.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from offscript.entries import Entry, Verdict
from offscript.model import Model
from offscript.models.gauges import surprise_at
from offscript.models.values import NO_GAUGE
from offscript.models.vectors import TIME
from offscript.session_path import elapsed
from offscript.workflow.graph import Times

LEAST: Final = 1.0
"""Seconds beyond the longest time that make a slow edge where nothing is known of how times scatter: what no reader
calls slow is not told, and stamps in whole seconds are off by up to one."""


class Slow(NamedTuple):
    """The edge to the entry at a place of a path, seconds it took, and what is normal."""

    place: int
    seconds: float
    normal: Times


def slow_edges(model: Model, entries: Sequence[Entry]) -> list[Slow]:
    """Return the slow edges between entries of a session; first the one that took longest beyond what is normal.

    Edges between keys that never followed on each other in training have no normal time, and are not among them.
    """
    found: list[Slow] = []
    for place, seconds in enumerate(elapsed(entries), 1):
        pair = entries[place - 1].key, entries[place].key
        normal = model.times.get(pair)
        if normal is not None and seconds > slow_from(model, pair, normal):
            found.append(Slow(place, seconds, normal))
    return sorted(found, key=lambda one: (one.normal.high - one.seconds, one.place))


def slow_from(model: Model, pair: tuple[int, int], normal: Times) -> float:
    """The seconds beyond which an edge from one key to another is slow."""
    before, key = pair
    values = model.values
    gauge = values.gauge_of(key, TIME, before)
    if gauge != NO_GAUGE and values.gauges[gauge].after == before:
        return max(values.normal_range(gauge, values.gauges[gauge].level)[1], normal.high)
    beyond = LEAST if values.outliers is None else values.outliers.limit(surprise_at(values.confidence))
    return normal.longest + max(beyond, normal.longest - normal.low)


def told_slow(model: Model, verdict: Verdict, before: int, place: int) -> Slow | None:
    """The edge that a verdict on a time tells of, where no more is known than the verdict."""
    told = verdict.measured
    if told is None or told.place != TIME:
        return None
    normal = model.times.get((before, verdict.entry.key))
    return Slow(place, told.number, normal or Times(0, told.low, told.middle, told.high, told.high))
