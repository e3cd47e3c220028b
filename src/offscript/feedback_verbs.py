"""The verbs `learn`, `versions` and `undo`: a false alarm becomes the next version of a model, and the way back."""

from __future__ import annotations

import getpass
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import typer

from offscript.console import Output, chosen, emit, print_rows, say
from offscript.entries import Verdict
from offscript.errors import ModelError, UsageError
from offscript.feedback import accepted, by_name, holds_enough, learn, readable
from offscript.journal import Journal
from offscript.model import Model, load
from offscript.model_folder import current_version, journal_path
from offscript.plain import plain
from offscript.taught_in_all import taught_in_all
from offscript.versions import alone, ancestors, check_pace, shared_keys, undo, versions

SHOWN: Final = 20
"""Verdicts listed by a preview: a screenful; the rest is counted."""

ModelDir = Annotated[Path, typer.Argument(metavar="MODEL", help="A folder made by `offscript fit`.")]


def learn_verb(
    model: ModelDir,
    verdict_ids: Annotated[
        list[str],
        typer.Argument(metavar="VERDICT_ID...", help="As `offscript detect` printed them; all are one update."),
    ],
    normal: Annotated[
        bool | None,
        typer.Option("--normal/--anomalous", help="A false alarm, to be learnt; or an anomaly, never to be silenced."),
    ] = None,
    note: Annotated[str, typer.Option("--note", help="Why, kept with the version.")] = "",
    author: Annotated[str, typer.Option("--author", help="Who says so. Default: who is logged in.")] = "",
    preview: Annotated[
        bool, typer.Option("--preview", help="Only say which stored verdicts would change; change nothing.")
    ] = False,
) -> None:
    """Say of verdicts that they were false alarms, or that they were right: the model learns the former."""
    if normal is None:
        raise UsageError("say what the verdicts were", remedy="give --normal or --anomalous")
    current_version(model)
    if not journal_path(model).exists():
        remedy = "run `offscript detect` without --no-journal first"
        raise UsageError("no verdicts are stored", where=str(model), remedy=remedy)
    journal = Journal(journal_path(model))
    word = {"author": author or _user(), "time": datetime.now(UTC).isoformat(timespec="seconds"), "note": note}
    with alone(model):
        known = [journal.get(one) for one in dict.fromkeys(verdict_ids)]
        judge = load(model)
        _check_origins(model, judge, journal, known)
        if normal:
            _learn(model, judge, journal, known, word, preview=preview)
        elif preview:
            say(f"{len(known)} confirmed: no later update could silence them; nothing was stored")
        else:
            journal.note([verdict.id for verdict in known], normal=False, **word)
            say(f"{len(known)} confirmed: no later update will silence them")
            for verdict in accepted(judge, known):
                say(f"{verdict.id} is accepted by the version in force{_way_back(model, judge, verdict)}")


def _way_back(folder: Path, model: Model, verdict: Verdict) -> str:
    """Which version accepts a verdict since, as far as that is written down, and how to go back before it."""
    grown = ancestors(folder, model.version)
    taught = {version.number: version.changes for version in versions(folder)}
    for steps, number in enumerate(grown, 1):
        if any(f"(verdict {verdict.id})" in change for change in taught.get(number, ())):
            times = "once" if steps == 1 else f"{steps} times"
            return f", version {number} learnt it: `offscript undo {folder}`, run {times}, goes back before that"
    return f"; `offscript undo {folder}` goes back a version"


def _check_origins(folder: Path, model: Model, journal: Journal, known: list[Verdict]) -> None:
    """Raise where a verdict was given by another model, or by a version whose keys mean other lines."""
    for verdict in known:
        if journal.origin(verdict.id)[0] != model.lineage:
            raise ModelError(
                f"verdict {verdict.id} was given by another model", where=str(folder), remedy="judge the log again"
            )
    if other := _split(folder, model, journal, known)[1]:
        number = journal.origin(other[0].id)[1]
        raise UsageError(
            f"verdict {other[0].id} was given by version {number}, whose log keys are not those of version "
            f"{model.version}, in force",
            where=str(folder),
            remedy="run `offscript detect` again and report what it prints",
        )


def _split(
    folder: Path, model: Model, journal: Journal, verdicts: Sequence[Verdict]
) -> tuple[list[Verdict], list[Verdict]]:
    """The verdicts whose log keys mean the same lines in the model, and the others."""
    origins = journal.origins(model.lineage)
    shared = {number: shared_keys(folder, model, number) for number in {origins[v.id] for v in verdicts}}
    ours: list[Verdict] = []
    others: list[Verdict] = []
    for verdict in verdicts:
        (ours if readable(verdict, shared[origins[verdict.id]]) else others).append(verdict)
    return ours, others


def _learn(
    folder: Path, model: Model, journal: Journal, known: list[Verdict], word: dict[str, str], *, preview: bool
) -> None:
    right, told = journal.confirmed(model.lineage), {verdict.id for verdict in known}
    taken_back = [verdict.id for verdict in right if verdict.id in told]
    confirmed, silent = _split(folder, model, journal, [verdict for verdict in right if verdict.id not in told])
    little = [verdict for verdict in confirmed if not holds_enough(model, verdict)]
    stored, others = _split(folder, model, journal, journal.verdicts(model.lineage))
    lesson = learn(model, by_name(model, known, stored), confirmed=by_name(model, confirmed, stored))
    before = {verdict.id for verdict in accepted(model, stored)}
    gone = [verdict for verdict in accepted(lesson.model, stored) if verdict.id not in before]
    for name in taken_back:
        say(f"{name} was confirmed as an anomaly, which this takes back")
    for change in lesson.changes:
        say(change)
    say(f"{len(gone):,} of {len(stored):,} stored verdicts would not be given any more:")
    for verdict in gone[:SHOWN]:
        emit(plain(f"{verdict.id} {verdict.reason} {verdict.entry.line.source}:{verdict.entry.line.number}"))
    if len(gone) > SHOWN:
        say(f"and {len(gone) - SHOWN:,} more")
    if others:
        say(f"{len(others):,} more were given by versions whose log keys are others, and are left out")
    if silent:
        named = ", ".join(verdict.id for verdict in silent[:SHOWN])
        say(
            f"{len(silent):,} of them confirmed as anomalies, against which this update was not tried: {named}; "
            "to have them tried, run `offscript detect` on their log again"
        )
    if little:
        named = ", ".join(verdict.id for verdict in little[:SHOWN])
        say(
            f"of {len(little):,} confirmed anomalies the journal does not hold what it takes to try an update against "
            f"them: {named}; run `offscript detect` on their log again"
        )
    if preview:
        say("a preview: nothing was changed")
        return
    if not lesson.changes:
        journal.note([verdict.id for verdict in known], normal=True, **word)
        say(f"version {model.version}, in force, accepts all of this; no other was made")
        return
    check_pace(folder, datetime.now(UTC))
    saved = lesson.model.save(folder, **word, changes=lesson.changes)
    journal.note([verdict.id for verdict in known], normal=True, **word)
    say(f"model {folder}, version {saved.version}; `offscript undo {folder}` goes back")


def versions_verb(
    model: ModelDir,
    output: Annotated[
        Output | None, typer.Option("--output", help="Default: a table on a terminal, JSON lines on a pipe.")
    ] = None,
) -> None:
    """List the versions of a model: who taught what, when and why; * is the one in force. Then what that is in all."""
    columns = ["version", "current", "from", "time", "author", "note", "taught"]
    rows = [
        [v.number, "*" if v.is_current else "", v.parent, v.time, v.author, v.note, "; ".join(v.changes)]
        for v in versions(model)
    ]
    print_rows("versions", columns, rows, chosen(output))
    now = load(model)
    root = ancestors(model, now.version)[-1]
    if root == now.version:
        say("nothing was taught to the version in force")
        return
    say(f"taught in all since version {root}, by {len(ancestors(model, now.version)) - 1} updates:")
    for sentence in taught_in_all(load(model, version=root), now):
        say(f"  {sentence}")


def undo_verb(model: ModelDir) -> None:
    """Go back to the version before the last update; versions are never deleted."""
    current_version(model)
    with alone(model):
        left, back = undo(model)
    for change in left.changes:
        say(f"no longer: {change}")
    say(f"model {model}, version {back.number} is in force; version {left.number} stays in the folder")


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container may have no name for its user
        return ""
