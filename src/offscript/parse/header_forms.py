"""Headers of many lines read by form: of lines that differ in digits only, one is matched and the others follow (ours).

No part of a header tells one digit from another, but stamps do: a month goes up to 12. So of a form's first line it is
kept where the numbers of its stamps stand and how far they may go, and a line whose numbers go further is matched by
itself, as is every line of a form whose stamp may be read in several ways.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from offscript.parse.code_length import sorting
from offscript.parse.columns import value_groups
from offscript.parse.forms import numbering
from offscript.parse.page import Page
from offscript.parse.times import Stamp, stamp

if TYPE_CHECKING:
    from offscript.parse.header import Header

Ints = NDArray[np.int64]
Limit = tuple[int, int, int, int]
"""Where a number begins, how many digits it has, and from where to where it may go."""

_LIMITS: Final = {"m": (1, 12), "d": (1, 31), "H": (0, 23), "I": (1, 12), "M": (0, 59), "S": (0, 60)}
_MAYBE_ZONE: Final = re.compile(r"\s?[+-]\d")
# The version behind a priority is part of the header only where it is 1.
_PROTOCOL: Final = re.compile(r"\s*<\d{1,3}>\d\s")
_ZERO: Final = ord("0")
_UNREAD: Final = -2


class Places(NamedTuple):
    """Where the parts of lines stand, in characters; a line without the header begins at -1.

    Row 0 of `begins` and `stops` is of the message, the others are of the header's values, -1 where one is missing.
    Lines with the same number in `alike` differ in digits only, and their parts stand at the same places.
    """

    begins: Ints
    stops: Ints
    alike: Ints


class HeaderForms:
    """Finds messages and header values in the lines of a page, many at once; the same as matching each line.

    Args:
        header: one of columns, without another header inside.
        page: the lines.
    """

    def __init__(self, header: Header, page: Page) -> None:
        self._pattern, self.names, self._groups = value_groups(header.columns)
        shapes = [column.shape for column in header.columns]
        forms = {column.shape: column.form for column in header.columns if column.form}
        self._stamps = [(shape, stamp(form)) for shape, form in forms.items()]
        self._is_fixed = not {"any", "data"} & set(shapes) and shapes.count("stamp-again") <= 1
        self._page = page
        # Of the first line of each form the spans of its parts and the number of its limits, -1: none hold for it all.
        count = int(page.forms.max(initial=-1)) + 1
        self._spans = np.zeros((count, 1 + len(self.names), 2), np.int64)
        self._limits_of = np.full(count, _UNREAD, np.int64)
        self._limits: dict[tuple[Limit, ...], int] = numbering()

    def places(self, begin: int, stop: int) -> Places:
        """Find the parts of some of the lines."""
        alike = self._page.forms[begin:stop].copy()
        new = np.flatnonzero(self._limits_of[alike] == _UNREAD)
        self._learn(alike[new], new + begin)
        spans = self._spans[alike]
        fits = self._limits_of[alike] >= 0
        fits &= self._within(begin, stop, alike)
        for place in np.flatnonzero(~fits).tolist():
            text = self._page[begin + place]
            spans[place] = self._spans_in(self._pattern.match(text), text)
            alike[place] = len(self._spans) + place
        return Places(spans[:, :, 0].T, spans[:, :, 1].T, alike)

    def _learn(self, forms: Ints, lines: Ints) -> None:
        """Read the first line of each new form."""
        forms, firsts = np.unique(forms, return_index=True)
        for form, line in zip(forms.tolist(), lines[firsts].tolist(), strict=True):
            self._spans[form], limits = self._read(self._page[line])
            self._limits_of[form] = -1 if limits is None else self._limits[tuple(limits)]

    def _within(self, begin: int, stop: int, alike: Ints) -> NDArray[np.bool_]:
        """Which lines have all their numbers within the limits of their form."""
        whole, starts, _ = self._page.raw
        data, heads = np.frombuffer(whole + b"00", np.uint8), starts[begin:stop]
        # nearly all forms have their stamps at the places of another's: lines are looked at together by these
        kinds = self._limits_of[alike] + 1
        order = sorting(kinds)
        bounds = np.searchsorted(kinds[order], np.arange(1, len(self._limits) + 2)).tolist()
        within = np.ones(len(heads), bool)
        for limits, (first, last) in zip(self._limits, pairwise(bounds), strict=True):
            lines = order[first:last]
            for start, digits, least, largest in limits:
                at = heads[lines] + start
                number = data[at].astype(np.int64) - _ZERO
                if digits == 2:
                    number = 10 * number + data[at + 1] - _ZERO
                within[lines] &= (least <= number) & (number <= largest)
        return within

    def _spans_in(self, found: re.Match[str] | None, text: str) -> list[tuple[int, int]]:
        if found is None:
            return [(-1, -1)] * (1 + len(self.names))
        end, spans = found.end(), found.regs
        return [(end, max(end, len(text.rstrip()))), *[spans[group] for group in self._groups]]

    def _read(self, text: str) -> tuple[list[tuple[int, int]], list[Limit] | None]:
        """The spans of a line, and the limits of its numbers within which they hold for its form; None: they do not."""
        found = self._pattern.match(text)
        spans = self._spans_in(found, text)
        if found is None or not self._is_fixed or not found.group().isascii() or _PROTOCOL.match(text):
            return spans, None
        limits: list[Limit] = []
        for shape, form in self._stamps:
            more = _limits(form, found if shape == "stamp" else _again(form, found, text), text)
            if more is None:
                return spans, None
            limits += more
        return spans, limits


def lines_that_fit(header: Header, texts: Sequence[str]) -> list[bool]:
    """Of each line whether `header.split` reads it, sooner where lines differ in digits only.

    >>> from offscript.parse.header import detect_header
    >>> sample = [f"2024-05-01 10:00:{n} INFO up" for n in range(10, 60)]
    >>> lines_that_fit(detect_header(sample), [sample[0], "2024-13-01 10:00:00 INFO up", "up"])
    [True, False, False]
    """
    if texts and header.kind == "columns" and header.inner is None:
        fits: list[bool] = (HeaderForms(header, Page.of(texts)).places(0, len(texts)).begins[0] >= 0).tolist()
        return fits
    return [header.split(text) is not None for text in texts]


def _again(form: Stamp, found: re.Match[str], text: str) -> re.Match[str] | None:
    """The match that has the groups of a stamp that says once more what the header's first one says."""
    begin, end = found.span(next(name for name in found.groupdict() if name.startswith("again")))
    return re.compile(form.pattern).fullmatch(text, begin, end) if begin >= 0 else None


def _limits(form: Stamp, found: re.Match[str] | None, text: str) -> list[Limit] | None:
    """The limits of the numbers of a stamp in a line; None where others may be read at other places."""
    if found is None or found["a"] is None:
        return None
    (begin, end), (tail, last), zone = found.span("a"), found.span("b"), found.span("z")
    parts = form.parts(text[begin:end], text[tail:last])
    if not parts or (zone[0] < 0 and _MAYBE_ZONE.match(text, last)):
        return None
    limits: list[Limit] = []
    for name, (start, stop) in parts.items():
        if name in _LIMITS:
            at = start + (begin if start < end - begin else tail - (end - begin))
            limits.append((at, stop - start, *_LIMITS[name]))
    # of a zone every digit counts
    return limits + [(at, 1, int(text[at]), int(text[at])) for at in range(*zone) if text[at] in "0123456789"]
