"""Branch protection rules, in the words of Forgejo and Gitea. Performs no I/O."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from forge.gitea.json_value import JsonValue
from forge.models import Protection

ADMIN_KEYS = ("apply_to_admins", "block_admin_merge_override")
"""The same wish on Forgejo and on Gitea; each ignores the other's word in silence."""

EXCEPTIONS = (
    "push_whitelist_deploy_keys",
    "enable_force_push",
    "enable_force_push_allowlist",
    "force_push_allowlist_deploy_keys",
    "enable_bypass_allowlist",
)
"""Settings that let somebody past a rule. Force pushes have a list of their own on Gitea since 1.23, and since 1.27
who may merge and is on the bypass list merges with `force_merge` over missing checks and approvals."""

_UNDERSTOOD = frozenset(
    {
        "enable_push",
        "enable_merge_whitelist",
        "enable_status_check",
        # These narrow who may push and whose approvals count.
        "enable_push_whitelist",
        "enable_approvals_whitelist",
        *ADMIN_KEYS,
    }
)
_LISTS = ("push_whitelist_", "merge_whitelist_", "approvals_whitelist_", "force_push_allowlist_", "bypass_allowlist_")
"""Lists that count only while their switch is on."""

_OPENS = re.compile(r"enable_|allow_?list|white_?list|bypass|exempt|override")
"""Substrings of settings that allow bypassing a rule, also of forges newer than this."""

_SPECIAL = re.compile(r"[\\*?\[\]{}]")
_ESCAPED = re.compile(r"\\([\\*?\[\]{}])")

_RANK = "priority"
"""Gitea since 1.23 checks rules in this order, the lowest first; one of the branch's own name has no precedence."""


def rule(field: JsonValue) -> Protection:
    """What a rule allows: a team that may merge is shown as `@team`.

    Files that match `unprotected_file_patterns` may be pushed regardless of the rule. Without
    a list of mergers every writer may merge, and `mergers` is empty.
    """
    checked = field["enable_status_check"].flag()
    return Protection(
        branch=field["rule_name"].text(),
        push=field["enable_push"].flag() or bool(field["unprotected_file_patterns"].words()),
        mergers=_people(field, "merge"),
        required_statuses=tuple(map(unescaped, _names(field, "status_check_contexts"))) if checked else (),
        block_on_rejected_reviews=field["block_on_rejected_reviews"].flag(),
        block_on_outdated_branch=field["block_on_outdated_branch"].flag(),
        dismiss_stale_approvals=field["dismiss_stale_approvals"].flag(),
        admins_included=any(field[key].flag() for key in ADMIN_KEYS),
        pushers=_people(field, "push"),
        exceptions=exceptions(field),
    )


def escaped(context: str) -> str:
    """A context that is required to the letter: a rule holds patterns (`*`, `?`, `[…]`, `{…}`), where a backslash takes away their meaning."""
    return _SPECIAL.sub(r"\\\g<0>", context)


def unescaped(pattern: str) -> str:
    """The context that a pattern without a wildcard stands for; one with a wildcard stays as it is."""
    return _ESCAPED.sub(r"\1", pattern)


def exceptions(field: JsonValue) -> tuple[str, ...]:
    """Enabled settings of a rule that allow bypassing it, including unknown ones."""
    return tuple(key for key, held in field.items() if _is_on(key, held.value) and _lets_past(key))


def _is_on(key: str, value: object) -> bool:
    return value is True or (isinstance(value, list) and bool(value) and not key.startswith(_LISTS))


def _lets_past(key: str) -> bool:
    return key in EXCEPTIONS or (key not in _UNDERSTOOD and _OPENS.search(key) is not None)


def settings(wanted: Protection, admins_key: str, held: JsonValue | None = None) -> Mapping[str, object]:
    """The settings that make a rule exactly this; other settings are left alone.

    `held` is the current rule: only switches that the forge shows are turned off.
    """
    return {
        **{key: False for key in EXCEPTIONS if held is not None and held[key].present},
        "enable_push": wanted.push,
        **_list("push", wanted.pushers),
        **_list("merge", wanted.mergers),
        "enable_status_check": bool(wanted.required_statuses),
        "status_check_contexts": [escaped(name) for name in wanted.required_statuses],
        "block_on_rejected_reviews": wanted.block_on_rejected_reviews,
        "block_on_outdated_branch": wanted.block_on_outdated_branch,
        "dismiss_stale_approvals": wanted.dismiss_stale_approvals,
        "unprotected_file_patterns": "",
        admins_key: wanted.admins_included,
    }


def differing(held: JsonValue, wanted: Mapping[str, object]) -> list[str]:
    """The settings that a rule has otherwise; the order of a list is none."""
    return sorted(key for key, value in wanted.items() if _plain(held[key], value) != _plain_wish(value))


def first(rules: Sequence[JsonValue], name: str) -> Mapping[str, object]:
    """The setting that puts a rule before all others; none on a forge without an order of rules.

    `POST branch_protections/priority` wants ids, and no answer of Gitea 1.23 to 1.27 tells the id of a rule.
    """
    others = [row[_RANK].number() for row in rules if row[_RANK].present and row["rule_name"].text() != name]
    return {_RANK: min(others) - 1} if others else {}


def _people(field: JsonValue, what: str) -> tuple[str, ...]:
    """Who is on a list that is on: logins, and teams as `@team`."""
    if not field[f"enable_{what}_whitelist"].flag():
        return ()
    teams = _names(field, f"{what}_whitelist_teams")
    return (*_names(field, f"{what}_whitelist_usernames"), *(f"@{name}" for name in teams))


def _list(what: str, people: Sequence[str]) -> Mapping[str, object]:
    """The settings of a list; an empty one is off, and its names stay as they are on a list for pushes."""
    names = {
        f"{what}_whitelist_usernames": [name for name in people if not name.startswith("@")],
        f"{what}_whitelist_teams": [name[1:] for name in people if name.startswith("@")],
    }
    return {f"enable_{what}_whitelist": bool(people), **(names if people or what == "merge" else {})}


def _names(field: JsonValue, key: str) -> tuple[str, ...]:
    return tuple(name.text() for name in field[key].each())


def _plain(held: JsonValue, like: object) -> object:
    if isinstance(like, int) and not isinstance(like, bool):
        return held.number()
    if isinstance(like, list):
        return sorted(name.text().lower() for name in held.each())
    return held.words() if isinstance(like, str) else held.flag()


def _plain_wish(value: object) -> object:
    return sorted(str(name).lower() for name in value) if isinstance(value, list) else value
