"""Detection: lines in, verdicts out. The detector is the one stateful object; judging never learns.

Single lines are judged by `LineJudge`, whole blocks in columns by `BlockJudge`. One of them holds the open sessions;
they are handed over when the other is needed, so lines and blocks may be mixed, and verdicts do not show which it was
(promise 1). Likewise they are handed over to the judges of another version of the model (`adopt`).
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from offscript.alphabet import START_ANEW, Alphabet, Passage, are_kin, check_session
from offscript.entries import Entry, Line, Verdict
from offscript.errors import ModelError, StateError
from offscript.line_judge import LineJudge
from offscript.model import Model
from offscript.parse.pieces import is_compiled
from offscript.parse.records import Matching, Reader, Records
from offscript.value_judge import ValueJudge
from offscript.verdicts import last_row

if TYPE_CHECKING:
    from offscript.block_judge import BlockJudge
    from offscript.feedback import Lesson
    from offscript.parse.raw_lines import RawLines
    from offscript.parse.scan import Scanned
    from offscript.updates import Save, Updates

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
        self.counts: Counter[str] = Counter()
        self._observe = observe
        self._waited = 0
        self._left_open: set[str] = set()
        self._updates: Updates | None = None
        self._teaching = threading.Lock()
        self._set_up(model, Records(model.header))
        if state is not None:
            self._restore(state)

    def _set_up(self, model: Model, records: Records) -> None:
        """Let this version judge; what it judges by begins empty but for the state of the sources."""
        self.model = model
        self._letters: Alphabet | None = None  # the alphabet, once it is asked for
        self._tells_alphabet = True  # whether `changes` has yet to tell it
        self._reader = Reader(model.header, model.session_key, model.templates, records)
        self._values = ValueJudge(model.values, model.templates)
        self._lines = LineJudge(model, self._reader, self.counts, self._values, self._observe)
        self._blocks: BlockJudge | None = None
        self._in_blocks = False  # whether the open sessions are held in columns

    # -- what comes in ---------------------------------------------------------------------------------------------

    def push(self, line: Line) -> list[Verdict]:
        """Judge one line: usually no verdict or one; a session that closes may add one."""
        return self.push_block([line])

    def push_block(self, lines: Sequence[Line]) -> list[Verdict]:
        """Judge many lines at once; the verdicts are those that `push` would give one by one."""
        self._take_update()
        return self._in_lines().push(lines)

    def push_scanned(self, *blocks: Scanned) -> list[Verdict]:
        """Judge the entries of blocks of one scan; the verdicts are those that `push` would give line by line.

        Blocks that were scanned under another version, ahead of a switch, are read again.
        """
        if not blocks:
            return []
        self._take_update()
        blocks = tuple(self._of_this_version(blocks))
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

    def _of_this_version(self, blocks: Sequence[Scanned]) -> Sequence[Scanned]:
        """The blocks, their keys and values by this version."""
        templates, asked = self.model.templates, self._values.asked
        by = {id(block.skeletons): block.skeletons for block in blocks if isinstance(block.skeletons, Matching)}
        if all(one.templates is templates and one.asked == asked for one in by.values()):
            return blocks
        from offscript.parse.read_again import read_again  # noqa: PLC0415  (the compiler is loaded only for files)

        return read_again(blocks, self.model.header, self.model.session_key, Matching(templates, asked))

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
        while (piece := next(pieces, None)) is not None:
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
            yield from scanner.scan(chain([piece], self._until_switch(pieces)))

    def _until_switch(self, pieces: Iterator[RawLines | list[Line]]) -> Iterator[RawLines | list[Line]]:
        """Yield pieces as long as this version judges."""
        model = self.model
        while self.model is model and (piece := next(pieces, None)) is not None:
            yield piece

    def tick(self, time: float) -> list[Verdict]:
        """Let log time pass up to `time` (seconds since 1970) without a line: sessions that are due close."""
        self._take_update()
        return self._in_lines().tick(time)

    def close(self, *, complete: bool = False) -> list[Verdict]:
        """Tell the detector that the input has ended.

        Closes the sessions that are idle past the time-out; the others stay open and are not judged, unless the input
        is said to be `complete`.
        """
        self._take_update()
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

    # -- other versions --------------------------------------------------------------------------------------------

    def learn(
        self, normal: Sequence[Verdict], *, confirmed: Sequence[Verdict] = (), save: Save | None = None
    ) -> Future[Lesson]:
        """Teach the model in the background that these verdicts were false alarms (CCS 2017 section 3.3; ours).

        The version in force judges until the next is ready, which then judges from the next line, tick or block on,
        as with `adopt`. Updates are trained one after another, each from the one before. `confirmed` are verdicts that
        were right: none may be silenced. `save` is called in the background with the lesson and returns the model as
        saved; the detector goes on with that. The future's `result()` is the lesson, or raises what `feedback.learn`
        and `save` raise; after an error detection goes on with the version in force.
        """
        from offscript.updates import Updates  # noqa: PLC0415  (loaded only where something is learnt)

        with self._teaching:
            if self._updates is None:
                self._updates = Updates(self.model)
            return self._updates.learn(normal, confirmed=confirmed, save=save)

    def _take_update(self) -> None:
        """Go on with what was learnt meanwhile, if it is ready."""
        if self._updates is not None and (model := self._updates.take()) is not None:
            self._go_on_with(model)

    def adopt(self, model: Model) -> None:
        """Go on with another version of the model, from the next line on: an update, or one that was gone back to.

        Open sessions, counts, levels and the clocks of the sources stay, exactly as if a detector of that version were
        made from `state()`: an open session keeps as unknown what was unknown when it came, and what the other version
        does not know becomes unknown. For the thread that pushes lines. ModelError for a model of another lineage.
        """
        if model.lineage != self.model.lineage or not are_kin(model, self.model):
            raise ModelError(
                "this model is no version of the one that judges",
                remedy="give one that grew from the same `fit`, or start another detector with it",
            )
        with self._teaching:
            if self._updates is not None:
                self._updates.put(model)
            self._go_on_with(model)

    def _go_on_with(self, model: Model) -> None:
        """Hand all that is held over to the judges of another version."""
        sessions, values = self._in_lines().sessions.hand_over(), self._values
        alphabet, is_untold = self._alphabet(), self._tells_alphabet
        self._set_up(model, self._reader.records)
        passage = Passage.between(alphabet, self._alphabet())
        self._tells_alphabet = is_untold or alphabet != self._alphabet()
        self._lines.sessions.take_over(sessions)
        self._values.take_over(values, passage.shared)
        self._pass_over(passage)

    def _alphabet(self) -> Alphabet:
        """What the numbers of this version mean."""
        if self._letters is None:
            self._letters = Alphabet.of(self.model)
        return self._letters

    def _pass_over(self, passage: Passage) -> None:
        """Put the open sessions into the symbols and keys of this version."""
        if not passage.loses:
            return
        for session in self._lines.sessions:
            changed, (number, offset, text, key, _, time) = passage.take(session), session.extra["last"]
            if key > 0 and key not in passage.shared:
                line = Line(text, session.source, number, offset)
                session.extra["last"] = last_row(self._reader.entry_at(line, time, session.id))
                changed = True
            if changed:
                self._lines.sessions.touch(session)

    # -- what is known ---------------------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """Return the whole state as JSON rows."""
        rows = self._rows(self._reader.records.rows(), self._in_lines().sessions.rows(), self._values.rows())
        return rows | {"alphabet": self._alphabet().row()}

    def changes(self) -> dict[str, Any]:
        """Return the rows touched since the last call; a row that is gone has the value None."""
        records, sessions = self._reader.records.changes(), self._in_lines().sessions.changes()
        rows = self._rows(records, sessions, self._values.changes())
        if self._tells_alphabet:
            rows["alphabet"], self._tells_alphabet = self._alphabet().row(), False
        return rows

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
            if name not in ("detector", "alphabet") and kind not in parts:
                raise StateError(f"row {name[:60]!r} is not a row of a detector", remedy=START_ANEW)
            if kind in parts and row is not None:
                parts[kind][rest] = row
        if "alphabet" not in state:
            raise StateError("this state was written by an older offscript", remedy="start the detector without it")
        alphabet = Alphabet.of_row(state["alphabet"])
        self._tells_alphabet = alphabet != self._alphabet()
        passage = Passage.between(alphabet, self._alphabet())
        self._reader.records.load(parts["source"])
        self._lines.sessions.load(parts["session"])
        self._values.load(parts["level"], passage.shared, alphabet.names.keys())
        for session in self._lines.sessions:
            check_session(session, alphabet, self.model.config.history)
            if session.source not in self._reader.records.sources:
                raise StateError(f"the source of session {session.id[:60]!r} has no row", remedy=START_ANEW)
        self._pass_over(passage)
