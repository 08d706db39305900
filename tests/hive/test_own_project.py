"""A project of one's own is looked at before anything is started: it will do, or a sentence says why not and what to do."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from hive.demo.own_project import copied, look_at
from hive.demo.scripted_replies import welcome
from hive.instance.instance import StartupError

WHO = ("-c", "user.name=a", "-c", "user.email=a@example.invalid", "-c", "protocol.file.allow=always")


def git(where: Path, *words: str) -> str:
    """Run git somewhere; returns what it said."""
    done = subprocess.run(["git", "-C", where, *WHO, *words], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def project(place: Path, **files: str) -> Path:
    """A repository with one commit; a file's name has `_` for its dot."""
    place.mkdir()
    git(place, "init", "-q", "-b", "trunk")
    for name, text in files.items():
        (place / name.replace("_", ".")).write_text(text)
    git(place, "add", "--all")
    git(place, "commit", "-q", "-m", "Begin")
    return place


@pytest.mark.parametrize(
    ("name", "language", "suggestion"),
    [
        ("cart_js", "JavaScript", "file “Add a test for cart.js” and watch it"),
        ("main_go", "Go", "file “Add a test for main.go” and watch it"),
        ("lib_rs", "Rust", "file “Add a test for lib.rs” and watch it"),
        ("guide_md", "", "file “Find what is unclear in guide.md, and fix it” and watch it"),
        ("data_bin", "", "file “Find what is unclear in data.bin, and fix it” and watch it"),
    ],
)
def test_suggestions_fit(tmp_path: Path, name: str, language: str, suggestion: str) -> None:
    """What is suggested is about the files that are there; a scripted model is not said to understand them."""
    found = look_at(project(tmp_path / "own", **{name: "x"}))
    assert (found.language, found.suggestion(thinks=True), found.notes) == (language, suggestion, ())
    assert "```diff block" in found.suggestion(thinks=False)


@pytest.mark.parametrize(
    ("name", "text", "wanted"),
    [
        ("cart_py", "import os\n\n\ndef total(cart):\n    pass\n", "Rename `total` to `new_total`"),
        ("main_go", "package main\n\nfunc Run() {}\n", "Rename `Run` to `new_Run`"),
        ("lib_ts", "export async function load() {}\n", "Rename `load` to `new_load`"),
        ("poem_txt", "roses\n", "Rename `old_name` to `new_name`"),
    ],
)
def test_what_needs_no_thinking(tmp_path: Path, name: str, text: str, wanted: str) -> None:
    """Without a model an issue is suggested that is done to the letter, about what is there."""
    assert look_at(project(tmp_path / "own", **{name: text})).rename() == wanted


def test_what_is_otherwise_is_noted(tmp_path: Path) -> None:
    """Uncommitted changes, submodules and checks that no agent can run are said at once."""
    place = project(tmp_path / "own", a_js="x", b_js="y", _hive_yaml="")
    (place / ".hive.yaml").write_text("checks: [npm test, go vet ./..., python3 -m unittest]\n")
    git(place, "submodule", "add", "-q", str(project(tmp_path / "part", a_txt="x")), "part")
    git(place, "add", "--all")
    git(place, "commit", "-q", "-m", "More")
    (place / "a.js").write_text("changed")
    (place / "new.js").write_text("new")
    assert look_at(place).notes == (
        "2 uncommitted changes stay here: what is committed is copied",
        "its submodules are not copied",
        "its .hive.yaml asks for go, npm, which agents do not have: they will say so",
    )


def test_other_shapes_of_a_repository(tmp_path: Path) -> None:
    """A detached head, a bare repository, a work tree, a submodule, a directory within: all will do."""
    place = project(tmp_path / "own", a_js="x")
    (place / "src").mkdir()
    first = git(place, "rev-parse", "HEAD")
    git(place, "commit", "-q", "--allow-empty", "-m", "More")
    second = git(place, "rev-parse", "HEAD")
    git(tmp_path, "clone", "-q", "--bare", "own", "bare")
    git(place, "worktree", "add", "-q", str(tmp_path / "tree"), "-b", "side", first)
    whole = project(tmp_path / "whole", a_txt="x")
    git(whole, "submodule", "add", "-q", str(place), "part")
    git(place, "checkout", "-q", "--detach", first)
    shapes = {"own": first, "own/src": first, "bare": second, "tree": first, "whole/part": second}
    assert {name: look_at(tmp_path / name).sha for name in shapes} == shapes


def refused(path: Path, **bounds: int) -> str:
    """Why a project cannot be played with."""
    with pytest.raises(StartupError) as error:
        look_at(path, **bounds)
    assert "\n" not in str(error.value)
    return str(error.value).replace(str(path), "IT")


def test_what_cannot_be_played_with(tmp_path: Path) -> None:
    """Each refusal is one sentence, with what to do."""
    assert refused(tmp_path / "nowhere") == "IT is no directory; --project takes a git repository"
    (tmp_path / "plain").mkdir()
    assert refused(tmp_path / "plain") == "IT is no git repository; run git init in it and commit, or choose another"
    git(tmp_path, "init", "-q", "empty")
    assert refused(tmp_path / "empty") == "IT has no commit yet; commit something, and try again"
    git(tmp_path, "init", "-q", "hollow")
    git(tmp_path / "hollow", "commit", "-q", "--allow-empty", "-m", "Begin")
    assert refused(tmp_path / "hollow") == "IT has no file in its newest commit; commit something, and try again"
    place = project(tmp_path / "own", a_js="x")
    assert "choose" in refused(place, largest=1) or "--depth 1" in refused(place, largest=1)
    git(place, "config", "uploadpack.allowFilter", "true")
    git(tmp_path, "clone", "-q", "--no-checkout", "--filter=blob:none", f"file://{place}", "partial")
    assert (
        refused(tmp_path / "partial")
        == "IT is a partial clone and lacks files of its history; clone it without --filter"
    )
    git(tmp_path, "init", "-q", "--object-format=sha256", "other")
    (tmp_path / "other" / "a").write_text("x")
    git(tmp_path / "other", "add", "a")
    git(tmp_path / "other", "commit", "-q", "-m", "Begin")
    assert (
        refused(tmp_path / "other")
        == "IT names its objects by SHA-256, which forges do not take; choose another --project"
    )
    broken = project(tmp_path / "broken", _hive_yaml="")
    (broken / ".hive.yaml").write_text("checks: {a: 1}\n")
    git(broken, "add", "--all")
    git(broken, "commit", "-q", "-m", "More")
    assert refused(broken).endswith("fix it, and commit that")


def test_a_shallow_clone_is_copied_without_its_history(tmp_path: Path) -> None:
    """Git refuses to push a shallow history to whoever does not know it: the newest state goes, and the clone stays as it is."""
    place = project(tmp_path / "own", a_js="x")
    git(place, "commit", "-q", "--allow-empty", "-m", "More")
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{place}", "shallow")
    git(tmp_path, "init", "-q", "--bare", "forge")
    shallow = tmp_path / "shallow"
    before = sorted(path for path in shallow.rglob("*") if "index" not in path.name)
    assert look_at(shallow).notes == ("a shallow clone: its newest commit is copied, without history",)
    with copied(shallow) as (commit, env):
        words = ["git", "-C", str(shallow), "push", "-q", str(tmp_path / "forge"), f"{commit}:refs/heads/main"]
        subprocess.run(words, check=True, env={"PATH": "/usr/bin:/bin:/usr/local/bin", **env}, capture_output=True)
    assert git(tmp_path / "forge", "rev-list", "--count", "main") == "1"
    assert git(tmp_path / "forge", "ls-tree", "--name-only", "main") == "a.js"
    assert sorted(path for path in shallow.rglob("*") if "index" not in path.name) == before


def test_the_first_issue_asks_for_a_file_that_is_not_there() -> None:
    """Who plays with the outcome of an earlier demo gets another file."""
    assert "+++ b/AGENTS-WORK-HERE.md" in welcome(()).body
    assert "+++ b/AGENTS-WORK-HERE-2.md" in welcome(("a", "AGENTS-WORK-HERE.md")).body
