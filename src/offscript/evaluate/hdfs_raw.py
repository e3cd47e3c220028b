"""The raw HDFS log and its labels, read into sessions by offscript's own parser: block id by block id."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np

from offscript.config import Config
from offscript.errors import InputError
from offscript.evaluate.hdfs_sessions import Session
from offscript.evaluate.labels import read_labels
from offscript.parse.learn import Kept, learn
from offscript.sources import read

BLOCK: Final = r"blk_-?\d+"
"""HDFS sessions are those of a block, as in the paper (CCS 2017 section 5.1.2); given, as labels name blocks."""


def read_raw(log: Path, labels: Path) -> tuple[tuple[Session, ...], tuple[Session, ...], tuple[str, ...]]:
    """Read normal and anomalous sessions, in the order of the label file, and what there is to tell about the reading.

    Keys are those the parser learns from the whole log, in time order within a block; a line that names several blocks
    belongs to the first. Raises InputError where the log has none of the labelled blocks, or the file is no label file.
    """
    anomalous = read_labels(labels)
    if anomalous.unit != "sessions":
        raise InputError("labels lines, not blocks", where=str(labels), remedy="give HDFS_v1's anomaly_label.csv")
    parsed = learn(read(log, config=Config.model_construct()), Config(session=BLOCK))
    sessions = sessions_of(parsed.kept, parsed.key_of)
    known = {name: flag for name, flag in anomalous.anomalous.items() if name in sessions}
    if not known:
        what = f"names none of the {len(sessions):,} blocks of {log.name}"
        raise InputError(what, where=str(labels), remedy="check that log and labels belong together")
    notes = [f"{log.name}: {len(parsed.kept):,} entries, {len(parsed.templates.keys()):,} log keys"]
    if lacking := len(anomalous.anomalous) - len(known):
        notes.append(f"{lacking:,} labelled blocks are not in {log.name} (or only in lines that name another first)")
    if extra := len(sessions) - len(known):
        notes.append(f"{extra:,} blocks of {log.name} have no label and were left out")
    normal = tuple(sessions[name] for name, flag in known.items() if not flag)
    return normal, tuple(sessions[name] for name, flag in known.items() if flag), tuple(notes)


def sessions_of(kept: Kept, key_of: list[int]) -> dict[str, Session]:
    """The keys of each session, in the order in which its entries were read; entries without a session are left out.

    >>> kept = Kept()
    >>> for skeleton, name in [(0, "a"), (1, "b"), (1, "a"), (0, None)]:
    ...     kept.add("log", skeleton, name, None)
    >>> sessions_of(kept, [5, 7])
    {'a': (5, 7), 'b': (7,)}
    """
    session = np.array(kept.sessions, np.int64)
    keys = np.array(key_of, np.int64)[np.array(kept.skeletons, np.int64)]
    order = np.argsort(session, kind="stable")
    order = order[np.searchsorted(session[order], 0) :]
    bounds = np.searchsorted(session[order], np.arange(len(kept.session_names) + 1))
    told = keys[order].tolist()
    return {
        name: tuple(told[bounds[code] : bounds[code + 1]])
        for code, name in enumerate(kept.session_names)
        if bounds[code] < bounds[code + 1]
    }
