"""Where the faults of the recording made sessions leave their scripts, as the injector knows it: a truth for diagnosis.

Nothing here knows a model. Labels say when a fault was injected and into which sessions; the code that injects says
what that changes (recordings/postgres: `faults.py`, `injector.py`, `client.py`). From both follows, for each session,
the last line before the departure: mostly that which the server had logged when the fault came.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Final

from offscript.evaluate.demo import Fault, read_faults
from offscript.sources import read

SLOW: Final = 0.9
"""Seconds between two steps that never pass without a reason: by this the injector knows who waited for a fault."""

WAITED: Final = 0.3
"""Seconds that a statement takes only while its index is missing, by the injector."""

PASSES: Final = {"events": 4, "feed": 5}
"""The most often a loop ever runs without a fault: product views, pages of a feed."""

TIE: Final = 0.0005
"""Stamps closer than this are of one millisecond."""

_LINE: Final = re.compile(
    r"(?P<stamp>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}) UTC \[\d+\] (?P<session>[0-9a-f]+\.[0-9a-f]+) \d+ "
    r".*? app=(?P<app>\S*) .*?\b(?P<state>[0-9A-Z]{5}) (?P<text>[A-Z]+:  .*)"
)
_DURATION: Final = re.compile(r"duration: ([0-9.]+) ms")
_NOTICE: Final = ("57P01", "57P02", "57P03")
"""States of lines that say that the server takes the session down."""


@dataclass(frozen=True, slots=True)
class Logged:
    """A line of the recording: its number, time, state and text."""

    number: int
    time: float
    state: str
    text: str


@dataclass(frozen=True, slots=True)
class Departure:
    """A fault, and by session the numbers of the lines that may be its last on script.

    These are mostly one; several where lines of one millisecond cannot be told apart by time.
    """

    fault: Fault
    last: dict[str, frozenset[int]]


def departures(folder: Path) -> list[Departure]:
    """Return the faults of the recording in a folder, with the last line on script in each session they hit (ours).

    Sessions that the fault did not make leave their scripts are left out.
    """
    sessions = _sessions(folder / "faulted.log.xz")
    found: list[Departure] = []
    for fault in read_faults(folder / "labels.json"):
        if fault.collateral:
            continue
        rule = _RULES.get(fault.kind, _by_moment)
        hit = {name: rule(sessions[name], fault) for name in sorted(fault.sessions & sessions.keys())}
        found.append(Departure(fault, {name: frozenset(numbers) for name, numbers in hit.items() if numbers}))
    return found


def _sessions(log: Path) -> dict[str, list[Logged]]:
    found: dict[str, list[Logged]] = {}
    for line in read(str(log)):
        match = _LINE.match(line.text)
        if match is not None:
            time = datetime.strptime(match["stamp"], "%Y-%m-%d %H:%M:%S.%f").replace(tzinfo=UTC).timestamp()
            found.setdefault(match["session"], []).append(Logged(line.number, time, match["state"], match["text"]))
    return found


Rule = Callable[[Sequence[Logged], Fault], list[int]]
"""What gives the numbers of the lines that may be the last on script, of the lines of a session and a fault."""

_LOCKED = r"FROM wallets WHERE id = \d+ FOR UPDATE"
_BACK = r"stock = stock \+ |: BEGIN|FROM order_lines WHERE"

LEFT_OUT: Final = tuple(
    (re.compile(before), re.compile(step))
    for before, step in (
        (r"'debit'", r"'credit'"),
        (_LOCKED, r"'debit'"),
        (r"UPDATE orders SET total", r"'ordered'"),
        (_BACK, r"status = 'returned'"),
        (r"INSERT INTO shipments|" + _BACK, r"DELETE FROM jobs"),
        (r"INSERT INTO cart_items", r"sum\(qty\)"),
        (r"INSERT INTO wallets", r"INSERT INTO tokens"),
        (r"SELECT rate FROM fees", r"'settled'"),
        (r"DELETE FROM jobs", r"status = 'cancelled'"),
        (r"status = 'returned'", r"'returned', "),
        (r"INSERT INTO tokens", r"'registered'"),
        (r"SELECT email, tier|SELECT daily|FROM order_lines WHERE|connection authorized", r": BEGIN"),
    )
)
"""The steps that faults leave out or put off (`faults.py`), and what comes before each."""

_CHANGED: Final = {
    "wrong_quantity": re.compile(r"AND stock > |stock = stock - "),
    "wrong_amount": re.compile(r"UPDATE orders SET total|'debit'"),
    "temp_file_size": re.compile(r"temporary file|ERROR"),
}
"""The first lines that show a changed value; a sort that is too large may be cancelled by its time limit."""

_GOODBYE: Final = re.compile(r"LOG:  (disconnection|unexpected EOF|could not)")


def _moment(lines: Sequence[Logged], fault: Fault) -> list[int]:
    """Places of the lines that may be the last before a fault: several where they share its millisecond."""
    before = [place for place, line in enumerate(lines) if line.time < fault.start - TIE]
    return before[-1:] + [place for place, line in enumerate(lines) if abs(line.time - fault.start) <= TIE]


def _kept(lines: Sequence[Logged], places: list[int], fits: Callable[[Logged, Logged | None], bool]) -> list[int]:
    """The numbers of the lines, of those that also fit (the line, and the next one) where there are any."""
    nexts = [lines[place + 1] if place + 1 < len(lines) else None for place in places]
    fitting = [place for place, after in zip(places, nexts, strict=True) if fits(lines[place], after)]
    return [lines[place].number for place in fitting or places]


def _by_moment(lines: Sequence[Logged], fault: Fault) -> list[int]:
    return [lines[place].number for place in _moment(lines, fault)]


def _left_out(lines: Sequence[Logged], fault: Fault) -> list[int]:
    """A step did not come where it should have."""

    def fits(line: Logged, after: Logged | None) -> bool:
        text = "" if after is None else after.text
        return any(
            before.search(line.text) and not before.search(text) and not step.search(text) for before, step in LEFT_OUT
        )

    return _kept(lines, _moment(lines, fault), fits)


def _committed(lines: Sequence[Logged], fault: Fault) -> list[int]:
    """What should follow the end of a transaction did not."""
    return _kept(lines, _moment(lines, fault), lambda line, _after: line.text.endswith("statement: COMMIT"))


def _stood_still(lines: Sequence[Logged], fault: Fault) -> list[int]:
    """The next line came late."""
    return _kept(lines, _moment(lines, fault), lambda line, after: after is not None and after.time - line.time > SLOW)


def _doubled(lines: Sequence[Logged], fault: Fault) -> list[int]:
    """A statement ran twice, then the moment was noted: the first of the two."""
    said = [line.text.partition("statement:")[2] for line in lines]
    found = [place for place in _moment(lines, fault) if place and said[place] == said[place - 1]]
    return [lines[place - 1].number for place in found or _moment(lines, fault) if place]


def _committed_early(lines: Sequence[Logged], fault: Fault) -> list[int]:
    """The end of a transaction was put in, then the moment was noted: the line before it."""
    found = [place for place in _moment(lines, fault) if place and lines[place].text.endswith("statement: COMMIT")]
    return [lines[place - 1].number for place in found]


def _changed(lines: Sequence[Logged], fault: Fault) -> list[int]:
    """The line before the first that holds the changed value."""
    wanted = _CHANGED[fault.kind]
    for line, after in pairwise(lines):
        if after.time >= fault.start - TIE and wanted.search(after.text):
            return [line.number]
    return []


def _died(lines: Sequence[Logged], _fault: Fault) -> list[int]:
    """The last line that the client was there for."""
    return [line.number for line in lines if not _GOODBYE.match(line.text)][-1:]


def _before_state(state: str) -> Rule:
    """The line before the first of a state; by its moment where there is none."""

    def rule(lines: Sequence[Logged], fault: Fault) -> list[int]:
        places = [place for place, line in enumerate(lines) if line.state == state]
        return [lines[places[0] - 1].number] if places and places[0] else _by_moment(lines, fault)

    return rule


def _stranger(lines: Sequence[Logged], _fault: Fault) -> list[int]:
    """The line before the one that says that there is no such role.

    Wrong passwords are part of normal operation (`client.py`: outdated ones), so a guess at the password of a role that
    there is leaves no script: such sessions are left out.
    """
    places = [place for place, line in enumerate(lines) if re.search(r'Role "\w+" does not exist', line.text)]
    return [lines[places[0] - 1].number] if places and places[0] else []


def _cut(lines: Sequence[Logged], _fault: Fault) -> list[int]:
    """The last line that is the session's own."""
    return [line.number for line in lines if line.state not in _NOTICE][-1:]


def _waited(lines: Sequence[Logged], fault: Fault) -> list[int]:
    """The line before the first wait within the span of the fault."""
    for line, after in pairwise(lines):
        if after.time - line.time > SLOW and after.time >= fault.start and line.time <= fault.end:
            return [line.number]
    return []


def _without_index(lines: Sequence[Logged], fault: Fault) -> list[int]:
    """The line before the statement whose index was missing."""
    for line, after in pairwise(lines):
        took = _DURATION.search(after.text)
        if "FROM events e WHERE" in after.text and took and float(took[1]) > 1000 * WAITED and after.time > fault.start:
            return [line.number]
    return []


def _locked_out(lines: Sequence[Logged], fault: Fault) -> list[int]:
    """The victim's line before the deadlock: only gifts ever deadlock without a fault; the other one waited."""
    return _before_state("40P01")(lines, fault) if any(one.state == "40P01" for one in lines) else _waited(lines, fault)


def _too_often(lines: Sequence[Logged], fault: Fault) -> list[int]:
    """The last line of the last pass that a loop ever makes."""
    for table, passes in PASSES.items():
        ends = [line.number for line in lines if f"INSERT INTO {table} " in line.text and line.time >= fault.start]
        if len(ends) > passes:
            return [ends[passes - 1]]
    return []


_RULES: Final[dict[str, Rule]] = {
    "step_skipped": _left_out,
    "step_late": _left_out,
    "no_transaction": _left_out,
    "crossed_steps": _committed,
    "payment_skipped": _committed,
    "pause": _stood_still,
    "backend_stopped": _stood_still,
    "step_doubled": _doubled,
    "early_commit": _committed_early,
    "wrong_quantity": _changed,
    "wrong_amount": _changed,
    "temp_file_size": _changed,
    "client_died": _died,
    "backend_killed": _before_state("57P01"),
    "failed_logins": _stranger,
    "crash": _cut,
    "lock_held": _waited,
    "index_dropped": _without_index,
    "deadlock": _locked_out,
    "loop_too_long": _too_often,
}
"""For `statement_timeout` and `disk_full` the moment says it all."""
