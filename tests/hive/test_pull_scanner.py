"""What a change of a configuration would mean is told before it is merged, and what it may not be with its place."""

from __future__ import annotations

import subprocess

import pytest

from bots.markdown import plain
from forge.diff import MAX_LINES
from forge.embedded.services import people, pushes
from forge.events import Event, PullChanged, ReviewAsked
from forge.gitea.writer import GiteaForge
from forge.models import FileEdit, Ref
from hive.app.work import mirrors
from hive.inspect.config_evaluator import holders
from tests.hive.conftest import APP, CONFIG, HiveEnv

LAUGHS = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcdefg", "bcdefgh", strict=True)
)


def propose(hive_env: HiveEnv, text: str, branch: str = "side") -> Ref:
    """The account of the hive proposes a declaration for iris."""
    url, token = hive_env.forge.url, hive_env.instance.secret_store.token("forgejo", "core")
    with GiteaForge(name="forgejo", url=url, token=token) as core:
        hive_env.mara._client.post("/repos/agent-configs/iris/branches", new_branch_name=branch, old_ref_name="main")
        core.put_file(CONFIG, "agent.yaml", text.encode(), message="x", branch=branch)
        return core.open_pull(CONFIG, head=branch, base="main", title=branch, body="").ref


def look(hive_env: HiveEnv, bot: str, event: Event) -> None:
    """Let a bot look, and look again as it asks for."""
    worker, jobs = hive_env.worker(), hive_env.instance.ledger.jobs
    jobs.enqueue("acme", [(bot, event)])
    while due := jobs.due():
        worker.run_job(due[0])


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("lane: nonsense\n", "agent.yaml:1:7: lane: the team has no lane 'nonsense'; known here: app"),
        ("lane: app\nmodel: gpt-99\n", "agent.yaml:2:8: model: model.allowed of hive.yaml does not name 'gpt-99'"),
        (LAUGHS, "agent.yaml:1:4: an anchor (&) is not read here: write each value out"),
        ("lane: " + "[" * 9000, "agent.yaml:1:22: is nested deeper than 16 levels"),
        ("lane: app\nminutes: " + "9" * 5000, "agent.yaml:2:10: a number should have at most 15 digits"),
    ],
)
def test_what_is_wrong_is_said_on_the_pull_request(hive_env: HiveEnv, text: str, problem: str) -> None:
    """A declaration that the house cannot take is red, with file, line and column, after one look."""
    ref = propose(hive_env, text)
    event = PullChanged(ref, hive_env.mara.user("mara"), f"changed:{ref}")
    look(hive_env, "gatekeeper", event)
    (comment,) = hive_env.mara.comments(ref)
    assert plain(problem) in comment.body
    head = hive_env.mara.pull(ref).head_sha
    assert [(s.context, s.state.value) for s in hive_env.mara.statuses(CONFIG, head)] == [("hive/eval", "failure")]


def test_a_role_that_another_agent_has(hive_env: HiveEnv) -> None:
    """Who is lead or lorekeeper is read from what was merged; a configuration that cannot be read has no role."""
    mirror = mirrors(hive_env.instance, "work")
    for branch, text, found in (
        ("one", "lane: app\nrole: lorekeeper\n", {"lorekeeper": "iris"}),
        ("two", "lane: app\nrole: agent\n", {}),
        ("three", "lane: [\n", {}),
    ):
        propose(hive_env, text, branch)
        assert holders(mirror, [("iris", CONFIG, branch)]) == found


def commit_by_hand(hive_env: HiveEnv, name: str, *, parent: bool) -> str:
    """A branch `side` of the project whose tree has one file of this name, whatever it is; with main as its parent or with none."""
    place = hive_env.forge.site.root / "repositories" / f"{hive_env.mara.repository(APP).id}.git"

    def git(*words: str, given: bytes = b"") -> str:
        done = subprocess.run(["git", *words], cwd=place, input=given, capture_output=True, check=True)
        return done.stdout.decode().strip()

    blob = git("hash-object", "-w", "--stdin", given=b"x\n")
    row = f"100644 {name}".encode() + b"\0" + bytes.fromhex(blob)
    tree = git("hash-object", "-t", "tree", "-w", "--stdin", "--literally", given=row)
    above = f"parent {git('rev-parse', 'refs/heads/main')}\n" if parent else ""
    who = "a <a@b.invalid> 1 +0000"
    text = f"tree {tree}\n{above}author {who}\ncommitter {who}\n\nx\n".encode()
    return git("hash-object", "-t", "commit", "-w", "--stdin", "--literally", given=text)


@pytest.mark.parametrize(
    ("name", "parent", "words"),
    [
        ("..", True, "hasDotdot: contains '..'"),
        ("b", False, "the two histories have no commit in common"),
    ],
)
def test_what_git_will_never_read_is_said(hive_env: HiveEnv, name: str, words: str, *, parent: bool) -> None:
    """A history that is refused, or has nothing in common with its base: one look, a sentence on the thread, and no further try."""
    sha = commit_by_hand(hive_env, name, parent=parent)
    hive_env.mara._client.post("/repos/acme/app/branches", new_branch_name="side", old_ref_name="main")
    hive_env.mara.commit(APP, [FileEdit("one.txt", b"x\n")], message="x", branch="side")
    ref = hive_env.mara.open_pull(APP, head="side", base="main", title="side", body="").ref
    site, repo = hive_env.forge.site, hive_env.mara.repository(APP)
    row = site.must("repositories", repo.id)
    old = site.git(row).resolve("side")
    pushes.move(site, people.get(site, "mara"), row, [("refs/heads/side", old, sha)], {})
    look(hive_env, "review", ReviewAsked(ref, hive_env.mara.user("mara"), f"asked:{ref}"))
    (review,) = hive_env.mara.reviews(ref)
    assert plain(words) in review.body or words in review.body, review.body
    assert [(s.context, s.state.value) for s in hive_env.mara.statuses(APP, sha)] == [("hive/review", "error")]


def test_a_change_that_is_too_large_is_not_reviewed(hive_env: HiveEnv) -> None:
    """What is larger than can be looked at is red after one look, and says so; it is not tried again and again."""
    hive_env.mara.commit(APP, [FileEdit("long.txt", b"\n" * (MAX_LINES + 1))], message="x", branch="side", start="main")
    ref = hive_env.mara.open_pull(APP, head="side", base="main", title="side", body="").ref
    look(hive_env, "review", ReviewAsked(ref, hive_env.mara.user("mara"), f"asked:{ref}"))
    (review,) = hive_env.mara.reviews(ref)
    assert f"is too large to be reviewed: the diff has more than {MAX_LINES} lines" in review.body
    head = hive_env.mara.pull(ref).head_sha
    assert [(s.context, s.state.value) for s in hive_env.mara.statuses(APP, head)] == [("hive/review", "error")]
