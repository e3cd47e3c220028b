"""Vectors of the entries of one key, and which of their places can be judged (CCS 2017 section 3.2; sorting ours).

A vector is what the paper's is: the elapsed time first, then the values in the order of the template. Place 0 is the
time, place n the n-th `<*>`. What a place holds is seen from the training log: numbers that vary about a level are
judged by a range, words of a small vocabulary by the vocabulary, and what names things or counts up by nothing.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from offscript.parse.numbers import HEX, UNIT_CODES

Floats = NDArray[np.float64]
Codes = NDArray[np.int32]
Ints = NDArray[np.int64]

TIME: Final = 0
"""The place of the elapsed time."""

FEWEST: Final = 20
"""Vectors of a key below which nothing is learnt of it: a tenth of them, from which a tail is learnt, is two."""

NUMERIC: Final = 0.95
"""Share of the values of a place that must be numbers: the others may be `-` or `unlimited`, which say nothing."""

MOST_CODES: Final = 16
"""Distinct whole numbers up to which a place may hold codes, such as states or sizes to choose from."""

DENSE: Final = 4
"""Whole numbers that fill more than one in so many of the places between their ends are a quantity: 1 to 5 items are,
200 and 404 are codes."""

NUMBERED: Final = 3
"""Words alike but for their digits from which they are numbers of things, and another number is no new word."""

REPEATS: Final = 10
"""Lines for each distinct value that a vocabulary must have had on average; with fewer it is hardly known."""

DISTINCT: Final = 0.9
"""Share of distinct values from which whole numbers without a unit are identifiers: each is of one thing."""

RISING: Final = 0.9
"""Rank correlation with time from which whole numbers are a counter or a clock: what rises must pass any range."""

RECORDS: Final = 6
"""New highest numbers in the later half from which a range is growing, as that of ids given out in turn: without any
trend one comes there in half of all cases, and six in one of ten thousand."""

UNITS: Final = frozenset(
    (
        *(UNIT_CODES.keys() - {"", HEX}),
        *("bit", "bits", "percent", "pct", "row", "rows", "page", "pages", "file", "files", "item", "items", "times"),
    )
)
"""Words behind a number that say it is a quantity, however seldom it comes twice."""


@dataclass(frozen=True, slots=True)
class Place:
    """What the training log says of the values at one `<*>`: words by code, and how the number is written.

    `words` are those that `Vectors.texts` numbers. `unit` is the suffix most numbers have, `leads` and `follows` the
    words of the template right before and behind the value, and `seconds` what one of the unit is in seconds, 0 where
    it is none of time. `missing` is the reason why the values cannot be had.
    """

    words: tuple[str, ...] = ()
    unit: str = ""
    leads: str = ""
    follows: str = ""
    seconds: float = 0.0
    missing: str = ""


@dataclass(frozen=True, slots=True)
class Vectors:
    """The vectors of one key, in the order in which they were read.

    `unit` (n,) is the session (or entry) each belongs to, what the promise counts; `before` (n,) the key before it in
    its session, 0 for none. `numbers` (n, 1 + places) are NaN where missing or no number; `texts` (n, places) are codes
    of `places[p].words`, -1 where the vocabulary is open.
    """

    key: int
    unit: Ints
    before: Ints
    numbers: Floats
    texts: Codes
    places: tuple[Place, ...]

    def __len__(self) -> int:
        """How many vectors there are."""
        return len(self.unit)


NAMING: Final = frozenset(
    (
        *("addr", "address", "fd", "gid", "handle", "id", "idx", "index", "key", "nr", "number", "oid", "pid", "port"),
        *("ref", "seq", "serial", "thread", "tid", "uid", "uuid", "xid", "#"),
    )
)
"""Words before a number that say it is a name, however often it comes again."""

_DIGITS: Final = re.compile("[0-9]+")

Sort = Literal["range", "words"]


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A place that is not judged, and why."""

    key: int
    place: int
    reason: str


def sort_of(vectors: Vectors, place: int) -> Sort | str:
    """How a place (1 or more) is judged: by "range", by "words", or not at all, and then the reason (ours).

    >>> lines = np.arange(40)
    >>> numbers = np.column_stack((lines * 0.0, 20 + lines % 7 / 10, 9000.0 + lines))
    >>> texts = np.full((40, 2), -1, np.int32)
    >>> vectors = Vectors(1, lines, lines, numbers, texts, (Place(unit="s"), Place()))
    >>> sort_of(vectors, 1), sort_of(vectors, 2)
    ('range', 'an identifier: 40 values on 40 lines')
    """
    about, numbers, texts = vectors.places[place - 1], vectors.numbers[:, place], vectors.texts[:, place - 1]
    if about.missing:
        return about.missing
    held = ~np.isnan(numbers)
    count = len(vectors)
    if held.sum() < NUMERIC * count or held.sum() < FEWEST:
        return _sort_of_words(about, texts)
    numbers = numbers[held]
    distinct = len(np.unique(numbers))
    whole = bool((numbers == np.round(numbers)).all()) and about.unit in ("", HEX)
    is_dense = distinct > 1 and DENSE * distinct > numbers.max() - numbers.min()
    if whole and distinct <= MOST_CODES and not is_dense and _sort_of_words(about, texts) == "words":
        return "words"
    if about.unit == HEX:
        return "an identifier: it is hexadecimal"
    if whole and about.follows not in UNITS:
        if is_naming(about.leads):
            return f"an identifier: it is called {about.leads!r}"
        if distinct >= DISTINCT * len(numbers):
            return f"an identifier: {distinct:,} values on {len(numbers):,} lines"
        if distinct > MOST_CODES and abs(_rank_correlation(numbers)) >= RISING:
            return "a counter: it rises with time"
        if distinct > MOST_CODES and _late_records(numbers) >= RECORDS:
            return "an identifier: ever higher ones come"
    return "range"


def is_naming(word: str) -> bool:
    """Whether a word before a number says that the number is a name: `id = 7`, `order_id=7`, `pid 7`, `port 7`.

    >>> is_naming("order_id"), is_naming("orderId"), is_naming("PID"), is_naming("size"), is_naming("paid")
    (True, True, True, False, False)
    """
    return word.lower() in NAMING or word.endswith(("_id", "-id", "Id", "ID"))


def _sort_of_words(about: Place, texts: Codes) -> Sort | str:
    if (texts < 0).any():
        return "an open vocabulary"
    words = [about.words[code] for code in np.unique(texts).tolist()]
    if len(words) * REPEATS > len(texts):
        return f"{len(words):,} different values on {len(texts):,} lines"
    numbered = Counter(folded for word in words if (folded := _DIGITS.sub("0", word)) != word and folded != "0")
    if numbered and max(numbered.values()) >= NUMBERED:
        return "names with numbers"
    return "words"


def _late_records(numbers: Floats) -> int:
    """How many numbers of the later half are higher than all before them."""
    highest = np.maximum.accumulate(numbers)
    return int((np.diff(highest)[len(numbers) // 2 - 1 :] > 0).sum())


def _rank_correlation(numbers: Floats) -> float:
    """Spearman's rank correlation of numbers with their order; 0 where all are equal."""
    if len(numbers) < 2 or numbers.min() == numbers.max():
        return 0.0
    _, place, counts = np.unique(numbers, return_inverse=True, return_counts=True)
    middle = np.cumsum(counts) - (counts + 1) / 2
    return float(np.corrcoef(middle[place.reshape(-1)], np.arange(len(numbers)))[0, 1])
