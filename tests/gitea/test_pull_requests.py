"""Pull requests, against forges that show them in three ways and crash when there is nothing to do."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from forge.gitea.operator import GiteaOperator
from forge.gitea.reader import GiteaReader
from forge.gitea.writer import GiteaForge
from forge.models import Notification, PullRequest, Ref
from forge.protocol import Conflict, NotFound, Refused, Unavailable
from tests.gitea.forms import APP, EVE, HEAD, IRIS, MARK, NEXT, PULL, issue, pull, review

if TYPE_CHECKING:
    from tests.gitea.conftest import Wire

ONE = "/repos/acme/app/pulls/15"
BEHIND = "/repos/acme/app/compare/agent%2Firis%2F1...main"


def pushed(number: int, *, sha: str = HEAD, label: str = "", **more: Any) -> dict[str, Any]:
    """What was pushed to refs/for: with an empty label on Forgejo 10 and Gitea 1.26."""
    head = {**pull()["head"], "ref": f"refs/pull/{number}/head", "label": label, "sha": sha}
    return pull(number=number, head=head, **more)


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


def found(reader: GiteaReader, topic: str, head_sha: str = "") -> PullRequest | None:
    return reader.pushed_pull(APP, base="main", author="Iris", topic=topic, head_sha=head_sha)


def test_topics_that_are_told(wire: Wire, reader: GiteaReader) -> None:
    """Forgejo 17 tells the topic, which may have parts; another author's is another topic."""
    rows = [
        pull(),
        pushed(16, label="iris/one"),
        pushed(17, label="iris/two/b"),
        pushed(18, label="eve/three", user=EVE),
    ]
    for topic, number in (("one", 16), ("two/b", 17), ("three", None), ("two", None)):
        wire.anew().say(rows).say([])
        pulled = found(reader, topic)
        assert (pulled.ref.number if pulled else None) == number
        assert len(wire.asked) == 2


def test_topics_that_are_not_told(wire: Wire, reader: GiteaReader) -> None:
    """Forgejo 10 and Gitea 1.26 find by the topic, and by the commit that was pushed."""
    rows = [pushed(16), pushed(17, sha=NEXT)]
    wire.say(rows).say([]).say(pushed(17))
    assert getattr(found(reader, "two"), "ref", None) == Ref(APP, 17)
    assert wire.heard()[-1] == "GET /repos/acme/app/pulls/main/iris/two"
    wire.anew().say(rows).say([])
    assert getattr(found(reader, "two", NEXT), "ref", None) == Ref(APP, 17)
    assert len(wire.asked) == 2


@pytest.mark.parametrize("answer", [(pushed(3, state="closed"), 200), ({}, 404)])
def test_topics_that_are_used_again(wire: Wire, reader: GiteaReader, answer: tuple[Any, int]) -> None:
    """An old pull request of the same topic is not taken for an open one of another."""
    wire.say([pushed(16)]).say([]).say(*answer)
    assert found(reader, "one") is None


def test_nothing_was_pushed(wire: Wire, reader: GiteaReader) -> None:
    """Where nobody proposes by a push there is nothing to find."""
    wire.say([pull()]).say([])
    assert found(reader, "one") is None
    assert len(wire.asked) == 2


def test_bringing_up_to_date(wire: Wire, forge: GiteaForge) -> None:
    """A head is brought up to date if it lacks something, by a merge and never by rewriting it."""
    wire.say(pull()).say(pull()).say({"total_commits": 2}).say(b"")
    forge.update_pull(PULL)
    assert wire.heard() == [f"GET {ONE}", f"GET {ONE}", f"GET {BEHIND}", f"POST {ONE}/update"]
    assert wire.asked[-1].query == {"style": "merge"}
    wire.anew().say(pull()).say(pull()).say({"total_commits": 0})
    forge.update_pull(PULL)
    assert {asked.method for asked in wire.asked} == {"GET"}


def test_bringing_up_to_date_in_the_same_moment(wire: Wire, forge: GiteaForge) -> None:
    """A 500 is nothing to do if nothing is left to do, and a failure else."""
    before = [pull(), pull(), {"total_commits": 2}]
    for left in (0, 1):
        wire.anew()
        for answer in before:
            wire.say(answer)
        wire.say({}, 500).say(pull()).say({"total_commits": left})
        if left:
            with pytest.raises(Unavailable, match="POST"):
                forge.update_pull(PULL)
        else:
            forge.update_pull(PULL)


def test_bringing_a_fork_up_to_date(wire: Wire, forge: GiteaForge) -> None:
    """A fork's head is as fresh as the forge says it is."""
    fork = {**pull()["head"], "repo": {"full_name": "eve/app"}}
    wire.say(pull(head=fork, merge_base=pull()["base"]["sha"]))
    forge.update_pull(PULL)
    wire.anew().say(pull(head=fork, merge_base=NEXT)).say(pull(head=fork, merge_base=NEXT)).say(b"")
    forge.update_pull(PULL)
    assert wire.heard()[-1] == f"POST {ONE}/update"


def test_what_cannot_be_brought_up_to_date(wire: Wire, forge: GiteaForge) -> None:
    """What is closed, was pushed to refs/for, has lost its branch or disagrees with its base is a conflict."""
    wire.say(pull(state="closed"))
    with pytest.raises(Conflict, match="closed"):
        forge.update_pull(PULL)
    wire.anew().say(pushed(15))
    with pytest.raises(Conflict, match="with a push to refs/for/main"):
        forge.update_pull(PULL)
    wire.anew().say(pull()).say(pull()).say({}, 404)
    with pytest.raises(Conflict, match="its branch is gone"):
        forge.update_pull(PULL)
    wire.anew().say(pull()).say(pull()).say({"total_commits": 1})
    wire.say({"message": "merge failed because of conflict"}, 409)
    with pytest.raises(Conflict, match="because of conflict"):
        forge.update_pull(PULL)


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


def test_overruling_a_review(wire: Wire, operator: GiteaOperator) -> None:
    """A review that counts no more is left alone."""
    said = review(7, MARK, "REQUEST_CHANGES", dismissed=False)
    wire.say(said).say({**said, "dismissed": True}).say({**said, "dismissed": True})
    operator.dismiss(PULL, 7, message="overruled")
    operator.dismiss(PULL, 7, message="overruled")
    assert wire.bodies(f"POST {ONE}/reviews/7/dismissals") == [{"message": "overruled"}]
    assert len(wire.asked) == 3


def notice(number: int, url: str, kind: str = "Pull", *, at: str = "12:00:00") -> dict[str, Any]:
    about = {"title": "t", "url": f"http://forge.example/api/v1/repos/acme/app/{url}", "type": kind, "state": "open"}
    where = {"full_name": "acme/app"}
    return {"id": number, "repository": where, "subject": about, "unread": True, "updated_at": f"2026-11-21T{at}Z"}


def test_notifications(wire: Wire, reader: GiteaReader) -> None:
    """A notification leads to an issue or pull request, below `issues` or `pulls`; others are passed over."""
    noon = datetime(2026, 11, 21, 12, tzinfo=UTC)
    rows = [notice(3, "issues/15"), notice(2, "pulls/15"), notice(1, "issues/12", "Issue", at="11:00:00")]
    wire.say([*rows, notice(4, f"commits/{HEAD}", "Commit"), notice(5, "", "Repository")]).say([])
    heard = reader.notifications(noon)
    assert heard[1:] == [Notification(number, PULL, unread=True, updated_at=noon) for number in (2, 3)]
    assert heard[0].ref.number == 12
    assert wire.asked[0].query["since"] == "2026-11-21T12:00:00Z"
    with pytest.raises(ValueError, match="zone"):
        reader.notifications(noon.replace(tzinfo=None))


@pytest.mark.parametrize(
    "url", ["issues/", "issues/x", "issues/0", "issues/12345678901", f"issues/{'9' * 5000}", "issues/²"]
)
def test_notifications_about_nothing(wire: Wire, reader: GiteaReader, url: str) -> None:
    """A notification that leads nowhere concludes nothing."""
    wire.say([notice(1, url)]).say([])
    with pytest.raises(Unavailable, match=r"subject\.url is no number"):
        reader.notifications(datetime(2026, 11, 21, tzinfo=UTC))


def test_reading_notifications(wire: Wire, forge: GiteaForge) -> None:
    """What is called read is what is not newer than what was seen."""
    wire.say([], 205)
    forge.mark_read(datetime(2026, 11, 21, 12, 0, 7, tzinfo=UTC))
    assert wire.heard() == ["PUT /notifications"]
    assert wire.asked[0].query == {"last_read_at": "2026-11-21T12:00:07Z"}


def test_moved_repositories(wire: Wire, forge: GiteaForge) -> None:
    """A deed in a repository that was renamed is not done elsewhere; the error says where it is."""
    wire.say(pull()).say(b"", 301, Location="/api/v1/repos/acme/after/pulls/15/requested_reviewers")
    with pytest.raises(NotFound, match="moved to /api/v1/repos/acme/after/"):
        forge.request_reviews(PULL, [str(IRIS["login"])])
