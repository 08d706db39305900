"""A branch may have every name that git allows, and what git refuses is refused in words."""

from __future__ import annotations

import pytest

from bots.types import Scan
from forge.embedded.faults import Fault
from forge.protocol import Unavailable
from forge.types import FileEdit, PullRequest
from hive.app.work import mirrors
from hive.inspection import ConfigEvaluator, PullScanner
from hive.settings import Limits
from tests.hive.conftest import APP, Village

NAMES = (
    *("release#1", "stack/(wip)", "feat/ä", "a&b", "x%2Fy", "c++", "user@host", "what's=this", "50%", "a;b", "$(id)"),
    *("`id`", "a|b", "a,b{c}", "日本", "a" * 200, "v1.2/hot.fix", "dash-", "a!b", '"quoted"'),
)


def proposed(village: Village, head: str, base: str) -> PullRequest:
    """A pull request of two new branches."""
    village.mara.commit(APP, [FileEdit("base.txt", b"base\n")], message="base", branch=base, start="main")
    village.mara.commit(APP, [FileEdit("a.py", b"import os\n")], message="head", branch=head, start=base)
    return village.mara.open_pull(APP, head=head, base=base, title="odd", body="")


def scan(village: Village, pull: PullRequest) -> Scan:
    return PullScanner(mirrors(village.house, "work")).scan(pull)


@pytest.mark.parametrize("name", NAMES)
def test_every_name_that_git_allows_is_looked_at(village: Village, name: str) -> None:
    """A pull request between branches of any name is found, read, fetched and looked at."""
    pull = proposed(village, f"head-{name}", name)
    assert (pull.base_branch, pull.head_branch) == (name, f"head-{name}")
    assert [found.ref for found in village.mara.open_pulls(APP, head=f"head-{name}", base=name)] == [pull.ref]
    assert village.mara.branch(APP, name).sha == pull.base_sha
    assert village.mara.file(APP, "base.txt", name) == b"base\n"
    village.mara.update_pull(pull.ref)
    assert not [why for why in scan(village, pull).failed if why[0] == "git"]


def test_a_base_that_is_gone_is_said(village: Village) -> None:
    """What cannot be fetched for good is no outage: the look ends, and says why, in both kinds of looks."""
    pull = proposed(village, "head", "base")
    mirror = mirrors(village.house, "work")
    gone = PullRequest(**{name: getattr(pull, name) for name in PullRequest.__slots__} | {"base_branch": "gone#1"})
    (why,) = scan(village, gone).failed
    assert why[0] == "git"
    assert "refs/heads/gone#1" in why[1]
    (problem,) = ConfigEvaluator(mirror, Limits()).evaluate(gone, "iris").problems
    assert "refs/heads/gone#1" in problem
    moved = PullRequest(**{name: getattr(pull, name) for name in PullRequest.__slots__} | {"head_sha": "0" * 40})
    with pytest.raises(Unavailable, match="moved"):
        scan(village, moved)


def test_a_forge_that_is_away_is_asked_again(village: Village) -> None:
    """What time can heal is tried again and blames nobody."""
    pull = proposed(village, "head", "base")
    village.forge.faults.put(Fault("502", path="*.git/*", times=99))
    with pytest.raises(Unavailable, match="now"):
        scan(village, pull)
    village.forge.faults.clear()
    assert not [why for why in scan(village, pull).failed if why[0] == "git"]
