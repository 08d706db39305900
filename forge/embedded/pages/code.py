"""The code of a repository: directories, files, commits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import quote

from flask import Response

from forge.embedded.git import EMPTY_TREE, SHA, Commit, Entry, Git
from forge.embedded.instance import Missing
from forge.embedded.pages import changes, highlight, markup, mergebox
from forge.embedded.pages.look import Html
from forge.embedded.pages.visit import Page, Visit
from forge.embedded.rules import CODE
from forge.embedded.services import people, repos
from forge.embedded.state import Row

_PICTURES = {
    ".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".gif": "image/gif", ".webp": "image/webp", ".svg": "image/svg+xml",
}  # fmt: skip
_MARKDOWN = (".md", ".markdown")
_READMES = ("readme.md", "readme.markdown", "readme.txt", "readme")
_MOST = 512 * 1024
"""Bytes of a file above which a page shows only a link to it."""

_LOOKED_AT = 200
"""Commits that are looked through for the last change of each file."""

_PER_PAGE = 30


@dataclass(frozen=True, slots=True)
class Place:
    """A path at a branch, tag or commit: `kind` and `name` say which as the address does."""

    kind: str
    name: str
    sha: str
    path: str

    @property
    def ref(self) -> str:
        """`branch/main`, as it stands in an address."""
        return f"{self.kind}/{quote(self.name)}"

    @property
    def parts(self) -> list[tuple[str, str]]:
        """Each step of the path with where it leads."""
        names = PurePosixPath(self.path).parts
        return [(name, quote("/".join(names[: at + 1]))) for at, name in enumerate(names)]


def _home(visit: Visit) -> Response:
    name = visit.repo["default_branch"]
    sha = repos.tip(visit.site, visit.repo, name)
    return _directory(visit, Place("branch", name, sha, "")) if sha else visit.show("empty.html")


def _source(visit: Visit) -> Response:
    place = _place(visit)
    if not place.path:
        return _directory(visit, place)
    entry = _entry(visit, place)
    return _directory(visit, place) if entry.kind == "tree" else _file(visit, place, entry)


def _raw(visit: Visit) -> Response:
    place = _place(visit)
    entry = _entry(visit, place)
    if entry.kind != "blob":
        raise Missing
    return untrusted(visit.site.git(visit.repo).blob(entry.sha), place.path)


def untrusted(content: bytes, path: str) -> Response:
    """A file as somebody gave it: whatever it is, it runs nothing and reads nothing."""
    kind = _picture(path) or ("application/octet-stream" if _is_binary(content) else "text/plain; charset=utf-8")
    return Response(content, content_type=kind, headers={"Content-Security-Policy": "default-src 'none'; sandbox"})


def _is_binary(content: bytes) -> bool:
    return b"\0" in content[:8000]


def _place(visit: Visit) -> Place:
    """What the address means; a branch may have slashes, and no branch begins with another one and a slash."""
    kind, rest = visit.args["kind"], visit.args["rest"].strip("/")
    ends = [at for at, letter in enumerate(f"{rest}/") if letter == "/"]
    for end in ends if kind in {"branch", "tag", "commit"} else ():
        name, path = rest[:end], rest[end + 1 :]
        if sha := _resolved(visit, kind, name):
            return Place(kind, name, sha, path)
    raise Missing


def _resolved(visit: Visit, kind: str, name: str) -> str:
    if kind == "branch":
        return repos.tip(visit.site, visit.repo, name)
    git = visit.site.git(visit.repo)
    if kind == "tag":
        return git.resolve(f"refs/tags/{name}")
    return git.resolve(name) if SHA.fullmatch(name) else ""


def _entry(visit: Visit, place: Place) -> Entry:
    found = [entry for entry in visit.site.git(visit.repo).tree(place.sha, place.path) if entry.path == place.path]
    if not found:
        raise Missing
    return found[0]


def _directory(visit: Visit, place: Place) -> Response:
    git, prefix = visit.site.git(visit.repo), f"{place.path}/" if place.path else ""
    found = git.tree(f"{place.sha}:{place.path}")
    entries = sorted(found, key=lambda entry: (entry.kind != "tree", entry.path.lower()))
    readme, tip = _readme(entries), git.commit(place.sha)
    return visit.show(
        "code.html",
        place=place,
        prefix=prefix,
        entries=entries,
        last=_last_changes(git, place.sha, prefix, {entry.path for entry in entries}),
        tip=tip,
        tip_author=account(visit, tip),
        count=git.count(place.sha),
        branches=branches(visit),
        readme=readme,
        rendered=_rendered(visit, place, _text(git, readme), f"{prefix}{readme.path}") if readme else None,
    )


def _readme(entries: Sequence[Entry]) -> Entry | None:
    files = {entry.path.lower(): entry for entry in entries if entry.kind == "blob" and entry.size <= _MOST}
    return next((files[name] for name in _READMES if name in files), None)


def _text(git: Git, entry: Entry) -> str:
    return git.blob(entry.sha).decode(errors="replace")


def _last_changes(git: Git, sha: str, prefix: str, names: set[str]) -> dict[str, Commit]:
    found: dict[str, Commit] = {}
    for commit in git.commits(f"-{_LOOKED_AT}", sha):
        for path in commit.files:
            name = path.removeprefix(prefix).partition("/")[0]
            if path.startswith(prefix) and name in names:
                found.setdefault(name, commit)
        if len(found) == len(names):
            break
    return found


def _rendered(visit: Visit, place: Place, text: str, path: str) -> Html:
    """A text file as a page: Markdown as that, anything else as it is."""
    if not path.lower().endswith(_MARKDOWN):
        return markup.prose(f"````````\n{text}\n````````", visit)
    below = f"{place.ref}/{quote(path[: path.rfind('/') + 1])}"
    return markup.prose(
        text, visit, breaks=False, files=f"{visit.home}/src/{below}", images=f"{visit.home}/raw/{below}"
    )


def _file(visit: Visit, place: Place, entry: Entry) -> Response:
    is_readable = entry.kind == "blob" and entry.size <= _MOST
    content = visit.site.git(visit.repo).blob(entry.sha) if is_readable else b""
    text, name = content.decode(errors="replace"), PurePosixPath(place.path).name
    is_text = is_readable and not _is_binary(content)
    is_markdown = is_text and name.lower().endswith(_MARKDOWN)
    as_source = is_text and not (is_markdown and visit.query("display") != "source")
    return visit.show(
        "file.html",
        place=place,
        entry=entry,
        branches=branches(visit),
        is_markdown=is_markdown,
        is_picture=bool(_picture(place.path)) and entry.kind == "blob",
        lines=highlight.lines(text, name) if as_source else None,
        rendered=_rendered(visit, place, text, place.path) if is_markdown and not as_source else None,
    )


def _picture(path: str) -> str:
    return _PICTURES.get(PurePosixPath(path).suffix.lower(), "")


def _commits(visit: Visit) -> Response:
    place = _place(visit)
    git, page = visit.site.git(visit.repo), visit.page
    found = git.commits(f"--skip={(page - 1) * _PER_PAGE}", f"-{_PER_PAGE + 1}", place.sha, changes=False)
    shown = [
        (commit, account(visit, commit), tuple(mergebox.checks(visit, commit.sha))) for commit in found[:_PER_PAGE]
    ]
    return visit.show(
        "commits.html", place=place, commits=shown, page=page, has_more=len(found) > _PER_PAGE, branches=branches(visit)
    )


def _commit(visit: Visit) -> Response:
    git = visit.site.git(visit.repo)
    sha = git.resolve(visit.args["sha"]) if SHA.fullmatch(visit.args["sha"]) else ""
    if not sha:
        raise Missing
    found = git.commit(sha)
    files = changes.files(git, found.parents[0] if found.parents else EMPTY_TREE, sha)
    checks = tuple(mergebox.checks(visit, sha))
    return visit.show("commit.html", commit=found, author=account(visit, found), files=files, checks=checks)


def account(visit: Visit, found: Commit) -> Row:
    """Whose commit it is: the account of its address, else somebody of that name."""
    sql = "SELECT * FROM users WHERE email = ? COLLATE NOCASE AND email != '' AND NOT is_org"
    return visit.site.state.row(sql, found.author.email) or people.GHOST | {"login": found.author.name}


def branches(visit: Visit) -> list[str]:
    """The branches, the default one first."""
    sql = "SELECT name FROM refs WHERE repo_id = ? AND name LIKE 'refs/heads/%' ORDER BY name"
    names = [str(row["name"]).removeprefix("refs/heads/") for row in visit.site.state.rows(sql, visit.repo["id"])]
    return sorted(names, key=lambda name: name != visit.repo["default_branch"])


PAGES = (
    Page("GET ~", _home, (CODE,)),
    Page("GET ~/src/<kind>/<path:rest>", _source, (CODE,)),
    Page("GET ~/raw/<kind>/<path:rest>", _raw, (CODE,)),
    Page("GET ~/commits/<kind>/<path:rest>", _commits, (CODE,)),
    Page("GET ~/commit/<sha>", _commit, (CODE,)),
)
