"""No rule of the parser knows a product: no word of any log stands in its code."""

from __future__ import annotations

import ast
import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import offscript.parse
from offscript.evaluate.loghub import find_systems, read_text

PRODUCTS = {
    *("android", "apache", "bgl", "hadoop", "hdfs", "healthapp", "hpc", "linux", "openssh", "openstack", "proxifier"),
    *("spark", "thunderbird", "zookeeper", "cron", "crond", "ftpd", "httpd", "kernel", "namenode", "nova", "postgres"),
    *("snmpd", "sshd", "syslogd"),
}
"""The systems, and programs that write into their logs under a plain word, in any case of letters."""

AMBIGUOUS = {"Mac", "Windows"}
"""Systems whose names are words of ours otherwise: addresses, and what slides."""

WORD = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:[._][A-Za-z][A-Za-z0-9]*)*")


def is_proper_name(word: str) -> bool:
    """Tell whether a word is no plain one: CamelCase, or joined by dots or underscores."""
    return re.search(r"[a-z0-9][A-Z]|[._]", word) is not None


def product_words(data_dir: Path) -> set[str]:
    """Return the proper names in the templates and in the components of all systems, whole and in parts."""
    words: set[str] = set()
    for system in find_systems(data_dir):
        for path in system.references.values():
            for row in csv.DictReader(io.StringIO(read_text(path), newline="")):
                for word in WORD.findall(f"{row['EventTemplate']} {row.get('Component', '')}"):
                    words |= {part for part in (word, *re.split("[._]", word)) if is_proper_name(part)}
    return words


def code_words(source: str) -> Iterator[str]:
    """Yield the words of names and constants in code: its comments and docstrings may name whom they like."""
    tree = ast.parse(source)
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, documented) and node.body and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and id(node) not in docstrings:
            texts = [node.value] if isinstance(node.value, str) else []
        else:
            texts = [
                text for name in ("id", "attr", "name", "arg") if isinstance(text := getattr(node, name, None), str)
            ]
        for word in WORD.findall(" ".join(texts)):
            yield from (word, *re.split("[._]", word))


def test_a_product_in_code_would_be_found() -> None:
    """The search sees names and constants, parts of them too, and no comment or docstring."""
    source = (
        '"""Of sshd."""\nimport nova\n\n\ndef f(x):\n    """Of Spark."""\n    return x.hdfs + "in mod_jk"  # of BGL\n'
    )
    assert {"nova", "hdfs", "mod_jk", "jk"} <= set(code_words(source))
    assert not {"sshd", "Spark", "BGL"} & set(code_words(source))


@pytest.mark.data
def test_no_rule_of_the_parser_names_a_product(data_dir: Path) -> None:
    """No word of any product in the logs stands in the code of the parser: its rules are general."""
    proper = product_words(data_dir)
    assert {"PacketResponder", "jk2_init", "com.apple", "IOThunderboltSwitch"} <= proper
    sources = sorted(Path(offscript.parse.__path__[0]).glob("**/*.py"))
    assert len(sources) > 15
    for path in sources:
        words = set(code_words(path.read_text("utf-8")))
        assert not words & (proper | AMBIGUOUS), path.name
        assert not {word.lower() for word in words} & PRODUCTS, path.name
