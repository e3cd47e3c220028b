"""Sources: files, standard input, following a growing file."""

from offscript.sources.files import Reading, Report, read
from offscript.sources.follow import follow
from offscript.sources.paths import STDIN

__all__ = ["STDIN", "Reading", "Report", "follow", "read"]
