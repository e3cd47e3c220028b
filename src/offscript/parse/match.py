"""Matching: the log key of a message by a frozen table, a pure function (ours; DESIGN section 4, match regime)."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, Final

from offscript.entries import WILDCARD, Match, Template
from offscript.errors import ModelError
from offscript.parse.frames import framed, is_frame, unframed
from offscript.parse.lcs import WordIndex, glob_runs, least_common
from offscript.parse.origins import Origins, origins_of
from offscript.parse.pieces import is_warm
from offscript.parse.tokens import MAX_TOKENS, Tokeniser, Tokens, is_word, own_runs, render, texts_of, words_of

if TYPE_CHECKING:
    from offscript.parse.single import Recall

NEAREST_SHARE: Final = 0.25
"""Share of an unknown message's words that the template named as its nearest must have: with less the name misleads."""

MAX_REMEMBERED: Final = 20_000
"""Skeletons whose answer is remembered, about 1 kB each; forgetting costs time only."""

SHORT_RUN: Final = 2_000
"""Messages that are matched without compiled code even where it lies ready: loading it takes a second."""

MAX_TABLE: Final = 1_000_000
"""Templates or skeletons a stored table may hold: a hundred times the default cap, and still loaded in seconds."""

_KINDS: Final = frozenset({"v", "w", "v?", "w?"})
_REMEDY: Final = "fit the model again, or restore it from a copy"

Runs = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class FrozenTemplate:
    """One row of the table.

    `kinds` say what each `<*>` held in training (`lcs.glob_runs`), `frames` what of that was constant (`frames`);
    `text` is without frames.
    """

    key: int
    tokens: Tokens
    text: str
    count: int
    kinds: tuple[str, ...]
    frames: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """What all messages of one skeleton have in common.

    `runs` are the tokens of each value, `plain` says that they are the skeleton's own values; `text` is the template
    without frames, `frames` are () when all are `<*>`, and `marks` the others, the last first: place, frame and stem.
    """

    key: int
    template: str
    runs: Runs
    plain: bool
    known: bool
    nearest: int | None
    text: str
    frames: tuple[str, ...] = ()
    marks: tuple[tuple[int, str, str], ...] = ()


class Templates:
    """The templates of a model: gives messages their key and values, and never learns (ours).

    A message whose skeleton was seen in training has the key it had there. Else it has the template it fits as an
    anchored glob: constants in order, other tokens only where a `<*>` stands, words only where a `<*>` held words in
    training, and tau of the message's words in the template. (A subsequence, as in the paper, would let any sentence
    that strings a template's words together pass as known, and a new statement is what a detector is for. A `<*>`
    that only ever held numbers refuses words for the same reason: `took <*> ms` does not take `took forever`.) The
    template with most words wins, then the smallest, then the oldest key. All others are unknown: their key is
    negative, a hash of the skeleton.

    Args:
        table: the templates, keys of 1 or more.
        members: skeletons seen in training, with their keys.
        tau: share of a message's words that its template must have.

    >>> table = [FrozenTemplate(7, ("port", "<*>", "open"), "port <*> open", 3, ("v",))]
    >>> templates = Templates(table, {})
    >>> match = templates.match("port 22 open")
    >>> match.key, match.values, match.known
    (7, ('22',), True)
    >>> templates.match("port 22 closed").nearest
    7
    """

    def __init__(self, table: Iterable[FrozenTemplate], members: Mapping[Tokens, int], tau: float = 0.5) -> None:
        self._table = {row.key: row for row in table}
        self._members = dict(members)
        self._tau = tau
        self._tokeniser = Tokeniser()
        self._answers: dict[tuple[Tokens, tuple[bool, ...]], Answer] = {}
        self._exact = {row.tokens: row.key for row in sorted(self._table.values(), key=lambda row: -row.key)}
        self._matched = 0
        self._recall: Recall | None = None

    def match(self, message: str, ids: tuple[str, ...] = ()) -> Match:
        """Give a message its key, and what stood at each `<*>`; unknown messages have a negative key."""
        if self._recall is not None:
            return self._recall.match(message, ids)
        self._matched += 1
        if self._matched == SHORT_RUN and _is_ready():
            from offscript.parse.single import Recall  # noqa: PLC0415 (loads the compiler)

            self._recall = Recall(self._ask)
        return self._ask(message, ids)[1]

    def template(self, key: int) -> Template:
        """Return the template of a key; KeyError when there is none."""
        row = self._table[key]
        return Template(row.key, framed(row.text, row.frames), row.count)

    def places(self, key: int) -> int:
        """Return how many `<*>` the template of a key has; KeyError when there is none."""
        return sum(frame.endswith(WILDCARD) for frame in self.wording(key)[1])

    def wording(self, key: int) -> tuple[str, tuple[str, ...]]:
        """Return the template of a key without frames, and the frame of each `<*>`; KeyError when there is none."""
        row = self._table[key]
        return row.text, row.frames or (WILDCARD,) * len(row.kinds)

    def origins(self, tokens: Tokens) -> tuple[int, Origins]:
        """Return the key of a skeleton, and where what stands at each `<*>` of its template comes from (`origins`).

        >>> table = [FrozenTemplate(7, ("port", "<*>", "open"), "port <*> open", 3, ("v",))]
        >>> Templates(table, {}).origins(("port", "<*>", "open"))
        (7, (Origin(slot=0, text=None, unit='', stem=''),))
        """
        answer = self._find(tokens, (False,) * len(tokens))
        if not answer.known:
            return answer.key, ()
        return answer.key, origins_of(tokens, answer.runs, self.wording(answer.key)[1])

    def keys(self) -> tuple[int, ...]:
        """Return all keys, in order."""
        return tuple(sorted(self._table))

    def to_dict(self) -> dict[str, Any]:
        """Return the table as plain JSON types."""
        rows = [
            {
                "key": r.key,
                "tokens": list(r.tokens),
                "text": r.text,
                "count": r.count,
                "kinds": list(r.kinds),
                "frames": list(r.frames),
            }
            for r in (self._table[key] for key in self.keys())
        ]
        members = sorted([key, list(tokens)] for tokens, key in self._members.items())
        return {"tau": self._tau, "templates": rows, "skeletons": members}

    @classmethod
    def from_dict(cls, stored: object) -> Templates:
        """Load the table stored by `to_dict`; ModelError for anything else.

        >>> Templates.from_dict(Templates([], {}).to_dict()).keys()
        ()
        """
        where = "templates"
        body = _typed(stored, dict, where)
        tau = body.get("tau")
        if not isinstance(tau, (int, float)) or isinstance(tau, bool) or not 0 < tau <= 1:
            raise ModelError("tau is not a share between 0 and 1", remedy=_REMEDY, where=where)
        table = [_row(item) for item in _bounded(body.get("templates"), MAX_TABLE)]
        keys = {row.key for row in table}
        if len(keys) != len(table):
            raise ModelError("a key stands for two templates", remedy=_REMEDY, where=where)
        members: dict[Tokens, int] = {}
        for item in _bounded(body.get("skeletons"), MAX_TABLE):
            pair = _bounded(item, 2)
            if len(pair) != 2 or type(pair[0]) is not int or pair[0] not in keys:
                raise ModelError("a skeleton has no template", remedy=_REMEDY, where=where)
            members[_tokens(pair[1])] = pair[0]
        return cls(table, members, float(tau))

    def _ask(self, message: str, ids: tuple[str, ...]) -> tuple[Answer, Match]:
        surface, pieces = self._tokeniser.read(message, ids)
        skeleton = surface.tokens, surface.spaces
        answer = self._answers.get(skeleton)
        if answer is None:
            if len(self._answers) >= MAX_REMEMBERED:
                self._answers.clear()
            answer = self._answers[skeleton] = self._find(*skeleton)
        if answer.plain:
            values = tuple([value for value, _ in pieces if value])
        else:
            values = texts_of(surface, pieces, answer.runs)
        return answer, match_of(answer, values)

    # Both tables are made when a skeleton is met that is no member's: who only learns a log never needs them.
    @cached_property
    def _index(self) -> WordIndex:
        index = WordIndex()
        for row in self._table.values():
            index.add(row.key, words_of(row.tokens))
        return index

    @cached_property
    def _anchored(self) -> dict[str, list[int]]:
        """The keys by one word of their templates; those that have none are left out."""
        held = Counter(word for row in self._table.values() for word in set(words_of(row.tokens)))
        anchored: dict[str, list[int]] = {}
        for row in self._table.values():
            if words := words_of(row.tokens):
                # any message that fits holds all the template's words: its rarest is enough to find it by
                anchored.setdefault(min(words, key=lambda word: (held[word], word)), []).append(row.key)
        return anchored

    def _find(self, tokens: Tokens, spaces: tuple[bool, ...]) -> Answer:
        key = self._members.get(tokens) or self._exact.get(tokens) or self._fitting(tokens)
        if key is not None:
            row = self._table[key]
            runs = glob_runs(row.tokens, tokens, row.kinds)
            if runs is None:
                runs = glob_runs(row.tokens, tokens)
            if runs is None:  # a skeleton kept for being over a cap may not fit: then all of it is one value
                runs = [(0, len(tokens))]
            answer = _answer(key, row.text, tokens, tuple(runs))
            if any(frame != WILDCARD for frame in row.frames) and len(runs) == len(row.frames):
                answer = replace(
                    answer, template=framed(row.text, row.frames), frames=row.frames, marks=_marks(row.frames)
                )
            return answer
        nearest = self._index.best(words_of(tokens), NEAREST_SHARE)
        return _answer(_hash(tokens), render(tokens, spaces), tokens, own_runs(tokens), nearest and nearest[0])

    def _fitting(self, tokens: Tokens) -> int | None:
        words = words_of(tokens)
        need = least_common(len(words), self._tau)
        best: tuple[int, int, int] | None = None
        for word in dict.fromkeys(words):
            for key in self._anchored.get(word, ()):
                row = self._table[key]
                size = sum(map(is_word, row.tokens))
                rank = (-size, len(row.tokens), key)
                if size < need or (best is not None and rank > best):
                    continue
                if glob_runs(row.tokens, tokens, row.kinds) is not None:
                    best = rank
        return None if best is None else best[2]


def _answer(key: int, text: str, tokens: Tokens, runs: Runs, nearest: int | None = None) -> Answer:
    # the last value of a message that was cut is more than one piece
    plain = len(tokens) <= MAX_TOKENS and runs == own_runs(tokens)
    return Answer(key, text, runs, plain, key > 0, nearest, text)


def _marks(frames: tuple[str, ...]) -> tuple[tuple[int, str, str], ...]:
    placed = [(place, frame) for place, frame in enumerate(frames) if frame != WILDCARD]
    return tuple(
        (place, frame, frame.removesuffix(WILDCARD) if frame.endswith(WILDCARD) else "")
        for place, frame in placed[::-1]
    )


@cache
def _is_ready() -> bool:
    return is_warm()


_put_key, _put_values, _put_template, _put_known, _put_nearest = (
    vars(Match)[name].__set__ for name in ("key", "values", "template", "known", "nearest")
)


def match_of(answer: Answer, values: tuple[str, ...]) -> Match:
    """Return the match of a message by the answer of its skeleton, and the texts of the answer's runs."""
    template = answer.template
    if answer.marks:
        left = _left(answer.marks, values)
        if left is None:
            frames, values = unframed(values, answer.frames)
            template = framed(answer.text, frames)
        else:
            values = left
    # The constructor of a frozen class writes each field through two more calls: it costs three times as much.
    match = object.__new__(Match)
    _put_key(match, answer.key)
    _put_values(match, values)
    _put_template(match, template)
    _put_known(match, answer.known)
    _put_nearest(match, answer.nearest)
    return match


def _left(marks: tuple[tuple[int, str, str], ...], values: tuple[str, ...]) -> tuple[str, ...] | None:
    """What is left of the values of a line that keeps all frames, as `unframed` leaves it; None if it departs."""
    left = list(values)
    for place, frame, stem in marks:
        value = values[place]
        if value == frame:
            del left[place]
        elif stem and len(value) > len(stem) and value.startswith(stem):
            left[place] = value[len(stem) :]
        else:
            return None
    return tuple(left)


def wildcard_kinds(
    tokens: Tokens, members: Sequence[Tokens], runs: Sequence[Sequence[tuple[int, int]] | None]
) -> tuple[str, ...]:
    """Tell what each `<*>` of a template held in its members: `v` values, `w` words too, `?` also nothing.

    `runs` are of each member what `glob_runs` gives.

    >>> wildcard_kinds(("user", "<*>"), [("user", "<*>"), ("user", "root")], [[(1, 2)], [(1, 2)]])
    ('w',)
    """
    wild = [{"v"} for token in tokens if token == WILDCARD]
    for member, found in zip(members, runs, strict=True):
        for held, (first, last) in zip(wild, found or [], strict=False):
            held.update("?" if first == last else "w" if any(map(is_word, member[first:last])) else "v")
    return tuple(("w" if "w" in held else "v") + ("?" if "?" in held else "") for held in wild)


def _hash(tokens: Tokens) -> int:
    digest = hashlib.blake2b("\x00".join(tokens).encode("utf-8", "surrogatepass"), digest_size=8).digest()
    # 62 bits, so that the key fits the signed 64-bit columns it is stored in; never 0
    return -(int.from_bytes(digest, "big") >> 2) - 1


def _typed(value: object, kind: type[Any], where: str) -> Any:
    if not isinstance(value, kind):
        raise ModelError(f"a {kind.__name__} is missing", remedy=_REMEDY, where=where)
    return value


def _bounded(value: object, limit: int) -> list[Any]:
    items: list[Any] = _typed(value, list, "templates")
    if len(items) > limit:
        raise ModelError(f"a list has {len(items)} items, above {limit}", remedy=_REMEDY, where="templates")
    return items


def _tokens(value: object) -> Tokens:
    return tuple(_typed(token, str, "templates") for token in _bounded(value, 2 * MAX_TOKENS + 2))


def _row(item: object) -> FrozenTemplate:
    body = _typed(item, dict, "templates")
    tokens = _tokens(body.get("tokens"))
    kinds = tuple(_typed(kind, str, "templates") for kind in _bounded(body.get("kinds"), 2 * MAX_TOKENS + 2))
    frames = tuple(_typed(frame, str, "templates") for frame in _bounded(body.get("frames"), 2 * MAX_TOKENS + 2))
    key, count, text = body.get("key"), body.get("count"), body.get("text")
    sound = type(key) is int and 1 <= key < 1 << 62 and type(count) is int and count >= 0 and isinstance(text, str)
    sound = sound and len(kinds) == tokens.count(WILDCARD) and _KINDS.issuperset(kinds)
    if not sound or len(frames) not in (0, len(kinds)) or not all(map(is_frame, frames)):
        raise ModelError("a template's parts are out of bounds", remedy=_REMEDY, where="templates")
    return FrozenTemplate(key, tokens, text, count, kinds, frames)
