"""Deliveries become events: small payloads in the form that Forgejo and Gitea send."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forge import event_keys
from forge.events import (
    CommentPosted,
    Event,
    IssueAssigned,
    IssueClosed,
    IssueEdited,
    IssueLabeled,
    IssueOpened,
    PullChanged,
    PullClosed,
    PullMerged,
    PullReviewed,
)
from forge.gitea.decode_deliveries import decode
from forge.gitea.json_value import MalformedAnswer
from forge.models import Ref, User
from forge.webhook import Delivery

PAYLOADS = Path(__file__).parent / "payloads"
ISSUE, PULL = Ref.parse("work:acme/app#12"), Ref.parse("work:acme/app#15")
OPS, IRIS, EVE = User(1, "ops"), User(7, "iris"), User(9, "eve")
REPO_ID = 3

EVENTS = {
    "issues.opened": IssueOpened(ISSUE, OPS, event_keys.opened("work", REPO_ID, 12)),
    "issues.reopened": IssueOpened(ISSUE, OPS, ""),
    "issues.edited": IssueEdited(ISSUE, OPS, ""),
    "issues.closed": IssueClosed(ISSUE, OPS, ""),
    "issue_assign.assigned": IssueAssigned(ISSUE, OPS, ""),
    "issue_assign.unassigned": IssueAssigned(ISSUE, OPS, ""),
    "issue_label.label_updated": IssueLabeled(ISSUE, OPS, ""),
    "issue_label.label_cleared": IssueLabeled(ISSUE, OPS, ""),
    "issue_comment.created": CommentPosted(ISSUE, EVE, "comment:work:546", 546),
    "pull_request_comment.created": CommentPosted(PULL, OPS, "comment:work:622", 622),
    "pull_request.opened": PullChanged(PULL, IRIS, event_keys.opened("work", REPO_ID, 15)),
    "pull_request.edited": PullChanged(PULL, IRIS, ""),
    "pull_request_sync.synchronized": PullChanged(PULL, IRIS, ""),
    "pull_request.closed": PullClosed(PULL, OPS, ""),
    "pull_request.closed.merged": PullMerged(PULL, OPS, event_keys.merged("work", REPO_ID, 15)),
    "pull_request_review_approved.reviewed": PullReviewed(PULL, OPS, ""),
    "pull_request_review_rejected.reviewed": PullReviewed(PULL, OPS, ""),
    "pull_request_review_comment.reviewed": PullReviewed(PULL, OPS, ""),
}


def payload(name: str) -> Any:
    return json.loads((PAYLOADS / f"{name}.json").read_bytes())


def read(kind: str, body: object) -> list[Event]:
    return decode(Delivery("work", "1", kind, json.dumps(body).encode()))


def outcome(kind: str, body: bytes) -> list[Event] | str:
    """The events, or what is wrong: anything but Malformed goes through and fails the test."""
    try:
        return decode(Delivery("work", "1", kind, body))
    except MalformedAnswer as error:
        return str(error)


def kind_of(name: str) -> str:
    """The event type in the name of a payload."""
    return name.partition(".")[0]


def without(value: Any, path: str) -> Any:
    """The same payload without one field."""
    head, _, rest = path.partition(".")
    if not rest:
        return {key: item for key, item in value.items() if key != head}
    return {**value, head: without(value[head], rest)}


@pytest.mark.parametrize("name", EVENTS)
def test_every_kind(name: str) -> None:
    """Each kind and action that somebody looks at is one event, with its place and actor, and a key if it has an id."""
    assert read(kind_of(name), payload(name)) == [EVENTS[name]]


def test_every_payload_is_tested() -> None:
    """No recorded payload is left unread."""
    assert {path.stem for path in PAYLOADS.iterdir()} == set(EVENTS)


@pytest.mark.parametrize("name", EVENTS)
def test_unknown_actions(name: str) -> None:
    """An action that nobody looks at is no event, whatever else its payload says."""
    assert read(kind_of(name), {"action": "pondered"}) == []


@pytest.mark.parametrize("kind", ["push", "create", "status", "issue_milestone", "pull_request_label", "", "__class__"])
def test_unknown_kinds(kind: str) -> None:
    """A kind that nobody looks at is no event, and its body is not even read."""
    assert decode(Delivery("work", "1", kind, b"\xff not JSON")) == []


def test_merged_or_not() -> None:
    """A pull request that is closed is merged only if the forge says so."""
    body = payload("pull_request.closed.merged")
    body["pull_request"]["merged"] = False
    assert isinstance(read("pull_request", body)[0], PullClosed)


def test_a_name_that_is_taken_again() -> None:
    """The first issue of a repository is another one when the repository is another one of the same name."""
    one, other = payload("issues.opened"), payload("issues.opened")
    other["repository"]["id"] = 99
    assert read("issues", one)[0].key != read("issues", other)[0].key


def test_unknown_fields() -> None:
    """What a newer forge adds is passed over."""
    body = payload("pull_request.opened")
    body["pull_request"]["mood"] = {"deep": [None, {}]}
    assert read("pull_request", body) == [EVENTS["pull_request.opened"]]


@pytest.mark.parametrize(
    ("kind", "name", "path"),
    [
        ("issues", "issues.opened", "action"),
        ("issues", "issues.opened", "repository"),
        ("issues", "issues.opened", "repository.full_name"),
        ("issues", "issues.opened", "sender"),
        ("issues", "issues.opened", "sender.id"),
        ("issues", "issues.opened", "issue.number"),
        ("issues", "issues.opened", "repository.id"),
        ("issue_comment", "issue_comment.created", "comment.id"),
        ("pull_request", "pull_request.opened", "pull_request.number"),
        ("pull_request", "pull_request.closed.merged", "repository.id"),
        ("pull_request_review_approved", "pull_request_review_approved.reviewed", "pull_request.number"),
    ],
)
def test_missing_fields(kind: str, name: str, path: str) -> None:
    """An event that lacks what it must have names the field that it lacks."""
    with pytest.raises(MalformedAnswer, match=rf"^{kind}\.{path}\b"):
        read(kind, without(payload(name), path))


@pytest.mark.parametrize("name", ["../evil", "acme/app#1", "acme", "acme/app/x", "", "acme/..", "a b/c"])
def test_names_that_lead_elsewhere(name: str) -> None:
    """A repository's name is one, or the event is none."""
    body = payload("issues.opened")
    body["repository"]["full_name"] = name
    with pytest.raises(MalformedAnswer, match="full_name is no repository"):
        read("issues", body)


@pytest.mark.parametrize("number", [0, -1, True, 1.5, "1", None, 10**10, 10**30])
def test_numbers_that_are_none(number: object) -> None:
    """An issue's number counts from one."""
    body = payload("issues.opened")
    body["issue"]["number"] = number
    with pytest.raises(MalformedAnswer, match=r"issue\.number is no number"):
        read("issues", body)


def test_half_a_letter() -> None:
    """Text that cannot be written as UTF-8 is read as far as it goes."""
    body = payload("pull_request.opened")
    body["pull_request"]["title"] = "half \ud83d"
    assert len(read("pull_request", body)) == 1


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b"payload=%7B%7D", b'{"action":"opened"'])
def test_bodies_that_are_not_json(body: bytes) -> None:
    """A body that is not JSON says so."""
    with pytest.raises(MalformedAnswer, match="is not JSON"):
        decode(Delivery("work", "1", "issues", body))


def test_messages_carry_no_content() -> None:
    """What strangers wrote is in no error."""
    body = payload("issues.opened")
    body["repository"]["full_name"] = "\x1b[31mlook here\n"
    with pytest.raises(MalformedAnswer) as caught:
        read("issues", body)
    assert "look" not in str(caught.value)


KINDS = sorted({kind_of(name) for name in EVENTS})
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def fields(value: Any) -> list[str]:
    """The paths of all fields of an object."""
    found = []
    for key, item in value.items():
        found.append(key)
        found += [f"{key}.{path}" for path in fields(item)] if isinstance(item, dict) else []
    return found


def planted(value: Any, path: str, item: object) -> Any:
    """The same payload with another value in one field."""
    head, _, rest = path.partition(".")
    return {**value, head: planted(value[head], rest, item) if rest else item}


@given(st.sampled_from(KINDS), st.binary(max_size=60))
def test_garbage(kind: str, body: bytes) -> None:
    """Bytes are an event, nothing, or Malformed in one line."""
    assert "\n" not in outcome(kind, body)


@given(st.data(), VALUES)
def test_a_field_of_garbage(data: st.DataObject, item: object) -> None:
    """A payload with one wrong field is an event with a short key, nothing, or Malformed that names a field."""
    name = data.draw(st.sampled_from(sorted(EVENTS)))
    body = payload(name)
    body = planted(body, data.draw(st.sampled_from(fields(body))), item)
    found = outcome(kind_of(name), json.dumps(body).encode())
    if isinstance(found, str):
        assert found.startswith(f"{kind_of(name)}.")
    else:
        assert all(len(event.key) < 160 for event in found)


def test_reading_needs_no_connection() -> None:
    """Who only receives deliveries does not load what asks a forge."""
    code = (
        "import sys, forge.gitea.decode_deliveries; sys.exit(bool({'requests', 'gitea', 'aiohttp'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2]).returncode == 0
