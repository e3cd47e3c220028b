"""Headers: found in samples of every common layout, read off fast and purely, refused where they do not fit."""

from __future__ import annotations

import csv
import gzip
import io
import json
import pickle
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offscript.entries import Fields, Line
from offscript.errors import InputError, ModelError, UsageError
from offscript.parse.header import Header, check_header, detect_header, header_from_options, looks_like_continuation

WORDS = [
    "started",
    "stopped node",
    "took 12 ms",
    "user bob came",
    "disk full on /dev/sda",
    "8 blocks moved",
    "cache is warm",
]
Make = Callable[[int, str], str]


def sample(make: Make, n: int = 60) -> list[str]:
    """Return n records with different messages."""
    return [make(i % 60, WORDS[i * i % 7]) for i in range(n)]


LAYOUTS: dict[str, tuple[Make, str | None, dict[str, str]]] = {
    "iso": (lambda i, m: f"2026-11-21T10:00:{i:02}.5Z {m}", None, {}),
    "log4j": (
        lambda i, m: f"2015-10-18 18:01:{i:02},978 INFO [main-{i}] org.apache.App: {m}",
        "INFO",
        {"component": "org.apache.App", "thread": "main-7"},
    ),
    "logger": (lambda i, m: f"2026-11-21 10:00:{i:02},123 - my.mod{i % 3} - WARNING - {m}", "WARNING", {}),
    "syslog": (
        lambda i, m: f"Dec 10 06:55:{i:02} host{i % 3} sshd[{i}]: {m}",
        None,
        {"host": "host1", "component": "sshd", "pid": "7"},
    ),
    "syslog with priority": (
        lambda i, m: f"<34>Oct 11 22:14:{i:02} mymachine su{i % 2}: {m}",
        "CRIT",
        {"component": "su1"},
    ),
    "syslog 5424": (
        lambda i, m: f'<165>1 2003-10-11T22:14:{i:02}.003Z host app {i} ID47 [ex@1 a="b]" c="\\""] {m}',
        "NOTICE",
        {"pid": "7", "component": "app"},
    ),
    "syslog 5424 without data": (
        lambda i, m: f"<11>1 2003-10-11T22:14:{i:02}+02:00 host app - - - {m}",
        "ERROR",
        {"component": "app"},
    ),
    "compact": (
        lambda i, m: f"081109 2035{i:02} {i} INFO dfs.Node$X{i % 3}: {m}",
        "INFO",
        {"pid": "7", "component": "dfs.Node$X1"},
    ),
    "slashes": (
        lambda i, m: f"17/06/09 20:10:{i:02} INFO executor.Backend: {m}",
        "INFO",
        {"component": "executor.Backend"},
    ),
    "epoch": (lambda i, m: f"{1445184107 + i} {m}", None, {}),
    "epoch ms": (lambda i, m: f"{1445184107000 + i} DEBUG {m}", "DEBUG", {}),
    "access": (
        lambda i, m: f'10.0.0.{i} - frank [10/Oct/2000:13:55:{i:02} -0700] "GET /{m} HTTP/1.0" 200',
        None,
        {"column1": "10.0.0.7"},
    ),
    "ctime": (lambda i, m: f"[Sun Dec 04 04:47:{i:02} 2005] [notice] {m}", "NOTICE", {}),
    "dots": (lambda i, m: f"- 2005-06-03-15.42.{i:02}.363779 R{i % 4} RAS KERNEL INFO {m}", "INFO", {"column3": "R3"}),
    "android": (
        lambda i, m: f"03-17 16:13:{i:02}.811  1702  {i} D WindowManager: {m}",
        "DEBUG",
        {"pid": "1702", "thread": "7", "component": "WindowManager"},
    ),
    "klog": (
        lambda i, m: f"W0102 15:04:{i:02}.000000   12345 file.go:1{i}] {m}",
        "WARN",
        {"pid": "12345", "component": "file.go:17"},
    ),
    "time": (lambda i, m: f"20:10:{i:02} {m}", None, {}),
    "start-up": (lambda i, m: f"[   12.3456{i:02}] {m}", None, {}),
    "file first": (
        lambda i, m: f"app.log.{i % 2} 2017-05-16 00:00:{i:02}.008 25746 INFO nova.api{i % 2} [req-{i} - -] {m}",
        "INFO",
        {"context": "req-7 - -", "pid": "25746"},
    ),
    "brackets": (lambda i, m: f"[2026-11-21 10:00:{i:02}.123][ERROR][worker-{i}] {m}", "ERROR", {"thread": "worker-7"}),
    "process after level": (
        lambda i, m: f"2026-07-29 17:41:{i:02}.747  INFO {i} --- [  main{i}] o.s.b.App  : {m}",
        "INFO",
        {"pid": "7", "component": "o.s.b.App"},
    ),
    "level first": (
        lambda i, m: f"WARN nova.compute{i % 2} [req-{i}] {m}",
        "WARN",
        {"component": "nova.compute1", "context": "req-7"},
    ),
    "tag first": (lambda i, m: f"cron[{i}]: {m}", None, {"component": "cron", "pid": "7"}),
    "words vary before the stamp": (
        lambda i, m: f"{'1.2.3.4, ' * (i % 3)}5.6.7.8 - - [10/Oct/2000:13:55:{i:02} -0700] {m}",
        None,
        {},
    ),
    "json": (
        lambda i, m: json.dumps({"ts": 1445184107 + i, "level": "info", "msg": m, "req": f"r{i}", "ctx": {"user": 5}}),
        "INFO",
        {"req": "r7", "ctx.user": "5"},
    ),
    "logfmt": (lambda i, m: f'time=2026-11-21T10:00:{i:02}Z level=info msg="{m}" user=u{i}', "INFO", {"user": "u7"}),
    "container json": (
        lambda i, m: json.dumps(
            {
                "log": f"2026-11-21 10:00:{i:02},123 INFO [m{i}] app.Foo: {m}\n",
                "stream": "stderr",
                "time": f"2026-11-21T10:00:{i:02}.5Z",
            }
        ),
        "INFO",
        {"stream": "stderr", "component": "app.Foo"},
    ),
    "container text": (
        lambda i, m: f"2016-10-06T00:17:{i:02}.669794202Z stdout F I0102 15:04:{i:02}.5   12 a.go:{i}] {m}",
        "INFO",
        {"stream": "stdout", "pid": "12"},
    ),
    "forwarded": (
        lambda i, m: f"Dec 10 06:55:{i:02} host app[12]: 2026-12-10 06:55:{i:02}.25 ERROR {m}",
        "ERROR",
        {"component": "app"},
    ),
}


@lru_cache
def header_of(layout: str) -> Header:
    """Return the header found in a sample of the layout."""
    return detect_header(sample(LAYOUTS[layout][0]))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_are_found(layout: str) -> None:
    """Time, level, identifiers and exactly the message, in each layout; the header survives JSON and pickling."""
    make, level, named = LAYOUTS[layout]
    header = header_of(layout)
    fields = header.split(make(7, "the message: of 12 words"))
    assert fields is not None
    assert "the message: of 12 words" in fields.message
    if layout != "access":
        assert fields.message == "the message: of 12 words"
    assert fields.level == level
    assert named.items() <= dict(fields.named).items()
    assert (fields.time is not None) == (layout not in ("level first", "tag first"))
    assert Header.from_dict(json.loads(json.dumps(header.to_dict()))) == header
    assert pickle.loads(pickle.dumps(header)) == header  # noqa: S301 (our own bytes: workers are sent headers)
    assert "\n" not in header.describe()
    assert header.share(sample(make)) == header.coverage == 1.0


def test_times_are_exact_and_in_order() -> None:
    """The time of each record is that of its stamp, to the microsecond, in a header as in a stamp alone."""
    header = detect_header([f"2026-11-21 10:00:{i:02}.{i:06} INFO x{i}" for i in range(60)])
    fields = header.split("2026-11-21 10:00:07.123456 WARN up")
    assert fields == Fields("up", datetime.fromisoformat("2026-11-21T10:00:07.123456+00:00").timestamp(), "WARN")


def test_database_lines_keep_what_is_not_at_a_fixed_column() -> None:
    """Columns that vary in number stay in the message; the level is found in it all the same."""
    kinds = ["client backend", "checkpointer", "autovacuum worker"]
    texts = [
        f"2026-11-21 10:00:{i:02}.123 UTC [47{i}] 65a.12 {i} {kinds[i % 3]} a@b app=req-{i} 3/4 0 00000 "
        f"LOG:  statement: SELECT {i}"
        for i in range(60)
    ]
    fields = detect_header(texts).split(texts[7])
    assert fields is not None
    assert (fields.level, fields.named) == ("LOG", (("pid", "477"),))
    assert fields.message == "65a.12 7 checkpointer a@b app=req-7 3/4 0 00000 LOG:  statement: SELECT 7"


def test_constant_words_of_the_message_are_not_header() -> None:
    """A log of one statement alone keeps its words: only anchors end a header."""
    for text in ("connection error on socket {}", "Connection reset by peer {}", "level of tank is {}"):
        texts = [f"2026-11-21 10:00:{i:02} {text.format(i)}" for i in range(60)]
        fields = detect_header(texts).split(texts[3])
        assert fields is not None
        assert fields.message == text.format(3)


def test_a_record_may_lack_late_columns() -> None:
    """A few records without host's component or level are records all the same, with the columns they have."""
    texts = [*sample(LAYOUTS["syslog"][0]), "Dec 10 07:00:00 host1 last message repeated 2 times"]
    fields = detect_header(texts).split(texts[-1])
    assert fields is not None
    assert fields.message == "last message repeated 2 times"
    assert fields.named == (("host", "host1"),)


def test_day_or_month_first_is_told_by_the_dates() -> None:
    """`05/04/2026` is read in the order in which the log's time runs smoothly."""
    day_first = [f"{1 + i // 4:02}/11/2026 10:{i:02}:00 x" for i in range(48)]
    month_first = [f"11/{1 + i // 4:02}/2026 10:{i:02}:00 x" for i in range(48)]
    for texts in (day_first, month_first):
        fields = detect_header(texts).split(texts[-1])
        assert fields is not None
        assert fields.time == datetime.fromisoformat("2026-11-12T10:47:00+00:00").timestamp()


STACK = [
    "java.lang.IllegalStateException: bad",
    "\tat org.a.B.c(B.java:1)",
    "Caused by: x",
    "... 12 more",
    "}",
    "Traceback (most recent call last):",
]


def test_stack_traces_continue_records() -> None:
    """Lines without header are None and do not count against the header's share."""
    texts = [line for record in sample(LAYOUTS["log4j"][0]) for line in [record, *STACK]]
    header = detect_header(texts)
    assert [header.split(line) for line in STACK] == [None] * len(STACK)
    assert all(looks_like_continuation(line) for line in STACK)
    assert header.share(texts) == 1.0


def test_indented_lines_inside_a_container_continue() -> None:
    """The inner text tells a continuation, with an inner header and without."""
    plain = [
        f"2016-10-06T00:17:{i:02}.6Z stderr F {'    at x.y(z)' if i % 5 == 1 else WORDS[i % 7]}" for i in range(60)
    ]
    header = detect_header(plain)
    assert header.split(plain[1]) is None
    assert header.split(plain[2]) is not None
    assert header.share(plain) == 1.0
    wrapped = [
        json.dumps(
            {"log": f"  in {text}\n" if i % 9 == 1 else f"{text}\n", "stream": "stdout", "time": "2026-11-21T10:00:00Z"}
        )
        for i, text in enumerate(sample(LAYOUTS["log4j"][0]))
    ]
    assert detect_header(wrapped).split(wrapped[1]) is None


def test_a_log_without_header_is_plain() -> None:
    """Every line is a record, an indented one a continuation; nothing is an error."""
    for texts in ([], [""], ["one"], WORDS * 9, ["  x"] * 5):
        header = detect_header(texts)
        assert header.kind == "plain"
    assert header.split("hello world") == Fields("hello world")
    assert header.split("   more") is None
    assert "no header" in header.describe()


def test_near_places_year_less_records() -> None:
    """A syslog over New Year moves forwards: the caller passes the last time, and split stays pure."""
    header = detect_header(sample(LAYOUTS["syslog"][0]))
    last = header.split("Dec 31 23:59:59 host1 sshd[1]: a", datetime(2025, 12, 31, 12).timestamp())
    assert last is not None
    new = header.split("Jan  1 00:00:01 host1 sshd[1]: b", last.time)
    assert new is not None
    assert last.time is not None
    assert new.time == last.time + 2
    assert header.split("Jan  1 00:00:01 host1 sshd[1]: b", last.time) == new


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.text(max_size=60) | st.sampled_from([make(7, "x") for make, _, _ in LAYOUTS.values()]), max_size=12),
    st.text(max_size=60),
)
def test_any_text_at_all_is_read(texts: list[str], other: str) -> None:
    """Promise 5: no sample and no line raises, and the header found survives JSON."""
    header = detect_header(texts)
    header.split(other)
    assert 0.0 <= header.share([*texts, other]) <= 1.0
    assert Header.from_dict(json.loads(json.dumps(header.to_dict()))) == header
    assert header.describe()


@pytest.mark.parametrize(
    "line",
    [
        "[" * 100_000,
        '{"a":' * 100_000,
        '{"ts": NaN, "msg": "x"}',
        '{"ts": 1e400, "msg": "x"}',
        '{"ts": ' + "9" * 10_000 + "}",
        '{"msg": "\\ud800"}',
        '{"msg": "a", "msg": "b"}',
        '{"msg": {"deep": [1]}}',
        "{" * 1000,
        "1e400 x",
        "NaN x",
        "\u2028",
        "x" * 1_000_000,
        "<165>1 2003-10-11T22:14:07Z h a - - [" + 'x="\\' * 20_000,
        "2026-11-21 10:00:00 " + "[" * 100_000,
        "a " * 100_000,
        "a:" * 100_000,
    ],
)
def test_hostile_lines_are_read_quickly(line: str) -> None:
    """Deep JSON, huge numbers, lone surrogates and endless columns give fields or None, in linear time."""
    for layout in LAYOUTS:
        fields = header_of(layout).split(line)
        assert fields is None or fields.message.encode("utf-8") is not None
        assert fields is None or fields.time is None or fields.time < 1e11
    detect_header([line] * 30)


def test_stated_headers() -> None:
    """A user's time format or pattern goes before detection; `auto` and nothing detect."""
    assert header_from_options() is None
    assert header_from_options(pattern="auto") is None
    stated = header_from_options(pattern=r"^(?P<time>\S+ \S+) (?P<level>\w+) <(?P<req>\w+)> (?P<message>.*)")
    assert stated is not None
    fields = stated.split("2026-11-21 10:00:00 warn <r1> all is well")
    assert fields == Fields("all is well", 1795255200.0, "WARN", (("req", "r1"),))
    assert stated.split("something else") is None
    assert Header.from_dict(json.loads(json.dumps(stated.to_dict()))) == stated
    by_time = header_from_options(time_format="%d~%m~%Y %H:%M:%S.%f")
    assert by_time is not None
    fields = by_time.split("x 21~11~2026 10:00:00.25 INFO hello")
    assert fields == Fields("hello", 1795255200.25, "INFO")


@pytest.mark.parametrize(
    ("form", "pattern"),
    [("%Q", None), ("%Y", None), (None, "(?P<a>"), (None, r"(a)\1"), (None, "x" * 5_000), (None, "(?=a)")],
)
def test_bad_options_are_usage_errors(form: str | None, pattern: str | None) -> None:
    """A pattern that re2 cannot run in linear time, or a format without time, is refused in one line."""
    with pytest.raises(UsageError) as refused:
        header_from_options(form, pattern)
    assert "\n" not in str(refused.value)


def test_a_users_pattern_runs_in_linear_time() -> None:
    """The classic runaway pattern is harmless."""
    header = header_from_options(pattern=r"^(?:a+)+(?P<message>b)")
    assert header is not None
    assert header.split("a" * 100_000) is None


def test_a_damaged_stored_header_is_refused() -> None:
    """A bundle's header that names unknown kinds, shapes or formats gives ModelError, never code."""
    stored = detect_header(sample(LAYOUTS["log4j"][0])).to_dict()
    column = stored["columns"][0]
    damages: list[dict[str, Any]] = [
        {"kind": "exec"},
        {"columns": []},
        {"columns": [column | {"shape": "(a+)+"}]},
        {"columns": [column | {"form": "%Q"}]},
        {"fields": None},
        {"columns": [column, column]},
        {"columns": [column | {"step": 99}]},
        {"inner": {"kind": "plain"}},
        {"kind": "pattern", "pattern": "("},
        {"coverage": "x"},
    ]
    for damage in damages:
        with pytest.raises(ModelError, match="header"):
            Header.from_dict(stored | damage)
    with pytest.raises(ModelError):
        Header.from_dict({})


def test_a_header_of_another_log_is_refused() -> None:
    """Under 90% of the lines: InputError with file, line and remedy; continuations do not count against it."""
    header = detect_header(sample(LAYOUTS["log4j"][0]))
    good = [Line(text, "b.log", number) for number, text in enumerate(sample(LAYOUTS["log4j"][0]) + STACK, 1)]
    check_header(header, good, "b.log")
    with pytest.raises(InputError, match=r"^b\.log:61: .*fit a model") as refused:
        check_header(header, good[:60] + [Line("something else", "b.log", 61 + i) for i in range(20)], "b.log")
    assert "\n" not in str(refused.value)


# Share of lines whose message is the reference's Content: what is missing are components with a blank in their name
# and without a process id ("syslogd 1.4.1:"), and commas that the reference lost.
CONTENT = {
    "Apache": 1.0,
    "BGL": 1.0,
    "HDFS": 1.0,
    "HPC": 1.0,
    "Linux": 0.99,
    "Mac": 0.99,
    "OpenSSH": 1.0,
    "OpenStack": 1.0,
    "Spark": 1.0,
    "Thunderbird": 0.99,
}


def real(path: Path) -> list[str]:
    """Return the lines of a packed log that are not blank."""
    return [
        line
        for line in gzip.open(path, "rt", encoding="utf-8", errors="replace", newline="\n").read().split("\n")
        if line.strip()
    ]


@pytest.mark.data
@pytest.mark.parametrize("system", CONTENT)
def test_messages_of_real_logs(system: str, data_dir: Path) -> None:
    """On ten systems the message is the reference's Content, without a word about any of them."""
    texts = real(data_dir / "loghub2k" / f"{system}_2k.log.gz")
    with gzip.open(data_dir / "loghub2k" / f"{system}_2k.structured_corrected.csv.gz") as packed:
        contents = [row["Content"].strip() for row in csv.DictReader(io.TextIOWrapper(packed, encoding="utf-8"))]
    header = detect_header(texts)
    found = [header.split(text) for text in texts]
    equal = sum(
        fields is not None and fields.message == content for fields, content in zip(found, contents, strict=True)
    )
    assert equal / len(texts) >= CONTENT[system]


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("openstack/utah_normal.log.gz", "[instance: "),
        ("openstack/kalaki_sample.log.gz", "[instance: "),
        ("bgl/BGL_first_10000.log.gz", "instruction cache"),
        ("openstack/kalaki_destroy_after_create.log.gz", "[instance: "),
    ],
)
def test_the_message_of_other_real_logs(name: str, start: str, data_dir: Path) -> None:
    """Logs of one statement, without times, or with long continuations keep their messages whole."""
    texts = real(data_dir / name)
    header = detect_header(texts)
    fields = header.split(texts[0])
    assert fields is not None
    assert fields.message.startswith(start)
    assert header.share(texts) > 0.95
