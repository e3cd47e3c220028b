"""The parsing experiment: its measures are as defined, its loader takes what users have, its bounds hold."""

from __future__ import annotations

import csv
import gzip
import io
import json
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests import naive_parsing as naive

from offscript import InputError, UsageError
from offscript.console import Output
from offscript.evaluate import peers, pictures
from offscript.evaluate.loghub import find_systems, read_reference
from offscript.evaluate.parsing import RAW, Parsing, comparable, mean, run_parsing, score
from offscript.evaluate.peers import DRAIN3, OURS, REFERENCE_SPELL, Parse, parse_ours, parse_raw
from offscript.parsing_report import print_parsing, write_parsing

EXTRAS = "the extras `peers` and `plots` are not installed (pip install '.[peers,plots]'); .ci/run installs them"
needs_extras = pytest.mark.skipif(
    not all(map(find_spec, ("drain3", "logparser", "matplotlib"))), reason=EXTRAS
)  # so that `make test` runs with what `make setup` installs

MESSAGES = [f"took {n} ms to {verb} it" for n in range(6) for verb in ("build", "stop")] + ["closed"] * 2
TEMPLATES = [f"took <*> ms to {verb} it" for _ in range(6) for verb in ("build", "stop")] + ["closed"] * 2


def references(messages: Sequence[str] = MESSAGES, templates: Sequence[str] = TEMPLATES) -> str:
    """Return a file of references as the public collection has them."""
    out = io.StringIO()
    rows = (
        [number, message, "E1", text] for number, (message, text) in enumerate(zip(messages, templates, strict=True), 1)
    )
    csv.writer(out, lineterminator="\n").writerows([["LineId", "Content", "EventId", "EventTemplate"], *rows])
    return out.getvalue()


def raw_lines(messages: Sequence[str] = MESSAGES) -> str:
    """Return the lines of a log with these messages."""
    return "".join(f"2024-05-01 10:00:{n % 60:02} INFO {message}\n" for n, message in enumerate(messages))


def write(path: Path, text: str) -> None:
    """Write a file and its folder, packed when it is named so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())


@pytest.fixture
def samples(tmp_path: Path) -> Path:
    """A folder with two systems, one in each layout."""
    write(tmp_path / "Beta" / "Beta_2k.log", raw_lines())
    write(tmp_path / "Beta" / "Beta_2k.log_structured.csv", references())
    write(tmp_path / "Beta" / "Beta_2k.log_structured_corrected.csv", references())
    write(tmp_path / "loghub2k" / "Alpha_2k.log.gz", raw_lines())
    write(tmp_path / "loghub2k" / "Alpha_2k.structured.csv.gz", references())
    write(tmp_path / "loghub2k" / "Alpha_2k.structured_corrected.csv.gz", references())
    return tmp_path


class TestMeasures:
    def test_a_small_case_by_hand(self) -> None:
        """Groups {0,1} {2} {3,4,5} against {0,1} {2,3} {4,5}: two lines of six, one group of three, worked by hand."""
        reference = ["a <*>", "a <*>", "b", "b", "c", "c"]
        found = score([1, 1, 2, 3, 3, 3], ["a <*>", "a <*>", "b", "c", "c", "c"], reference)
        assert (found.lines, found.groups, found.reference_templates) == (6, 3, 3)
        assert found.ga == 2 / 6
        assert found.fga == pytest.approx(1 / 3)
        assert found.pa == 5 / 6
        assert found.fta == pytest.approx(1 / 3)  # only `a <*>` has its wording and its lines

    def test_two_keys_of_one_wording_are_one_template(self) -> None:
        """A template is its wording: that two keys have it spoils the groups and not the templates."""
        found = score([1, 2], ["a", "a"], ["a", "a"])
        assert (found.ga, found.fga, found.pa, found.fta) == (0, 0, 1, 1)

    def test_wordings_are_compared_leniently_and_exactly(self) -> None:
        """White space and joined values do not count in PA and FTA, and do in the exact ones."""
        found = score([1, 2], ["to <*>", "in  <*>"], ["to <*>:<*>", "in <*>"])
        assert (found.pa, found.fta, found.pa_exact, found.fta_exact) == (1, 1, 0, 0)

    def test_a_line_not_parsed_is_wrong(self) -> None:
        """A line without template is in no right group, and is a wrong template of its own."""
        found = score(["x", ("not parsed", 1), ("not parsed", 2)], ["a", None, None], ["a", "b", "c"])
        assert found.pa == 1 / 3
        assert found.fta == pytest.approx(1 / 3)

    @pytest.mark.parametrize(
        ("template", "same"),
        [
            ("<*>.<*>.<*>:<*> up", "<*> up"),
            ("<*><*>", "<*>"),
            ("<*> <*>", "<*> <*>"),
            ("<*>, <*>", "<*>, <*>"),
            ("<*>kB<*>", "<*>kB<*>"),
            ("<<*>> (<*>/<*>)", "<<*>> (<*>)"),
            (" a \t b ", "a b"),
        ],
    )
    def test_what_is_merged(self, template: str, same: str) -> None:
        """Values joined by punctuation alone are one; white space or a letter between keeps them apart."""
        assert comparable(template) == same
        assert comparable(same) == same

    @given(
        st.lists(st.tuples(st.integers(0, 3), st.sampled_from("abc"), st.sampled_from("abc")), min_size=1, max_size=9)
    )
    def test_the_measures_are_as_defined(self, lines: list[tuple[int, str, str]]) -> None:
        """The measures equal their definitions, written out line by line."""
        groups, texts, reference = zip(*lines, strict=True)
        found = score(groups, texts, reference)
        assert found.ga == pytest.approx(naive.grouping_accuracy(groups, reference))
        assert found.fga == pytest.approx(naive.group_f1(groups, reference))
        assert found.fta == found.fta_exact == pytest.approx(naive.template_f1(texts, reference))


class TestLoader:
    def test_both_layouts_are_found(self, samples: Path) -> None:
        """The public layout and the short one are found together, plain or packed, sorted by name."""
        systems = find_systems(samples)
        assert [system.name for system in systems] == ["Alpha", "Beta"]
        assert all(system.raw is not None and set(system.references) == {"corrected", "original"} for system in systems)
        assert read_reference(systems[0].references["corrected"]).templates == tuple(TEMPLATES)

    def test_the_nearest_copy_counts(self, samples: Path) -> None:
        """Of two copies of a file the one nearer to the folder is taken; strange names are passed over."""
        write(samples / "Beta_2k.log", raw_lines())
        write(samples / "Gamma_2k.log", raw_lines())
        write(samples / "Beta_2k.log_templates.csv", "EventId,EventTemplate\n")
        systems = find_systems(samples)
        assert [system.name for system in systems] == ["Alpha", "Beta"]
        assert systems[1].raw == samples / "Beta_2k.log"

    @pytest.mark.parametrize("folder", ["", "nowhere"])
    def test_nothing_found_is_told_with_the_remedy(self, tmp_path: Path, folder: str) -> None:
        """Without samples the error names the files expected, where, and where they are had from."""
        with pytest.raises(InputError) as error:
            find_systems(tmp_path / folder)
        for word in (str(tmp_path), "NAME/NAME_2k.log", "NAME_2k.log_structured_corrected.csv", "public Loghub"):
            assert word in str(error.value)

    @pytest.mark.parametrize(
        ("name", "content", "what"),
        [
            ("a.csv", b"LineId,Content\n1,x\n", r"a\.csv:1: .* columns Content and EventTemplate"),
            ("a.csv", b"Content,EventTemplate\nx\n", r"a\.csv:2: misses cells"),
            ("a.csv", b"Content,EventTemplate\n", "holds no lines"),
            ("a.csv.gz", b"no archive", "cannot be read"),
            ("a.csv.gz", gzip.compress(b"Content,EventTemplate\n" * 9, mtime=0)[:-12], "cannot be read"),
        ],
    )
    def test_a_damaged_file_is_told(self, tmp_path: Path, name: str, content: bytes, what: str) -> None:
        """A file that holds no references is an error that names it, and its line."""
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=what):
            read_reference(tmp_path / name)


class TestParsers:
    def test_a_line_has_the_template_of_its_key(self) -> None:
        """Early lines too have the template that their key has at the end."""
        parse = parse_ours(MESSAGES)
        assert list(parse.templates) == TEMPLATES
        assert score(parse.groups, parse.templates, TEMPLATES).ga == 1

    def test_a_continuation_is_a_wrong_line_of_its_own(self, tmp_path: Path) -> None:
        """A raw line without a record of its own has no template and shares its group with no line."""
        text = raw_lines().splitlines(keepends=True)
        text[3] = "    at some.place(Code:3)\n"
        text[5] = "\n"
        write(tmp_path / "Alpha_2k.log", "".join(text))
        parse = parse_raw(tmp_path / "Alpha_2k.log", len(MESSAGES))
        assert [number for number, text in enumerate(parse.templates) if text is None] == [3, 5]
        assert all(list(parse.groups).count(parse.groups[number]) == 1 for number in (3, 5))
        assert parse.templates[0] == TEMPLATES[0]

    def test_more_lines_in_the_file_do_not_count(self, tmp_path: Path) -> None:
        """Only as many lines as the reference has are scored, and those it has more were not parsed."""
        write(tmp_path / "Alpha_2k.log", raw_lines())
        assert len(parse_raw(tmp_path / "Alpha_2k.log", 3).templates) == 3
        assert parse_raw(tmp_path / "Alpha_2k.log", len(MESSAGES) + 1).templates[-1] is None

    @needs_extras
    @pytest.mark.parametrize("parser", [peers.parse_drain3, peers.parse_reference_spell])
    def test_a_peer_gives_a_group_and_a_template_a_line(
        self, parser: peers.Parser, capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A peer is silent, takes any message as one line, and leaves no file where it was started."""
        monkeypatch.chdir(tmp_path)
        odd = ["", "caf\u00e9 \U0001f4a5", "two\nlines", "a,b", "took 9 ms to build it"]
        parse = parser([*MESSAGES, *odd])
        assert len(parse.groups) == len(parse.templates) == len(MESSAGES) + len(odd)
        assert parse.templates[0] == parse.templates[-1] == "took <*> ms to <*> it"
        assert parse.groups[0] == parse.groups[-1]
        assert parse.seconds > 0
        assert capfd.readouterr() == ("", "")
        assert not list(tmp_path.iterdir())


def broken(messages: Sequence[str]) -> Parse:
    """A parser that fails on some sample."""
    if len(messages) == 3:
        raise RecursionError("too deep")
    return parse_ours(messages)


class TestExperiment:
    def test_every_system_reference_and_source_has_a_row(self, samples: Path) -> None:
        """Messages and raw lines of both systems are compared with both references, and all are right here."""
        seen: list[tuple[float, float]] = []
        found = run_parsing(samples, parsers={OURS: parse_ours}, progress=lambda _, done, of: seen.append((done, of)))
        assert len(found.rows) == 8
        assert found.systems == ["Alpha", "Beta"]
        assert seen == [(0, 4), (1, 4), (2, 4), (3, 4)]
        for row in [*found.rows, *found.means()]:
            assert row.accuracy is not None
            assert (row.accuracy.ga, row.accuracy.fga, row.accuracy.pa, row.accuracy.fta) == (1, 1, 1, 1)
        assert [row.systems for row in found.means()] == [2, 2, 2, 2]

    def test_a_peer_that_fails_is_in_the_table(
        self, samples: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """A failure is a row with its reason; the mean is over the other systems and says so."""
        write(samples / "Gamma_2k.structured.csv", references(MESSAGES[:3], TEMPLATES[:3]))
        found = run_parsing(samples, parsers={OURS: parse_ours, DRAIN3: broken})
        failed = found.of(DRAIN3, "original")[-1]
        assert failed.accuracy is None
        assert failed.note == "failed: RecursionError('too deep')"
        average = mean(found.of(DRAIN3, "original"))
        assert (average.systems, average.note) == (2, "without Gamma, where it failed")
        assert found.findings == [
            "no corrected reference was found of Gamma",
            "no raw lines (NAME_2k.log) were found of Gamma",
        ]
        write_parsing(found, tmp_path / "out")
        assert "without Gamma" in (tmp_path / "out" / "report.md").read_text("utf-8")
        print_parsing(found, Output.TABLE)
        assert "Drain3 on Gamma: failed: RecursionError('too deep')\n" in capsys.readouterr().err

    def test_ours_may_not_fail(self, samples: Path) -> None:
        """A failure of our own parser is no row but an error."""
        write(samples / "Gamma_2k.structured.csv", references(MESSAGES[:3], TEMPLATES[:3]))
        with pytest.raises(RecursionError):
            run_parsing(samples, parsers={OURS: broken})

    def test_speed_is_a_ratio_to_drain3(self, samples: Path) -> None:
        """Lines a second are compared on the same system, and over all of them in the mean."""

        def slow(messages: Sequence[str]) -> Parse:
            return parse_ours(messages)._replace(seconds=2.0)

        def fast(messages: Sequence[str]) -> Parse:
            return parse_ours(messages)._replace(seconds=0.5)

        found = run_parsing(samples, parsers={OURS: fast, DRAIN3: slow})
        assert found.speed(found.of(OURS, "original")[0]) == 4
        assert found.speed(mean(found.of(OURS, "original"))) == 4
        alone = Parsing(found.of(OURS, "original"))
        assert alone.speed(alone.rows[0]) is None

    def test_without_the_extras_ours_runs_alone(
        self, samples: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """What is not installed is told once, with what to install, and the rest is done."""
        for module in (peers, pictures):
            monkeypatch.setattr(module, "find_spec", lambda _name: None)
        found = run_parsing(samples)
        assert found.parsers == [OURS]
        write_parsing(found, samples / "out")
        print_parsing(found, Output.TABLE)
        told = capsys.readouterr()
        assert told.err.count("pip install '.[peers]'") == 1
        assert told.err.count("pip install '.[plots]'") == 1
        assert sorted(path.name for path in (samples / "out").iterdir()) == ["report.json", "report.md"]
        assert "parsing.png" not in (samples / "out" / "report.md").read_text("utf-8")

    def test_a_place_that_cannot_be_written_is_told(self, samples: Path) -> None:
        """A file in the place of the folder is an error in one line."""
        found = run_parsing(samples, parsers={OURS: parse_ours})
        with pytest.raises(UsageError, match=r"Beta_2k\.log: cannot be written"):
            write_parsing(found, samples / "Beta" / "Beta_2k.log")


def reproduce(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own."""
    command = [sys.executable, "-m", "offscript", "reproduce", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


class TestCommand:
    @needs_extras
    def test_everything_is_on_the_pipe_and_in_the_files(self, samples: Path, tmp_path: Path) -> None:
        """JSON lines hold every row and mean; the folder holds records, tables and a figure; nothing else is said."""
        done = reproduce("parsing", "--data", samples, "--out", tmp_path / "out")
        assert done.returncode == 0, done.stderr
        assert done.stderr == f"written to {tmp_path / 'out'}\n"
        records = [json.loads(line) for line in done.stdout.splitlines()]
        assert {record["parser"] for record in records} == {OURS, DRAIN3, REFERENCE_SPELL}
        assert len(records) == 2 * (3 * 2 + 2) + 3 * 2 + 2
        assert all(record["lines_per_second"] > 0 and record["times_drain3"] > 0 for record in records)
        report = json.loads((tmp_path / "out" / "report.json").read_text("utf-8"))
        assert report["records"] == records
        assert (tmp_path / "out" / "parsing.png").read_bytes().startswith(b"\x89PNG")
        page = (tmp_path / "out" / "report.md").read_text("utf-8")
        assert "samples of 2 systems: 28 lines, 6 templates" in page
        assert "(parsing.png)" in page

    def test_the_table_ends_in_the_means(self, samples: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """The table has a row for each system, then the means: both references, raw lines, exact strings."""
        print_parsing(run_parsing(samples, parsers={OURS: parse_ours}), Output.TABLE)
        table = [[cell.strip() for cell in line.split("│")[:4]] for line in capsys.readouterr().out.splitlines()]
        assert [row[:3] for row in table if len(row) == 4] == [
            ["Alpha", OURS, "corrected"],
            ["Beta", OURS, "corrected"],
            ["mean of 2", OURS, "corrected"],
            ["mean of 2", OURS, "original"],
            ["mean of 2", OURS, "corrected raw"],
            ["mean of 2", OURS, "original raw"],
            ["mean of 2", OURS, "corrected exact"],
            ["mean of 2", OURS, "original exact"],
        ]

    @pytest.mark.parametrize(
        ("arguments", "what"),
        [(("parsing", "--data", "nowhere"), "nowhere: is no folder"), (("everything", "--data", "."), "everything")],
    )
    def test_wrong_use_is_one_line(self, arguments: tuple[str, ...], what: str) -> None:
        """A wrong folder or experiment is one line on standard error and exit code 2."""
        done = reproduce(*arguments)
        assert done.returncode == 2
        assert done.stdout == ""
        assert what in done.stderr
        assert done.stderr.count("\n") == 1


@pytest.mark.data
def test_one_default_configuration_parses_the_ten_systems(data_dir: Path) -> None:
    """The bounds set for the parser hold on messages, by the corrected reference; raw lines are no worse by much."""
    found = run_parsing(data_dir, parsers={OURS: parse_ours})
    assert len(found.systems) >= 10
    rows = found.of(OURS, "corrected")
    means, raw = mean(rows).accuracy, mean(found.of(OURS, "corrected", RAW)).accuracy
    assert means is not None
    assert raw is not None
    assert means.ga >= 0.95
    assert means.fga >= 0.92
    assert means.pa >= 0.90
    assert means.fta >= 0.78
    assert all(row.accuracy is not None and row.accuracy.ga >= 0.80 for row in rows)
    assert raw.ga >= means.ga - 0.02
