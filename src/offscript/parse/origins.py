"""Where the values of a template's places come from in the messages of a skeleton (ours).

A key's values stand at the `<*>` of its template; a skeleton has values of its own, told by their words alone. What is
read in columns are the latter. How the ones follow from the others is the same for all messages of a skeleton.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from offscript.entries import WILDCARD
from offscript.parse.numbers import HEX, UNIT_CODES
from offscript.parse.tokens import Tokens

_WORDS: Final = frozenset(UNIT_CODES) - {"", HEX}


class Origin(NamedTuple):
    """Where what stands at one place comes from.

    Args:
        slot: the skeleton's own value that stands there, -1 for none.
        text: what stands there in all its messages; None where it differs, or does in its white space.
        unit: the word of a unit behind the own value; with one, the text is not known but the number is.
        stem: what is cut off an own value that begins so and is longer.

    Without slot and text several words or values stand there, which are no number.
    """

    slot: int = -1
    text: str | None = None
    unit: str = ""
    stem: str = ""

    @property
    def is_plain(self) -> bool:
        """Whether it is just an own value of the skeleton."""
        return self.slot >= 0 and not self.unit and not self.stem


Origins = tuple[Origin | None, ...]
"""For each place of a template; None where only the message itself tells."""


def origins_of(tokens: Tokens, runs: Sequence[tuple[int, int]], frames: Sequence[str]) -> Origins:
    """Return the origins of a template's places in the messages of a skeleton.

    Args:
        tokens: the skeleton.
        runs: its tokens at each `<*>` of the template without frames, (first, past last).
        frames: what the template shows at each; names without `<*>` are no places.

    >>> origins_of(("took", "<*>", "KB", "by", "<*>"), [(1, 3), (4, 5)], ["<*>", "node-<*>"])
    (Origin(slot=0, text=None, unit='KB', stem=''), Origin(slot=1, text=None, unit='', stem='node-'))
    >>> origins_of(("by", "bob"), [(1, 2), (2, 2)], ["<*>", "<*>"])
    (Origin(slot=-1, text='bob', unit='', stem=''), Origin(slot=-1, text='', unit='', stem=''))
    """
    places = [place for place, frame in enumerate(frames) if frame.endswith(WILDCARD)]
    if len(runs) != len(frames):  # a message over a cap that does not fit: all of it is one value
        return (None,) * len(places)
    return tuple(_origin(tokens, *runs[place], frames[place].removesuffix(WILDCARD)) for place in places)


def _origin(tokens: Tokens, first: int, past: int, stem: str) -> Origin | None:
    held = tokens[first:past]
    slot = tokens[:first].count(WILDCARD)
    if not held:
        return Origin(text="")
    if held == (WILDCARD,):
        return Origin(slot, stem=stem)
    if len(held) == 1:
        return Origin(text=unstemmed(held[0], stem))
    if stem:  # what is left of several words may be a number
        return None
    if held[0] == WILDCARD and len(held) == 2 and held[1] in _WORDS:
        return Origin(slot, unit=held[1])
    return Origin()


def unstemmed(text: str, stem: str) -> str:
    """Return what is left of a value when its stem is cut off; all of it where it does not begin so.

    >>> unstemmed("node-7", "node-"), unstemmed("core-7", "node-"), unstemmed("node-", "node-")
    ('7', 'core-7', 'node-')
    """
    return text[len(stem) :] if len(text) > len(stem) and text.startswith(stem) else text


def by_place(template: str, text: str, frames: Sequence[str], values: Sequence[str]) -> tuple[str, ...] | None:
    """Return the values of an entry by place of its key's template, None where the message does not fit that.

    Where the entry departs from a frame that is a name, the name's value is among its values and has no place.

    Args:
        template: that of the entry.
        text: the template of the key without frames.
        frames: the frame of each of its `<*>`.
        values: those of the entry.

    >>> by_place("port <*> <*>", "port <*> <*>", ["ssh2", "<*>"], ["ssh3", "22"])
    ('22',)
    >>> by_place("port ssh2 <*>", "port <*> <*>", ["ssh2", "<*>"], ["22"])
    ('22',)
    """
    parts = text.split(WILDCARD)
    if len(parts) != len(frames) + 1:
        return tuple(values) if len(values) == len(frames) else None
    at, taken = len(parts[0]), 0
    placed: list[str | None] = []
    for frame, part in zip(frames, parts[1:], strict=True):
        keeps = template.startswith(frame, at)
        is_place = frame.endswith(WILDCARD)
        if is_place or not keeps:
            if is_place:
                placed.append(values[taken] if taken < len(values) else None)
            taken += 1
        at += len(frame if keeps else WILDCARD) + len(part)
    found = tuple(value for value in placed if value is not None)
    return found if taken == len(values) and at == len(template) else None
