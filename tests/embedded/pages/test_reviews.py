"""Pull requests in a browser: opening, reading, and reviewing line by line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from forge.embedded.services import issues, merging, pulls, pushes, repos, reviews
from forge.embedded.services.merging import MergeOptions
from forge.embedded.services.reviews import Remark
from forge.embedded.state import Row

if TYPE_CHECKING:
    from tests.embedded.pages.conftest import ForgeEnv, Shown

LINES = [f"line {n}" for n in range(1, 41)]


def path_of(env: ForgeEnv, pull: Row, rest: str = "") -> str:
    """The page of a pull request."""
    return f"{env.home}/pulls/{pull['number']}{rest}"


def text(**changed: str) -> str:
    """The forty lines with some of them changed: `l20="new"`; an empty one is gone."""
    found = [changed.get(f"l{n}", line) for n, line in enumerate(LINES, 1)]
    return "".join(f"{line}\n" for line in found if line)


def written(env: ForgeEnv, pull: Row) -> list[tuple[str, str, list[tuple[str, int, str]]]]:
    """The reviews: state, text, comments on lines."""
    return [
        (row["state"], row["body"], [_remark(said) for said in reviews.remarks(env.site, row)])
        for row in reviews.of_pull(env.site, pull)
    ]


def _remark(row: Row) -> tuple[str, int, str]:
    about = json.loads(row["detail"])
    return about["path"], about["line"], row["body"]


def around(page: Shown, words: str, size: int = 60) -> str:
    """The text before some words on a page."""
    at = page.words.index(words)
    return page.words[max(0, at - size) : at]


def test_the_page_of_a_pull_request(env: ForgeEnv) -> None:
    """A pull request shows author, branches and commits; the address of an issue redirects to it."""
    pull = env.pull(body="Closes #2")
    page = env.nobody.open(f"{env.home}/issues/{pull['number']}")
    assert page.path == path_of(env, pull)
    assert "core wants to merge 1 commit into main from topic" in page.words
    assert "core pushed 1 commit" in page.words
    assert "+1 −1" in page.words
    issue = env.issue()
    assert env.nobody.open(f"{env.home}/pulls/{issue['number']}").path == f"{env.home}/issues/{issue['number']}"
    assert env.nobody.open(f"{env.home}/pulls/{issue['number']}/files").status == 404


def test_a_fork(env: ForgeEnv) -> None:
    """A pull request from a fork names the fork's owner."""
    site, eve = env.site, env.user("eve")
    fork = repos.fork(site, eve, env.repo, eve, f"app-{env.org['login']}")
    git = site.git(fork)
    sha = git.write_commit("main^{tree}", ["main"], "From afar", repos.signature(site, eve), repos.signature(site, eve))
    pushes.move(site, eve, fork, [("refs/heads/afar", "0" * 40, sha)])
    pull = pulls.create(site, eve, env.repo, title="From afar", head="eve:afar", base="main")
    page = env.mara.open(path_of(env, pull))
    assert "eve wants to merge 1 commit into main from eve:afar" in page.words
    assert page.has_form("/merge")
    assert "From afar" in env.nobody.open(path_of(env, pull, "/commits")).words


def test_commits_and_texts(env: ForgeEnv) -> None:
    """The commits are listed in order with their statuses; diff and patch are served as text."""
    pull = env.pull()
    sha = env.commit({"second.txt": "x\n"}, branch="topic", message="The second")
    env.status(sha, "ci", "success")
    page = env.nobody.open(path_of(env, pull, "/commits"))
    assert page.words.index("Update lines.txt") < page.words.index("The second")
    assert ("span", {"class": "dot d-success", "title": "success"}) in page.tags
    assert "+line twenty" in env.nobody.open(path_of(env, pull, ".diff")).text
    assert "Subject: [PATCH 2/2] The second" in env.nobody.open(path_of(env, pull, ".patch")).text


def test_opening(env: ForgeEnv) -> None:
    """The page that compares two branches opens a pull request; the hint after a push leads to it."""
    env.commit({"lines.txt": text(l20="XX")}, new="agent/topic", message="Count again")
    path = f"{env.home}/compare/main...agent/topic"
    assert path in env.core.open(f"{env.home}/src/branch/agent/topic").links
    page = env.core.open(path)
    for words in ("New pull request", "Count again", "1 file changed +1 −1"):
        assert words in page.words
    assert dict(page.form("topic").fields)["title"] == "Count again"
    opened = env.core.fill(page, "topic", content="Because.")
    assert (opened.answers, opened.path) == ([303, 200], f"{env.home}/pulls/1")
    again = env.core.fill(page, "topic", title="Twice", content="Kept")
    assert again.status == 409
    assert "pull request already exists for these targets" in again.words
    assert dict(again.form("topic").fields)["content"] == "Kept"
    assert "main has all commits of main." in env.core.open(f"{env.home}/compare/main").words
    for unknown in ("nothing", "main...nothing", "nothing...main"):
        assert env.core.open(f"{env.home}/compare/{unknown}").status == 404


@pytest.mark.parametrize(
    ("kind", "content", "state", "said"),
    [
        ("approve", "", "APPROVED", "eve approved these changes"),
        ("reject", "Not yet.", "REQUEST_CHANGES", "eve requested changes"),
        ("comment", "Hm.", "COMMENT", "eve reviewed"),
    ],
)
def test_reviewing(env: ForgeEnv, kind: str, content: str, state: str, said: str) -> None:
    """Readers may approve, request changes or comment, and the conversation shows it."""
    pull = env.pull()
    page = env.eve.send(path_of(env, pull, "/files"), "/reviews", type=kind, content=content)
    assert (page.answers, page.path) == ([303, 200], path_of(env, pull))
    assert said in page.words
    assert content in page.words
    assert written(env, pull) == [(state, content, [])]


@pytest.mark.parametrize(
    ("browser", "kind", "content", "why"),
    [
        ("eve", "reject", "", "review event REQUEST_CHANGES requires a body"),
        ("eve", "comment", " ", "review event COMMENT requires a body or a comment"),
        ("eve", "explode", "kept", "A review approves, requests changes or comments."),
        ("core", "approve", "kept", "approve your own pull is not allowed"),
    ],
)
def test_reviews_that_are_refused(env: ForgeEnv, browser: str, kind: str, content: str, why: str) -> None:
    """A refused review shows why and keeps its text."""
    pull, who = env.pull(), getattr(env, browser)
    page = who.send(path_of(env, pull, "/files"), "/reviews", type=kind, content=content)
    assert page.status == 422
    assert why in page.words
    assert dict(page.form("/reviews").fields)["content"] == content.strip()
    assert written(env, pull) == []


def test_remarks(env: ForgeEnv) -> None:
    """A comment on a line, added or removed, is shown below the line and in the conversation."""
    pull = env.pull({"lines.txt": text(l20="line XX", l21="")})
    files = path_of(env, pull, "/files")
    page = env.eve.open(files)
    assert {f"?comment=lines.txt%3A{n}" for n in (17, 20, -20, -21)} <= {link.partition("#")[0] for link in page.links}
    page = env.eve.send(f"{files}?comment=lines.txt:20", "/reviews", type="comment", comment="Why **XX**?")
    assert "lines.txt line 20" in page.words
    assert around(page, "Why XX ?").endswith("line XX ")
    page = env.eve.send(
        f"{files}?comment=lines.txt:-21", "/reviews", type="reject", content="Mend it.", comment="Why gone?"
    )
    assert "lines.txt old line 21" in page.words
    page = env.nobody.open(files)
    assert around(page, "Why gone?").endswith("line 21 E eve just now ")
    assert written(env, pull) == [
        ("COMMENT", "", [("lines.txt", 20, "Why **XX**?")]),
        ("REQUEST_CHANGES", "Mend it.", [("lines.txt", -21, "Why gone?")]),
    ]
    assert not any("comment=" in link for link in page.links)


def test_several_remarks_in_one_form(env: ForgeEnv) -> None:
    """One form can send many comments; those without text or line are left out."""
    pull = env.pull()
    typed = {
        "path": ["lines.txt", "lines.txt", "a", "b"],
        "line": ["20", "1", "2", "x"],
        "side": ["new", "old", "new", "new"],
    }
    env.eve.send(path_of(env, pull, "/files"), "/reviews", type="comment", comment=["one", "two", " ", "no"], **typed)
    assert written(env, pull) == [("COMMENT", "", [("lines.txt", -1, "two"), ("lines.txt", 20, "one")])]


def test_a_refused_remark_is_kept(env: ForgeEnv) -> None:
    """The comment of a refused review is kept in its form."""
    pull = env.pull()
    page = env.eve.send(path_of(env, pull, "/files?comment=lines.txt:20"), "/reviews", type="reject", comment="Mine")
    assert page.status == 422
    kept = dict(page.form("/reviews").fields)
    assert (kept["comment"], kept["path"], kept["line"], kept["side"]) == ("Mine", "lines.txt", "20", "new")


@pytest.mark.parametrize("place", ["", ":", "nothing:3", "lines.txt:0", "lines.txt:x", "lines.txt:9999", "lines.txt"])
def test_a_line_that_is_not_there(env: ForgeEnv, place: str) -> None:
    """A line that the diff does not show gets no form."""
    page = env.eve.open(path_of(env, env.pull(), f"/files?comment={place}"))
    assert page.status == 200
    assert "comment" not in dict(page.form("/reviews").fields)


def test_remarks_follow_their_lines(env: ForgeEnv) -> None:
    """After a push, a comment is shown below its line wherever that went, and folded as outdated if the line was changed."""
    pull = env.pull({"lines.txt": text(l20="XX", l22="YY", l30="")})
    said = [
        Remark("lines.txt", 20, "stays"),
        Remark("lines.txt", 22, "goes"),
        Remark("lines.txt", -30, "gone"),
        Remark("other.txt", 3, "elsewhere"),
    ]
    reviews.write(env.site, env.user("iris"), pull, "COMMENT", "Look.", remarks=said)
    env.commit({"lines.txt": "new first line\n" + text(l20="XX", l22="ZZ", l30="")}, branch="topic")
    page = env.nobody.open(path_of(env, pull, "/files"))
    assert around(page, "stays").endswith("XX I iris just now ")
    assert around(page, "gone").endswith("line 30 I iris just now ")
    assert around(page, "goes").endswith("1 outdated comment I iris just now on line 22 ")
    assert around(page, "elsewhere").endswith("other.txt I iris just now on line 3 ")


def test_stale_and_dismissed(env: ForgeEnv) -> None:
    """Stale and dismissed reviews are marked."""
    pull = env.pull()
    first = reviews.write(env.site, env.user("eve"), pull, "REQUEST_CHANGES", "Mend it.")
    env.commit({"lines.txt": text(l20="better")}, branch="topic")
    page = env.nobody.open(path_of(env, pull))
    assert "eve requested changes just now stale" in page.words
    assert "eve requested changes, stale" in page.words
    first = reviews.get(env.site, pull, first["id"])
    reviews.dismiss(env.site, env.user("mara"), pull, first, "It is old.")
    page = env.nobody.open(path_of(env, pull))
    assert "mara dismissed the review of eve" in page.words
    assert "It is old." in page.words
    assert "eve requested changes just now dismissed" in page.words


def test_pushes(env: ForgeEnv) -> None:
    """Pushes are shown with their commits, and force-pushes as such."""
    pull = env.pull()
    old = env.head(pull)
    env.commit({"a.txt": "a\n"}, branch="topic", message="One more")
    assert "core pushed 1 commit just now One more" in env.nobody.open(path_of(env, pull)).words
    site, core = env.site, env.user("core")
    git, who = site.git(env.repo), repos.signature(site, core)
    new = git.write_commit(f"{old}^{{tree}}", [f"{old}~1"], "Anew", who, who)
    before = env.head(pull)
    pushes.move(site, core, env.repo, [("refs/heads/topic", before, new)])
    assert f"core force-pushed from {git.resolve('refs/heads/topic')[:0]}" in env.nobody.open(path_of(env, pull)).words


def test_a_review_lets_a_waiting_merge_go(env: ForgeEnv) -> None:
    """A scheduled merge is performed when its approval is given."""
    pull = env.pull()
    env.protect(required_approvals=1)
    merging.schedule(env.site, env.user("mara"), pull, MergeOptions("merge"))
    page = env.mara.send(path_of(env, pull, "/files"), "/reviews", type="approve")
    assert "Merged as" in page.words


def test_what_closes_what(env: ForgeEnv) -> None:
    """An issue shows which pull request will close it, and the merge closes it."""
    issue = env.issue()
    pull = env.pull(body=f"Fixes #{issue['number']}")
    page = env.nobody.open(f"{env.home}/issues/{issue['number']}")
    assert f"core will close this with Count again #{pull['number']}" in page.words
    env.mara.send(path_of(env, pull), "/merge")
    assert issues.get(env.site, env.repo, issue["number"])["closed"]


def test_answering_a_remark(env: ForgeEnv) -> None:
    """A reply belongs to the line and the review of the comment that it answers."""
    pull = env.pull(body="Mend it")
    review = reviews.write(
        env.site, env.user("mara"), pull, "COMMENT", "", remarks=[Remark("topic.txt", 1, "Is it a name?")]
    )
    (remark,) = reviews.remarks(env.site, review)
    page = env.core.send(path_of(env, pull), f"/comments/{remark['id']}/replies", content="It is one now.")
    assert "core answered: It is one now." in page.words
    first, second = reviews.remarks(env.site, review)
    assert (first["detail"], second["body"]) == (second["detail"], "It is one now.")
    assert env.core.send(path_of(env, pull), f"/comments/{remark['id']}/replies", content=" ").status == 422


def test_the_end_of_a_conversation(env: ForgeEnv) -> None:
    """The author and writers resolve and reopen a conversation, and the page shows who did; resolved ones are folded."""
    pull = env.pull(body="Mend it")
    review = reviews.write(
        env.site, env.user("mara"), pull, "COMMENT", "", remarks=[Remark("topic.txt", 1, "Is it a name?")]
    )
    (remark,) = reviews.remarks(env.site, review)
    env.core.send(path_of(env, pull), f"/comments/{remark['id']}/replies", content="It is one now.")
    for where in ("", "/files"):
        assert "resolved by" not in env.mara.open(path_of(env, pull, where)).words
    env.core.send(path_of(env, pull), f"/comments/{remark['id']}/conversation", resolved="yes")
    env.mara.send(path_of(env, pull), f"/comments/{remark['id']}/conversation", resolved="yes")
    for where in ("", "/files"):
        page = env.mara.open(path_of(env, pull, where))
        assert page.words.count("resolved by core") == 1
        folded = [about for tag, about in page.tags if tag == "details" and about.get("class") == "line-comment"]
        assert ["open" in about for about in folded] == ([False, True] if not where else [])
        assert page.words.count("Reopen the conversation") == 1
    page = env.mara.send(path_of(env, pull), f"/comments/{remark['id']}/conversation", resolved="no")
    assert "resolved by" not in page.words
    assert env.nobody.open(path_of(env, pull)).words.count("Resolve the conversation") == 0
