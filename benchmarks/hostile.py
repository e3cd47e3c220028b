"""Logs that nobody should write: time for each byte beside a normal log of the same size, and peak memory.

    python -m benchmarks.hostile [MEGABYTES]

Every log goes through `learn(read(FILE), Config())` in a process of its own. The normal log beside it is the scripted
service's. Twice the size should take twice the time: `x half` says how much longer it takes. A log that is ended for
its time has a lower bound only, written with `>`.
"""

from __future__ import annotations

import json
import math
import random
import resource
import signal
import string
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import chain, count, islice, repeat
from pathlib import Path
from typing import Any, Final

import numpy as np

MEGABYTES: Final = 16  # of each log; half of it is run, too
LARGE: Final = 8_000_000  # bytes of a log that is surely not read line by line to its end
STAMP: Final = "2024-05-01 10:00:00 INFO"
PATIENCE: Final = 120  # seconds of processor for one log: normal ones take a few
LONG: Final = 100_000  # tokens of a long line

Pieces = Iterator[bytes]


def _numbered(text: Callable[[int], str]) -> Pieces:
    return (text(number).encode() + b"\n" for number in count())


def name_of(number: int) -> str:
    """Return a word without digits that no other number has.

    >>> name_of(0), name_of(27)
    ('a', 'bb')
    """
    word = string.ascii_lowercase[number % 26]
    return word if number < 26 else name_of(number // 26) + word


def _words(seed: int, alphabet: str, least: int) -> Iterator[str]:
    """Words drawn at random, without end: as many as lines need to be all different."""
    chance = random.Random(seed)
    while True:
        yield "".join(chance.choices(alphabet, k=chance.randint(least, 12)))


def _lines_of(words: Iterator[str], begin: str = STAMP) -> Pieces:
    return (f"{begin} {' '.join(islice(words, 8))}\n".encode() for _ in count())


def normal() -> Pieces:
    """The scripted service."""
    from offscript.testing import service_log  # noqa: PLC0415  (the parent of the measured processes stays small)

    return (f"{line}\n".encode() for line in chain.from_iterable(service_log(5_000, seed) for seed in count()))


def random_words() -> Pieces:
    """Lines of words that share nothing."""
    return _lines_of(_words(1, string.ascii_lowercase, 6))


def random_words_with_digits() -> Pieces:
    """Lines of words that share nothing, half of which have digits in them."""
    return _lines_of(_words(2, string.ascii_lowercase + string.digits * 2, 6))


def few_words() -> Pieces:
    """Lines of a few words in any order and any number: every one is like many others."""
    chance = random.Random(3)
    words = [name_of(30 + number) for number in range(12)]
    return _numbered(lambda _: f"{STAMP} {' '.join(chance.choices(words, k=chance.randint(2, 20)))}")


def other_verbs() -> Pieces:
    """One statement whose every word but one is another each time."""
    return _numbered(lambda number: f"{STAMP} user {name_of(number)} has {name_of(number * 7919)} it")


def punctuation() -> Pieces:
    """Lines of signs, drawn at random."""
    return _lines_of(_words(4, string.punctuation, 3))


def unbalanced() -> Pieces:
    """Brackets and quotes that open and never close, and the other way about."""
    chance = random.Random(5)
    signs = "\"'([{<)]}>=,:"
    return _numbered(lambda number: f'{STAMP} state {"".join(chance.choices(signs, k=40))} of "{number} [{number}')


def nested() -> Pieces:
    """Brackets within brackets, ten thousand deep."""
    return _numbered(lambda number: f"{STAMP} call {'([{<' * 2_500} {number}")


def long_lines() -> Pieces:
    """Lines of a hundred thousand tokens, words and numbers."""
    names = [name_of(number) for number in range(LONG // 2)]
    return _numbered(lambda number: f"{STAMP} list {' '.join(f'{name} {n + number}' for n, name in enumerate(names))}")


def one_token_lines() -> Pieces:
    """One token again and again, in lines of a megabyte."""
    return _numbered(lambda _: f"{STAMP} {'again ' * 170_000}")


def one_word_lines() -> Pieces:
    """Lines of one and the same word, without a header."""
    return _numbered(lambda _: "again")


def one_long_token() -> Pieces:
    """Lines that are one token of a megabyte."""
    return _numbered(lambda number: f"{STAMP} {chr(97 + number % 26) * 1_000_000}")


def digits_only() -> Pieces:
    """Lines that are one number of a hundred thousand digits."""
    return _numbered(lambda number: f"{STAMP} {str(10**9 + number) * 10_000}")


def no_newline() -> Pieces:
    """Words without a line end."""
    block = b" ".join(word.encode() for word in islice(_words(6, "abc1", 2), 10_000))
    return repeat(block)


def random_bytes() -> Pieces:
    """Bytes drawn at random, behind a first piece of text: else it is refused as binary."""
    draw = np.random.default_rng(7)
    return chain(islice(normal(), 2_000), (draw.bytes(1 << 16) for _ in count()))


def random_latin() -> Pieces:
    """Printable bytes of an eight-bit alphabet, which are no UTF-8."""
    draw = np.random.default_rng(8)
    return (bytes(draw.integers(0xA0, 0x100, 80, np.uint8)) + b"\n" for _ in count())


def wide_spaces() -> Pieces:
    """White space beyond ASCII between words, and control characters."""
    return _numbered(lambda number: f"{STAMP} took\u00a0{number}\u2003ms\x1b[0m \x85 end\u3000")


def session_ids() -> Pieces:
    """Every line names another session."""
    return _numbered(lambda number: f"{STAMP} request req-{number:08x} accepted from 10.0.0.1")


def long_session_ids() -> Pieces:
    """Every line names another session, by an id of five hundred characters."""
    return _numbered(lambda number: f"{STAMP} request req-{number:0500d} accepted from 10.0.0.1")


def host_names() -> Pieces:
    """Headers of syslog, each of another host and program."""
    return _numbered(
        lambda number: f"May  1 10:00:00 host-{name_of(number)} {name_of(number % 5_000)}[{number}]: connection closed"
    )


def header_words() -> Pieces:
    """Headers whose words, signs and widths are never the same."""
    chance = random.Random(9)
    signs = "-_.:/@#$%"
    return _numbered(
        lambda number: f"{STAMP} [{name_of(number)}{chance.choice(signs) * (number % 60)}{number}] connection closed"
    )


def levels() -> Pieces:
    """A word in the place of the level that is another each time."""
    return _numbered(lambda number: f"2024-05-01 10:00:00 {name_of(number).upper()} main: connection closed")


def stack_traces() -> Pieces:
    """One record whose continuation lines never end."""
    return chain(
        [f"{STAMP} it failed\n".encode()] * 20, _numbered(lambda number: f"\tat call.number{number}(File:{number})")
    )


def stamps() -> Pieces:
    """Stamps that jump, are damaged, or stand in the place of the message."""
    chance = random.Random(10)
    return _numbered(
        lambda _: f"20{chance.randint(0, 99):02}-{chance.randint(0, 13):02}-01 1{chance.randint(0, 9)}:00:00 INFO done"
    )


def credentials() -> Pieces:
    """A password on every line."""
    return _numbered(lambda number: f"{STAMP} login of u{number} with password=secret{number} token: abc{number}")


LOGS: Final[dict[str, Callable[[], Pieces]]] = {
    log.__name__: log
    for log in (
        normal, random_words, random_words_with_digits, few_words, other_verbs, punctuation, unbalanced, nested,
        long_lines, one_token_lines, one_word_lines, one_long_token, digits_only, no_newline, random_bytes,
        random_latin, wide_spaces, session_ids, long_session_ids, host_names, header_words, levels, stack_traces,
        stamps, credentials,
    )
}  # fmt: skip
"""The normal log, and the hostile ones."""


def write(path: Path, name: str, size: int) -> None:
    """Write so many bytes of a log, or a line more, and end the last line."""
    written = 0
    with path.open("wb") as file:
        for piece in LOGS[name]():
            written += file.write(piece)
            if written >= size:
                break
        file.write(b"\n")


def measure(path: Path) -> dict[str, float | str]:
    """Learn a file in this process; return seconds, peak memory and what was found."""
    from benchmarks.contestants import Clock, peak  # noqa: PLC0415  (as above)

    from offscript import Config, OffscriptError, read  # noqa: PLC0415
    from offscript.parse.learn import learn  # noqa: PLC0415

    allowed = PATIENCE + math.ceil(time.process_time())
    resource.setrlimit(resource.RLIMIT_CPU, (allowed, allowed + 1))
    with Clock() as clock:
        try:
            parsed = learn(read(path), Config())
            found = (
                f"{len(parsed.kept):,} entries, {len(parsed.templates.keys()):,} keys, {len(parsed.warnings)} warnings"
            )
        except OffscriptError as error:
            found = f"refused: {error}"
    return {"seconds": clock.cpu, "wall": clock.wall, "peak": peak(), "found": found}


def main() -> None:
    """Print the figures of every log."""
    if sys.argv[1:2] == ["--measure"]:
        print(json.dumps(measure(Path(sys.argv[2]))))
        return
    size = int(float(sys.argv[1]) * 1e6) if len(sys.argv) > 1 else MEGABYTES * 1_000_000
    only = sys.argv[2:] or list(LOGS)
    figures("normal", max(size, LARGE))  # what is compiled for large logs is compiled now
    usual = figures("normal", size)["seconds"] / size
    print(f"{'log':26} {'MB':>6} {'s/MB':>8} {'x normal':>9} {'x half':>7} {'peak MB':>8}  found")
    for name in only:
        half, whole = (figures(name, part) for part in (size // 2, size))
        print(f"{name:26} {size / 1e6:6,.0f} {_row(half, whole, size, usual)}  {whole['found']}", flush=True)


def _row(half: dict[str, Any], whole: dict[str, Any], size: int, usual: float) -> str:
    """The figures of a log; of one that was ended only the least that it took is known."""
    each = whole["seconds"] / size
    if whole["peak"] is None:
        return f"{f'>{each * 1e6:.1f}':>8} {f'>{each / usual:.0f}':>9} {'?':>7} {'?':>8}"
    return f"{each * 1e6:8.3f} {each / usual:9.1f} {whole['seconds'] / half['seconds']:7.1f} {whole['peak']:8,.0f}"


def figures(name: str, size: int) -> dict[str, Any]:
    """Measure so many bytes of a log in a process of its own, which is ended after a while."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "hostile.log"
        write(path, name, size)
        command = [sys.executable, "-m", "benchmarks.hostile", "--measure", str(path)]
        done = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True)
        if done.returncode == -signal.SIGXCPU:
            return {"seconds": PATIENCE, "peak": None, "found": f"ended after {PATIENCE} s"}
        done.check_returncode()
        found: dict[str, Any] = json.loads(done.stdout)
        return found


if __name__ == "__main__":
    main()
