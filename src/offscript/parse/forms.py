"""Messages that differ in their digits only, read once: of a log's many lines few differ in more (ours).

A message with each digit as 0 is its form. The rules for words and values (`tokens`), for identifiers (`identifiers`)
and for the patterns made of these tell no digit from another, so what they find in a form they find at the same places
in every message that has it. The few forms in which a digit's own value matters are told (`tells_digits`).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from itertools import count, islice
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from offscript.parse.pieces import is_loaded
from offscript.parse.tokens import Tokeniser, Tokens

Ints = NDArray[np.int64]
Thing = TypeVar("Thing", bound=Hashable)

_ZEROS: Final = bytes.maketrans(b"123456789", b"000000000")
# Up to 31 a number before the name of a month is its day.
_DAY: Final = re.compile("0 (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)")


def form_of(text: str) -> str:
    """Return a text with each digit of ASCII as 0.

    >>> form_of("blk_-42 at 10.0.0.1")
    'blk_-00 at 00.0.0.0'
    """
    return folded(text.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")


def folded(raw: bytes) -> bytes:
    """Return the bytes of a text with each digit as 0.

    >>> folded(b"blk_-42")
    b'blk_-00'
    """
    return raw.translate(_ZEROS)


def tells_digits(form: str, tokens: Tokens | bytes) -> bool:
    """Tell whether messages of a form may have other tokens than the form, which has these; as bytes, those of `lex`.

    >>> tells_digits("r00=0", ("r00", "=", "<*>")), tells_digits("00 May", ("<*>",)), tells_digits("0", ("<*>",))
    (True, True, False)
    """
    named = b"0" in tokens if isinstance(tokens, bytes) else any("0" in token for token in tokens)
    return named or _DAY.search(form) is not None


class Messages:
    """Messages in order, by form: `forms` holds each form once, `codes` says which one each message has.

    >>> messages = Messages(["open 7", "open 8", "close 7"])
    >>> messages.forms, messages.codes.tolist()
    (['open 0', 'close 0'], [0, 0, 1])
    """

    def __init__(self, texts: Sequence[str] = ()) -> None:
        self.texts: list[str] = []
        self.forms: list[str] = []
        self.codes = np.zeros(0, np.int64)
        self._known: dict[bytes, int] = numbering()
        self._skeletons = Skeletons()
        self._skeleton_of: list[int] = []  # of each form; -1 where messages of the form may differ
        self.extend(texts)

    def __len__(self) -> int:
        """Count the messages."""
        return len(self.texts)

    def extend(self, texts: Sequence[str], alike: Ints | None = None) -> None:
        """Add messages behind the others; those with the same number in `alike` are known to be of one form."""
        self.texts += texts
        first, kinds = np.arange(len(texts)), np.arange(len(texts))
        if alike is not None:
            _, places, which = np.unique(alike, return_index=True, return_inverse=True)
            first = np.sort(places)
            kinds = np.searchsorted(first, places[which])
        forms = [folded(texts[place].encode("utf-8", "surrogatepass")) for place in first.tolist()]
        self.codes = np.concatenate((self.codes, numbered(forms, self._known)[kinds]))
        for form in islice(self._known, len(self.forms), None):
            self.forms.append(form.decode("utf-8", "surrogatepass"))

    def skeletons(self) -> Ints:
        """Return for each message the number of its skeleton, counted from 0 in order of first sight of its form.

        >>> Messages(["open 7", "7 is open", "open 8 9"]).skeletons().tolist()
        [0, 1, 2]
        """
        self._skeleton_of += self._skeletons.of_forms(self.forms[len(self._skeleton_of) :])
        numbers = np.array(self._skeleton_of, np.int64)[self.codes]
        places = np.flatnonzero(numbers < 0)
        numbers[places] = self._skeletons.of([self.texts[place] for place in places.tolist()])
        return numbers


class Skeletons:
    """Numbers for the skeletons of messages, in order of first sight: by the lexer where it lies ready, else by tokens.

    >>> Skeletons().of(["open 7", "7 is open", "open 8"])
    [0, 1, 0]
    """

    def __init__(self) -> None:
        self._is_compiled = is_loaded("lexer.lex")
        self._tokeniser = Tokeniser()
        self._numbers: dict[Tokens | bytes, int] = numbering()

    def of(self, messages: Sequence[str]) -> list[int]:
        """Return the number of each message's skeleton."""
        return [self._numbers[skeleton] for skeleton in self._read(messages)]

    def of_forms(self, forms: Sequence[str]) -> list[int]:
        """Return the number of the skeleton that all messages of a form have, -1 where they may differ."""
        read = zip(forms, self._read(forms), strict=True)
        return [-1 if tells_digits(form, skeleton) else self._numbers[skeleton] for form, skeleton in read]

    def _read(self, messages: Sequence[str]) -> Iterator[Tokens | bytes]:
        if not self._is_compiled:
            return (self._tokeniser.read(message)[0].tokens for message in messages)
        from offscript.parse.lexer import canonical  # noqa: PLC0415  (the compiler is loaded only for files)

        return canonical(messages)


def numbering() -> dict[Thing, int]:
    """Return a dictionary that numbers what it is asked for, 0, 1, 2 ... in order of first sight.

    >>> names = numbering()
    >>> names["a"], names["b"], names["a"]
    (0, 1, 0)
    """
    return defaultdict(count().__next__)


def numbered(things: Iterable[Thing], numbers: dict[Thing, int]) -> Ints:
    """Return the number of each thing by a `numbering`, which grows.

    >>> numbered("abca", numbering()).tolist()
    [0, 1, 2, 0]
    """
    return np.fromiter(map(numbers.__getitem__, things), np.int64)
