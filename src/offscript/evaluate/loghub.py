"""Loghub's samples of 2,000 lines: raw lines, and for each line the template that people wrote down for it.

Two layouts are taken, plain or `.gz`, in the folder itself or up to two folders below: the public collection's
(`NAME/NAME_2k.log`, `NAME/NAME_2k.log_structured.csv`, `NAME/NAME_2k.log_structured_corrected.csv`) and the short one
(`NAME_2k.log`, `NAME_2k.structured.csv`, `NAME_2k.structured_corrected.csv`).
"""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from offscript.errors import InputError

REFERENCES: Final = ("corrected", "original")
"""The two references: the collection's own, and the one that was corrected afterwards, which is more consistent."""

COLUMNS: Final = ("Content", "EventTemplate")

_DEPTHS: Final = ("*_2k.*", "*/*_2k.*", "*/*/*_2k.*")  # bounded: the folder given may be someone's whole home
_RAW: Final = re.compile(r"(?P<name>.+)_2k\.log(?:\.gz)?")
_STRUCTURED: Final = re.compile(r"(?P<name>.+)_2k\.(?:log_)?structured(?P<corrected>_corrected)?\.csv(?:\.gz)?")
_REMEDY: Final = (
    "put NAME/NAME_2k.log, NAME/NAME_2k.log_structured.csv and NAME/NAME_2k.log_structured_corrected.csv there "
    "(or loghub2k/NAME_2k.log, NAME_2k.structured.csv, NAME_2k.structured_corrected.csv; plain or .gz), as the public "
    "Loghub collection has them (https://github.com/logpai/loghub; the corrected ones come with its logparser)"
)


@dataclass(frozen=True)
class Reference:
    """The messages of a sample, without header, and the template of each."""

    messages: tuple[str, ...]
    templates: tuple[str, ...]


@dataclass
class System:
    """The files of one system's sample: its raw lines, if they are there, and its references by name."""

    name: str
    raw: Path | None = None
    references: dict[str, Path] = field(default_factory=dict)


def find_systems(folder: Path) -> list[System]:
    """Find the samples in a folder, sorted by name; of copies of one file the one nearest to the folder counts (ours).

    Raises InputError, naming the files expected and where they are had from, when there is no reference at all.
    """
    if not folder.is_dir():
        raise InputError("is no folder", where=str(folder), remedy=_REMEDY)
    found: dict[str, System] = {}
    for path in (path for pattern in _DEPTHS for path in sorted(folder.glob(pattern))):
        if raw := _RAW.fullmatch(path.name):
            system = found.setdefault(raw["name"], System(raw["name"]))
            system.raw = system.raw or path
        elif structured := _STRUCTURED.fullmatch(path.name):
            system = found.setdefault(structured["name"], System(structured["name"]))
            system.references.setdefault("corrected" if structured["corrected"] else "original", path)
    systems = sorted((system for system in found.values() if system.references), key=lambda system: system.name)
    if not systems:
        raise InputError("holds no samples of Loghub with references", where=str(folder), remedy=_REMEDY)
    return systems


def read_reference(path: Path) -> Reference:
    """Read a file of references: row n is line n of the sample.

    Raises InputError with file, line and remedy for a file that is damaged or has other columns.
    """
    rows = list(_rows(path))
    if not rows:
        raise InputError("holds no lines", where=str(path), remedy="get the file again")
    messages, templates = zip(*rows, strict=True)
    return Reference(messages, templates)


def _rows(path: Path) -> Iterator[tuple[str, str]]:
    reader = csv.DictReader(io.StringIO(read_text(path), newline=""))
    try:
        if not set(COLUMNS) <= set(reader.fieldnames or ()):
            remedy = f"give a file with the columns {' and '.join(COLUMNS)}"
            raise InputError("is not a file of references", where=str(path), line=1, remedy=remedy)
        for row in reader:
            message, template = (row[column] for column in COLUMNS)
            if message is None or template is None:
                raise InputError("misses cells", where=str(path), line=reader.line_num, remedy="get the file again")
            yield message, template
    except csv.Error as error:
        what = f"is no CSV ({error})"
        raise InputError(what, where=str(path), line=reader.line_num, remedy="get the file again") from error


def read_text(path: Path) -> str:
    """Return the text of a file, plain or `.gz`, as UTF-8 as far as it is; InputError when it cannot be read (ours)."""
    try:
        raw = path.read_bytes()
        raw = gzip.decompress(raw) if path.suffix == ".gz" else raw
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"cannot be read ({error})", where=str(path), remedy="get the file again") from error
    return raw.decode("utf-8-sig", "replace")
