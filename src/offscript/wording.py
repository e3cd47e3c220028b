"""How a verdict is worded: what was expected, in sentences, and the id that a replay gives again."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from offscript.entries import END, START, Entry, Expected, Line, Reason
from offscript.model import Model
from offscript.models.profile import Difference

TEXT_KEPT = 500  # characters of its last line an open session keeps for the verdict at its close
LEAST_NAMED = 0.005  # candidates that would be printed as 0% are not named in a sentence
NEVER_SEEN = "a line never seen before"  # the name of a symbol that stands for lines without a template
DIFFERENCES_SHOWN = 3  # the most important come first, and a sentence of more is not read
SENTENCES_KEPT = 1_000  # some 300 characters, and the counts they are of
TEMPLATE_SHOWN, TEMPLATE_HEAD = 100, 40  # characters of a template in a sentence; the whole stands in `expected`


class Words:
    """What people call the symbols of a model: their templates, each made once."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self._names: dict[int, str] = {}
        self._differences: dict[bytes, str] = {}
        self._keys = [model.keys.key(symbol) for symbol in range(len(model.keys.vocabulary))]
        self._known_keys = [key or 0 for key in self._keys]  # START and END, the first symbols, are none

    def keys_of(self, symbols: Iterable[int]) -> tuple[int, ...]:
        """Return the log keys of symbols, 0 for a line that no template matched; START and END are left out."""
        keys = self._known_keys
        return tuple([keys[symbol] for symbol in symbols if symbol > END])

    def counts(self, counts: npt.NDArray[np.int32]) -> tuple[tuple[int, int], ...]:
        """Return how often each log key came, ascending, of counts by symbol, (symbols,); 0 for unknown lines."""
        symbols = np.flatnonzero(counts).tolist()
        return tuple(sorted((self._keys[symbol] or 0, int(counts[symbol])) for symbol in symbols))

    def of(self, symbol: int) -> str:
        """Return the name of a symbol."""
        name = self._names.get(symbol)
        if name is None:
            name = self._names[symbol] = _name(self.model, symbol)
        return name

    def differences(self, counts: npt.NDArray[np.int32]) -> str:
        """Return how the counts of a session, (symbols,), differ from those of the normal ones nearest to it.

        Sentences are remembered: what is wrong with one session is wrong with many.
        """
        name = counts.tobytes()
        known = self._differences.get(name)
        if known is None:
            if len(self._differences) >= SENTENCES_KEPT:
                self._differences.clear()
            known = self._differences[name] = _differences(self, counts)
        return known

    def expected(self, found: Iterable[tuple[int, float]]) -> tuple[Expected, ...]:
        """Return candidates, symbols with their probabilities, under their names."""
        return tuple(Expected(self._keys[symbol] or 0, self.of(symbol), share) for symbol, share in found)


def _name(model: Model, symbol: int) -> str:
    if symbol == END:
        return "end of session"
    key = model.keys.key(symbol)
    return NEVER_SEEN if key is None else model.templates.template(key).text


def detail(words: Words, entry: Entry, before: int, reason: Reason, expected: Sequence[Expected]) -> str:
    """Say in a sentence what was expected instead; `before` is the symbol before the entry's."""
    choices = " or ".join(
        f"`{short(e.template)}` ({e.probability:.0%})" for e in expected if e.probability >= LEAST_NAMED
    )
    if reason is Reason.NEW_KEY:
        nearest = entry.nearest
        known = ""
        if nearest:
            known = f"; the nearest is `{_beside(words.model.templates.template(nearest).text, entry.template)}`"
        return f"no known template matches this line{known}" + (f"; expected {choices}" if choices else "")
    if reason is Reason.INCOMPLETE_SESSION:
        return f"the session ended here; expected next: {choices}"
    after = "at the start of the session" if before == START else f"after {_quoted(words.of(before))}"
    return f"{after}, expected {choices}"


def _differences(words: Words, counts: npt.NDArray[np.int32]) -> str:
    found = words.model.keys.unusual(counts)
    told = [_difference(words.of(one.symbol), one) for one in found[:DIFFERENCES_SHOWN]]
    if len(found) > DIFFERENCES_SHOWN:
        told.append(f"and {len(found) - DIFFERENCES_SHOWN} more")
    return "; ".join(told) if told else "no normal session has its lines in such numbers together"


def _difference(template: str, one: Difference) -> str:
    if not one.count:
        return f"{_quoted(template)} missing"
    usual = "none" if not one.high else str(one.low) if one.low == one.high else f"{one.low} to {one.high}"
    return f"{one.count} x {_quoted(template)} where normal sessions have {usual}"


def _quoted(name: str) -> str:
    """A template in quotes; what stands for a line without one is no template."""
    return name if name == NEVER_SEEN else f"`{short(name)}`"


def _beside(template: str, other: str) -> str:
    """A template, a long one cut so that the first place is seen where it differs from the other."""
    pairs = zip(template, other, strict=False)
    same = next((place for place, (one, its) in enumerate(pairs) if one != its), min(len(template), len(other)))
    rest = TEMPLATE_SHOWN - TEMPLATE_HEAD
    if len(template) <= TEMPLATE_SHOWN or not TEMPLATE_HEAD <= same < len(template) - rest:
        return short(template)
    start = max(template.rfind(" ", 0, same) + 1, TEMPLATE_HEAD, same - rest // 2)
    return f"{template[:TEMPLATE_HEAD]} … {template[start : start + rest]} …"


def short(template: str) -> str:
    """Cut a long template in its middle: print statements differ at their beginning and at their end."""
    return (
        template
        if len(template) <= TEMPLATE_SHOWN
        else f"{template[:TEMPLATE_HEAD]} … {template[TEMPLATE_HEAD - TEMPLATE_SHOWN :]}"
    )


def verdict_id(lineage: str, line: Line, reason: Reason) -> str:
    """Return the id of a verdict: a hash of model, source, position, reason and text; a replay gives it again."""
    seed = "\x1f".join((lineage, line.source, str(line.offset), reason.value, line.text[:TEXT_KEPT]))
    return hashlib.blake2b(seed.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
