"""Sources: files, standard input, following a growing file."""

from offscript.sources.files import Reading, Report, read
from offscript.sources.follow import follow

__all__ = ["Reading", "Report", "follow", "read"]
