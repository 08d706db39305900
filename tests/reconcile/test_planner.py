"""What a generation asks of this host is read from the mirror, which fetches what it does not have."""

from __future__ import annotations

import pytest

from hive.config import Limits
from hive.git_mirror.mirror import GitError, Login
from hive.ledger import Generation
from hive.reconcile.build import BuildFailed
from hive.reconcile.planner import Planner
from tests.reconcile.conftest import LocalMirror, Origin


@pytest.fixture
def empty(origin: Origin) -> LocalMirror:
    """A mirror that has fetched nothing."""
    made = LocalMirror(origin.path.with_name("empty.git"), "http://127.0.0.1:1/none.git", Login("core", "token"))
    made.source = str(origin.path)
    return made


def test_a_commit_is_fetched_if_need_be(origin: Origin, empty: LocalMirror) -> None:
    """Once, with its branch; what is there is not asked for again, and one that is nowhere is an error."""
    sha = origin.commit({"agent.yaml": "lane: app\nminutes: 7\n", "prompts/role.md": "Be kind.\n"})
    planner = Planner(Limits(), ("/usr/bin", "/bin"))
    for _ in range(2):
        made = planner.plan("iris", empty, "main", Generation(sha))
        assert (made.spec.minutes, made.spec.prompt) == (7, "Be kind.\n")
        assert empty.fetches == 1
    with pytest.raises(GitError):
        planner.plan("iris", empty, "main", Generation("e" * 40))
    assert empty.fetches == 2


def test_a_declaration_that_is_wrong_is_not_fetched_again(origin: Origin, empty: LocalMirror) -> None:
    """What is wrong with a commit stays wrong."""
    good = origin.commit({"agent.yaml": "lane: app\n"})
    planner = Planner(Limits(), ("/usr/bin", "/bin"))
    planner.plan("iris", empty, "main", Generation(good))
    bad = origin.commit({"agent.yaml": "lane: app\nminutes: -7\n"})
    for _ in range(2):
        with pytest.raises(BuildFailed, match="minutes"):
            planner.plan("iris", empty, "main", Generation(bad))
    assert empty.fetches == 2
