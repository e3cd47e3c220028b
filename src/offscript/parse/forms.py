"""Messages that differ in their digits only, read once: of a log's many lines few differ in more (ours).

A message with each digit as 0 is its form. The rules for words and values (`tokens`), for identifiers (`identifiers`)
and for the patterns made of these tell no digit from another, so what they find in a form they find at the same places
in every message that has it. The few forms in which a digit's own value matters are told (`tells_digits`).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Hashable, Iterable
from itertools import count
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from offscript.parse.tokens import Tokens

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
