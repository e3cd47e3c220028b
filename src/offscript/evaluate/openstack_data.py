"""The OpenStack set: nova-compute lines of virtual machines, normal ones and a log in which some were slowed down.

The files are those of DeepLog's authors: Loghub ships them whole (207,820 lines), and a sample of the lines that name
a machine serves too. Lines of other logs of the service, or that name no machine, belong to no session and are left
out, counted. Every file may be packed (`.gz`), and lie in the folder given or in `openstack` or `OpenStack` below it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from offscript.config import Config
from offscript.entries import Line
from offscript.errors import InputError
from offscript.evaluate.public_files import files_together
from offscript.sources import read

FOLDERS: Final = (".", "openstack", "OpenStack")

LAYOUTS: Final = (
    (("openstack_normal1.log", "openstack_normal2.log"), "openstack_abnormal.log", "anomaly_labels.txt"),
    (("utah_normal.log",), "utah_abnormal.log", "utah_anomalous_instances.txt"),
)
"""Normal logs, the log with slowed machines, and the file that names these: the public set, then the sample."""

REMEDY: Final = (
    "put openstack_normal1.log, openstack_normal2.log, openstack_abnormal.log and anomaly_labels.txt there, or in a "
    "folder `openstack` or `OpenStack` in it (the set OpenStack of https://github.com/logpai/loghub)"
)

SESSION: Final = r"\[instance: ([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})\]"
"""OpenStack sessions are those of a virtual machine, as in the paper (CCS 2017 section 5.1.2); given, for labels name
machines."""

_NAME: Final = re.compile(SESSION)
_LABEL: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
STAMP: Final = re.compile(r"\S+ (?P<stamp>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}) ")
"""Before the stamp stands the name of the file that the line was collected from."""


@dataclass(frozen=True)
class Machine:
    """One virtual machine: its id, and its lines in time order."""

    name: str
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class OpenStack:
    """The set: machines in the order of their first lines, which of the abnormal log are labelled, and notes."""

    normal: tuple[Machine, ...]
    abnormal: tuple[Machine, ...]
    labelled: frozenset[str]
    files: tuple[str, ...]
    notes: tuple[str, ...] = ()


def stamp_of(line: Line) -> str:
    """Return the stamp of a line, which sorts as time does."""
    found = STAMP.match(line.text)
    assert found is not None, "only lines with a stamp are kept"
    return found["stamp"]


def in_time(lines: Iterable[Line]) -> list[Line]:
    """Return lines in time order; those of one stamp stay as they stood."""
    return sorted(lines, key=stamp_of)


def stream(machines: Iterable[Machine]) -> list[Line]:
    """Return the lines of machines as the service wrote them: in time order, one machine's among the others'."""
    return in_time(line for machine in machines for line in machine.lines)


def find_openstack(folder: Path) -> OpenStack:
    """Read the set in a folder; the public set is taken before the sample (ours).

    Raises InputError, naming the files expected and where they are had from, when there is none or a damaged one.
    """
    if not folder.is_dir():
        raise InputError("is no folder", where=str(folder), remedy=REMEDY)
    for normal, abnormal, labels in LAYOUTS:
        if paths := files_together(folder, FOLDERS, (*normal, abnormal, labels)):
            return _read_set(paths[: len(normal)], paths[-2], paths[-1])
    raise InputError("holds no OpenStack logs", where=str(folder), remedy=REMEDY)


def _read_set(normal: Sequence[Path], abnormal: Path, labels: Path) -> OpenStack:
    notes: list[str] = []
    fine, odd = _machines(normal, notes), _machines([abnormal], notes)
    if both := fine.keys() & odd.keys():
        notes.append(f"{len(both):,} machines are in {abnormal.name} too and were left out of the normal ones")
        fine = {name: machine for name, machine in fine.items() if name not in both}
    named = read_labels(labels)
    labelled = named & odd.keys()
    if not labelled:
        what = f"names none of the {len(odd):,} machines of {abnormal.name}"
        raise InputError(what, where=str(labels), remedy="check that log and labels belong together")
    if lacking := len(named) - len(labelled):
        notes.append(f"{lacking:,} labelled machines are not in {abnormal.name}")
    files = tuple(path.name for path in (*normal, abnormal, labels))
    return OpenStack(tuple(fine.values()), tuple(odd.values()), frozenset(labelled), files, tuple(notes))


def _machines(paths: Sequence[Path], notes: list[str]) -> dict[str, Machine]:
    """The machines of some files by name, in the order of their first lines."""
    kept: list[tuple[str, Line]] = []
    lines = 0
    for line in read(*map(str, paths), config=Config.model_construct()):
        lines += 1
        name = _NAME.search(line.text)
        if name is not None and STAMP.match(line.text):
            kept.append((name[1], line))
    told = ", ".join(path.name for path in paths)
    if not kept:
        remedy = "give lines such as `nova-compute.log 2017-05-16 00:00:04.500 2931 INFO ... [instance: ID] ...`"
        raise InputError("has no line with a stamp that names a machine", where=told, remedy=remedy)
    if left := lines - len(kept):
        notes.append(f"{told}: {left:,} of {lines:,} lines name no machine, or have no stamp, and were left out")
    kept.sort(key=lambda row: stamp_of(row[1]))
    found: dict[str, list[Line]] = {}
    for owner, line in kept:
        found.setdefault(owner, []).append(line)
    return {owner: Machine(owner, tuple(some)) for owner, some in found.items()}


def read_labels(path: Path) -> set[str]:
    """Read the ids of the anomalous machines: whatever in the file is one; InputError where nothing is."""
    named = {name for line in read(str(path), config=Config.model_construct()) for name in _LABEL.findall(line.text)}
    if not named:
        raise InputError("names no machine", where=str(path), remedy="get the file again")
    return named
