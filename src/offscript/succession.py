"""A running detector follows its model folder: what another process learns or undoes judges a second later (ours)."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Final

from offscript.detector import Detector
from offscript.errors import ModelError, OffscriptError
from offscript.model import Model, load
from offscript.model_folder import about_version, current_version

LOOK: Final = 1.0
"""Seconds between two looks at the folder, one call of `stat` each: whoever reports a false alarm waits no longer."""

_Stamp = tuple[int, int, int] | None


class Succession:
    """The version in force in a folder, taken over by a detector between two lines.

    A version is loaded in the background, so that lines are judged meanwhile. One that cannot be read, or is of another
    lineage, is told once, and the detector goes on with the one it has.

    Args:
        detector: it judges by a version of the folder.
        folder: the model folder.
        tell: gets a line for the person when the version changes, or cannot.
        clock: gives seconds.
    """

    def __init__(
        self,
        detector: Detector,
        folder: Path,
        tell: Callable[[str], None],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._detector = detector
        self._folder = folder
        self._tell = tell
        self._clock = clock
        self._next = clock()
        self._seen: _Stamp = (0, 0, 0)  # no file's: the version may have changed before this was made
        self._loader = ThreadPoolExecutor(1, "offscript-load")
        self._loading: Future[Model | None] | None = None

    def look(self) -> None:
        """Take over a version that has come into force; called where nothing is being judged, as often as one likes."""
        if self._loading is not None:
            if self._loading.done():
                done, self._loading = self._loading, None
                self._take(done)
            return
        now = self._clock()
        if now < self._next:
            return
        self._next = now + LOOK
        seen, self._seen = self._seen, self._stamp()
        if self._seen != seen:
            self._loading = self._loader.submit(self._load, self._detector.model)

    def _stamp(self) -> _Stamp:
        """What tells one CURRENT from the next, which takes its place as another file; None where there is none."""
        try:
            found = (self._folder / "CURRENT").stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size

    def _load(self, held: Model) -> Model | None:
        """Read the version in force; None where it is the one that judges."""
        number = current_version(self._folder)
        if about_version(self._folder, number).get("lineage") != held.lineage:
            raise ModelError(
                f"version {number} is of another model", where=str(self._folder), remedy="start again to judge by it"
            )
        return None if number == held.version else load(self._folder, version=number)

    def _take(self, loaded: Future[Model | None]) -> None:
        held = self._detector.model.version
        try:
            model = loaded.result()
            if model is None:
                return
            self._detector.adopt(model)
        except (OffscriptError, OSError) as error:
            self._tell(f"{error}; version {held} goes on judging")
        else:
            self._tell(f"version {model.version} of {self._folder} judges from here on, instead of version {held}")
