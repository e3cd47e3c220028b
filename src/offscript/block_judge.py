"""Judging in columns: from the entries of a block to verdicts without an object per line (ours).

A block passes through three steps. All its entries enter their sessions in one compiled pass, in exact order, each
taking an edge of the automaton of histories. Edges that were never taken before are scored together by the key model;
whether the edge of an entry is flagged is then a look-up. What is flagged, and nothing else, becomes objects, judged by
the rules of `line_judge`, whose verdicts these must equal.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from offscript.entries import END, START, UNKNOWN, Entry, Verdict
from offscript.model import Model
from offscript.models.flags import are_flagged
from offscript.parse.histories import Histories
from offscript.parse.last_lines import Held as HeldBlock
from offscript.parse.last_lines import LastLines
from offscript.parse.records import Reader
from offscript.parse.scan import Scanned
from offscript.parse.session_columns import MAY_BE_JOINED, Entered, find_high, find_last
from offscript.parse.session_counts import KnownCounts, keys_of
from offscript.parse.session_rows import Held, Json
from offscript.parse.session_store import SessionStore
from offscript.value_blocks import BlockValues
from offscript.value_judge import ValueFlag, ValueJudge
from offscript.verdicts import Flagged, Later, SessionScores, last_entry, last_row, verdicts_of
from offscript.wording import TEXT_KEPT, Words

STREAM: Final = [""]
"""The names of sessions where a source is one session."""

OUTSIDE: Final = -1
"""The row of histories of an entry outside sessions, which has none."""

FEW: Final = 256
"""Sessions whose counts are scored first: most of the others are like one of them, and found again by their hash."""

_NONE: Final = np.empty(0, np.int32)
NOTHING: Final = Entered(_NONE, _NONE, _NONE, np.empty(0, np.uint8), np.empty(0))
"""What a block without entries tells."""

Numbers = NDArray[np.int64]
Place = tuple[int, int, int, float, str, str]
"""Where a verdict stands: block, entry, closings before the entry itself, closing time, source, session."""


class BlockJudge:
    """Open sessions in columns, and what is said of the entries of blocks; `counts` is that of the detector."""

    def __init__(self, model: Model, reader: Reader, counts: Counter[str], values: ValueJudge) -> None:
        self.model = model
        self._values = BlockValues(model, values)
        self._reader = reader
        self._counts = counts
        self._one_stream = model.session_key.where == "none"
        self._scores = SessionScores(model)
        self._words = Words(model)
        self.sessions = SessionStore(
            model.timeout,
            model.config.max_open_sessions,
            model.config.history,
            keys_of({key: model.keys.symbol(key) for key in model.keys.vocabulary.keys}, self._scores.symbols),
            one_stream=self._one_stream,
            counts=self._scores.serve,
        )
        self._last = LastLines(TEXT_KEPT)
        self._templates: dict[int, str] = {}  # of last lines of unknown keys, by session
        self._made: dict[tuple[int, int], Entry] = {}  # by block and place: some are asked twice
        self._edges = _ScoredEdges(model)
        self._known = KnownCounts(self._scores.symbols, self._scores.room)

    # -- the open sessions -----------------------------------------------------------------------------------------

    def knows(self, names: Sequence[str]) -> bool:
        """Whether the codes of sessions stand for these names."""
        return self._one_stream or self.sessions.names is names

    def take(self, held: Held, names: Sequence[str]) -> None:
        """Hold the sessions that objects held; codes stand for `names`."""
        self._last, self._templates = LastLines(TEXT_KEPT), {}
        slots = self.sessions.take(held, STREAM if self._one_stream else names)
        for slot, session in zip(slots.tolist(), held.sessions, strict=True):
            last = last_entry(self.model, session.source, session.id, session.extra["last"])
            self._last.put(slot, last.line, last.key, last.time)
            if not last.known:
                self._templates[slot] = last.template
            self.sessions.sessions[slot]["joined"] = "joined" in session.extra

    def give(self) -> Held:
        """Give the sessions to objects."""
        slots = self.sessions.open_slots().tolist()
        extra = [self._extra(slot) for slot in slots]
        held = self.sessions.give()
        for session, known in zip(held.sessions, extra, strict=True):
            session.extra.update(known)
        return held

    def _extra(self, slot: int) -> dict[str, Json]:
        """What else is known of a session, as `line_judge` has it."""
        last = {"last": self._last_row(slot)}
        return last | {"joined": True} if self.sessions.sessions[slot]["joined"] else last

    def _last_row(self, slot: int) -> list[Json]:
        """What is remembered of a session's last entry."""
        found = self._last.find(int(self.sessions.sessions[slot]["arrival"]))
        if found is not None:
            scanned, place = found
            is_known = scanned.numbers[place] > 0
            return self._later(scanned, place).row() if is_known else last_row(self._entry(scanned, place))
        line, key = self._last.get(slot, self.sessions.key(slot)[0]), self._last.key(slot)
        template = "" if key > 0 else self._templates[slot]
        return [line.number, line.offset, line.text, key, template, self._last.time(slot)]

    def _later(self, scanned: Scanned, place: int) -> Later:
        return Later(scanned, place, self._reader)

    def _entry(self, scanned: Scanned, place: int) -> Entry:
        """An entry as an object, made once while its block is judged."""
        name = id(scanned), place
        entry = self._made.get(name)
        if entry is None:
            entry = self._made[name] = self._later(scanned, place).made()
        return entry

    # -- blocks ----------------------------------------------------------------------------------------------------

    def push(self, blocks: Sequence[Scanned]) -> list[Verdict]:
        """Judge the entries of blocks, one after another; what is new in them is scored together."""
        self._made.clear()  # what other blocks were called may be the name of one of these
        store = self.sessions
        inside: list[Entered] = []
        borders: list[int] = []
        for scanned in blocks:
            inside.append(self._enter(scanned))
            borders.append(store.left_count)
        self._add({"sessions": 0 if self._one_stream else store.begun})
        ends = self._ends()
        found = self._of_entries(blocks, inside) | self._of_closed(ends, np.array(borders))
        store.done()
        self._let_go()
        self._made.clear()
        return self._told(found)

    def _enter(self, scanned: Scanned) -> Entered:
        entries = len(scanned.places)
        self._add({"lines": len(scanned.raw), "continuation lines": len(scanned.raw) - entries, "entries": entries})
        if not entries:
            return NOTHING
        named = scanned.sessions
        codes = np.zeros_like(named) if self._one_stream else self.model.sessions_of(scanned.numbers, named)
        before = self.sessions.arrived
        entered = self.sessions.enter(scanned.source, codes, scanned.numbers, scanned.stamps, scanned.began)
        self._last.hold(HeldBlock(scanned, entered.slots, before))
        return entered

    def finish(self, *, complete: bool) -> tuple[list[Verdict], set[str]]:
        """End the input; also return the names of the sessions that stay open."""
        self.sessions.close_idle()
        if complete:
            self.sessions.close_all()
        found = self._of_closed(self._ends(), np.array([self.sessions.left_count]))
        self.sessions.done()
        self._made.clear()
        return self._told(found), set(self.sessions.names_of(self.sessions.open_slots()))

    def _told(self, found: dict[Place, Flagged]) -> list[Verdict]:
        if found:
            self._counts["anomalies"] += len(found)
        return verdicts_of(self._words, [found[place] for place in sorted(found)])

    def _add(self, sums: dict[str, int]) -> None:
        self._counts.update({name: number for name, number in sums.items() if number})

    # -- what is flagged -------------------------------------------------------------------------------------------

    def _of_entries(self, blocks: Sequence[Scanned], inside: Sequence[Entered]) -> dict[Place, Flagged]:
        """The entries that are flagged, as objects."""
        histories = self.sessions.histories
        flags = self._edges.flagged(histories)
        places: list[tuple[int, int]] = []
        rows: list[int] = []
        targets: list[int] = []
        found: dict[Place, Flagged] = {}
        for number, (scanned, entered) in enumerate(zip(blocks, inside, strict=True)):
            told = self._told_of(scanned, entered, flags)
            for place, flag in self._values.flagged(scanned, entered, histories, told).items():
                found[number, place, 1, 0.0, "", ""] = self._with_value(blocks[number], entered, place, flag)
            within = entered.slots[told] >= 0
            places += [(number, place) for place in told.tolist()]
            rows += np.where(within, histories.edges["from"][entered.edges[told]], OUTSIDE).tolist()
            targets += np.where(within, entered.symbols[told], UNKNOWN).tolist()
        past = histories.of(np.maximum(np.array(rows, np.int64), 0))
        scores = self.model.keys.surprise(past, np.array(targets, np.int32))
        columns = zip(places, rows, targets, past.tolist(), scores.tolist(), strict=True)
        for (number, place), row, target, history, score in columns:
            entry = self._entry(blocks[number], place)
            found[number, place, 1, 0.0, "", ""] = Flagged(entry, target, tuple(history), score, row != OUTSIDE)
        return found

    def _with_value(self, scanned: Scanned, entered: Entered, place: int, flag: ValueFlag) -> Flagged:
        """An entry whose key was accepted, but not its time or a value."""
        history = self.sessions.histories.of(self.sessions.histories.edges["from"][entered.edges[place]])
        entry = self._entry(scanned, place)
        return Flagged(entry, int(entered.symbols[place]), tuple(history.tolist()), flag.score, value=flag)

    def _told_of(self, scanned: Scanned, entered: Entered, flags: NDArray[np.bool_]) -> Numbers:
        """The places of a block's entries that are flagged and can be judged; marks sessions joined midway."""
        joined, histories = self.sessions.sessions["joined"], self.sessions.histories
        high = np.empty(len(scanned.numbers), np.int64)
        count, outside = find_high(scanned.numbers, flags, entered, high)
        high, slots = high[:count], entered.slots
        begun = high[entered.opened[high] == MAY_BE_JOINED]
        joined[slots[begun]] = 1
        self._add({"entries without session": outside, "sessions joined midway": len(begun)})
        told = np.ones(len(high), bool)
        inside = np.flatnonzero(slots[high] >= 0)
        within = high[inside]
        past = histories.of(histories.edges["from"][entered.edges[within]])
        excused = (past == START).any(axis=1) & (self._one_stream | (joined[slots[within]] != 0))
        told[inside[excused & (scanned.numbers[within] > 0)]] = False
        return high[told]

    def _ends(self) -> tuple[Numbers, NDArray[np.int32]]:
        """The places, among those that left, of the sessions whose ends are judged, and the edges of their ends."""
        left = self.sessions.left()
        closed = np.flatnonzero(~np.isnan(self.sessions.facts["closed"][left]))
        self._add({"sessions closed": len(closed)})
        if not self.model.keys.learns_end or self._one_stream:
            closed = closed[:0]
        return closed, self.sessions.end_edges(self.sessions.sessions["row"][left[closed]])

    def _of_closed(self, ends: tuple[Numbers, NDArray[np.int32]], borders: Numbers) -> dict[Place, Flagged]:
        """The sessions that closed and are flagged, as objects; `borders` are how many had left by each block."""
        numbers, edges = ends
        sessions, facts, closed = self.sessions.sessions, self.sessions.facts, self.sessions.left()[numbers]
        order, profile = self._order_scores(closed, edges), np.zeros(len(closed))
        if self._scores.serve:
            profile = self._profile_scores(closed)
        blocks = np.searchsorted(borders, numbers, side="right")
        found: dict[Place, Flagged] = {}
        for number in np.flatnonzero(np.maximum(order, profile) >= 1.0).tolist():
            slot = int(closed[number])
            source, name = self.sessions.key(slot)
            place = (int(blocks[number]), int(facts[slot]["left"]), 0, float(facts[slot]["closed"]), source, name)
            entry = last_entry(self.model, source, name, self._last_row(slot))
            history = tuple(self.sessions.histories.of(sessions[slot]["row"]).tolist())
            score = float(max(order[number], profile[number]))
            counts = self._counts_of(closed[number : number + 1]) if self._scores.serve else None
            # where order flags it, its end says what was expected
            found[place] = Flagged(entry, END, history, score, True, counts, is_unusual=bool(order[number] < 1.0))
        return found

    def _counts_of(self, one: Numbers) -> NDArray[np.int32]:
        """How often each symbol came in a session, (symbols,); zeros where it was joined midway."""
        counts: NDArray[np.int32] = self.sessions.counts(one, self._scores.symbols)[0]
        return counts if not self.sessions.sessions["joined"][one[0]] else np.zeros_like(counts)

    def _order_scores(self, closed: Numbers, edges: NDArray[np.int32]) -> NDArray[np.float64]:
        """The scores of the ends that are flagged, 0 for the others."""
        sessions, histories = self.sessions.sessions, self.sessions.histories
        high = np.flatnonzero(self._edges.flagged(histories)[edges])
        past = histories.of(sessions["row"][closed[high]])
        judged = ~((past == START).any(axis=1) & (sessions["joined"][closed[high]] != 0))
        scores = np.zeros(len(closed))
        scores[high[judged]] = self.model.keys.surprise(past[judged], np.full(int(judged.sum()), END, np.int32))
        return scores

    def _profile_scores(self, closed: Numbers) -> NDArray[np.float64]:
        """The scores of the counts; 0 for sessions joined midway."""
        sessions = self.sessions.sessions
        scores, fresh, size = np.empty(len(closed)), np.arange(len(closed)), FEW
        while len(fresh):
            scores[fresh] = self._known.recall(closed[fresh], sessions, self.sessions.chunks)
            fresh = fresh[np.isnan(scores[fresh])]
            some, fresh = fresh[:size], fresh[size:]
            counts = self.sessions.counts(closed[some], self._scores.symbols)
            scores[some] = self._scores.of(counts)
            self._known.add(sessions["hash"][closed[some]], counts, scores[some])
            size = min(2 * size, self._scores.at_once)
        scores[sessions["joined"][closed] != 0] = 0.0
        return scores

    def _let_go(self) -> None:
        """Keep the last lines of the blocks that are held no longer."""
        while (old := self._last.let_go()) is not None:
            scanned, slots, before = old
            entries = np.empty(len(slots), np.int64)
            entries = entries[: find_last(slots, before, self.sessions.sessions, entries)]
            self._last.keep(slots[entries].astype(np.int64), scanned, entries, self.sessions.open_slots)
            for place in entries[scanned.numbers[entries] <= 0].tolist():
                self._templates[int(slots[place])] = self._entry(scanned, place).template
        is_open = self.sessions.sessions["is_open"]
        for slot in [slot for slot in self._templates if not is_open[slot] or self._last.key(slot) > 0]:
            del self._templates[slot]


class _ScoredEdges:
    """Whether the edges of histories are flagged; new ones are scored together."""

    def __init__(self, model: Model) -> None:
        self._keys = model.keys
        self._of: Histories | None = None
        self._flags: NDArray[np.bool_] = np.zeros(1, bool)
        self._scored = 0

    def flagged(self, histories: Histories) -> NDArray[np.bool_]:
        """Whether the score of each edge is 1.0 or more; one place more than there are edges, the last False."""
        if self._of is not histories:
            self._of, self._scored = histories, 0
        fresh = histories.edges[self._scored : histories.edge_count]
        if len(fresh) or len(self._flags) != histories.edge_count + 1:
            found = are_flagged(self._keys, histories.of(fresh["from"]), fresh["symbol"])
            self._flags = np.concatenate([self._flags[: self._scored], found, [False]])
            self._scored = histories.edge_count
        return self._flags
