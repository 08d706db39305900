"""Deliveries in three dialects: what Forgejo 10, Forgejo 17 and Gitea 1.26 call by other names is the same event."""

from __future__ import annotations

from pathlib import Path

import pytest

from forge.events import Event, IssueOpened, PullChanged, PullReviewed
from forge.gitea.decode_deliveries import decode
from forge.gitea.decode_models import issue, pull
from forge.gitea.json_value import JsonValue
from forge.models import Ref, Repo, User
from forge.webhook import Delivery

PLACE = Path(__file__).parent / "dialects"
DIALECTS = ("forgejo-10", "forgejo-17", "gitea-1.26")
EVENTS: dict[str, tuple[type[Event], int]] = {
    "issues.opened": (IssueOpened, 12),
    "pull_request.opened": (PullChanged, 15),
    "pull_request_review_approved.reviewed": (PullReviewed, 15),
}
SILENT = ("gitea-1.26/issues.deleted", "gitea-1.26/status")
APP = Repo.parse("work:acme/app")


def body(name: str) -> bytes:
    return (PLACE / f"{name}.json").read_bytes()


def read(name: str) -> list[Event]:
    kind = name.rpartition("/")[2].partition(".")[0]
    return decode(Delivery("work", "1", kind, body(name)))


@pytest.mark.parametrize("name", EVENTS)
@pytest.mark.parametrize("dialect", DIALECTS)
def test_one_event(dialect: str, name: str) -> None:
    """Each dialect makes the same event, under the same key."""
    [event] = read(f"{dialect}/{name}")
    kind, number = EVENTS[name]
    assert (type(event), event.ref) == (kind, Ref(APP, number))
    assert [event] == read(f"forgejo-17/{name}")


@pytest.mark.parametrize("name", SILENT)
def test_no_event(name: str) -> None:
    """What only one forge says, and nobody looks at, is passed over without an error."""
    assert read(name) == []


def test_every_dialect_is_read() -> None:
    """No file of a dialect is left unread."""
    expected = {f"{dialect}/{name}" for dialect in DIALECTS for name in EVENTS} | set(SILENT)
    assert {path.relative_to(PLACE).with_suffix("").as_posix() for path in PLACE.rglob("*.json")} == expected


@pytest.mark.parametrize("dialect", DIALECTS)
def test_what_was_pushed(dialect: str) -> None:
    """What was pushed to refs/for has no branch: it is known by its head everywhere."""
    found = pull(JsonValue.parse(body(f"{dialect}/pull_request.opened"), "pull")["pull_request"], APP)
    assert (found.head_branch.startswith("refs/pull/"), found.reviewers, found.assignees) == (True, (), ())


@pytest.mark.parametrize("dialect", DIALECTS)
def test_who_is_asked(dialect: str) -> None:
    """Who was asked for a review is told by all, a branch has its name, and a milestone has a title."""
    found = pull(JsonValue.parse(body(f"{dialect}/pull_request_review_approved.reviewed"), "pull")["pull_request"], APP)
    assert (found.head_branch.startswith("refs/"), found.reviewers) == (False, (User(9, "eve"),))
    filed = issue(JsonValue.parse(body(f"{dialect}/issues.opened"), "issue")["issue"], APP)
    assert (filed.milestone, filed.pinned) == ("spring", False)
