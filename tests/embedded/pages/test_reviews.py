"""Pull requests at a browser: opening and reading them, and reviewing line by line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from forge.embedded.services import issues, merging, pulls, pushes, repos, reviews
from forge.embedded.services.merging import Wish
from forge.embedded.services.reviews import Remark
from forge.embedded.state import Row

if TYPE_CHECKING:
    from tests.embedded.pages.conftest import Shown, Village

LINES = [f"line {n}" for n in range(1, 41)]


def path_of(village: Village, pull: Row, rest: str = "") -> str:
    """The page of a pull request."""
    return f"{village.home}/pulls/{pull['number']}{rest}"


def text(**changed: str) -> str:
    """The forty lines with some of them changed: `l20="new"`; an empty one is gone."""
    found = [changed.get(f"l{n}", line) for n, line in enumerate(LINES, 1)]
    return "".join(f"{line}\n" for line in found if line)


def written(village: Village, pull: Row) -> list[tuple[str, str, list[tuple[str, int, str]]]]:
    """The reviews: state, words, remarks."""
    return [
        (row["state"], row["body"], [_remark(said) for said in reviews.remarks(village.site, row)])
        for row in reviews.of_pull(village.site, pull)
    ]


def _remark(row: Row) -> tuple[str, int, str]:
    about = json.loads(row["detail"])
    return about["path"], about["line"], row["body"]


def around(page: Shown, words: str, size: int = 60) -> str:
    """What stands before some words on a page."""
    at = page.words.index(words)
    return page.words[max(0, at - size) : at]


def test_the_page_of_a_pull_request(village: Village) -> None:
    """A pull request says who wants what merged from where; by the address of an issue one comes to it as well."""
    pull = village.pull(body="Closes #2")
    page = village.nobody.open(f"{village.home}/issues/{pull['number']}")
    assert page.path == path_of(village, pull)
    assert "core wants to merge 1 commit into main from topic" in page.words
    assert "core pushed 1 commit" in page.words
    assert "+1 −1" in page.words
    issue = village.issue()
    assert (
        village.nobody.open(f"{village.home}/pulls/{issue['number']}").path
        == f"{village.home}/issues/{issue['number']}"
    )
    assert village.nobody.open(f"{village.home}/pulls/{issue['number']}/files").status == 404


def test_a_fork(village: Village) -> None:
    """A pull request from a fork says whose it is."""
    site, eve = village.site, village.user("eve")
    fork = repos.fork(site, eve, village.repo, eve, f"app-{village.org['login']}")
    git = site.git(fork)
    sha = git.write_commit("main^{tree}", ["main"], "From afar", repos.signature(site, eve), repos.signature(site, eve))
    pushes.move(site, eve, fork, [("refs/heads/afar", "0" * 40, sha)])
    pull = pulls.create(site, eve, village.repo, title="From afar", head="eve:afar", base="main")
    page = village.mara.open(path_of(village, pull))
    assert "eve wants to merge 1 commit into main from eve:afar" in page.words
    assert page.has_form("/merge")
    assert "From afar" in village.nobody.open(path_of(village, pull, "/commits")).words


def test_commits_and_texts(village: Village) -> None:
    """The commits stand in order with their checks; diff and patch are there as text."""
    pull = village.pull()
    sha = village.commit({"second.txt": "x\n"}, branch="topic", message="The second")
    village.status(sha, "ci", "success")
    page = village.nobody.open(path_of(village, pull, "/commits"))
    assert page.words.index("Update lines.txt") < page.words.index("The second")
    assert ("span", {"class": "dot d-success", "title": "success"}) in page.tags
    assert "+line twenty" in village.nobody.open(path_of(village, pull, ".diff")).text
    assert "Subject: [PATCH 2/2] The second" in village.nobody.open(path_of(village, pull, ".patch")).text


def test_opening(village: Village) -> None:
    """One chooses two branches, sees what would be merged, and opens the pull request; a push's hint leads here."""
    village.commit({"lines.txt": text(l20="XX")}, new="agent/topic", message="Count again")
    page = village.core.open(f"{village.home}/compare/main...agent/topic")
    assert page.path == f"{village.home}/pulls/new?base=main&head=agent%2Ftopic"
    for words in ("can be merged", "Count again", "1 file changed +1 −1"):
        assert words in page.words
    assert dict(page.form("/pulls/new").fields)["title"] == "Count again"
    opened = village.core.fill(page, "/pulls/new", content="Because.")
    assert (opened.answers, opened.path) == ([303, 200], f"{village.home}/pulls/1")
    again = village.core.fill(page, "/pulls/new", title="Twice", content="Kept")
    assert again.status == 409
    assert "pull request already exists for these targets" in again.words
    assert dict(again.form("/pulls/new").fields)["content"] == "Kept"
    assert "There is nothing in main that main lacks." in village.core.open(f"{village.home}/pulls/new?head=main").words


@pytest.mark.parametrize(
    ("kind", "content", "state", "said"),
    [
        ("approve", "", "APPROVED", "eve approved these changes"),
        ("reject", "Not yet.", "REQUEST_CHANGES", "eve requested changes"),
        ("comment", "Hm.", "COMMENT", "eve reviewed"),
    ],
)
def test_reviewing(village: Village, kind: str, content: str, state: str, said: str) -> None:
    """Whoever reads may approve, request changes or comment, and the conversation says so."""
    pull = village.pull()
    page = village.eve.send(path_of(village, pull, "/files"), "/reviews", type=kind, content=content)
    assert (page.answers, page.path) == ([303, 200], path_of(village, pull))
    assert said in page.words
    assert content in page.words
    assert written(village, pull) == [(state, content, [])]


@pytest.mark.parametrize(
    ("browser", "kind", "content", "why"),
    [
        ("eve", "reject", "", "review event REQUEST_CHANGES requires a body"),
        ("eve", "comment", " ", "review event COMMENT requires a body or a comment"),
        ("eve", "explode", "kept", "A review approves, requests changes or comments."),
        ("eve", "pending", "kept", "A remark needs words."),
        ("core", "approve", "kept", "approve your own pull is not allowed"),
    ],
)
def test_reviews_that_are_refused(village: Village, browser: str, kind: str, content: str, why: str) -> None:
    """A review that the rules refuse says why and keeps the words."""
    pull, who = village.pull(), getattr(village, browser)
    page = who.send(path_of(village, pull, "/files"), "/reviews", type=kind, content=content)
    assert page.status == 422
    assert why in page.words
    assert dict(page.form("/reviews").fields)["content"] == content.strip()
    assert written(village, pull) == []


def test_remarks(village: Village) -> None:
    """A remark on a line, new or gone, is made by choosing the line, and stands below it and in the conversation."""
    pull = village.pull({"lines.txt": text(l20="line XX", l21="")})
    files = path_of(village, pull, "/files")
    page = village.eve.open(files)
    assert {f"?comment=lines.txt%3A{n}" for n in (17, 20, -20, -21)} <= {link.partition("#")[0] for link in page.links}
    page = village.eve.send(f"{files}?comment=lines.txt:20", "/reviews", type="comment", remark="Why **XX**?")
    assert "lines.txt line 20" in page.words
    assert around(page, "Why XX ?").endswith("line XX ")
    page = village.eve.send(
        f"{files}?comment=lines.txt:-21", "/reviews", type="reject", content="Mend it.", remark="Why gone?"
    )
    assert "lines.txt old line 21" in page.words
    page = village.nobody.open(files)
    assert around(page, "Why gone?").endswith("line 21 E eve just now ")
    assert written(village, pull) == [
        ("COMMENT", "", [("lines.txt", 20, "Why **XX**?")]),
        ("REQUEST_CHANGES", "Mend it.", [("lines.txt", -21, "Why gone?")]),
    ]
    assert not any("comment=" in link for link in page.links)


def test_several_remarks_in_one_form(village: Village) -> None:
    """A script may send many remarks at once; those without words or a line are left out."""
    pull = village.pull()
    typed = {
        "path": ["lines.txt", "lines.txt", "a", "b"],
        "line": ["20", "1", "2", "x"],
        "side": ["new", "old", "new", "new"],
    }
    village.eve.send(
        path_of(village, pull, "/files"), "/reviews", type="comment", remark=["one", "two", " ", "no"], **typed
    )
    assert written(village, pull) == [("COMMENT", "", [("lines.txt", -1, "two"), ("lines.txt", 20, "one")])]


def test_holding_back(village: Village) -> None:
    """Remarks are held back until the review is submitted: only who writes them sees them, and then all come at once."""
    pull = village.pull({"lines.txt": text(l20="XX", l22="YY")})
    files = path_of(village, pull, "/files")
    page = village.eve.send(
        f"{files}?comment=lines.txt:20", "/reviews", type="pending", remark="First", content="In all:"
    )
    assert (page.answers, page.path) == ([303, 200], files)
    assert "not sent yet" in page.words
    village.eve.send(f"{files}?comment=lines.txt:22", "/reviews", type="pending", remark="Second")
    for other in (village.core, village.nobody):
        assert "First" not in other.open(files).words
        assert "First" not in other.open(path_of(village, pull)).words
    assert "eve reviewed" not in village.eve.open(path_of(village, pull)).words
    page = village.eve.open(files)
    assert "Finish your review" in page.words
    page = village.eve.fill(page, "/reviews", type="comment", content="")
    assert "First" in page.words
    assert "Second" in page.words
    assert written(village, pull) == [("COMMENT", "", [("lines.txt", 20, "First"), ("lines.txt", 22, "Second")])]
    assert "First" in village.nobody.open(files).words


def test_words_are_kept_while_holding_back(village: Village) -> None:
    """What was typed about the whole is still there after a remark was held back."""
    pull = village.pull()
    page = village.eve.send(
        path_of(village, pull, "/files?comment=lines.txt:20"),
        "/reviews",
        type="pending",
        remark="First",
        content="In all:",
    )
    assert dict(page.form("/reviews").fields)["content"] == "In all:"


def test_discarding(village: Village) -> None:
    """A review that was begun can be thrown away."""
    pull = village.pull()
    files = path_of(village, pull, "/files")
    page = village.eve.send(f"{files}?comment=lines.txt:20", "/reviews", type="pending", remark="First")
    page = village.eve.fill(page, "/reviews", type="discard")
    assert "First" not in page.words
    assert written(village, pull) == []
    assert village.eve.fill(page, "/reviews", type="discard").status == 404


def test_a_refused_remark_is_kept(village: Village) -> None:
    """A remark that came with a refused review stands in its form again."""
    pull = village.pull()
    page = village.eve.send(
        path_of(village, pull, "/files?comment=lines.txt:20"), "/reviews", type="reject", remark="Mine"
    )
    assert page.status == 422
    kept = dict(page.form("/reviews").fields)
    assert (kept["remark"], kept["path"], kept["line"], kept["side"]) == ("Mine", "lines.txt", "20", "new")


@pytest.mark.parametrize("place", ["", ":", "nothing:3", "lines.txt:0", "lines.txt:x", "lines.txt:9999", "lines.txt"])
def test_a_line_that_is_not_there(village: Village, place: str) -> None:
    """There is no form for a line that the diff does not show."""
    page = village.eve.open(path_of(village, village.pull(), f"/files?comment={place}"))
    assert page.status == 200
    assert "remark" not in dict(page.form("/reviews").fields)


def test_remarks_follow_their_lines(village: Village) -> None:
    """After a push, a remark stands below its line wherever that went, and is folded when the line was changed."""
    pull = village.pull({"lines.txt": text(l20="XX", l22="YY", l30="")})
    said = [
        Remark("lines.txt", 20, "stays"),
        Remark("lines.txt", 22, "goes"),
        Remark("lines.txt", -30, "gone"),
        Remark("other.txt", 3, "elsewhere"),
    ]
    reviews.write(village.site, village.user("iris"), pull, "COMMENT", "Look.", said=said)
    village.commit({"lines.txt": "new first line\n" + text(l20="XX", l22="ZZ", l30="")}, branch="topic")
    page = village.nobody.open(path_of(village, pull, "/files"))
    assert around(page, "stays").endswith("XX I iris just now ")
    assert around(page, "gone").endswith("line 30 I iris just now ")
    assert around(page, "goes").endswith("1 outdated remark I iris just now on line 22 ")
    assert around(page, "elsewhere").endswith("other.txt I iris just now on line 3 ")
    page = village.nobody.open(path_of(village, pull))
    folded = [about for tag, about in page.tags if tag == "details" and "remark" in about.get("class", "")]
    assert [("outdated" in about["class"], "open" in about) for about in folded] == [
        (False, True),
        (True, False),
        (False, True),
        (False, True),
    ]


def test_stale_and_dismissed(village: Village) -> None:
    """A review of an older head is marked as such, and so is one that counts no longer."""
    pull = village.pull()
    first = reviews.write(village.site, village.user("eve"), pull, "REQUEST_CHANGES", "Mend it.")
    village.commit({"lines.txt": text(l20="better")}, branch="topic")
    page = village.nobody.open(path_of(village, pull))
    assert "eve requested changes just now stale" in page.words
    assert "eve requested changes, stale" in page.words
    first = reviews.get(village.site, pull, first["id"])
    reviews.dismiss(village.site, village.user("mara"), pull, first, "It is old.", dismissed=True)
    page = village.nobody.open(path_of(village, pull))
    assert "mara dismissed the review of eve" in page.words
    assert "It is old." in page.words
    assert "eve requested changes just now dismissed" in page.words


def test_pushes(village: Village) -> None:
    """Pushes are told with their commits, and a rewritten branch as what it is."""
    pull = village.pull()
    old = village.head(pull)
    village.commit({"a.txt": "a\n"}, branch="topic", message="One more")
    assert "core pushed 1 commit just now One more" in village.nobody.open(path_of(village, pull)).words
    site, core = village.site, village.user("core")
    git, who = site.git(village.repo), repos.signature(site, core)
    new = git.write_commit(f"{old}^{{tree}}", [f"{old}~1"], "Anew", who, who)
    before = village.head(pull)
    pushes.move(site, core, village.repo, [("refs/heads/topic", before, new)])
    assert (
        f"core force-pushed from {git.resolve('refs/heads/topic')[:0]}"
        in village.nobody.open(path_of(village, pull)).words
    )


def test_a_review_lets_a_waiting_merge_go(village: Village) -> None:
    """A merge that waited for an approval is done as soon as that is given."""
    pull = village.pull()
    village.protect(required_approvals=1)
    merging.schedule(village.site, village.user("mara"), pull, Wish("merge"))
    page = village.mara.send(path_of(village, pull, "/files"), "/reviews", type="approve")
    assert "Merged as" in page.words


def test_what_closes_what(village: Village) -> None:
    """An issue says which pull request will close it, and the merge closes it."""
    issue = village.issue()
    pull = village.pull(body=f"Fixes #{issue['number']}")
    page = village.nobody.open(f"{village.home}/issues/{issue['number']}")
    assert f"core will close this with Count again #{pull['number']}" in page.words
    village.mara.send(path_of(village, pull), "/merge")
    assert issues.get(village.site, village.repo, issue["number"])["closed"]


def test_answering_a_remark(village: Village) -> None:
    """A reply stands with the remark that it answers, on the same line of the same review, and hooks hear a comment."""
    pull = village.pull(body="Mend it")
    review = reviews.write(
        village.site, village.user("mara"), pull, "COMMENT", "", said=[Remark("topic.txt", 1, "Is it a name?")]
    )
    (remark,) = reviews.remarks(village.site, review)
    page = village.core.send(path_of(village, pull), f"/remarks/{remark['id']}", content="It is one now.")
    assert "core answered: It is one now." in page.words
    first, second = reviews.remarks(village.site, review)
    assert (first["detail"], second["body"]) == (second["detail"], "It is one now.")
    assert village.core.send(path_of(village, pull), f"/remarks/{remark['id']}", content=" ").status == 422


def test_the_end_of_a_conversation(village: Village) -> None:
    """A conversation is resolved by the pull request's author or who writes there, and opened again, and the page says so."""
    pull = village.pull(body="Mend it")
    review = reviews.write(
        village.site, village.user("mara"), pull, "COMMENT", "", said=[Remark("topic.txt", 1, "Is it a name?")]
    )
    (remark,) = reviews.remarks(village.site, review)
    village.core.send(path_of(village, pull), f"/remarks/{remark['id']}", content="It is one now.")
    for where in ("", "/files"):
        assert "resolved by" not in village.mara.open(path_of(village, pull, where)).words
    village.core.send(path_of(village, pull), f"/remarks/{remark['id']}/conversation", resolved="yes")
    village.mara.send(path_of(village, pull), f"/remarks/{remark['id']}/conversation", resolved="yes")
    for where in ("", "/files"):
        page = village.mara.open(path_of(village, pull, where))
        assert page.words.count("resolved by core") == 1
        assert page.words.count("Reopen the conversation") == 1
    page = village.mara.send(path_of(village, pull), f"/remarks/{remark['id']}/conversation", resolved="no")
    assert "resolved by" not in page.words
    assert village.nobody.open(path_of(village, pull)).words.count("Resolve the conversation") == 0
