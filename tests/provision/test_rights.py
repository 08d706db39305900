"""With no more rights than `hive init` gives, each account can ask and do what it is there for, on every dialect."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from forge.gitea.client import route
from forge.gitea.writer import GiteaForge
from forge.models import CommitStatus, FileEdit, Ref, Repo, ReviewState, State
from forge.protocol import NotFound, Reader, Refused
from hive.app.polls import pollers
from hive.poller import state_of
from tests.provision.conftest import APP, IRIS, RIGHTS, Build, ProvisionEnv

MARK = "<!-- hive:1 -->"
META, LORE = Repo("work", "hive", "meta"), Repo("work", "hive", "knowledge")
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


@dataclass
class Project:
    """A private repository with an issue, a comment, a pull request and a review."""

    provision_env: ProvisionEnv
    issue: Ref
    pull: Ref
    comment: int
    review: int
    sha: str


def private(build: Build, flavour: str) -> Project:
    """What of a repository everybody may read says nothing about rights: the project is a private one."""
    provision_env = build(flavour)
    provision_env.raw.post("/orgs", username="acme")
    provision_env.raw.post("/orgs/acme/repos", name="app", private=True, auto_init=True, default_branch="main")
    assert "created hooks of acme, birch, agent-configs, hive with a new secret" in provision_env.init()
    at = route("repos", "acme", "app")
    provision_env.raw.post(f"{at}/releases", tag_name="v1", target_commitish="main")
    issue = Ref(APP, provision_env.raw.post(f"{at}/issues", title="one")["number"].number())
    comment = provision_env.raw.post(f"{at}/issues/1/comments", body="so")["id"].number()
    provision_env.raw.post(f"{at}/contents/a", content="YQ==", message="m", branch="main", new_branch="side")
    pull = Ref(APP, provision_env.raw.post(f"{at}/pulls", title="side", head="side", base="main")["number"].number())
    review = provision_env.raw.post(f"{at}/pulls/{pull.number}/reviews", event="COMMENT", body="well")["id"].number()
    sha = provision_env.raw.get(f"{at}/branches/side")["commit"]["id"].text()
    return Project(provision_env, issue, pull, comment, review, sha)


Question = Callable[[Reader, Project], Any]
QUESTIONS: dict[str, Question] = {
    "capabilities": lambda r, _: r.capabilities(),
    "user": lambda r, _: r.user("mara"),
    "repository": lambda r, _: r.repository(APP),
    "issue": lambda r, p: r.issue(p.issue),
    "sees_subjects": lambda r, _: r.sees_subjects(APP),
    "comments": lambda r, p: r.comments(p.issue),
    "comment_by_id": lambda r, p: r.comment_by_id(p.issue, p.comment),
    "is_blocked": lambda r, p: r.is_blocked(p.issue),
    "issue_templates": lambda r, _: r.issue_templates(APP),
    "timeline": lambda r, p: r.timeline(p.pull),
    "pull": lambda r, p: r.pull(p.pull),
    "open_pulls": lambda r, _: r.open_pulls(APP),
    "pull_of": lambda r, p: r.pull_of(APP, p.sha),
    "files": lambda r, p: r.files(p.pull),
    "diff": lambda r, p: r.diff(p.pull),
    "reviews": lambda r, p: r.reviews(p.pull),
    "review_comments": lambda r, p: r.review_comments(p.pull, p.review),
    "branch": lambda r, _: r.branch(APP, "main"),
    "file": lambda r, _: r.file(APP, "README.md", "main"),
    "reactions": lambda r, p: r.reactions(p.issue, p.comment),
    "statuses": lambda r, p: r.statuses(APP, p.sha),
    "pushes": lambda r, _: r.pushes(APP, "main", 0),
}
OF_ADMINS = {"protection", "protection_of"}
"""Refused to all of the hive's own accounts; none of them depends on it."""
OF_ORGANISATIONS = {"repositories"}
"""Questions that take a scope of their own, which `core` alone has."""


def test_every_question_is_asked() -> None:
    """No question that a reader can be asked is left out here."""
    known = {name for part in Reader.__mro__ for name in vars(part) if not name.startswith("_")}
    assert known - OF_ADMINS - OF_ORGANISATIONS == set(QUESTIONS)


def ask(faces: dict[str, GiteaForge], project: Project) -> list[str]:
    """What is refused to whom."""
    found = []
    for login, hands in faces.items():
        for name, question in QUESTIONS.items():
            if name == "user" and login == "iris":
                continue  # a token that is bound to repositories may not
            try:
                question(hands, project)
            except (Refused, NotFound) as error:
                found.append(f"{login} {name}: {error}")
    return found


@RIGHTS
def test_all_can_read_their_work(build: Build, flavour: str) -> None:
    """Core, triage, review and agents may ask each question of their work; the rule of a branch is for admins."""
    project = private(build, flavour)
    faces = {login: project.provision_env.by(login) for login in ("core", "triage", "argus", "iris")}
    assert ask(faces, project) == []
    for hands in faces.values():
        with pytest.raises(Refused):
            hands.protection(APP, "main")
        hands.disconnect()


@RIGHTS
def test_sweeps_see_everything(build: Build, flavour: str) -> None:
    """The sweep of each organisation, with core's rights, comes to its end and is refused nothing."""
    provision_env = private(build, flavour).provision_env
    for sweeper in pollers(provision_env.instance):
        for _ in range(2):
            assert sweeper.sweep(thorough=True).failed == ""
    for owner in ("acme", "birch", "agent-configs", "hive"):
        assert list(state_of(provision_env.instance.ledger, "work", owner).sentences(0.0)) == []


@RIGHTS
def test_all_can_do_their_work(build: Build, flavour: str) -> None:
    """Each account does what its bot wants of it, with the rights that it was given."""
    project = private(build, flavour)
    provision_env = project.provision_env
    with provision_env.by("core") as core:
        core.set_status(APP, project.sha, CommitStatus("hive/review", State.SUCCESS))
        core.tag(IRIS, "deployed/1", core.branch(IRIS, "main").sha, "deployed")
        core.commit(META, [FileEdit("deployed/iris", b"x")], message="deploy", branch="deployments", start="main")
        told = core.open_issue(META, "to decide", MARK, marker=MARK).ref
        core.comment(told, MARK, marker=MARK)
    with provision_env.by("triage") as triage:
        triage.label(project.issue, add=["type/bug"])
        triage.assign(project.issue, ["iris"])
        triage.comment(project.issue, MARK, marker=MARK)
        triage.react(project.issue, "eyes")
    with provision_env.by("argus") as argus:
        argus.review(project.pull, state=ReviewState.COMMENT, body=MARK, head_sha=project.sha, comments=[], marker=MARK)
    with provision_env.by("iris") as iris:
        provision_env.raw.post("/repos/acme/app/branches", new_branch_name="agent/iris/1", old_ref_name="main")
        iris.put_file(APP, "b", b"b", message="b", branch="agent/iris/1")
        iris.open_pull(APP, head="agent/iris/1", base="main", title="b", body="b")
        provision_env.raw.post("/repos/agent-configs/iris/branches", new_branch_name="more", old_ref_name="main")
        iris.put_file(IRIS, "notes", b"b", message="b", branch="more")
        iris.open_pull(IRIS, head="more", base="main", title="b", body="b")
        assert iris.file(LORE, "README.md", "main")


def test_a_right_that_is_missing(build: Build) -> None:
    """Without the right to read releases the sweep goes on, the doctor says what it does not see, and init mends it."""
    provision_env = private(build, "forgejo-17").provision_env
    team = provision_env.team("agent-configs", "core")
    units = {"repo.code": "write", "repo.issues": "write", "repo.pulls": "write"}
    provision_env.raw.patch(f"/teams/{team}", name="core", permission="write", units_map=units)
    for sweeper in pollers(provision_env.instance):
        assert not sweeper.sweep().failed, "as Gitea 1.23 answers 403"
    said = "\n".join(provision_env.ills(admin=False))
    assert (
        "🔴 the poller may not read releases of agent-configs/iris (GET /repos/agent-configs/iris/releases: 403" in said
    )
    assert "🔴 the sweep of agent-configs on work may not ask for releases of work:agent-configs/bo" in said
    assert provision_env.init() == ["fixed team agent-configs/core: may write code, write issues, write pulls"]
    for sweeper in pollers(provision_env.instance):
        assert not sweeper.sweep().failed
    assert provision_env.ills(admin=False) == []
