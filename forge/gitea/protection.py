"""Branch protection rules, in the words of Forgejo and Gitea. Performs no I/O."""

from __future__ import annotations

from collections.abc import Mapping

from forge.gitea.field import Field
from forge.types import Protection

ADMIN_KEYS = ("apply_to_admins", "block_admin_merge_override")
"""The same wish on Forgejo and on Gitea; each ignores the other's word in silence."""


def rule(field: Field) -> Protection:
    """What a rule allows, never less: a team that may merge is shown as `@team`.

    Files that match `unprotected_file_patterns` may be pushed whatever else the rule says. Without
    a list of mergers everybody who may write may merge, and `mergers` is empty.
    """
    listed = field["enable_merge_whitelist"].flag()
    mergers = (*_names(field, "merge_whitelist_usernames"), *(f"@{n}" for n in _names(field, "merge_whitelist_teams")))
    checked = field["enable_status_check"].flag()
    return Protection(
        branch=field["rule_name"].text(),
        push=field["enable_push"].flag() or bool(field["unprotected_file_patterns"].words()),
        mergers=mergers if listed else (),
        required_statuses=_names(field, "status_check_contexts") if checked else (),
        block_on_rejected_reviews=field["block_on_rejected_reviews"].flag(),
        block_on_outdated_branch=field["block_on_outdated_branch"].flag(),
        dismiss_stale_approvals=field["dismiss_stale_approvals"].flag(),
        admins_included=any(field[key].flag() for key in ADMIN_KEYS),
    )


def settings(wanted: Protection, admins_key: str) -> Mapping[str, object]:
    """The settings that make a rule exactly this; what the noun does not speak of is left alone."""
    return {
        "enable_push": wanted.push,
        "enable_push_whitelist": False,
        "enable_merge_whitelist": bool(wanted.mergers),
        "merge_whitelist_usernames": [name for name in wanted.mergers if not name.startswith("@")],
        "merge_whitelist_teams": [name[1:] for name in wanted.mergers if name.startswith("@")],
        "enable_status_check": bool(wanted.required_statuses),
        "status_check_contexts": list(wanted.required_statuses),
        "block_on_rejected_reviews": wanted.block_on_rejected_reviews,
        "block_on_outdated_branch": wanted.block_on_outdated_branch,
        "dismiss_stale_approvals": wanted.dismiss_stale_approvals,
        "unprotected_file_patterns": "",
        admins_key: wanted.admins_included,
    }


def differing(held: Field, wanted: Mapping[str, object]) -> list[str]:
    """The settings that a rule has otherwise; the order of a list is none."""
    return sorted(key for key, value in wanted.items() if _plain(held[key], value) != _plain_wish(value))


def _names(field: Field, key: str) -> tuple[str, ...]:
    return tuple(name.text() for name in field[key].each())


def _plain(held: Field, like: object) -> object:
    if isinstance(like, list):
        return sorted(name.text().lower() for name in held.each())
    return held.words() if isinstance(like, str) else held.flag()


def _plain_wish(value: object) -> object:
    return sorted(str(name).lower() for name in value) if isinstance(value, list) else value
