"""The promises of the design, each a test (docs/why.md numbers them)."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from offscript import Config, Detector, InputError, Line, Model, Reason, StateError, detect, fit, load
from offscript.evaluate.judge import evaluate
from offscript.evaluate.labels import read_labels
from offscript.journal import Journal, record_of
from offscript.model_folder import journal_path
from offscript.parse.learn import learn
from offscript.parse.lines import LineSplitter
from offscript.testing import lines_of, service_log

FEW = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def today() -> list[Line]:
    """Another day of the service, with three sessions cut short, a line never seen and a wrong order."""
    texts = service_log(120, seed=2, broken=(20, 50, 80))
    stray = texts[200].replace("INFO", "ERROR").split("] ")[0] + "] disk failure on volume 3"
    texts.insert(201, stray)
    texts.insert(301, texts[300].split("] ")[0] + "] connection closed")
    return lines_of(texts, "today.log")


def told(verdicts: object) -> list[dict[str, object]]:
    """Everything a verdict says."""
    return [record_of(verdict) for verdict in verdicts]  # type: ignore[attr-defined]


def whole(model: Model, lines: list[Line]) -> list[dict[str, object]]:
    """The verdicts of one block, the reference the others must equal."""
    detector = Detector(model)
    return told(detector.push_block(lines) + detector.close(complete=True))


def test_the_service_is_judged_as_it_should_be(service_model: Model, today: list[Line]) -> None:
    """What was planted is found, by the reason that fits, and little else is."""
    verdicts = list(detect(service_model, today, complete=True))
    cut = {v.session for v in verdicts if v.reason in (Reason.INCOMPLETE_SESSION, Reason.UNUSUAL_SESSION)}
    assert {"req-100020", "req-100050", "req-100080"} <= cut
    assert any(v.reason is Reason.NEW_KEY and "disk failure" in v.entry.text for v in verdicts)
    assert any(v.reason is Reason.UNEXPECTED_KEY for v in verdicts)
    assert len({v.session for v in verdicts}) <= 10


@FEW
@given(cuts=st.lists(st.integers(0, 900), max_size=12))
def test_blocks_and_single_lines_give_the_same_verdicts(
    service_model: Model, today: list[Line], cuts: list[int]
) -> None:
    """Promise 1: line by line and in blocks of any size, verdicts are the same."""
    detector, borders = Detector(service_model), sorted({0, *cuts, len(today)})
    found = []
    for begin, end in itertools.pairwise(borders):
        found += detector.push_block(today[begin:end])
    assert told(found + detector.close(complete=True)) == whole(service_model, today)


def test_one_line_at_a_time_gives_the_same_verdicts(service_model: Model, today: list[Line]) -> None:
    """Promise 1: pushing one line is pushing a block of one."""
    detector = Detector(service_model)
    found = [verdict for line in today for verdict in detector.push(line)]
    assert told(found + detector.close(complete=True)) == whole(service_model, today)


@FEW
@given(data=st.data())
def test_any_chunking_of_the_bytes_gives_the_same_verdicts(service_model: Model, data: st.DataObject) -> None:
    """Promise 1: how the bytes arrive does not matter."""
    content = "\n".join(service_log(20, seed=3, broken=(5,))).encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(content)), max_size=20)))
    splitter, lines = LineSplitter("today.log"), []
    for begin, end in zip([0, *cuts], [*cuts, len(content)], strict=True):
        lines += splitter.feed(content[begin:end])
    lines += splitter.finish()
    one = LineSplitter("today.log")
    assert whole(service_model, lines) == whole(service_model, one.feed(content) + one.finish())


def test_judging_never_learns(service_model: Model, today: list[Line], tmp_path: Path) -> None:
    """Promise 2: a model saved after judging is the model saved before, byte for byte."""
    service_model.save(tmp_path / "before.model")
    first = whole(service_model, today)
    service_model.save(tmp_path / "after.model")
    for name in ("model.json", "weights.safetensors"):
        before, after = (tmp_path / f"{when}.model" / "versions" / "1" / name for when in ("before", "after"))
        assert before.read_bytes() == after.read_bytes()
    assert whole(service_model, today) == first


def test_same_input_config_and_seed_give_the_same_bytes(small: Config, tmp_path: Path) -> None:
    """Promise 2: fitting twice gives the same model bytes and so the same lineage."""
    models = [fit(lines_of(service_log(80, seed=4)), small).save(tmp_path / f"{n}.model") for n in range(2)]
    bodies = [(tmp_path / f"{n}.model" / "versions" / "1" / "model.json").read_bytes() for n in range(2)]
    assert bodies[0] == bodies[1]
    assert models[0].lineage == models[1].lineage


@FEW
@given(seed=st.integers(0, 2**16))
def test_interleaving_does_not_change_a_session(service_model: Model, seed: int) -> None:
    """Promise 3: with equal times, the order in which sessions mix changes no session's verdicts."""
    texts = [text.replace(text[:23], "2024-05-01 10:00:00.000") for text in service_log(12, seed=5, broken=(3, 7))]
    by_session: dict[str, list[str]] = {}
    for text in texts:
        by_session.setdefault(text.split("]")[0], []).append(text)
    chance, mixed = random.Random(seed), []
    queues = [list(reversed(run)) for run in by_session.values()]
    while queues:
        queue = chance.choice(queues)
        mixed.append(queue.pop())
        queues = [left for left in queues if left]
    one_by_one = [text for run in by_session.values() for text in run]
    assert summary(service_model, mixed) == summary(service_model, one_by_one)


def summary(model: Model, texts: list[str]) -> set[tuple[object, ...]]:
    """What is said of each session, apart from where its lines stand."""
    verdicts = detect(model, lines_of(texts), complete=True)
    return {(v.session, v.reason, round(v.score, 9), v.entry.text, v.detail) for v in verdicts}


def test_a_loaded_model_judges_as_the_saved_one(service_model: Model, today: list[Line], tmp_path: Path) -> None:
    """Promise 4: load(save(m)) gives the same verdicts, ids included."""
    saved = service_model.save(tmp_path / "copy.model")
    loaded = load(tmp_path / "copy.model")
    assert loaded.lineage == saved.lineage == service_model.lineage
    assert whole(loaded, today) == whole(service_model, today)


@FEW
@given(content=st.binary(max_size=2000))
def test_any_bytes_give_entries_or_one_named_error(service_model: Model, small: Config, content: bytes) -> None:
    """Promise 5: garbage is judged, and learnt from or refused with a named error; nothing else happens."""
    splitter = LineSplitter("garbage")
    lines = splitter.feed(content) + splitter.finish()
    Detector(service_model).push_block(lines)
    with contextlib.suppress(InputError):
        parsed = learn(lines, small)
        assert len(parsed.kept) <= len(lines)


def test_a_log_of_garbage_can_be_fitted(small: Config) -> None:
    """Promise 5: a model of garbage is a model, and judges garbage."""
    chance = random.Random(7)
    content = b"\n".join(chance.randbytes(chance.randint(0, 80)).replace(b"\n", b" ") for _ in range(300))
    splitter = LineSplitter("garbage")
    lines = splitter.feed(content) + splitter.finish()
    Detector(fit(lines, small)).push_block(lines)


def test_labels_reach_nothing_but_the_score(service_model: Model, today: list[Line], tmp_path: Path) -> None:
    """Promise 6: with every label turned round, the same is flagged for the same reasons; only the score differs."""
    names = sorted({line.text.split("[")[1].split("]")[0] for line in today})
    scores = []
    for turned in (0, 1):
        labels = tmp_path / f"labels{turned}.csv"
        labels.write_text("session,label\n" + "".join(f"{n},{k % 2 ^ turned}\n" for k, n in enumerate(names)), "utf-8")
        scores.append(evaluate(service_model, today, read_labels(labels), complete=True))
    assert scores[0].by_reason == scores[1].by_reason
    assert (scores[0].tp, scores[0].fp, scores[0].fn, scores[0].tn) == (
        scores[1].fp,
        scores[1].tp,
        scores[1].tn,
        scores[1].fn,
    )


@pytest.mark.parametrize("verb", ["--help", "detect", "keys", "parse"])
def test_jax_is_not_loaded_where_nothing_is_trained(service_model: Model, tmp_path: Path, verb: str) -> None:
    """Promise 8: help, parse, keys and detect never import jax."""
    service_model.save(tmp_path / "m.model")
    log = tmp_path / "today.log"
    log.write_text("\n".join(service_log(10)), "utf-8")
    arguments = {"--help": [], "detect": [tmp_path / "m.model", log], "keys": [tmp_path / "m.model"], "parse": [log]}[
        verb
    ]
    code = (
        "import sys; sys.argv[0] = 'offscript'\n"
        "from offscript.cli import main\n"
        "try:\n    main()\n"
        "finally:\n    rooms = {name.split('.')[0] for name in sys.modules}\n"
        "    print(sorted(rooms & {'jax', 'jaxlib', 'optax'}), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, verb, *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.strip().endswith("[]")


def test_a_short_detection_waits_for_no_other_verb(service_model: Model, tmp_path: Path) -> None:
    """What only reports, other verbs and long files need is not loaded where a short file is judged."""
    service_model.save(tmp_path / "m.model")
    log = tmp_path / "today.log"
    log.write_text("\n".join(service_log(10)), "utf-8")
    code = (
        "import sys; sys.argv[0] = 'offscript'\n"
        "from offscript.cli import main\n"
        "try:\n    main()\n"
        "finally:\n    print(sorted(sys.modules), file=sys.stderr)"
    )
    arguments = ["detect", str(tmp_path / "m.model"), str(log)]
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for room in ("rich", "numba", "asyncio", "offscript.report", "offscript.fitting"):
        assert f"'{room}'" not in done.stderr.splitlines()[-1]


@FEW
@given(cut=st.integers(0, 900))
def test_a_detector_resumes_after_any_line(service_model: Model, today: list[Line], cut: int) -> None:
    """Promise 9: state written as JSON after any line, and read back, goes on exactly."""
    first = Detector(service_model)
    found = first.push_block(today[:cut])
    second = Detector(service_model, json.loads(json.dumps(first.state())))
    found += second.push_block(today[cut:]) + second.close(complete=True)
    assert told(found) == whole(service_model, today)


@FEW
@given(cuts=st.lists(st.integers(1, 900), max_size=6))
def test_changes_add_up_to_the_state(service_model: Model, today: list[Line], cuts: list[int]) -> None:
    """Promise 9: the rows of `changes()`, applied one after another, are the whole state."""
    rows: dict[str, object] = {}
    detector, borders = Detector(service_model), sorted({0, *cuts, len(today)})
    for begin, end in itertools.pairwise(borders):
        detector.push_block(today[begin:end])
        rows |= json.loads(json.dumps(detector.changes()))
    assert {name: row for name, row in rows.items() if row is not None} == json.loads(json.dumps(detector.state()))


def test_a_state_of_another_model_is_refused(service_model: Model) -> None:
    """Promise 9: the state of a foreign lineage is refused by a named error."""
    state = Detector(service_model).state()
    state["detector"]["lineage"] = "somebody else's"
    with pytest.raises(StateError, match="another model"):
        Detector(service_model, state)


SECRETS = [
    "AKIAIOSFODNN7CANARY1",
    "ghp_" + "C4n4ry" * 6,
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ.c2lnbmF0dXJl",
    "password=hunter2canary",
    "https://user:hunter2canary@host/",
    "Authorization: Bearer hunter2canary",
]


@pytest.mark.parametrize("secret", SECRETS)
def test_credentials_are_masked_before_anything_is_stored(small: Config, tmp_path: Path, secret: str) -> None:
    """Promise 10: a credential in the log is in no file of the model, nor its journal, nor a verdict or state."""
    content = "\n".join(f"{text} {secret} end" for text in service_log(60, seed=6)).encode()
    splitter = LineSplitter("app.log")
    lines = splitter.feed(content) + splitter.finish()
    model = fit(lines, small).save(tmp_path / "m.model")
    detector = Detector(model)
    odd = [Line(line.text + " never seen", line.source, line.number) for line in lines]
    verdicts = detector.push_block(odd)
    Journal(journal_path(tmp_path / "m.model")).record(verdicts, lineage=model.lineage, version=1)
    assert verdicts
    canary = secret if "hunter2" not in secret else "hunter2canary"
    assert canary not in json.dumps(told(verdicts)) + json.dumps(detector.state())
    for path in (tmp_path / "m.model").rglob("*"):
        assert path.is_dir() or canary.encode() not in path.read_bytes()


def test_another_process_makes_the_same_model(tmp_path: Path) -> None:
    """Promise 2: the hash seed of a process does not reach the model."""
    (tmp_path / "n.log").write_text("\n".join(service_log(80, seed=4)) + "\n", "utf-8")
    (tmp_path / "s.toml").write_text("hidden = 12\nlayers = 1\nfolds = 2\ntraining_steps = 50\n", "utf-8")
    for seed in ("1", "77"):
        command = [sys.executable, "-m", "offscript", "fit", "n.log", "-o", f"{seed}.model", "--config", "s.toml"]
        subprocess.run(
            command, cwd=tmp_path, env=os.environ | {"PYTHONHASHSEED": seed}, check=True, capture_output=True
        )
    home = Path("versions") / "1"
    for name in ("model.json", "weights.safetensors"):
        assert (tmp_path / "1.model" / home / name).read_bytes() == (tmp_path / "77.model" / home / name).read_bytes()
