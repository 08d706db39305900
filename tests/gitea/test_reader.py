"""Questions and what is made of their answers, where a forge's answer has to be read with care."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from forge.gitea.reader import GiteaReader
from forge.models import CommitStatus, Ref, Repo, State
from forge.protocol import NotFound, Refused

if TYPE_CHECKING:
    from tests.gitea.conftest import Wire

PAYLOADS = Path(__file__).parent / "payloads"
APP = Repo.parse("work:acme/app")
ISSUE, PULL = Ref(APP, 12), Ref(APP, 15)
HEAD = "5fd389366ca42011086222b0dd1fc7f9dc0d48d1"
IRIS = {"id": 7, "login": "iris"}
NOON = "2026-11-21T12:00:00Z"


def payload(name: str) -> Any:
    return json.loads((PAYLOADS / f"{name}.json").read_bytes())


def test_what_a_forge_can(wire: Wire, reader: GiteaReader) -> None:
    """What a forge can do is asked once."""
    wire.say({"version": "17.0.0+gitea-1.22.0"})
    assert reader.capabilities() is reader.capabilities()
    assert wire.heard() == ["GET /version"]


def test_branches_with_slashes(wire: Wire, reader: GiteaReader) -> None:
    """A branch's name may have parts; they are parts of the path, as forges want them."""
    wire.say({"name": "agent/iris/1", "commit": {"id": HEAD}, "protected": False})
    assert reader.branch(APP, "agent/iris/1").sha == HEAD
    assert wire.heard() == ["GET /repos/acme/app/branches/agent/iris/1"]


def test_repositories(wire: Wire, reader: GiteaReader) -> None:
    """The repositories of an organisation are those of all pages."""
    wire.say([{"id": 3, "full_name": "acme/app"}]).say([{"id": 4, "full_name": "acme/lib"}]).say([])
    assert [found.repo.name for found in reader.repositories("acme")] == ["app", "lib"]


def test_protection(wire: Wire, reader: GiteaReader) -> None:
    """No rule is None; not being allowed to look is Refused."""
    at = {"name": "main", "commit": {"id": HEAD}, "protected": False}
    wire.say(at).say([]).say(at).say({"message": "user should be an owner"}, 403)
    assert reader.protection(APP, "main") is None
    with pytest.raises(Refused):
        reader.protection(APP, "main")


def test_the_rule_that_counts(wire: Wire, reader: GiteaReader) -> None:
    """It is the one that the branch names, not the one that is named like the branch."""
    wire.say({"name": "main", "commit": {"id": HEAD}, "protected": True, "effective_branch_protection_name": "m*"})
    wire.say([{"rule_name": "main"}, {"rule_name": "m*", "enable_push": True}])
    rule = reader.protection(APP, "main")
    assert rule is not None
    assert (rule.branch, rule.push) == ("m*", True)


def test_conversations(wire: Wire, reader: GiteaReader) -> None:
    """Comments come oldest first, in one answer; an empty conversation is null or a list."""
    rows = [{"id": number, "user": IRIS, "body": "", "created_at": NOON, "updated_at": NOON} for number in (9, 5)]
    wire.say(rows).say(None)
    assert [comment.id for comment in reader.comments(ISSUE)] == [5, 9]
    assert reader.comments(ISSUE) == []
    assert wire.asked[0].query == {}


def test_timelines(wire: Wire, reader: GiteaReader) -> None:
    """A timeline of Forgejo is asked for without a page: then it is sent whole; an empty one is null."""
    wire.say({"version": "17.0.0+gitea-1.22.0"})
    wire.say([{"id": number, "type": "close", "user": IRIS, "created_at": NOON} for number in (9, 5)]).say(None)
    assert [timeline_event.id for timeline_event in reader.timeline(ISSUE)] == [5, 9]
    assert reader.timeline(ISSUE) == []
    assert wire.asked[1].query == {}


def test_timelines_by_pages(wire: Wire, reader: GiteaReader) -> None:
    """Gitea's is asked for by pages, of which some are empty though others follow."""
    row = {"type": "close", "user": IRIS, "created_at": NOON}
    wire.say({"version": "1.26.0"}).say([{"id": 5, **row}]).say([]).say([{"id": 9, **row}]).say([]).say([])
    assert [timeline_event.id for timeline_event in reader.timeline(ISSUE)] == [5, 9]
    assert [asked.query["page"] for asked in wire.asked[1:]] == ["1", "2", "3", "4", "5"]


def test_pulls_of_commits(wire: Wire, reader: GiteaReader) -> None:
    """A commit comes from a merged pull request, or from none."""
    merged = payload("pull_request.closed.merged")["pull_request"]
    wire.say(merged).say({**merged, "merged": False}).say({"message": "pull request does not exist"}, 404)
    found = [reader.pull_of(APP, HEAD) for _ in range(3)]
    assert [pull and pull.ref for pull in found] == [PULL, None, None]


def test_reviews(wire: Wire, reader: GiteaReader) -> None:
    """Reviews come oldest first; requests to teams are none."""
    said = {"user": IRIS, "state": "APPROVED", "commit_id": HEAD, "submitted_at": NOON}
    wire.say([{**said, "id": 9}, {**said, "id": 7, "user": None, "state": "REQUEST_REVIEW"}]).say(
        [{**said, "id": 5}]
    ).say([])
    assert [review.id for review in reader.reviews(PULL)] == [5, 9]


def test_statuses(wire: Wire, reader: GiteaReader) -> None:
    """Each context has one word, its newest, in whatever order they come."""
    rows = [(2, "ci", "success"), (3, "ci", "nonsense"), (1, "ci", "pending"), (4, "eval", "success")]
    wire.say([{"id": number, "context": context, "status": word} for number, context, word in rows]).say([])
    assert reader.statuses(APP, HEAD) == [CommitStatus("ci", State.ERROR), CommitStatus("eval", State.SUCCESS)]


def moved(number: int, ref: str = "refs/heads/main", content: str = "") -> dict[str, Any]:
    return {"id": number, "ref_name": ref, "content": content, "act_user_id": 7, "op_type": "commit_repo"}


def test_pushes(wire: Wire, reader: GiteaReader) -> None:
    """The feed is read back to the row that is known, and no further."""
    wire.say([moved(8), moved(9), moved(7, "refs/heads/other")]).say([moved(6), moved(5)]).say([moved(4)]).say(
        [moved(3)]
    )
    assert [push.id for push in reader.pushes(APP, "main", 5)] == [9, 8, 6]
    assert len(wire.asked) == 3
    wire.anew().say([moved(9)]).say([])
    assert [push.id for push in reader.pushes(APP, "main", 0)] == [9]


def test_files_and_remarks(wire: Wire, reader: GiteaReader) -> None:
    """The files of a pull request come in pages, the remarks of a review at once."""
    wire.say([{"filename": "a.py", "status": "changed"}]).say([]).say([{"id": 1, "path": "a.py", "position": 3}])
    assert [file.path for file in reader.files(PULL)] == ["a.py"]
    assert [remark.line for remark in reader.review_comments(PULL, 5)] == [3]
    assert wire.heard()[-1] == "GET /repos/acme/app/pulls/15/reviews/5/comments"


def test_a_renamed_account(wire: Wire, reader: GiteaReader) -> None:
    """An account that was renamed is not found under its old name, which anybody may take."""
    wire.say(b"", 307, Location="/api/v1/users/other")
    with pytest.raises(NotFound, match="moved"):
        reader.user("iris")
