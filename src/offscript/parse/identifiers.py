"""Families of identifiers in messages: what an id looks like, and the words beside it.

A family is a shape (`blk_<n>`, `<uuid>`, `<hex>.<hex>`) and, where the shape has no word of its own, the text just left
of it (`instance: `, `pid=`, the start of the message). Shapes come from how print statements are written: a word glued
to a number names what the number counts, and a word before a number does so too.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from offscript.parse.session_key import SessionKey

MAX_TEXT = 2_000
"""Characters of a message looked at: an id that stands later than this is not what the line is about."""

MAX_ATOMS = 64
"""Identifiers of one message looked at, so that one long list of numbers cannot fill the memory."""

MAX_FAMILIES = 5_000
"""Families held at once: print statements number in the hundreds, a text without any would grow without end."""

JOIN_SHARE = 0.8
"""A context joins a family when this share of its values are the family's ids; below it the overlap may be chance."""

JOIN_LENGTH = 4
"""Ids shorter than this coincide by chance (ports, counts, small numbers), so their families are not joined."""

MAX_SIGNS, MAX_WORD = 3, 30
"""Signs and letters of a context: `instance: "` has three signs, and longer words are not written by people."""

MIN_CONTEXT = 0.005
"""Share of lines a context must have to be joined: rarer ones are values (a host's name) taken for words."""

MAX_CONTEXTS = 12
"""Contexts of one pattern, the commonest first: keeps the pattern short enough to read."""

# Letters and digits joined by . _ - only: the pieces and joints share no character, so the time is linear.
_ATOM = re.compile(r"[0-9A-Za-z]+(?:[._-]+[0-9A-Za-z]+)*")
_PIECES = re.compile(r"[0-9A-Za-z]+|[._-]+")
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_HEX = re.compile(r"[0-9a-f]{4,}|[0-9A-F]{4,}")
_MAYBE_HEX = re.compile(r"[0-9a-f]+|[0-9A-F]+")
_WORD_NUMBER = re.compile(r"([A-Za-z]+)[0-9]+")
_LETTERS = frozenset(string.ascii_letters + "_")
_ALNUM = _LETTERS | frozenset(string.digits)
_DIGIT = "\0"  # stands in a context for "some digit": the column before is itself a value
_START = "\1"  # stands in a context for the start of the message

_PATTERNS = {
    "<uuid>": "[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}",
    "<n>": "[0-9]+",
    "<hex>": "[0-9a-fA-F]+",
    "<x>": "[0-9A-Za-z]+",
}
_SHAPE_PARTS = re.compile(r"<[a-z]+>|[^<]+")
_AFTER = r"(?:[^0-9A-Za-z._-]|[._-]+(?:[^0-9A-Za-z]|$)|$)"
"""What follows a bare id: without it `from ([0-9]+)` would find the first number of an address."""


@dataclass(slots=True)
class Family:
    """The identifiers of one shape beside one or several words: where they stood in the sample.

    `found` maps the line's position in the sample to the first id of the family in that line.
    """

    shape: str
    contexts: tuple[str, ...]
    found: dict[int, str] = field(default_factory=dict)

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
        name = self.contexts[0].replace(_DIGIT, "").replace(_START, "").lstrip(" ])}>,;:.")
        name += self.shape.replace("<n>.<n>.<n>.<n>", "<ip>")
        return SessionKey("message", f"{before}({body}){_AFTER}", name=name)


def _context_pattern(context: str) -> str:
    pattern = re.escape(context).replace(re.escape(_DIGIT), "[0-9]").replace(re.escape(_START), "^")
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


def _context_of(message: str, start: int) -> str:
    """Cut out the word left of an identifier and up to three signs between; "" where a longer gap or text is there."""
    signs = start
    while signs and start - signs < MAX_SIGNS and message[signs - 1] not in _ALNUM:
        signs -= 1
    word = signs
    while word and signs - word < MAX_WORD and message[word - 1] in _LETTERS:
        word -= 1
    if word < signs:
        return message[word:start]
    if not signs:
        return _START + message[:start]
    return _DIGIT + message[signs:start] if message[signs - 1] in _ALNUM else message[signs:start]


def find_families(messages: Sequence[str]) -> list[Family]:
    """Collect the families of identifiers in some messages, in order of first sight (ours).

    >>> [family.key().name for family in find_families(["open req-1 pid=77", "close req-1 pid=78"])]
    ['req-<n>', 'pid=<n>']
    """
    families: dict[tuple[str, str], Family] = {}
    for position, message in enumerate(messages):
        for count, atom in enumerate(_ATOM.finditer(message, 0, MAX_TEXT)):
            if count == MAX_ATOMS:
                break
            text = atom.group()
            if text.isalpha() or len(text) > MAX_ATOMS * 2:
                continue
            _note(families, position, message, atom.start(), text)
    return _joined_by_hex(families.values())


def _note(families: dict[tuple[str, str], Family], position: int, message: str, start: int, text: str) -> None:
    shape = shape_of(text)
    if "<" not in shape:
        return
    context = "" if _names_itself(shape) else _context_of(message, start)
    if shape == "<n>" and context[:1] == _DIGIT:
        return  # a number beside a number (a date, a port, a version): nothing says what it counts
    family = families.get((shape, context))
    if family is None:
        if len(families) == MAX_FAMILIES:
            return
        family = families[shape, context] = Family(shape, (context,) if context else ())
    family.found.setdefault(position, text)


def _joined_by_hex(families: Iterable[Family]) -> list[Family]:
    """Join shapes that differ only in `<n>` and `<hex>`: some hexadecimal numbers happen to have no letter."""
    groups: dict[tuple[str, tuple[str, ...]], list[Family]] = {}
    for family in families:
        groups.setdefault((family.shape.replace("<n>", "<hex>"), family.contexts), []).append(family)
    joined = []
    for (shape, contexts), group in groups.items():
        if len(group) == 1:
            joined.append(group[0])
            continue
        found: dict[int, str] = {}
        for family in group:
            found = family.found | found
        joined.append(Family(shape, contexts, dict(sorted(found.items()))))
    return joined


def join_contexts(family: Family, families: Sequence[Family], lines: int) -> Family | None:
    """Join to a family the other words beside which the same ids stand in a sample; None where there are none.

    >>> logs = "request id=77001 open", "id=77001 on disk 3", "closing 77001 now", "id=77002", "closing 77002 now"
    >>> families = find_families(logs)
    >>> join_contexts(families[0], families, lines=5).contexts
    ('id=', 'closing ')
    """
    ids = set(family.found.values())
    if not family.contexts or min(map(len, ids)) < JOIN_LENGTH:
        return None
    others = [
        other
        for other in families
        if other.shape == family.shape
        and other.contexts != family.contexts
        and len(other.found) >= MIN_CONTEXT * lines
        and other.found.keys() - family.found.keys()
        and sum(value in ids for value in other.found.values()) >= JOIN_SHARE * len(other.found)
    ]
    if not others:
        return None
    others = sorted(others, key=lambda other: -len(other.found))[: MAX_CONTEXTS - 1]
    found = dict(family.found)
    for other in others:
        found = other.found | found
    contexts = family.contexts + tuple(context for other in others for context in other.contexts)
    return Family(family.shape, contexts, dict(sorted(found.items())))
