"""The page of a report: whole, of a bounded size, the same each time, and with no markup that is not its own."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.reported import BEGAN, HOSTILE, TEMPLATES, contents, hostile, shown

from offscript import Measured, Reason
from offscript.plain import plain
from offscript.report.contents import Contents
from offscript.report.incidents import sentence
from offscript.report.markup import Html, cut, join, tag, text
from offscript.report.page import page
from offscript.report.plots import scale_of, value_plot
from offscript.report.sessions import flagged

ELEMENTS = frozenset(
    """html head meta title style body a header div span nav button h1 h2 h4 p dl dt dd main section form label input
    output details summary ul ol li code pre b svg rect line circle text g path polygon figure figcaption table thead
    tbody tr th td footer script""".split()  # noqa: SIM905  (fifty quoted words would be a page of their own)
)
NUMBERS = st.floats(-1e12, 1e12) | st.floats(0, 1e-9) | st.sampled_from([0.0, 1e300, -1e300])


class Parsed(HTMLParser):
    """What a browser makes of a page: its elements, their attributes, and the text that is seen."""

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.seen = ""
        self.raw: dict[str, str] = {}
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element and its attributes."""
        self.elements.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        """Note text; what stands in a style or a script is none."""
        if self.cdata_elem:
            self.raw[self.cdata_elem] = self.raw.get(self.cdata_elem, "") + data
        else:
            self.seen += data

    def handle_comment(self, data: str) -> None:
        """There is no comment."""
        raise AssertionError(data)


@given(st.text())
def test_any_text_is_text(raw: str) -> None:
    """Whatever is put into a page is seen as it is, with what is unprintable spelt out, and is never an element."""
    parsed = Parsed(tag("p", {"title": raw}, raw))
    assert parsed.seen == plain(raw)
    assert set(parsed.elements) <= {"p", "span"}
    assert ("title", plain(raw)) in parsed.attributes


@given(st.text(alphabet="`<a\x1b "))
def test_any_sentence_is_text(raw: str) -> None:
    """Backticks set log text apart; those of the log's own add nothing but that."""
    parsed = Parsed(sentence(raw, 1000))
    assert parsed.seen.replace("`", "") == plain(raw).replace("`", "")
    assert set(parsed.elements) <= {"code", "span"}


def test_markup_joined_by_hand_is_text() -> None:
    """Html and a string added up are a string: escaped, not obeyed."""
    assert text(Html("<b>") + "<i>") == "&lt;b&gt;&lt;i&gt;"
    assert join([Html("<b>"), "<i>"]) == "<b>&lt;i&gt;"


def test_there_are_no_handlers_and_no_styles() -> None:
    """An element with code or style in an attribute cannot be made, nor one with a name that is none."""
    for name, attribute in (("p", "onclick"), ("p", "style"), ("p", "a b"), ("p><script", "class")):
        with pytest.raises(ValueError, match=r"no (attribute|element)"):
            tag(name, {attribute: "x"})


@pytest.mark.parametrize("made", [contents(20), hostile(20), contents(0)], ids=["plain", "hostile", "empty"])
def test_nothing_but_the_page_s_own_is_markup(made: Contents) -> None:
    """A log full of markup adds no element, no handler, no link out; every byte is printable ASCII or plain text."""
    source = page(made)
    parsed = Parsed(source)
    assert set(parsed.elements) <= ELEMENTS
    assert parsed.elements.count("script") == parsed.elements.count("style") == 1
    names = {name for name, _ in parsed.attributes}
    assert not {name for name in names if name.startswith("on")} | names & {"style", "src", "srcset", "action"}
    links = [value for name, value in parsed.attributes if name in ("href", "xlink:href")]
    assert all(re.fullmatch(r"#[a-z0-9-]*", link) for link in links)
    assert all(line.isprintable() for line in source.split("\n"))
    source.encode("utf-8")


def test_hostile_text_is_seen() -> None:
    """What a hostile line says can be read, controls spelt out."""
    seen = Parsed(page(hostile(1))).seen
    assert plain(HOSTILE)[:150] in seen
    assert "\\x1b[31mred" in seen
    assert "\\u202egnp.exe" in seen


def test_the_policy_allows_the_one_style_and_script_by_their_hashes() -> None:
    """Nothing is allowed but what the page carries: no inline code, no source, no form, no base."""
    parsed = Parsed(page(contents(3)))
    content = next(value for name, value in parsed.attributes if name == "content" and "default-src" in value)
    policy = dict(one.split(" ", 1) for one in content.split("; "))
    for kind in ("style", "script"):
        digest = base64.b64encode(hashlib.sha256(parsed.raw[kind].encode()).digest()).decode()
        assert policy[f"{kind}-src"] == f"'sha256-{digest}'"
    assert policy["default-src"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert set(policy) == {"default-src", "style-src", "script-src", "base-uri", "form-action"}


def test_the_page_asks_for_nothing() -> None:
    """No address stands in the style, the script or the markup."""
    source = page(contents(3)).replace('xmlns="http://www.w3.org/2000/svg"', "")
    assert not re.search(r"https?:|url\(|@import|@font-face|import\(|fetch|XMLHttp|localStorage|cookie", source)


def test_the_same_contents_give_the_same_bytes() -> None:
    """A page has no clock and no chance in it."""
    assert page(contents(9)) == page(contents(9))


def test_the_headline_counts_what_is_below() -> None:
    """How many incidents since when, verdicts, sessions of how many, lines; the worst comes first and is unfolded."""
    seen = Parsed(page(contents(9))).seen
    assert "9 incidents since 2024-05-01 10:00:09" in seen
    assert "52,310 lines" in seen
    assert "of 4,120" in seen
    source = page(contents(9))
    assert source.count('class="incident"') == 9
    assert re.findall(r'id="i(\d+)" data-reason="(\w+)"( open)?', source)[:2] == [
        ("1", "unusual_session", " open"),
        ("2", "incomplete_session", ""),
    ]


def test_an_incident_tells_all_that_is_known() -> None:
    """The sentence, the raw lines about it, what was expected, the path, the workflow and the command to go on."""
    source = page(replace(contents(0), cases=(shown(1),)))
    seen = " ".join(Parsed(source).seen.split())
    for told in ("97%", "came", "app.log:109", "took 44 ms (-3)", "took 44 ms (+3)", "off script", "left the script"):
        assert told in seen or told in source, told
    assert "offscript explain app.model 0000000000000001" in seen
    assert "1 verdict in 1 session" in seen
    assert 'class="ow"' in source


def test_equal_paths_are_drawn_once() -> None:
    """Of incidents that left the same workflow at the same place the first has the picture, the others lead to it."""
    source = page(contents(9))
    assert source.count('class="ow"') == 2  # one of them has a slow edge besides
    assert "the same path as in" in source


def test_a_number_stands_beside_its_normal_range() -> None:
    """What was measured, the range and the median are drawn, and said in the unit of the log."""
    source = page(replace(contents(0), cases=(shown(3, Reason.UNUSUAL_TIME),)))
    seen = Parsed(source).seen
    assert "this one: 9.5 s" in seen
    assert "0.01 s to 2.5 s" in seen
    assert "median 0.4 s" in seen


@given(NUMBERS, NUMBERS, NUMBERS, NUMBERS)
def test_whatever_was_measured_is_drawn_inside(number: float, low: float, middle: float, high: float) -> None:
    """No number, however far, is drawn outside its plot."""
    low, middle, high = sorted((low, middle, high))
    measured = Measured(1, number, low, middle, high)
    scale = scale_of(measured)
    for one in (number, low, middle, high, *scale.ticks):
        assert -1e-6 <= scale.at(one) <= 100 + 1e-6
    assert len(scale.ticks) <= 9
    assert 'class="dot"' in value_plot(measured)


def test_a_number_far_out_is_drawn_on_a_logarithmic_scale() -> None:
    """Where a plain scale would make the range a hair; a near one is drawn plainly."""
    assert scale_of(Measured(0, 1e5, 0.1, 1.0, 2.0, "s")).is_log
    assert scale_of(Measured(0, 0.0001, 10.0, 11.0, 12.0, "s")).is_log
    assert not scale_of(Measured(0, 9.0, 0.1, 1.0, 2.0, "s")).is_log
    assert not scale_of(Measured(1, -1e5, -2.0, 1.0, 2.0)).is_log


@pytest.mark.parametrize("count", [1_000, 3_000])
def test_the_page_stays_small(count: int) -> None:
    """A thousand incidents take less than 5 MB, three thousand too, however long and hostile their lines are."""
    assert len(page(contents(count)).encode()) < 5_000_000
    long = page(contents(count, said="<&\x1b" * 3_000, text="\u202e<'\"" * 5_000))
    assert len(long.encode()) < 5_000_000


def test_the_list_of_keys_stays_small() -> None:
    """Thousands of log keys with long templates are listed in short; where markup fills the room the rest is counted.

    Every link to a key leads to its row.
    """
    few = _with_keys(30, "step <*> of a long template " * 8)
    assert few.count("step &lt;*&gt; of a long template " * 8) == 9 * 30
    plain = _with_keys(1_000, "Received block <*> of size <*> from <*>, and more")
    assert len(plain.encode()) < 5_000_000
    assert plain.count('<tr id="k') == 9 * 1_000
    many = _with_keys(1_000, "<&'\x1b" * 400)
    assert len(many.encode()) < 5_000_000
    listed = many.count('<tr id="k')
    assert 1_000 < listed < 9_000
    assert f"{9_000 - listed:,} more: offscript keys has them all" in many
    assert set(re.findall('href="#(k[0-9]+)"', many)) == set(re.findall('<tr id="(k[0-9]+)"', many))


def _with_keys(sessions: int, template: str) -> str:
    """A page of sessions that each name nine keys of their own, all with such templates."""
    cases = []
    for number in range(sessions):
        case, keys = shown(number), tuple(range(9 * number + 100, 9 * number + 109))
        verdict = case.incident.verdicts[0]
        told = replace(verdict, entry=replace(verdict.entry, key=keys[8]), history=keys[:8])
        cases.append(replace(case, incident=replace(case.incident, verdicts=(told,))))
    templates = dict.fromkeys(range(100, 9 * sessions + 100), template)
    return page(replace(contents(0), cases=tuple(cases), templates=TEMPLATES | templates))


def test_what_is_left_out_is_counted() -> None:
    """Of very many incidents the worst are told in full, others in short, and the rest are a number."""
    source = page(contents(6_000))
    kept = source.count('class="incident"')
    assert 1_000 < kept < 6_000
    assert f"{6_000 - kept:,} more incidents are not on this page" in source
    assert "5,000 more sessions" in source


def test_without_anything_found_the_page_says_so() -> None:
    """A quiet log gives a page, too."""
    seen = Parsed(page(contents(0))).seen
    assert "Nothing went off script" in seen
    assert "Nothing was found." in seen


def test_without_times_there_is_no_timeline() -> None:
    """A log without stamps is told of by its lines."""
    made = contents(2)
    cases = tuple(replace(one, incident=replace(one.incident, start=None, end=None)) for one in made.cases)
    seen = Parsed(page(replace(made, cases=cases, span=None))).seen
    assert "The log has no times." in seen
    assert "2 incidents" in seen


def test_a_session_in_several_incidents_is_one_row() -> None:
    """The list of sessions leads to each incident."""
    twice = (shown(1), replace(shown(2), incident=replace(shown(1).incident, start=BEGAN)))
    rows = flagged(twice)
    assert [(row.name, row.incidents, len(row.verdicts)) for row in rows] == [("req-1", [1, 2], 2)]


@given(st.text(max_size=300), st.integers(30, 200))
@settings(max_examples=50)
def test_a_cut_text_keeps_both_ends(raw: str, limit: int) -> None:
    """What is cut says how much is missing, and adds up."""
    short = cut(raw, limit)
    if len(raw) <= limit:
        assert short == raw
        return
    left, count, right = re.fullmatch(r"(.*) … ([\d,]+) more … (.*)", short, flags=re.DOTALL).groups()  # type: ignore[union-attr]
    assert raw.startswith(left)
    assert raw.endswith(right)
    assert len(left) + int(count.replace(",", "")) + len(right) == len(raw)
