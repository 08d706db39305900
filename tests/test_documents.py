"""Documents are part of the product: what they quote and name is there, and they make a site without a network."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import textwrap
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import yaml

from hive.cli import main

ROOT = Path(__file__).parent.parent
QUOTED = re.compile(r"^ *```python\n *# (?P<file>\S+\.py)\n(?P<code>.*?)^ *```$", re.MULTILINE | re.DOTALL)
NAMED = re.compile(r"`((?:bots|config|docs|findings|forge|hive|scripts|tests|\.ci|\.forgejo)/[\w./-]*)`")
COMMAND = re.compile(r"(?:`|^(?:sudo )?)hive (?P<name>[a-z]+)(?: (?P<next>[a-z]+))?(?=[` ])", re.MULTILINE)
PAGES = ("CONTRIBUTING.md", "SECURITY.md", "README.md", "docs/extending.md", "docs/reading-order.md")
LOADED = re.compile(r'<(?:script|link|img|iframe)\b[^>]*?(?:src|href)="?((?:https?:)?//[^"> ]+)')


def test_quoted_code_is_the_code() -> None:
    """Code on the page about extending the hive stands in the file that it names."""
    quotes = list(QUOTED.finditer((ROOT / "docs" / "extending.md").read_text()))
    assert len(quotes) >= 6
    for quote in quotes:
        code = textwrap.indent(textwrap.dedent(quote["code"]).rstrip(), "").splitlines()
        source = textwrap.dedent((ROOT / quote["file"]).read_text()).splitlines()
        bare = [line.strip() for line in source]
        wanted = [line.strip() for line in code]
        found = any(bare[at : at + len(wanted)] == wanted for at in range(len(bare)))
        assert found, f"{quote['file']} has no longer:\n{quote['code']}"


def test_extras_are_documented() -> None:
    """Each extra of the package stands in the table about installing it, and no other."""
    text = (ROOT / "docs" / "operate.md").read_text()
    table = text[text.index("| extra |") :].split("\n\n", maxsplit=1)[0]
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == set(extras)


@pytest.mark.parametrize("page", PAGES)
def test_named_files_are_there(page: str) -> None:
    """A file that a document names by its path exists."""
    for name in NAMED.findall((ROOT / page).read_text()):
        assert (ROOT / name).exists() or "NAME" in name or name.endswith("/NAME.py"), f"{page} names {name}"


def said_commands() -> Iterator[tuple[str, str, str]]:
    """Each command that documents, or texts of the hive itself, tell people to use: where, its name and the word after it."""
    pages = [ROOT / "README.md", *ROOT.glob("docs/**/*.md"), *ROOT.glob("hive/**/*.py"), *ROOT.glob("bots/**/*.py")]
    for page in pages:
        for found in COMMAND.finditer(page.read_text()):
            yield str(page.relative_to(ROOT)), found["name"], found["next"] or ""


def test_commands_that_people_are_told_are_there() -> None:
    """A command in a document, or in what the hive says, is one of the command line, with its subcommand."""
    context = click.Context(main)
    said = list(said_commands())
    assert len(said) > 100
    for page, name, word in said:
        command = main.get_command(context, name)
        assert command is not None, f"{page}: there is no `hive {name}`"
        if isinstance(command, click.Group) and word:
            assert command.get_command(context, word), f"{page}: there is no `hive {name} {word}`"


def test_findings_have_their_form() -> None:
    """A finding is an executable script that cleans up after itself, and shows a tool without the hive."""
    for script in (ROOT / "findings").glob("*.sh"):
        text = script.read_text()
        assert os.access(script, os.X_OK), script.name
        assert "mktemp -d" in text, script.name
        assert "trap " in text, script.name
        assert not re.search(r"\b(import|from|-m) (hive|bots|forge)\b", text), script.name
    assert (ROOT / "findings" / "README.md").is_file()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The documents as a site, built in a folder of its own by a build that fails for a broken link."""
    folder = tmp_path_factory.mktemp("site")
    build(folder)
    return folder / "site" / "html"


def build(folder: Path, *, broken: str = "") -> None:
    shutil.copy(ROOT / "mkdocs.yml", folder)
    source = folder / "site" / "src"
    subprocess.run([sys.executable, ROOT / "scripts" / "site.py", source], check=True)
    with (source / "index.md").open("a") as file:
        file.write(broken)
    # An address where nobody answers stands for no network: whatever is fetched would fail.
    offline = {"PATH": os.environ["PATH"], "https_proxy": "http://127.0.0.1:1", "http_proxy": "http://127.0.0.1:1"}
    program = Path(sys.executable).parent / "zensical"
    subprocess.run([program, "build", "--strict"], cwd=folder, env=offline, check=True, capture_output=True)


def test_the_site_is_built_without_a_network(site: Path) -> None:
    """Every document is a page of it, with the picture that it shows and the files that it links to."""
    for page in (ROOT / "docs").rglob("*.md"):
        assert (site / page.relative_to(ROOT / "docs").with_suffix(".html")).is_file(), page.name
    for name in ("index.html", "CONTRIBUTING.html", "CHANGELOG.html", "reviewed.png", "config/hive.schema.json"):
        assert (site / name).is_file(), name


def test_the_site_loads_nothing_from_elsewhere(site: Path) -> None:
    """No page brings a font, a script or a picture of another host."""
    pages = list(site.rglob("*.html"))
    assert len(pages) > 20
    loaded = {address for page in pages for address in LOADED.findall(page.read_text())}
    assert not loaded
    assert LOADED.findall('<script async src="//cdn.example/x.js">') == ["//cdn.example/x.js"]


def test_a_broken_link_breaks_the_site(tmp_path: Path) -> None:
    """A link to a page that is not there ends the build."""
    with pytest.raises(subprocess.CalledProcessError):
        build(tmp_path, broken="\n[gone](gone.md)\n")


def test_every_document_has_its_place() -> None:
    """The site's navigation names each document once, the decisions in their order."""
    tree = yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"]
    entries = list(leaves(tree))
    documents = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}
    assert documents <= set(entries)
    assert len(entries) == len(set(entries))
    decisions = [entry for entry in entries if entry.startswith("decisions/")]
    assert decisions == sorted(decisions)


def leaves(tree: object) -> Iterator[str]:
    """The pages of a navigation."""
    if isinstance(tree, str):
        yield tree
    for entry in tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ():
        yield from leaves(entry)
