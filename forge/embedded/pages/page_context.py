"""The context in which one page is made: request, viewer, repository and rights; and the route that leads to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

from flask import Request, Response, render_template

from forge.embedded import rules
from forge.embedded.instance import NOT_FOUND, ForgeInstance, Missing, Refusal
from forge.embedded.pages import markup
from forge.embedded.pages.format import Html
from forge.embedded.rules import ISSUES, NO_ACCESS, PULLS, Access
from forge.embedded.services import issues, labels, people, pulls, repos
from forge.embedded.state import Row

_MESSAGES = {
    403: "You are not allowed to do that.",
    404: "This page does not exist, or you are not allowed to see it.",
    423: "This repository is archived and read-only.",
    500: "The forge could not do that.",
}
"""Error messages for refusals that have none of their own."""

_MAX_DIGITS = 9


@dataclass
class SentFields:
    """The query and the form that a request brought, cleaned."""

    request: Request

    def query(self, name: str) -> str:
        """A query parameter."""
        return self.request.args.get(name, "").strip()

    def field(self, name: str) -> str:
        """A form field."""
        return clean(self.request.form.get(name, ""))

    def require(self, name: str, message: str) -> str:
        """A form field that must not be empty; raises Refusal with the message."""
        if not (value := self.field(name)):
            raise Refusal(422, message)
        return value

    def fields(self, name: str) -> list[str]:
        """All values of a multiple-choice field."""
        return [value.strip() for value in self.request.form.getlist(name) if value.strip()]

    def ids(self, name: str) -> list[int]:
        """All values of a multiple-choice field that are ids."""
        return [key for value in self.fields(name) if (key := natural(value)) is not None]


@dataclass
class PageContext(SentFields):
    """One request and what is known about it; templates see it as `page`."""

    site: ForgeInstance
    args: dict[str, str]
    viewer: Row | None = None
    repo: Row = field(default_factory=dict)
    granted: Access = NO_ACCESS
    refusal: Refusal | None = None
    """Why the form that was sent is refused; its page is shown again with this error."""

    @property
    def actor(self) -> Row:
        """The signed-in user; raises Refusal without one."""
        if self.viewer is None:
            raise Refusal(403, "Sign in to do that.")
        return self.viewer

    @property
    def error(self) -> str:
        """The error message to show."""
        return message(self.refusal) if self.refusal else ""

    @property
    def home(self) -> str:
        """The path of the repository."""
        return f"/{self.repo['full_name']}"

    @cached_property
    def issue(self) -> Row:
        """The issue or pull request of the path; raises Missing if the viewer may not see it."""
        issue = issues.get(self.site, self.repo, natural(self.args["number"]) or 0)
        if not self.granted.reads(PULLS if issue["is_pull"] else ISSUES):
            raise Missing
        return issue

    @cached_property
    def pull(self) -> Row:
        """The pull request of the path; raises Missing for an issue."""
        return pulls.row(self.site, self.issue)

    @property
    def issue_home(self) -> str:
        """The path of the issue or pull request."""
        return f"{self.home}/{'pulls' if self.issue['is_pull'] else 'issues'}/{self.issue['number']}"

    @property
    def list_page(self) -> int:
        """The requested page of a list, from 1."""
        return max(1, natural(self.query("page")) or 1)

    def render(self, template: str, **values: object) -> Response:
        """Render a template; after a refusal with its status."""
        status = self.refusal.status if self.refusal else 200
        # 405 is the API's status for "not now"; to a browser it means a wrong method.
        return Response(render_template(template, page=self, **values), 409 if status == 405 else status)

    def redirect(self, path: str) -> Response:
        """Send the browser to another page, after a form or to the address that a page has now."""
        return Response(status=303, headers={"Location": path})

    def markdown(self, text: str) -> Html:
        """Render Markdown that was written in this repository."""
        return markup.render(text, self)

    def user_path(self, login: str) -> str:
        """The page of a user; empty if there is no such user."""
        found = people.find(self.site, login)
        return f"/{found['login']}" if found else ""

    def issue_path(self, repo: str, number: int) -> str:
        """The page of an issue or pull request; empty if it does not exist or the viewer may not see it."""
        of = self.repo if not repo else repos.find(self.site, *repo.split("/", 1))
        sql = "SELECT is_pull FROM issues WHERE repo_id = ? AND number = ?"
        found = self.site.state.row(sql, of["id"], number) if of else None
        if of is None or found is None:
            return ""
        unit, kind = (PULLS, "pulls") if found["is_pull"] else (ISSUES, "issues")
        readable = rules.access(self.site, self.viewer, of).reads(unit)
        return f"/{of['full_name']}/{kind}/{number}" if readable else ""

    def open_count(self, repo: Row, *, is_pull: bool) -> int:
        """The number of open issues or pull requests of a repository."""
        sql = "SELECT count(*) FROM issues WHERE repo_id = ? AND is_pull = ? AND closed IS NULL"
        return int(self.site.state.value(sql, repo["id"], is_pull))

    @cached_property
    def labels(self) -> list[Row]:
        """The labels that issues of the repository can have."""
        return labels.usable(self.site, self.repo)

    @property
    def branches(self) -> list[str]:
        """The names of the branches, the default one first."""
        sql = "SELECT substr(name, 12) AS name FROM refs WHERE repo_id = ? AND name LIKE 'refs/heads/%' ORDER BY name"
        names = [row["name"] for row in self.site.state.rows(sql, self.repo["id"])]
        return sorted(names, key=lambda name: name != self.repo["default_branch"])

    @cached_property
    def members(self) -> list[Row]:
        """The users who can be assigned."""
        return repos.insiders(self.site, self.repo)

    @property
    def may_comment(self) -> bool:
        """Whether the viewer may comment and review."""
        return self.viewer is not None and not self.repo["archived"]

    def may_write(self, unit: str) -> bool:
        """Whether the viewer may change a unit of the repository."""
        return self.may_comment and self.granted.writes(unit)


def natural(text: str) -> int | None:
    """The number that a text is; None for anything else, and for numbers beyond those of a database."""
    return int(text) if text.isdecimal() and len(text) <= _MAX_DIGITS else None


def clean(text: str) -> str:
    """A text from a form, with the line ends of Unix and without space around it."""
    return text.replace("\r\n", "\n").strip()


def message(refusal: Refusal) -> str:
    """The error message for a refusal."""
    own = "" if refusal.message == NOT_FOUND else refusal.message
    return own or _MESSAGES.get(refusal.status, _MESSAGES[500])


View = Callable[[PageContext], Response]


@dataclass(frozen=True, slots=True)
class Page:
    """A route: method and path (`~` stands for `/<owner>/<repo>`), and the function that makes the page.

    The viewer must be able to read one of `units`; with `login` strangers are redirected to the sign-in page.
    When a form is refused, `form` shows its page again.
    """

    method: str
    path: str
    view: View
    units: tuple[str, ...] = ()
    login: bool = False
    form: View | None = None

    @property
    def rule(self) -> str:
        """The path as Flask reads it."""
        return self.path.replace("~", "/<owner>/<repo>", 1)
