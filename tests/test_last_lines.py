"""The last lines of open sessions: what a verdict at a session's close needs, packed now and then."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from offscript.entries import Line
from offscript.parse import last_lines
from offscript.parse.scan import Scanned


def test_a_record_used_again_has_no_old_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """When the lines kept are packed, records that were free and are taken again point to nothing that is gone."""
    monkeypatch.setattr(last_lines, "FIRST_BYTES", 64)
    kept = last_lines.LastLines(500)
    line = Line("x" * 50, "app.log", 1, 0)
    still_open = np.arange(40)

    def keep(slots: Sequence[int]) -> None:
        lines = [line] * len(slots)
        numbers = np.full(len(slots), 5)
        times = np.zeros(len(slots))
        block = Scanned(lines, "app.log", np.arange(len(slots)), numbers, numbers, times, times, None, [])
        kept.keep(np.array(slots), block, np.arange(len(slots)), lambda: still_open)

    keep(range(40))
    still_open = np.array([0])
    for _ in range(100):
        keep([0])
    still_open = np.array([0, 39])  # taken again, its line in a block that is held
    for _ in range(100):
        keep([0])
        filled = kept._kept[kept._kept["size"] > 0]
        assert all(filled["begin"] + filled["size"] <= len(kept._bytes))
    assert kept.get(0, "app.log") == line
