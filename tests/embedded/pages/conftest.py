"""A running forge, users with browsers, and an environment for each test: an organisation with a repository."""

from __future__ import annotations

import functools
import http.cookiejar
import itertools
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from email.message import Message
from html.parser import HTMLParser
from typing import Any

import pytest

from forge.embedded import EmbeddedForge
from forge.embedded.instance import ForgeInstance
from forge.embedded.services import contents, issues, labels, orgs, people, pulls, repos, statuses
from forge.embedded.services.contents import ContentEdit
from forge.embedded.state import Row

PASSWORD = " a password "
README = "# app\n\nSee [how](docs/how.md) and ![a picture](logo.png).\n"
LINES = "".join(f"line {n}\n" for n in range(1, 41))
_NUMBERS = itertools.count(1)


@dataclass
class Form:
    """A form as a browser sees it: the fields that would be sent, and the buttons."""

    action: str
    fields: list[tuple[str, str]] = field(default_factory=list)
    buttons: list[tuple[str, str]] = field(default_factory=list)


class _Reader(HTMLParser):
    """Collects the tags, the text and the forms of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.words: list[str] = []
        self.forms: list[Form] = []
        self._by_id: dict[str, Form] = {}
        self._open: Form | None = None
        self._field: tuple[Form, str] | None = None
        """The textarea, or the option without a value, whose text is being read."""
        self._select = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        about = {name: value or "" for name, value in attrs}
        self.tags.append((tag, about))
        if tag == "form":
            self._open = self._by_id.setdefault(about.get("id", str(len(self.forms))), Form(""))
            self._open.action = about.get("action", "")
            self.forms.append(self._open)
        form = self._by_id.setdefault(about["form"], Form("")) if "form" in about else self._open
        if form and tag in {"input", "button", "textarea", "select", "option"}:
            self._control(form, tag, about)

    def _control(self, form: Form, tag: str, about: dict[str, str]) -> None:
        name, value = about.get("name", ""), about.get("value", "")
        match tag:
            case "button":
                form.buttons.append((name, value))
            case "textarea":
                form.fields.append((name, ""))
                self._field = (form, name)
            case "select":
                self._select = name
            case "option":
                if "selected" in about or self._select not in dict(form.fields):
                    form.fields = [pair for pair in form.fields if pair[0] != self._select] + [(self._select, value)]
                    self._field = None if "value" in about else (form, self._select)
            case _:
                if name and (about.get("type") != "checkbox" or "checked" in about):
                    form.fields.append((name, value))

    def handle_endtag(self, tag: str) -> None:
        if tag in {"textarea", "option"}:
            self._field = None
        elif tag == "form":
            self._open = None

    def handle_data(self, data: str) -> None:
        self.words.append(data)
        if self._field:
            form, name = self._field
            form.fields = [(n, data if n == name else value) for n, value in form.fields]


@dataclass
class Shown:
    """The final response: `path` is the last address, `answers` are the statuses of all responses."""

    status: int
    path: str
    text: str
    headers: Message
    answers: list[int]
    location: str = ""

    @functools.cached_property
    def _read(self) -> _Reader:
        return _Reader(self.text)

    @property
    def words(self) -> str:
        """The text, with single spaces."""
        return " ".join(" ".join(self._read.words).split())

    @property
    def tags(self) -> list[tuple[str, dict[str, str]]]:
        """Each tag with its attributes."""
        return self._read.tags

    @property
    def links(self) -> list[str]:
        """The targets of all links."""
        return [about["href"] for tag, about in self.tags if tag == "a" and "href" in about]

    def form(self, action: str) -> Form:
        """The form whose action ends with a path."""
        found = [form for form in self._read.forms if form.action.endswith(action)]
        assert found, f"no form for {action} in: {self.words}"
        return found[0]

    def has_form(self, action: str) -> bool:
        """Whether there is such a form."""
        return any(form.action.endswith(action) for form in self._read.forms)


@dataclass(frozen=True)
class Raw:
    """An answer as it came."""

    status: int
    content: bytes
    headers: Message


class _Still(urllib.request.HTTPRedirectHandler):
    """Follows no redirect: the test sees each response."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


@dataclass
class Browser:
    """A browser without JavaScript, with the cookies of one user."""

    url: str
    login: str = ""
    jar: http.cookiejar.CookieJar = field(default_factory=http.cookiejar.CookieJar)

    def open(
        self, path: str, data: list[tuple[str, str]] | None = None, *, follow: bool = True, **headers: str
    ) -> Shown:
        """Open a page, and follow redirects."""
        shown = self._ask(path, data, headers)
        answers = [shown.status]
        while follow and shown.status in {301, 302, 303, 307}:
            assert shown.location.startswith("/"), shown.location
            shown = self._ask(shown.location.partition("#")[0], None, headers)
            answers.append(shown.status)
        shown.answers = answers
        return shown

    def send(self, path: str, action: str, /, **typed: Any) -> Shown:
        """Open a page, fill in its form for `action`, and submit it."""
        return self.fill(self.open(path), action, **typed)

    def fill(self, page: Shown, action: str, /, **typed: Any) -> Shown:
        """Fill in a form of an open page, and submit it; a list is several values of one field."""
        form = page.form(action)
        kept = [pair for pair in form.fields if pair[0] not in typed]
        values = {name: value if isinstance(value, list) else [value] for name, value in typed.items()}
        added = [(name, str(one)) for name, many in values.items() for one in many]
        return self.open(form.action or page.path, kept + added)

    def token(self) -> str:
        """The CSRF token of this session."""
        path, action = ("/", "/logout") if self.is_in() else ("/user/login", "/login")
        return dict(self.open(path).form(action).fields)["_csrf"]

    def sign_in(self, password: str = PASSWORD, **more: str) -> Shown:
        """Sign in with the form."""
        return self.send("/user/login", "/user/login", user_name=self.login, password=password, **more)

    def is_in(self) -> bool:
        """Whether the user is signed in."""
        return self.open("/").has_form("/logout")

    def raw(self, path: str, data: list[tuple[str, str]] | None = None, **headers: str) -> Raw:
        """One request and its response."""
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(self.jar), _Still
        )
        body = None if data is None else urllib.parse.urlencode(data).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(self.url + path, body, {"Connection": "close", **named})
        try:
            with opener.open(request, timeout=30) as answer:
                return Raw(answer.status, answer.read(), answer.headers)
        except urllib.error.HTTPError as error:
            with error:
                return Raw(error.code, error.read(), error.headers)

    def _ask(self, path: str, data: list[tuple[str, str]] | None, headers: Mapping[str, str]) -> Shown:
        raw = self.raw(path, data, **headers)
        return Shown(raw.status, path, raw.content.decode(), raw.headers, [], raw.headers.get("Location", ""))


@dataclass(frozen=True)
class ForgeEnv:
    """An organisation with a public repository `app`, and users with different rights."""

    forge: EmbeddedForge
    org: Row
    repo: Row
    mara: Browser
    """Admin of the repository."""
    core: Browser
    """Writes."""
    iris: Browser
    """Reads."""
    eve: Browser
    """In no team."""
    nobody: Browser

    @property
    def site(self) -> ForgeInstance:
        """The forge, as services take it."""
        return self.forge.site

    @property
    def home(self) -> str:
        """The path of the repository."""
        return f"/{self.repo['full_name']}"

    def user(self, login: str) -> Row:
        """An account."""
        return people.named(self.site, login)

    def issue(self, title: str = "It is broken", body: str = "Look.", by: str = "core", **more: Any) -> Row:
        """A new issue."""
        return issues.create(self.site, self.user(by), self.repo, title=title, body=body, **more)

    def label(self, name: str, color: str = "b8863b", **more: Any) -> Row:
        """A new label."""
        return labels.create(self.site, {"repo_id": self.repo["id"]}, name=name, color=color, **more)

    def commit(
        self, files: Mapping[str, str | None], *, branch: str = "", new: str = "", by: str = "core", message: str = ""
    ) -> str:
        """Change files on a branch, or on a new one; returns the commit."""
        git, tip = self.site.git(self.repo), repos.tip(self.site, self.repo, branch or "main")
        edits = []
        for path, text in files.items():
            old = next(iter(git.tree(tip, path)), None) if tip else None
            action = "delete" if text is None else "update" if old else "create"
            edits.append(
                ContentEdit(action, path, (text or "").encode("utf-8", "surrogateescape"), sha=old.sha if old else "")
            )
        who = self.user(by)
        made = contents.commit(
            self.site,
            who,
            self.repo,
            edits,
            branch=branch,
            new_branch=new,
            message=message,
        )
        return made.sha

    def pull(
        self, files: Mapping[str, str | None] | None = None, *, branch: str = "topic", by: str = "core", **more: Any
    ) -> Row:
        """A new pull request from a new branch."""
        self.commit(files or {"lines.txt": LINES.replace("line 20\n", "line twenty\n")}, new=branch, by=by)
        about = {"title": "Count again", "body": "", "head": branch, "base": "main"} | more
        return pulls.create(self.site, self.user(by), self.repo, **about)

    def head(self, pull: Row) -> str:
        """The head of a pull request."""
        return str(pulls.row(self.site, pull)["head_sha"])

    def status(self, sha: str, context: str, state: str = "success", description: str = "fine", url: str = "") -> None:
        """Set a commit status."""
        about = {"state": state, "context": context, "description": description, "target_url": url}
        statuses.create(self.site, self.user("core"), self.repo, sha, **about)

    def protect(self, **settings: Any) -> None:
        """Protect main."""
        repos.protect(self.site, self.repo, "main", settings)

    def now(self, issue: Row) -> Row:
        """An issue as it is now."""
        return self.site.must("issues", issue["id"])


@pytest.fixture(scope="session")
def forge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedForge]:
    """A forge that all tests of this folder share."""
    with EmbeddedForge(tmp_path_factory.mktemp("pages") / "forge") as running:
        running.create_admin("root0", PASSWORD)
        for login in ("mara", "core", "iris", "eve"):
            people.create(running.site, login, PASSWORD, email=f"{login}@env.example")
        yield running


@pytest.fixture(scope="session")
def browsers(forge: EmbeddedForge) -> dict[str, Browser]:
    """A browser for each user, signed in, and one for a stranger."""
    found = {login: Browser(forge.url, login) for login in ("mara", "core", "iris", "eve")}
    for browser in found.values():
        assert browser.sign_in().answers == [303, 200]
    return found | {"nobody": Browser(forge.url)}


@pytest.fixture
def newcomer(forge: EmbeddedForge) -> Browser:
    """A user who has not signed in."""
    login = f"newcomer{next(_NUMBERS)}"
    people.create(forge.site, login, PASSWORD, email=f"{login}@env.example")
    return Browser(forge.url, login)


@pytest.fixture
def env(forge: EmbeddedForge, browsers: dict[str, Browser]) -> ForgeEnv:
    """An organisation and a repository for one test."""
    site = forge.site
    org = orgs.create(site, people.named(site, "root0"), f"acme{next(_NUMBERS)}")
    for login, permission in (("mara", "admin"), ("core", "write"), ("iris", "read")):
        team = orgs.create_team(site, org, login, permission=permission, units={}, all_repos=True)
        orgs.join(site, team, people.named(site, login))
    repo = repos.create(site, people.named(site, "mara"), org, "app")
    made = ForgeEnv(forge, org, repo, **browsers)
    made.commit({"README.md": README, "lines.txt": LINES, "docs/how.md": "# How\n", "logo.png": "x"}, message="Begin")
    return made
