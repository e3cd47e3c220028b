"""What session discovery finds in real logs, and why: the table of docs/sessions.md.

    python -m benchmarks.sessions

Read are the real logs (a folder named by OFFSCRIPT_DATA, else `../shared/data`) and the recorded ones of the package,
as many lines of each as `fit` looks at. Below the table it says where the second half of a log shows another key.
"""

from __future__ import annotations

import gzip
import lzma
import time
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Final

from benchmarks.rendered import DATA

from offscript import Config
from offscript.entries import Line
from offscript.parse.candidates import Candidate
from offscript.parse.discover import Discovery
from offscript.parse.learn import learn

HEAD: Final = "| log | lines | session key | with an id | ids | keys an id | bits | best rejected | why |"
RULE: Final = "| --- | ---: | --- | ---: | ---: | ---: | ---: | --- | --- |"


def logs(data: Path = DATA) -> Iterator[tuple[str, list[str]]]:
    """Yield the name and the lines of each log, the real ones sorted by path, then the recorded ones."""
    for path in sorted(data.glob("*/*.log.gz")):
        name = path.name.removesuffix(".log.gz")
        yield name, gzip.decompress(path.read_bytes()).decode("utf-8", "replace").splitlines()
    recorded = Path(str(files("offscript"))) / "recorded"
    for path in sorted(recorded.glob("*/*.log.xz")):
        name = f"recorded {path.parent.name}, {path.name.removesuffix('.log.xz')}"
        yield name, lzma.decompress(path.read_bytes()).decode().splitlines()


def discover(lines: list[str]) -> Discovery:
    """Discover the session key as `fit` does."""
    config = Config()
    return learn((Line(text, number=at) for at, text in enumerate(lines[: config.sample_lines], 1)), config).discovery


def row(name: str, found: Discovery) -> str:
    """Write what was found as a row of the table; the figures are those of the key, or of the best rejected."""
    chosen = next((one for one in found.candidates if one.key == found.key), None)
    rejected = next((one for one in found.candidates if one is not chosen), None)
    shown = chosen or rejected
    key = f"**{found.key.describe()}**" if chosen else "none"
    why = rejected.why_not(chosen) if rejected else ""
    figures = _figures(shown) if shown else ("", "", "", "", "")
    looked_at, *measured = figures
    other = rejected.key.describe() if rejected else ""
    return "| " + " | ".join((name, looked_at, _plain(key), *measured, _plain(other), why)) + " |"


def _figures(one: Candidate) -> tuple[str, ...]:
    gained = f"{min(one.gain, one.order_gain):.1f}"
    return f"{one.sample:,}", f"{one.coverage:.0%}", f"{one.ids:,}", f"{one.keys_per_id:.1f}", gained


def _plain(text: str) -> str:
    return text.replace("<", "\\<").replace("|", "\\|")


def main() -> None:
    """Print the table, and where halves differ."""
    print(HEAD, RULE, sep="\n")
    halves = []
    begin = time.perf_counter()
    for name, lines in logs():
        found = discover(lines)
        print(row(name, found), flush=True)
        later = discover(lines[len(lines) // 2 :])
        if later.key.describe() != found.key.describe():
            halves.append(f"{name}: {found.key.describe()}; its second half: {later.key.describe()}")
    print("\nThe second half of a log shows another key:", *halves or ["nowhere"], sep="\n")
    print(f"\n{time.perf_counter() - begin:.0f} s")


if __name__ == "__main__":
    main()
