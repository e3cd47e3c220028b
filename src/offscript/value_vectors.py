"""From a parsed log to the vectors of its keys: where each entry stood, and what its values were (ours)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from offscript.config import Config
from offscript.entries import WILDCARD
from offscript.models.gauges import Follow, follow
from offscript.models.value_lessons import ValueLessons
from offscript.models.vectors import Place, Vectors
from offscript.parse.cells import Cells
from offscript.parse.learn import Parsed
from offscript.parse.numbers import seconds_in
from offscript.replay import Replayed
from offscript.value_wording import word_before, word_behind

COMPILED_FROM = 100_000
"""Entries from which the levels are followed by compiled code: as long as loading that takes."""


def value_lessons(parsed: Parsed, replayed: Replayed, config: Config, *, per_entry: bool) -> ValueLessons:
    """Return what the value models are to learn from: the vectors of the entries within sessions."""
    units = sum(map(len, replayed.sequences)) if per_entry else len(replayed.sequences)
    vectors = tuple(vectors_of(parsed, replayed, per_entry=per_entry))
    return ValueLessons(vectors, units, config.confidence, _follow(len(parsed.kept)))


def _follow(entries: int) -> Follow:
    if entries < COMPILED_FROM:
        return follow
    from offscript.models.follow_compiled import follow_compiled  # noqa: PLC0415  (loads the compiler)

    return follow_compiled


def vectors_of(parsed: Parsed, replayed: Replayed, *, per_entry: bool) -> Iterator[Vectors]:
    """Yield the vectors of each key, by key; `per_entry` says that the promise counts entries, not sessions."""
    session, place, before, elapsed = replayed.steps
    unit = session
    if per_entry:
        starts = np.cumsum([0, *map(len, replayed.sequences)])
        unit = np.where(session >= 0, starts[session] + place, -1)
    for key in parsed.templates.keys():  # noqa: SIM118  (templates are not a mapping)
        cells = parsed.cells_of(key)
        rows = np.flatnonzero(session[cells.entries] >= 0)
        entries = cells.entries[rows]
        numbers = np.column_stack((elapsed[entries], cells.numbers[rows]))
        texts = parsed.templates.template(key).text.split(WILDCARD)
        places = tuple(_place(cells, place, *around) for place, around in enumerate(pairwise(texts)))
        yield Vectors(key, unit[entries], before[entries], numbers, cells.texts[rows], places)


def _place(cells: Cells, place: int, ahead: str, behind: str) -> Place:
    """What is known of a place, with the text of the template before and behind it."""
    unit = next((unit for unit in cells.units[place] if unit), "")
    follows = word_behind(behind)
    # numbers with a unit of their own are in seconds, others in the unit that the template names
    seconds = 1.0 if seconds_in(unit) else 0.0 if unit else seconds_in(follows)
    words = cells.vocabularies[place] or ()
    return Place(words, unit, word_before(ahead), follows, seconds, cells.unknown[place] and cells.untold[place])
