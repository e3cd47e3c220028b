"""The bundle: what is saved is what is loaded, and what is not a bundle is refused in one clear line."""

from __future__ import annotations

import json
import os
import shutil
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from offscript import Model, ModelError, load
from offscript.config import Config
from offscript.model import FORMAT_VERSION, identify
from offscript.model_folder import LEFT_BEHIND, digest
from offscript.workflow.times import MAX_PAIRS


@pytest.fixture
def bundle(service_model: Model, tmp_path: Path) -> Path:
    """A saved bundle that a test may damage."""
    service_model.save(tmp_path / "m.model", author="a person", time="2024-05-01", note="first")
    return tmp_path / "m.model"


def rewrite(bundle: Path, change: dict[str, object]) -> None:
    """Change model.json and make the hash fit, as somebody who means harm would."""
    home = bundle / "versions" / "1"
    body = json.loads((home / "model.json").read_text("utf-8")) | change
    (home / "model.json").write_text(json.dumps(body), "utf-8")
    about = json.loads((home / "about.json").read_text("utf-8"))
    about["sha256"]["model.json"] = digest((home / "model.json").read_bytes())
    (home / "about.json").write_text(json.dumps(about), "utf-8")


def test_author_and_time_stand_outside_the_hashed_bytes(service_model: Model, bundle: Path, tmp_path: Path) -> None:
    """Equal models have equal bytes, whoever saved them and when."""
    service_model.save(tmp_path / "other.model", author="another person", time="2025-01-01")
    one, other = (path / "versions" / "1" for path in (bundle, tmp_path / "other.model"))
    assert (one / "model.json").read_bytes() == (other / "model.json").read_bytes()
    assert (one / "about.json").read_bytes() != (other / "about.json").read_bytes()


def test_saving_again_makes_the_next_version_and_keeps_the_last(service_model: Model, bundle: Path) -> None:
    """A version is never overwritten; the newest is the current one."""
    assert service_model.save(bundle).version == 2
    assert load(bundle).version == 2
    assert load(bundle, version=1).version == 1


def test_a_draft_left_by_a_kill_is_not_seen(service_model: Model, bundle: Path) -> None:
    """Half a version, left behind by a process that was killed, neither loads nor stands in the way."""
    draft = bundle / "versions" / ".2.4711"
    draft.mkdir()
    (draft / "model.json").write_text("{", "utf-8")
    assert load(bundle).version == 1
    assert service_model.save(bundle).version == 2


def test_what_kills_left_is_cleared_by_a_later_save(service_model: Model, bundle: Path) -> None:
    """A draft and a pointer of a process killed an hour ago go; those of one that is saving now stay."""
    left = [bundle / "versions" / ".2.4711", bundle / ".CURRENT.4711"]
    writing = bundle / "versions" / ".2.4712"
    for folder in (left[0], writing):
        folder.mkdir()
        (folder / "model.json").write_text("{", "utf-8")
    left[1].write_text("2\n", "utf-8")
    for path in left:
        os.utime(path, (time.time() - 2 * LEFT_BEHIND,) * 2)

    service_model.save(bundle)

    assert not any(path.exists() for path in left)
    assert writing.exists()
    assert load(bundle).version == 2


def test_the_times_between_steps_are_saved(service_model: Model, bundle: Path) -> None:
    """What is loaded knows how long each step normally takes, as what was saved did."""
    assert len(service_model.times) > 5
    assert load(bundle).times == service_model.times


def test_model_json_is_readable_and_names_its_format(bundle: Path) -> None:
    """A person can read what a model knows."""
    body = json.loads((bundle / "versions" / "1" / "model.json").read_text("utf-8"))
    assert body["format"] == "offscript-model"
    assert body["config"]["history"] == 10


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    """A name that is not there gives the remedy."""
    with pytest.raises(ModelError, match=r"no such model; make one"):
        load(tmp_path / "none.model")


def test_a_folder_of_something_else_is_refused(tmp_path: Path, service_model: Model) -> None:
    """Neither read nor written: somebody's folder stays as it is."""
    (tmp_path / "photo.png").write_bytes(b"x")
    with pytest.raises(ModelError, match="not an offscript model"):
        load(tmp_path)
    with pytest.raises(ModelError, match="folder of something else"):
        service_model.save(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["photo.png"]


def test_bundles_of_other_formats_are_refused(bundle: Path) -> None:
    """A bundle of a later format says so, and so does one of an earlier: what it promises is not what we would."""
    for version, name in ((FORMAT_VERSION + 1, "newer"), (FORMAT_VERSION - 1, "older")):
        rewrite(bundle, {"format_version": version})
        with pytest.raises(ModelError, match=f"{name} offscript"):
            load(bundle)


@pytest.mark.parametrize(
    "change",
    [
        {"keys": {}},
        {"templates": []},
        {"header": {"kind": "exec"}},
        {"timeout": "soon"},
        {"timeout": "60"},
        {"timeout": True},
        {"timeout": -1},
        {"timeout": float("nan")},
        {"timeout": float("inf")},
        {"timeout": 10**400},
        {"config": {"history": 9}},
        {"config": {"history": 10**9}},
        {"config": {"shell": "rm"}},
        {"session_key": {"where": "message", "pattern": "("}},
        {"format": "pickle"},
        {"times": None},
        {"times": {}},
        {"times": [[1, 2, 3]]},
        {"times": [[1, 1, 0, 0.0, 0.0, 0.0, 0.0]]},
        {"times": [[1, 1, True, 0.0, 0.0, 0.0, 0.0]]},
        {"times": [[1, 1, 1, 0.0, 0.0, 0.0, 1]]},
        {"times": [[1, 1, 1, 0.0, 0.0, 0.0, float("nan")]]},
        {"times": [[1, 1, 1, 0.0, 0.0, 0.0, float("inf")]]},
        {"times": [[1, 1, 1, -1.0, 0.0, 0.0, 0.0]]},
        {"times": [[1, 1, 1, 0.0, 2.0, 1.0, 3.0]]},
        {"times": [[1, 1, 1 << 80, 0.0, 0.0, 0.0, 0.0]]},
        {"times": [[1, 10**6, 1, 0.0, 0.0, 0.0, 0.0]]},
        {"times": [[1, 1, 1, 0.0, 0.0, 0.0, 0.0]] * 2},
        {"times": [[1, 1, 1, 0.0, 0.0, 0.0, 0.0]] * (MAX_PAIRS + 1)},
    ],
)
def test_wrong_contents_are_refused(bundle: Path, change: dict[str, object]) -> None:
    """Contents that do not fit are one ModelError, even where the hash fits."""
    rewrite(bundle, change)
    with pytest.raises(ModelError) as caught:
        load(bundle)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["model.json", "weights.safetensors", "about.json"])
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(share=st.floats(0, 0.999))
def test_a_truncated_bundle_is_refused(bundle: Path, name: str, share: float) -> None:
    """A file cut anywhere is noticed, whichever it is."""
    path = bundle / "versions" / "1" / name
    content = path.read_bytes()
    path.write_bytes(content[: int(share * (len(content) - 1))])  # the newline at its end is not needed
    try:
        with pytest.raises(ModelError):
            load(bundle)
    finally:
        path.write_bytes(content)


def test_a_flipped_bit_is_noticed(bundle: Path) -> None:
    """Silent damage to the weights is refused by their hash."""
    path = bundle / "versions" / "1" / "weights.safetensors"
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(ModelError, match="hash"):
        load(bundle)


def test_a_missing_file_is_refused(bundle: Path) -> None:
    """A bundle without its weights names the missing file."""
    (bundle / "versions" / "1" / "weights.safetensors").unlink()
    with pytest.raises(ModelError, match=r"weights\.safetensors: cannot be read"):
        load(bundle)


def test_a_pointer_to_no_version_is_refused(bundle: Path) -> None:
    """CURRENT must name a version that is there."""
    (bundle / "CURRENT").write_text("7\n", "utf-8")
    with pytest.raises(ModelError, match="no version 7"):
        load(bundle)
    (bundle / "CURRENT").write_text("../../etc", "utf-8")
    with pytest.raises(ModelError, match="does not hold a version number"):
        load(bundle)
    shutil.rmtree(bundle / "versions")


def test_a_key_without_template_is_refused(bundle: Path) -> None:
    """Every key that can be expected has a template to show; a bundle with fewer is refused when it is loaded."""
    body = json.loads((bundle / "versions" / "1" / "model.json").read_text("utf-8"))
    keys = body["keys"]
    keys["keys"] = [key + 1_000 for key in keys["keys"]]
    rewrite(bundle, {"keys": keys})
    with pytest.raises(ModelError, match="no template"):
        load(bundle)


@pytest.mark.parametrize("name", ["model.json", "weights.safetensors", "about.json", "CURRENT"])
@pytest.mark.parametrize("kind", ["fifo", "device", "link", "folder"])
def test_only_regular_files_are_read(bundle: Path, name: str, kind: str) -> None:
    """A pipe does not hang, a device does not fill the memory, a link leads nowhere else: each is one ModelError."""
    path = bundle / name if name == "CURRENT" else bundle / "versions" / "1" / name
    kept = path.rename(bundle.parent / "kept")
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to("/dev/zero" if kind == "device" else kept)
    with pytest.raises(ModelError, match=name):
        load(bundle)


def test_a_file_over_its_bound_is_refused(bundle: Path) -> None:
    """A sparse file of gigabytes is refused by its size, before it is read."""
    with (bundle / "versions" / "1" / "about.json").open("r+b") as file:
        file.truncate(1 << 33)
    with pytest.raises(ModelError, match="larger than"):
        load(bundle)


def test_a_version_named_in_odd_digits_is_no_version(service_model: Model, bundle: Path) -> None:
    """Superscripts are digits to Unicode and no numbers: such a folder is passed over."""
    (bundle / "versions" / "\u00b2").mkdir()
    assert service_model.save(bundle).version == 2


def test_a_place_that_takes_no_files_is_told(service_model: Model, tmp_path: Path) -> None:
    """What the system refuses while a version is written is one ModelError, and no draft stays."""
    home = tmp_path / "m.model"
    service_model.save(home)
    (home / "CURRENT").unlink()
    (home / "CURRENT").mkdir()
    (home / "CURRENT" / "x").touch()
    with pytest.raises(ModelError, match="cannot be written"):
        service_model.save(home)
    assert not [path for path in (home / "versions").iterdir() if path.name.startswith(".")]


def test_an_unsaved_model_has_the_lineage_that_saving_gives(service_model: Model, tmp_path: Path) -> None:
    """Verdict ids do not depend on whether the model was saved first; a lineage once given stays."""
    named = identify(replace(service_model, lineage=""))
    assert named.lineage
    assert named.save(tmp_path / "a.model").lineage == named.lineage
    assert replace(service_model, lineage="").save(tmp_path / "b.model").lineage == named.lineage
    assert identify(replace(service_model, lineage="mine")).lineage == "mine"


def test_a_bundle_is_not_changed_by_the_environment(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings that an older bundle lacks have their defaults, whatever the environment of the reader says."""
    body = json.loads((bundle / "versions" / "1" / "model.json").read_text("utf-8"))
    rewrite(bundle, {"config": {name: value for name, value in body["config"].items() if name != "max_line_bytes"}})
    monkeypatch.setenv("OFFSCRIPT_MAX_LINE_BYTES", "300")
    monkeypatch.setenv("OFFSCRIPT_SEED", "abc")
    assert load(bundle).config.max_line_bytes == Config.model_fields["max_line_bytes"].default
