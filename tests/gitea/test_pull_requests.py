"""Pull requests, against forges that show them in three ways and crash when there is nothing to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from forge.gitea.operator import GiteaOperator
from forge.gitea.reader import GiteaReader
from forge.gitea.writer import GiteaForge
from forge.protocol import Conflict, NotFound, Refused, Unavailable
from tests.gitea.forms import APP, EVE, HEAD, IRIS, PULL, issue, pull

if TYPE_CHECKING:
    from tests.gitea.conftest import Wire

ONE = "/repos/acme/app/pulls/15"
BEHIND = "/repos/acme/app/compare/agent%2Firis%2F1...main"


def test_the_open_ones(wire: Wire, reader: GiteaReader) -> None:
    """A head and a base are asked for in the words of every forge, and sifted for those that know none."""
    dev = pull(number=16, base={**pull()["base"], "ref": "dev"})
    fork = pull(number=17, head={**pull()["head"], "repo": {"full_name": "Eve/app"}})
    gone = pull(number=18, head={**pull()["head"], "repo": None})
    wire.say([pull(), dev, fork, gone]).say([])
    assert [found.ref.number for found in reader.open_pulls(APP)] == [15, 16, 17, 18]
    assert wire.asked[0].query == {"state": "open", "page": "1", "limit": "50"}
    for asked, numbers in (
        ({"base": "dev"}, [16]),
        ({"head": "agent/iris/1"}, [15, 16]),
        ({"head": "eve:agent/iris/1"}, [17]),
        ({"head": "ACME:agent/iris/1", "base": "main"}, [15]),
    ):
        wire.anew().say([pull(), dev, fork, gone]).say([])
        assert [found.ref.number for found in reader.open_pulls(APP, **asked)] == numbers
    more = {"head": "agent/iris/1", "base": "main", "base_branch": "main"}
    assert wire.asked[0].query == {"state": "open", **more, "page": "1", "limit": "50"}


def test_asking_for_reviews(wire: Wire, forge: GiteaForge) -> None:
    """Who was asked already is not asked again; who is dropped in silence is said aloud."""
    wire.say(pull(requested_reviewers=[EVE, None]))
    forge.request_reviews(PULL, ["EVE"])
    assert len(wire.asked) == 1
    wire.anew().say(pull(requested_reviewers=None)).say([], 201).say(pull(requested_reviewers=[EVE]))
    with pytest.raises(Refused, match="may not be asked for a review: iris"):
        forge.request_reviews(PULL, ["eve", "iris"])
    assert wire.bodies(f"POST {ONE}/requested_reviewers") == [{"reviewers": ["eve", "iris"]}]


def test_merging_what_waits(wire: Wire, operator: GiteaOperator) -> None:
    """A merge under a 500 that waits for an open issue is a conflict; any other one may be tried again."""
    repository = {"full_name": "acme/app"}
    rows = [issue(number=4, state="closed", repository=repository), issue(number=5, repository=repository)]
    wire.say({}, 500).say(pull()).say(rows).say([])
    with pytest.raises(Conflict, match=r"waits for work:acme/app#5$"):
        operator.merge(PULL, head_sha=HEAD)
    wire.anew().say({}, 500).say(pull()).say(rows[:1]).say([])
    with pytest.raises(Unavailable, match="merge: 500"):
        operator.merge(PULL, head_sha=HEAD)


def test_conflicts_in_other_words(wire: Wire, operator: GiteaOperator) -> None:
    """A conflict that is found only while merging has no message, and is one all the same."""
    wire.say({"Style": "merge", "StdOut": "CONFLICT", "StdErr": "", "Err": {}}, 409)
    with pytest.raises(Conflict, match=r"merge: 409$"):
        operator.merge(PULL, head_sha=HEAD)


def test_moved_repositories(wire: Wire, forge: GiteaForge) -> None:
    """A deed in a repository that was renamed is not done elsewhere; the error says where it is."""
    wire.say(pull()).say(b"", 301, Location="/api/v1/repos/acme/after/pulls/15/requested_reviewers")
    with pytest.raises(NotFound, match="moved to /api/v1/repos/acme/after/"):
        forge.request_reviews(PULL, [str(IRIS["login"])])
