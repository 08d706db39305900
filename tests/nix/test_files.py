"""The files of nix/: each is parsed by a real Nix, and keeps to the few rules that its own tools would not enforce."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.nixos_reference import PAGE, entry, options, page
from tests.nix.evaluation import NIX, ROOT, needs_nix

FILES = [ROOT / "flake.nix", *sorted((ROOT / "nix").rglob("*.nix"))]
RULES = {
    "a tab": r"\t",
    "a space at the end of a line": r"[ \t]+$",
    "a name that comes from nowhere (`with`)": r"^[^#\"]*\bwith\s+[\w.]+;",
    "something that is fetched without a hash": r"\bfetch(?:urlBoot|Git|Tree|Tarball|Mercurial)\b|\bbuiltins\.fetch\w+",
    "a search path (`<nixpkgs>`)": r"<[a-z][\w./-]*>",
    "a path of one machine": r"(?<![\w./$}])/(?:home|root|work|tmp)/",
    "a derivation that is built while it is evaluated": r"\bimport\s*\(\s*(?:pkgs|builtins)\.(?:runCommand|fetch)",
}


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def faults(text: str) -> Iterator[str]:
    """What a text of Nix should not hold."""
    if not text.endswith("\n") or text.endswith("\n\n"):
        yield "one end of line at the end"
    for what, pattern in RULES.items():
        if re.search(pattern, text, re.MULTILINE):
            yield what


@pytest.mark.parametrize("path", FILES, ids=named)
def test_a_file_is_tidy(path: Path) -> None:
    """It says what it is in its first line, is short, and has nothing that a build would take from elsewhere."""
    text = path.read_text()
    assert list(faults(text)) == []
    assert re.match(r"# \S.{10,}", text), "its first line is a comment that says what it is"
    assert text.count("\n") <= 260


@pytest.mark.parametrize(
    "text",
    [
        *(
            "{ }",
            "{ }\n\n",
            "{\ta = 1; }\n",
            "{ } \n",
            "with pkgs; [ git ]\n",
            "builtins.fetchTarball x\n",
            "fetchGit x\n",
        ),
        *("import <nixpkgs> { }\n", '{ a = "/home/mara"; }\n', "{ a = /root/key; }\n", "import (pkgs.runCommand x)\n"),
    ],
)
def test_the_rules_find_what_they_are_for(text: str) -> None:
    """Each rule refuses what it names."""
    assert list(faults(text))


@needs_nix
@pytest.mark.parametrize("path", FILES, ids=named)
def test_a_file_is_parsed(path: Path) -> None:
    """It has no syntax error, and no name that is not defined."""
    subprocess.run([str(NIX), "--parse", path], check=True, capture_output=True)


@needs_nix
def test_a_name_that_is_not_defined_would_be_noticed(tmp_path: Path) -> None:
    """The check above refuses a file that uses one."""
    (tmp_path / "a.nix").write_text("{ b }: b + c\n")
    done = subprocess.run([str(NIX), "--parse", tmp_path / "a.nix"], capture_output=True, text=True)
    assert "undefined variable 'c'" in done.stderr


@needs_nix
def test_the_options_are_documented() -> None:
    """docs/reference/nixos-options.md is what the options say; if not: make reference."""
    assert page(options()) == (ROOT / PAGE).read_text(), f"{PAGE} differs; run: make reference"


@needs_nix
def test_each_option_says_what_it_is_for() -> None:
    """An option has a type and a sentence that ends, and a default or the word that it is required."""
    found = options()
    assert len(found) > 15
    for option in found:
        assert option["description"].strip().endswith("."), option["name"]
        assert option["type"], option["name"]
    assert "- required" in list(entry({**found[0], "default": ""}))
