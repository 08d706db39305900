"""What each version can do: the table against versions in every form that they come in."""

from __future__ import annotations

from dataclasses import fields

import pytest

from forge.gitea.capabilities import able
from forge.protocol import Capabilities

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


def test_forgejo_without_its_word() -> None:
    """A Forgejo that does not say which Gitea it is like is known by its number."""
    assert able("17.0.0").kind == "forgejo"
    assert able("17.0.0").repo_tokens


@pytest.mark.parametrize("version", ["", "who knows", "dev", "-1", "v", "99999999999999999999.1"])
def test_versions_that_are_none(version: str) -> None:
    """What is no version is a forge that can do nothing special, and no error."""
    assert able(version).version == version
    assert powers(version) <= set(POWERS)
