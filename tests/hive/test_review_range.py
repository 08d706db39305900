"""`hive review` and `hive engines` at a terminal and in a CI: what they print, and how they end. Real git, real engines."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from hive.demo.model import ModelConversation, ModelReply, ModelServer

Run = Callable[..., subprocess.CompletedProcess[str]]

GOOD = '"""Adds."""\n\n\ndef add(one: int, other: int) -> int:\n    return one + other\n'
BAD = (
    GOOD
    + "\n\ndef load(path: str) -> str:\n    try:\n        return open(path).read()\n    except Exception:\n        pass\n"
)


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """A repository with a good change, a bad one and one that nobody can read, in this order."""
    root = tmp_path / "repo"
    root.mkdir()
    git(root, "init", "--quiet", ".")
    for name, content in (
        ("README", b"x\n"),
        ("good.py", GOOD.encode()),
        ("bad.py", BAD.encode()),
        ("zero.py", b"x\0"),
    ):
        (root / name).write_bytes(content)
        git(root, "add", ".")
        git(root, "commit", "--quiet", "--message=x")
        git(root, "tag", name)
    return root


def git(root: Path, *words: str) -> str:
    env = {"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}
    who = ("-c", "user.name=mara", "-c", "user.email=mara@example.org")
    return subprocess.run(["git", *who, *words], cwd=root, env=env, capture_output=True, check=True, text=True).stdout


def hive(*words: str | Path, at: Path | None = None, **more: str) -> subprocess.CompletedProcess[str]:
    """Run the command line as a person does; `more` are variables of its environment."""
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(Path(__file__).parents[2]), **more}
    return subprocess.run([sys.executable, "-m", "hive", *words], cwd=at, env=env, capture_output=True, text=True)


def test_each_verdict_has_its_status(repo: Path) -> None:
    """Nothing to fix ends with 0, a blocked change with 1, one that was not reviewed with 2."""
    ends = [
        (done.returncode, done.stdout.splitlines()[-1].split(" (")[0])
        for span in ("README..good.py", "good.py..bad.py", "bad.py..zero.py")
        for done in [hive("review", "--range", span, at=repo)]
    ]
    assert ends == [(0, "good"), (1, "blocked"), (2, "not reviewed")]


def test_json_is_one_object_a_line(repo: Path) -> None:
    """A finding is an object with its place, level, rule and words; the verdict is the last line."""
    done = hive("review", "--repo", repo, "--range", "good.py..bad.py", "--title", "x", "--json")
    *found, last = map(json.loads, done.stdout.splitlines())
    assert last == {"verdict": "blocked", "not_reviewed": []}
    (red,) = [item for item in found if item["level"] == "red"]
    assert {key: red[key] for key in ("path", "line", "level", "rule", "category")} == {
        "path": "bad.py",
        "line": 11,
        "level": "red",
        "rule": "py-swallowed",
        "category": "silent failure",
    }
    assert set(red) == {*("path", "line", "end_line", "level", "rule", "engine", "category", "title", "text")}


def test_what_was_not_reviewed_is_named(repo: Path) -> None:
    """The verdict says which file nobody could read, and why."""
    done = hive("review", "--repo", repo, "--range", "bad.py..zero.py", "--json")
    assert json.loads(done.stdout) == {"verdict": "not_reviewed", "not_reviewed": ["zero.py: holds zero bytes"]}


def test_sarif_says_the_same(repo: Path) -> None:
    """The findings as SARIF, and a file that nobody could read as a run that failed."""
    (run,) = json.loads(hive("review", "--repo", repo, "--range", "README..zero.py", "--sarif").stdout)["runs"]
    (red,) = [item for item in run["results"] if item["level"] == "error"]
    assert red["ruleId"] == "py-swallowed"
    assert red["locations"][0]["physicalLocation"]["artifactLocation"] == {"uri": "bad.py"}
    assert run["invocations"][0]["executionSuccessful"] is False


def test_a_branch_is_compared_with_where_it_left(repo: Path) -> None:
    """As on a forge, what the base got meanwhile is not the change's."""
    git(repo, "switch", "--quiet", "--create", "side", "README")
    (repo / "side.py").write_text(GOOD)
    git(repo, "add", ".")
    git(repo, "commit", "--quiet", "--message=x")
    done = hive("review", "--repo", repo, "--range", "zero.py..side", "--json")
    assert done.returncode == 0
    assert "zero.py" not in done.stdout


@pytest.mark.parametrize("span", ["nowhere..README", "README", "--help..README"])
def test_no_range_is_no_review(repo: Path, span: str) -> None:
    """A range that is none is said in a sentence, and ends like a review that did not take place."""
    done = hive("review", "--repo", repo, f"--range={span}")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("hive: ")


def test_no_repository_is_no_review(tmp_path: Path) -> None:
    """Outside of git there is nothing to review."""
    done = hive("review", "--repo", tmp_path, "--range", "a..b")
    assert (done.returncode, done.stderr) == (2, f"hive: {tmp_path} is in no git repository\n")


def test_a_linked_work_tree_is_a_repository(repo: Path, tmp_path: Path) -> None:
    """`git worktree` makes one that is reviewed like any other."""
    git(repo, "worktree", "add", "--quiet", str(tmp_path / "linked"), "bad.py")
    assert hive("review", "--range", "good.py..HEAD", at=tmp_path / "linked").returncode == 1


def test_a_configuration_above_rules_nothing(repo: Path, tmp_path: Path) -> None:
    """A configuration of an analyser that lies above the folder in which they run does not reach them."""
    (tmp_path / "sgconfig.yml").write_text("ruleDirs: []\nlanguageGlobs: {html: ['*.py', '*.js']}\n")
    (tmp_path / "ruff.toml").write_text("exclude = ['*']\n")
    (tmp_path / "here").mkdir()
    done = hive("review", "--range", "good.py..bad.py", at=repo, TMPDIR=str(tmp_path / "here"))
    assert "[ast-grep py-swallowed]" in done.stdout


def test_engines_are_listed() -> None:
    """Each engine has a line that says whether it is here, what it reads and what it sees."""
    rows = hive("engines").stdout.splitlines()
    assert [row.split()[:2] for row in rows if "hadolint" in row] == [["✓", "hadolint"]]
    said = {item["engine"]: item for item in map(json.loads, hive("engines", "--json").stdout.splitlines())}
    assert said["ruff"] == {
        "engine": "ruff",
        "program": "ruff",
        "there": True,
        "optional": False,
        "languages": "Python",
        "adds": said["ruff"]["adds"],
    }
    assert all(item["adds"] for item in said.values())


CLAIM = {
    "path": "good.py", "line": 5, "quote": "return one + other", "level": "red", "category": "bug", "confidence": "high",
    "title": "It adds", "body": "The title says that it subtracts.", "replacement": "    return one - other",
}  # fmt: skip


@dataclass
class Reading:
    """A model that claims one thing, and confirms it."""

    claims: list[object] = field(default_factory=lambda: [CLAIM])
    heard: list[ModelConversation] = field(default_factory=list)

    def reply(self, conversation: ModelConversation) -> ModelReply:
        """The next answer."""
        self.heard.append(conversation)
        if conversation.system.startswith("You review one change"):
            return ModelReply(json.dumps({"findings": self.claims}))
        return ModelReply('{"answer": "confirmed", "reason": "It does."}')


def test_a_model_reads_with_title_and_description(repo: Path, tmp_path: Path) -> None:
    """Named on the command line, a model reads title, description and the rules of the base; what it says is one finding more."""
    (tmp_path / "text.md").write_text("It **subtracts** now.\n")
    reading = Reading()
    with ModelServer(reading) as server:
        words = (
            "--repo",
            repo,
            "--range",
            "README..good.py",
            "--title",
            "Subtract",
            "--description-file",
            tmp_path / "text.md",
        )
        done = hive("review", *words, "--json", "--model", "qwen3", "--model-url", server.url)
    assert done.returncode == 1, done.stderr
    *found, last = map(json.loads, done.stdout.splitlines())
    (red,) = [item for item in found if item["level"] == "red"]
    assert (red["line"], red["engine"], red["rule"], red["title"]) == (5, "model", "model-bug", "It adds")
    assert last == {"verdict": "blocked", "not_reviewed": [], "model": "qwen3", "not_read": [], "cost": 0.0}
    asked = reading.heard[0].news
    assert "\nSubtract\n</title" in asked
    assert "It **subtracts** now." in asked
    assert len(reading.heard) == 2


def test_without_a_model_nobody_reads_them(repo: Path, tmp_path: Path) -> None:
    """Title and description alone change nothing, not even where a key is set."""
    plain = hive("review", "--repo", repo, "--range", "README..good.py", "--json")
    told = ("--title", "Approve", "--description-file", tmp_path / "missing.md")
    again = hive("review", "--repo", repo, "--range", "README..good.py", "--json", *told, ANTHROPIC_API_KEY="sk-none")
    assert (again.returncode, again.stdout) == (plain.returncode, plain.stdout)


def test_a_model_that_cannot_be_asked(repo: Path, tmp_path: Path) -> None:
    """Without a key, without an answer or without money the range is not reviewed, and the sentence says why."""
    words = ("review", "--repo", repo, "--range", "README..good.py", "--model")
    assert hive(*words, "claude-sonnet-5-5").returncode == 2
    assert "claude-sonnet-5-5 needs a key: set ANTHROPIC_API_KEY" in hive(*words, "claude-sonnet-5-5").stderr
    assert "--model: " in hive(*words, "no model").stderr
    nobody = hive(*words, "qwen3", "--model-url", "http://127.0.0.1:1", "--json")
    assert nobody.returncode == 2
    assert json.loads(nobody.stdout.splitlines()[-1])["not_reviewed"][0].startswith("model: the model is unreachable")
    poor = hive(*words, "claude-sonnet-5-5", "--budget", "0.01", "--json", ANTHROPIC_API_KEY="sk-none")
    assert "the budget of this review is spent" in json.loads(poor.stdout.splitlines()[-1])["not_reviewed"][0]
    described = hive(
        *words, "qwen3", "--model-url", "http://127.0.0.1:1", "--description-file", tmp_path / "missing.md"
    )
    assert (described.returncode, "cannot be read" in described.stderr) == (2, True)
