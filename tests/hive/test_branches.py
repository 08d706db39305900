"""A try at an issue begins at the base, unless the pull request of the one before is open."""

from __future__ import annotations

import dataclasses

import pytest

from forge.gitea.writer import GiteaForge
from forge.models import FileEdit, Ref
from hive.app.branches import Branches
from hive.instance.instance import Instance
from hive.ledger import Turn
from tests.hive.conftest import APP, CONFIG, HiveEnv

WORK = "agent/iris/issue-1"
PROPOSAL = "agent/iris/acme-app-1"


def branches(hive_env: HiveEnv, turn: Turn) -> tuple[str, str]:
    """Where a turn of iris works, and where she proposes."""
    found = Branches("iris", hive_env.instance.ledger, hive_env.mara)
    return found.work(turn), found.proposal(turn)


def opened(hive_env: HiveEnv, where: str) -> Ref:
    """A pull request of iris' from a branch."""
    repo = APP if "issue" in where else CONFIG
    with GiteaForge(
        name="forgejo", url=hive_env.forge.url, token=hive_env.instance.secret_store.token("forgejo", "iris")
    ) as iris:
        iris.commit(repo, [FileEdit("x", where.encode())], message="x", branch=where, start="main")
        return iris.open_pull(repo, head=where, base="main", title="x", body="").ref


def begun(instance: Instance, key: str) -> Turn:
    """The first turn of a new run on the issue."""
    runs = instance.ledger.runs
    runs.start("acme", "iris", f"{APP}#1", key, "do it")
    turn = runs.claim("iris")
    assert turn is not None
    runs.end_turn(turn, "pushed")
    return turn


@pytest.mark.parametrize("where", [WORK, PROPOSAL])
def test_after_a_rejected_one_comes_a_new_branch(hive_env: HiveEnv, where: str) -> None:
    """An open pull request is gone on with by later runs; a closed one is left behind, again and again."""
    runs = hive_env.instance.ledger.runs
    index = 0 if where == WORK else 1
    expected = where
    for number in range(3):
        turn = begun(hive_env.instance, f"k{number}")
        assert branches(hive_env, turn)[index] == expected
        pull = opened(hive_env, expected)
        if where == WORK:
            runs.set_pull(turn.run, str(pull))
        else:
            runs.set_dependency(turn.run, str(pull))
        runs.end(turn.run, "begun again")
        later = begun(hive_env.instance, f"l{number}")
        assert branches(hive_env, later)[index] == expected  # it is open
        runs.end(later.run, "closed")
        hive_env.mara.close(pull)
        expected = f"{where}-after-{pull.number}"


def test_a_run_stays_on_its_branch(hive_env: HiveEnv) -> None:
    """What becomes of its own pull request moves no run to another branch: it is over then, or goes on there."""
    turn = begun(hive_env.instance, "k")
    pull = opened(hive_env, WORK)
    hive_env.mara.close(pull)
    assert branches(hive_env, dataclasses.replace(turn, pull=str(pull)))[0] == WORK


def test_others_branches_are_not_gone_on_with(hive_env: HiveEnv) -> None:
    """A pull request from a branch that is not the agent's, or one that is gone, is nothing to go on with."""
    turn = begun(hive_env.instance, "k")
    hive_env.instance.ledger.runs.set_pull(turn.run, f"{APP}#99")
    hive_env.instance.ledger.runs.end(turn.run, "closed")
    assert branches(hive_env, begun(hive_env.instance, "l"))[0] == f"{WORK}-after-99"
