"""Errors: one base class, and children that say whose fault it is.

Every message is one line that names what is wrong, where, and the remedy.
"""

from __future__ import annotations


class OffscriptError(Exception):
    """Any error that offscript raises on purpose (ours).

    Args:
        what: the fact, in a few words.
        remedy: what the user can do about it.
        where: the file, folder or option the fact is about.
        line: 1-based line number in `where`, if there is one.

    >>> str(OffscriptError("is empty", where="app.log", remedy="give a file with log lines"))
    'app.log: is empty; give a file with log lines'
    """

    def __init__(self, what: str, *, remedy: str, where: str | None = None, line: int | None = None) -> None:
        self.what = what
        self.remedy = remedy
        self.where = where
        self.line = line
        place = "" if where is None else f"{where}: " if line is None else f"{where}:{line}: "
        super().__init__(f"{place}{what}; {remedy}".replace("\n", " "))


class InputError(OffscriptError):
    """The log, label or other input file is at fault."""


class UsageError(OffscriptError):
    """An option or argument is at fault."""


class ModelError(OffscriptError):
    """The model folder is foreign, damaged, newer, or does not fit what it is used on."""


class StateError(OffscriptError):
    """A detector state does not belong to this model or is damaged."""
