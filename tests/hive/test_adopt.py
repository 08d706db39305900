"""After a head was refused an operator on the host can take it as it is, having seen it; nobody else, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from forge.gitea.admin import GiteaAdmin
from hive.app.adopt import adoption, reading
from hive.app.house import NotReady
from hive.app.up import ADMIN
from hive.cli import main
from hive.demo.stage import FORGE
from hive.ledger import DeploymentState, Scope
from tests.hive.conftest import CONFIG, Village

AGENT = "lane: app\npackages: [gzip]\n"


@pytest.fixture
def admin(village: Village) -> Iterator[GiteaAdmin]:
    """Somebody who can push past the protection."""
    password = village.house.vault.password(FORGE, ADMIN)
    with GiteaAdmin(name=FORGE, url=village.forge.url, login=ADMIN, password=password) as made:
        yield made


def push(village: Village, admin: GiteaAdmin, text: str = AGENT, *, refused: bool = True) -> str:
    """A commit on the configuration's branch that no merge brought; the host refuses it."""
    at = f"/repos/{CONFIG.path}/branch_protections"
    rule = admin._client.get(f"{at}/main").value
    assert isinstance(rule, dict)
    admin._client.delete(f"{at}/main")
    with village.house_core() as core:
        core.put_file(CONFIG, "agent.yaml", text.encode(), message="past \x1b[31mthe\x07 rule", branch="main")
    admin._client.post(at, **{key: value for key, value in rule.items() if not key.endswith("_at")})
    sha = admin.branch(CONFIG, "main").sha
    if refused:
        deployments = village.house.ledger.deployments
        anchor = deployments.anchor("iris")
        assert anchor is not None
        assert deployments.reject(anchor, sha, "direct push")
    return sha


def said(village: Village, *words: str, answer: str = "") -> tuple[int, str]:
    """What the command line says."""
    config = str(Path(village.house.settings.home) / "hive.yaml")
    done = CliRunner().invoke(main, ["adopt", "iris", config, *words], input=answer)
    return done.exit_code, done.output


def test_what_was_refused_is_shown_and_taken(village: Village, admin: GiteaAdmin) -> None:
    """Old and new commit, who wrote what, which files: then a yes, an audit row, and the host brings it up."""
    ledger = village.house.ledger
    before = ledger.deployments.anchor("iris")
    assert before is not None
    sha = push(village, admin)
    status, words = said(village, answer="n\n")
    assert status == 1
    assert ledger.deployments.open("iris") is None, "no is no"
    assert f"old {before.sha}\nnew {sha}\n1 commits:\n" in words
    assert "core: past ·[31mthe" in words
    assert "1 files:\n  ~ agent.yaml\n" in words
    assert "refused because: direct push" in words
    assert "\x1b" not in words
    status, words = said(village, "--yes")
    assert status == 0, words
    opened = ledger.deployments.open("iris")
    assert opened is not None
    assert (opened.sha, opened.state, opened.previous_sha) == (sha, "verified", before.running_sha)
    (row,) = [row for row in ledger.audit.after(0) if row.action == "commit_adopted"]
    assert row.actor.startswith("operator:")
    assert (row.detail["old"], row.detail["new"], row.detail["reason"]) == (before.sha, sha, "direct push")
    ledger.deployments.move(opened, DeploymentState.DEPLOYED)
    after = ledger.deployments.anchor("iris")
    assert after is not None
    assert (after.sha, after.running_sha, after.rejected_sha) == (sha, sha, "")
    assert after.cursor > before.cursor, "the feed is read from here on"


def test_there_is_nothing_to_adopt(village: Village, admin: GiteaAdmin) -> None:
    """While nothing was refused nothing is adopted, and neither is what the host has not looked at yet."""
    assert said(village, "--yes")[1].endswith("was not refused: there is nothing to adopt\n")
    push(village, admin, refused=False)
    assert said(village, "--yes")[0] == 1
    assert village.house.ledger.deployments.open("iris") is None


def test_another_repository_is_shown_as_such_and_taken(village: Village, admin: GiteaAdmin) -> None:
    """A configuration that was made anew is another repository: that is asked in so many words, and its agent goes on."""
    ledger = village.house.ledger
    before = ledger.deployments.anchor("iris")
    assert before is not None
    admin._client.delete(f"/repos/{CONFIG.path}")
    said_id = {"name": CONFIG.name, "auto_init": True, "default_branch": "main", "private": True}
    admin._client.post(f"/orgs/{CONFIG.owner}/repos", **said_id)
    with village.house_core() as core:
        core.put_file(CONFIG, "agent.yaml", AGENT.encode(), message="anew", branch="main")
        core.put_file(CONFIG, "prompt.md", b"You are iris.", message="anew", branch="main")
    village.house.whereabouts.look()
    assert ledger.parking.of("acme", Scope.AGENT, "iris")
    new = admin.repository(CONFIG).id
    status, words = said(village, answer="n\n")
    assert status == 1
    assert f"the repository is another one now: its id is {new}, it was {before.repo_id}" in words
    assert ledger.deployments.open("iris") is None, "no is no"
    status, words = said(village, "--yes")
    assert status == 0, words
    after, pinned = ledger.deployments.anchor("iris"), ledger.repositories.of(CONFIG)
    assert after is not None
    assert pinned is not None
    assert (after.repo_id, pinned.id) == (new, new)
    assert not ledger.parking.of("acme", Scope.AGENT, "iris")
    assert ledger.deployments.open("iris") is not None


def test_what_does_not_build(village: Village, admin: GiteaAdmin) -> None:
    """A head that would not build is not adopted, with each problem."""
    push(village, admin, "lane: app\npackages: [no-such-thing]\n")
    status, words = said(village, "--yes")
    assert status == 1
    assert "does not build" in words
    assert "no-such-thing" in words


def test_a_head_that_moved(village: Village, admin: GiteaAdmin) -> None:
    """What is adopted is what was shown: a head that moved meanwhile is another one."""
    push(village, admin)
    with reading(village.house, "iris") as reader:
        found = adoption(village.house, "iris", reader)
        later = push(village, admin, "lane: app\n", refused=False)
        with pytest.raises(NotReady, match=f"is at {later[:12]} by now"):
            found.take()
    assert village.house.ledger.deployments.open("iris") is None


def test_an_unknown_agent(village: Village) -> None:
    """Who is no agent has nothing to adopt."""
    with pytest.raises(NotReady, match="no team has an agent 'nobody'"):
        reading(village.house, "nobody")
