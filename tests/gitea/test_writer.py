"""Deeds against a forge that fails in the middle, drops what it was given, or moved on meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from forge.gitea import decode_models, file_contents
from forge.gitea.json_value import JsonValue
from forge.gitea.operator import GiteaOperator
from forge.gitea.reader import GiteaReader
from forge.gitea.writer import GiteaForge
from forge.models import CommitStatus, Ref, ReviewComment, ReviewState, State
from forge.protocol import Conflict, Forge, Invalid, NotFound, Operator, Reader, Refused, Unavailable
from tests.gitea.forms import (
    APP,
    EVE,
    HEAD,
    HTML,
    IRIS,
    ISSUE,
    MARK,
    NEXT,
    PULL,
    comment,
    entry,
    issue,
    label,
    pull,
    review,
)

if TYPE_CHECKING:
    from tests.gitea.conftest import Wire


def test_faces(reader: GiteaReader, forge: GiteaForge, operator: GiteaOperator) -> None:
    """Each face is what its protocol says, and a reader has no hands."""
    faces: tuple[Reader, Forge, Operator] = (reader, forge, operator)
    assert all(faces)
    assert not any(hasattr(reader, action) for action in ("comment", "label", "review", "put_file", "merge"))
    assert not hasattr(forge, "merge")


def test_a_place_on_another_forge(forge: GiteaForge) -> None:
    """A deed for another forge is a mistake, not a deed in a repository of the same name."""
    with pytest.raises(ValueError, match="is not on the forge work"):
        forge.comment(Ref.parse("other:acme/app#12"), MARK, marker=MARK)


def test_a_comment_that_failed_and_was_written(wire: Wire, forge: GiteaForge) -> None:
    """A comment that was written under a 500, as Forgejo 10 does on pull requests, is not written again."""
    wire.say([]).say(HTML, 500, kind="text/html").say([comment("other"), comment(MARK, number=547)])
    assert forge.comment(PULL, f"done {MARK}", marker=MARK).id == 547
    assert wire.heard() == [f"{verb} /repos/acme/app/issues/15/comments" for verb in ("GET", "POST", "GET")]


def test_a_comment_that_failed(wire: Wire, forge: GiteaForge) -> None:
    """A comment that was not written is a failure that is said, for the caller to try again."""
    wire.say([]).say({}, 500).say([])
    with pytest.raises(Unavailable, match="POST"):
        forge.comment(PULL, MARK, marker=MARK)


def test_a_comment_behind_silence(wire: Wire) -> None:
    """A comment whose answer never came is looked for, as the account of the token."""
    wire.say([]).say_nothing().say([comment(MARK)]).say(IRIS)
    with GiteaForge(name="work", url=wire.url, token="t", seconds=0.2) as forge:
        assert forge.comment(ISSUE, MARK, marker=MARK).id == 546
    assert wire.heard()[-1] == "GET /user"


def test_comments_of_others(wire: Wire, forge: GiteaForge) -> None:
    """A stranger who copies a marker does not keep an account from speaking."""
    wire.say([comment(MARK, EVE)]).say(comment(MARK), 201)
    assert forge.comment(ISSUE, MARK, marker=MARK).author.id == 7
    assert wire.heard()[-1] == "POST /repos/acme/app/issues/12/comments"


@pytest.mark.parametrize("marker", ["", "<!-- another -->"])
def test_texts_without_their_marker(wire: Wire, forge: GiteaForge, marker: str) -> None:
    """A text that could not be found again is not written at all."""
    with pytest.raises(ValueError, match="marker"):
        forge.comment(ISSUE, MARK, marker=marker)
    with pytest.raises(ValueError, match="marker"):
        forge.open_issue(APP, "title", MARK, marker=marker)
    with pytest.raises(ValueError, match="marker"):
        forge.review(PULL, head_sha=HEAD, state=ReviewState.COMMENT, body=MARK, comments=[], marker=marker)
    assert not wire.asked


def test_edits(wire: Wire, forge: GiteaForge) -> None:
    """A comment is edited if its text differs; what is no comment is not found."""
    wire.say(comment("old")).say(comment("new")).say(comment("new")).say(b"", 204)
    forge.edit_comment(ISSUE, 546, "new")
    forge.edit_comment(ISSUE, 546, "new")
    with pytest.raises(NotFound):
        forge.edit_comment(ISSUE, 5, "new")
    assert wire.bodies("PATCH /repos/acme/app/issues/comments/546") == [{"body": "new"}]


def test_labels_by_difference(wire: Wire, forge: GiteaForge) -> None:
    """Only labels that differ are written, by id: each call is an event for everybody."""
    held = [label(1, "bug"), label(2, "old")]
    wire.say(held).say([*held, label(3, "new")]).say([]).say(b"", 204).say([label(1, "bug"), label(3, "new")])
    forge.label(ISSUE, add=["bug", "new"], remove=["old"])
    assert wire.heard()[-2:] == [
        "DELETE /repos/acme/app/issues/12/labels/2",
        "POST /repos/acme/app/issues/12/labels",
    ]
    assert wire.asked[-1].body == {"labels": [3]}
    wire.say([label(1, "bug"), label(3, "new")])
    forge.label(ISSUE, add=["bug", "new"], remove=["old"])
    assert wire.heard()[5:] == ["GET /repos/acme/app/issues/12/labels"]


def test_unknown_labels(wire: Wire, forge: GiteaForge) -> None:
    """Labels that neither the repository nor its organisation has are named, and nothing is written."""
    wire.say([]).say([label(1, "bug")]).say([]).say([label(5, "urgent")]).say([])
    with pytest.raises(Invalid, match=r"work:acme/app has no label bgu, hug$"):
        forge.label(ISSUE, add=["hug", "bug", "bgu", "urgent"])
    assert all(asked.method == "GET" for asked in wire.asked)
    assert wire.asked[3].path == "/api/v1/orgs/acme/labels"


def test_labels_of_a_person(wire: Wire, forge: GiteaForge) -> None:
    """A person has no organisation's labels, and a token may not be allowed to look."""
    for status in (404, 403):
        wire.say([]).say([]).say({"message": "no"}, status)
    for _ in range(2):
        with pytest.raises(Invalid, match="has no label bug"):
            forge.label(ISSUE, add=["bug"])


def test_labels_with_one_name(wire: Wire, forge: GiteaForge) -> None:
    """Of two labels with one name the older one is meant."""
    wire.say([]).say([label(9, "bug"), label(4, "bug")]).say([]).say([label(4, "bug")])
    forge.label(ISSUE, add=["bug"])
    assert wire.asked[-1].body == {"labels": [4]}


def test_labels_that_were_made_anew(wire: Wire, forge: GiteaForge) -> None:
    """A label that the forge drops is a conflict, and its id is asked for again."""
    wire.say([]).say([label(1, "bug")]).say([]).say([])
    with pytest.raises(Conflict, match="dropped"):
        forge.label(ISSUE, add=["bug"])
    wire.say([]).say([label(2, "bug")]).say([]).say([label(2, "bug")])
    forge.label(ISSUE, add=["bug"])
    assert wire.asked[-1].body == {"labels": [2]}


def test_assignees(wire: Wire, forge: GiteaForge) -> None:
    """Assignees are added to those who are there, and seen to be there."""
    both = issue(assignees=[EVE, IRIS])
    wire.say(issue(assignees=[EVE])).say(both, 201).say(both)
    forge.assign(ISSUE, ["Eve", "iris"])
    forge.assign(ISSUE, ["IRIS"])
    assert wire.bodies("PATCH /repos/acme/app/issues/12") == [{"assignees": ["eve", "iris"]}]
    assert len(wire.asked) == 3


def test_assignees_that_are_dropped(wire: Wire, forge: GiteaForge) -> None:
    """A login that the forge drops in silence is refused aloud; one that is nobody's is not found."""
    wire.say(issue()).say(issue(), 201)
    with pytest.raises(Refused, match="may not be assigned: iris"):
        forge.assign(ISSUE, ["iris"])
    wire.anew().say(issue()).say({}, 500).say({"message": "user does not exist"}, 404)
    with pytest.raises(NotFound):
        forge.assign(ISSUE, ["nobody"])
    wire.anew().say(issue()).say({}, 500).say(IRIS)
    with pytest.raises(Unavailable):
        forge.assign(ISSUE, ["iris"])


def test_what_was_seen_just_now(wire: Wire, forge: GiteaForge) -> None:
    """A subject that was read just now is not read again before something is said on it, or somebody assigned."""
    seen = decode_models.issue(JsonValue(issue(comments=0, assignees=[EVE]), "issue"), APP)
    wire.say(comment(MARK), 201).say(issue(assignees=[EVE, IRIS]), 201)
    forge.comment(ISSUE, MARK, marker=MARK, seen=seen)
    forge.assign(ISSUE, ["eve"], seen=seen)
    forge.assign(ISSUE, ["iris"], seen=seen)
    assert wire.heard() == ["POST /repos/acme/app/issues/12/comments", "PATCH /repos/acme/app/issues/12"]


@pytest.mark.parametrize("comments", [1, None])
def test_comments_that_were_seen(wire: Wire, forge: GiteaForge, comments: int | None) -> None:
    """Where there are comments, or a forge does not say how many, the marker is looked for."""
    seen = decode_models.issue(JsonValue(issue(comments=comments), "issue"), APP)
    wire.say([comment(MARK)])
    assert forge.comment(ISSUE, MARK, marker=MARK, seen=seen).id == 546
    assert wire.heard() == ["GET /repos/acme/app/issues/12/comments"]


def test_a_comment_that_failed_where_none_was_seen(wire: Wire, forge: GiteaForge) -> None:
    """An answer that says nothing is looked into, though no comment was there before."""
    seen = decode_models.issue(JsonValue(issue(comments=0), "issue"), APP)
    wire.say({}, 500).say([comment(MARK)])
    assert forge.comment(ISSUE, MARK, marker=MARK, seen=seen).id == 546


def test_labels_that_were_seen(wire: Wire, forge: GiteaForge) -> None:
    """Labels that were seen a moment ago are not added again; one that has to go is asked for, by its id."""
    bug, new = label(1, "bug"), label(3, "new")
    seen = decode_models.issue(JsonValue(issue(labels=[bug]), "issue"), APP)
    wire.say([bug, new]).say([]).say([bug, new])
    forge.label(ISSUE, add=["bug", "new"], remove=["old"], seen=seen)
    forge.label(ISSUE, add=["bug"], remove=["bug"], seen=seen)
    assert wire.bodies("POST /repos/acme/app/issues/12/labels") == [{"labels": [3]}]
    assert len(wire.asked) == 3
    wire.anew().say([bug]).say(b"", 204)
    forge.label(ISSUE, add=[], remove=["bug"], seen=seen)
    assert wire.heard() == ["GET /repos/acme/app/issues/12/labels", "DELETE /repos/acme/app/issues/12/labels/1"]


def test_issues(wire: Wire, forge: GiteaForge) -> None:
    """An issue is filed once, though the forge said 500 to it."""
    wire.say([]).say({}, 500).say([issue(user=EVE, body=MARK), issue(user=IRIS, body=MARK, number=13)])
    assert forge.open_issue(APP, "title", MARK, marker=MARK).ref.number == 13
    assert wire.asked[0].query == {"state": "open", "type": "issues", "created_by": "iris", "page": "1", "limit": "50"}


def test_closing(wire: Wire, forge: GiteaForge) -> None:
    """What is closed is left alone; what stays open is a conflict."""
    wire.say(issue(state="closed"))
    forge.close(ISSUE)
    wire.say(issue()).say(issue(state="closed"), 201)
    forge.close(ISSUE)
    wire.say(issue()).say(issue(), 201)
    with pytest.raises(Conflict, match="still open"):
        forge.close(ISSUE)
    assert wire.bodies("PATCH /repos/acme/app/issues/12") == [{"state": "closed"}] * 2


def open_pull(forge: GiteaForge, head: str = "agent/iris/1") -> int:
    return forge.open_pull(APP, head=head, base="main", title="oil the door", body="Closes #12").ref.number


@pytest.mark.parametrize("status", [409, 500])
def test_pulls_that_are_open(wire: Wire, forge: GiteaForge, status: int) -> None:
    """A pull request that is there, or was opened under a 500, is found by its head and base."""
    other = pull(number=14, base={**pull()["base"], "ref": "dev"})
    wire.say({"message": "pull request already exists"}, status).say([other, pull(number=16)])
    assert open_pull(forge) == 16


@pytest.mark.parametrize("status", [409, 500])
def test_pulls_that_are_not_open(wire: Wire, forge: GiteaForge, status: int) -> None:
    """A pull request that cannot be found is not there: the refusal stands."""
    fork = {"ref": "agent/iris/1", "sha": HEAD, "repo_id": -1, "repo": None}
    wire.say({"message": "no"}, status).say([pull(head=fork)]).say([]).say({"name": "b", "commit": {"id": HEAD}})
    with pytest.raises(Conflict if status == 409 else Unavailable, match=f": {status} no"):
        open_pull(forge)


def test_pulls_of_nothing(wire: Wire, forge: GiteaForge) -> None:
    """A branch that is not there is not found, though Forgejo 10 answers 500; that of a fork is not looked for."""
    wire.say({}, 500).say([]).say({"name": "main", "commit": {"id": HEAD}}).say({}, 404)
    with pytest.raises(NotFound):
        open_pull(forge)
    assert wire.heard()[2:] == [f"GET /repos/acme/app/branches/{name}" for name in ("main", "agent/iris/1")]
    wire.anew().say({}, 500).say([]).say({"name": "main", "commit": {"id": HEAD}})
    with pytest.raises(Unavailable, match="POST"):
        open_pull(forge, "eve:agent/iris/1")
    assert len(wire.asked) == 3


def test_pulls_of_forks(wire: Wire, forge: GiteaForge) -> None:
    """A fork's branch of the same name is another head."""
    fork = {**pull()["head"], "repo": {"full_name": "Eve/app"}}
    wire.say({}, 409).say([pull(), pull(number=16, head=fork)])
    assert open_pull(forge, "eve:agent/iris/1") == 16


def test_pulls_are_read_back(wire: Wire, forge: GiteaForge) -> None:
    """A pull request that was opened is the one that the forge then shows."""
    wire.say({"number": 15}, 201).say(pull())
    assert open_pull(forge) == 15
    assert wire.heard() == ["POST /repos/acme/app/pulls", "GET /repos/acme/app/pulls/15"]


def submit(forge: GiteaForge, state: ReviewState = ReviewState.REQUEST_CHANGES) -> int:
    remarks = [ReviewComment("a.py", 3, "new"), ReviewComment("a.py", 4, "old", old=True)]
    return forge.review(PULL, head_sha=HEAD, state=state, body=f"no {MARK}", comments=remarks, marker=MARK).id


def test_reviews(wire: Wire, forge: GiteaForge) -> None:
    """A review is pinned to its head, in one request, after a pending one of this account was deleted."""
    mine, others = review(5, MARK, "PENDING"), review(6, MARK, "PENDING", user=EVE)
    wire.say([mine, others]).say([]).say(b"", 204).say(review(7, MARK, "REQUEST_CHANGES"))
    assert submit(forge) == 7
    at = "/repos/acme/app/pulls/15/reviews"
    assert wire.heard() == [f"GET {at}", f"GET {at}", f"DELETE {at}/5", f"POST {at}"]
    assert wire.asked[-1].body == {
        "event": "REQUEST_CHANGES",
        "body": f"no {MARK}",
        "commit_id": HEAD,
        "comments": [
            {"path": "a.py", "body": "new", "new_position": 3},
            {"path": "a.py", "body": "old", "old_position": 4},
        ],
    }


def test_reviews_are_said_once(wire: Wire, forge: GiteaForge) -> None:
    """A review of this account, with this marker, on this head, is not said again; others do not count."""
    rows = [review(5, MARK, user=EVE), review(6, "other"), review(7, MARK, commit_id=NEXT), review(8, MARK)]
    wire.say(rows).say([])
    assert submit(forge) == 8
    assert {asked.method for asked in wire.asked} == {"GET"}


def test_reviews_that_failed(wire: Wire, forge: GiteaForge) -> None:
    """A review under a 500 is looked for, and one that is only half there does not count."""
    wire.say([]).say({}, 500).say([review(9, MARK)]).say([])
    assert submit(forge) == 9


PENDING = review(10, MARK, "PENDING")


def test_a_remark_that_a_forge_fails_at(wire: Wire, forge: GiteaForge) -> None:
    """Gitea 1.27 fails at a line past the end and keeps what came before as pending: that goes, and the remark is said in the body."""
    wire.say([]).say({}, 500).say([PENDING]).say([]).say([{"id": 1}]).say(b"", 204).say(
        review(11, MARK, "REQUEST_CHANGES")
    )
    assert submit(forge) == 11
    at = "/repos/acme/app/pulls/15/reviews"
    assert wire.heard()[-3:] == [f"GET {at}/10/comments", f"DELETE {at}/10", f"POST {at}"]
    said = wire.asked[-1].body
    assert said["comments"] == [{"path": "a.py", "body": "new", "new_position": 3}]
    assert said["body"] == f"no {MARK}\n\nThe forge could not put these on their lines:\n\n`a.py:4`\n\nold"


def test_a_forge_that_fails_at_all_remarks(wire: Wire, forge: GiteaForge) -> None:
    """Where it leaves nothing that tells which it was, all go into the body; a review without any that fails has failed."""
    wire.say([]).say({}, 500).say([]).say(review(11, MARK, "REQUEST_CHANGES"))
    assert submit(forge) == 11
    assert wire.asked[-1].body["comments"] == []
    assert "`a.py:3`" in wire.asked[-1].body["body"]
    wire.anew().say([]).say({}, 500).say([]).say({}, 500).say([])
    with pytest.raises(Unavailable, match="POST"):
        submit(forge)
    assert [asked.method for asked in wire.asked].count("POST") == 2
    wire.anew().say([]).say({}, 503).say([])  # a forge that is away is no fault of the remarks
    with pytest.raises(Unavailable, match="POST"):
        submit(forge)
    assert [asked.method for asked in wire.asked].count("POST") == 1


def test_reviews_of_ones_own(wire: Wire, forge: GiteaForge) -> None:
    """Nobody approves what they wrote: the forge says so."""
    wire.say([]).say({"message": "approve your own pull is not allowed"}, 422)
    with pytest.raises(Invalid, match="approve your own pull"):
        submit(forge, ReviewState.APPROVED)


@pytest.mark.parametrize("state", [ReviewState.PENDING, ReviewState.REQUEST_REVIEW])
def test_reviews_that_say_nothing(wire: Wire, forge: GiteaForge, state: ReviewState) -> None:
    """A review approves, rejects or remarks."""
    with pytest.raises(ValueError, match="no answer"):
        submit(forge, state)
    assert not wire.asked


def status(number: int, word: str, context: str = "hive/eval") -> dict[str, Any]:
    return {"id": number, "status": word, "context": context, "description": "", "target_url": ""}


def test_statuses(wire: Wire, forge: GiteaForge) -> None:
    """A status is set if the context's newest word is another; older words do not count."""
    wire.say([status(2, "pending"), status(3, "failure", "ci"), status(1, "success")]).say([]).say(status(4, "success"))
    forge.set_status(APP, HEAD, CommitStatus("hive/eval", State.SUCCESS))
    wire.say([status(4, "success"), status(2, "pending")]).say([])
    forge.set_status(APP, HEAD, CommitStatus("hive/eval", State.SUCCESS))
    said = {"context": "hive/eval", "state": "success", "description": "", "target_url": ""}
    assert wire.bodies(f"POST /repos/acme/app/statuses/{HEAD}") == [said]


def test_statuses_that_are_known(wire: Wire, forge: GiteaForge) -> None:
    """What differs from the last status is set without a look; after an answer that says nothing it is looked up."""
    new, old = CommitStatus("hive/eval", State.SUCCESS), CommitStatus("hive/eval", State.PENDING)
    wire.say(status(4, "success"))
    forge.set_status(APP, HEAD, new, last=old)
    wire.say([status(4, "success")]).say([])
    forge.set_status(APP, HEAD, new, last=new)
    wire.say({}, 500).say([status(4, "success")]).say([])
    forge.set_status(APP, HEAD, new, last=old)
    assert [asked.method for asked in wire.asked] == ["POST", "GET", "GET", "POST", "GET", "GET"]


def tag(sha: str) -> dict[str, Any]:
    return {"name": "deployed/3", "id": "0" * 40, "message": "m", "commit": {"sha": sha}}


def make_tag(forge: GiteaForge) -> None:
    forge.tag(APP, "deployed/3", HEAD, "deployed")


def test_tags(wire: Wire, forge: GiteaForge) -> None:
    """A tag is made once, and found where it is: on this commit, or on another."""
    wire.say({}, 404).say(tag(HEAD), 201).say(tag(HEAD)).say(tag(NEXT))
    make_tag(forge)
    make_tag(forge)
    with pytest.raises(Conflict, match=f"deployed/3 is on {NEXT}"):
        make_tag(forge)
    made = {"tag_name": "deployed/3", "target": HEAD, "message": "deployed"}
    assert wire.bodies("POST /repos/acme/app/tags") == [made]
    assert wire.heard()[0] == "GET /repos/acme/app/tags/deployed/3"


@pytest.mark.parametrize("status", [409, 500])
def test_tags_of_the_same_moment(wire: Wire, forge: GiteaForge, status: int) -> None:
    """A tag that was made in the same moment, by this account or another, is looked at."""
    wire.say({}, 404).say({}, status).say(tag(HEAD))
    make_tag(forge)
    wire.anew().say({}, 404).say({}, status).say({}, 404)
    with pytest.raises(Conflict if status == 409 else Unavailable):
        make_tag(forge)


def put(forge: GiteaForge, content: bytes = b"new\n") -> None:
    forge.put_file(APP, "agents/iris.yaml", content, message="change", branch="main")


AT = "/repos/acme/app/contents/agents/iris.yaml"


def test_files(wire: Wire, forge: GiteaForge) -> None:
    """A file is made, changed with the name of what it replaces, and left alone when it is right."""
    wire.say({}, 404).say({"content": entry(b"new\n")}, 201)
    put(forge)
    wire.say(entry(b"old\n")).say({"content": entry(b"new\n")})
    put(forge)
    wire.say(entry(b"new\n"))
    put(forge)
    said = {"content": "bmV3Cg==", "message": "change", "branch": "main"}
    assert wire.bodies(f"POST {AT}") == [said]
    assert wire.bodies(f"PUT {AT}") == [{**said, "sha": file_contents.name(b"old\n", HEAD)}]
    assert wire.asked[0].query == {"ref": "main"}
    assert len(wire.asked) == 5


def test_files_that_moved_on(wire: Wire, forge: GiteaForge) -> None:
    """A file that somebody else changed meanwhile is a conflict, whatever number the forge gives it."""
    for status, words in ((422, "sha does not match [given: x]"), (409, "sha does not match"), (422, "already exists")):
        wire.say(entry(b"old\n")).say({"message": words}, status)
        with pytest.raises(Conflict) as caught:
            put(forge)
        assert caught.value.status == status
    wire.say(entry(b"old\n")).say({"message": "[Branch]: GitRefName"}, 422)
    with pytest.raises(Invalid):
        put(forge)
    wire.say(entry(b"old\n")).say({"content": entry(b"bmV3Cg==")})
    with pytest.raises(Conflict, match="holds something else"):
        put(forge)


def test_files_under_a_500(wire: Wire, forge: GiteaForge) -> None:
    """A commit whose answer says nothing is looked for in the file."""
    wire.say(entry(b"old\n")).say({}, 502).say(entry(b"new\n"))
    put(forge)
    wire.say(entry(b"old\n")).say({}, 502).say(entry(b"old\n"))
    with pytest.raises(Unavailable, match="PUT"):
        put(forge)


@pytest.mark.parametrize("answer", [[], {"type": "symlink", "sha": HEAD}, {"type": "submodule", "sha": HEAD}])
def test_what_is_no_file(wire: Wire, reader: GiteaReader, answer: object) -> None:
    """A directory, a link and a submodule are no files: none is followed."""
    wire.say(answer)
    with pytest.raises(NotFound, match="agents is no file"):
        reader.file(APP, "agents", "main")


def test_bytes_of_files(wire: Wire, reader: GiteaReader) -> None:
    """The bytes of a file are those that git has under its name, by whichever hash."""
    wire.say(entry(b"\0\xff\n")).say(entry(b"")).say(entry(b"x", sha=file_contents.name(b"x", "0" * 64)))
    assert [reader.file(APP, "a/b.bin", HEAD) for _ in range(3)] == [b"\0\xff\n", b"", b"x"]
    assert wire.asked[0].query == {"ref": HEAD}


@pytest.mark.parametrize("more", [{"content": "eA=="}, {"content": "x"}, {"sha": ""}, {"sha": NEXT}])
def test_bytes_that_are_not_the_file(wire: Wire, reader: GiteaReader, more: dict[str, Any]) -> None:
    """Bytes that git does not know by that name are no answer."""
    wire.say(entry(b"new\n", **more))
    with pytest.raises(Unavailable, match="content"):
        reader.file(APP, "a", "main")


def test_files_that_are_too_large(wire: Wire, reader: GiteaReader) -> None:
    """A file that the forge does not hand out is an error, not an empty file."""
    wire.say(entry(b"large", content=None, encoding=None))
    with pytest.raises(Invalid, match="larger"):
        reader.file(APP, "a", "main")


@pytest.mark.parametrize("path", ["../secrets", "a//b", "/etc/passwd", "", "a/./b"])
def test_paths_that_lead_elsewhere(wire: Wire, forge: GiteaForge, path: str) -> None:
    """A path stays in its repository."""
    with pytest.raises(Invalid, match="no path"):
        forge.file(APP, path, "main")
    with pytest.raises(Invalid, match="no path"):
        forge.put_file(APP, path, b"", message="m", branch="main")
    assert not wire.asked


def test_merging(wire: Wire, operator: GiteaOperator) -> None:
    """A merge names the head that it approves."""
    wire.say(b"")
    operator.merge(PULL, head_sha=HEAD)
    assert wire.heard() == ["POST /repos/acme/app/pulls/15/merge"]
    assert wire.asked[0].body == {"Do": "merge", "head_commit_id": HEAD}


@pytest.mark.parametrize(
    ("status", "words", "error"),
    [
        (405, "Please try again later", Conflict),
        (409, "head out of date", Conflict),
        (405, "not allowed to merge [reason: There are requested changes]", Refused),
        (405, "User not allowed to merge PR", Refused),
        (404, "closed", NotFound),
        (500, "", Unavailable),
    ],
)
def test_merges_that_are_refused(
    wire: Wire, operator: GiteaOperator, status: int, words: str, error: type[Exception]
) -> None:
    """A merge that the forge refuses is refused in its words, whatever has become of the pull request."""
    wire.say({"message": words}, status).say(pull())
    with pytest.raises(error) as caught:
        operator.merge(PULL, head_sha=HEAD)
    assert words in str(caught.value)


@pytest.mark.parametrize("status", [405, 500])
def test_merges_that_are_done(wire: Wire, operator: GiteaOperator, status: int) -> None:
    """A merge under a 500, and one of what is merged at that head, is done; at another head it is not."""
    wire.say({"message": ""}, status).say(pull(merged=True))
    operator.merge(PULL, head_sha=HEAD)
    wire.say({"message": ""}, status).say(pull(merged=True))
    with pytest.raises(Conflict, match="another head"):
        operator.merge(PULL, head_sha=NEXT)
