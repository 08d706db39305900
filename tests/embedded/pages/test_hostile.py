"""Hostile input is shown as text."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

import forge.embedded
from forge.embedded.services import comments, issues, repos, reviews
from forge.embedded.services.reviews import Remark

if TYPE_CHECKING:
    from tests.embedded.pages.conftest import ForgeEnv, Shown

EVIL = "</title></textarea></script><script>alert(1)</script><img src=x onerror=alert(1)>\"'><svg onload=alert(1)>{{ 7*7 }}"
PROSE = f"""{EVIL}

[a](javascript:alert(1)) <a href="javascript:alert(1)" onclick="alert(1)">b</a> <a href="data:text/html,x">c</a>
![x](https://evil.example/pixel.png) <img src="//evil.example/pixel.png">
<form action="https://evil.example"><input name="_csrf"><button>x</button></form>
<iframe src="https://evil.example"></iframe><style>body {{ display: none }}</style><base href="https://evil.example">
<p class="notice button go" style="position: fixed" id="merge" data-part>p</p>

```html"><script>alert(1)</script>
<b onclick=alert(1)>
```
"""
ADDRESSES = ("href", "src", "action", "formaction")
LOCAL = re.compile(r"$|[#?]|/(?![/\\])")


def is_harmless(page: Shown) -> None:
    """Check that a page runs, loads and submits nothing of other sites."""
    for tag, about in page.tags:
        assert tag not in {"style", "iframe", "object", "embed", "base"}
        assert [name for name in about if name.startswith("on") or name == "style"] == []
        for place in (about[name] for name in ADDRESSES if name in about):
            assert LOCAL.match(place) or (tag == "a" and place.startswith("http")), (tag, about)
        if tag in {"script", "link"}:
            assert about.get("src", about.get("href", "")).startswith("/assets/")
    assert "unsafe" not in page.headers["Content-Security-Policy"]
    assert "default-src 'self'" in page.headers["Content-Security-Policy"]
    assert page.headers["X-Content-Type-Options"] == "nosniff"


def test_words_stay_words(env: ForgeEnv) -> None:
    """Titles, texts, comments, labels, files, branches and statuses are shown as text and run nothing."""
    path, branch = "<script>alert(1)<-script>\t'é\".txt", "x<script>alert(1)</script>"
    label = env.label(EVIL[:40], description=EVIL)
    pull = env.pull({path: f"{EVIL}\n"}, branch=branch, title=EVIL, body=PROSE)
    issue = env.issue(EVIL, f"{PROSE}\nsee #{pull['number']}", labels=[label["id"]])
    comments.create(env.site, env.user("eve"), issue, PROSE)
    env.status(env.head(pull), EVIL, "failure", EVIL, "javascript:alert(1)")
    said = [Remark(path, 1, PROSE), Remark(EVIL, 3, PROSE)]
    reviews.write(env.site, env.user("iris"), pull, "COMMENT", PROSE, remarks=said)
    home, at, sha = env.home, f"{env.home}/pulls/{pull['number']}", env.head(pull)
    evil = dict.fromkeys(("title", "body", "head", "q", "label", "assignee", "redirect_to"), EVIL)
    for place in (
        "/", f"/{env.org['login']}", f"{home}/issues", f"{home}/pulls", f"{home}/issues/{issue['number']}", at,
        f"{at}/files?comment={quote(path)}:1", f"{at}/commits", f"{home}/commit/{sha}", f"{home}/src/commit/{sha}",
        f"{home}/src/branch/{quote(branch)}/{quote(path)}", f"{home}/commits/commit/{sha}",
        f"{home}/issues/new?{urlencode(evil)}", f"{home}/compare/main...{quote(branch)}", f"{home}/issues?{urlencode(evil)}",
        f"/user/login?{urlencode(evil)}",
    ):  # fmt: skip
        for browser in (env.core, env.nobody):
            page = browser.open(place)
            assert page.status == 200, place
            is_harmless(page)
    assert EVIL in env.core.open(f"{home}/issues/{issue['number']}").words
    assert path.replace("\t", " ") in env.core.open(f"{at}/files").words


def test_what_is_refused_is_told_harmlessly(env: ForgeEnv) -> None:
    """A refused form and a 404 show hostile input as text."""
    page = env.core.send(f"{env.home}/issues/new", "/issues/new", title=" ", content=EVIL)
    assert page.status == 422
    assert dict(page.form("/issues/new").fields)["content"] == EVIL
    is_harmless(page)
    env.pull()
    page = env.core.send(f"{env.home}/compare/topic", "...topic", title=EVIL)
    assert page.status == 409
    assert dict(page.form("...topic").fields)["title"] == EVIL
    is_harmless(page)
    page = env.core.open(f"/{quote(EVIL)}/x")
    assert page.status == 404
    is_harmless(page)


def test_one_way_to_markup() -> None:
    """No template marks text as safe; only three modules make markup."""
    room = Path(forge.embedded.__file__).parent
    for template in (room / "templates").glob("*.html"):
        assert "safe" not in template.read_text(), template.name
        assert template.read_text().count("\n") <= 100, template.name
    makers = {path.name for path in (room / "pages").glob("*.py") if re.search(r"\bHtml\(", path.read_text())}
    assert makers == {"format.py", "highlight.py", "markup.py"}


def test_hidden_names(env: ForgeEnv) -> None:
    """A reference to an issue that the viewer may not see is no link."""
    plans = repos.create(env.site, env.user("mara"), env.org, "plans", private=True)
    issues.create(env.site, env.user("mara"), plans, title="The plan")
    name, link = f"{plans['full_name']}#1", f"/{plans['full_name']}/issues/1"
    issue = env.issue(body=f"{name} {env.home.strip('/')}#999 nobody/nothing#1")
    path = f"{env.home}/issues/{issue['number']}"
    assert link in env.iris.open(path).links
    for stranger in (env.eve, env.nobody):
        page = stranger.open(path)
        assert name in page.words
        assert [place for place in page.links if "plans" in place or "999" in place or "nothing" in place] == []


def test_files_as_they_are(env: ForgeEnv) -> None:
    """A raw file is sent unchanged, with a harmless type and a sandbox policy."""
    sha = env.commit({"a.html": EVIL, "b.svg": "<svg onload='alert(1)'/>", "c.bin": "\0\udcff", "d.png": "x"})
    kinds = {
        "a.html": "text/plain; charset=utf-8",
        "b.svg": "image/svg+xml",
        "c.bin": "application/octet-stream",
        "d.png": "image/png",
    }
    for name, kind in kinds.items():
        for at in ("branch/main", f"commit/{sha}"):
            answer = env.nobody.raw(f"{env.home}/raw/{at}/{name}")
            assert answer.headers["Content-Type"].startswith(kind)
            assert answer.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert env.nobody.raw(f"{env.home}/raw/branch/main/c.bin").content == b"\0\xff"


def test_attachments(env: ForgeEnv) -> None:
    """An attachment is served to those who may see its conversation."""
    issue = env.issue()
    row = comments.attach(env.site, env.user("core"), issue, "notes.txt", b"<script>alert(1)</script>")
    page = env.nobody.open(f"{env.home}/issues/{issue['number']}")
    assert f"/attachments/{row['uuid']}" in page.links
    answer = env.nobody.raw(f"/attachments/{row['uuid']}")
    assert (answer.status, answer.content) == (200, b"<script>alert(1)</script>")
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    repos.edit(env.site, env.user("mara"), env.repo, {"private": True})
    assert env.eve.raw(f"/attachments/{row['uuid']}").status == 404
    assert env.iris.raw(f"/attachments/{row['uuid']}").status == 200
    assert env.iris.raw("/attachments/nothing").status == 404


def test_turned_text(env: ForgeEnv) -> None:
    """Bidirectional control characters in code are shown by name."""
    pull = env.pull({"a.py": "x = 1 \u202e# \u2066if admin\n"})
    page = env.core.open(f"{env.home}/pulls/{pull['number']}/files")
    assert "U+202E" in page.words
    assert "\u202e" not in page.text
    assert "U+2066" in env.core.open(f"{env.home}/src/branch/topic/a.py").words


def test_long_texts(env: ForgeEnv) -> None:
    """A huge text is shown unrendered: parsing it as Markdown could take for ever."""
    issue = env.issue(body="[" * 200_000)
    page = env.core.open(f"{env.home}/issues/{issue['number']}")
    assert "[" * 200_000 in page.words
