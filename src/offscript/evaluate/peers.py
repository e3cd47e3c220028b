"""Parsers side by side: ours, Drain3 and the reference Spell, each in its default configuration.

The peers come with the extra `peers` and are imported only when they are run. Both write `<*>` for a value, as we do,
so their templates are compared as they are.
"""

from __future__ import annotations

import logging
import re
import tempfile
import time
import warnings
from collections.abc import Callable, Hashable, Sequence
from contextlib import redirect_stdout
from importlib.metadata import version
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from typing import Final, NamedTuple

from offscript import __version__
from offscript.config import Config
from offscript.parse.learn import entries, learn
from offscript.parse.spell import Spell
from offscript.sources import read

OURS: Final = "offscript"
DRAIN3: Final = "Drain3"
REFERENCE_SPELL: Final = "reference Spell"

INSTALL: Final = "the extra `peers`: pip install '.[peers]' in the source folder"

_MODULES: Final = {DRAIN3: "drain3", REFERENCE_SPELL: "logparser"}
_DISTRIBUTIONS: Final = {DRAIN3: "drain3", REFERENCE_SPELL: "logparser3"}


class Parse(NamedTuple):
    """What a parser made of a sample: the group and the template of each line, and the seconds it took.

    The template of a line that was not parsed is None.
    """

    groups: Sequence[Hashable]
    templates: Sequence[str | None]
    seconds: float


Parser = Callable[[Sequence[str]], Parse]
"""Parses the messages of a whole sample."""


def parsers_at_hand() -> tuple[dict[str, Parser], list[str]]:
    """Return the parsers that can be run, by name and ours first, and the names of the peers not installed."""
    all_of_them: dict[str, Parser] = {OURS: parse_ours, DRAIN3: parse_drain3, REFERENCE_SPELL: parse_reference_spell}
    missing = [name for name, module in _MODULES.items() if find_spec(module) is None]
    return {name: parser for name, parser in all_of_them.items() if name not in missing}, missing


def versions() -> str:
    """Return the versions of ours and of the peers that are installed, for what was measured once."""
    distributions = {"offscript": __version__}
    for name, distribution in _DISTRIBUTIONS.items():
        if find_spec(_MODULES[name]) is not None:
            distributions[distribution] = version(distribution)
    return ", ".join(" ".join(pair) for pair in distributions.items())


def parse_ours(messages: Sequence[str]) -> Parse:
    """Parse messages in the learn regime: every message has the template its key has at the end (Spell; ours).

    >>> parse_ours(["took 5 ms", "took 7 ms", "stop"])[:2]
    ([1, 1, 2], ['took <*> ms', 'took <*> ms', 'stop'])
    """
    started = time.perf_counter()
    spell = Spell()
    numbers = [spell.learn(message) for message in messages]
    templates, key_of = spell.settle()
    keys = [key_of[number] for number in numbers]
    text_of = {key: templates.template(key).text for key in set(keys)}
    texts = [text_of[key] for key in keys]
    return Parse(keys, texts, time.perf_counter() - started)


def parse_raw(path: Path, lines: int) -> Parse:
    """Parse the raw lines of a file as `offscript parse` does: header and session key are detected (ours).

    Line n of the file is line n of the result. One that was taken for a continuation of the line before, or was
    blank, has a group of its own and no template; lines beyond `lines` only take part in the learning.
    """
    started = time.perf_counter()
    groups: list[Hashable] = [("not parsed", number) for number in range(lines)]
    texts: list[str | None] = [None] * lines
    config = Config()
    parsed = learn(read(str(path), config=config), config)
    for entry in entries(parsed, read(str(path), config=config)):
        if entry.line.number <= lines:
            groups[entry.line.number - 1] = entry.key
            texts[entry.line.number - 1] = entry.template
    return Parse(groups, texts, time.perf_counter() - started)


def parse_drain3(messages: Sequence[str]) -> Parse:
    """Parse messages with Drain3: a line has the template that its cluster has at the end (He et al., ICWS 2017)."""
    logger = logging.getLogger("drain3")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        from drain3 import TemplateMiner  # noqa: PLC0415  (an extra)
        from drain3.template_miner_config import TemplateMinerConfig  # noqa: PLC0415

        started = time.perf_counter()
        # a configuration of its own: without one it reads any drain3.ini that lies in the current folder
        miner = TemplateMiner(config=TemplateMinerConfig())
        groups = [miner.add_log_message(message)["cluster_id"] for message in messages]
        text_of = {group: miner.drain.id_to_cluster[group].get_template() for group in set(groups)}
        texts = [text_of[group] for group in groups]
        return Parse(groups, texts, time.perf_counter() - started)
    finally:
        logger.setLevel(level)


def parse_reference_spell(messages: Sequence[str]) -> Parse:
    """Parse messages with logparser's Spell: tau 0.5, no patterns, the whole line is the message (Du, Li, ICDM 2016).

    It reads and writes files, so the time has those in it; the values of the lines, which are not compared, are not
    asked for. Lines of one template are one group, as its own output has it.
    """
    with warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder, redirect_stdout(StringIO()):
        warnings.simplefilter("ignore")  # its escapes and its use of pandas are of their time
        from logparser.Spell import LogParser  # noqa: PLC0415  (an extra)

        # One line a message, whatever is in it. It replaces what is not ASCII in this way itself, after reading the
        # file in the encoding of the locale, which may not have it.
        lines = [re.sub(r"[^\x00-\x7F]+", "<NASCII>", re.sub(r"[\r\n]", " ", message)) for message in messages]
        (Path(folder) / "sample.log").write_text("\n".join(lines) + "\n", "ascii")
        started = time.perf_counter()
        parser = LogParser(indir=folder, outdir=folder, log_format="<Content>", tau=0.5, rex=[], keep_para=False)
        parser.parse("sample.log")
        texts = [str(text) for text in parser.df_log["EventTemplate"]]
        seconds = time.perf_counter() - started
    if len(texts) != len(messages):
        raise ValueError(f"{len(texts)} of {len(messages)} lines were parsed")
    return Parse(texts, texts, seconds)
