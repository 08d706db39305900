"""The pages of code: directories, files, commits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from forge.embedded.services import repos

if TYPE_CHECKING:
    from tests.embedded.pages.conftest import ForgeEnv


def test_the_code(env: ForgeEnv) -> None:
    """The first page of a repository lists its files with their last change, and shows its README."""
    env.commit({"src/a.py": "a = 1\n"}, message="Add a\n\nFor b.")
    page = env.nobody.open(env.home)
    for words in ("docs", "src", "README.md", "lines.txt", "Begin", "Add a", "2 commits", "a picture"):
        assert words in page.words or words in page.text
    assert "For b." not in page.words
    assert f"{env.home}/src/branch/main/docs/how.md" in page.links
    assert ("img", {"src": f"{env.home}/raw/branch/main/logo.png", "alt": "a picture"}) in page.tags
    assert f"{env.site.url}{env.home}.git" in page.text


def test_directories_and_files(env: ForgeEnv) -> None:
    """Directories and files link to each other, also on a branch with slashes in its name."""
    env.commit({"src/deep/a b.py": "def f():\n    return '<&>'\n"}, new="agent/iris/issue-1")
    place = f"{env.home}/src/branch/agent/iris/issue-1"
    page = env.nobody.open(f"{place}/src/deep")
    assert f"{place}/src/deep/a%20b.py" in page.links
    page = env.nobody.open(f"{place}/src/deep/a%20b.py")
    assert "return '<&>'" in page.words
    assert ("span", {"class": "k"}) in page.tags
    assert {f"{place}/src", f"{place}/src/deep"} <= set(page.links)
    assert [about["id"] for tag, about in page.tags if tag == "tr"] == ["L1", "L2"]
    assert "2 lines" in page.words


def test_markdown_files(env: ForgeEnv) -> None:
    """A Markdown file is shown rendered, and on demand as source."""
    place = f"{env.home}/src/branch/main/README.md"
    assert ("h1", {}) in env.nobody.open(place).tags
    assert "# app" in env.nobody.open(f"{place}?display=source").words


def test_files_that_no_page_can_show(env: ForgeEnv) -> None:
    """Images are shown; binary and large files are linked to."""
    env.commit({"a.png": "\0", "b.bin": "\0", "c.txt": "x" * 600_000})
    place, raw = f"{env.home}/src/branch/main", f"{env.home}/raw/branch/main"
    assert ("img", {"src": f"{raw}/a.png", "alt": "a.png"}) in env.nobody.open(f"{place}/a.png").tags
    for name in ("b.bin", "c.txt"):
        page = env.nobody.open(f"{place}/{name}")
        assert f"{raw}/{name}" in page.links
        assert len(page.text) < 10_000


@pytest.mark.parametrize(
    "path",
    ["src/branch/nothing", "src/branch/main/nothing", "src/branch/main/../../x", "src/commit/main", "src/what/main", "commit/main",
     "commit/" + "0" * 40, "raw/branch/main", "raw/branch/main/docs", "commits/branch/nothing", "src/branch/--help", "src/tag/v9"],
)  # fmt: skip
def test_what_is_not_there(env: ForgeEnv, path: str) -> None:
    """Unknown refs, paths and commits are 404, whatever their names."""
    assert env.nobody.open(f"{env.home}/{path}").status == 404


def test_commits(env: ForgeEnv) -> None:
    """Commits are listed newest first with their statuses, and each has a page with its changes."""
    sha = env.commit(
        {"lines.txt": "one\n", "new.txt": "two\n", "README.md": None}, message="Change all\n\nIt was time."
    )
    env.status(sha, "ci/test", "failure", "two fail")
    page = env.nobody.open(f"{env.home}/commits/branch/main")
    assert page.words.index("Change all") < page.words.index("Begin")
    assert ("span", {"class": "dot d-failure", "title": "failure"}) in page.tags
    page = env.nobody.open(f"{env.home}/commit/{sha}")
    for words in ("It was time.", "ci/test", "two fail", "3 files changed +2 −43", "new.txt", "README.md"):
        assert words in page.words
    first = env.site.git(env.repo).commits("main")[-1].sha
    assert "lines.txt" in env.nobody.open(f"{env.home}/commit/{first}").words


def test_pages_of_commits(env: ForgeEnv) -> None:
    """A long history is paginated."""
    git = env.site.git(env.repo)
    tip, who = git.resolve("main"), repos.signature(env.site, env.user("core"))
    for number in range(35):
        tip = git.write_commit(f"{tip}^{{tree}}", [tip], f"number {number}", who, who)
    page = env.nobody.open(f"{env.home}/commits/commit/{tip}")
    assert "number 34" in page.words
    assert "number 4 " not in page.words
    assert "?page=2" in page.links
    page = env.nobody.open(f"{env.home}/commits/commit/{tip}?page=2")
    assert "number 4 " in page.words
    assert page.links.count("?page=1") == 1
    assert "?page=3" not in page.links


def test_an_empty_repository(env: ForgeEnv) -> None:
    """An empty repository shows how to push to it."""
    empty = repos.create(env.site, env.user("mara"), env.org, "empty")
    page = env.mara.open(f"/{empty['full_name']}")
    assert f"git remote add origin {env.site.url}/{empty['full_name']}.git" in page.words
    for path in ("issues", "pulls"):
        assert env.mara.open(f"/{empty['full_name']}/{path}").status == 200


def test_odd_changes(env: ForgeEnv) -> None:
    """A diff shows renamed, empty, binary and huge files, and files without a final line end."""
    pull = env.pull(
        {
            "docs/how.md": None, "docs/why.md": "# How\n", "empty": "", "data.bin": "\0\1", "lines.txt": "no end",
            "huge.txt": "".join(f"{n}\n" for n in range(3000)), 'q"uo\tte.txt': "x\n",
        },
    )  # fmt: skip
    page = env.nobody.open(f"{env.home}/pulls/{pull['number']}/files")
    for words in (
        "docs/how.md → docs/why.md",
        "A binary file.",
        "This diff is too large for a page.",
        "no end",
        'q"uo te.txt',
    ):
        assert words in page.words
    assert "Renamed." in page.words
    assert "No lines changed." in page.words
