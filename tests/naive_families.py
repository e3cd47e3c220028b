"""The slow, obvious versions of finding identifiers and skeletons in messages: one message after another."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from tests.naive_atoms import naive_atoms
from tests.naive_sessions import naive_bits_per_key

from offscript.parse.atoms import DIGIT
from offscript.parse.code_length import SHUFFLES
from offscript.parse.identifiers import shape_of
from offscript.parse.tokens import Tokens, skeleton

Sightings = dict[tuple[str, str], dict[int, str]]


def naive_sightings(messages: Sequence[str]) -> Sightings:
    """Return the id of each line, the first one, for each shape and the context that it needs, in order of sight."""
    found: Sightings = {}
    for line, text, context in naive_atoms(messages):
        shape = shape_of(text)
        if "<" not in shape or (shape == "<n>" and context.startswith(DIGIT)):
            continue
        kind = shape, "" if shape[:2].isalpha() else context
        found.setdefault(kind, {}).setdefault(line, text)
    return found


def naive_families(messages: Sequence[str]) -> list[tuple[tuple[str, str], dict[int, str]]]:
    """Return families: sightings whose shapes differ only in `<n>` and `<hex>` are one; of a line the first counts."""
    groups: dict[tuple[str, str], list[tuple[str, dict[int, str]]]] = {}
    for (shape, context), ids in naive_sightings(messages).items():
        groups.setdefault((shape.replace("<n>", "<hex>"), context), []).append((shape, ids))
    families = []
    for (shape, context), members in groups.items():
        first: dict[int, str] = {}
        for _, ids in members:
            first = ids | first
        families.append(((members[0][0] if len(members) == 1 else shape, context), dict(sorted(first.items()))))
    return families


def naive_skeletons(messages: Sequence[str]) -> list[int]:
    """Number the skeletons in order of first sight."""
    numbers: dict[Tokens, int] = {}
    return [numbers.setdefault(skeleton(message)[0], len(numbers)) for message in messages]


def naive_lengths(keys: Sequence[int], group: Sequence[int]) -> tuple[float, float, float]:
    """Code keys as they are, with shuffled groups, and shuffled within their groups, by the same chances."""
    rng = np.random.default_rng(0)
    shuffled = [naive_bits_per_key(list(keys), rng.permutation(group).tolist()) for _ in range(SHUFFLES)]
    disordered = []
    for _ in range(SHUFFLES):
        order = np.argsort(rng.random(len(keys))).tolist()
        mixed = list(keys)
        for one in set(group):
            places = [place for place, other in enumerate(group) if other == one]
            for place, taken in zip(places, [place for place in order if group[place] == one], strict=True):
                mixed[place] = keys[taken]
        disordered.append(naive_bits_per_key(mixed, list(group)))
    return naive_bits_per_key(list(keys), list(group)), sum(shuffled) / SHUFFLES, sum(disordered) / SHUFFLES
