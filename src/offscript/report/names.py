"""What steps are called on a page: by their template, or by its telling words where it is long."""

from __future__ import annotations

from collections.abc import Mapping

from offscript.report.markup import Html, cut, join, tag
from offscript.workflow.labels import labels

LONGEST = 60
"""Characters of a template that is shown whole: a line of half a card. Sentences name longer ones alike."""

TEMPLATE_SHOWN = 240
"""Characters of the whole template beside its name."""


class Names:
    """The names of the log keys of a model."""

    def __init__(self, templates: Mapping[int, str]) -> None:
        self.templates = templates
        self._labels = labels(templates)

    def step(self, key: int, template: str = "") -> Html:
        """Return the name of a step; the whole template comes up on hover."""
        template = template or self.templates.get(key, "a line never seen before")
        if self._is_short(key, template):
            return tag("span", {"class": "label mono"}, cut(template, TEMPLATE_SHOWN))
        return tag("span", {"class": "label", "title": cut(template, TEMPLATE_SHOWN)}, self._labels[key])

    def told(self, key: int, template: str = "") -> Html:
        """Return the name of a step with its whole template under it."""
        template = template or self.templates.get(key, "")
        if self._is_short(key, template):
            return self.step(key, template)
        whole = tag("span", {"class": "whole mono"}, cut(template, TEMPLATE_SHOWN))
        return tag("span", {"class": "label"}, join([self._labels[key], whole]))

    def _is_short(self, key: int, template: str) -> bool:
        return len(template) <= LONGEST or key not in self._labels
