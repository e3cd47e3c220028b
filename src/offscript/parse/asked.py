"""Values asked of entries that are matched: numbers, and whether a text is a known one (ours; DESIGN section 6).

Whoever models values says of which keys and places. What is asked of an entry is a function of the entry alone; blocks
of lines give the same as arrays (`asked_columns`).
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from offscript.entries import Entry, Match
from offscript.parse.match import Templates
from offscript.parse.numbers import number_of
from offscript.parse.origins import by_place

Asked = tuple[tuple[int, int, frozenset[str] | None], ...]
"""Key, place in its template (0 is the first `<*>`), and the texts known there; None asks for the number."""

_NAN: Final = float("nan")


class Values(NamedTuple):
    """What was asked of a block's entries, sorted by entry, then by what was asked.

    `entries` are numbers of entries of the block, `asked` places in what is `Asked`. `numbers` are in base units and
    NaN for what is no number; for texts 0.0 where the text is among the known ones, else 1.0.
    """

    entries: NDArray[np.int32]
    asked: NDArray[np.int32]
    numbers: NDArray[np.float64]


class AskedOfKey(NamedTuple):
    """What is asked of the entries of one key: numbers in `Asked`, places, known texts; and its template."""

    wanted: tuple[tuple[int, int, frozenset[str] | None], ...]
    text: str
    frames: tuple[str, ...]


def asked_by_key(templates: Templates, asked: Asked) -> dict[int, AskedOfKey]:
    """Return what is asked of each key; ValueError for a place that its template does not have.

    >>> from offscript.parse.match import FrozenTemplate
    >>> templates = Templates([FrozenTemplate(7, ("took", "<*>", "s"), "took <*> s", 3, ("v",))], {})
    >>> of_key = asked_by_key(templates, ((7, 0, None), (7, 0, frozenset(["0.5"]))))
    >>> asked_values(templates.match("took 0.61 s"), of_key[7])
    [0.61, 1.0]
    """
    wanted: dict[int, list[tuple[int, int, frozenset[str] | None]]] = {}
    for number, (key, place, known) in enumerate(asked):
        if not 0 <= place < templates.places(key):
            raise ValueError(f"the template of key {key} has no place {place}")
        wanted.setdefault(key, []).append((number, place, known))
    return {key: AskedOfKey(tuple(of_key), *templates.wording(key)) for key, of_key in wanted.items()}


def asked_values(entry: Entry | Match, of_key: AskedOfKey) -> list[float]:
    """Return what is asked of an entry of that key, in the order of `AskedOfKey.wanted`; NaN where nothing is known."""
    placed = by_place(entry.template, of_key.text, of_key.frames, entry.values)
    if placed is None:
        return [_NAN] * len(of_key.wanted)
    return [answer(placed[place], known) for _, place, known in of_key.wanted]


def answer(text: str, known: frozenset[str] | None) -> float:
    """Return what is asked of a text.

    >>> answer("4 KB", None), answer("up", frozenset(["up", "down"]))
    (4096.0, 0.0)
    """
    if known is not None:
        return 0.0 if text in known else 1.0
    number = number_of(text)
    return _NAN if number is None else number.value
