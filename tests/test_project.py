"""What a contributor finds beside the code: workflows, forms, editor settings. All of it names what is there."""

from __future__ import annotations

import configparser
import itertools
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
WORKFLOWS = sorted((ROOT / ".forgejo" / "workflows").glob("*.yml"))
FORMS = sorted((ROOT / ".forgejo" / "issue_template").glob("*.yml"))
MINORS = ["3.11", "3.12", "3.13", "3.14"]
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
BINARY = {".png"}


def named(path: Path) -> str:
    return path.name


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def steps(workflow: Any) -> Iterator[dict[str, Any]]:
    for job in workflow["jobs"].values():
        yield from job["steps"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=named)
class TestWorkflow:
    """Each workflow of the project's own CI."""

    def test_runs_what_is_there(self, path: Path) -> None:
        """A step runs a script or a make target of this repository, so that anybody can run it as well."""
        words = [word for step in steps(read(path)) for word in step.get("run", "").split()]
        scripts = [word for word in words if word.startswith((".ci/", "scripts/"))]
        targets = [after for word, after in itertools.pairwise(words) if word == "make" and after != "nodejs"]
        assert scripts or targets
        assert all(os.access(ROOT / script, os.X_OK) for script in scripts), scripts
        assert TARGETS.issuperset(targets), targets

    def test_pins_the_actions_of_others(self, path: Path) -> None:
        """What others wrote is used in a version."""
        for step in steps(read(path)):
            assert re.search(r"@v\d+", step.get("uses", "@v0")), step


def test_python_versions_agree() -> None:
    """CI tests each Python that the package claims, from the oldest that it installs on."""
    matrix = read(ROOT / ".forgejo" / "workflows" / "test.yml")["jobs"]["test"]["strategy"]["matrix"]["python"]
    claimed = [line.rpartition(" ")[2] for line in PROJECT["classifiers"] if re.search(r":: 3\.\d+$", line)]
    assert matrix == claimed == MINORS
    assert PROJECT["requires-python"] == f">={MINORS[0]}"


@pytest.mark.parametrize("path", FORMS, ids=named)
def test_forms_are_what_a_forge_shows(path: Path) -> None:
    """An issue form has a name, a description and questions with an identifier each (Forgejo 15, modules/issue/template)."""
    form = read(path)
    assert form["name"]
    assert form["about"]
    questions = [part for part in form["body"] if part["type"] != "markdown"]
    assert {part["type"] for part in questions} <= {"textarea", "input", "dropdown", "checkboxes"}
    assert len({part["id"] for part in questions}) == len(questions)
    assert all(part["attributes"]["label"] for part in questions)


def test_hooks_run_the_pinned_tools() -> None:
    """pre-commit downloads nothing: each hook is a program of the project's own environment."""
    for repo in read(ROOT / ".pre-commit-config.yaml")["repos"]:
        assert repo["repo"] == "local"
        for hook in repo["hooks"]:
            program = hook["entry"].split()[0]
            assert hook["language"] == "system"
            assert program.startswith(".venv/bin/")
            assert (Path(sys.executable).parent / Path(program).name).exists(), program


def test_files_are_as_editors_are_told() -> None:
    """Every text file keeps to `.editorconfig`: encoding, line ends, trailing spaces, no tab but a Makefile's."""
    rules = configparser.ConfigParser()
    rules.read_string("[root]\n" + (ROOT / ".editorconfig").read_text())
    spaces_stay = [name for name in rules.sections() if rules[name].get("trim_trailing_whitespace") == "unset"]
    for path in tracked():
        text = path.read_bytes().decode("utf-8")
        name = path.relative_to(ROOT).as_posix()
        assert "\r" not in text, name
        assert not text or text.endswith("\n"), name
        if not any(fnmatch(name, pattern) for pattern in spaces_stay):
            assert not re.search(r"[ \t]$", text, re.MULTILINE), name
        if name != "Makefile" and path.suffix != ".py":  # in Python, ruff knows tabs within a string from others
            assert not re.search(r"^\t", text, re.MULTILINE), name


def tracked() -> list[Path]:
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    paths = [ROOT / name for name in names.split("\0") if name]
    return [path for path in paths if path.is_file() and path.suffix not in BINARY]


def test_documents_name_targets_that_are_there() -> None:
    """Every `make …` of a document is a target."""
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "bench").glob("*.md")]
    found = {
        target for page in pages for target in re.findall(r"(?:`|^|&& )make ([a-z-]+)", page.read_text(), re.MULTILINE)
    }
    assert {"demo", "test", "shell"} <= found
    assert found <= TARGETS


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """A repository that is about to be released."""
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / ".ci" / "release", tmp_path / ".ci")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "CHANGELOG.md").write_text("# Changelog\n\n## Unreleased\n- soon\n")
    (tmp_path / ".gitignore").write_text("dist/\n")
    commit(tmp_path)
    return tmp_path


def commit(folder: Path) -> None:
    identity = ["-c", "user.name=mara", "-c", "user.email=mara@example.invalid"]
    for words in (["init", "-q"], ["add", "-A"], [*identity, "commit", "-q", "-m", "A release"]):
        subprocess.run(["git", *words], cwd=folder, check=True)


def refusal(folder: Path, tag: str) -> str:
    done = subprocess.run([folder / ".ci" / "release", tag], capture_output=True, text=True)
    assert done.returncode == 1
    return done.stderr


def test_a_release_is_the_version_that_its_tag_says(release: Path) -> None:
    """A tag of another version builds nothing."""
    assert "release: the tag is v9.9.9, but pyproject.toml says version" in refusal(release, "v9.9.9")
    assert not (release / "dist").exists()


def test_a_release_is_what_was_committed(release: Path) -> None:
    """A work tree with changes builds nothing."""
    (release / "more.py").write_text("")
    assert "release: the work tree differs" in refusal(release, f"v{PROJECT['version']}")


@pytest.mark.parametrize("section", ["", "## {version}\n", "## {version}0\n- another\n", "### {version}\n- deeper\n"])
def test_a_release_has_notes(release: Path, section: str) -> None:
    """A version without a section in the changelog, or with an empty one, builds nothing."""
    with (release / "CHANGELOG.md").open("a") as file:
        file.write("\n" + section.format(version=PROJECT["version"]))
    commit(release)
    assert "CHANGELOG.md has no section" in refusal(release, f"v{PROJECT['version']}")
