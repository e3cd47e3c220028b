"""The values of all entries of a log, kept as cells while it is learnt, and given by key as arrays (ours).

While a log is read nobody knows yet which key a line will have, so its cells are those of its skeleton: for each own
value the number it is, in which unit, and, while a place has few texts, which of them. When the log has been read the
templates tell which of them stand at which `<*>` (`origins`). Values are then had by key without reading the log again.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from offscript.parse.numbers import UNIT_CODES, UNITS, in_base, number_of
from offscript.parse.origins import Origin, Origins, unstemmed

MOST_TEXTS: Final = 64
"""Texts of one value of a skeleton that are told apart: no list of states is longer; a code takes one byte."""

LONGEST_TEXT: Final = 64
"""Bytes of a text that is told from others: names that programmers write are shorter."""

ALL_TEXTS: Final = 1 << 18
"""Texts kept of all skeletons together, about 200 bytes each: a log of more is not made of print statements."""

SLACK: Final = 4
"""Cells of a quarter as many entries again are held before the oldest are forgotten: that moves all the others."""

NOT_KEPT: Final = 0xFFFF
"""Stands for the number of values of an entry whose cells are not kept."""

NO_NUMBER: Final = 255
"""The unit code of what is no number."""

OPEN: Final = "open vocabulary"
SEVERAL: Final = "several words"
STEM: Final = "the rest behind a stem"

_NAN: Final = float("nan")

Numbers = NDArray[np.int64]
Skeleton = tuple[int, Origins]


@dataclass(frozen=True, slots=True)
class Cells:
    """What stood at the places of one key: a row for each entry, a column for each `<*>` of its template (ours).

    Args:
        key: the key.
        entries: which entries of `Kept`, in reading order (n); those whose cells were not kept are left out.
        numbers: what `number_of` gives, in seconds, bytes or as it stands (n, places); NaN where there is none.
        texts: codes of the texts (n, places); -1 where the texts of a place are not told apart.
        vocabularies: the texts of each place by code, None where they are not told apart.
        units: the units that were met at each place.
        unknown: for each place why its numbers are not known, "" where they are.
        untold: for each place why its texts are not told apart, "" where they are.
    """

    key: int
    entries: Numbers
    numbers: NDArray[np.float64]
    texts: NDArray[np.int32]
    vocabularies: tuple[tuple[str, ...] | None, ...]
    units: tuple[tuple[str, ...], ...]
    unknown: tuple[str, ...]
    untold: tuple[str, ...]


class CellStore:
    """The cells of entries in reading order, 10 bytes a value and 2 an entry; only the latest `most` entries keep some.

    These are the ones that the key model learns from, too, and is calibrated on. `beyond` counts entries before them,
    `unlike` those that came over a cap of the parser and are not of the skeleton that they were counted with.

    >>> store = CellStore(10)
    >>> store.add(1, ("4ms", "up")); store.add(1, ("5ms", "up"))
    >>> list(store.numbers), list(store.texts)
    ([0.004, nan, 0.005, nan], [0, 0, 1, 0])
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.beyond = self.unlike = 0
        self.counts = array("H")
        self.numbers, self.units, self.texts = array("d"), array("B"), array("b")
        self.vocabularies: list[dict[bytes, int] | None] = []  # by slot; None: more texts than are told apart
        self._slots = array("q")  # by skeleton: its first slot, -1 for none yet
        self._texts = 0

    def __len__(self) -> int:
        """Count the entries, with those that have no cells."""
        return len(self.counts)

    def add(self, skeleton: int, values: Sequence[str] | None) -> None:
        """Keep the own values of one more entry; None where it is not of that skeleton."""
        if values is None:
            self.unlike += 1
            self.counts.append(NOT_KEPT)
            return
        self.counts.append(len(values))
        for slot, text in enumerate(values, self.slot(skeleton, len(values))):
            number = number_of(text)
            self.numbers.append(_NAN if number is None else number.value)
            self.units.append(NO_NUMBER if number is None else UNIT_CODES[number.unit])
            self.texts.append(self.code(slot, text))
        self.trim(self.most // SLACK)

    def trim(self, slack: int = 0) -> None:
        """Forget the cells of all but the latest entries, if these are more than so many too many."""
        past = len(self.counts) - self.most
        if past - self.beyond <= slack:
            return
        gone = np.array(self.counts[self.beyond : past], np.int64)
        cells = int(gone[gone != NOT_KEPT].sum())
        for column in (self.numbers, self.units, self.texts):
            del column[:cells]
        self.counts[self.beyond : past] = array("H", [NOT_KEPT]) * len(gone)
        self.beyond = past

    def slot(self, skeleton: int, values: int) -> int:
        """The first of the slots of a skeleton with so many own values."""
        while skeleton >= len(self._slots):
            self._slots.append(-1)
        if self._slots[skeleton] < 0:
            self._slots[skeleton] = len(self.vocabularies)
            self.vocabularies.extend({} for _ in range(values))
        return self._slots[skeleton]

    def code(self, slot: int, text: str) -> int:
        """The code of a text in its slot, by first sight; -1 once the slot has had too many, or one too long."""
        known = self.vocabularies[slot]
        if known is None:
            return -1
        encoded = text.encode("utf-8", "surrogatepass")
        found = known.get(encoded)
        if found is None:
            if len(known) == MOST_TEXTS or len(encoded) > LONGEST_TEXT or self._texts >= ALL_TEXTS:
                self.vocabularies[slot] = None
                return -1
            found = known[encoded] = len(known)
            self._texts += 1
        return found

    def words(self, slot: int) -> list[str] | None:
        """The texts of a slot by code; None where they are not told apart."""
        known = self.vocabularies[slot]
        return None if known is None else [text.decode("utf-8", "surrogatepass") for text in known]


class CellsByKey:
    """The cells of a whole log, by key.

    Args:
        store: the cells of its entries.
        skeletons: the skeleton of each entry.
        skeletons_of: the skeletons of each key.
        origins: the origins of a skeleton's places.
    """

    def __init__(
        self,
        store: CellStore,
        skeletons: Numbers,
        skeletons_of: dict[int, list[int]],
        origins: Callable[[int], Origins],
    ) -> None:
        self._store = store
        self._skeletons = skeletons
        self._skeletons_of = skeletons_of
        self._origins = origins
        self._numbers = np.frombuffer(store.numbers, np.float64) if store.numbers else np.zeros(0)
        self._units = np.frombuffer(store.units, np.uint8) if store.units else np.zeros(0, np.uint8)
        self._texts = np.frombuffer(store.texts, np.int8) if store.texts else np.zeros(0, np.int8)

    @cached_property
    def _begins(self) -> Numbers:
        counts = np.array(self._store.counts, np.int64)
        counts[counts == NOT_KEPT] = 0
        return np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])

    @cached_property
    def _sorted(self) -> tuple[Numbers, Numbers]:
        """The entries that have cells by skeleton, in order, and the skeletons of these."""
        kept = np.flatnonzero(np.array(self._store.counts, np.uint16) != NOT_KEPT)
        order = kept[np.argsort(self._skeletons[kept], kind="stable")]
        return order, self._skeletons[order]

    def of(self, key: int, places: int) -> Cells:
        """Return the cells of a key whose template has so many places."""
        order, sorted_skeletons = self._sorted
        parts: list[_Part] = []
        for skeleton in self._skeletons_of.get(key, []):
            first, past = np.searchsorted(sorted_skeletons, [skeleton, skeleton + 1])
            if first < past:
                entries = order[first:past]
                origins = self._origins(skeleton)
                parts.append(_Part(skeleton, entries, self._begins[entries], origins))
        entries = np.concatenate([part.entries for part in parts] or [np.zeros(0, np.int64)])
        ranks = np.argsort(entries)
        columns = [self._column(parts, place) for place in range(places)]
        numbers = np.stack([column.numbers[ranks] for column in columns], 1) if columns else np.zeros((len(ranks), 0))
        texts = np.stack([column.texts[ranks] for column in columns], 1) if columns else np.zeros((len(ranks), 0))
        return Cells(
            key,
            entries[ranks],
            numbers,
            texts.astype(np.int32),
            tuple(column.vocabulary for column in columns),
            tuple(column.units for column in columns),
            tuple(column.unknown for column in columns),
            tuple(column.untold for column in columns),
        )

    def _column(self, parts: Sequence[_Part], place: int) -> _Column:
        """One place of a key, its entries in the order of the parts."""
        numbers: list[NDArray[np.float64]] = [np.zeros(0)]
        texts: list[NDArray[np.int32]] = [np.zeros(0, np.int32)]
        vocabulary: dict[str, int] = {}
        units: set[int] = set()
        unknown = untold = ""
        for part in parts:
            found = self._numbers_of(part, part.origins[place])
            if found is None:
                unknown = STEM if part.origins[place] else SEVERAL
                found = np.full(len(part.entries), _NAN), set()
            numbers.append(found[0])
            units |= found[1]
            words = self._words_of(part, part.origins[place])
            if isinstance(words, str):
                untold = words
            else:
                codes = np.array([vocabulary.setdefault(word, len(vocabulary)) for word in words[0]], np.int32)
                texts.append(codes[words[1]])
        column = np.concatenate(numbers)
        names = tuple(UNITS[unit].name for unit in sorted(units))
        if untold:
            return _Column(column, np.full(len(column), -1, np.int32), None, names, unknown, untold)
        return _Column(column, np.concatenate(texts), tuple(vocabulary), names, unknown, untold)

    def _numbers_of(self, part: _Part, origin: Origin | None) -> tuple[NDArray[np.float64], set[int]] | None:
        """The numbers at a place of a skeleton's entries, with their units; None where the cells do not tell."""
        if origin is None:
            return None
        if origin.slot < 0:
            read = None if origin.text is None else number_of(origin.text)
            numbers = np.full(len(part.entries), _NAN if read is None else read.value)
            return numbers, set() if read is None else {UNIT_CODES[read.unit]}
        if origin.stem:
            return self._behind_stem(part, origin)
        at = part.begins + origin.slot
        numbers, units = self._numbers[at], self._units[at]
        if origin.unit:
            bare = units == UNIT_CODES[""]
            numbers = np.where(bare, [in_base(value, origin.unit) for value in numbers.tolist()], _NAN)
            units = np.where(bare, np.uint8(UNIT_CODES[origin.unit]), np.uint8(NO_NUMBER))
        return numbers, set(np.unique(units).tolist()) - {NO_NUMBER}

    def _behind_stem(self, part: _Part, origin: Origin) -> tuple[NDArray[np.float64], set[int]] | None:
        words = self._words_of(part, origin)
        if isinstance(words, str):
            return None
        read = [number_of(word) for word in words[0]]
        numbers = np.array([_NAN if number is None else number.value for number in read])
        return numbers[words[1]], {UNIT_CODES[number.unit] for number in read if number is not None}

    def _words_of(self, part: _Part, origin: Origin | None) -> tuple[list[str], Numbers] | str:
        """The texts at a place of a skeleton's entries and which of them each has; else why they are not told apart."""
        if origin is None or origin.unit or (origin.slot < 0 and origin.text is None):
            return SEVERAL
        if origin.text is not None:
            return [origin.text], np.zeros(len(part.entries), np.int64)
        slot = part.slot(self._store) + origin.slot
        words = self._store.words(slot)
        if words is None:
            return OPEN
        return [unstemmed(word, origin.stem) for word in words], self._texts[part.begins + origin.slot].astype(np.int64)


class _Part(NamedTuple):
    """The entries of one skeleton, where their cells begin, and where the values of their key's places come from."""

    skeleton: int
    entries: Numbers
    begins: Numbers
    origins: Origins

    def slot(self, store: CellStore) -> int:
        """The first slot of the skeleton."""
        return store.slot(self.skeleton, 0)


class _Column(NamedTuple):
    """One place of a key."""

    numbers: NDArray[np.float64]
    texts: NDArray[np.int32]
    vocabulary: tuple[str, ...] | None
    units: tuple[str, ...]
    unknown: str
    untold: str
