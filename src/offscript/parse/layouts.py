"""Finding the columns of a header by what is regular in a sample: no product's format is known here (ours).

First the time stamp: the format and column that most lines share, the fullest and most precise if there are several.
Then the columns after it, one by one: a shape that nine of ten lines share at that place is a column. The header ends
at the last *anchor* (stamp, level, `component[pid]:`, or a number or bracket right behind one); words further on are
the message's own, however regular.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache, lru_cache
from itertools import islice, pairwise
from math import ceil
from typing import NamedTuple

from offscript.parse.columns import OPEN, Column, compile_columns, probe
from offscript.parse.forms import form_of
from offscript.parse.times import FORMATS, LONGEST_START, stamp

# Half of the lines: in a log of long stack traces or statements few lines are records.
LEAST_COVERAGE = 0.5
# Nine of ten: a column may be missing in a few records, and then the record keeps its earlier columns.
REGULAR = 0.9
# A message may well start with a number or bracket: behind the stamp nearly all lines must, to make it a column.
NEARLY_ALL = 0.97
# The widest public log header has nine columns.
MOST_COLUMNS = 14
# Words between two anchors; more are a sentence.
MOST_WORDS = 4

_ANCHORS = ("stamp-again", "stream", "level", "letter", "tag", "place")
_AFTER = ("stream", "level", "letter", "dash", "number", "tag", "place", "bracket")
_TOKEN = re.compile(r"[^\s|]+")
_DATE = re.compile(r"\d{4}[-./]\d\d[-./]\d\d|\d{10,19}|\d\d:\d\d:\d\d(?:[.,]\d+)?")
# What any known format starts with: spares trying all of them at every word.
_STAMP_START = re.compile(
    r"[\[(<\"']?\s*(?:\d|[A-Z]\d{4}\s|(?i:mon|tue|wed|thu|fri|sat|sun|jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec))"
)
# All that a stamp up to its seconds is made of, each digit as 0: what stands behind it makes no difference.
_PARTS = re.compile(
    rf"{OPEN}(?:[0\s:./,_\[-]|(?i:mon|tue|wed|thu|fri|sat|sun|jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{{0,6}}"
    r"|T|[A-Z](?=0))*"
)
_LOGGER = re.compile(r"[A-Za-z_$][\w$]*(?:[./][\w$-]+)+,?$")


class _Opening(NamedTuple):
    """A word of a line: how many are before it, its place, whether it ends in a colon, what stamps may begin there."""

    before: int
    start: int
    ends: bool
    likely: Sequence[str]


def find_columns(texts: Sequence[str], form: str | None = None) -> tuple[Column, ...]:
    """The header columns of a sample of records, () when there are none; `form` fixes the stamp's format.

    >>> [c.shape for c in find_columns(["2026-11-21 10:00:00 INFO started", "2026-11-21 10:00:01 WARN stopped"])]
    ['stamp', 'level']
    """
    if not texts:
        return ()
    prefix = _find_stamp(texts, (form,) if form else FORMATS)
    if not prefix:
        return _without_stamp(texts)
    pattern, _ = compile_columns(prefix)
    rests = [text[match.end() :] for text in texts if (match := pattern.match(text))]
    if prefix[0].shape == "priority" and (protocol := _protocol(rests)):
        return prefix + protocol
    return prefix + _Walk(rests, "stamp", len(prefix)).columns()


def _protocol(rests: Sequence[str]) -> tuple[Column, ...]:
    """The fixed fields of RFC 5424 behind priority and stamp: host, application, process id, message id, data."""
    names = ("host", "component", "pid", "")
    columns = (*(Column("word", name) for name in names), Column("data"))
    pattern, _ = compile_columns(columns)
    return columns if sum(1 for r in rests if pattern.match(r)) >= REGULAR * len(rests) else ()


def _find_stamp(texts: Sequence[str], forms: Sequence[str]) -> tuple[Column, ...]:
    """The columns up to and with the time stamp."""
    glued = is_share(texts, re.compile(r"<\d{1,3}>(?:1\s)?").match, REGULAR * len(texts))
    bodies = [re.sub(r"^<\d{1,3}>(?:1\s)?", "", text) if glued else text for text in texts]
    places: Counter[tuple[str, int]] = Counter()
    floating = Counter[str]()
    openings: dict[str, list[_Opening]] = {}
    for done, text in enumerate(bodies):
        if max(floating.values(), default=0) + len(bodies) - done < LEAST_COVERAGE * len(texts):
            return ()
        found = _stamps_in(text, forms, openings)
        places.update(found)
        for form, _ in found:
            floating[form] += 1
    fixed = [(place, n) for place, n in places.items() if n >= LEAST_COVERAGE * len(texts)]
    first = (Column("priority"),) if glued else ()
    most = max((n for _, n in fixed), default=0)
    if fixed and most * 1.1 >= max(floating.values()):
        best = [(form, skip) for (form, skip), n in fixed if n >= REGULAR * most]
        form, skip = _best_stamp(bodies, best)
        return (*first, *_prefix(bodies, form, skip), Column("stamp", form=form))
    form, n = floating.most_common(1)[0] if floating else ("", 0)
    if n >= LEAST_COVERAGE * len(texts):
        return (Column("any"), Column("stamp", form=form))
    return ()


def _stamps_in(text: str, forms: Sequence[str], known: dict[str, list[_Opening]]) -> list[tuple[str, int]]:
    """(format, words before it) of each stamp near the start of a line; of one format the first only.

    `known` holds the openings of the forms of lines met so far.
    """
    found: dict[str, int] = {}
    line = form_of(text)
    openings = known.get(line)
    if openings is None:
        openings = known[line] = _openings(line, forms)
    for skip, start, ends, likely in openings:
        if found and ends:
            break  # behind `component[pid]:` comes the message, which may have a stamp of its own
        for form in likely:
            if form not in found and (match := probe("stamp", form).match(text, start)):
                a, f, b, z = match.group("a", "f", "b", "z")
                if stamp(form).seconds(a, f, b, z, None) is not None:
                    found[form] = skip
    return list(found.items())


def _openings(line: str, forms: Sequence[str]) -> list[_Opening]:
    """The words of a line, given with each digit as 0, at which stamps may begin or the search for them ends."""
    openings: list[_Opening] = []
    for skip, token in enumerate(islice(_TOKEN.finditer(line), MOST_COLUMNS - 2)):
        start, likely = token.start(), forms
        if len(forms) > 1:
            likely = _likely(line, start) if _STAMP_START.match(line, start, start + LONGEST_START) else ()
        if likely or line[token.end() - 1] == ":":
            openings.append(_Opening(skip, start, line[token.end() - 1] == ":", likely))
    return openings


def _likely(folded: str, start: int) -> Sequence[str]:
    """The formats of the stamps that may begin there, by all of a line but the values of its digits."""
    if not (folded.isascii() or folded[start : start + LONGEST_START].isascii()):
        return FORMATS
    parts = _PARTS.match(folded, start, start + LONGEST_START)
    return _with_start(parts.group()) if parts else ()


@lru_cache(maxsize=4096)
def _with_start(form: str) -> tuple[str, ...]:
    return tuple([known for known, start in _starts() if start.match(form)])


@cache
def _starts() -> list[tuple[str, re.Pattern[str]]]:
    return [(form, re.compile(OPEN + stamp(form).start())) for form in FORMATS]


def _best_stamp(bodies: Sequence[str], places: Sequence[tuple[str, int]]) -> tuple[str, int]:
    """The stamp that has the date, has a fraction, comes early, and runs most smoothly (day or month first?)."""
    best = [place for place in places if stamp(place[0]).repeats is None] or places
    if len(best) > 1:
        matches = {place: _matches(bodies, *place) for place in best}
        plain = {place: (not any(match["f"] for match in found), place[1]) for place, found in matches.items()}
        best = [place for place in best if plain[place] == min(plain.values())]
    if len(best) > 1:
        return min(best, key=lambda place: (_travel(place[0], matches[place]), _order(place[0])))
    return best[0]


def _matches(bodies: Sequence[str], form: str, skip: int) -> list[re.Match[str]]:
    """What a stamp behind so many words matches in the lines that have it."""
    pattern = compile_columns((*(Column("word"),) * skip, Column("stamp", form=form)))[0]
    return [match for text in bodies if (match := pattern.match(text))]


def _travel(form: str, matches: Sequence[re.Match[str]]) -> float:
    """How many seconds lie between each line and the next, in all."""
    times: list[float] = []
    for match in matches:
        a, f, b, z = match.group("a", "f", "b", "z")
        if (seconds := stamp(form).seconds(a, f, b, z, times[-1] if times else None)) is not None:
            times.append(seconds)
    return sum(abs(later - earlier) for earlier, later in pairwise(times))


def _order(form: str) -> int:
    return FORMATS.index(form) if form in FORMATS else 0


def _prefix(bodies: Sequence[str], form: str, skip: int) -> list[Column]:
    """The words before the stamp: passed over where constant or a time, else named by their place."""
    seen: list[list[str]] = [[] for _ in range(skip)]
    for match in _matches(bodies, form, skip) if skip else ():
        for values, token in zip(seen, _TOKEN.finditer(match.string), strict=False):
            values.append(token.group())
    return [Column("word", f"column{at + 1}" if _is_id(values) else "") for at, values in enumerate(seen)]


def _is_id(values: Sequence[str]) -> bool:
    """Whether a column can tell records apart without being a time."""
    return len(set(values)) > 1 and not all(_DATE.fullmatch(value) for value in values)


def _without_stamp(texts: Sequence[str]) -> tuple[Column, ...]:
    """A header that starts with the level or with `component[pid]:`."""
    for shape in ("level", "tag"):
        matches = [match for text in texts if (match := probe(shape).match(text))]
        if shape == "tag":
            matches = [match for match in matches if match.group("pid")]
        if texts and len(matches) >= LEAST_COVERAGE * len(texts):
            rests = [match.string[match.end() :] for match in matches]
            first = Column(shape, "component" if shape == "tag" else "")
            return (first, *_Walk(rests, shape, 1).columns()) if shape == "level" else (first,)
    return ()


class _Walk:
    """The columns behind the first one, read off the rests of the lines step by step."""

    def __init__(self, rests: Sequence[str], behind: str, before: int) -> None:
        self.rests = list(rests)
        self.before = before
        self.total = len(rests)
        self.behind = self.last = behind
        self.taken: list[Column] = []
        self.pending: list[Column] = []
        self.names: Counter[str] = Counter()

    def columns(self) -> tuple[Column, ...]:
        while len(self.taken) + len(self.pending) < MOST_COLUMNS and len(self.pending) <= MOST_WORDS:
            shape, form = self._shape()
            if self._is_message(shape):
                break
            values = self._advance(shape, form)
            if not values:
                break
            self._place(Column(shape, self._name(shape, values), form))
            if shape in ("tag", "place", "stream"):
                break
        return tuple(self.taken)

    def _is_message(self, shape: str) -> bool:
        """Whether the message starts here: no words follow the level, nor precede an anchor that may be prose."""
        if self._has_level():
            return shape in ("word", "stamp-again", "level", "letter")
        if not self.pending:
            return False
        if shape == "level":
            return self._fewer(r"[\[(<]?[A-Z]+[\])>]?[:,]?(?:\s|$)")
        return shape == "letter" or (shape == "tag" and len(self.pending) > 1 and self._fewer(r"\S{1,128}\[\d+\]"))

    def _fewer(self, pattern: str) -> bool:
        return not is_share(self.rests, re.compile(pattern).match, LEAST_COVERAGE * self.total)

    def _shape(self) -> tuple[str, str]:
        for form in FORMATS if is_share(self.rests, _STAMP_START.match, REGULAR * self.total) else ():
            if self._fits("stamp", form, REGULAR):
                return "stamp-again", form
        for shape in _AFTER:
            if self._fits(shape, "", NEARLY_ALL if shape in ("number", "bracket") else REGULAR):
                return shape, ""
        return ("logger", "") if self._is_logger() else ("word", "")

    def _fits(self, shape: str, form: str, least: float) -> bool:
        return is_share(self.rests, probe(shape, form).match, least * max(self.total, 1))

    def _is_logger(self) -> bool:
        """Dotted names, or plain words among them: only right behind a level, where a logger's name stands."""
        if self.last not in ("level", "dash", "bracket"):
            return False
        tokens = [token.group() for rest in self.rests if (token := _TOKEN.match(rest))]
        return is_share(tokens, _LOGGER.match, 0.6 * self.total) and self._fits("logger", "", 0.95)

    def _advance(self, shape: str, form: str) -> list[str]:
        """Step over the column in the lines that have it; its values."""
        match = probe("stamp" if shape == "stamp-again" else shape, form).match
        found = [(rest, step) for rest in self.rests if (step := match(rest))]
        self.rests = [rest[step.end() :] for rest, step in found]
        return [step.groupdict().get("value") or step.group() for _, step in found]

    def _place(self, column: Column) -> None:
        if column.shape == "tag" and len(self.pending) == 1 and not self._has_level():
            # The host of a syslog line stands even where no component does.
            self.pending = [Column("word", "host" if self.pending[0].name else "")]
            self._take()
        self.pending.append(column)
        if column.shape in _ANCHORS or (len(self.pending) == 1 and self._is_bound(column)):
            self._take()
            self.last = column.shape

    def _is_bound(self, column: Column) -> bool:
        """Whether the column belongs to the anchor right before it."""
        return column.shape in ("number", "dash", "logger") or (column.shape == "bracket" and self.last != "bracket")

    def _has_level(self) -> bool:
        return self.behind == "level" or any(column.shape in ("level", "letter") for column in self.taken)

    def _take(self) -> None:
        step = self.taken[-1].step + 1 if self.taken else 1
        self.taken += [Column(c.shape, c.name, c.form, step) for c in self.pending]
        self.pending = []

    def _name(self, shape: str, values: Sequence[str]) -> str:
        """What the values are called; "" for those that tell nothing apart."""
        if shape in ("stamp-again", "level", "letter", "dash"):
            return ""
        if shape not in ("tag", "place", "logger", "stream") and not _is_id(values):
            return "" if shape != "number" else self._unique("pid")
        kinds = {"number": "pid", "tag": "component", "place": "component", "logger": "component", "stream": "stream"}
        if shape == "bracket":
            return self._unique("context" if self.last == "logger" else "thread")
        return self._unique(kinds.get(shape, f"column{self.before + len(self.taken) + len(self.pending) + 1}"))

    def _unique(self, name: str) -> str:
        self.names[name] += 1
        if self.names[name] == 1:
            return name
        return self._unique("thread") if name == "pid" else f"{name}{self.names[name]}"


def is_share(texts: Sequence[str], holds: Callable[[str], object], least: float) -> bool:
    """Whether something holds for at least so many texts; no more are looked at than it takes to know.

    >>> is_share(["a", "b", "1"], str.isalpha, 0.5 * 3), is_share(["a", "b", "1"], str.isalpha, 0.9 * 3)
    (True, False)
    """
    spare = len(texts) - ceil(least)
    for text in texts if spare < len(texts) else ():
        if spare < 0:
            break
        spare -= not holds(text)
    return spare >= 0
