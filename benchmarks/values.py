"""Training the value networks of all keys of a log, beside the straightforward loop, and what the networks are worth.

    python -m benchmarks.values

Read are the authors' OpenStack log (a folder named by OFFSCRIPT_DATA, else `../shared/data`) and the recorded one of
the package. Every contestant is a process of its own, held to one core, with no compiled code kept from before; its
time is that of the processor, loading JAX and compiling included, reading the log not. Machines are shared: ratios
count.
"""

from __future__ import annotations

import gzip
import json
import os
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from importlib.resources import files
from typing import Any, Final

import numpy as np
from benchmarks.contestants import Clock
from benchmarks.parse import child, cores
from benchmarks.rendered import DATA

from offscript import Config, Line, read
from offscript.models import value_lstm
from offscript.models.value_gains import nats_gained
from offscript.models.value_lstm import places_of, rates_of, step_in_jax, train_networks
from offscript.models.value_network import in_deviations, untrained
from offscript.models.vectors import Vectors
from offscript.parse.learn import learn
from offscript.replay import replay, session_timeout
from offscript.value_vectors import vectors_of

STAMP: Final = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}")
ALLOWED: Final = 60.0  # seconds that training may take
AGAIN: Final = 1.5  # times as long that twice the keys may take


def openstack() -> list[Vectors]:
    """Return the vectors of the normal OpenStack log, its lines in time order."""
    with gzip.open(DATA / "openstack" / "utah_normal.log.gz", "rt", encoding="utf-8", errors="replace") as file:
        texts = [text for text in file.read().splitlines() if STAMP.search(text)]
    texts.sort(key=lambda text: STAMP.findall(text)[0])
    return _vectors([Line(text, "normal", number) for number, text in enumerate(texts, 1)])


def postgres() -> list[Vectors]:
    """Return the vectors of the recorded normal log."""
    return _vectors(read(str(files("offscript") / "recorded" / "postgres" / "normal.log.xz")))


def _vectors(lines: Any) -> list[Vectors]:
    parsed = learn(lines, Config(), cells=True)
    one_stream = parsed.discovery.key.where == "none"
    replayed = replay(parsed, None if one_stream else session_timeout(parsed.kept))
    return list(vectors_of(parsed, replayed, per_entry=one_stream))


def with_copies(vectors: Sequence[Vectors], copies: int) -> list[Vectors]:
    """Return as many keys for each, of the same vectors, with weights and windows of their own."""
    last = max(one.key for one in vectors)
    return [replace(one, key=one.key + copy * last) for copy in range(copies) for one in vectors]


def straightforward(vectors: Sequence[Vectors]) -> int:
    """Train one network after another, each compiled by itself for its own vector size, a step at a time."""
    import jax  # noqa: PLC0415

    done = 0
    for one in vectors:
        if not (places := places_of(one)):
            continue
        numbers = one.numbers[: int(value_lstm.LEARN_SHARE * len(one)), places]
        net = untrained(one.key, places, np.nanmean(numbers, axis=0), np.nanstd(numbers, axis=0) + 1e-9, seed=0)
        windows = value_lstm.Windows(in_deviations(numbers, net.mean, net.deviation), len(places))
        params: Any = {name: getattr(net, name) for name in ("entry", "recurrent", "bias", "exit", "exit_bias")}
        memory, step = value_lstm.optimiser().init(params), jax.jit(lambda *given: step_in_jax(*given))  # noqa: PLW0108  (jax keeps one compilation for one function)
        random = np.random.default_rng(one.key)
        for rate in rates_of(value_lstm.STEPS):
            batch = windows.at(random.integers(0, windows.starts, value_lstm.BATCH))
            params, memory = step(params, memory, batch, rate)
        np.asarray(params["exit"])  # waits for the last step
        done += 1
    return done


def run(name: str, copies: int) -> dict[str, Any]:
    """Train the networks of the OpenStack log; `ours` or `straightforward`."""
    vectors = with_copies(openstack(), copies)
    sizes = Counter(value_lstm.size_for(len(places)) for one in vectors if (places := places_of(one)))
    with Clock() as clock:
        done = len(train_networks(vectors, Config())) if name == "ours" else straightforward(vectors)
    return {"networks": done, "sizes": dict(sorted(sizes.items())), "cpu": clock.cpu, "wall": clock.wall}


def judged(name: str, copies: int) -> dict[str, Any]:
    """Run a contestant in a process of its own, in whose cache nothing is kept."""
    with tempfile.TemporaryDirectory() as empty, cores(1):
        before = os.environ.get("XDG_CACHE_HOME")
        os.environ["XDG_CACHE_HOME"] = empty
        try:
            row: dict[str, Any] = json.loads(child("benchmarks.values", name, copies).splitlines()[-1])
        finally:
            del os.environ["XDG_CACHE_HOME"]
            if before is not None:
                os.environ["XDG_CACHE_HOME"] = before
    return row


def compare() -> None:
    """Print what training takes, for the keys of the log and for twice as many, beside the straightforward loop."""
    once, twice, plain = judged("ours", 1), judged("ours", 2), judged("straightforward", 1)
    rows = (("one compiled loop a vector size", once), ("the same, twice the keys", twice))
    for title, row in (*rows, ("compiled for each key, a call a step", plain)):
        each = ", ".join(f"{count} of {size}" for size, count in row["sizes"].items())
        print(f"{title:38} {row['networks']:4} networks ({each}) {row['cpu']:7.1f} s, {row['wall']:7.1f} s of the wall")
    again = twice["cpu"] / once["cpu"]
    print(
        f"within {ALLOWED:.0f} s: {once['cpu'] < ALLOWED}; twice the keys take {again:.2f} x as long (asked: {AGAIN})"
    )
    print(f"the straightforward loop takes {plain['cpu'] / once['cpu']:.1f} x as long")


def tell_gains() -> None:
    """Print the places where networks are worth their cost, in nats a held-out number."""
    for name, vectors in (("OpenStack", openstack()), ("recorded PostgreSQL", postgres())):
        networks = train_networks(vectors, Config())
        gains = [gain for one in vectors if one.key in networks for gain in nats_gained(networks[one.key], one)]
        worth = [gain for gain in gains if gain.is_worth_it]
        middle = float(np.median([gain.nats for gain in gains]))
        print(f"\n{name}: {len(worth)} of {len(gains)} places are worth a network; median gain {middle:+.3f} nats")
        for gain in sorted(worth, key=lambda one: -one.nats):
            print(f"  key {gain.key:4} place {gain.place:3}: {gain.nats:+.2f} (standard error {gain.error:.2f})")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(run(sys.argv[1], int(sys.argv[2]))))
    else:
        compare()
        tell_gains()
