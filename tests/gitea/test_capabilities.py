"""What each version can do: the table against versions in every form that they come in."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

import pytest

from forge.gitea.capabilities import able
from forge.gitea.reader import GiteaReader
from forge.protocol import Capabilities

if TYPE_CHECKING:
    from tests.gitea.conftest import Wire

POWERS = [field.name for field in fields(Capabilities) if field.name not in {"kind", "version", "admins_key"}]
OLD = {"own_permission", "action_events", "label_removal_by_name"}
CONVERSING = {
    *("status_webhook", "reviewers_on_create", "action_events", "own_permission"),
    *("resolve_conversation", "reply_to_remark"),
}
GITEA = {"status_webhook", "reviewers_on_create"}


def powers(version: str) -> set[str]:
    can = able(version)
    return {name for name in POWERS if getattr(can, name)}


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("7.0.16+gitea-1.21.11", set()),
        ("9.0.3+gitea-1.22.0", set()),
        ("10.0.0-dev-5e777a43+gitea-1.22.0", set()),
        ("10.0.3+gitea-1.22.0", set()),
        ("10.0.1-dev-5+gitea-1.22.0", set()),
        ("11.0.1+gitea-1.22.0", {"own_permission"}),
        ("12.0.0+gitea-1.22.0", {"own_permission", "action_events"}),
        ("13.0.5+gitea-1.22.0", OLD),
        ("15.0.0-dev-1+gitea-1.22.0", OLD),
        ("15.0.3+gitea-1.22.0", OLD | {"repo_tokens"}),
        ("17.0.0-dev-d883bd8f+gitea-1.22.0", OLD | {"repo_tokens"}),
        ("99.1.0+gitea-1.22.0", OLD | {"repo_tokens"}),
    ],
)
def test_forgejo(version: str, expected: set[str]) -> None:
    """Forgejo learns something with its versions; a newer one than all can do what the newest can."""
    can = able(version)
    assert (can.kind, can.version, can.admins_key) == ("forgejo", version, "apply_to_admins")
    assert powers(version) == expected | {"whole_timeline"}


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("1.21.11", set()),
        ("1.22.6", set()),
        ("1.23.0", GITEA),
        ("1.24.7", GITEA),
        ("1.25.1", GITEA | {"action_events"}),
        ("1.26.0+dev-123-gdeadbeef", GITEA | {"action_events", "own_permission"}),
        ("1.26.0-dev", GITEA | {"action_events", "own_permission"}),
        ("v1.26.0", GITEA | {"action_events", "own_permission", "resolve_conversation"}),
        ("1.27.1+dev-123-gdeadbeef", CONVERSING),
        ("1.99.0", CONVERSING),
    ],
)
def test_gitea(version: str, expected: set[str]) -> None:
    """Gitea learns other things, and calls the rule for admins by another word."""
    can = able(version)
    assert (can.kind, can.admins_key) == ("gitea", "block_admin_merge_override")
    assert powers(version) == expected


def test_a_number_tells_no_forge(wire: Wire) -> None:
    """A version that may be of either is told by asking, never by its number; one that says what it is costs no question."""
    for version, status, kind in (("17.0.0", 200, "forgejo"), ("28.0.0", 404, "gitea"), ("my build", 403, "gitea")):
        wire.anew().say({"version": version}).say({"version": version}, status)
        with GiteaReader(name="work", url=wire.url, token="t") as reader:
            assert reader.capabilities().kind == kind
            assert reader.capabilities().repo_tokens is (kind == "forgejo")
        assert [asked.path for asked in wire.asked] == ["/api/v1/version", "/api/forgejo/v1/version"]
    for version in ("1.27.1", "17.0.0+gitea-1.22.0"):
        wire.anew().say({"version": version})
        with GiteaReader(name="work", url=wire.url, token="t") as reader:
            reader.capabilities()
        assert wire.heard() == ["GET /version"]


@pytest.mark.parametrize("version", ["", "who knows", "dev", "-1", "v", "99999999999999999999.1"])
def test_versions_that_are_none(version: str) -> None:
    """What is no version is a forge that can do nothing special, and no error."""
    assert able(version).version == version
    assert powers(version) <= set(POWERS)
