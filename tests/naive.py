"""Slow, obvious versions of the parser's algorithms: what the fast ones must equal."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from offscript.entries import WILDCARD
from offscript.parse.frames import LONGEST, Likeness
from offscript.parse.match import FrozenTemplate
from offscript.parse.tokens import Tokens, is_word, skeleton, words_of


def lcs_table(first: Sequence[str], second: Sequence[str]) -> list[list[int]]:
    """The textbook table: table[i][j] is the LCS length of first[:i] and second[:j]."""
    table = [[0] * (len(second) + 1) for _ in range(len(first) + 1)]
    for i, token in enumerate(first, 1):
        for j, other in enumerate(second, 1):
            same = token == other
            table[i][j] = table[i - 1][j - 1] + 1 if same else max(table[i - 1][j], table[i][j - 1])
    return table


def lcs_length(first: Sequence[str], second: Sequence[str]) -> int:
    """The last cell of the table."""
    return lcs_table(first, second)[-1][-1]


def lcs_pairs(first: Sequence[str], second: Sequence[str]) -> list[tuple[int, int]]:
    """Back-tracking from the last cell: left out of `first` before left out of `second` before common."""
    table = lcs_table(first, second)
    i, j = len(first), len(second)
    pairs: list[tuple[int, int]] = []
    while i and j:
        if table[i][j] == table[i - 1][j]:
            i -= 1
        elif table[i][j] == table[i][j - 1]:
            j -= 1
        else:
            i, j = i - 1, j - 1
            pairs.insert(0, (i, j))
    return pairs


def best(words: Tokens, sequences: Mapping[int, Tokens], tau: float) -> tuple[int, int] | None:
    """Compare with every sequence in turn; ties: the smallest, then the lowest number."""
    found: list[tuple[int, int, int]] = []
    for number, other in sequences.items():
        shared = lcs_length(words, other)
        if shared and shared >= tau * len(words) and shared >= tau * len(other):
            found.append((-shared, len(other), number))
    return (min(found)[2], -min(found)[0]) if found else None


def merged(tokens: Tokens, other: Tokens) -> Tokens:
    """Common words, common delimiters between them, one wildcard wherever anything else stands."""
    out: list[str] = []
    at = [place for place, token in enumerate(tokens) if is_word(token)]
    to = [place for place, token in enumerate(other) if is_word(token)]
    words = [(at[i], to[j]) for i, j in lcs_pairs(words_of(tokens), words_of(other))]
    i, j = 0, 0
    for end, stop in [*words, (len(tokens), len(other))]:
        out += _merged_signs(tokens[i:end], other[j:stop])
        out += tokens[end : end + 1]
        i, j = end + 1, stop + 1
    return tuple(out)


def _merged_signs(tokens: Tokens, other: Tokens) -> list[str]:
    at = [place for place, token in enumerate(tokens) if token != WILDCARD and not is_word(token)]
    to = [place for place, token in enumerate(other) if token != WILDCARD and not is_word(token)]
    out: list[str] = []
    i, j = 0, 0
    pairs = lcs_pairs([tokens[place] for place in at], [other[place] for place in to])
    for end, stop in [*((at[x], to[y]) for x, y in pairs), (len(tokens), len(other))]:
        out += tokens[i:end] if tokens[i:end] == other[j:stop] else [WILDCARD]
        out += tokens[end : end + 1]
        i, j = end + 1, stop + 1
    return out


def spell(messages: Sequence[str], tau: float) -> tuple[list[int], dict[int, Tokens]]:
    """The loop of the paper over all templates for each new skeleton: provisional keys, and the templates."""
    templates: dict[int, Tokens] = {}
    known: dict[Tokens, int] = {}
    keys: list[int] = []
    for message in messages:
        tokens, _ = skeleton(message)
        if tokens not in known:
            found = best(words_of(tokens), {key: words_of(other) for key, other in templates.items()}, tau)
            if found is None:
                known[tokens] = len(templates) + 1
                templates[known[tokens]] = tokens
            else:
                known[tokens] = found[0]
                if templates[found[0]] != tokens:
                    templates[found[0]] = merged(templates[found[0]], tokens)
        keys.append(known[tokens])
    return keys, templates


def fits(template: Tokens, tokens: Tokens, kinds: Sequence[str]) -> bool:
    """Whether the template, read as a glob, takes exactly these tokens: try every length for every wildcard."""
    if not template:
        return not tokens
    if template[0] != WILDCARD:
        return tokens[:1] == template[:1] and fits(template[1:], tokens[1:], kinds)
    least = 0 if "?" in kinds[0] else 1
    for length in range(least, len(tokens) + 1):
        held = tokens[:length]
        if kinds[0][0] == "v" and any(map(is_word, held)):
            return False
        if fits(template[1:], tokens[length:], kinds[1:]):
            return True
    return False


def match(table: Sequence[FrozenTemplate], members: Mapping[Tokens, int], tokens: Tokens, tau: float) -> int | None:
    """The key of a skeleton: exact, else the fitting template with most words, smallest, oldest; None is unknown."""
    if tokens in members:
        return members[tokens]
    exact = [row.key for row in table if row.tokens == tokens]
    if exact:
        return min(exact)
    found: list[tuple[int, int, int]] = []
    for row in table:
        size = len(words_of(row.tokens))
        if size and size >= tau * len(words_of(tokens)) and fits(row.tokens, tokens, row.kinds):
            found.append((-size, len(row.tokens), row.key))
    return min(found)[2] if found else None


def likeness(values: Sequence[str]) -> Likeness:
    """Try every length for the stem; the head is there when no value has another."""
    heads = {value[:LONGEST] for value in values}
    first = min(heads)
    stems = [
        first[:length] for length in range(len(first) + 1) if all(head[:length] == first[:length] for head in heads)
    ]
    whole = len(heads) == 1 and first.isascii() and re.match("[A-Za-z_]", first)
    return Likeness(max(filter(_is_stem, stems), key=len, default=""), first if whole else "")


def _is_stem(text: str) -> bool:
    """Words of ASCII letters and `_` that end in a letter, with one sign after each."""
    words = re.split("[-.+@#$%&/]", text)
    return words[-1] == "" and all(re.fullmatch("[A-Za-z_]*[A-Za-z]", word) for word in words[:-1])
