"""An update killed at any moment, `kill -9`, from its first read to its last word: nothing else is lost."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.test_feedback import texts_with_news
from tests.test_versions import ids, run

from offscript import Model, Reason

KILLS = """
import json, os, random, shutil, signal, sys, time
from pathlib import Path
from offscript import Detector, load
from offscript.feedback_verbs import learn_verb
from offscript.journal import Journal, record_of
from offscript.model_folder import journal_path
from offscript.models import columns
from offscript.testing import lines_of
from offscript.versions import alone

home, texts = Path(sys.argv[1]), Path(sys.argv[2]).read_text("utf-8").splitlines()
reported, others, confirmed = json.loads(sys.argv[3])
wanted, chance = int(sys.argv[4]), random.Random(6)
sys.stdout, answer = open(os.devnull, "w"), sys.stdout
sys.stderr = sys.stdout
columns.STEPS = 30  # so that reading and writing are as long as training

def learn(folder, names):
    learn_verb(folder, names, normal=True, note="", author="a person", preview=False)

def judged(model):
    detector = Detector(model)
    return [record_of(one) for one in (*detector.push_block(lines_of(texts)), *detector.close(complete=True))]

def bytes_of(folder, version):
    return {name: (folder / "versions" / version / name).read_bytes() for name in ("model.json", "weights.safetensors")}

def copy(name):
    return Path(shutil.copytree(home / "first", home / name))

whole = copy("whole")
began = time.perf_counter()
learn(whole, reported)
once = time.perf_counter() - began
expected = {n: (bytes_of(whole, str(n)), judged(load(whole, version=n))) for n in (1, 2)}
assert expected[1] != expected[2] and load(whole).version == 2
stored = len(Journal(journal_path(whole)))

def has_draft(folder):
    return any(name.startswith(".") or name == "2" for name in os.listdir(folder / "versions"))

def kill_one(number):
    folder = copy(str(number))
    child = os.fork()
    if child == 0:
        try:
            learn(folder, reported)
        finally:
            os._exit(0)
    begins = time.perf_counter()
    if number % 2:  # anywhere
        time.sleep(once * chance.uniform(0, 1.2))
    else:  # while it is written down
        while not has_draft(folder) and time.perf_counter() - begins < 20:
            time.sleep(0.0002)
        time.sleep(once * chance.uniform(0, 0.4))
    os.kill(child, signal.SIGKILL)
    killed = os.WIFSIGNALED(os.waitpid(child, 0)[1])
    return folder, killed

found = []
for number in range(4 * wanted):
    folder, killed = kill_one(number)
    if killed:
        model, journal = load(folder), Journal(journal_path(folder))
        files, verdicts = expected[model.version]
        assert bytes_of(folder, str(model.version)) == files
        assert bytes_of(folder, "1") == expected[1][0]
        assert judged(model) == verdicts
        assert len(journal) == stored
        assert [one.id for one in journal.confirmed(model.lineage)] == [confirmed]
        with alone(folder):
            pass
        learn(folder, others if model.version == 2 else reported)
        assert load(folder).version > model.version
        found.append((model.version, has_draft(folder)))
    shutil.rmtree(folder)
    if len(found) == wanted:
        break
answer.write(json.dumps({"once": once, "versions": [version for version, _ in found]}))
"""
"""A process of its own that forks and kills its children: one with JAX in it should not fork."""


def test_a_kill_at_any_moment_of_an_update_loses_nothing_else(service_model: Model, tmp_path: Path) -> None:
    """A hundred kills, half anywhere in `learn` and half while it writes: folder and journal are whole, and go on.

    Each time the version in force is the old one or the new one, byte by byte, and judges as that; no verdict is
    lost, what was confirmed is confirmed, no lock is left, and the next update works.
    """
    folder, log = tmp_path / "first", tmp_path / "today.log"
    service_model.save(folder)
    texts = texts_with_news()[:160]
    log.write_text("\n".join(texts) + "\n", "utf-8")
    run("detect", folder, log, "--complete", "--output", "jsonl")
    right = ids(folder, Reason.UNEXPECTED_KEY)[0]
    run("learn", folder, right, "--anomalous")
    reported, others = ids(folder, Reason.NEW_KEY), ids(folder, Reason.INCOMPLETE_SESSION)
    names = json.dumps([reported[:1], others[:1], right])
    done = subprocess.run(
        [sys.executable, "-c", KILLS, tmp_path, log, names, "100"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    reached = json.loads(done.stdout)["versions"]
    assert len(reached) == 100
    assert set(reached) == {1, 2}
