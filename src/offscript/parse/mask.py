"""Credentials in log text become `<masked>` before templates, journal or reports can see them (ours).

Two rules keep this linear in hostile text: every pattern starts at a literal, and every pattern that has started
consumes the whole run it is in, so that no stretch is looked at from many starting points.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import re2

MASKED = "<masked>"

# Texts settle in two passes; a bound for those made not to.
_MOST_PASSES = 8

_NAME = (
    r"(?:pass(?:word|wd|phrase|code)|pwd|secret(?:[_-]?(?:access[_-]?)?key)?|token|"
    r"(?:api|access|private|auth|account|shared|encryption|signing)[_-]?key|credentials?)"
)
# The name ends in `=`, `:` or `=>`, after the closing quote of a JSON name (escaped any number of times) or a
# closing bracket (`params[password]=`).
_NAMED = re.compile(rf"""(?i){_NAME}\\*["'`]?\]?\s{{0,8}}(?:=>|:=|[=:]|%3[dD]|%3[aA])\s{{0,8}}""")
_QUOTED_BY_WORD = re.compile(r"""(?i)(?:password|passphrase|identified by)\s{1,8}(?=\\*["'])""")
_FLAG = re.compile(rf"(?i)--(?:[a-z]{{1,24}}-){{0,3}}{_NAME}\s{{1,8}}(?=[^\s-])")
_AUTHORIZATION = re.compile(r"""(?i)authorization\\*["']?\s{0,8}[:=]\s{0,8}(?:\\*["'])?""")
_SCHEME = re.compile(r"(?i)(?:bearer|basic|token|apikey|negotiate|ntlm)\s{1,8}")
_SCHEME_TO_END = re.compile(r"(?i)(?:digest|aws4-hmac-sha256|hawk|signature|oauth)\s{1,8}")
_BEARER = re.compile(r"(?i)bearer\s{1,8}")
_SCHEME_VALUE = re.compile(rf"(?:{MASKED}|[A-Za-z0-9._~+/=%-])+")
_URL = re.compile(r"://(?=[^\s/])")
_URL_AUTHORITY = re.compile(r"""[^\s/"']*""")

# Logins as `name:password`; `--user 1000:1000` is a user and a group.
_USER = re.compile(r"(?i)--(?:proxy-)?user(?:\s{1,8}|=)(?!\d{1,10}:\d{1,10}(?:\s|$))(?=[^\s-])")
_CURL = re.compile(r"(?i)\bcurl(?=\s)")
_CURL_USER = re.compile(r"(?<=\s)-[fgiklnsvGLNS]{0,8}[uU]\s{0,8}(?=[^\s-])")
_TAG = re.compile(
    rf"(?i)(?:<|&lt;)(?:[\w-]{{1,32}}:)?[\w.-]{{0,32}}?{_NAME}(?:\s[^<>]{{0,200}}?)?(?:>|&gt;)(?:<!\[CDATA\[)?"
)
_TAG_CLOSE = re.compile(rf"(?i)(?:\]\]>)?(?:<|&lt;)/[\w.:-]{{0,64}}?{_NAME}\s?(?:>|&gt;)")
_TAG_VALUE_END = re.compile(rf"(?!{MASKED})<|&lt;")
_CDATA = "<![CDATA["
_COOKIE = re.compile(r"""(?i)cookie\\*["'`]?\s{0,8}[:=]""")
# Cookies that log somebody in; those for a language or a theme are ordinary values.
_COOKIE_NAME = re.compile(r"(?i)(?:sess|sid|auth|token|jwt|csrf|xsrf|login|remember|ticket)[\w.-]{0,40}=")
_COOKIE_VALUE = re.compile(r"""[^;,\s"'`\\]+""")
_PASSPHRASE = re.compile(r"(?i)passphrase\s{1,8}(?=\w)")
_WORD = re.compile(r"""[^\s,;"'`]+""")

_QUOTE = re.compile(r"""\\*["'`]""")
# A comma or semicolon belongs to the value unless white space or another name follows it.
_UNQUOTED = re.compile(r"""(?:[^\s&,;"'`]|[,;](?!\s|$|["']|[\w.-]{1,64}\\*["']?\s?[=:]))+""")

_SHAPES = re.compile(
    r"(?P<aws>A(?:KIA|SIA)[0-9A-Z]*)"
    r"|(?P<github>gh[pousr]_[A-Za-z0-9]*|github_pat_\w*)"
    r"|(?P<long>glpat-[\w-]*|xox[abeoprs]-[\w-]*|xapp-[\w-]*|[sr]k_(?:live|test)_\w*|whsec_[\w+/=]*"
    r"|GOCSPX-[\w-]*|npm_[A-Za-z0-9]*|ya29\.[\w.-]*)"
    r"|(?P<google>AIza[\w-]*)"
    r"|(?P<sk>(?<![A-Za-z0-9])sk-[\w-]*)"
    r"|(?P<hook>hooks\.slack\.com/services/[\w/]*)"
    r"|(?P<jwt>eyJ[\w-]*(?:\.[\w-]*)*)"
)
# The least length that is a credential and not a word which begins alike.
_LEAST = {"aws": 20, "github": 20, "long": 16, "google": 30, "sk": 24, "hook": 34, "jwt": 20}

_PEM_BEGIN = re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_PEM_END = re.compile(r"-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_PEM_BODY = re.compile(r"[A-Za-z0-9+/=]+")

# All of the above at once, for one pass of an automaton over the bytes of many lines: where it finds nothing in a
# line, nothing above changes that line. It may find more than they do, so white space beyond ASCII is any byte of it
# and bounds are left out; but it never crosses a line's end.
_BLANK = r"[\t\x0b-\r\x1c-\x20\x80-\xff]"
_FILLED = r"\t-\r\x1c-\x20"  # in a negated class: no white space of ASCII
_AS_WORD = r"[\w\x80-\xff-]"
_SUSPECT_VALUE = rf"""(?:"[^"\n]|'[^'\n]|`[^`\n]|\\+["'`][^\n]|[)}}\],;\\]*[^{_FILLED}&,;"'`)}}\]\\])"""
_SUSPECT_SCHEME = "bearer|basic|token|apikey|negotiate|ntlm|digest|aws4-hmac-sha256|hawk|signature|oauth"
_SUSPECT_SHAPES = (
    r"A(?:KIA|SIA)[0-9A-Z]{16}",
    r"gh[pousr]_[A-Za-z0-9]{16}",
    r"github_pat_[\w\x80-\xff]{9}",
    rf"glpat-{_AS_WORD}{{10}}",
    rf"(?:xox[abeoprs]|xapp)-{_AS_WORD}{{11}}",
    r"[sr]k_(?:live|test)_[\w\x80-\xff]{8}",
    r"whsec_[\w+/=\x80-\xff]{10}",
    rf"GOCSPX-{_AS_WORD}{{9}}",
    r"npm_[A-Za-z0-9]{12}",
    r"ya29\.[\w.\x80-\xff-]{11}",
    rf"AIza{_AS_WORD}{{26}}",
    rf"(?:\b|_)sk-{_AS_WORD}{{21}}",
    r"hooks\.slack\.com/services/[\w/\x80-\xff]{9}",
    rf"eyJ{_AS_WORD}*\.+{_AS_WORD}",
    r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----",
)
_SUSPECT_NAMES = (
    rf"""{_NAME}\\*["'`]?\]?{_BLANK}*(?:=>|:=|[=:]|%3d|%3a){_BLANK}*{_SUSPECT_VALUE}""",
    rf"""(?:password|passphrase|identified by){_BLANK}+\\*["'][^\n]""",
    rf"--[a-z\x80-\xff-]*{_NAME}{_BLANK}+[^{_FILLED}-]",
)
_SUSPECTS = (
    *_SUSPECT_NAMES,
    rf"""authorization\\*["']?{_BLANK}*[:=]{_BLANK}*(?:\\*["'])?(?:(?:{_SUSPECT_SCHEME}){_BLANK}|[\w.~+/=%<>-]{{12}})""",
    rf"bearer{_BLANK}+(?:[\w.~+/=%<>-]{{16}}|[\w.~+/=%<>-]*[0-9])",
    rf"""://[^{_FILLED}/"']*:[^{_FILLED}/"']+@""",
    rf"--(?:proxy-)?user(?:{_BLANK}|=)[^\n]*:",
    rf"curl{_BLANK}(?:[^\n]*{_BLANK})?-[fgiklnsv]*u[^\n]*:",
    rf"(?:<|&lt;)[\w.:\x80-\xff-]*{_NAME}(?:{_BLANK}[^<>\n]*)?(?:>|&gt;)[^\n]*(?:<|&lt;)/",
    rf"""cookie\\*["'`]?{_BLANK}*[:=][^\n]*(?:sess|sid|auth|token|jwt|csrf|xsrf|login|remember|ticket)[\w.\x80-\xff-]*=""",
    rf"""passphrase{_BLANK}+(?:[^{_FILLED},;"'`]*[0-9!@#$%^&*+=?~]|[^{_FILLED},;"'`]+(?-i:[A-Z\x80-\xff]))""",
)


def _automaton(pattern: str) -> Any:  # re2 ships no types
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1  # byte by byte: blocks may hold what is no UTF-8
    return re2.compile(pattern.encode(), options)


_SUSPECT = _automaton(f"(?i){'|'.join(_SUSPECTS)}|(?-i:{'|'.join(_SUSPECT_SHAPES)})")
_SUSPECT_NAME = _automaton(f"(?i){'|'.join(_SUSPECT_NAMES)}")
_SUSPECT_SHAPE = _automaton("|".join(_SUSPECT_SHAPES))


def mask(text: str) -> str:
    """Replace each credential in one line by `<masked>`, keeping the name it was given under (ours).

    Idempotent, and linear in the length of `text`. A word such as `token` or `password` without a value stays.

    >>> mask("login user=bob password=hunter2 from 10.0.0.7")
    'login user=bob password=<masked> from 10.0.0.7'
    >>> mask("Failed password for root from 10.0.0.7 port 22 ssh2")
    'Failed password for root from 10.0.0.7 port 22 ssh2'
    """
    raw = _raw(text)
    if not _SUSPECT.search(raw):
        return text
    # What one pattern masks may complete what another looks for: again until nothing changes.
    for _ in range(_MOST_PASSES):
        masked = _mask_found(text, raw)
        if masked == text:
            break
        text, raw = masked, _raw(masked)
    return text


def _raw(text: str) -> bytes:
    # To every pattern a line's end inside the text is white space.
    return text.encode("utf-8", "surrogatepass").replace(b"\n", b" ")


def stems_in(block: bytes) -> list[int]:
    r"""Where in a block of lines a credential may be, once in a line: `mask` leaves every other line unchanged.

    Lines in which a private key begins are among them; lines inside one are not. Linear in the block's length.

    >>> stems_in(b"Failed password for root\nsshd: token=abc\n")
    [31]
    """
    found, at = [], 0
    # On from the next line, for a search may look on to the end of its line before it knows what it found.
    while at >= 0 and (match := _SUSPECT.search(block, at)):
        found.append(match.start())
        at = block.find(b"\n", match.start())
    return found


def _mask_found(text: str, raw: bytes) -> str:
    low = text.lower()
    if "-----begin" in low:
        text = _mask_pem(text)
    if _SUSPECT_SHAPE.search(raw):
        text = _SHAPES.sub(_shape, text)
    if "authorization" in low:
        text = _mask_after(_AUTHORIZATION, text, _authorization_end)
    if "bearer" in low:
        text = _mask_after(_BEARER, text, _bearer_end)
    if "://" in low:
        text = _mask_urls(text)
    text = _mask_logins(text, low)
    if _SUSPECT_NAME.search(raw):
        for lead in (_NAMED, _QUOTED_BY_WORD, _FLAG):
            text = _mask_after(lead, text, _value_end)
    return text


def _mask_logins(text: str, low: str) -> str:
    if "</" in low or "&lt;/" in low:
        text = _mask_after(_TAG, text, _tag_end)
    if "user" in low:
        text = _mask_after(_USER, text, _user_end)
    if "curl" in low and (curl := _CURL.search(text)):
        text = text[: curl.end()] + _mask_after(_CURL_USER, text[curl.end() :], _user_end)
    if "cookie" in low and (header := _COOKIE.search(text)):
        text = text[: header.end()] + _mask_after(_COOKIE_NAME, text[header.end() :], _cookie_end)
    if "passphrase" in low:
        text = _mask_after(_PASSPHRASE, text, _passphrase_end)
    return text


def _shape(match: re.Match[str]) -> str:
    found, kind = match.group(), match.lastgroup or ""
    if len(found) < _LEAST[kind] or (kind == "jwt" and "." not in found.rstrip(".")):
        return found
    return MASKED


def _mask_pem(text: str) -> str:
    parts, at = [], 0
    while begin := _PEM_BEGIN.search(text, at):
        end = _PEM_END.search(text, begin.end())
        body = text[begin.end() : end.start() if end else len(text)]
        parts += [text[at : begin.end()], MASKED if body.strip() else body]
        at = end.start() if end else len(text)
        if end:
            parts.append(text[at : end.end()])
            at = end.end()
    return "".join([*parts, text[at:]])


def _mask_after(lead: re.Pattern[str], text: str, value_end: Callable[[str, int], tuple[int, int]]) -> str:
    """Mask what `value_end` says is the value after each match of `lead`."""
    parts, at, look = [], 0, 0
    while match := lead.search(text, look):
        begin, end = value_end(text, match.end())
        look = max(end, match.end())
        if begin < end and text[begin:end] != MASKED:
            parts += [text[at:begin], MASKED]
            at = end
    return text if not at else "".join([*parts, text[at:]])


def _value_end(text: str, at: int) -> tuple[int, int]:
    """Where the value that starts at `at` begins and ends, without its quotes."""
    if quote := _QUOTE.match(text, at):
        return quote.end(), _closing(text, quote.end(), quote.group())
    match = _UNQUOTED.match(text, at)
    if match is None:
        return at, at
    end = match.end()
    while end > at and text[end - 1] in ")}],;\\":
        end -= 1
    return at, end


def _closing(text: str, at: int, quote: str) -> int:
    """Where the text that `quote` opened ends; the end of the line when it never closes.

    Behind k backslashes (a string inside a string), n more than k backslashes before a quote leave it a closing one
    only in multiples of 2(k+1); fewer than k close an outer string.
    """
    depth, found = len(quote) - 1, at
    while (found := text.find(quote[-1], found)) >= 0:
        slashes = 0
        while found - slashes > at and text[found - slashes - 1] == "\\":
            slashes += 1
        if slashes < depth or (slashes - depth) % (2 * (depth + 1)) == 0:
            return found - min(slashes, depth)
        found += 1
    return len(text)


def _authorization_end(text: str, at: int) -> tuple[int, int]:
    if scheme := _SCHEME.match(text, at):
        return _scheme_value(text, scheme.end())
    if _SCHEME_TO_END.match(text, at):
        return at, len(text)
    begin, end = _scheme_value(text, at)
    # "Authorization: denied" is prose; a bare key is long and holds a digit.
    is_key = end - begin >= 12 and any(c.isdigit() for c in text[begin:end])
    return (begin, end) if is_key else (begin, begin)


def _bearer_end(text: str, at: int) -> tuple[int, int]:
    begin, end = _scheme_value(text, at)
    is_key = end - begin >= 16 or any(c.isdigit() for c in text[begin:end])
    return (begin, end) if is_key else (begin, begin)


def _scheme_value(text: str, at: int) -> tuple[int, int]:
    match = _SCHEME_VALUE.match(text, at)
    return (at, match.end()) if match else (at, at)


def _tag_end(text: str, at: int) -> tuple[int, int]:
    """Up to the closing tag; `<password>` without one is a place-holder of some usage message."""
    if text.endswith(_CDATA, 0, at):
        end = text.find("]]>", at)
    else:
        found = _TAG_VALUE_END.search(text, at)
        end = found.start() if found else -1
    end = end if end >= 0 else len(text)
    is_value = _TAG_CLOSE.match(text, end) and not text[at:end].isspace()
    return (at, end) if is_value else (end, end)


def _user_end(text: str, at: int) -> tuple[int, int]:
    """The password of `name:password`; a name alone has none."""
    begin, end = _value_end(text, at)
    colon = text.find(":", begin, end)
    return (colon + 1, end) if colon > begin else (end, end)


def _cookie_end(text: str, at: int) -> tuple[int, int]:
    if quote := _QUOTE.match(text, at):
        return quote.end(), _closing(text, quote.end(), quote.group())
    match = _COOKIE_VALUE.match(text, at)
    return (at, match.end()) if match else (at, at)


def _passphrase_end(text: str, at: int) -> tuple[int, int]:
    """The next word, if it is none of a language: with a digit, a sign or a capital inside."""
    match = _WORD.match(text, at)
    end = match.end() if match else at
    while end > at and text[end - 1] in ".:!?)]}":
        end -= 1
    word = text[at:end]
    is_odd = any(c in "0123456789!@#$%^&*+=?~" for c in word) or any(c.isupper() for c in word[1:])
    is_secret = len(word) >= 6 and is_odd and not word.isupper() and any(c.isalpha() for c in word)
    return (at, end) if is_secret else (end, end)


def _mask_urls(text: str) -> str:
    """`://user:pass@host`: all between the first colon and the last at-sign of the authority."""
    parts, at, look = [], 0, 0
    while match := _URL.search(text, look):
        authority = _URL_AUTHORITY.match(text, match.end())
        look = authority.end() if authority else match.end()
        colon, sign = text.find(":", match.end(), look), text.rfind("@", match.end(), look)
        if 0 <= colon < sign - 1 and text[colon + 1 : sign] != MASKED:
            parts += [text[at : colon + 1], MASKED]
            at = sign
    return text if not at else "".join([*parts, text[at:]])


@dataclass(slots=True)
class Masker:
    """`mask` for lines that come one by one: also the body lines of a private key that spans lines (ours).

    `pem` is the number of lines without a piece of a key that may still come before an open key is given up; 0
    outside a key. It is all the state.

    >>> masker = Masker()
    >>> [masker.line(t) for t in ("-----BEGIN PRIVATE KEY-----", "MIIEvQ==", "-----END PRIVATE KEY-----", "MIIEvQ==")]
    ['-----BEGIN PRIVATE KEY-----', '<masked>', '-----END PRIVATE KEY-----', 'MIIEvQ==']
    """

    pem: int = 0

    # Lines of others between two lines of a key: a few on a busy log. A key whose end never comes disturbs no more.
    STRANGERS = 16
    # The lines of a key are 64 or 76 characters long, but for the last; shorter words are likelier to be a log's own.
    BODY = 40

    def line(self, text: str) -> str:
        """The text with its credentials masked."""
        if not self.pem:
            masked = mask(text)
            if "PRIVATE KEY" in text:
                self._look_for_begin(text)
            return masked
        return self._inside(text)

    def _look_for_begin(self, text: str) -> None:
        start = text.rfind("-----BEGIN")
        begin = _PEM_BEGIN.search(text, start) if start >= 0 else None
        if begin and _PEM_END.search(text, begin.end()) is None:
            self.pem = self.STRANGERS

    def _inside(self, text: str) -> str:
        if end := _PEM_END.search(text):
            self.pem = 0
            self._look_for_begin(text[end.end() :])
            return _mask_last_word(text[: end.start()]) + mask(text[end.start() :])
        masked = _mask_last_word(mask(text))
        is_body = masked.endswith(MASKED) and len(text) - len(masked) + len(MASKED) >= self.BODY
        self.pem = self.STRANGERS if is_body else self.pem - 1
        return masked


def _mask_last_word(text: str) -> str:
    """Mask the last word if it can be a line of a key's body (which a logger may have given a header of its own)."""
    kept = text.rstrip()
    start = max(kept.rfind(" "), kept.rfind("\t"), kept.rfind("|")) + 1
    word = kept[start:]
    # Base64 comes in fours, so most ordinary words pass even while a key is open.
    if _PEM_BODY.fullmatch(word) and (len(word) % 4 == 0 or start == 0):
        return kept[:start] + MASKED
    return text
