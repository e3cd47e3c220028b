"""The columnar scan: equal to reading line by line, on any bytes in any pieces, on one core and on two."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.strategies import messages

from offscript import Config, Detector, Model, detect, detection, detector, read
from offscript.entries import Verdict
from offscript.errors import InputError
from offscript.parse import pieces, scan
from offscript.parse.header import detect_header
from offscript.parse.learn import Parsed, learn
from offscript.parse.match import Templates
from offscript.parse.records import Matching, Records
from offscript.parse.session_key import SessionKey
from offscript.sources import files
from offscript.testing import service_log

FILES = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
ISO = [f"2024-05-01 10:0{n % 10}:{n:02}.{n * 7:03}" for n in range(60)]
STAMPS = [
    *ISO,
    "2024-05-01 10:61:00.000",
    "2024-13-01 10:00:00.000",
    "2024-02-30 10:00:00.000",
    "2024-05-01 23:59:60.5",
]
ODD_LINES = [
    b"", b"   ", b"\ttrailing part", b"    at org.example.Main.run(Main.java:7)", b"no header at all",
    b"2024-05-01 10:00:00.000 INFO [req-1] \xff broken \xc3", b"2024-05-01 10:00:00.000 INFO [req-1] nul \0 here",
    b"\xef\xbb\xbf2024-05-01 10:00:00.000 INFO [req-1] marked", b"2024-05-01 10:00:00.000 INFO [req-1] pwd=hunter22",
    b"-----BEGIN PRIVATE KEY-----", b"MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcw", b"-----END PRIVATE KEY-----",
    b"2024-05-01 10:00:00.000 INFO [req-1] wide \xe3\x80\x80", "2024-05-01 10:00:00.000 INFO [req-1] größe 7".encode(),
    b"2024-05-01 10:00:00.000 INFO", b"2024-05-01 10:00:00.000 INFO [beef] id without digits",
]  # fmt: skip


@st.composite
def logs(draw: st.DrawFn) -> bytes:
    """Lines of one header with all kinds of messages, and now and then a line that fits nothing."""
    stamps = (
        st.sampled_from(STAMPS) if draw(st.booleans()) else st.sampled_from([f"May {n} 10:00:0{n}" for n in (1, 2)])
    )
    line = st.builds(
        lambda stamp, level, number, text: f"{stamp} {level} [req-{number}] {text}".encode("utf-8", "replace"),
        stamps,
        st.sampled_from(["INFO", "INFO", "WARN"]),
        st.integers(1, 300),
        messages().map(lambda text: text.replace("\n", " ")),
    )
    lines = draw(st.lists(line | line | line | st.sampled_from(ODD_LINES), min_size=30, max_size=90))
    return draw(st.sampled_from([b"\n", b"\n", b"\r\n"])).join(lines) + draw(st.sampled_from([b"", b"\n"]))


def columns(parsed: Parsed) -> dict[str, Any]:
    """Everything that learning a log gives."""
    return {
        "rows": list(parsed.kept),
        "keys": parsed.key_of,
        "templates": parsed.templates.to_dict(),
        "sources": parsed.records.rows(),
        "findings": parsed.findings(),
    }


def both_ways(path: Path, config: Config, monkeypatch: pytest.MonkeyPatch) -> tuple[dict[str, Any], dict[str, Any]]:
    """Learn a file from a list of its lines, and in columns."""
    one_by_one = columns(learn(list(read(str(path), config=config)), config))
    monkeypatch.setattr(pieces, "is_warm", lambda: True)
    return one_by_one, columns(learn(read(str(path), config=config), config))


@FILES
@given(logs(), st.sampled_from([40, 700, 1 << 18]), st.integers(1, 2), st.sampled_from([None, "none", r"req-(\d+)"]))
def test_equal_to_the_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, log: bytes, size: int, cores: int, session: str | None
) -> None:
    """A file read in columns, in chunks of any size, on one core or two, gives what its lines give (promise 1)."""
    path = tmp_path / "app.log"
    path.write_bytes(log)
    monkeypatch.setattr(files, "PIECE", size)
    monkeypatch.setattr(scan, "_cores", lambda: cores)
    config = Config(session=session, sample_lines=40, max_line_bytes=256, max_templates=12)
    if not log.strip():
        return
    one_by_one, in_columns = both_ways(path, config, monkeypatch)
    assert one_by_one == in_columns


def test_a_small_log_does_not_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the scan is not compiled yet, lines are read one by one until it pays; both parts are one log."""
    path = tmp_path / "app.log"
    path.write_text("\n".join(service_log(60, seed=2)))
    monkeypatch.setattr(files, "PIECE", 4096)
    one_by_one, warm = both_ways(path, Config(), monkeypatch)
    monkeypatch.setattr(pieces, "is_warm", lambda: False)
    monkeypatch.setattr(pieces, "PAYS_FROM", 150)
    switched = columns(learn(read(str(path)), Config()))
    assert one_by_one == warm == switched


CASES = {
    "indented lines without a header": [f"job {n} went up" for n in range(60)] + ["   indented more", "job 2 went up"],
    "another protocol version": [f"<34>1 2003-10-11T22:14:{n} host{n} su: message number {n}" for n in range(10, 60)]
    + ["<34>2 2003-10-11T22:15:15 host1 su: message number 1", "<34>1 2003-10-11T22:15:16 host1 su: message number 2"],
    "messages that are cut": [f"{stamp} INFO {'a ' * 400}" for stamp in ISO],
    "words longer than a shape": [f"{stamp} INFO went up" for stamp in ISO] + [f"{ISO[0]} {'a' * 1500} up"] * 2,
    "a number where a column may be missing": [f"{stamp} went up" for stamp in ISO]
    + [f"{ISO[0]} {'1' * 25} msg", f"{ISO[0]} {'1' * 15} msg"],
    "fractions of a second in far years": [
        f"{year}-02-06 10:02:{n:02}.{n:03} INFO went up" for n in range(10, 60) for year in (2024, 2256, 9024)
    ],
    "a session id before an equals sign": [f"{stamp} INFO req{n} went up" for n, stamp in enumerate(ISO * 10)]
    + [f"{ISO[0]} INFO req10 ask req10=5", *[f"{stamp} INFO req7 is up" for stamp in ISO * 20]]
    + [f"{ISO[0]} INFO req11 ask req10=5", f"{ISO[0]} INFO req11 ask req11=5"],
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("cores", [1, 2])
def test_lines_that_look_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str, cores: int) -> None:
    """Lines whose bytes look alike to the scan, and are not to the header or the tokeniser, are told apart."""
    path = tmp_path / "app.log"
    path.write_text("\n".join(CASES[case]) + "\n")
    monkeypatch.setattr(scan, "_cores", lambda: cores)
    config = Config(session="req[0-9]+" if "session" in case else None)
    one_by_one, in_columns = both_ways(path, config, monkeypatch)
    assert one_by_one == in_columns


@pytest.mark.parametrize("cores", [1, 2])
def test_damage_comes_after_what_was_good(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cores: int) -> None:
    """The error of a damaged archive comes when all lines before it were given, on one core as on two."""
    good, bad = tmp_path / "a.log", tmp_path / "b.log.gz"
    good.write_text("\n".join(service_log(60)) + "\n")
    bad.write_bytes(gzip.compress(b"2024-05-01 10:00:00.000 INFO [req-1] up\n" * 5000, mtime=0)[:-40])
    monkeypatch.setattr(scan, "_cores", lambda: cores)
    lines = list(read(str(good)))
    header = detect_header([line.text for line in lines])
    scanner = scan.Scanner(
        header, SessionKey.none(), [lines[0].text], Matching(Templates([], {})), records := Records(header)
    )
    with pytest.raises(InputError):
        for _ in scanner.scan(read(str(good), str(bad)).raw()):
            pass
    assert records.sources[str(good)].lines == len(lines)
    assert str(bad) in records.sources


def verdicts(model: Model, path: Path, *, warm: bool) -> tuple[list[Verdict], dict[str, Any], dict[str, int]]:
    """Judge a file; the verdicts, the detector's state, its counts."""
    detector = Detector(model)
    found = list(detect(model, read(str(path)) if warm else iter(list(read(str(path)))), detector=detector))
    return found, detector.state(), dict(detector.counts)


@FILES
@given(
    st.integers(0, 1000),
    st.lists(st.sampled_from(ODD_LINES), max_size=6),
    st.sampled_from([300, 1 << 18]),
    st.sampled_from([0, 0, 50]),
)
def test_verdicts_are_equal(
    service_model: Model,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    seed: int,
    odd: list[bytes],
    size: int,
    first: int,
) -> None:
    """Verdicts, counts and state are those of the lines, with broken sessions and lines of all kinds (promise 1)."""
    lines = [line.encode() for line in service_log(25, seed=seed, broken=(3, 7))]
    for place, line in enumerate(odd):
        lines.insert(11 * place + seed % 7, line)
    path = tmp_path / "app.log"
    path.write_bytes(b"\n".join(lines) + b"\n")
    monkeypatch.setattr(files, "PIECE", size)
    monkeypatch.setattr(pieces, "is_warm", lambda: True)
    monkeypatch.setattr(detection, "READ_FIRST", first)
    monkeypatch.setattr(detector, "is_compiled", lambda _: True)
    assert verdicts(service_model, path, warm=True) == verdicts(service_model, path, warm=False)


def test_a_broken_session_is_found_in_columns(
    service_model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the columns give to the detector is enough to find a session that stops early, with its last line."""
    path = tmp_path / "app.log"
    path.write_text("\n".join(service_log(300, seed=5, broken=(40,))) + "\n")
    monkeypatch.setattr(pieces, "is_warm", lambda: True)
    monkeypatch.setattr(detection, "READ_FIRST", 0)
    monkeypatch.setattr(detector, "is_compiled", lambda _: True)
    found, _, _ = verdicts(service_model, path, warm=True)
    last = next(verdict for verdict in found if verdict.session == "req-100040")
    assert last.reason in ("incomplete_session", "unusual_session")
    assert "[req-100040]" in last.entry.text


@pytest.mark.data
@pytest.mark.parametrize("folder", ["loghub2k", "hdfs", "openstack", "bgl"])
def test_real_logs_are_read_equally(data_dir: Path, monkeypatch: pytest.MonkeyPatch, folder: str) -> None:
    """The ten systems, HDFS, OpenStack and BGL give the same entries and templates by lines and in columns."""
    logs = sorted((data_dir / folder).glob("*.log.gz"))
    assert logs
    for path in logs:
        one_by_one, in_columns = both_ways(path, Config(sample_lines=2000), monkeypatch)
        assert one_by_one == in_columns, path.name
