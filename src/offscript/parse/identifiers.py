"""Families of identifiers in messages: what an id looks like, and the words beside it.

A family is a shape (`blk_<n>`, `<uuid>`, `<hex>.<hex>`) and, where the shape has no word of its own, the text just left
of it (`instance: `, `pid=`, the start of the message). Shapes come from how print statements are written: a word glued
to a number names what the number counts, and a word before a number does so too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from offscript.parse.atoms import AFTER_DIGIT, DIGIT, START, cut
from offscript.parse.messages import Messages
from offscript.parse.session_key import SessionKey
from offscript.parse.texts import Texts

Ints = NDArray[np.int64]

AT_ONCE = 1_000
"""Forms cut up together: enough that numpy's steps cost nothing, and arrays of 16 MB where they are long."""

MAX_FAMILIES = 5_000
"""Families held at once: print statements number in the hundreds, a text without any would grow without end."""

JOIN_SHARE = 0.8
"""A context joins a family when this share of its values are the family's ids; below it the overlap may be chance."""

JOIN_LENGTH = 4
"""Ids shorter than this coincide by chance (ports, counts, small numbers), so their families are not joined."""

MIN_CONTEXT = 0.005
"""Share of lines a context must have to be joined: rarer ones are values (a host's name) taken for words."""

MAX_CONTEXTS = 12
"""Contexts of one pattern, the commonest first: keeps the pattern short enough to read."""

_PIECES = re.compile(r"[0-9A-Za-z]+|[._-]+")
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_HEX = re.compile(r"[0-9a-f]{4,}|[0-9A-F]{4,}")
_MAYBE_HEX = re.compile(r"[0-9a-f]+|[0-9A-F]+")
_WORD_NUMBER = re.compile(r"([A-Za-z]+)[0-9]+")

_PATTERNS = {
    "<uuid>": "[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}",
    "<n>": "[0-9]+",
    "<hex>": "[0-9a-fA-F]+",
    "<x>": "[0-9A-Za-z]+",
}
_SHAPE_PARTS = re.compile(r"<[a-z]+>|[^<]+")
_AFTER = r"(?:[^0-9A-Za-z._-]|[._-]+(?:[^0-9A-Za-z]|$)|$)"
"""What follows a bare id: without it `from ([0-9]+)` would find the first number of an address."""


def no_ints() -> Ints:
    """Return no numbers at all."""
    return np.zeros(0, np.int64)


@dataclass(slots=True)
class Found:
    """Ids in the lines of a sample: in line `lines[i]`, ascending, stands id `ids[i]`, which reads `texts[ids[i]]`."""

    lines: Ints = field(default_factory=no_ints)
    ids: Ints = field(default_factory=no_ints)
    texts: Texts = field(default_factory=Texts)

    @classmethod
    def of(cls, column: Iterable[str | None]) -> Found:
        """Take the id of each line, None where there is none.

        >>> Found.of(["7", "8", None, "7"]).ids.tolist()
        [0, 1, 0]
        """
        texts = Texts()
        return cls.numbered(texts.number(list(column)), texts)

    @classmethod
    def numbered(cls, numbers: Ints, texts: Texts) -> Found:
        """Take the number of each line's id, -1 where there is none."""
        lines = np.flatnonzero(numbers >= 0)
        return cls(lines, numbers[lines], texts)

    def lengths(self) -> Ints:
        """Return how many characters each of the ids has, each once."""
        return self.texts.lengths()[np.flatnonzero(np.bincount(self.ids))]

    def characters(self) -> int:
        """Count the characters of the ids, each once."""
        return int(self.lengths().sum())


class Sample:
    """Messages in which ids are looked for, and the numbers of the ids that were read."""

    def __init__(self, messages: Messages) -> None:
        self.messages = messages
        self.sizes = np.bincount(messages.codes, minlength=len(messages.forms))
        self._ids = Texts()
        self._page = messages.page

    def found(self, places: Places) -> Found:
        """Read the ids at some places of all messages; a number stands for the same text in all that is found."""
        codes = self.messages.codes
        spans = np.full((2, len(self.messages.forms)), -1)
        spans[:, places.forms] = places.starts, places.ends
        lines = np.flatnonzero(spans[0][codes] >= 0)
        starts, stops = spans[:, codes[lines]] + self._page.starts[lines]
        return Found(lines, self._page.number(self._ids, starts, stops), self._ids)

    def count(self, places: Places) -> int:
        """Count the messages that have an id at these places."""
        return int(self.sizes[places.forms].sum())


class Places(NamedTuple):
    """Where ids stand: in messages of form `forms[i]` from `starts[i]` to `ends[i]`, in no more than one place each."""

    forms: Ints
    starts: Ints
    ends: Ints


def nowhere() -> Places:
    """Return no places at all."""
    return Places(no_ints(), no_ints(), no_ints())


def joined(several: Sequence[Places]) -> Places:
    """Join places of one sample; in a form with several the first of `several` that has one counts.

    >>> one, other = (Places(*map(np.array, columns)) for columns in ([[3], [7], [9]], [[2, 3], [0, 0], [4, 4]]))
    >>> [column.tolist() for column in joined([one, other])]
    [[2, 3], [0, 7], [4, 9]]
    """
    forms, starts, ends = (np.concatenate(column) for column in zip(*several, strict=True))
    first = np.unique(forms, return_index=True)[1]
    return Places(forms[first], starts[first], ends[first])


def same_places(one: Places, other: Places) -> bool:
    """Whether places are the same."""
    return all(map(np.array_equal, one, other))


def places_of(key: SessionKey, messages: Messages) -> Places:
    """Find where the pattern of a family's key finds its ids: at one place in all messages of a form.

    >>> messages = Messages(["open req-1", "idle", "open req-2"])
    >>> [column.tolist() for column in places_of(Family("req-<n>", ()).key(), messages)]
    [[0], [5], [10]]
    """
    spans = [key.span(form) for form in messages.forms]
    rows = [(form, *span) for form, span in enumerate(spans) if span is not None]
    return Places(*np.array(rows, np.int64).reshape(-1, 3).T)


@dataclass(slots=True)
class Family:
    """The identifiers of one shape beside one or several words, and where they stand: the first of each line counts."""

    shape: str
    contexts: tuple[str, ...]
    places: Places = field(default_factory=nowhere)
    sample: Sample = field(default_factory=lambda: Sample(Messages()), repr=False)
    _found: Found | None = field(default=None, init=False, repr=False, compare=False)

    @property
    def count(self) -> int:
        """In how many lines an id stands."""
        return self.sample.count(self.places)

    @property
    def found(self) -> Found:
        """The ids, read when they are first asked for."""
        if self._found is None:
            self._found = self.sample.found(self.places)
        return self._found

    def key(self) -> SessionKey:
        """Write the session key that finds this family's ids in a message.

        >>> Family("<uuid>", ("instance: ",)).key().name
        'instance: <uuid>'
        """
        body = "".join(_PATTERNS.get(part) or re.escape(part) for part in _SHAPE_PARTS.findall(self.shape))
        if not self.contexts:
            signed = body.replace("_[0-9]+", "_-?[0-9]+", 1)
            return SessionKey("message", rf"\b{signed}", name=self.shape)
        before = "|".join(_context_pattern(context) for context in self.contexts)
        before = before if len(self.contexts) == 1 else f"(?:{before})"
        name = self.contexts[0].replace(DIGIT, "").replace(START, "").lstrip(" ])}>,;:.")
        name += self.shape.replace("<n>.<n>.<n>.<n>", "<ip>")
        return SessionKey("message", f"{before}({body}){_AFTER}", name=name)


def _context_pattern(context: str) -> str:
    pattern = re.escape(context).replace(re.escape(DIGIT), "[0-9]").replace(re.escape(START), "^")
    return rf"\b{pattern}" if context[:1].isalpha() or context[:1] == "_" else pattern


@lru_cache(maxsize=65_536)
def shape_of(atom: str) -> str:
    """Name the shape of one identifier: its words stay, its values become `<n>`, `<hex>`, `<uuid>` or `<x>`.

    >>> [shape_of(atom) for atom in ("blk_-12", "req-7", "dn228", "65a1b2c3.1267", "10.0.0.1", "7a")]
    ['blk_<n>', 'req-<n>', 'dn<n>', '<hex>.<hex>', '<n>.<n>.<n>.<n>', '<x>']
    """
    return "<uuid>".join(map(_shape_of_pieces, _UUID.split(atom)))


def _shape_of_pieces(text: str) -> str:
    pieces = _PIECES.findall(text)
    # Beside a piece that must be hexadecimal, one that may be is so too: `65a1b2c3.beef`, `65a1b2c3.1267`.
    is_hex = any(_HEX.fullmatch(piece) and not piece.isdigit() and not piece.isalpha() for piece in pieces)
    return "".join("<hex>" if is_hex and _MAYBE_HEX.fullmatch(piece) else _piece_shape(piece) for piece in pieces)


def _piece_shape(piece: str) -> str:
    if piece.isdigit():
        return "<n>"
    if piece.isalpha():
        return piece
    if not piece[0].isalnum():
        return "_" if piece == "_-" else piece  # the sign of a number, as in `blk_-42`
    worded = _WORD_NUMBER.fullmatch(piece)
    return f"{worded[1]}<n>" if worded else "<x>"


def _names_itself(shape: str) -> bool:
    """Whether the shape begins with a word of two letters or more, which says what the value is."""
    return shape[:2].isalpha()


def find_families(messages: Sequence[str]) -> list[Family]:
    """Collect the families of identifiers in some messages, in order of first sight (ours).

    >>> [family.key().name for family in find_families(["open req-1 pid=77", "close req-1 pid=78"])]
    ['req-<n>', 'pid=<n>']
    """
    return families_of(Messages(messages))


def families_of(messages: Messages) -> list[Family]:
    """Collect the families of identifiers in messages by form; all messages of a form have the same ones."""
    return Families(messages).found()


class Families:
    """The families of identifiers in messages that grow: a form is read once, however often they are asked for.

    >>> messages = Messages(["open req-1"])
    >>> families = Families(messages)
    >>> [family.count for family in families.found()]
    [1]
    >>> messages.extend(["open req-2"])
    >>> [family.count for family in families.found()]
    [2]
    """

    def __init__(self, messages: Messages) -> None:
        self._messages = messages
        self._kinds: dict[tuple[str, str], int] = {}
        self._parts: list[tuple[Ints, Ints, Ints, Ints]] = []
        self._read = 0  # forms

    def found(self) -> list[Family]:
        """Return the families of all messages so far, in order of first sight."""
        forms, read = self._messages.forms, self._read
        self._parts += [_sightings(forms, begin, self._kinds) for begin in range(read, len(forms), AT_ONCE)]
        self._read = len(forms)
        return _joined_by_hex(self._families()) if self._parts else []

    def _families(self) -> list[Family]:
        forms, starts, ends, families = (np.concatenate(column) for column in zip(*self._parts, strict=True))
        # numpy sorts 16 bits by counting
        order = np.argsort(np.minimum(families, MAX_FAMILIES).astype(np.uint16), kind="stable")
        forms, starts, ends, families = forms[order], starts[order], ends[order], families[order]
        is_first = np.ones(len(forms), bool)
        is_first[1:] = (forms[1:] != forms[:-1]) | (families[1:] != families[:-1])
        forms, starts, ends, families = forms[is_first], starts[is_first], ends[is_first], families[is_first]
        found, sample = [], Sample(self._messages)
        bounds = np.searchsorted(families, np.arange(len(self._kinds) + 1)).tolist()
        for (shape, context), begin, end in islice(zip(self._kinds, bounds, bounds[1:], strict=False), MAX_FAMILIES):
            places = Places(forms[begin:end], starts[begin:end], ends[begin:end])
            found.append(Family(shape, (context,) if context else (), places, sample))
        return found


def _sightings(forms: Sequence[str], begin: int, kinds: dict[tuple[str, str], int]) -> tuple[Ints, Ints, Ints, Ints]:
    """Note the form, place and family of each identifier of some forms; `kinds` grows."""
    atoms = cut(forms[begin : begin + AT_ONCE])
    shapes = [shape_of(text) for text in atoms.texts()]
    has_value = np.array(["<" in shape for shape in shapes], bool)
    # A number beside a number (a date, a port, a version): nothing says what it counts.
    is_bare = np.array([shape == "<n>" for shape in shapes], bool)
    kept = np.flatnonzero(has_value & ~(is_bare & (atoms.marks == AFTER_DIGIT)))
    shapes = [shapes[place] for place in kept.tolist()]
    contexts = ["" if _names_itself(shape) else text for shape, text in zip(shapes, atoms.contexts(kept), strict=True)]
    families = [kinds.setdefault(kind, len(kinds)) for kind in zip(shapes, contexts, strict=True)]
    heads = atoms.heads[atoms.lines[kept]]
    return (
        begin + atoms.lines[kept],
        atoms.starts[kept] - heads,
        atoms.ends[kept] - heads,
        np.array(families, np.int64),
    )


def _joined_by_hex(families: Iterable[Family]) -> list[Family]:
    """Join shapes that differ only in `<n>` and `<hex>`: some hexadecimal numbers happen to have no letter."""
    groups: dict[tuple[str, tuple[str, ...]], list[Family]] = {}
    for family in families:
        groups.setdefault((family.shape.replace("<n>", "<hex>"), family.contexts), []).append(family)
    return [
        group[0]
        if len(group) == 1
        else Family(shape, contexts, joined([family.places for family in group]), group[0].sample)
        for (shape, contexts), group in groups.items()
    ]


def join_contexts(family: Family, families: Sequence[Family], lines: int) -> Family | None:
    """Join to a family the other words beside which the same ids stand in a sample; None where there are none.

    >>> logs = "request id=77001 open", "id=77001 on disk 3", "closing 77001 now", "id=77002", "closing 77002 now"
    >>> families = find_families(logs)
    >>> join_contexts(families[0], families, lines=5).contexts
    ('id=', 'closing ')
    """
    if not family.contexts or family.found.lengths().min() < JOIN_LENGTH:
        return None
    others = [
        other
        for other in families
        if other.shape == family.shape
        and other.contexts != family.contexts
        and other.count >= MIN_CONTEXT * lines
        and not np.isin(other.places.forms, family.places.forms).all()
        and np.isin(other.found.ids, family.found.ids).sum() >= JOIN_SHARE * len(other.found.ids)
    ]
    if not others:
        return None
    others = sorted(others, key=lambda other: -other.count)[: MAX_CONTEXTS - 1]
    contexts = family.contexts + tuple(context for other in others for context in other.contexts)
    return Family(family.shape, contexts, joined([family.places, *(other.places for other in others)]), family.sample)
