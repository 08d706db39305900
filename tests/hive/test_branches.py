"""A try at an issue begins at the base, unless the pull request of the one before is open."""

from __future__ import annotations

import dataclasses

import pytest

from forge.gitea.write import GiteaForge
from forge.types import FileEdit, Ref
from hive.app.branches import Branches
from hive.app.house import House
from hive.ledger import Turn
from tests.hive.conftest import APP, CONFIG, Village

WORK = "agent/iris/issue-1"
PROPOSAL = "agent/iris/acme-app-1"


def branches(village: Village, turn: Turn) -> tuple[str, str]:
    """Where a turn of iris works, and where she proposes."""
    found = Branches("iris", village.house.ledger, village.mara)
    return found.work(turn), found.proposal(turn)


def opened(village: Village, where: str) -> Ref:
    """A pull request of iris' from a branch."""
    repo = APP if "issue" in where else CONFIG
    with GiteaForge(name="forgejo", url=village.forge.url, token=village.house.vault.token("forgejo", "iris")) as iris:
        iris.commit(repo, [FileEdit("x", where.encode())], message="x", branch=where, start="main")
        return iris.open_pull(repo, head=where, base="main", title="x", body="").ref


def begun(house: House, key: str) -> Turn:
    """The first turn of a new run on the issue."""
    runs = house.ledger.runs
    runs.start("acme", "iris", f"{APP}#1", key, "do it")
    turn = runs.take("iris")
    assert turn is not None
    runs.end_turn(turn, "pushed")
    return turn


@pytest.mark.parametrize("where", [WORK, PROPOSAL])
def test_after_a_rejected_one_comes_a_new_branch(village: Village, where: str) -> None:
    """An open pull request is gone on with by later runs; a closed one is left behind, again and again."""
    runs = village.house.ledger.runs
    index = 0 if where == WORK else 1
    expected = where
    for number in range(3):
        turn = begun(village.house, f"k{number}")
        assert branches(village, turn)[index] == expected
        pull = opened(village, expected)
        if where == WORK:
            runs.set_pull(turn.run, str(pull))
        else:
            runs.wait_for(turn.run, str(pull))
        runs.end(turn.run, "begun again")
        later = begun(village.house, f"l{number}")
        assert branches(village, later)[index] == expected  # it is open
        runs.end(later.run, "closed")
        village.mara.close(pull)
        expected = f"{where}-after-{pull.number}"


def test_a_run_stays_on_its_branch(village: Village) -> None:
    """What becomes of its own pull request moves no run to another branch: it is over then, or goes on there."""
    turn = begun(village.house, "k")
    pull = opened(village, WORK)
    village.mara.close(pull)
    assert branches(village, dataclasses.replace(turn, pull=str(pull)))[0] == WORK


def test_others_branches_are_not_gone_on_with(village: Village) -> None:
    """A pull request from a branch that is not the agent's, or one that is gone, is nothing to go on with."""
    turn = begun(village.house, "k")
    village.house.ledger.runs.set_pull(turn.run, f"{APP}#99")
    village.house.ledger.runs.end(turn.run, "closed")
    assert branches(village, begun(village.house, "l"))[0] == f"{WORK}-after-99"
