"""The workflows of a page: one picture for each path, within a budget of bytes (ours)."""

from __future__ import annotations

import re
from collections.abc import Mapping

from offscript.diagnosis import Diagnosis
from offscript.report.markup import Html, tag
from offscript.workflow.near import LARGE, near
from offscript.workflow.svg import svg

PICTURE_BYTES = 1_000_000
"""Bytes of pictures on a page: one of twelve steps takes some 10 kB, of sixty 60 kB. The worst incidents come first."""

NARROW = 500.0
"""Pixels of a picture that leaves room for something beside it: half a card."""

_WIDTH = re.compile(r'width="([0-9.]+)"')


class Pictures:
    """Draws the workflow of each incident with the session's path on it; of equal ones only the first is drawn."""

    def __init__(self, templates: Mapping[int, str], room: int = PICTURE_BYTES) -> None:
        self._templates = templates
        self._room = room
        self._drawn: dict[object, int] = {}

    def of(self, diagnosis: Diagnosis, number: int) -> Html:
        """Return the picture of incident `number`, a link to an equal one, or nothing where there is no workflow."""
        workflow, walk = diagnosis.workflow, diagnosis.walk
        if workflow is None or walk is None:
            return Html("")
        slow = _slow_edge(diagnosis)
        path = (workflow.number, walk, slow)
        if path in self._drawn:
            return _elsewhere(self._drawn[path])
        if self._room <= 0:
            return _left_out()
        told: Html | None = None
        if len(workflow.nodes) > LARGE:
            whole = len(workflow.nodes)
            workflow, walk, kept = near(workflow, walk, slow)
            slow = None if slow is None else (kept.index(slow[0]), kept.index(slow[1]))
            words = f"of {whole} nodes those that this session passed, missed, or could have gone to"
            told = tag("p", {"class": "quiet"}, words)
        drawn = svg(workflow, self._templates, overlay=walk, slow=slow, identity=f"-{number}", styled=False)
        self._room -= len(drawn.encode())
        self._drawn[path] = number
        # what `svg` returns is escaped there, and a test of this page puts hostile names through it
        width = _WIDTH.search(drawn)
        is_narrow = width is not None and float(width[1]) < NARROW
        picture = tag("div", {"class": "picture narrow" if is_narrow else "picture", "tabindex": 0}, Html(drawn))
        return picture if told is None else Html(told + picture)


def _slow_edge(diagnosis: Diagnosis) -> tuple[int, int] | None:
    """The nodes of the slowest edge, as the session passed them."""
    if not diagnosis.slow or diagnosis.walk is None:
        return None
    wanted = (diagnosis.slow[0].before.key, diagnosis.slow[0].after.key)
    keys, nodes = diagnosis.keys, diagnosis.walk.nodes
    passes = zip(keys, keys[1:], nodes, nodes[1:], strict=False)
    for before, after, first, last in passes:
        if (before, after) == wanted and first is not None and last is not None:
            return first, last
    return None


def _elsewhere(number: int) -> Html:
    return tag("p", None, "the same path as in ", tag("a", {"href": f"#i{number}"}, f"incident {number}"))


def _left_out() -> Html:
    return tag("p", {"class": "quiet"}, "not drawn, for the size of this page; the command below says it in words")
