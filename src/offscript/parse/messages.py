"""The messages of a log's first lines, by form: forms are few, so each is read once (ours)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from offscript.parse.forms import folded, numbered, numbering, tells_digits
from offscript.parse.page import Page, first_of_each
from offscript.parse.pieces import is_loaded
from offscript.parse.tokens import Tokeniser, Tokens

Ints = NDArray[np.int64]


class Messages:
    """Messages in order, by form: `forms` holds each form once, `codes` says which one each message has.

    >>> messages = Messages(["open 7", "open 8", "close 7"])
    >>> messages.forms, messages.codes.tolist()
    (['open 0', 'close 0'], [0, 0, 1])
    """

    def __init__(self, texts: Sequence[str] = ()) -> None:
        self.forms: list[str] = []
        self.codes = np.zeros(0, np.int64)
        self._pages: list[Page] = []
        self._known: dict[bytes, int] = numbering()
        self._skeletons = Skeletons()
        self._skeleton_of: list[int] = []  # of each form; -1 where messages of the form may differ
        self.extend(texts)

    def __len__(self) -> int:
        """Count the messages."""
        return len(self.codes)

    @property
    def page(self) -> Page:
        """The messages, in one piece."""
        self._pages = [Page.joined(self._pages)]
        return self._pages[0]

    def extend(self, texts: Sequence[str], alike: Ints | None = None) -> None:
        """Add messages behind the others; those with the same number in `alike` are known to be of one form."""
        page = Page.of(texts)
        self._pages.append(page)
        first = kinds = np.arange(len(page))
        if alike is not None:
            first, kinds = first_of_each(alike)
        forms = [folded(text.encode("utf-8", "surrogatepass")) for text in page.some(first)]
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
        if len(places):
            numbers[places] = self._skeletons.of(self.page.some(places))
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
