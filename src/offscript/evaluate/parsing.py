"""The parsing experiment: templates of Loghub's samples against their references, ours beside the peers.

Nothing is tuned here: every parser has one default configuration for all systems, and the references only score.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache, partial
from itertools import product
from pathlib import Path
from statistics import fmean
from typing import Any, Final

from offscript.entries import WILDCARD
from offscript.evaluate.loghub import REFERENCES, Reference, System, find_systems, read_reference
from offscript.evaluate.peers import DRAIN3, INSTALL, OURS, Parse, Parser, parse_raw, parsers_at_hand
from offscript.parse.learn import Progress

CONTENT: Final = "content"
RAW: Final = "raw"
SOURCES: Final = (CONTENT, RAW)
"""What was parsed: the messages of the reference, its header removed by hand, or the raw lines as they are."""

MEAN: Final = "mean"

_JOINED: Final = re.compile(r"<\*>(?:[^\w\s<>]*<\*>)+")


def comparable(template: str) -> str:
    """Return a template as it is compared: white space collapsed, and `<*>` joined only by punctuation merged (ours).

    Whether `<*>:<*>` or `<*>` stands for an address is taste; whether a word is constant is not.

    >>> comparable("from  <*>:<*> to <*>, <*>"), comparable("<*><*> <*>")
    ('from <*> to <*>, <*>', '<*> <*>')
    """
    return _JOINED.sub(WILDCARD, " ".join(template.split()))


@dataclass(frozen=True)
class Accuracy:
    """How well the lines of a sample were grouped and their templates worded; each share is from 0 to 1.

    A group is the lines that have one key; it is right when the reference has a template with exactly these lines.

    * `ga`, grouping accuracy: the share of the lines that are in a right group.
    * `fga`, F1 of group accuracy: the harmonic mean of the share of the groups that are right and of the share of the
      reference's templates that such a group was found for.
    * `pa`, parsing accuracy: the share of the lines whose template is worded as the reference's.
    * `fta`, F1 of template accuracy: the harmonic mean of the share of the templates that are right and of the share of
      the reference's templates that were found; a template, which is all lines worded so whatever their keys, is right
      when the reference has one of the same wording and the same lines.

    Wordings are compared as `comparable` gives them; `pa_exact` and `fta_exact` compare the strings as they are.
    """

    lines: int
    groups: int
    reference_templates: int
    ga: float
    fga: float
    pa: float
    fta: float
    pa_exact: float
    fta_exact: float


MEASURES: Final = ("ga", "fga", "pa", "fta", "pa_exact", "fta_exact")


def score(groups: Sequence[Hashable], templates: Sequence[str | None], reference: Sequence[str]) -> Accuracy:
    """Compare the group and the template of each line with the reference's template (ours; as in PAPER 8).

    The three are of equal length, one place a line; a line whose template is None was not parsed.

    >>> found = score([1, 1, 2], ["a <*>", "a <*>", "b"], ["a <*>", "a <*>", "b <*>"])
    >>> found.ga, found.fga, round(found.pa, 2), found.fta
    (1.0, 1.0, 0.67, 0.5)
    """
    ours, theirs = _lines_by(groups), _lines_by(reference)
    right = {frozenset(lines) for lines in theirs.values()}
    hits = [lines for lines in ours.values() if frozenset(lines) in right]
    worded = [None if text is None else comparable(text) for text in templates]
    meant = [comparable(text) for text in reference]
    return Accuracy(
        lines=len(reference),
        groups=len(ours),
        reference_templates=len(theirs),
        ga=sum(map(len, hits)) / len(reference),
        fga=_f1(len(hits), len(ours), len(theirs)),
        pa=_share_equal(worded, meant),
        fta=_template_f1(worded, meant),
        pa_exact=_share_equal(templates, reference),
        fta_exact=_template_f1(templates, reference),
    )


def _lines_by(labels: Iterable[Hashable]) -> dict[Hashable, list[int]]:
    groups: dict[Hashable, list[int]] = {}
    for line, label in enumerate(labels):
        groups.setdefault(label, []).append(line)
    return groups


def _share_equal(texts: Sequence[str | None], reference: Sequence[str]) -> float:
    return sum(text == meant for text, meant in zip(texts, reference, strict=True)) / len(reference)


def _template_f1(texts: Sequence[str | None], reference: Sequence[str]) -> float:
    # a line that was not parsed is a template of its own, and wrong
    ours = _lines_by(line if text is None else text for line, text in enumerate(texts))
    theirs = _lines_by(reference)
    return _f1(sum(lines == theirs.get(text) for text, lines in ours.items()), len(ours), len(theirs))


def _f1(hits: int, found: int, there: int) -> float:
    return 2 * hits / (found + there)


@dataclass(frozen=True)
class Row:
    """A parser on one system, or the mean of its shares over `systems` of them.

    `accuracy` is None, and `note` says why, where the parser failed. `seconds` are of wall clock, one run.
    """

    system: str
    parser: str
    source: str
    reference: str
    accuracy: Accuracy | None
    seconds: float
    systems: int = 1
    note: str = ""

    @property
    def lines_per_second(self) -> float | None:
        """Lines parsed in a second; None where the parser failed."""
        return self.accuracy.lines / self.seconds if self.accuracy is not None and self.seconds else None


@dataclass
class Parsing:
    """What the experiment found: a row for each system, parser, source and reference; and what to tell the user."""

    rows: list[Row] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)

    @property
    def systems(self) -> list[str]:
        """The systems' names, in order."""
        return list(dict.fromkeys(row.system for row in self.rows))

    @property
    def parsers(self) -> list[str]:
        """The parsers' names, ours first."""
        return list(dict.fromkeys(row.parser for row in self.rows))

    @property
    def references(self) -> list[str]:
        """The references there are, the better one first."""
        return [name for name in REFERENCES if any(row.reference == name for row in self.rows)]

    def of(self, parser: str, reference: str, source: str = CONTENT) -> list[Row]:
        """Return a parser's rows, one a system."""
        return [row for row in self.rows if (row.parser, row.reference, row.source) == (parser, reference, source)]

    def means(self) -> list[Row]:
        """Return the mean row of every parser, source and reference, each system counting alike."""
        kinds = product(SOURCES, REFERENCES, self.parsers)
        return [mean(rows) for source, reference, parser in kinds if (rows := self.of(parser, reference, source))]

    def speed(self, row: Row) -> float | None:
        """Return a row's lines a second as a multiple of Drain3's on the same; None where there is no such figure."""
        peers = self.of(DRAIN3, row.reference)
        rates = {peer.system: peer.lines_per_second for peer in [*peers, *([mean(peers)] if peers else [])]}
        rate, theirs = row.lines_per_second, rates.get(row.system)
        return rate / theirs if rate and theirs else None

    def record(self, row: Row) -> dict[str, Any]:
        """Return everything about a row by name, for printing: what was counted first."""
        figures: dict[str, Any] = dict.fromkeys(Accuracy.__dataclass_fields__)
        if row.accuracy is not None:
            figures = {name: round(value, 4) for name, value in asdict(row.accuracy).items()}
        rate, speed = row.lines_per_second, self.speed(row)
        return {
            "system": row.system,
            "systems": row.systems,
            "parser": row.parser,
            "source": row.source,
            "reference": row.reference,
            **figures,
            "lines_per_second": None if rate is None else round(rate),
            "times_drain3": None if speed is None else round(speed, 4),
            "note": row.note,
        }

    def records(self) -> list[dict[str, Any]]:
        """Return the records of all rows, then those of the means."""
        return [self.record(row) for row in [*self.rows, *self.means()]]


def mean(rows: Sequence[Row]) -> Row:
    """Return the mean of some rows of one parser: of shares the mean, of what was counted the sum (ours).

    Systems that the parser failed on are left out and named.
    """
    done = [(row, row.accuracy) for row in rows if row.accuracy is not None]
    failed = ", ".join(row.system for row in rows if row.accuracy is None)
    accuracy = _mean_accuracy([one for _, one in done]) if done else None
    first = rows[0]
    seconds = sum(row.seconds for row, _ in done)
    note = f"without {failed}, where it failed" if failed else ""
    return Row(MEAN, first.parser, first.source, first.reference, accuracy, seconds, len(done), note)


def _mean_accuracy(of: Sequence[Accuracy]) -> Accuracy:
    return Accuracy(
        lines=sum(one.lines for one in of),
        groups=sum(one.groups for one in of),
        reference_templates=sum(one.reference_templates for one in of),
        **{name: fmean(getattr(one, name) for one in of) for name in MEASURES},
    )


def run_parsing(
    folder: Path, *, parsers: Mapping[str, Parser] | None = None, progress: Progress | None = None
) -> Parsing:
    """Parse every sample in a folder with every parser at hand, and compare with the references (ours).

    `parsers` are by name; those not given are not run. Raises InputError when there are no samples, or a damaged one.
    """
    systems = find_systems(folder)
    found = Parsing()
    if parsers is None:
        parsers, missing = parsers_at_hand()
        if missing:
            found.findings.append(f"not installed, so not run: {', '.join(missing)} ({INSTALL})")
    found.findings += _lacking(systems)
    references: list[dict[str, Reference]] = [
        {name: read_reference(system.references[name]) for name in REFERENCES if name in system.references}
        for system in systems
    ]
    runs = [(*run, known) for system, known in zip(systems, references, strict=True) for run in _runs(system, parsers)]
    for done, run in enumerate(runs):
        if progress is not None:
            progress("parsing", done, len(runs))
        found.rows += _rows(*run)
    return found


def _lacking(systems: Sequence[System]) -> Iterator[str]:
    """What some systems have no file of, and so no rows."""
    for name in REFERENCES:
        if lacking := [system.name for system in systems if name not in system.references]:
            yield f"no {name} reference was found of {', '.join(lacking)}"
    if lacking := [system.name for system in systems if system.raw is None]:
        yield f"no raw lines (NAME_2k.log) were found of {', '.join(lacking)}"


_Run = tuple[str, str, str, Parser]  # system, parser's name, source, and what parses it


def _runs(system: System, parsers: Mapping[str, Parser]) -> Iterator[_Run]:
    for name, parser in parsers.items():
        yield system.name, name, CONTENT, parser
    raw = system.raw
    if raw is not None and OURS in parsers:
        parse = cache(partial(parse_raw, raw))  # references may differ in their messages, not in their raw lines
        yield system.name, OURS, RAW, lambda messages: parse(len(messages))


def _rows(system: str, name: str, source: str, parser: Parser, references: Mapping[str, Reference]) -> Iterator[Row]:
    parses: dict[tuple[str, ...], tuple[Parse | None, str]] = {}  # most references have the same messages
    for kind, reference in references.items():
        if reference.messages not in parses:
            parses[reference.messages] = _attempt(name, parser, reference.messages)
        parse, note = parses[reference.messages]
        if parse is None:
            yield Row(system, name, source, kind, None, 0.0, note=note)
        else:
            accuracy = score(parse.groups, parse.templates, reference.templates)
            yield Row(system, name, source, kind, accuracy, parse.seconds)


def _attempt(name: str, parser: Parser, messages: Sequence[str]) -> tuple[Parse | None, str]:
    """What a parser made of the messages; that a peer failed is a result, that ours did is an error."""
    try:
        return parser(messages), ""
    except Exception as error:
        if name == OURS:
            raise
        return None, f"failed: {error!r}"[:200]
