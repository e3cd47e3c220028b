"""How a verdict on a time or a value is worded: what it was, and what it normally is, in the unit of the log (ours)."""

from __future__ import annotations

import math
import re

from offscript.entries import WILDCARD, Entry, Measured
from offscript.model import Model
from offscript.models.gauges import SETTLED
from offscript.models.values import NO_GAUGE, WordList
from offscript.models.vectors import TIME, UNITS
from offscript.parse.numbers import shown
from offscript.parse.origins import by_place
from offscript.value_judge import ValueFlag
from offscript.wording import TEMPLATE_HEAD, TEMPLATE_SHOWN, Words, short

_LAST_WORD = re.compile(r"[A-Za-z_][A-Za-z_-]*$")

WORDS_SHOWN = 4
"""Known words named in a sentence."""

VALUE_SHOWN = 60
"""Characters of a value in a sentence."""


def value_detail(words: Words, entry: Entry, before: int, flag: ValueFlag) -> str:
    """Say in a sentence what the time or the value was, and what is normal; `before` is the symbol before."""
    model = words.model
    if flag.gauge == NO_GAUGE:
        return _new_word(model, entry, model.values.lists[flag.word_list])
    gauge = model.values.gauges[flag.gauge]
    normal = f"normally {range_told(model, flag.gauge, flag.level)} ({100 * model.values.confidence:.10g}%)"
    if gauge.place == TIME:
        told = f"came {shown(flag.number, 's')} after `{short(words.of(before))}`: {normal}"
    else:
        told = f"`{_filled(model, entry, gauge.place)}`: {normal}"
    if flag.settled:
        told += f"; the {SETTLED}th running on this side: taken as the new level from here on"
    return told


def measured(model: Model, flag: ValueFlag) -> Measured | None:
    """What the number was and what is normal, as numbers; None for a word, and beyond what a double holds."""
    if flag.gauge == NO_GAUGE:
        return None
    gauge = model.values.gauges[flag.gauge]
    low, high = model.values.normal_range(flag.gauge, flag.level)
    unit = "s" if gauge.place == TIME else gauge.unit
    numbers = (flag.number, low, gauge.middle + flag.level, high)
    return Measured(gauge.place, *numbers, unit) if all(map(math.isfinite, numbers)) else None


def range_told(model: Model, number: int, level: float) -> str:
    """Say what is normal by a gauge about a level, in the unit of the log."""
    low, high = model.values.normal_range(number, level)
    unit, behind = _unit(model, number)
    first, last = shown(low, unit), shown(high, unit)
    if first == last:
        return first + behind
    ending = f" {unit}"
    return f"{first.removesuffix(ending)} to {last}{behind}" if unit else f"{first} to {last}{behind}"


def in_unit(model: Model, number: int, value: float) -> str:
    """Write a value of a gauge in the unit of the log."""
    unit, behind = _unit(model, number)
    return shown(value, unit) + behind


def _unit(model: Model, number: int) -> tuple[str, str]:
    """The unit of a gauge's numbers, or else what stands behind them, if that is one."""
    gauge = model.values.gauges[number]
    unit = "s" if gauge.place == TIME else gauge.unit
    word = "" if unit else _word_behind(model, gauge.key, gauge.place)
    return unit, f" {word}" if word in UNITS else ""


def _new_word(model: Model, entry: Entry, one: WordList) -> str:
    known = [f"`{word[:VALUE_SHOWN]}`" for word in one.known[:WORDS_SHOWN]]
    if len(one.known) > WORDS_SHOWN:
        known.append(f"{len(one.known) - WORDS_SHOWN} others")
    return f"`{_filled(model, entry, one.place)}`: on {one.learnt_from:,} normal lines it is {' or '.join(known)}"


def _filled(model: Model, entry: Entry, place: int) -> str:
    """The template with the value at a place of its key's, cut about it where it is long."""
    parts = entry.template.split(WILDCARD)
    # an entry that departs from a name in the template has a value more
    numbers = by_place(entry.template, *model.templates.wording(entry.key), list(map(str, range(len(entry.values)))))
    place = int(numbers[place - 1]) + 1 if numbers is not None and place <= len(numbers) else place
    value = entry.values[place - 1] if place <= len(entry.values) else ""
    value = value if len(value) <= VALUE_SHOWN else value[: VALUE_SHOWN - 1] + "…"
    left, right = WILDCARD.join(parts[:place]), WILDCARD.join(parts[place:])
    room = max(TEMPLATE_HEAD, TEMPLATE_SHOWN - len(value))
    if len(left) > room // 2:
        left = "…" + left[-(room // 2) :].lstrip()
    if len(right) > room // 2:
        right = right[: room // 2].rstrip() + "…"
    return f"{left}{value}{right}"


def _word_behind(model: Model, key: int, place: int) -> str:
    parts = model.templates.template(key).text.split(WILDCARD)
    return word_behind(parts[place]) if place < len(parts) else ""


def word_before(text: str) -> str:
    """The word that a text ends with, but for the signs behind it; "#" where these say that a number is a name.

    >>> word_before("WHERE order_id = "), word_before("job #"), word_before("took "), word_before("((")
    ('order_id', '#', 'took', '')
    """
    bare = text.rstrip(" \t=:([{<\"'`-+")
    if bare.endswith("#"):
        return "#"
    found = _LAST_WORD.search(bare)
    return found[0] if found else ""


def word_behind(text: str) -> str:
    """The word that a text begins with, after a blank at most.

    >>> word_behind(" seconds to build"), word_behind("%"), word_behind("; done")
    ('seconds', '%', '')
    """
    first = text.split()[:1]
    return first[0].rstrip(".,;:)") if first else ""
