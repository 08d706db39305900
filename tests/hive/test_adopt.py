"""After a head was refused an operator on the host can take it as it is, having seen it; nobody else, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from bots.intents import OpenIssue
from forge.gitea.admin import GiteaAdmin
from forge.models import Ref, Repo
from hive.app.adopt import adoption, reading
from hive.app.set_up import ADMIN
from hive.cli import main
from hive.demo.setup import FORGE
from hive.instance.instance import StartupError
from hive.ledger import DeploymentState, Scope
from hive.reconcile.report import Reporter
from hive.reconcile.verify import Rejected
from tests.hive.conftest import CONFIG, HiveEnv

AGENT = "lane: app\npackages: [gzip]\n"


@pytest.fixture
def admin(hive_env: HiveEnv) -> Iterator[GiteaAdmin]:
    """Somebody who can push past the protection."""
    password = hive_env.instance.secret_store.password(FORGE, ADMIN)
    with GiteaAdmin(name=FORGE, url=hive_env.forge.url, login=ADMIN, password=password) as made:
        yield made


def push(hive_env: HiveEnv, admin: GiteaAdmin, text: str = AGENT, *, refused: bool = True) -> str:
    """A commit on the configuration's branch that no merge brought; the host refuses it."""
    at = f"/repos/{CONFIG.path}/branch_protections"
    rule = admin._client.get(f"{at}/main").value
    assert isinstance(rule, dict)
    admin._client.delete(f"{at}/main")
    with hive_env.house_core() as core:
        core.put_file(CONFIG, "agent.yaml", text.encode(), message="past \x1b[31mthe\x07 rule", branch="main")
    admin._client.post(at, **{key: value for key, value in rule.items() if not key.endswith("_at")})
    sha = admin.branch(CONFIG, "main").sha
    if refused:
        deployments = hive_env.instance.ledger.deployments
        baseline = deployments.baseline("iris")
        assert baseline is not None
        assert deployments.reject(baseline, sha, "direct push")
    return sha


def said(hive_env: HiveEnv, *words: str, answer: str = "") -> tuple[int, str]:
    """What the command line says."""
    config = str(Path(hive_env.instance.settings.home) / "hive.yaml")
    done = CliRunner().invoke(main, ["adopt", "iris", config, *words], input=answer)
    return done.exit_code, done.output


def test_what_was_refused_is_shown_and_taken(hive_env: HiveEnv, admin: GiteaAdmin) -> None:
    """Old and new commit, who wrote what, which files: then a yes, an audit row, and the host brings it up."""
    ledger = hive_env.instance.ledger
    before = ledger.deployments.baseline("iris")
    assert before is not None
    sha = push(hive_env, admin)
    status, words = said(hive_env, answer="n\n")
    assert status == 1
    assert ledger.deployments.current("iris") is None, "no is no"
    assert f"old {before.sha}\nnew {sha}\n1 commits:\n" in words
    assert "core: past ·[31mthe" in words
    assert "1 files:\n  ~ agent.yaml\n" in words
    assert "refused because: direct push" in words
    assert "\x1b" not in words
    status, words = said(hive_env, "--yes")
    assert status == 0, words
    opened = ledger.deployments.current("iris")
    assert opened is not None
    assert (opened.sha, opened.state, opened.previous_sha) == (sha, "verified", before.running_sha)
    (row,) = [row for row in ledger.audit.after(0) if row.action == "commit_adopted"]
    assert row.actor.startswith("operator:")
    assert (row.detail["old"], row.detail["new"], row.detail["reason"]) == (before.sha, sha, "direct push")
    ledger.deployments.transition(opened, DeploymentState.DEPLOYED)
    after = ledger.deployments.baseline("iris")
    assert after is not None
    assert (after.sha, after.running_sha, after.rejected_sha) == (sha, sha, "")
    assert after.cursor > before.cursor, "the feed is read from here on"


def test_the_issue_about_it_is_closed(hive_env: HiveEnv, admin: GiteaAdmin) -> None:
    """Once an approved commit runs again, each issue about a refused head says so and is closed; a second time nothing is said."""
    ledger, worker = hive_env.instance.ledger, hive_env.worker()
    reporter = Reporter(ledger, "core", Repo(FORGE, "hive", "meta"))
    sha = push(hive_env, admin)
    before = ledger.deployments.baseline("iris")
    assert before is not None
    reporter.rejected(before, CONFIG, sha, Rejected("direct push", ""))
    assert said(hive_env, "--yes")[0] == 0
    opened = ledger.deployments.current("iris")
    assert opened is not None
    for _ in range(2):
        reporter.deployed(opened, CONFIG, ())
    owed = ledger._db.rows(
        "SELECT id FROM effects WHERE state = 'pending' AND kind IN ('open_issue', 'add_to_issue') ORDER BY id"
    )
    for row in owed:
        worker.apply(row["id"])
    _, ref = ledger.effects.state_and_ref(f"host:iris:{sha}", OpenIssue.WIRE)
    issue = hive_env.mara.issue(Ref.parse(ref))
    assert "not approved" in issue.title
    assert not issue.is_open
    assert [each.body.splitlines()[0] for each in hive_env.mara.comments(issue.ref)] == [
        f"🟢 `{sha[:7]}` is approved and counts by now, and so does what is merged from here on."
    ]


def test_there_is_nothing_to_adopt(hive_env: HiveEnv, admin: GiteaAdmin) -> None:
    """While nothing was refused nothing is adopted, and neither is what the host has not reviewed yet."""
    assert said(hive_env, "--yes")[1].endswith("was not refused: there is nothing to adopt\n")
    push(hive_env, admin, refused=False)
    assert said(hive_env, "--yes")[0] == 1
    assert hive_env.instance.ledger.deployments.current("iris") is None


def test_another_repository_is_shown_as_such_and_taken(hive_env: HiveEnv, admin: GiteaAdmin) -> None:
    """A configuration that was made anew is another repository: that is asked in so many words, and its agent goes on."""
    ledger = hive_env.instance.ledger
    before = ledger.deployments.baseline("iris")
    assert before is not None
    admin._client.delete(f"/repos/{CONFIG.path}")
    said_id = {"name": CONFIG.name, "auto_init": True, "default_branch": "main", "private": True}
    admin._client.post(f"/orgs/{CONFIG.owner}/repos", **said_id)
    with hive_env.house_core() as core:
        core.put_file(CONFIG, "agent.yaml", AGENT.encode(), message="anew", branch="main")
        core.put_file(CONFIG, "prompt.md", b"You are iris.", message="anew", branch="main")
    hive_env.instance.repository_tracker.refresh()
    assert ledger.suspensions.of("acme", Scope.AGENT, "iris")
    new = admin.repository(CONFIG).id
    status, words = said(hive_env, answer="n\n")
    assert status == 1
    assert f"the repository is another one now: its id is {new}, it was {before.repo_id}" in words
    assert ledger.deployments.current("iris") is None, "no is no"
    status, words = said(hive_env, "--yes")
    assert status == 0, words
    after, pinned = ledger.deployments.baseline("iris"), ledger.repositories.of(CONFIG)
    assert after is not None
    assert pinned is not None
    assert (after.repo_id, pinned.id) == (new, new)
    assert not ledger.suspensions.of("acme", Scope.AGENT, "iris")
    assert ledger.deployments.current("iris") is not None


def test_what_does_not_build(hive_env: HiveEnv, admin: GiteaAdmin) -> None:
    """A head that would not build is not adopted, with each problem."""
    push(hive_env, admin, "lane: app\npackages: [no-such-thing]\n")
    status, words = said(hive_env, "--yes")
    assert status == 1
    assert "does not build" in words
    assert "no-such-thing" in words


def test_a_head_that_moved(hive_env: HiveEnv, admin: GiteaAdmin) -> None:
    """What is adopted is what was shown: a head that moved meanwhile is another one."""
    push(hive_env, admin)
    with reading(hive_env.instance, "iris") as reader:
        found = adoption(hive_env.instance, "iris", reader)
        later = push(hive_env, admin, "lane: app\n", refused=False)
        with pytest.raises(StartupError, match=f"is at {later[:12]} by now"):
            found.take()
    assert hive_env.instance.ledger.deployments.current("iris") is None


def test_an_unknown_agent(hive_env: HiveEnv) -> None:
    """Who is no agent has nothing to adopt."""
    with pytest.raises(StartupError, match="no team has an agent 'nobody'"):
        reading(hive_env.instance, "nobody")
