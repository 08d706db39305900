"""One visit of a page: who comes, what for, what he is shown; and the table row that leads to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

from flask import Request, Response, render_template

from forge.embedded import rules
from forge.embedded.instance import NOT_FOUND, ForgeInstance, Missing, Refusal
from forge.embedded.pages import markup
from forge.embedded.pages.look import Html
from forge.embedded.rules import NO_ACCESS, Access
from forge.embedded.services import labels, people, repos
from forge.embedded.shapes.repos import settings
from forge.embedded.state import Row

_WORDS = {
    403: "You may not do that.",
    404: "There is nothing here, or nothing that you may see.",
    423: "This repository is archived: it can be read only.",
    500: "That cannot be done as things are.",
}
"""What is said when the forge refuses without a word of its own."""

_DIGITS = 9


@dataclass
class Visit:
    """A request with what was found out about it before its page is made."""

    site: ForgeInstance
    request: Request
    args: dict[str, str]
    viewer: Row | None = None
    repo: Row = field(default_factory=dict)
    granted: Access = NO_ACCESS

    @property
    def actor(self) -> Row:
        """Who acts; refuses nobody in particular."""
        if self.viewer is None:
            raise Refusal(403, "Sign in to do that.")
        return self.viewer

    @property
    def home(self) -> str:
        """The path of the repository."""
        return f"/{self.repo['full_name']}"

    @property
    def number(self) -> int:
        """The number in the path; what is none is not there."""
        if (number := natural(self.args["number"])) is None:
            raise Missing
        return number

    @property
    def tabs(self) -> list[Tab]:
        """Where one can go in the repository."""
        counts, chosen = open_counts(self.site, self.repo, self.granted), settings(self.repo)
        shown = {
            Tab("code", "", "code", "Code"): self.granted.reads(rules.CODE),
            Tab("issues", "/issues", "issue", "Issues", counts["open_issues"]): self.granted.reads(rules.ISSUES)
            and chosen["has_issues"],
            Tab("pulls", "/pulls", "pull", "Pull requests", counts["open_pulls"]): self.granted.reads(rules.PULLS),
        }
        return [tab for tab, is_open in shown.items() if is_open]

    @property
    def page(self) -> int:
        """Which page of a list is asked for."""
        return max(1, natural(self.query("page")) or 1)

    def query(self, name: str) -> str:
        """A parameter of the address."""
        return self.request.args.get(name, "").strip()

    def field(self, name: str) -> str:
        """What was typed into a field; browsers send line ends as two characters."""
        return self.request.form.get(name, "").replace("\r\n", "\n").strip()

    def need(self, name: str, otherwise: str) -> str:
        """The same for a field that may not be empty."""
        if not (typed := self.field(name)):
            raise Refusal(422, otherwise)
        return typed

    def fields(self, name: str) -> list[str]:
        """All values of a field that can be chosen more than once, also with commas between them."""
        return [part.strip() for value in self.request.form.getlist(name) for part in value.split(",") if part.strip()]

    def keys(self, name: str) -> list[int]:
        """The same for ids; what is none is left out."""
        return [key for value in self.fields(name) if (key := natural(value)) is not None]

    def show(self, template: str, status: int = 200, **shown: object) -> Response:
        """A page."""
        return Response(render_template(template, visit=self, **shown), status)

    def go(self, path: str) -> Response:
        """Send the browser on after a deed."""
        return Response(status=303, headers={"Location": path})

    def prose(self, text: str) -> Html:
        """What somebody wrote in this repository."""
        return markup.prose(text, self)

    def person(self, login: str) -> str:
        """The page of a user; empty without one."""
        found = people.find(self.site, login)
        return f"/{found['login']}" if found else ""

    def issue(self, repo: str, number: int) -> str:
        """The page of an issue or pull request; empty if it is not there or not for these eyes."""
        place = self.repo if not repo else repos.find(self.site, *repo.split("/", 1))
        sql = "SELECT is_pull FROM issues WHERE repo_id = ? AND number = ?"
        found = self.site.state.row(sql, place["id"], number) if place else None
        if place is None or found is None:
            return ""
        unit = rules.PULLS if found["is_pull"] else rules.ISSUES
        seen = rules.access(self.site, self.viewer, place).reads(unit)
        return f"/{place['full_name']}/{'pulls' if found['is_pull'] else 'issues'}/{number}" if seen else ""

    @cached_property
    def labels(self) -> list[Row]:
        """The labels that can be used here."""
        return labels.usable(self.site, self.repo)

    @property
    def colours(self) -> str:
        """The colours of these labels, which name their stylesheet."""
        return "-".join(sorted({label["color"] for label in self.labels})) if self.repo else ""

    def may_write(self, unit: str) -> bool:
        """Whether the viewer may change a unit of the repository."""
        return self.viewer is not None and not self.repo["archived"] and self.granted.writes(unit)


def natural(text: str) -> int | None:
    """The number that a text is; None for anything else, and for what no database counts up to."""
    return int(text) if text.isdecimal() and len(text) <= _DIGITS else None


def words(refusal: Refusal) -> str:
    """What to say of a refusal."""
    said = "" if refusal.message == NOT_FOUND else refusal.message
    return said or _WORDS.get(refusal.status, _WORDS[500])


@dataclass(frozen=True, slots=True)
class Tab:
    """One place of a repository."""

    name: str
    path: str
    icon: str
    words: str
    count: int = 0


def open_counts(site: ForgeInstance, repo: Row, granted: Access) -> Row:
    """How many issues and pull requests are open, where the viewer may see them."""
    sql = "SELECT count(*) FROM issues WHERE repo_id = ? AND is_pull = ? AND closed IS NULL"
    kinds = (("open_issues", rules.ISSUES, 0), ("open_pulls", rules.PULLS, 1))
    return {
        name: site.state.value(sql, repo["id"], is_pull) if granted.reads(unit) else 0 for name, unit, is_pull in kinds
    }


Shower = Callable[[Visit], Response]


@dataclass(frozen=True, slots=True)
class Page:
    """One line of the table: method and path, and who makes the page; `~` stands for `/<owner>/<repo>`.

    `units` are those of the repository of which one has to be readable; `login` sends strangers to sign in.
    """

    line: str
    shower: Shower
    units: tuple[str, ...] = ()
    login: bool = False

    @property
    def method(self) -> str:
        """GET or POST."""
        return self.line.partition(" ")[0]

    @property
    def path(self) -> str:
        """The rest of the line, written out."""
        return self.line.partition(" ")[2].replace("~", "/<owner>/<repo>", 1)
