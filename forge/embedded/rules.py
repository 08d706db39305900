"""Permissions: access to a repository by unit, and branch protection. Changes nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from forge.embedded.diffs import changes
from forge.embedded.git import ZERO, Git
from forge.embedded.instance import ForgeInstance
from forge.embedded.state import Row

CODE, ISSUES, PULLS, RELEASES = "repo.code", "repo.issues", "repo.pulls", "repo.releases"
WIKI, ACTIONS = "repo.wiki", "repo.actions"
UNITS = (
    CODE,
    ISSUES,
    PULLS,
    RELEASES,
    "repo.packages",
    "repo.ext_issues",
    WIKI,
    "repo.ext_wiki",
    "repo.projects",
    ACTIONS,
)


class Mode(IntEnum):
    """A level of access."""

    NONE = 0
    READ = 1
    WRITE = 2
    ADMIN = 3
    OWNER = 4

    @property
    def word(self) -> str:
        """As the API says it."""
        return self.name.lower()


def mode(word: str) -> Mode:
    """The mode of that name, NONE for unknown ones."""
    return Mode.__members__.get(word.upper(), Mode.NONE)


@dataclass(frozen=True, slots=True)
class Access:
    """The access of a user to a repository."""

    mode: Mode
    units: Mapping[str, Mode] = field(default_factory=dict)

    def unit(self, name: str) -> Mode:
        """The right on one unit."""
        return self.mode if self.mode >= Mode.ADMIN else self.units.get(name, Mode.NONE)

    def reads(self, *units: str) -> bool:
        """May see at least one of these units, or anything at all when none is named."""
        return any(self.unit(name) >= Mode.READ for name in units or UNITS)

    def writes(self, *units: str) -> bool:
        """May change at least one of these units."""
        return any(self.unit(name) >= Mode.WRITE for name in units)

    @property
    def administers(self) -> bool:
        """May change the settings."""
        return self.mode >= Mode.ADMIN


NO_ACCESS = Access(Mode.NONE)
OWN = Access(Mode.OWNER)


def access(site: ForgeInstance, user: Row | None, repo: Row) -> Access:
    """The access of a user, or of anonymous callers, to a repository."""
    if user and (user["is_admin"] or user["id"] == repo["owner_id"]):
        return OWN
    public = not repo["private"] and not (user and user["restricted"])
    floor = Mode.READ if public else Mode.NONE
    if user is None:
        return _even(floor)
    highest = max(floor, _collaborates(site, user, repo))
    units = dict.fromkeys(UNITS, highest)
    for team in _teams(site, user, repo):
        if team["mode"] >= Mode.ADMIN:
            return OWN
        highest = max(highest, Mode(team["mode"]))
        for unit, word in json.loads(team["units"]).items():
            units[unit] = max(units.get(unit, Mode.NONE), mode(word))
    return Access(highest, units)


def limited(granted: Access, repo: Row, token: Row | None) -> Access:
    """The access of a token that is limited to some repositories: never administration."""
    if token is None or token["repos"] is None:
        return granted
    if repo["id"] not in json.loads(token["repos"]):
        return NO_ACCESS if repo["private"] else _even(Mode.READ)
    return Access(min(granted.mode, Mode.WRITE), {unit: min(granted.unit(unit), Mode.WRITE) for unit in UNITS})


def _even(level: Mode) -> Access:
    return Access(level, dict.fromkeys(UNITS, level))


def _collaborates(site: ForgeInstance, user: Row, repo: Row) -> Mode:
    found = site.state.value("SELECT mode FROM collaborators WHERE repo_id = ? AND user_id = ?", repo["id"], user["id"])
    return Mode(found or 0)


def _teams(site: ForgeInstance, user: Row, repo: Row) -> list[Row]:
    sql = "SELECT teams.* FROM teams JOIN team_members ON team_id = teams.id WHERE user_id = ? AND org_id = ? AND all_repos"
    return site.state.rows(sql, user["id"], repo["owner_id"])


# Branch protection.
_SWITCHES = (
    "enable_push enable_push_whitelist push_whitelist_deploy_keys enable_force_push enable_force_push_allowlist"
    " force_push_allowlist_deploy_keys enable_merge_whitelist enable_bypass_allowlist enable_status_check"
    " enable_approvals_whitelist block_on_rejected_reviews block_on_official_review_requests block_on_outdated_branch"
    " dismiss_stale_approvals ignore_stale_approvals require_signed_commits apply_to_admins block_admin_merge_override"
)
_LISTS = (
    "push_whitelist_usernames push_whitelist_teams force_push_allowlist_usernames force_push_allowlist_teams"
    " merge_whitelist_usernames merge_whitelist_teams bypass_allowlist_usernames bypass_allowlist_teams"
    " approvals_whitelist_username approvals_whitelist_teams"
)
PROTECTION: dict[str, Any] = {
    **dict.fromkeys(_SWITCHES.split(), False), **{name: [] for name in _LISTS.split()},
    **dict.fromkeys(("priority", "required_approvals"), 0), "status_check_contexts": None,
    **dict.fromkeys(("protected_file_patterns", "unprotected_file_patterns"), ""),
}  # fmt: skip
"""The settings of a rule and what they are when nothing is said, in all flavours together. Lists hold the ids of users and teams."""


@dataclass(frozen=True, slots=True)
class ProtectionRule:
    """A branch protection rule."""

    name: str
    settings: Mapping[str, Any]

    def __getitem__(self, key: str) -> Any:
        return self.settings[key]


def rule_for(site: ForgeInstance, repo: Row, branch: str) -> ProtectionRule | None:
    """The rule that protects a branch: the one of lowest priority; of these one of its own name, else the oldest."""
    rows = site.state.rows("SELECT * FROM protections WHERE repo_id = ? ORDER BY name != ?, id", repo["id"], branch)
    fitting = [
        ProtectionRule(row["name"], PROTECTION | json.loads(row["settings"]))
        for row in rows
        if row["name"] == branch or matches(row["name"], branch)
    ]
    return min(fitting, key=lambda rule: int(rule["priority"]), default=None)


def matches(pattern: str, text: str, *, across: bool = False) -> bool:
    """Whether a glob fits; `*` stops at a slash, unless `across`, and `**` does not; `[ab]` is a letter, `{a,b}` a word; a backslash takes the next letter as it is."""
    words = {"**": ".*", "*": ".*" if across else "[^/]*", "?": "."}
    found = []
    for part in re.split(r"(\\.|\*\*|\*|\?|\[[^\]]+\]|\{[^}]*\})", pattern):
        if part[:1] == "\\" and len(part) == 2:
            found.append(re.escape(part[1]))
        elif part[:1] == "[" and len(part) > 2:
            letters = part[1:-1].removeprefix("!")
            found.append(f"[{'^' if part[1] == '!' else ''}{re.escape(letters).replace(re.escape('-'), '-')}]")
        elif part[:1] == "{" and part[-1:] == "}":
            found.append(f"(?:{'|'.join(map(re.escape, part[1:-1].split(',')))})")
        else:
            found.append(words.get(part, re.escape(part)))
    return bool(re.fullmatch("".join(found), text, re.DOTALL))


def listed(site: ForgeInstance, rule: ProtectionRule, what: str, user: Row) -> bool:
    """Whether a user is on a list of a rule (`push_whitelist`, `merge_whitelist`), directly or by a team."""
    if user["id"] in rule[f"{what}_usernames"]:
        return True
    teams = rule[f"{what}_teams"]
    member = site.state.rows("SELECT team_id FROM team_members WHERE user_id = ?", user["id"])
    return any(row["team_id"] in teams for row in member)


def may_push(site: ForgeInstance, repo: Row, user: Row, branch: str, granted: Access) -> bool:
    """Whether a user may add commits to a branch directly."""
    rule = rule_for(site, repo, branch)
    if rule is None:
        return granted.writes(CODE)
    if not rule["enable_push"] or not granted.writes(CODE):
        return False
    return not rule["enable_push_whitelist"] or listed(site, rule, "push_whitelist", user)


def may_merge(site: ForgeInstance, repo: Row, user: Row, branch: str, granted: Access) -> bool:
    """Whether a user may merge pull requests into a branch, with or without force."""
    rule = rule_for(site, repo, branch)
    if rule and rule["enable_merge_whitelist"]:
        return listed(site, rule, "merge_whitelist", user)
    return granted.writes(CODE)


def reviews_officially(site: ForgeInstance, repo: Row, user: Row, branch: str) -> bool:
    """Whether a review by this user counts for branch protection."""
    rule = rule_for(site, repo, branch)
    if rule is None or not rule["enable_approvals_whitelist"]:
        return access(site, user, repo).writes(CODE)
    if user["id"] in rule["approvals_whitelist_username"]:
        return True
    member = site.state.rows("SELECT team_id FROM team_members WHERE user_id = ?", user["id"])
    return any(row["team_id"] in rule["approvals_whitelist_teams"] for row in member)


def push_refusal(
    site: ForgeInstance, repo: Row, user: Row, granted: Access, *, move: tuple[str, str, str], git: Git
) -> str:
    """Why a push may not move a ref (`ref, old, new`), in the words of the pre-receive hook; empty if it may."""
    ref, old, new = move
    kind, _, name = ref.removeprefix("refs/").partition("/")
    stranger = "User permission denied for writing."
    if kind == "tags":
        return "" if granted.writes(CODE, RELEASES) else stranger
    if kind != "heads":
        return f"The ref {ref} is kept by the forge itself."
    if name == repo["default_branch"] and new == ZERO:
        return f"branch {name} is the default branch and cannot be deleted"
    if not granted.writes(CODE):
        return stranger
    rule = rule_for(site, repo, name)
    if rule is None:
        return ""
    if new == ZERO:
        return f"branch {name} is protected from deletion"
    rewritten = old != ZERO and not git.contains(new, old)
    if rewritten and not rule["enable_force_push"]:
        return f"branch {name} is protected from force push"
    if rewritten and rule["enable_force_push_allowlist"]:
        allowed = listed(site, rule, "force_push_allowlist", user)
    else:
        allowed = may_push(site, repo, user, name, granted)
    if not allowed:
        return f"Not allowed to {'force-push' if rewritten else 'push'} to protected branch {name}"
    touched = protected_files(rule, git, old, new)
    return f"branch {name} is protected from changing file {touched[0]}" if touched else ""


def protected_files(rule: ProtectionRule, git: Git, old: str, new: str) -> list[str]:
    """The changed files that the rule protects."""
    patterns = [part.strip() for part in rule["protected_file_patterns"].lower().split(";") if part.strip()]
    if not patterns or ZERO in {old, new}:
        return []
    paths = [change.path for change in changes(git, git.merge_base(old, new) or old, new)]
    return [path for path in paths if any(matches(pattern, path.lower()) for pattern in patterns)]
