"""Detection: lines in, verdicts out. The detector is the one stateful object; judging never learns.

Single lines are judged by `LineJudge`, whole blocks in columns by `BlockJudge`. One of them holds the open sessions;
they are handed over when the other is needed, so lines and blocks may be mixed, and verdicts do not show which it was
(promise 1).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from offscript.entries import UNKNOWN, Entry, Line, Verdict
from offscript.errors import StateError
from offscript.line_judge import LineJudge
from offscript.model import Model
from offscript.parse.pieces import is_compiled
from offscript.parse.records import Matching, Reader
from offscript.parse.sessions import Session
from offscript.value_judge import ValueJudge
from offscript.wording import TEXT_KEPT

if TYPE_CHECKING:
    from offscript.block_judge import BlockJudge
    from offscript.parse.raw_lines import RawLines
    from offscript.parse.scan import Scanned

HEADER_SAMPLE = 2000  # lines of a source that must fit the stored header before any is judged
PAYS_FROM = (
    300_000  # entries judged one by one where the judging of blocks is yet to be compiled: as long as that takes
)
COUNTED = (
    "lines",
    "continuation lines",
    "entries",
    "entries without session",
    "sessions",
    "sessions closed",
    "sessions joined midway",
    "sessions open at the end, not judged",
    "sessions over the cap, closed unjudged",
)  # what a detector counts, in the order in which it is told
LARGEST = 2**63  # line numbers, offsets and keys are below it
START_ANEW = "start the detector without this state, or restore the state from a backup"


class Detector:
    """A model plus the open sessions: push lines, get verdicts (CCS 2017 section 2.2; state handling is ours).

    Verdicts come when they are due: for an entry at once, for a session when it closes. `state()` is all there is to
    know between two lines, as JSON rows; `Detector(model, state)` goes on exactly from there. Raises StateError for a
    state of a foreign lineage. `observe` is called with every entry, judged or not.
    """

    def __init__(
        self,
        model: Model,
        state: Mapping[str, Any] | None = None,
        *,
        observe: Callable[[Entry], None] | None = None,
    ) -> None:
        self.model = model
        self.counts: Counter[str] = Counter()
        self._observe = observe
        self._reader = Reader(model.header, model.session_key, model.templates)
        self._values = ValueJudge(model.values, model.templates)
        self._lines = LineJudge(model, self._reader, self.counts, self._values, observe)
        self._blocks: BlockJudge | None = None
        self._in_blocks = False  # whether the open sessions are held in columns
        self._waited = 0
        self._left_open: set[str] = set()
        if state is not None:
            self._restore(state)

    # -- what comes in ---------------------------------------------------------------------------------------------

    def push(self, line: Line) -> list[Verdict]:
        """Judge one line: usually no verdict or one; a session that closes may add one."""
        return self.push_block([line])

    def push_block(self, lines: Sequence[Line]) -> list[Verdict]:
        """Judge many lines at once; the verdicts are those that `push` would give one by one."""
        return self._in_lines().push(lines)

    def push_scanned(self, *blocks: Scanned) -> list[Verdict]:
        """Judge the entries of blocks of one scan; the verdicts are those that `push` would give line by line."""
        if not blocks:
            return []
        if not self._judges_blocks(sum(len(scanned.places) for scanned in blocks)):
            lines = self._in_lines()
            return [verdict for scanned in blocks for verdict in lines.push_scanned(scanned)]
        if self._blocks is None:
            from offscript.block_judge import BlockJudge  # noqa: PLC0415  (the compiler is loaded only for files)

            self._blocks = BlockJudge(self.model, self._reader, self.counts, self._values)
        if not (self._in_blocks and self._blocks.knows(blocks[0].names)):
            self._blocks.take(self._in_lines().sessions.hand_over(), blocks[0].names)
            self._in_blocks = True
        return self._blocks.push(blocks)

    def _judges_blocks(self, entries: int) -> bool:
        """Whether the judging of blocks is compiled, or has become worth compiling."""
        if self._blocks is None and self._waited < PAYS_FROM and not is_compiled("session_columns.enter"):
            self._waited += entries
            return False
        return True

    def _in_lines(self) -> LineJudge:
        """The judge of lines, with the open sessions."""
        if self._in_blocks and self._blocks is not None:
            self._in_blocks = False
            self._lines.sessions.take_over(self._blocks.give())
        return self._lines

    @property
    def takes_blocks(self) -> bool:
        """Whether whole blocks of entries can be judged: not when each is to be observed."""
        return self._observe is None

    def scanned(self, pieces: Iterator[RawLines | list[Line]]) -> Iterator[Scanned | list[Line]]:
        """Yield the pieces of some files: lines for `push_block`, or blocks of entries for `push_scanned`."""
        for piece in pieces:
            if isinstance(piece, list):
                yield piece
                continue
            from offscript.parse.scan import Scanner  # noqa: PLC0415  (the compiler is loaded only for files)

            if not Scanner.serves(self.model.header, self.model.session_key):
                yield list(piece)
                continue
            scanner = Scanner(
                self.model.header,
                self.model.session_key,
                [line.text for line in islice(piece, HEADER_SAMPLE)],
                Matching(self.model.templates, self._values.asked),
                self._reader.records,
            )
            yield from scanner.scan(chain([piece], pieces))

    def tick(self, time: float) -> list[Verdict]:
        """Let log time pass up to `time` (seconds since 1970) without a line: sessions that are due close."""
        return self._in_lines().tick(time)

    def close(self, *, complete: bool = False) -> list[Verdict]:
        """Tell the detector that the input has ended.

        Closes the sessions that are idle past the time-out; the others stay open and are not judged, unless the input
        is said to be `complete`.
        """
        judge = self._blocks if self._in_blocks and self._blocks is not None else self._lines
        verdicts, still_open = judge.finish(complete=complete)
        self._left_open = set() if self.model.session_key.where == "none" else still_open
        self.counts["sessions open at the end, not judged"] = len(self._left_open)
        self.counts["sessions over the cap, closed unjudged"] = judge.sessions.overflow
        return verdicts

    def open_sessions(self) -> set[str]:
        """Return the ids of the sessions that `close` left open: their ends were not judged."""
        return set(self._left_open)

    def now(self) -> float | None:
        """Return log time, the latest clock of any source in seconds since 1970; None where no line had a stamp."""
        sessions = self._in_lines().sessions
        clocks = [sessions.clock(source) for source in self._reader.records.sources]
        return max((clock for clock in clocks if clock is not None), default=None)

    # -- what is known ---------------------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """Return the whole state as JSON rows."""
        return self._rows(self._reader.records.rows(), self._in_lines().sessions.rows(), self._values.rows())

    def changes(self) -> dict[str, Any]:
        """Return the rows touched since the last call; a row that is gone has the value None."""
        records, sessions = self._reader.records.changes(), self._in_lines().sessions.changes()
        return self._rows(records, sessions, self._values.changes())

    def _rows(
        self, records: Mapping[str, Any], sessions: Mapping[str, Any], levels: Mapping[str, Any]
    ) -> dict[str, Any]:
        rows: dict[str, Any] = {"detector": {"lineage": self.model.lineage, "counts": dict(self.counts)}}
        rows |= {f"source/{name}": row for name, row in records.items()}
        rows |= {f"level/{name}": row for name, row in levels.items()}
        return rows | {f"session/{name}": row for name, row in sessions.items()}

    def _restore(self, state: Mapping[str, Any]) -> None:
        head = state.get("detector")
        if not isinstance(head, Mapping) or head.get("lineage") != self.model.lineage:
            raise StateError(
                "this state belongs to another model", remedy="start without it, or use the model it came from"
            )
        counts = head.get("counts")
        if not isinstance(counts, Mapping) or not all(type(count) is int for count in counts.values()):
            raise StateError("the counts of this state are damaged", remedy=START_ANEW)
        self.counts.update(counts)
        parts: dict[str, dict[str, Any]] = {"source": {}, "session": {}, "level": {}}
        for name, row in state.items():
            kind, _, rest = name.partition("/")
            if name != "detector" and kind not in parts:
                raise StateError(f"row {name[:60]!r} is not a row of a detector", remedy=START_ANEW)
            if name != "detector" and row is not None:
                parts[kind][rest] = row
        self._reader.records.load(parts["source"])
        self._lines.sessions.load(parts["session"])
        self._values.load(parts["level"])
        keys = frozenset(self.model.templates.keys())
        for session in self._lines.sessions:
            self._check(session, keys)

    def _check(self, session: Session, keys: Set[int]) -> None:
        """Raise StateError for a session that this model's detector cannot have written."""
        last, symbols = session.extra.get("last"), len(self.model.keys.vocabulary)
        history = min(session.entries, self.model.config.history)
        known = [*session.history, *session.counts]
        sound = len(session.history) == history and all(UNKNOWN <= symbol < symbols for symbol in known)
        if not (sound and _is_last(last, keys) and session.extra in ({"last": last}, {"last": last, "joined": True})):
            raise StateError(f"the row of session {session.id[:60]!r} is damaged", remedy=START_ANEW)
        if session.source not in self._reader.records.sources:
            raise StateError(f"the source of session {session.id[:60]!r} has no row", remedy=START_ANEW)


def _is_last(last: object, keys: Set[int]) -> bool:
    """Whether this is what a session remembers of its last entry."""
    kinds = ((int,), (int,), (str,), (int,), (str,), (float, type(None)))
    if not isinstance(last, list) or len(last) != len(kinds):
        return False
    if not all(type(value) in kind for value, kind in zip(last, kinds, strict=True)):
        return False
    number, offset, text, key, _, time = last
    whole = min(number, offset) >= 0 and max(number, offset, abs(key)) < LARGEST
    finite = time is None or math.isfinite(time)
    return whole and finite and len(text) <= TEXT_KEPT and (key <= 0 or key in keys)
