"""The slow, obvious version of cutting messages into atoms with their contexts: one after another, sign by sign."""

from __future__ import annotations

import re
import string
from collections.abc import Sequence

from offscript.parse.atoms import DIGIT, MAX_ATOMS, MAX_LENGTH, MAX_SIGNS, MAX_TEXT, MAX_WORD, START

ATOM = re.compile(r"[0-9A-Za-z]+(?:[._-]+[0-9A-Za-z]+)*")
LETTERS = frozenset(string.ascii_letters + "_")


def naive_context(message: str, start: int) -> str:
    """Cut out the word left of an atom and up to three signs between."""
    signs = start
    while signs and start - signs < MAX_SIGNS and message[signs - 1] not in LETTERS | frozenset(string.digits):
        signs -= 1
    word = signs
    while word and signs - word < MAX_WORD and message[word - 1] in LETTERS:
        word -= 1
    if word < signs:
        return message[word:start]
    if not signs:
        return START + message[:start]
    return (DIGIT if message[signs - 1] in string.digits else "") + message[signs:start]


def naive_atoms(messages: Sequence[str]) -> list[tuple[int, str, str]]:
    """Return line, text and context of every atom that is more than a word."""
    atoms = []
    for line, message in enumerate(messages):
        for turn, atom in enumerate(ATOM.finditer(message, 0, MAX_TEXT)):
            text = atom.group()
            if turn < MAX_ATOMS and len(text) <= MAX_LENGTH and set(text) - LETTERS:
                atoms.append((line, text, naive_context(message, atom.start())))
    return atoms
