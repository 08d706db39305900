"""The merge box: what the checks and reviews say, and exactly why a pull request may not be merged. Merges nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from forge.embedded import rules
from forge.embedded.instance import Refusal, broken
from forge.embedded.pages import look
from forge.embedded.pages.visit import Visit, words
from forge.embedded.rules import Rule
from forge.embedded.services import issues, merging, people, repos, statuses
from forge.embedded.services.merging import Wish
from forge.embedded.shapes.pulls import is_checking
from forge.embedded.shapes.repos import settings
from forge.embedded.state import Row

_LATER = "Please try again later"
_STRANGER = "User not allowed to merge PR"
_STANDS = {
    "expected": "is missing", "failure": "has failed", "error": "ended in an error", "warning": "has a warning",
}  # fmt: skip
_SAID = {"APPROVED": "approved", "REQUEST_CHANGES": "requested changes", "REQUEST_REVIEW": "was asked for a review"}
_STYLES = {
    "merge": ("allow_merge_commits", "Create a merge commit"),
    "rebase": ("allow_rebase", "Rebase, then fast-forward"),
    "rebase-merge": ("allow_rebase_explicit", "Rebase, then create a merge commit"),
    "squash": ("allow_squash_merge", "Squash into one commit"),
    "fast-forward-only": ("allow_fast_forward_only_merge", "Fast-forward only"),
}


@dataclass(frozen=True, slots=True)
class Check:
    """One status, or one that is required and was not set yet (`expected`)."""

    context: str
    state: str
    description: str
    url: str
    is_required: bool


@dataclass(frozen=True, slots=True)
class Reason:
    """One thing that stands in the way, in the words of the API, and what exactly that is."""

    word: str
    details: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MergeBox:
    """What the box shows; an open pull request without `reasons` the viewer may merge, in one of these `styles`."""

    checks: tuple[Check, ...]
    reasons: tuple[Reason, ...] = ()
    styles: tuple[tuple[str, str], ...] = ()
    may_update: bool = False
    is_scheduled: bool = False


@dataclass(frozen=True, slots=True)
class _Case:
    """One pull request as one viewer sees it now; `behind` counts the commits of the base branch that it lacks."""

    visit: Visit
    issue: Row
    pull: Row
    rule: Rule | None
    checks: tuple[Check, ...]
    behind: int


def of(visit: Visit, issue: Row, pull: Row) -> MergeBox:
    """The box of a pull request."""
    rule = rules.rule_for(visit.site, visit.repo, pull["base_branch"])
    found = tuple(checks(visit, pull["head_sha"], _required(rule)))
    if issue["closed"]:
        return MergeBox(found)
    case = _Case(visit, issue, pull, rule, found, _behind(visit, pull))
    may_update = case.behind > 0 and not pull["conflict"] and _may_update(visit, pull)
    return MergeBox(found, tuple(_reasons(case)), styles(visit.repo), may_update, bool(pull["schedule"]))


def checks(visit: Visit, sha: str, required: Sequence[str] = ()) -> Iterator[Check]:
    """The newest status of each context on a commit, and what is required and missing."""
    latest = statuses.latest(visit.site, visit.repo, sha)
    for row in latest:
        needed = any(_fits(pattern, row["context"]) for pattern in required)
        yield Check(row["context"], row["state"], row["description"], look.outside(row["target_url"]), needed)
    for pattern in required:
        if not any(_fits(pattern, row["context"]) for row in latest):
            yield Check(pattern, "expected", "Waiting to be set", "", is_required=True)


def styles(repo: Row) -> tuple[tuple[str, str], ...]:
    """The styles that a repository allows, its favourite first."""
    chosen = settings(repo)
    allowed = [(style, told) for style, (setting, told) in _STYLES.items() if chosen[setting]]
    return tuple(sorted(allowed, key=lambda style: style[0] != chosen["default_merge_style"]))


def verdicts(visit: Visit, issue: Row) -> list[Row]:
    """The newest verdict of each reviewer, or the request that he was sent; `who` is his name."""
    sql = """SELECT * FROM reviews WHERE id IN (SELECT max(id) FROM reviews WHERE issue_id = ? AND NOT dismissed
             AND state IN ('APPROVED', 'REQUEST_CHANGES', 'REQUEST_REVIEW') GROUP BY user_id, team_id) ORDER BY id"""
    return [row | {"who": _who(visit, row)} for row in visit.site.state.rows(sql, issue["id"])]


def _who(visit: Visit, review: Row) -> str:
    if review["team_id"]:
        return team_name(visit, review["team_id"])
    return str(people.by_id(visit.site, review["user_id"])["login"])


def team_name(visit: Visit, key: int) -> str:
    """What a team is called, also when it is gone."""
    return str((visit.site.state.get("teams", key) or {"name": "a former team"})["name"])


def _fits(pattern: str, context: str) -> bool:
    return rules.matches(pattern, context, across=True)


def _required(rule: Rule | None) -> list[str]:
    return list(rule["status_check_contexts"] or []) if rule and rule["enable_status_check"] else []


def _behind(visit: Visit, pull: Row) -> int:
    tip = repos.tip(visit.site, visit.repo, pull["base_branch"])
    return visit.site.git(visit.repo).count(f"{pull['head_sha']}..{tip}") if tip else 0


def _may_update(visit: Visit, pull: Row) -> bool:
    source = visit.site.state.get("repositories", pull["head_repo_id"])
    if visit.viewer is None or source is None or pull["agit"]:
        return False
    granted = rules.access(visit.site, visit.viewer, source)
    return rules.may_push(visit.site, source, visit.viewer, pull["head_branch"], granted)


def _reasons(case: _Case) -> Iterator[Reason]:
    """Everything that stands in the way; nothing exactly when the forge would merge for this viewer."""
    refused = _refused(case)
    if not refused:
        return
    site, base = case.visit.site, case.pull["base_branch"]
    if case.pull["conflict"]:
        yield Reason(f"This branch has conflicts with {base}", ("Merge or rebase it by hand, and push.",))
    elif is_checking(site, case.pull):
        yield Reason("This branch is being checked for conflicts", (_LATER,))
    blocked = merging.blocked(site, case.issue)
    if blocked:
        yield Reason(blocked, tuple(_details(case, blocked)))
    for other in issues.blockers(site, case.issue):
        yield Reason(f"Depends on #{other['number']}, which is still open")
    if refused not in {_LATER, site.flavour.merge_refusal.format(blocked), words(broken())}:
        yield Reason(refused, _hint(case, refused))


def _refused(case: _Case) -> str:
    """Why the forge would refuse the merge, empty if it would not."""
    visit = case.visit
    if visit.viewer is None:
        return _STRANGER
    if visit.repo["archived"]:
        return words(Refusal(423))
    try:
        merging.check(visit.site, visit.viewer, case.issue, Wish("merge"))
    except Refusal as refusal:
        return words(refusal)
    return ""


def _hint(case: _Case, refused: str) -> tuple[str, ...]:
    if refused == _STRANGER and case.visit.viewer is None:
        return ("Sign in as somebody who may merge.",)
    if refused == _STRANGER:
        return (f"You are not among those who may merge into {case.pull['base_branch']}.",)
    return ("Take “WIP:” off the title when it is ready.",) if refused.startswith("Work in progress") else ()


def _details(case: _Case, blocked: str) -> Iterator[str]:
    """What exactly a reason of branch protection means here."""
    pull, rule, git = case.pull, case.rule, case.visit.site.git(case.visit.repo)
    match blocked:
        case "Not all required status checks successful":
            for check in [check for check in case.checks if check.is_required] or case.checks:
                if check.state != "success":
                    yield f"{check.context} {_STANDS.get(check.state, f'is {check.state}')}"
        case "The head branch is behind the base branch":
            yield f"Commits of {pull['base_branch']} that it lacks: {case.behind}"
        case "Changed protected files" if rule:
            yield from rules.protected_files(rule, git, pull["merge_base"], pull["head_sha"])
        case "Does not have enough approvals" if rule:
            yield f"Approvals required: {rule['required_approvals']}"
            yield from _judged(case)
        case _:
            yield from _judged(case)


def _judged(case: _Case) -> Iterator[str]:
    for review in verdicts(case.visit, case.issue):
        counts = "" if review["official"] else ", which does not count here"
        yield f"{review['who']} {_SAID[review['state']]}{counts}"
