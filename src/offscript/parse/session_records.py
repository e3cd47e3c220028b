"""What open sessions in columns are made of: the records of a session, of a source's clock, and of sums (ours)."""

from __future__ import annotations

from typing import Final

import numpy as np

SESSION: Final = np.dtype(
    [
        ("last", np.float64),
        ("entries", np.int64),
        ("arrival", np.int64),
        ("hash", np.int64),  # of its counts
        ("row", np.int32),  # of its history
        ("before", np.int32),
        ("after", np.int32),
        ("counts", np.int32),  # its first chunk of counts, -1: none
        ("is_open", np.uint8),
        ("touched", np.uint8),
        ("joined", np.uint8),
        ("stored", np.uint8),
        ("source", np.int32),
        ("_", np.int64),  # fills the line
    ]
)
"""What every entry changes or asks for: a line of the processor's cache."""

FACTS: Final = np.dtype(
    [
        ("first", np.float64),
        ("closed", np.float64),  # when it closed; not a number where it was dropped
        ("instance", np.int64),
        ("code", np.int64),  # of its name; -1 where the scan has not met that name yet
        ("left", np.int64),  # the entry of the block at which it was closed or dropped
    ]
)
"""What is asked for when a session opens or leaves."""

CLOCK: Final = np.dtype(
    [
        ("now", np.float64),
        ("began", np.float64),  # first time of the source, not a number where there was none
        ("opened", np.int64),
        ("head", np.int64),
        ("tail", np.int64),
        ("stamped", np.int64),
        ("touched", np.int64),
    ]
)

SUMS: Final = np.dtype(
    [
        ("arrivals", np.int64),
        ("overflow", np.int64),
        ("open", np.int64),
        ("free", np.int64),  # the first record to use again
        ("used", np.int64),  # records ever used: those from here on are fresh
        ("free_chunk", np.int64),
        ("used_chunks", np.int64),
        ("left", np.int64),  # sessions closed or dropped within the block
        ("begun", np.int64),  # sessions opened within the block
    ]
)
