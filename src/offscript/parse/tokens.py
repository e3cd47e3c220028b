"""Tokens: what in a message is a word of its print statement, and what is a value that stood in it (ours).

A word is a run of characters without white space and delimiters; a delimiter is a token of its own, so that template
text can be written as the print statement was. A word's type is decided by the word alone (and by what is glued to
it), never by what other lines say, so that one pass over the bytes of a line can find the skeleton:

* a word with a digit is a value: print statements seldom spell digits, values nearly always have some; but a name
  with few digits right before `=` is constant (`r24=7`), since it says what stands behind;
* so is an absolute path, a URL, an address with `@`, a hexadecimal word of 8 or more, a MAC or IPv6 address,
  `<masked>`, `<*>` itself, and every string known to be a session identifier;
* so is how a language prints what is true, false or absent (`false`, `NULL`, `nil`): words that no one spells out;
* values joined by `:` `,` `;` `|` alone are one value (`10.0.0.1:80`, `1,2,3`), and so are values in one pair of
  brackets joined by space or commas, with `-` or `**` for the absent ones (`[req-1 ab12 - - -]`): the length of a
  list is data; so are nine values in a row, and values side by side that a double quote closes
  (`"GET /x HTTP/1.1"`), since the quotes mark one thing that was filled in;
* so is a date with the name of a month or day;
* quotes are delimiters, and what they hold is judged like anything else: a quoted part may be a whole phrase.

White space is ASCII's, control characters included, and digits are ASCII's: other scripts' words stay words.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from offscript.entries import WILDCARD

MAX_TOKENS: Final = 256
"""Tokens of a message that are looked at, the rest is one value: ten times the longest print statement we met."""

LIST_LENGTH: Final = 9
"""Values side by side without brackets from which they are a list: a print statement seldom names more than eight one
after the other, and lists of fewer are seen to vary in length when the log has been read (`settle`)."""

MAX_CACHED_TEXT: Final = 2_048
"""Longer messages are not cached, so that the cache's memory is bounded; they are stack traces and dumps."""

MAX_CACHED: Final = 20_000
"""Surfaces a cache holds, about 1 kB each: real logs have some hundreds, and a cleared cache costs time only."""

_DELIMITERS: Final = r"\x00-\x20=:,;()\[\]{}<>\"'|`"
_W: Final = rf"[^{_DELIMITERS}]"  # a character of a word
_IN: Final = rf"(?:[^{_DELIMITERS}.]|\.(?=[^{_DELIMITERS}.]))"  # the same, but no dot that ends a word
_START: Final = rf"(?:(?<!{_W})|(?<=\.\.)(?!\.))"  # a word starts here; dots in a row are filling, as in `size.....4`

_MONTH: Final = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]{0,6}+"
_DAY: Final = "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]{0,6}+,?"
_DATE: Final = (
    rf"(?=[ADFJMNOSTW0-3])(?:{_DAY}\ ++)?(?:{_MONTH}\ ++[0-9]{{1,2}}+|[0-9]{{1,2}}\ {_MONTH})(?![0-9A-Za-z])"
    rf"(?:,?\ ++[0-9][0-9:.]*+(?!{_W}))?(?:\ ++[A-Z]{{3,4}}(?=\ ++[0-9]{{4}}))?(?:\ ++[0-9]{{4}}(?!{_W}))?"
)
_ODD: Final = rf"(?:[^{_DELIMITERS}0-9.@]|\.(?!\.))*+(?:[0-9]|@(?={_W})){_IN}*+"  # a word with a digit or an @
_NAME: Final = "[A-Za-z_]++(?:[0-9][A-Za-z_]*+){1,3}+"  # a name as in code, with as few digits as `r24` or `sha256`
_NAMES: Final = "=(?![=>])"  # what stands before it is a name
_SCHEME: Final = r"[A-Za-z](?:[A-Za-z+-]|\.[A-Za-z])*+"
# How languages print what is true, false or absent. `None` is a word of English too, but for where it ends a phrase.
_TEXTLESS: Final = r"true|True|TRUE|false|False|FALSE|null|NULL|nil|NaN|None(?![\x00-\x20])"
_TYPES: Final = (
    _DATE,
    # hexadecimal groups joined by colons: a MAC, IPv6, or a time; with a digit, or as long as a MAC
    r"(?=[0-9A-Fa-f]{0,4}:)(?=[0-9A-Fa-f:]{0,39}[0-9]|(?:[0-9A-Fa-f]{2}:){5})"
    rf"(?:[0-9A-Fa-f]{{0,4}}:){{2,7}}(?:[0-9]+\.[0-9.]*[0-9]|[0-9A-Fa-f]{{0,4}})(?!{_W})",
    # an absolute path or a URL, with its query
    rf"(?:[A-Za-z]:|{_SCHEME}:(?=//))?[/\\](?:[^{_DELIMITERS}.?]|\.(?=[^{_DELIMITERS}.]))++(?:\?[^\x00-\x20\"'<>]*+)?",
    rf"{_ODD}(?!{_NAMES})",
    rf"(?=[^{_DELIMITERS}.]*+(?:\.[^{_DELIMITERS}.]++)*+=)(?!{_NAME}=){_ODD}",
    rf"[A-Fa-f]{{8,}}+(?!{_W})",
    rf"(?=[FNTfnt])(?:{_TEXTLESS})(?!{_IN})",
)
_ONE: Final = rf"(?>{_START}(?:{'|'.join(_TYPES)})|<(?:masked|\*)>)"
_GLUED: Final = rf"(?>{_ONE}(?:(?>[,;:|]++){_ONE})*+)"
_ABSENT: Final = rf"(?>(?<!{_W})[-*?.]+(?!{_W}))"
_ITEM: Final = rf"(?:{_GLUED}|{_ABSENT})"
_BRACKETED: Final = rf"(?:(?:(?<=[\[(])(?!\ )|(?<=[\[(]\ )){_ITEM}(?:[ ,;:|]++{_ITEM})*+(?=\ ?[\])]))"
# A list without brackets. The look ahead is for speed.
_AHEAD: Final = rf"(?=(?:\ ++[^\x00-\x200-9/@]*+[0-9/@][^\x00-\x20]*+){{{LIST_LENGTH - 1}}})"
# Values side by side up to a closing quote: the quotes mark one thing that was filled in.
_CLOSED: Final = r"(?=(?:\ [^\x00-\x20\"]++){1,3}+\")"
_ROW: Final = (
    rf"(?:{_AHEAD}(?:[ ]++{_GLUED}){{{LIST_LENGTH - 1},}}+|{_CLOSED}(?:[ ]{_GLUED})++(?=\")|(?:[ ]++-(?!{_W})){{2,}}+)"
)
_VALUE: Final = rf"(?:{_BRACKETED}|{_GLUED}{_ROW}?)"
# No value starts in the punctuation and space that end a word.
_END: Final = r"(?:[=,;)\]]++|:(?=\ ))*+\ *+"
# Surely a constant, for speed alone: letters, one of them beyond f, no start of a date or a boolean, and no URL.
_UNSURE: Final = "(?![ADFJMNOSTW][acehopru][bcdegilnprtuvy]|[FNTfnt][AIRUaioru][LNUlnu])"
_SURE: Final = rf"{_UNSURE}[A-Fa-f]*+[G-Zg-z][A-Za-z]++(?!{_W}|://){_END}"
_PART: Final = re.compile(rf"({_VALUE})|((?:{_SURE})++|{_IN}++{_END}|\.++|[{_DELIMITERS}])")
_PIECE: Final = re.compile(rf"(?:{_IN}|(?<=[A-Za-z])'(?=[A-Za-z]))+|\.+|[^\x00-\x20]")
_WORD: Final = re.compile(r"[A-Za-z\x80-\U0010ffff]")
_PLAIN_ID: Final = re.compile(rf"(?=[^0-9]*[0-9])[^{_DELIMITERS}.]{_IN}*")

Tokens = tuple[str, ...]
Span = tuple[int, int, int, int]


class Surface(NamedTuple):
    """The constant side of a message: its tokens, the spaces before them, and where each stood.

    `spans[i]` is `(part, start, last part, end)` of token i in the message's parts: constant text at even places,
    values at odd ones; -1 is the part's end. Messages with the same constant text have the same surface.
    """

    tokens: Tokens
    spaces: tuple[bool, ...]
    spans: tuple[Span, ...]
    truncated: bool


Pieces = list[tuple[str, str]]
"""A message in pieces, in order: (value, "") or ("", constant text)."""


def texts_of(surface: Surface, pieces: Pieces, runs: Sequence[tuple[int, int]]) -> tuple[str, ...]:
    """Return the text of each run of tokens, (first, past last), as it stood in the message.

    >>> surface, pieces = Tokeniser().read("from (b, 7) on")
    >>> texts_of(surface, pieces, [(1, 6), (2, 2)])
    ('(b, 7)', '')
    """
    parts = _parts(pieces)
    out: list[str] = []
    for first, last in runs:
        if first >= last:
            out.append("")
            continue
        part, start, _, _ = surface.spans[first]
        _, _, end_part, end = surface.spans[last - 1]
        held = parts[part : end_part + 1]
        held[-1] = held[-1][: end if end >= 0 else None]
        held[0] = held[0][start:]
        out.append("".join(held))
    return tuple(out)


def _parts(pieces: Pieces) -> list[str]:
    parts: list[str] = []
    text: list[str] = []
    for value, constant in pieces:
        if value:
            parts += ("".join(text), value)
            text.clear()
        else:
            text.append(constant)
    parts.append("".join(text))
    return parts


WORDS_KEPT: Final = 1 << 12
"""Token sequences whose words are remembered: those of one log are asked for again and again while it is learnt."""


def is_word(token: str) -> bool:
    """Tell whether a token is a constant with a letter in it: only these count for tau and for the LCS (ours).

    Punctuation is left out because any two `key=value, key=value` statements share most of it.

    >>> is_word("opened"), is_word(":"), is_word("<*>")
    (True, False, False)
    """
    # nearly every word is letters alone, which is told sooner
    return token.isalpha() or (token != WILDCARD and _WORD.search(token) is not None)


@lru_cache(maxsize=WORDS_KEPT)
def words_of(tokens: Tokens) -> Tokens:
    """Return the constants with letters of a token sequence, in order.

    >>> words_of(("port", ":", "<*>", "open"))
    ('port', 'open')
    """
    return tuple(token for token in tokens if is_word(token))


def render(tokens: Tokens, spaces: tuple[bool, ...]) -> str:
    """Template text as a person writes it: tokens with a space where the message had white space.

    >>> render(("src", ":", "<*>"), (False, False, True))
    'src: <*>'
    """
    return "".join(" " + token if space else token for token, space in zip(tokens, spaces, strict=True)).strip()


class Tokeniser:
    """Splits messages into constants and values, remembering surfaces it has met (ours).

    The memory is bounded and never changes an answer. `truncated` counts messages with more than `MAX_TOKENS` tokens.

    >>> surface, pieces = Tokeniser().read("Took 0.61 seconds")
    >>> surface.tokens, pieces
    (('Took', '<*>', 'seconds'), [('', 'Took '), ('0.61', ''), ('', ' '), ('', 'seconds')])
    """

    def __init__(self) -> None:
        self.truncated = 0
        self._surfaces: dict[tuple[str, ...], Surface] = {}

    def read(self, message: str, ids: tuple[str, ...] = ()) -> tuple[Surface, Pieces]:
        """Return the surface of a message, and the message in pieces."""
        pieces: Pieces = _split_with_ids(message, ids) if ids else _PART.findall(message)
        if len(message) > MAX_CACHED_TEXT:
            surface = _surface(_parts(pieces))
        else:
            constant = tuple([text for _, text in pieces])
            known = self._surfaces.get(constant)
            if known is None:
                if len(self._surfaces) >= MAX_CACHED:
                    self._surfaces.clear()
                known = self._surfaces[constant] = _surface(_parts(pieces))
            surface = known
        if surface.truncated:
            self.truncated += 1
        return surface, pieces


def skeleton(message: str, ids: tuple[str, ...] = ()) -> tuple[Tokens, tuple[str, ...]]:
    """Return the tokens of a message with `<*>` for each value, and the values as they stood (ours; PAPER 1.1).

    >>> skeleton("Receiving block blk_-16 src: /10.2.1.7:54106 dest: /10.2.1.7:50010")[0]
    ('Receiving', 'block', '<*>', 'src', ':', '<*>', 'dest', ':', '<*>')
    >>> skeleton("[req-1 12ab 34cd - - -]") == (("[", "<*>", "]"), ("req-1 12ab 34cd - - -",))
    True
    >>> skeleton("login by alice", ids=("alice",))
    (('login', 'by', '<*>'), ('alice',))
    """
    surface, pieces = Tokeniser().read(message, ids)
    return surface.tokens, texts_of(surface, pieces, own_runs(surface.tokens))


def own_runs(tokens: Tokens) -> tuple[tuple[int, int], ...]:
    """Return the runs of a skeleton's own values: one token each.

    >>> own_runs(("port", "<*>"))
    ((1, 2),)
    """
    return tuple((place, place + 1) for place, token in enumerate(tokens) if token == WILDCARD)


def _surface(parts: list[str]) -> Surface:
    tokens: list[str] = []
    spaces: list[bool] = []
    spans: list[Span] = []
    gap = False
    for place, part in enumerate(parts):
        found = [(part, 0, len(part))] if place % 2 else [(m[0], m.start(), m.end()) for m in _PIECE.finditer(part)]
        end = 0
        for text, start, stop in found:
            gap = gap or start > end
            end = stop
            if len(tokens) == MAX_TOKENS:
                tokens.append(WILDCARD)
                spaces.append(gap)
                spans.append((place, start, len(parts) - 1, -1))
                return Surface(tuple(tokens), tuple(spaces), tuple(spans), truncated=True)
            tokens.append(WILDCARD if place % 2 else text)
            spaces.append(gap)
            # a value's length differs from message to message, so its end is left open
            spans.append((place, 0, place, -1) if place % 2 else (place, start, place, stop))
            gap = False
        gap = gap or end < len(part)
    return Surface(tuple(tokens), tuple(spaces), tuple(spans), truncated=False)


def _split_with_ids(message: str, ids: tuple[str, ...]) -> Pieces:
    # Most ids are words with a digit and so values already; the others are covered by a mark that is.
    odd = [name for name in ids if name in message and name.strip() and not _is_plain(name, message)]
    if not odd:
        return _PART.findall(message)
    mark = "\ue000"
    while mark in message:
        mark += "\ue000"
    covers = {name: f"{mark}{n}\ue001" for n, name in enumerate(sorted(set(odd), key=lambda name: (-len(name), name)))}
    for name, cover in covers.items():
        message = _cover(message, name, cover)
    return [(_uncover(value, covers), text) for value, text in _PART.findall(message)]


def _is_plain(name: str, message: str) -> bool:
    return _PLAIN_ID.fullmatch(name) is not None and f"{name}=" not in message


def _uncover(value: str, covers: dict[str, str]) -> str:
    for name, cover in covers.items():
        value = value.replace(cover, name)
    return value


def _cover(message: str, name: str, mark: str) -> str:
    out: list[str] = []
    done = 0
    at = message.find(name)
    while at >= 0:
        end = at + len(name)
        if _is_edge(message, at - 1) and _is_edge(message, end):
            out += (message[done:at], mark)
            done = end
        else:
            end = at + 1
        at = message.find(name, end)
    return "".join(out) + message[done:]


_IS_WORD_CHARACTER: Final = re.compile(_W)


def _is_edge(message: str, at: int) -> bool:
    return not 0 <= at < len(message) or message[at] == "." or _IS_WORD_CHARACTER.match(message, at) is None
