"""Credentials: none survives in any shape anywhere, words without a value do."""

from __future__ import annotations

import gzip
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offscript.parse.mask import Masker, _mask_found, mask, stems_in

LETTERS = "aB3dE5gH7jK9mN1pQ2sT4vW6yZ8bC0fG"
NAMES = [
    "password",
    "passwd",
    "pwd",
    "secret",
    "token",
    "api_key",
    "apiKey",
    "api-key",
    "client_secret",
    "DB_PASSWORD",
    "access_token",
    "aws_secret_access_key",
    "PGPASSWORD",
    "private_key",
    "X-Auth-Token",
]
VALUED = [
    "{name}={canary}",
    "{name}: {canary}",
    "{name} = {canary}",
    "{name}='{canary}'",
    '{name}="{canary} more"',
    '{{"{name}": "{canary}"}}',
    "{{'{name}': '{canary}', 'b': 1}}",
    '{{\\"{name}\\":\\"{canary}\\"}}',
    "GET /x?a=1&{name}={canary}&b=2 HTTP/1.1",
    "{name}=>{canary}",
    '{{"{name}":"a\\"{canary}"}}',
    "{name}%3D{canary}",
    "params[{name}]={canary}",
    "({name}={canary}, user=bob)",
    "{name}:={canary};",
]
SHAPED = [
    "AKIA" + LETTERS.upper()[:16],
    "ghp_" + LETTERS,
    "github_pat_" + LETTERS,
    "glpat-" + LETTERS[:20],
    "xoxb-123-" + LETTERS,
    "sk_live_" + LETTERS,
    "AIza" + LETTERS + "abc",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIx" + LETTERS + ".sig" + LETTERS,
    "npm_" + LETTERS + "abcd",
    "sk-" + LETTERS,
]
OTHER = [
    "postgres://bob:{canary}@db:5432/shop",
    "redis://:{canary}@cache",
    "Authorization: Bearer {canary}",
    "authorization: Basic {canary}",
    '"Authorization": "Bearer {canary}"',
    "bearer {canary}",
    "ALTER USER bob PASSWORD '{canary}'",
    "run --db-password {canary} --now",
    "-----BEGIN RSA PRIVATE KEY-----\\n{canary}\\n-----END RSA PRIVATE KEY-----",
    "-----BEGIN PRIVATE KEY-----{canary}",
    "https://hooks.slack.com/services/T0000/B0000/{canary}",
    "curl -u bob:{canary} http://host/",
    "curl -sSLu 'bob:{canary}' -o x http://host/",
    "curl -ubob:{canary} http://host/",
    "wget --user bob:{canary}",
    "curl --proxy-user=bob:{canary} http://host/",
    "<password>{canary}</password>",
    "<db:adminPassword type='plain'>{canary} {canary}</db:adminPassword>",
    "<name>bob</name><token>{canary}</token><b>c</b>",
    "<secret><![CDATA[a<{canary}]]></secret>",
    "&lt;password&gt;{canary}&lt;/password&gt;",
    "Set-Cookie: sessionid={canary}; Path=/; HttpOnly",
    "Cookie: theme=dark; PHPSESSID={canary}; connect.sid=s%3A{canary}",
    '"cookie": "lang=en; auth_token={canary}"',
    "passphrase {canary}",
    "passphrase: {canary}",
    "passphrase '{canary} more'",
]
canaries = st.text(alphabet="abcdefghijkmnpqrstuvwxyzABCDEFGH23456789", min_size=12, max_size=40).map(
    lambda text: "Zq7" + text
)
around = st.sampled_from(
    ["", " ", "x ", "user=bob ", "[", "é ", "2026-11-21 INFO ", ", ", "token ", "key: ", '{"a": 1} ']
)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(VALUED), st.sampled_from(NAMES), canaries, around, around)
def test_no_named_value_survives(shape: str, name: str, canary: str, before: str, after: str) -> None:
    """Promise 10: in key=value, JSON, escaped JSON and URLs the value goes and the name stays."""
    masked = mask(before + shape.format(name=name, canary=canary) + (" " + after if after else ""))
    assert canary not in masked
    assert name in masked
    assert mask(masked) == masked


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(OTHER), canaries, around, around)
def test_no_credential_of_a_protocol_survives(shape: str, canary: str, before: str, after: str) -> None:
    """URLs, Authorization, SQL, flags and PEM blocks on one line."""
    masked = mask(before + shape.format(canary=canary) + (" " + after if after else ""))
    assert canary not in masked
    assert mask(masked) == masked


@pytest.mark.parametrize("token", SHAPED)
@pytest.mark.parametrize(
    "frame", ["{}", "a{}", "_{}", "({})", "key {}.", "x={}&y", "x\u00e9{}", "{} {}", "/{}/", "token:{}"]
)
def test_tokens_are_known_by_their_shape(token: str, frame: str) -> None:
    """A token goes wherever it stands, also glued to other text (no word boundary is asked for)."""
    glued = token.startswith("sk-") and frame[0] == "a"  # `task-...` is a word: this shape alone needs a boundary
    masked = mask(frame.replace("{}", f" {token}" if glued else token))
    assert token not in masked
    assert token[8:] not in masked
    assert mask(masked) == masked


@pytest.mark.parametrize(
    "text",
    [
        "Failed password for root from 10.0.0.1 port 22 ssh2",
        "password for user root",
        "token expired",
        "check pass; user unknown",
        "the secret is out",
        "basic authentication failed",
        "bearer of bad news",
        "secret: ",
        "http://host:8080/path",
        "a://b",
        "max_tokens=100",
        "user@example.com: hello",
        "GET http://10.0.0.1:80/a@b",
        "eyJ",
        "sk-1",
        "monkey=1",
        "Permission denied (publickey,password).",
        "Enter passphrase for key '/home/me/.ssh/id_rsa': ",
        "wrong passphrase given, 3 tries left",
        "passphrase REQUIRED",
        "usage: login <user> <password> </dev/null",
        "<password></password>",
        "docker run --user 1000:1000 image",
        "tar -u a:b",
        "ps --user root",
        "curl -u bob http://host:80/x",
        '"GET / HTTP/1.1" 200 "curl/7.68.0" -u:',
        "Set-Cookie: theme=dark; Path=/",
        "Cookie: session expired",
        "cookie jar is full; sid: 7",
    ],
)
def test_words_without_a_value_stay(text: str) -> None:
    """Prose that names a credential and gives none is left alone."""
    assert mask(text) == text


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                *NAMES,
                "=",
                ":",
                '"',
                "'",
                "\\",
                " ",
                ",",
                "<masked>",
                "://",
                "@",
                "eyJ",
                ".",
                "Bearer ",
                "--",
                "authorization",
                "curl ",
                "-u",
                "--user ",
                ":",
                "cookie:",
                "sid=",
                ";",
                "passphrase ",
                "<password>",
                "</password>",
                "<![CDATA[",
                "]]>",
                "-----BEGIN PRIVATE KEY-----",
                "x",
                "1",
            ]
        )
        | st.text(max_size=3),
        max_size=15,
    )
)
def test_masking_twice_is_masking_once(pieces: list[str]) -> None:
    """Idempotent on any text: what is masked again does not change."""
    once = mask("".join(pieces))
    assert mask(once) == once


PIECES = [
    *NAMES,
    *SHAPED,
    *(shape.replace("{canary}", "Zq7a") for shape in OTHER),
    *(shape.format(name="pwd", canary="Zq7") for shape in VALUED),
    *"=:\"'`\\ ,;)]@/.-_<>\t\x0b\x1c\r\0x1Zé\u3000",
    *("://", "eyJ", "sk-", "npm_", "AKIA", "abcdefghijkl", "0123456789", "Bearer ", "--", "authorization", "digest "),
    *("curl ", "-u", "--user ", "cookie:", "sid=", "passphrase ", "<password>", "</password>", "&lt;", "<masked>"),
    *("identified by ", "-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----", "%3d", "=>", "api", "key"),
]


def suspect_lines(block: bytes) -> set[int]:
    """Return the numbers of the lines in which a suspect starts, each once."""
    numbers = [block.count(b"\n", 0, at) for at in stems_in(block)]
    assert len(set(numbers)) == len(numbers)
    return set(numbers)


@settings(max_examples=250, deadline=None)
@given(st.lists(st.lists(st.sampled_from(PIECES), max_size=9).map("".join), max_size=20))
def test_every_line_that_changes_is_a_suspect(lines: list[str]) -> None:
    """One pass over a block of lines misses none that `mask` changes, nor one that opens a private key."""
    suspects = suspect_lines("\n".join(lines).encode())
    assert {at for at, line in enumerate(lines) if mask(line) != line} <= suspects
    assert {at for at, line in enumerate(lines) if line.endswith("PRIVATE KEY-----") and "BEGIN" in line} <= suspects


@settings(max_examples=250, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=9).map("".join))
def test_no_credential_is_lost_to_the_quick_look(line: str) -> None:
    """In a line that is no suspect none of the patterns finds anything, when all of them are tried."""
    looked_everywhere = _mask_found(line, b"pwd=x AKIA0123456789ABCDEF")
    assert looked_everywhere == line or stems_in(line.encode())


@pytest.mark.data
@pytest.mark.parametrize("log", ["Linux", "Mac", "OpenSSH", "OpenStack", "Spark"])
def test_few_lines_of_real_logs_are_suspects(data_dir: Path, log: str) -> None:
    """Of logs full of user names, passwords asked for and addresses, only lines that change are looked at twice."""
    block = gzip.decompress((data_dir / "loghub2k" / f"{log}_2k.log.gz").read_bytes())
    lines = block.decode().split("\n")
    assert suspect_lines(block) == {at for at, line in enumerate(lines) if mask(line) != line}


def test_blocks_hold_any_bytes() -> None:
    """What is no UTF-8 is looked at byte by byte."""
    lines = [b"\xff\xfe\xe3", b"token\xe3\x80\x80=\xffabc", b"\xc3", b"-----BEGIN PRIVATE KEY-----\xe3", b"pwd=x"]
    assert suspect_lines(b"\n".join(lines)) == {1, 3, 4}


def key_lines(body: list[str], begin: str = "", between: str = "") -> list[str]:
    """Return a PEM block with a start to each line and perhaps a stranger after it."""
    lines = [f"{begin}-----BEGIN RSA PRIVATE KEY-----"]
    for line in body:
        lines += [f"{begin}{line}", *([between] if between else [])]
    return [*lines, f"{begin}-----END RSA PRIVATE KEY-----"]


@pytest.mark.parametrize("begin", ["", "2026-11-21 10:00:00 INFO app: ", "  "])
@pytest.mark.parametrize("between", ["", "GET /index.html 200"])
def test_a_key_over_many_lines_is_masked(begin: str, between: str) -> None:
    """The body of a PEM block goes line by line, also under a logger's header and between other lines."""
    body = [LETTERS * 2] * 25 + ["Zq7canaryAA="]
    masker = Masker()
    out = [masker.line(line) for line in [*key_lines(body, begin, between), "all is well today"]]
    assert not any(LETTERS in line or "Zq7" in line for line in out)
    assert out[-1] == "all is well today"
    assert not between or between in out


def test_a_key_without_an_end_stops_masking_soon() -> None:
    """A key that was cut off disturbs few later lines."""
    masker = Masker()
    masker.line("-----BEGIN PRIVATE KEY-----")
    for _ in range(Masker.STRANGERS):
        masker.line("GET /index.html ok!")
    assert masker.line("it was done") == "it was done"


@pytest.mark.parametrize(
    "piece",
    [
        "eyJ",
        "://a:",
        "password=",
        "password=,",
        'password="',
        "\\",
        "authorization:",
        "--a-token ",
        'secret=\\\\"',
        "bearer ",
        "-----BEGIN PRIVATE KEY-----",
        "sk-",
        "token=)",
        ",a",
        "password ",
        "xoxb-",
        "://@:",
        "authorization: bearer ",
        "curl -u a:",
        "--user '",
        "-u",
        "cookie: sid=",
        "sid",
        "<password>",
        "<password><![CDATA[",
        "<password ",
        "<a:",
        "&lt;token&gt;",
        "passphrase ",
    ],
)
def test_time_is_linear_in_hostile_text(piece: str) -> None:
    """Half a megabyte of any opening takes no more than twice what a line of it should."""
    text = "password='" + piece * (300_000 // len(piece))
    start = time.process_time()
    mask(text)
    mask(text[10:])
    stems_in((piece * (300_000 // len(piece))).encode())
    assert time.process_time() - start < 6
