"""Those who judge a log, compared by `benchmarks/detect.py`, each run in a process of its own.

    python -m benchmarks.judges fit FOLDER LOG
    python -m benchmarks.judges NAME FOLDER LOG

Prints a row of JSON: what was counted, and its seconds of processor and of the wall.
"""

from __future__ import annotations

import json
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, Final

import numpy as np
from benchmarks.contestants import Clock
from benchmarks.every_key import EveryKey, train_all, trained
from numpy.typing import NDArray

from offscript import Config, Detector, Line, Model, detect, detector, fit, load, read
from offscript.detection import together
from offscript.models.lstm import train
from offscript.models.pairs import unique_rows, windows
from offscript.models.values import ValueModel
from offscript.parse.scan import Scanned
from offscript.value_blocks import BlockValues

REPEATS: Final = 5  # times that the entries of a log are judged: ten million entries of two million lines
WINDOWS: Final = 4_000  # judged by the one-call-a-window scorer: two seconds, as long as the others take
HISTORY, HIDDEN, LAYERS, CANDIDATES = 10, 64, 2, 9  # of the paper and of public scripts
STEPS: Final = (25, 125)  # training steps on all windows that are timed; the difference is without compiling
DAY: Final = 86_400.0  # log seconds between two times
OPEN: Final = 100_000  # sessions held at once at most, by default
WARM: Final = 20_000  # lines judged before the clock starts, so that compiled code is loaded

detector.PAYS_FROM = 0  # what is judged in columns is compiled before the clock starts

Row = dict[str, Any]


def fit_raw(log: Path, folder: Path) -> Row:
    """Learn a model from raw text, as `offscript fit` does, with the default settings, and keep it."""
    with Clock() as clock:
        model = fit(read(log), Config())
        model.save(folder / "model")
    facts = model.facts
    curve = model.keys.curves[0]
    return _row(clock, lines=facts["entries"], sessions=facts["sessions"], steps=curve.points[-1][0])


def train_all_windows(_: Path, folder: Path) -> Row:
    """The seconds that a network would take on all windows, for as many passes over them as ours has made."""
    model = load(folder / "model")
    keys, config = model.keys, model.config
    kept = keys.learnt.sessions
    sessions = np.split(kept.symbols, np.cumsum(kept.lengths)[:-1])
    times = [one for one, count in zip(sessions, kept.counts.tolist(), strict=True) for _ in range(count)]
    ended = [bool(flag) for flag, count in zip(kept.complete, kept.counts.tolist(), strict=True) for _ in range(count)]
    found = windows(times, ended, config.history)
    distinct = len(unique_rows(np.column_stack((found.histories, found.targets)))[0])
    seen = keys.learnt.ensemble.seen[0]
    spent = []
    for steps in (STEPS[0], *STEPS):  # once more at first, to compile
        few = config.model_copy(update={"training_steps": steps})
        with Clock() as clock:
            train(found.histories, found.targets, np.ones(len(found.targets), np.float32), seen, few, seed=0)
        spent.append((clock.cpu, clock.wall))
    share = len(found.targets) / distinct * keys.curves[0].points[-1][0] / (STEPS[1] - STEPS[0])
    cpu, wall = ((late - early) * share * len(keys.curves) for early, late in zip(*spent[1:], strict=True))
    return {"cpu": cpu, "wall": wall, "windows": len(found.targets), "distinct": distinct}


def raw_to_verdicts(log: Path, folder: Path) -> Row:
    """Raw file to verdicts; nothing of the log was scored before, only compiled code is loaded."""
    _warm(log, load(folder / "model"))
    model, reading = load(folder / "model"), read(log)
    with Clock() as clock:
        found = sum(1 for _ in detect(model, reading))
    return _row(clock, lines=reading.report.lines, verdicts=found)


def raw_by_keys(log: Path, folder: Path) -> Row:
    """Raw file to verdicts by keys alone: the same model without what it knows of times and values."""
    _warm(log, replace(load(folder / "model"), values=ValueModel()))
    model, reading = replace(load(folder / "model"), values=ValueModel()), read(log)
    with Clock() as clock:
        found = sum(1 for _ in detect(model, reading))
    return _row(clock, lines=reading.report.lines, verdicts=found)


def train_networks(log: Path, folder: Path) -> Row:
    """Train the value network of every key on the training log, and keep them."""
    with Clock() as clock:
        count = train_all(log, folder)
    return _row(clock, networks=count)


def raw_with_networks(log: Path, folder: Path) -> Row:
    """Raw file to verdicts, an LSTM of every key stepped over its vectors in passing; its errors tell nobody."""
    model = load(folder / "model")
    judge = BlockValues.flagged
    every: list[EveryKey] = [EveryKey(trained(folder))]

    def flagged(self: BlockValues, scanned: Any, entered: Any, histories: Any, told: Any) -> Any:
        every[-1].over(model, scanned, entered, told)
        return judge(self, scanned, entered, histories, told)

    BlockValues.flagged = flagged  # type: ignore[method-assign]
    _warm(log, model)
    every.append(EveryKey(trained(folder)))
    reading = read(log)
    with Clock() as clock:
        found = sum(1 for _ in detect(load(folder / "model"), reading))
    return _row(clock, lines=reading.report.lines, verdicts=found, vectors=every[-1].entries, above=every[-1].flagged)


def scan_text(log: Path, folder: Path) -> Row:
    """Raw file to columnar entries, as `detect` has them scanned."""
    model = load(folder / "model")
    _warm(log, model)
    with Clock() as clock:
        entries = sum(len(block.places) for block in _blocks(log, Detector(model)))
    return _row(clock, lines=entries)


def columns_to_verdicts(log: Path, folder: Path) -> Row:
    """Columnar entries to verdicts: those of a log several times over, by a detector that has judged them before."""
    model = load(folder / "model")
    _warm(log, model)
    one = Detector(model)
    blocks = list(_blocks(log, one))
    first = sum(len(one.push_scanned(*some)) for some in together(blocks) if isinstance(some, tuple))
    clock, entries, found = Clock(), 0, 0
    span = max(float(block.stamps[-1]) for block in blocks) - float(blocks[0].stamps[0]) + DAY
    for repeat in range(1, REPEATS + 1):
        one.close(complete=True)
        later = [replace(block, stamps=block.stamps + repeat * span) for block in blocks]
        with clock:
            found += sum(len(one.push_scanned(*some)) for some in together(later) if isinstance(some, tuple))
        entries += sum(len(block.places) for block in blocks)
    return _row(clock, lines=entries, verdicts=found, first=first)


def one_call_a_window(log: Path, folder: Path) -> Row:
    """A scorer that runs an LSTM once for each window, as public scripts do, in plain numpy; windows are ready."""
    model = load(folder / "model")
    keys = [entry.numbers for entry in islice(_blocks(log, Detector(model)), 4)]
    symbols = np.concatenate(keys) % 29
    random = np.random.default_rng(0)
    weights = [
        random.normal(size=(size + HIDDEN, 4 * HIDDEN)).astype(np.float32) * 0.1
        for size in (1, *[HIDDEN] * (LAYERS - 1))
    ]
    out = random.normal(size=(HIDDEN, 29)).astype(np.float32)
    flagged = 0
    with Clock() as clock:
        for at in range(HISTORY, HISTORY + WINDOWS):
            best = np.argsort(_forward(symbols[at - HISTORY : at], weights) @ out)[-CANDIDATES:]
            flagged += symbols[at] not in best
    return _row(clock, lines=WINDOWS, verdicts=flagged)


def open_sessions(_: Path, folder: Path) -> Row:
    """The memory of as many sessions as may be open at once, each with a line of its own; no clock."""
    model = load(folder / "model")
    one = Detector(model)
    names = [f"blk_{number}" for number in range(OPEN)]
    key = model.keys.vocabulary.keys[0]
    text = (
        "081109 203518 143 INFO dfs.DataNode$DataXceiver: Receiving block blk_-1608999687919862906 src: /10.250.19.102"
    )

    def columns(some: NDArray[Any]) -> Scanned:
        lines = [Line(text, "app.log", int(n) + 1, 100 * int(n)) for n in some]
        stamps = np.full(len(some), 1e9)
        numbers = np.full(len(some), key)
        return Scanned(lines, "app.log", np.arange(len(some)), numbers, some, stamps, stamps, 1e9, names)

    one.push_scanned(columns(np.arange(10)))
    tracemalloc.start()
    for begin in range(0, OPEN, 5_000):
        one.push_scanned(columns(np.arange(begin, begin + 5_000)))
    held = tracemalloc.get_traced_memory()[0]
    return {"cpu": 0.0, "wall": 0.0, "sessions": OPEN, "bytes": held}


JUDGES: Final[dict[str, Callable[[Path, Path], Row]]] = {
    function.__name__: function
    for function in (
        fit_raw,
        train_all_windows,
        raw_to_verdicts,
        raw_by_keys,
        train_networks,
        raw_with_networks,
        scan_text,
        columns_to_verdicts,
        one_call_a_window,
        open_sessions,
    )
}


def _row(clock: Clock, **counted: int) -> Row:
    return {"cpu": clock.cpu, "wall": clock.wall, **counted}


def _forward(window: NDArray[np.int64], weights: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    """The last hidden state of a stacked LSTM over one window, a number a key, a batch of one."""
    state = [(np.zeros(HIDDEN, np.float32), np.zeros(HIDDEN, np.float32)) for _ in weights]
    for key in window:
        below = np.array([key], np.float32)
        for layer, matrix in enumerate(weights):
            hidden, memory = state[layer]
            gates = np.concatenate((below, hidden)) @ matrix
            i, f, o = (1 / (1 + np.exp(-part)) for part in (gates[:64], gates[64:128], gates[192:]))
            memory = f * memory + i * np.tanh(gates[128:192])
            below = o * np.tanh(memory)
            state[layer] = (below, memory)
    return state[-1][0]


def _blocks(log: Path, judge: Detector) -> Iterator[Scanned]:
    """The entries of a log, from its first line on in columns."""
    for block in judge.scanned(read(log).raw()):
        assert not isinstance(block, list)
        yield block


def _warm(log: Path, model: Model) -> None:
    """Judge the first lines of a log in columns."""
    head = log.with_suffix(".head")
    with log.open("rb") as file:
        head.write_bytes(b"".join(islice(file, WARM)))
    one = Detector(model)
    for block in _blocks(head, one):
        one.push_scanned(block)
    one.close(complete=True)


def main() -> None:
    """Run one judge on a log."""
    name, folder, log = sys.argv[1:]
    print(json.dumps(JUDGES[name](Path(log), Path(folder))))


if __name__ == "__main__":
    main()
