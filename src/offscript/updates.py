"""Updates of a model while it judges: trained one after another in the background, taken over between two lines (ours).

Judging must not wait for training, and no report may be lost: each update begins from the newest version, be it one
that was trained a moment ago and is yet to be taken over, or one that was adopted meanwhile.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

from offscript.alphabet import are_kin
from offscript.entries import Verdict
from offscript.errors import UsageError
from offscript.feedback import Lesson, learn, readable
from offscript.model import Model

Save = Callable[[Lesson], Model]
"""What writes a lesson down before it is taken over, and gives the model as it was saved."""


class Updates:
    """The updates of one detector: `learn` from any thread, `take` and `put` from the one that judges.

    >>> from offscript import Config, Line, fit
    >>> config = Config(hidden=4, layers=1, training_steps=20, folds=2, session="none")
    >>> updates = Updates(fit([Line(f"step {n % 3}") for n in range(600)], config))
    >>> updates.learn([]).result().changes
    ()
    >>> updates.take() is not None, updates.take()
    (True, None)
    """

    def __init__(self, model: Model) -> None:
        self._newest = model
        self._ready: deque[Model] = deque(maxlen=1)  # taking from it needs no lock, and so waits for nobody
        self._lock = threading.Lock()
        self._trainer = ThreadPoolExecutor(1, "offscript-learn")

    def learn(
        self, normal: Sequence[Verdict], *, confirmed: Sequence[Verdict] = (), save: Save | None = None
    ) -> Future[Lesson]:
        """Train an update in the background, after those asked for before; `result()` raises what `learn` would."""
        return self._trainer.submit(self._train, tuple(normal), tuple(confirmed), save)

    def take(self) -> Model | None:
        """Return the newest version that is ready and was not taken yet."""
        try:
            return self._ready.pop()
        except IndexError:
            return None

    def put(self, model: Model) -> None:
        """Say that another version judges from now on: what was trained from others is trained again from it."""
        with self._lock:
            self._newest = model
            self._ready.clear()

    def _train(self, normal: Sequence[Verdict], confirmed: Sequence[Verdict], save: Save | None) -> Lesson:
        while True:
            base = self._newest
            for verdict in (*normal, *confirmed):
                _check(base, verdict)
            lesson = learn(base, normal, confirmed=confirmed)
            if save is not None:
                lesson = replace(lesson, model=_saved(save, lesson))
            with self._lock:
                if self._newest is base:
                    self._newest = lesson.model
                    self._ready.append(lesson.model)
                    return lesson


def _saved(save: Save, lesson: Lesson) -> Model:
    model: object = save(lesson)
    if not isinstance(model, Model) or not are_kin(model, lesson.model):
        raise UsageError("`save` gave no version of the model", remedy="let it return what `Model.save` gave")
    return model


def _check(model: Model, verdict: Verdict) -> None:
    """Raise UsageError for a verdict of a version that knew more lines than this one."""
    keys = frozenset(model.templates.keys())
    counted = {key for key, _ in verdict.counts or ()}
    if not readable(verdict, keys) or not counted <= keys | {0}:
        raise UsageError(
            f"verdict {verdict.id} refers to log keys that version {model.version} does not have",
            remedy="report what the version in force gives",
        )
