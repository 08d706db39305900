"""The code of a repository: directories, files, commits and comparisons. Changes nothing."""

from __future__ import annotations

import mimetypes
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import quote

from flask import Response

from forge.embedded.git import EMPTY_TREE, SHA, Entry
from forge.embedded.instance import Missing
from forge.embedded.pages import diff_view, highlight, markup, merge_box
from forge.embedded.pages.format import Html
from forge.embedded.pages.page_context import Page, PageContext
from forge.embedded.rules import CODE
from forge.embedded.services import people, repos
from forge.embedded.state import Row

_MARKDOWN = (".md", ".markdown")
_READMES = ("readme.md", "readme.markdown", "readme.txt", "readme")
_MAX_BYTES = 512 * 1024
"""Larger files are only linked to."""

_MAX_DATED = 100
"""Entries of a directory that are shown with their last change."""

_PER_PAGE = 30


@dataclass(frozen=True, slots=True)
class TreeLocation:
    """A path at a branch, tag or commit; `kind` says which of these `name` is."""

    kind: str
    name: str
    sha: str
    path: str = ""

    @property
    def ref(self) -> str:
        """Kind and name as in an address: `branch/main`."""
        return f"{self.kind}/{quote(self.name)}"

    @property
    def breadcrumbs(self) -> list[tuple[str, str]]:
        """Each part of the path with its address."""
        names = PurePosixPath(self.path).parts
        return [(name, quote("/".join(names[: at + 1]))) for at, name in enumerate(names)]


def _home(page: PageContext) -> Response:
    name = page.repo["default_branch"]
    sha = repos.tip(page.site, page.repo, name)
    return _directory(page, TreeLocation("branch", name, sha)) if sha else page.render("empty.html")


def _source(page: PageContext) -> Response:
    at = _location(page)
    entry = _entry(page, at) if at.path else None
    return _file(page, at, entry) if entry and entry.kind != "tree" else _directory(page, at)


def _raw(page: PageContext) -> Response:
    at = _location(page)
    entry = _entry(page, at)
    if entry.kind != "blob":
        raise Missing
    return untrusted(page.site.git(page.repo).blob(entry.sha), at.path)


def untrusted(content: bytes, path: str) -> Response:
    """A file of a user, sent so that nothing in it can run or load anything."""
    kind = _image_type(path) or ("application/octet-stream" if _is_binary(content) else "text/plain; charset=utf-8")
    return Response(content, content_type=kind, headers={"Content-Security-Policy": "default-src 'none'; sandbox"})


def _is_binary(content: bytes) -> bool:
    return b"\0" in content[:8000]


def _image_type(path: str) -> str:
    kind, encoding = mimetypes.guess_type(path)
    return kind if kind and kind.startswith("image/") and not encoding else ""


def _location(page: PageContext) -> TreeLocation:
    """Split an address into ref and path: a branch name may contain slashes, but none is a prefix of another."""
    kind, rest = page.args["kind"], page.args["rest"].strip("/")
    for end in (at for at, letter in enumerate(f"{rest}/") if letter == "/"):
        if sha := resolve(page, kind, rest[:end]):
            return TreeLocation(kind, rest[:end], sha, rest[end + 1 :])
    raise Missing


def resolve(page: PageContext, kind: str, name: str) -> str:
    """The sha of a branch, tag or commit; empty if there is none."""
    git = page.site.git(page.repo)
    match kind:
        case "branch":
            return repos.tip(page.site, page.repo, name)
        case "tag":
            return git.resolve(f"refs/tags/{name}")
        case "commit" if SHA.fullmatch(name):
            return git.resolve(name)
        case _:
            return ""


def _entry(page: PageContext, at: TreeLocation) -> Entry:
    for entry in page.site.git(page.repo).tree(at.sha, at.path):
        if entry.path == at.path:
            return entry
    raise Missing


def _directory(page: PageContext, at: TreeLocation) -> Response:
    git, prefix = page.site.git(page.repo), f"{at.path}/" if at.path else ""
    entries = sorted(git.tree(f"{at.sha}:{at.path}"), key=lambda entry: (entry.kind != "tree", entry.path.lower()))
    files = {entry.path.lower(): entry for entry in entries if entry.kind == "blob" and entry.size <= _MAX_BYTES}
    readme = next((files[name] for name in _READMES if name in files), None)
    text = git.blob(readme.sha).decode(errors="replace") if readme else ""
    return page.render(
        "code.html",
        at=at,
        prefix=prefix,
        entries=entries,
        last={entry.path: git.last_change(at.sha, prefix + entry.path) for entry in entries[:_MAX_DATED]},
        tip=commit_rows(page, "-1", at.sha)[0],
        count=git.count(at.sha),
        readme=readme,
        rendered=_rendered(page, at, text, f"{prefix}{readme.path}") if readme else None,
    )


def _rendered(page: PageContext, at: TreeLocation, text: str, path: str) -> Html:
    """A text file as a document; anything but Markdown as it is."""
    if not path.lower().endswith(_MARKDOWN):
        return markup.render(f"````````\n{text}\n````````", page)
    below = f"{at.ref}/{quote(path[: path.rfind('/') + 1])}"
    return markup.render(text, page, breaks=False, files=f"{page.home}/src/{below}", images=f"{page.home}/raw/{below}")


def _file(page: PageContext, at: TreeLocation, entry: Entry) -> Response:
    is_readable = entry.kind == "blob" and entry.size <= _MAX_BYTES
    content = page.site.git(page.repo).blob(entry.sha) if is_readable else b""
    text = content.decode(errors="replace")
    is_text = is_readable and not _is_binary(content)
    is_markdown = is_text and at.path.lower().endswith(_MARKDOWN)
    as_document = is_markdown and page.query("display") != "source"
    return page.render(
        "file.html",
        at=at,
        entry=entry,
        is_markdown=is_markdown,
        is_image=bool(_image_type(at.path)) and entry.kind == "blob",
        lines=highlight.lines(text, PurePosixPath(at.path).name) if is_text and not as_document else None,
        rendered=_rendered(page, at, text, at.path) if as_document else None,
    )


def _commits(page: PageContext) -> Response:
    at, number = _location(page), page.list_page
    selection = (f"--skip={(number - 1) * _PER_PAGE}", f"-{_PER_PAGE + 1}", at.sha)
    found = commit_rows(page, *selection)
    has_more = len(found) > _PER_PAGE
    return page.render("commits.html", at=at, commits=found[:_PER_PAGE], has_more=has_more)


def commit_rows(page: PageContext, *selection: str) -> list[Row]:
    """Commits for a list, newest first: each with its author and statuses."""
    account = "SELECT * FROM users WHERE email = ? COLLATE NOCASE AND email != '' AND NOT is_org"
    return [
        {
            "commit": commit,
            "author": page.site.state.row(account, commit.author.email) or people.GHOST | {"login": commit.author.name},
            "checks": merge_box.checks(page, commit.sha),
        }
        for commit in page.site.git(page.repo).commits(*selection, changes=False)
    ]


def _commit(page: PageContext) -> Response:
    sha = resolve(page, "commit", page.args["sha"])
    if not sha:
        raise Missing
    git, (row,) = page.site.git(page.repo), commit_rows(page, "-1", sha)
    parents = row["commit"].parents
    return page.render("commit.html", **row, files=diff_view.files(git, parents[0] if parents else EMPTY_TREE, sha))


PAGES = (
    Page("GET", "~", _home, (CODE,)),
    Page("GET", "~/src/<kind>/<path:rest>", _source, (CODE,)),
    Page("GET", "~/raw/<kind>/<path:rest>", _raw, (CODE,)),
    Page("GET", "~/commits/<kind>/<path:rest>", _commits, (CODE,)),
    Page("GET", "~/commit/<sha>", _commit, (CODE,)),
)
