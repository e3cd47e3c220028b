"""Split and merge: which skeletons the same print statement wrote (the journal version of Spell, TKDE 2019)."""

from __future__ import annotations

from collections.abc import Sequence

from offscript.parse.tokens import Tokens


def regroup(skeletons: Sequence[Tokens], counts: Sequence[int], keys: Sequence[int]) -> list[list[int]]:
    """The skeletons' places, grouped by print statement."""
    assert len(skeletons) == len(counts) == len(keys)
    groups: dict[int, list[int]] = {}
    for place, key in enumerate(keys):
        groups.setdefault(key, []).append(place)
    return list(groups.values())
