"""S2 and the routing of S10: an issue finds its agent, once; agents that may only speak, and one that is not the right one."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import suppress

import pytest

from forge.models import Ref
from forge.protocol import NotFound
from hive.demo.model import ModelConversation, ModelReply, ToolCall
from tests.stories.conftest import APP, Hive, raised

DISK = "agent disk usage: all agents show 0"
IDEAS = "prepare for inter-hive migration, give me ideas, don't implement"
LOCKED = "rename the page to an apiary"
WANDERING = "the page is about an agent's container"
OTHER = "damocles"
LANES = """\
      harness: {agent: damocles, words: [agent, agents, container, migration], paths: ["harness/*"]}
"""


def finish(outcome: str, message: str) -> ModelReply:
    """The end of a turn in words."""
    return ModelReply("", (ToolCall("finish", {"outcome": outcome, "message": message}),))


class Crew:
    """Mends the disk; tries to push where it may not, and then says so; gives away what it should not have."""

    def reply(self, conversation: ModelConversation) -> ModelReply:
        """The next reply."""
        task, made = conversation.task, conversation.made
        if WANDERING in task:
            if not made:
                return ModelReply("", (ToolCall("not_my_lane", {"why": "I do not look after containers."}),))
            return finish("blocked", "I could not give it back.")
        if not made:
            write = {"path": "harness/disk.py", "content": f'"""Disk usage."""\n\nBLOCK = {len(task)}\n'}
            return ModelReply("", (ToolCall("write", write),))
        if len(made) == 1:
            return ModelReply("", (ToolCall("submit", {"title": "Count blocks", "summary": "Sizes are in blocks."}),))
        return finish("answered", f"In words, as I was told: {made[-1][1].text[:300]}")


@pytest.fixture(scope="module")
def hive(tmp_path_factory: pytest.TempPathFactory, sandbox: str) -> Iterator[Hive]:
    """A hive of two agents, whose parts are started again at once."""
    place = tmp_path_factory.mktemp("hive")
    with raised(place, Crew(), sandbox=sandbox, others=f", {OTHER}", lanes=LANES, longest_delay=0.3) as made:
        yield made


def file(hive: Hive, title: str, *labels: str) -> Ref:
    """Mara files an issue without a text, with labels from the first."""
    known = {label["name"]: label["id"] for label in hive.as_admin("GET", f"/repos/{APP.path}/labels?limit=50")}
    told = {"title": title, "body": "", "labels": [known[label] for label in labels]}
    filed = hive.mara._client.post(f"/repos/{APP.path}/issues", **told).value
    assert isinstance(filed, dict)
    return Ref(APP, filed["number"])


def outcome(hive: Hive, issue: Ref) -> str:
    """How the newest run on an issue ended; empty while it has not."""
    run = hive.instance.ledger.runs.find(str(issue))
    return run.outcome if run else ""


def said(hive: Hive, issue: Ref, login: str) -> list[str]:
    """What an account has said on an issue."""
    return [comment.body for comment in hive.mara.comments(issue) if comment.author.login == login]


def test_s2_an_issue_finds_its_agent_once(hive: Hive) -> None:
    """Kind, area, agent and the reasons; news five times and a worker killed in the middle make nothing twice; a merge ends it."""
    before = hive.census()
    issue = file(hive, DISK)
    hive.until(lambda: hive.instance.ledger.runs.find(str(issue)), "the run")
    for number, (kind, body) in enumerate(hive.deliveries() * 5):
        assert hive.deliver(kind, body, f"early-{number}") == 202
    with suppress(ProcessLookupError):
        os.kill(hive.tree.pid("work"), signal.SIGKILL)
    pull = hive.until(lambda: hive.pull_of(issue), "the pull request")
    found = hive.mara.issue(issue)
    assert {"type/bug", "area/harness"} <= set(found.labels)
    assert [user.login for user in found.assignees] == [OTHER]
    (routed,) = said(hive, issue, "triage")
    assert "`type/bug` because of `0`" in routed
    assert "`area/harness` because of `agent`, `agents`" in routed
    assert "eyes" in {reaction.content for reaction in hive.mara.reactions(issue)}

    hive.until(lambda: hive.status(pull, "hive/review") == "success", "a green review")
    proposed = hive.mara.pull(pull)
    assert (proposed.head_branch, proposed.author.login) == (f"agent/{OTHER}/issue-{issue.number}", OTHER)
    assert f"Closes #{issue.number}" in proposed.body
    for number, (kind, body) in enumerate(hive.deliveries() * 5):
        assert hive.deliver(kind, body, f"late-{number}") == 202
    hive.settle()
    counted = {"issues": 1, "pulls": 1, "branches": 0, "assignees": 1}
    after = hive.census()
    assert {what: after[what] - before[what] for what in counted} == counted
    assert len(said(hive, issue, "triage")) == 1

    hive.merge(pull)
    hive.until(lambda: not hive.mara.issue(issue).is_open, "the issue's end")
    hive.until(lambda: outcome(hive, issue) == "merged", "the run's end")


@pytest.mark.parametrize(("title", "label"), [(IDEAS, "brainstorm"), (LOCKED, "locked")])
def test_s10_where_agents_may_only_speak(hive: Hive, title: str, label: str) -> None:
    """It is routed and answered in words: no branch, no pull request, and the refusal is in the audit log."""
    audit = hive.instance.ledger.audit
    before, pulls = audit.last(), hive.census()["pulls"]
    issue = file(hive, title, label)

    def answer() -> str:
        return next((each for each in said(hive, issue, "iris") if "In words" in each), "")

    words = hive.until(answer, "an answer in words")
    assert f"held: `{label}` is on it" in words
    hive.settle()
    assert hive.census()["pulls"] == pulls
    assert [user.login for user in hive.mara.issue(issue).assignees] == ["iris"]
    with pytest.raises(NotFound):
        hive.mara.branch(APP, f"agent/iris/issue-{issue.number}")
    refused = [row for row in audit.after(before) if row.actor == "iris" and row.action == "request_rejected"]
    assert any(f"`{label}`" in str(row.detail) for row in refused)


def test_s10_a_ping_pong_of_agents_ends_at_an_operator(hive: Hive) -> None:
    """Each gives it back: it goes once to the other one, then to nobody, and an operator is called."""
    issue = file(hive, WANDERING)
    hive.until(lambda: "needs-operator" in hive.mara.issue(issue).labels, "an operator's turn")
    hive.settle()
    assert hive.mara.issue(issue).assignees == ()
    assert outcome(hive, issue) == "bounced"
    bounced = [*said(hive, issue, "iris"), *said(hive, issue, OTHER)]
    assert sum(each.startswith("/not-my-lane") for each in bounced) == len(bounced) == 2
    assert any("second time" in each and "@mara" in each for each in said(hive, issue, "core"))
