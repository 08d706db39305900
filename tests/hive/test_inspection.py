"""What a change of a configuration would mean is told before it is merged, and what it may not be with its place."""

from __future__ import annotations

import pytest

from bots.words import plain
from forge.events import PullChanged
from forge.gitea.write import GiteaForge
from forge.types import Ref
from hive.app.work import mirrors
from hive.inspection import holders
from tests.hive.conftest import CONFIG, Village

LAUGHS = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcdefg", "bcdefgh", strict=True)
)


def propose(village: Village, text: str, branch: str = "side") -> Ref:
    """The account of the hive proposes a declaration for iris."""
    url, token = village.forge.url, village.house.vault.token("forgejo", "core")
    with GiteaForge(name="forgejo", url=url, token=token) as core:
        village.mara._client.post("/repos/agent-configs/iris/branches", new_branch_name=branch, old_ref_name="main")
        core.put_file(CONFIG, "agent.yaml", text.encode(), message="x", branch=branch)
        return core.open_pull(CONFIG, head=branch, base="main", title=branch, body="").ref


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
def test_what_is_wrong_is_said_on_the_pull_request(village: Village, text: str, problem: str) -> None:
    """A declaration that the house cannot take is red, with file, line and column, after one look."""
    ref = propose(village, text)
    event = PullChanged(ref, village.mara.user("mara"), f"changed:{ref}")
    worker = village.worker()
    for job in village.house.ledger.jobs.owe("acme", [("gatekeeper", event)]):
        worker.look(job)
    (comment,) = village.mara.comments(ref)
    assert plain(problem) in comment.body
    head = village.mara.pull(ref).head_sha
    assert [(s.context, s.state.value) for s in village.mara.statuses(CONFIG, head)] == [("hive/eval", "failure")]


def test_a_role_that_another_agent_has(village: Village) -> None:
    """Who is lead or lorekeeper is read from what was merged; a configuration that cannot be read has no role."""
    mirror = mirrors(village.house, "work")
    for branch, text, found in (
        ("one", "lane: app\nrole: lorekeeper\n", {"lorekeeper": "iris"}),
        ("two", "lane: app\nrole: agent\n", {}),
        ("three", "lane: [\n", {}),
    ):
        propose(village, text, branch)
        assert holders(mirror, [("iris", CONFIG, branch)]) == found
