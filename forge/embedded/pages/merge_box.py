"""The merge box: commit statuses, and every reason why the viewer may not merge. Merges nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from forge.embedded import rules
from forge.embedded.instance import Refusal, broken
from forge.embedded.pages.page_context import PageContext, message
from forge.embedded.rules import ProtectionRule
from forge.embedded.services import issues, merging, people, repos, statuses
from forge.embedded.services.merging import MergeOptions
from forge.embedded.shapes import pulls as shapes
from forge.embedded.shapes.repos import settings
from forge.embedded.state import Row

_TRY_LATER = "Please try again later"
_NOT_ALLOWED = "User not allowed to merge PR"
_STATES = {
    "expected": "is missing", "failure": "has failed", "error": "ended in an error", "warning": "has a warning",
    "APPROVED": "approved", "REQUEST_CHANGES": "requested changes", "REQUEST_REVIEW": "was asked for a review",
}  # fmt: skip


@dataclass
class MergeBox:
    """The merge box of a pull request, as one viewer sees it now."""

    page: PageContext

    @cached_property
    def rule(self) -> ProtectionRule | None:
        """The protection of the base branch."""
        return rules.rule_for(self.page.site, self.page.repo, self.page.pull["base_branch"])

    @cached_property
    def checks(self) -> list[Row]:
        """The statuses of the head, with the required ones that are missing."""
        rule = self.rule
        required = list(rule["status_check_contexts"] or []) if rule and rule["enable_status_check"] else []
        return checks(self.page, self.page.pull["head_sha"], required)

    @cached_property
    def behind(self) -> int:
        """The number of commits of the base branch that the head lacks."""
        tip = repos.tip(self.page.site, self.page.repo, self.page.pull["base_branch"])
        return self.page.site.git(self.page.repo).count(f"{self.page.pull['head_sha']}..{tip}") if tip else 0

    @property
    def styles(self) -> list[str]:
        """The merge styles that the repository allows, its default first."""
        chosen = settings(self.page.repo)
        allowed = [style for style, key in merging.ALLOWED_BY.items() if chosen[key] and style != "manually-merged"]
        return sorted(allowed, key=lambda style: style != chosen["default_merge_style"])

    @cached_property
    def reasons(self) -> list[tuple[str, list[str]]]:
        """Everything that stands in the way, in the API's words, each with details; empty if the viewer may merge."""
        return list(self._reasons())

    def _reasons(self) -> Iterator[tuple[str, list[str]]]:
        site, base = self.page.site, self.page.pull["base_branch"]
        if not (refused := self._refusal()):
            return
        if self.page.pull["conflict"]:
            yield f"This branch has conflicts with {base}", ["Merge or rebase it by hand, and push."]
        elif shapes.is_checking(site, self.page.pull):
            yield "This branch is being checked for conflicts", [_TRY_LATER]
        if blocked := merging.blocked(site, self.page.issue):
            yield blocked, list(self._details(blocked))
        for other in issues.blockers(site, self.page.issue):
            yield f"Depends on #{other['number']}, which is still open", []
        if refused not in {_TRY_LATER, site.flavour.merge_refusal.format(blocked), message(broken())}:
            yield refused, []

    def _refusal(self) -> str:
        """Why the forge would refuse the merge; empty if it would not."""
        if self.page.viewer is None:
            return _NOT_ALLOWED
        try:
            merging.check(self.page.site, self.page.viewer, self.page.issue, MergeOptions("merge"))
        except Refusal as refusal:
            return message(refusal)
        return message(Refusal(423)) if self.page.repo["archived"] else ""

    def _details(self, blocked: str) -> Iterator[str]:
        """What a reason of branch protection means here."""
        match blocked:
            case "Not all required status checks successful":
                for check in [check for check in self.checks if check["is_required"]] or self.checks:
                    if (state := check["state"]) != "success":
                        yield f"{check['context']} {_STATES.get(state, f'is {state}')}"
            case "The head branch is behind the base branch":
                yield f"Commits of {self.page.pull['base_branch']} that it lacks: {self.behind}"
            case "Changed protected files" if self.rule:
                git = self.page.site.git(self.page.repo)
                yield from rules.protected_files(
                    self.rule, git, self.page.pull["merge_base"], self.page.pull["head_sha"]
                )
            case _:
                if blocked == "Does not have enough approvals" and self.rule:
                    yield f"Approvals required: {self.rule['required_approvals']}"
                for review in reviewers(self.page):
                    counts = "" if review["official"] else ", which does not count here"
                    yield f"{review['name']} {_STATES[review['state']]}{counts}"


def checks(page: PageContext, sha: str, required: Sequence[str] = ()) -> list[Row]:
    """The latest status of each context of a commit, then the required contexts (globs) without one."""
    latest = statuses.latest(page.site, page.repo, sha)

    def fits(pattern: str, context: str) -> bool:
        return rules.matches(pattern, context, across=True)

    missing = {"state": "expected", "description": "Not reported yet", "target_url": "", "is_required": True}
    return [row | {"is_required": any(fits(pattern, row["context"]) for pattern in required)} for row in latest] + [
        missing | {"context": pattern}
        for pattern in required
        if not any(fits(pattern, row["context"]) for row in latest)
    ]


def reviewers(page: PageContext) -> list[Row]:
    """The latest verdict of each reviewer, or the request for one; `name` is a login or a team."""
    former = {"name": "a former team"}
    return [
        review
        | {
            "name": (page.site.state.get("teams", review["team_id"]) or former)["name"]
            if review["team_id"]
            else people.by_id(page.site, review["user_id"])["login"]
        }
        for review in shapes.verdicts(page.site, page.issue)
    ]
