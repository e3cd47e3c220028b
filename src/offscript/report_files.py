"""The files of an experiment's report: page, figures, and all figures as JSON (ours)."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from offscript.console import say
from offscript.errors import UsageError
from offscript.evaluate.pictures import INSTALL, can_draw


def write_report(
    folder: Path, report: dict[str, Any], draw: Callable[[Path], list[str]] | None, page: Callable[[list[str]], str]
) -> None:
    """Write `report.json`, with the extra `plots` the figures, and `report.md` to a folder.

    `draw` draws the figures and returns their names, None where matplotlib has nothing to draw; `page` writes the page
    with these. Raises UsageError when the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "report.json").write_text(json.dumps(report, indent=1, allow_nan=False) + "\n", "utf-8")
        pictures = draw(folder) if draw is not None and can_draw() else []
        if draw is not None and not pictures:
            say(f"matplotlib is not installed, so no figures are drawn ({INSTALL})")
        (folder / "report.md").write_text(page(pictures), "utf-8")
    except OSError as error:
        raise UsageError(f"cannot be written ({error.strerror})", where=str(folder), remedy="give a folder") from error
