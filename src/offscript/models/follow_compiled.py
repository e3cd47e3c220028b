"""The compiled twin of `gauges.follow`: the same function, for many numbers (ours)."""

from __future__ import annotations

from offscript.models.gauges import Follow, follow
from offscript.parse.compiled import compiled

follow_compiled: Follow = compiled(follow)
