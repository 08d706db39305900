"""A declaration becomes an artifact, whole, or a list of problems."""

from __future__ import annotations

import json
import os
import subprocess
import tracemalloc
from pathlib import Path

import pytest

from bots.money import DOLLAR
from hive.config import Limits
from hive.git_mirror.mirror import TreeLimits
from hive.reconcile.agent_dirs import AgentDirs
from hive.reconcile.build import BASE, BuildFailed, KnownNames, build, changes, environment, plan, resolve
from hive.reconcile.evidence import bad_entries
from tests.reconcile.conftest import Origin

LIMITS = Limits()


def test_builds_what_is_declared(origin: Origin, tmp_path: Path) -> None:
    """The artifact holds the declaration, its prompt, and exactly the commands of its packages."""
    sha = origin.commit({"agent.yaml": "lane: app\npackages: [gzip]\nenv: {A: b}\n", "prompts/role.md": "Be kind.\n"})
    made = build(plan("iris", origin.mirror, sha, LIMITS), sha, tmp_path / "gens")
    spec = json.loads((made / "agent.json").read_text())
    assert (spec["name"], spec["generation"], spec["prompt"]) == ("iris", sha, "Be kind.\n")
    assert environment(made) == {"A": "b"}
    commands = {path.name for path in (made / "bin").iterdir()}
    assert {"gzip", "git", "python3", "sh", "cat"} <= commands
    assert "tar" not in commands
    done = subprocess.run([made / "bin" / "python3", "-c", "print(1)"], capture_output=True, text=True)
    assert done.stdout == "1\n"


def test_builds_once(origin: Origin, tmp_path: Path) -> None:
    """What is there is taken as it is; what a crash left half made is made anew."""
    sha = origin.commit({"agent.yaml": "lane: app\n"})
    made = plan("iris", origin.mirror, sha, LIMITS)
    (tmp_path / "gens" / f".{sha}.new" / "bin").mkdir(parents=True)
    first = build(made, sha, tmp_path / "gens")
    assert build(made, sha, tmp_path / "gens") == first
    assert AgentDirs("iris", tmp_path).built() == {sha}


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"README.md": ""}, "agent.yaml:1:1: there is no such file"),
        (
            {"agent.yaml": "lane: app\npackages: [no-such-thing]\n"},
            "agent.yaml:2:12: packages.0: this host has no 'no-such-thing' in /usr/local/bin, ",
        ),
        ({"agent.yaml": "lane: app\npackages: [gzpi]\n"}, "(packages_path of hive.yaml); did you mean 'gzip'?"),
        (
            {"agent.yaml": "lane: app\nmax_steps: 400\n"},
            "agent.yaml:2:12: max_steps: the host allows 60 at the most (it is 400)",
        ),
        ({"agent.yaml": "lain: app\n"}, "agent.yaml:1:1: lain: unknown key; did you mean 'lane'?"),
        ({"agent.yaml": "x" * 70_000}, "agent.yaml:1:1: is larger than 65536 bytes"),
    ],
)
def test_problems_are_sentences(origin: Origin, files: dict[str, str], expected: str) -> None:
    """What cannot be built says what is wrong, with its place."""
    sha = origin.commit(files)
    with pytest.raises(BuildFailed) as error:
        plan("iris", origin.mirror, sha, LIMITS)
    assert any(expected in problem for problem in error.value.problems), error.value.problems


KNOWN = KnownNames(
    ("app", "infra"), ("claude-sonnet-5-5", "claude-opus-5-5"), lambda: {"lorekeeper": "atlas"}, {"run": 3.0}
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("lane: infar\n", "agent.yaml:1:7: lane: the team has no lane 'infar'; did you mean 'infra'?"),
        ("lane: nonsense\n", "agent.yaml:1:7: lane: the team has no lane 'nonsense'; known here: app, infra"),
        (
            "lane: app\nmodel: claude-opus-5\n",
            "agent.yaml:2:8: model: model.allowed of hive.yaml does not name 'claude-opus-5'; did you mean 'claude-opus-5-5'?",
        ),
        (
            "lane: app\nmodel: gpt-99\n",
            "agent.yaml:2:8: model: model.allowed of hive.yaml does not name 'gpt-99'; known here: claude-sonnet-5-5, claude-opus-5-5",
        ),
        (
            "lane: app\nrole: lorekeeper\n",
            "agent.yaml:2:7: role: atlas is the lorekeeper of this team, and there is one at the most",
        ),
        (
            "lane: app\nbudget: {day: 100, run: 4}\n",
            "agent.yaml:2:25: budget.run: budget.run of hive.yaml allows 3 at the most (it is 4)",
        ),
    ],
)
def test_what_the_house_does_not_know(origin: Origin, text: str, expected: str) -> None:
    """A lane, a model or a role that the house does not have is an error in words, with the nearest name."""
    sha = origin.commit({"agent.yaml": text})
    with pytest.raises(BuildFailed) as error:
        plan("iris", origin.mirror, sha, LIMITS, known=KNOWN)
    assert error.value.problems == (expected,)


def test_a_budget_is_built_and_planned(origin: Origin, tmp_path: Path) -> None:
    """Lower caps are part of the artifact, and a plan says what becomes of them."""
    sha = origin.commit({"agent.yaml": "lane: app\nbudget: {run: 0.5, month: none}\n"})
    made = plan("iris", origin.mirror, sha, LIMITS, known=KNOWN)
    assert json.loads((build(made, sha, tmp_path / "gens") / "agent.json").read_text())["budget"] == [
        ["run", DOLLAR // 2]
    ]
    old = plan("iris", origin.mirror, origin.commit({"agent.yaml": "lane: app\nbudget: {day: 2}\n"}), LIMITS)
    assert changes(old, made) == ("budget.day: $2.00 → no cap of its own", "budget.run: no cap of its own → $0.50")


def test_what_the_house_knows(origin: Origin) -> None:
    """A lead where there is none, a lane and a model of the house are nobody's problem."""
    sha = origin.commit({"agent.yaml": "lane: infra\nrole: lead\nmodel: claude-opus-5-5\n"})
    assert plan("iris", origin.mirror, sha, LIMITS, known=KNOWN).spec.lane == "infra"


def test_packages_are_found_where_the_house_says(origin: Origin, tmp_path: Path) -> None:
    """`packages_path` adds a place; a program that containers would not see is told where it is."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "gopher").symlink_to("/usr/bin/env")
    (tmp_path / "bin" / "hidden").write_text("#!/bin/sh\n")
    (tmp_path / "bin" / "hidden").chmod(0o755)
    path = ("/usr/bin", "/bin", "/usr/local/bin", str(tmp_path / "bin"))
    sha = origin.commit({"agent.yaml": "lane: app\npackages: [gopher]\n"})
    with pytest.raises(BuildFailed, match="this host has no 'gopher'"):
        plan("iris", origin.mirror, sha, LIMITS)
    assert dict(plan("iris", origin.mirror, sha, LIMITS, packages_path=path).commands)["gopher"] == os.path.realpath(
        "/usr/bin/env"
    )
    sha = origin.commit({"agent.yaml": "lane: app\npackages: [hidden]\n"})
    with pytest.raises(BuildFailed, match=r"'hidden' is /.*/bin/hidden on this host, and containers see /usr, "):
        plan("iris", origin.mirror, sha, LIMITS, packages_path=path)


def test_the_script_of_an_agent_that_plays_one(origin: Origin, tmp_path: Path) -> None:
    """The replies of `engine: scripted` are a file of the configuration, checked before it is built from."""
    declared = {"agent.yaml": "lane: app\nengine: scripted\n"}
    for files, problem in ((declared, "replies.json:1:1: there is no such file"), ({"replies.json": "7"}, "a list of")):
        with pytest.raises(BuildFailed, match=problem):
            plan("iris", origin.mirror, origin.commit(files), Limits())
    sha = origin.commit({"replies.json": '[{"replies": [{"text": "Hello."}]}]'})
    made = plan("iris", origin.mirror, sha, Limits())
    assert (build(made, sha, tmp_path / "gens") / "replies.json").read_text() == made.replies
    other = origin.commit({"replies.json": "[]"})
    assert changes(made, plan("iris", origin.mirror, other, Limits())) == ("changes the replies of its script",)


def test_a_large_declaration_is_not_even_read(origin: Origin) -> None:
    """Its size is asked for first: sixty-four megabytes are refused by their number."""
    sha = origin.commit({"agent.yaml": "#" * (64 << 20)})
    tracemalloc.start()
    try:
        with pytest.raises(BuildFailed, match=r"agent\.yaml:1:1: is larger than 65536 bytes"):
            plan("iris", origin.mirror, sha, LIMITS)
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


def test_all_problems_at_once(origin: Origin) -> None:
    """Nobody merges one fix to be told of the next problem."""
    sha = origin.commit({"agent.yaml": "lane: app\npackages: [nope, neither]\nminutes: 200\n"})
    with pytest.raises(BuildFailed) as error:
        plan("iris", origin.mirror, sha, LIMITS)
    assert len(error.value.problems) == 3


def test_declaration_is_a_file_not_a_link(origin: Origin) -> None:
    """A link in a configuration is never followed."""
    sha = origin.commit({"other.yaml": "lane: app\n"}, links={"agent.yaml": "other.yaml"})
    with pytest.raises(BuildFailed, match="there is no such file"):
        plan("iris", origin.mirror, sha, LIMITS)


def test_changes_in_sentences(origin: Origin) -> None:
    """What a change does is said in words."""
    old = plan("iris", origin.mirror, origin.commit({"agent.yaml": "lane: app\npackages: [tar]\n"}), LIMITS)
    text = "lane: app\npackages: [gzip]\nmodel: claude-opus-5-5\nenv: {A: b}\n"
    new = plan("iris", origin.mirror, origin.commit({"agent.yaml": text, "prompts/role.md": "x"}), LIMITS)
    assert changes(old, new) == (
        "adds gzip",
        "removes tar",
        "model: default → claude-opus-5-5",
        "changes what the agent is told",
        "changes the environment: A",
    )
    assert changes(new, new) == ()
    assert changes(None, new) == ("makes iris",)


def test_base_packages_are_on_this_host() -> None:
    """Every container can read, change, check and push."""
    assert all(resolve(package) for package in BASE)


def test_point_is_one_step(tmp_path: Path) -> None:
    """The link always leads to an artifact, before and after."""
    dirs = AgentDirs("iris", tmp_path)
    assert dirs.pointed() == ""
    dirs.point("a" * 40)
    dirs.point("b" * 40)
    assert dirs.pointed() == "b" * 40


def test_bad_trees(origin: Origin) -> None:
    """Links that leave the tree and submodules are refused, links within it are not."""
    good = origin.commit({"a": "x"}, links={"within": "a"})
    assert bad_entries(origin.mirror, good, TreeLimits()) == ()
    out = origin.commit({}, links={"up": "../../etc/passwd", "root": "/etc/passwd", "git": ".git/config"})
    assert len(bad_entries(origin.mirror, out, TreeLimits())) == 3
    assert bad_entries(origin.mirror, good, TreeLimits(files=1))
    origin.git("rm", "-q", "up", "root", "git")
    origin.git("update-index", "--add", "--cacheinfo", f"160000,{good},sub")
    origin.git("commit", "-qm", "submodule")
    assert bad_entries(origin.mirror, origin.keep("HEAD"), TreeLimits()) == ("160000 'sub'",)
