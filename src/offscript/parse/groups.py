"""Groups of skeletons that one print statement wrote, and how they come together (ours)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from offscript.parse.lcs import merged
from offscript.parse.tokens import Tokens


@dataclass(slots=True)
class Group:
    """The skeletons of one print statement, by place, and their template; `lines` is how many lines they had."""

    tokens: Tokens
    spaces: tuple[bool, ...]
    members: list[int]
    lines: int

    def take(self, other: Group) -> None:
        """Take the skeletons of another group in; the template covers both."""
        self.tokens, self.spaces = merged(self.tokens, self.spaces, other.tokens)
        self.take_members(other)

    def take_members(self, other: Group) -> None:
        """Take in the skeletons of a group that the template is known to cover."""
        self.members += other.members
        self.lines += other.lines


def same_tokens(groups: Iterable[Group]) -> list[Group]:
    """Put groups of the same template together, in the order of the first ones.

    >>> groups = [Group(("a",), (False,), [place], 1) for place in (0, 1)]
    >>> same_tokens(groups)
    [Group(tokens=('a',), spaces=(False,), members=[0, 1], lines=2)]
    """
    found: dict[Tokens, Group] = {}
    for group in groups:
        home = found.setdefault(group.tokens, group)
        if home is not group:
            home.take_members(group)
    return list(found.values())
