"""The JSON of Forgejo and Gitea as nouns: what may be missing, and what may not."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forge.gitea import decode_models, hooks, protection
from forge.gitea.errors import refusal, retry_after
from forge.gitea.json_value import JsonValue, MalformedAnswer
from forge.models import (
    CommitStatus,
    FileChange,
    Label,
    Protection,
    Push,
    Ref,
    Repo,
    ReviewComment,
    ReviewState,
    State,
    User,
)

APP = Repo.parse("work:acme/app")
PULL = Ref(APP, 15)
SHA = "5fd389366ca42011086222b0dd1fc7f9dc0d48d1"
NEXT = "3ab4f0394e7c0ceea1982797282682539987accc"
IRIS = {"id": 7, "login": "iris"}
NOON = "2026-11-21T12:00:00Z"


def row(value: Any) -> JsonValue:
    return JsonValue(value, "row")


def test_ghosts() -> None:
    """An account that was deleted is still an author."""
    assert decode_models.user(row({"id": -1, "login": "Ghost"})) == User(-1, "Ghost")


def test_an_empty_repository() -> None:
    """A repository says what it says; what it leaves out is no."""
    found = decode_models.repository(row({"id": 3, "full_name": "acme/app", "empty": True}), "work")
    assert (found.repo, found.empty, found.private, found.default_branch) == (APP, True, False, "")


def an_issue(**more: object) -> JsonValue:
    said = {"number": 12, "title": "oil", "user": IRIS, "state": "open", "created_at": NOON, "updated_at": NOON}
    return row({**said, **more})


def test_days() -> None:
    """A day is that of the zone it is written in; null is none, and what is no time is an error."""
    written = ("2030-01-02T23:59:59-05:00", "2030-01-02T00:00:00Z")
    assert {decode_models.issue(an_issue(due_date=day), APP).due for day in written} == {date(2030, 1, 2)}
    assert decode_models.issue(an_issue(due_date=None), APP).due is None
    for wrong in ("soon", 5, ""):
        with pytest.raises(MalformedAnswer, match=r"row\.due_date is no time"):
            decode_models.issue(an_issue(due_date=wrong), APP)


@pytest.mark.parametrize("time", [None, "soon", 5, "2030-01-02", "2030-01-02T00:00:00", "0001-01-01T00:00:00+01:00"])
def test_times_that_are_none(time: object) -> None:
    """A point in time has a zone, and can be told in UTC."""
    with pytest.raises(MalformedAnswer, match=r"^row\.created_at is no time with a zone$"):
        decode_models.issue(an_issue(created_at=time), APP)
    assert decode_models.issue(an_issue(created_at="2030-01-02T01:00:00+01:00"), APP).created_at == datetime(
        2030, 1, 2, tzinfo=UTC
    )


@pytest.mark.parametrize(
    ("more", "wrong"),
    [
        ({"title": 5}, "row.title is no text"),
        ({"title": None}, "row.title is no text"),
        ({"user": None}, "row.user is no object"),
        ({"user": {"id": "7", "login": "iris"}}, "row.user.id is no number"),
        ({"user": {"id": 7}}, "row.user.login is no text"),
        ({"user": {"id": 2**63, "login": "iris"}}, "row.user.id is no number"),
        ({"labels": {}}, "row.labels is no list"),
        ({"labels": [{"name": "bug"}, {"name": 1}, {"name": 2}]}, "row.labels[1].name is no text"),
        ({"assignees": [None]}, "row.assignees[0] is no object"),
        ({"number": True}, "row.number is no number"),
        ({"pin_order": 1.0}, "row.pin_order is no number"),
    ],
)
def test_errors_name_the_field(more: dict[str, object], wrong: str) -> None:
    """What is wrong is named by its place, a missing field like a null one, and its content is never told."""
    with pytest.raises(MalformedAnswer) as caught:
        decode_models.issue(an_issue(**more), APP)
    assert str(caught.value) == wrong
    missing = {key: value for key, value in an_issue().value.items() if key not in more}  # type: ignore[attr-defined]
    if None in more.values():
        with pytest.raises(MalformedAnswer, match=wrong):
            decode_models.issue(row(missing), APP)


def test_half_letters() -> None:
    """Half a surrogate pair is a question mark wherever it stands, and the halves beside it."""
    labels = [{"name": "\ud83d"}, {"name": "bug"}, {"name": "\ude00"}]
    found = decode_models.issue(an_issue(title="half \ud83d", body="\ud83d\ude00 whole \ude00", labels=labels), APP)
    assert (found.title, found.body, found.labels) == ("half ?", "?? whole ?", ("?", "bug", "?"))
    with pytest.raises(MalformedAnswer, match=r"^row\.number is no number$"):
        decode_models.issue(an_issue(title="half \ud83d", number=0), APP)


def test_only_what_is_needed_can_be_wrong() -> None:
    """What is read of one kind only is passed over in all others."""
    assert decode_models.timeline_event(row({"id": 1, "type": "close", "created_at": NOON, "new_title": 5})).text == ""
    assert decode_models.review(row({"state": "REQUEST_REVIEW", "user": None, "id": "none"}), PULL) is None


def test_branches() -> None:
    """A branch has a commit."""
    found = decode_models.branch(row({"name": "agent/iris/1", "commit": {"id": SHA}, "protected": True}))
    assert (found.name, found.sha, found.protected) == ("agent/iris/1", SHA, True)


@pytest.mark.parametrize("sha", ["HEAD", SHA[:39], SHA.upper(), f"{SHA}\n", 5])
def test_commits_that_are_none(sha: object) -> None:
    """A commit is named in full, or it is none."""
    with pytest.raises(MalformedAnswer, match=r"commit\.id is no"):
        decode_models.branch(row({"name": "main", "commit": {"id": sha}}))


@pytest.mark.parametrize("value", [None, [], "text", 5])
def test_what_is_no_object(value: object) -> None:
    """A value without fields has none."""
    with pytest.raises(MalformedAnswer, match="row is no object"):
        decode_models.user(row(value))


@pytest.mark.parametrize("value", ["yes", 1, 0])
def test_what_is_no_flag(value: object) -> None:
    """Yes is true and nothing else."""
    with pytest.raises(MalformedAnswer, match="neither true nor false"):
        row(value).flag()


def test_objects_by_name() -> None:
    """An object is its names and values; null has none, a list is none."""
    assert [(key, field.number()) for key, field in row({"a": 1}).items()] == [("a", 1)]
    assert list(row(None).items()) == []
    with pytest.raises(MalformedAnswer, match="is no object"):
        list(row([]).items())


def review(**more: object) -> JsonValue:
    said = {"id": 5, "user": IRIS, "state": "APPROVED", "body": "good", "commit_id": SHA, "submitted_at": NOON}
    return row({**said, **more})


def test_reviews() -> None:
    """A review is pinned to the head that it was written for, even if that is nonsense."""
    found = decode_models.submitted(review(commit_id="no such commit", official=True), PULL)
    assert (found.state, found.head_sha, found.official) == (ReviewState.APPROVED, "no such commit", True)


@pytest.mark.parametrize("more", [{"user": None}, {"state": ""}, {"state": "SHRUG"}, {"state": None}])
def test_reviews_that_are_none(more: dict[str, object]) -> None:
    """A request to a team has no author, and a new state no meaning: neither is a review."""
    assert decode_models.review(review(**more), PULL) is None
    with pytest.raises(MalformedAnswer, match="row is no review"):
        decode_models.submitted(review(**more), PULL)


def test_remarks() -> None:
    """A remark is on a line of the new file, or of the old one."""
    said = {"id": 1, "path": "a.py", "body": "hm"}
    new = decode_models.review_comment(row({**said, "position": 10, "original_position": 0}))
    old = decode_models.review_comment(row({**said, "position": 0, "original_position": 30}))
    lost = decode_models.review_comment(row(said))
    assert new == ReviewComment("a.py", 10, "hm", old=False, id=1)
    assert (old.line, old.old) == (30, True)
    assert lost.line == 0


def test_files() -> None:
    """A file that was renamed has had another name."""
    said = {"filename": "b.py", "status": "renamed", "additions": 1, "deletions": 0, "previous_filename": "a.py"}
    assert decode_models.file_change(row(said)) == FileChange("b.py", "renamed", 1, 0, "a.py")


@pytest.mark.parametrize(
    ("word", "state"),
    [("success", State.SUCCESS), ("skipped", State.SUCCESS), ("", State.ERROR), ("great", State.ERROR)],
)
def test_states(word: str, state: State) -> None:
    """A word that is no state is never a success."""
    assert decode_models.status(row({"status": word, "context": "ci"})) == CommitStatus("ci", state)


def test_labels() -> None:
    """A label's colour is the same with and without its hash."""
    held = decode_models.held_label(row({"id": 4, "name": "type/bug", "color": "#00AABB", "exclusive": True}))
    assert (held.id, held.label) == (4, Label("type/bug", "00aabb", exclusive=True))


def timeline_event(kind: str, **more: object) -> Any:
    return decode_models.timeline_event(row({"id": 1, "type": kind, "user": IRIS, "created_at": NOON, **more}))


def test_timelines() -> None:
    """A row says what it is about, and whether it came or went."""
    bug = {"name": "type/bug"}
    assert timeline_event("label", label=bug, body="1").removed is False
    gone = timeline_event("label", label=bug, body="")
    assert (gone.label, gone.removed) == ("type/bug", True)
    off = timeline_event("assignees", assignee=IRIS, removed_assignee=True)
    assert (off.user, off.removed) == (User(7, "iris"), True)
    assert timeline_event("change_title", old_title="a", new_title="b").text == "b"
    assert timeline_event("comment", body="hello").text == "hello"
    assert timeline_event("close", user=None).actor is None
    assert timeline_event("label", label=None, body="1").label == ""


def moved(**more: object) -> Push | None:
    content = f'{{"Commits": [], "CompareURL": "acme/app/compare/{SHA}...{NEXT}"}}'
    said = {"id": 9, "op_type": "commit_repo", "ref_name": "refs/heads/main", "act_user_id": 7, "content": content}
    return decode_models.push(row({**said, **more}), "main")


def test_pushes() -> None:
    """A push tells from where to where, and who it was."""
    assert moved() == Push(9, "main", SHA, NEXT, 7)


@pytest.mark.parametrize("content", ["", "branch gone", "[]", "{}", '{"CompareURL": 5}', "[" * 100_000])
def test_pushes_without_a_range(content: str) -> None:
    """A row that tells no range, as for a deletion, is a movement to nowhere."""
    assert moved(content=content) == Push(9, "main", "", "", 7)


@pytest.mark.parametrize("ref", ["refs/heads/other", "refs/tags/main", "main", "", None])
def test_rows_of_other_branches(ref: str | None) -> None:
    """A row of the feed that names another thing is no push of this branch."""
    assert moved(ref_name=ref) is None


STRICT = Protection("main", mergers=("ops",), required_statuses=("hive/eval",), block_on_outdated_branch=True)


@pytest.mark.parametrize("key", protection.ADMIN_KEYS)
def test_rules_go_and_come(key: str) -> None:
    """What is asked of a rule is what is read from it, on Forgejo and on Gitea."""
    held = row({**protection.settings(STRICT, key), "rule_name": "main"})
    assert protection.rule(held) == STRICT
    assert protection.differing(held, protection.settings(STRICT, key)) == []


@pytest.mark.parametrize(
    ("more", "change"),
    [
        ({"unprotected_file_patterns": "docs/**"}, {"push": True}),
        ({"enable_merge_whitelist": False}, {"mergers": ()}),
        ({"merge_whitelist_teams": ["Owners"]}, {"mergers": ("ops", "@Owners")}),
        ({"enable_status_check": False}, {"required_statuses": ()}),
        ({"apply_to_admins": False}, {"admins_included": False}),
        ({"status_check_contexts": None}, {"required_statuses": ()}),
    ],
)
def test_rules_never_look_stricter(more: dict[str, object], change: dict[str, Any]) -> None:
    """A hole in a rule is seen, whichever setting makes it."""
    wanted = protection.settings(STRICT, "apply_to_admins")
    held = row({**wanted, "rule_name": "main", **more})
    rule = protection.rule(held)
    assert {name: getattr(rule, name) for name in change} == change
    assert rule != STRICT
    assert protection.differing(held, wanted) == sorted(more)


def test_rules_that_drop_a_wish() -> None:
    """Gitea does not know Forgejo's word for admins: the difference is seen."""
    wanted = protection.settings(STRICT, "apply_to_admins")
    held = row({key: value for key, value in wanted.items() if key != "apply_to_admins"})
    assert protection.differing(held, wanted) == ["apply_to_admins"]


@pytest.mark.parametrize(
    ("answered", "asked"),
    [
        (["issues", "issue_assign", "issue_label", "issue_milestone", "issue_comment"], ["issues"]),
        (["issues"], ["issues_only"]),
        (["push", "create"], ["create", "push"]),
        (["pull_request", "pull_request_review_approved", "pull_request_review_rejected"], None),
        (["pull_request", "pull_request_review"], ["pull_request_only", "pull_request_review"]),
    ],
)
def test_what_hooks_hear(answered: list[str], asked: list[str] | None) -> None:
    """What a hook was asked to hear and what it answers are compared in one language."""
    heard = hooks.hook(row({"id": 1, "events": answered, "config": {}})).listens_to_bots
    assert heard == hooks.asked(asked or ["pull_request_only", "pull_request_review"])


@pytest.mark.parametrize("other", ["http://hive.example/hook/work/", "HTTP://Hive.Example:80/hook/work"])
def test_one_address(other: str) -> None:
    """An address written otherwise is the same address."""
    assert hooks.same("http://hive.example/hook/work", other)


@pytest.mark.parametrize(
    "other", ["https://hive.example/hook/work", "http://hive.example:81/hook/work", "", "http://x:99999", "http://["]
)
def test_other_addresses(other: str) -> None:
    """Another scheme, port or path is another address."""
    assert not hooks.same("http://hive.example/hook/work", other)


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("30", 30.0),
        (" 5 ", 5.0),
        ("Sat, 21 Nov 2026 12:01:00 GMT", 60.0),
        ("Sat, 21 Nov 2026 12:01:00 -0000", 60.0),
        ("Sat, 21 Nov 2026 11:00:00 GMT", 0.0),
        ("soon", 0.0),
        ("-5", 0.0),
        ("9" * 40, 0.0),
        ("", 0.0),
    ],
)
def test_pauses(said: str, seconds: float) -> None:
    """A pause is asked for in seconds or by the clock; anything else is none."""
    assert retry_after({"Retry-After": said}, datetime(2026, 11, 21, 12, tzinfo=UTC)) == seconds


@given(
    st.integers(300, 999),
    st.text(),
    st.text(),
    st.binary() | st.text().map(lambda text: text.encode("utf-8", "replace")),
)
def test_any_refusal(status: int, kind: str, pause: str, body: bytes) -> None:
    """Whatever a forge answers with an error is one error, in one short line."""
    headers = {"Content-Type": kind, "Retry-After": pause}
    now = datetime(2026, 11, 21, 12, tzinfo=UTC)
    error = refusal("GET /user", status, headers, body, secrets=["secret"], now=now)
    assert error.status == status
    assert len(str(error)) < 400
    assert str(error).isprintable()
