"""One word for one idea: the glossary is the home of terms, and a word that it retired does not come back."""

from __future__ import annotations

import ast
import re
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
GLOSSARY = ROOT / "docs" / "glossary.md"
ROW = re.compile(r"^\| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)
SPOKEN = ("bots/", "forge/", "hive/", "docs/", "config/", "README.md", "AGENTS.md", "CONTRIBUTING.md")
"""What readers and users see. Not the history: a changelog says what was so."""

SILENT = ("docs/glossary.md", "hive/demo/project/", "hive/demo/takes/", "hive/demo/fixtures/", "hive/ledger/words.txt")
KINDS = {".py", ".md", ".yaml", ".yml", ".sql", ".html", ".toml", ".txt"}


def table(title: str) -> dict[str, str]:
    """A table of the glossary: the first column and the second."""
    text = GLOSSARY.read_text().partition(f"## {title}\n")[2].partition("\n## ")[0]
    return {word.strip(): term.strip() for word, term in ROW.findall(text) if set(word) != {"-"}} | {}


def files() -> Iterator[str]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in listed.splitlines():
        if name.startswith(SPOKEN) and not name.startswith(SILENT) and Path(name).suffix in KINDS:
            yield name


def words(text: str) -> Iterator[str]:
    """The words of a text, those within identifiers too: `owed_to`, `isOwed` and "is owed" hold the same one."""
    for part in re.findall(r"[A-Za-z]+", re.sub(r"([a-z])([A-Z])", r"\1 \2", text)):
        yield part.lower()


def test_no_retired_word_comes_back() -> None:
    """A word that the glossary retired stands in no identifier, no docstring, no message and no document."""
    retired = {word for word in table("Retired words") if word != "retired"}
    found = defaultdict(list)
    for name in files():
        if not (ROOT / name).exists():
            continue
        for number, line in enumerate((ROOT / name).read_text().splitlines(), 1):
            for word in retired.intersection(words(line)):
                found[word].append(f"{name}:{number}")
    assert not found, {word: places[:5] for word, places in found.items()}


def test_names_of_files_too() -> None:
    """No module, test or document is named by a retired word."""
    retired = set(table("Retired words"))
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert [name for name in listed.splitlines() if retired.intersection(words(name))] == []


def test_the_glossary_is_sorted_and_says_something_of_each() -> None:
    """Who looks a term up finds it where the alphabet has it."""
    terms = [term for term in table("Terms") if term != "term"]
    assert terms == sorted(terms)
    assert len(terms) >= 50


def test_one_class_name_is_one_thing() -> None:
    """Two classes of one name are two ideas that a reader cannot tell apart."""
    homes = defaultdict(list)
    for package in ("bots", "forge", "hive"):
        for path in (ROOT / package).rglob("*.py"):
            name = path.relative_to(ROOT).as_posix()
            if name.startswith(SILENT):
                continue
            for node in ast.parse(path.read_text()).body:
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                    homes[node.name].append(name)
    assert {name: places for name, places in homes.items() if len(places) > 1} == {}
