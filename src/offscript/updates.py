"""Updates of a model while it judges: trained one after another in the background, taken over between two lines (ours).

Judging must not wait for training, and no report may be lost: each update begins from the newest version, be it one
that was trained a moment ago and is yet to be taken over, or one that was adopted meanwhile.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

from offscript.alphabet import Alphabet, are_kin
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
        self._ready: deque[Model] = deque(maxlen=1)  # seeing that it is empty needs no lock, and so waits for nobody
        self._untaken: list[_Asked] = []
        self._lock = threading.Lock()
        self._trainer = ThreadPoolExecutor(1, "offscript-learn")

    def learn(
        self, normal: Sequence[Verdict], *, confirmed: Sequence[Verdict] = (), save: Save | None = None
    ) -> Future[Lesson]:
        """Train an update in the background, after those asked for before; `result()` raises what `learn` would.

        The verdicts are those of the version that is the newest now, or of one that it grew from.
        """
        asked = _Asked(tuple(normal), tuple(confirmed), save, Alphabet.of(self._newest))
        return self._trainer.submit(self._train, asked)

    def take(self) -> Model | None:
        """Return the newest version that is ready and was not taken yet."""
        if not self._ready:
            return None
        with self._lock:
            self._untaken.clear()
            return self._ready.pop()

    def put(self, model: Model) -> None:
        """Say that another version judges from now on: what was not taken over yet is trained again from it."""
        with self._lock:
            self._newest = model
            self._ready.clear()
            again, self._untaken = self._untaken, []
        for asked in again:
            self._trainer.submit(self._train, asked)

    def _train(self, asked: _Asked) -> Lesson:
        while True:
            base = self._newest
            shared = asked.alphabet.shared(Alphabet.of(base))
            for verdict in (*asked.normal, *asked.confirmed):
                _check(base, shared, verdict)
            lesson = learn(base, asked.normal, confirmed=asked.confirmed)
            if asked.save is not None and self._newest is base:
                lesson = replace(lesson, model=_saved(asked.save, lesson))
            with self._lock:
                if self._newest is base:
                    self._newest = lesson.model
                    self._ready.append(lesson.model)
                    self._untaken.append(asked)
                    return lesson


@dataclass(frozen=True)
class _Asked:
    """What an update is to teach, what writes it down, and what the log keys of its verdicts mean."""

    normal: tuple[Verdict, ...]
    confirmed: tuple[Verdict, ...]
    save: Save | None
    alphabet: Alphabet


def _saved(save: Save, lesson: Lesson) -> Model:
    model: object = save(lesson)
    if not isinstance(model, Model) or not are_kin(model, lesson.model):
        raise UsageError("`save` gave no version of the model", remedy="let it return what `Model.save` gave")
    return model


def _check(model: Model, keys: frozenset[int], verdict: Verdict) -> None:
    """Raise UsageError for a verdict of a version of which only these keys mean the same lines in this one."""
    counted = {key for key, _ in verdict.counts or ()}
    entry = verdict.entry
    # given before another version was adopted, it may mean another line by its key
    is_other = entry.key in keys and bool(entry.template) and model.templates.template(entry.key).text != entry.template
    if is_other or not readable(verdict, keys) or not counted <= keys | {0}:
        raise UsageError(
            f"verdict {verdict.id} refers to log keys that version {model.version} does not have, or has for others",
            remedy="report what the version in force gives",
        )
