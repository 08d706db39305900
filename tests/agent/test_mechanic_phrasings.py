"""A person's wording varies; what is no order is never taken for one."""

from __future__ import annotations

import pytest

from hive.agent.engines.mechanic.request_reader import read
from hive.agent.engines.mechanic.wishes import (
    AddLines,
    ApplyPatch,
    BumpDependency,
    BumpVersion,
    DeleteLines,
    DeletePath,
    HaveProgram,
    PutFile,
    Rename,
    ReplaceLine,
    ReplaceText,
    RunFormatters,
    Wish,
)
from hive.agent.turn import PlainRemark, PlainRequest

DIFF = "diff --git a/x.py b/x.py\n--- a/x.py\n+++ b/x.py\n@@ -1 +1 @@\n-a\n+b\n"

ORDERS: dict[str, tuple[Wish, ...]] = {
    "Rename `foo` to `bar`": (Rename("foo", "bar"),),
    "please rename foo_bar to foo_baz": (Rename("foo_bar", "foo_baz"),),
    "Rename the function `load` to `load_config`.": (Rename("load", "load_config", "identifier"),),
    "Can you rename class Foo to Bar?": (Rename("Foo", "Bar", "identifier"),),
    "rename variable x1 → y1 everywhere": (Rename("x1", "y1", "identifier"),),
    "Rename `a` to `b`, `c` to `d` and `e` to `f`": (Rename("a", "b"), Rename("c", "d"), Rename("e", "f")),
    "refactor(core): rename fooBar to bazQux": (Rename("fooBar", "bazQux"),),
    "Rename file `a.py` to `b.py`": (Rename("a.py", "b.py", "file"),),
    "rename src/a.py to src/b.py": (Rename("src/a.py", "src/b.py"),),
    "move `docs/a.md` to `docs/guide/a.md`": (Rename("docs/a.md", "docs/guide/a.md", "file"),),
    "`get_nme` should be renamed to `get_name`": (Rename("get_nme", "get_name"),),
    "I'd like you to rename `A` to `B` in `lib/x.py`, including comments and strings": (
        Rename("A", "B", "", ("lib/x.py",), in_text=True),
    ),
    "Please rename `foo()` to `bar()`, thanks!": (Rename("foo()", "bar()"),),
    "bump requests to 2.32.4": (BumpDependency("requests", "2.32.4"),),
    "Bump requests from 2.31.0 to 2.32.4": (BumpDependency("requests", "2.32.4"),),
    "update `flask` to version 3.0.3": (BumpDependency("flask", "3.0.3"),),
    "Bump actions/checkout from v3 to v4": (BumpDependency("actions/checkout", "v4"),),
    "upgrade to Python 3.12": (BumpDependency("Python", "3.12"),),
    "pin numpy==1.26.4": (BumpDependency("numpy", "1.26.4"),),
    "set urllib3 to 2.2.2": (BumpDependency("urllib3", "2.2.2"),),
    "bump serde to 1.0.200 in Cargo.toml": (BumpDependency("serde", "1.0.200", ("Cargo.toml",)),),
    "bump @types/node to 20.1.0": (BumpDependency("@types/node", "20.1.0"),),
    "update `nixpkgs` to `nixos-24.05`": (BumpDependency("nixpkgs", "nixos-24.05"),),
    "bump requests to 2.32.4 and flask to 3.0.3": (
        BumpDependency("requests", "2.32.4"), BumpDependency("flask", "3.0.3"),
    ),
    "update version to 1.4.0": (BumpVersion("1.4.0"),),
    "chore: bump the version from 1.3.0 to v1.4.0": (BumpVersion("1.4.0"),),
    "release 2.0.0": (BumpVersion("2.0.0"),),
    "bump the minor version": (BumpVersion(part="minor"),),
    "format the code": (RunFormatters(),),
    "Could you please format the whole codebase?": (RunFormatters(),),
    "run the formatter": (RunFormatters(),),
    "run black and isort": (RunFormatters(("black", "isort")),),
    "run ruff format": (RunFormatters(("ruff format",)),),
    "Fix all lint errors": (RunFormatters(fixes=True),),
    "run ruff": (RunFormatters(("ruff",), fixes=True),),
    "fix style": (RunFormatters(fixes=True),),
    "fix the formatting": (RunFormatters(),),
    "format `src/app.py`": (RunFormatters((), ("src/app.py",)),),
    "Run prettier on `src/`": (RunFormatters(("prettier",), ("src/",)),),
    "apply the linter fixes": (RunFormatters(fixes=True),),
    "run cargo fmt": (RunFormatters(("cargo fmt",)),),
    "replace `old` with `new` in `README.md`": (ReplaceText("old", "new", ("README.md",)),),
    'Replace "colour" with "color" everywhere': (ReplaceText("colour", "color", everywhere=True),),
    "In `README.md`, replace `a` with `b`": (ReplaceText("a", "b", ("README.md",)),),
    "change `http://x` to `https://x` in `setup.cfg`": (ReplaceText("http://x", "https://x", ("setup.cfg",)),),
    "s/teh/the/": (ReplaceText("teh", "the", everywhere=True),),
    "s/teh/the/g in README.md": (ReplaceText("teh", "the", ("README.md",)),),
    "fix typo `recieve` → `receive`": (ReplaceText("recieve", "receive", everywhere=True, whole=True),),
    'typo: "occured" should be "occurred" in docs/a.md': (ReplaceText("occured", "occurred", ("docs/a.md",), whole=True),),
    "add the line `*.log` to `.gitignore`": (AddLines(".gitignore", ("*.log",)),),
    "add `*.log` to .gitignore": (AddLines(".gitignore", ("*.log",)),),
    "insert the line `b` into `x.txt` after `a`": (AddLines("x.txt", ("b",), "after", "a"),),
    "delete `old.py`": (DeletePath("old.py"),),
    "remove the files docs/old.md and docs/older.md": (DeletePath("docs/old.md"), DeletePath("docs/older.md")),
    "delete the folder `legacy`": (DeletePath("legacy", is_folder=True),),
    "remove the line `import os` from `app.py`": (DeleteLines("app.py", ("import os",)),),
    "create an empty file `pkg/__init__.py`": (PutFile("pkg/__init__.py", ""),),
    "Does your container have gzip?": (HaveProgram("gzip"),),
    "add `gzip` to your container": (HaveProgram("gzip"),),
    "rename `a` to `b` and bump flask to 3.0, then format the code": (
        Rename("a", "b"), BumpDependency("flask", "3.0"), RunFormatters(),
    ),
}  # fmt: skip

TEXTS: dict[str, tuple[Wish, ...]] = {
    f"Apply this:\n```diff\n{DIFF}```": (ApplyPatch(DIFF),),
    f"This fixes it for me.\n\n{DIFF}\nThanks": (ApplyPatch(DIFF),),
    f"- in a list:\n  ```\n{DIFF}  ```": (ApplyPatch(DIFF),),
    "Create `a.md` with:\n```\nhi\n```": (PutFile("a.md", "hi\n"),),
    "Please add a new file `docs/x.md` with the following content:\n\n```md\nhi\n```": (PutFile("docs/x.md", "hi\n"),),
    "Write the file `a.md`:\n\n~~~\n```\nhi\n```\n~~~": (PutFile("a.md", "```\nhi\n```\n", replaces=True),),
    "Overwrite `x` with this:\n```\nhi\n```": (PutFile("x", "hi\n", replaces=True),),
    "Append this to `a.md`:\n```\nl1\nl2\n```": (AddLines("a.md", ("l1", "l2")),),
    "Add the following lines to `a.md` after `## Usage`:\n```\nl\n```": (
        AddLines("a.md", ("l",), "after", "## Usage"),
    ),
    "Remove these lines from `a.py`:\n```\nl1\n  l2\n```": (DeleteLines("a.py", ("l1", "  l2")),),
    "In `a.py` replace\n```\nold\n```\nwith\n```\nnew\n```": (ReplaceText("old", "new", ("a.py",)),),
    "On `app.py`, line 3:\n```suggestion\nx = 2\n```": (ReplaceLine("app.py", 3, "x = 2"),),
    "In app.py:3\n```suggestion\nx = 2\n```": (ReplaceLine("app.py", 3, "x = 2"),),
    "`app.py`:\n```diff\n-old\n+new\n```": (ReplaceLine("app.py", 0, "new", "old"),),
}

FEATURES = (
    "Add a page for one hive", "Users should be able to rename a file to another name", "Add a command to rename projects",
    "Replace the old parser with a faster one", "Rename projects to teams", "Format dates as ISO 8601",
    "Format the phone numbers in the list", "Update the docs", "Update README to mention 3.11", "Set the timeout to 30",
    "Change the default to 5", "Should we rename `foo` to `bar`?", "Don't rename `foo` to `bar`",
    "Delete users after 30 days", "Remove the debug flag", "Replace `requests` with `httpx`", "Every hive shows 0",
    "The app crashes when I rename `a` to `b`", "Fix the crash in `app.py`", "Fix the login bug", "Support Python 3.13",
    "Upgrade the database schema", "Update the copyright year to 2026", "Run the tests in CI",
    "Add retry logic to the client", "Add tests for `parse`", "Move the settings to a new page",
    "Create a function that formats dates", "Allow users to delete files", "When I run `ruff` it fails",
    "Change the text of the button", "Why does `foo` return `bar`?", "If possible, rename things more consistently",
    "Add a line chart to the dashboard", "Drop support for Windows", "Release notes for 2.0 are missing",
    "Version 1.4.0 crashes", "Bump the limit of uploads to 10 MB", "Add `json` output to the report",
    "Write a script that renames files", "Pin the header to the top", "Fix formatting of dates in the report",
    "Use `httpx` instead of `requests`", "Format code blocks in the README with syntax highlighting",
    "Delete all old records", "Rename `foo` to `bar` and the app crashes", "> rename `foo` to `bar`",
    "I would not rename `foo` to `bar`", "Bump the rate limit", "Fix lint rule documentation",
)  # fmt: skip

REPORTS = (
    "Steps to reproduce:\n1. Rename `a.txt` to `b.txt`\n2. Delete `c.txt`\n\nExpected behaviour: no crash",
    "`app.py`:\n```python\nx = 1\n```\nis wrong.",
    "The test says\n```diff\n- expected\n+ actual\n```",
    "> Please delete `app.py`\n\nI do not agree.",
    "```\nrename `a` to `b`\n```",
    "Plan:\n- rename `theme` to `scheme`\n- add a toggle to the settings",
)


@pytest.mark.parametrize("order", ORDERS)
def test_orders(order: str) -> None:
    """What is asked in a title, a comment, a list or among other words is understood the same."""
    for request in (
        PlainRequest(title=order),
        PlainRequest(body=order),
        PlainRequest(title="A small thing", body=f"Hello team!\n\n- [ ] {order}\n\nIt is clearer."),
    ):
        assert tuple(read(request).wishes) == ORDERS[order]


@pytest.mark.parametrize("text", TEXTS)
def test_blocks(text: str) -> None:
    """What is given in a block is taken to the letter."""
    assert tuple(read(PlainRequest(title="Something is off", body=text)).wishes) == TEXTS[text]


@pytest.mark.parametrize("feature", FEATURES)
def test_features_are_no_orders(feature: str) -> None:
    """An ordinary request is never half understood: nothing is wished."""
    for request in (PlainRequest(title=feature, body="It says `1.0` in `x.py`."), PlainRequest(body=feature)):
        assert read(request).wishes == []


@pytest.mark.parametrize("report", REPORTS)
def test_reports_are_no_orders(report: str) -> None:
    """Steps of a report, quotes, examples and parts of a plan are not done."""
    assert read(PlainRequest(title="Add dark mode, and fix the crash", body=report)).wishes == []


def test_a_title_may_sum_up() -> None:
    """A title that only sums up what the text spells out is nothing that was left undone."""
    request = PlainRequest(title="Clean up the names", body="- rename `a` to `b`\n- rename `c` to `d`")
    assert (read(request).wishes, read(request).others) == ([Rename("a", "b"), Rename("c", "d")], [])
    more = PlainRequest(title="Rename `a` to `b`", body="Also add retry logic.")
    assert (read(more).wishes, read(more).others) == ([Rename("a", "b")], ["Also add retry logic"])


def test_typos_by_their_title() -> None:
    """In a text about typos the wrong word and the right one are enough; the title may say where."""
    body = "`teh` should be `the`, and `recieve` → `receive`"
    assert read(PlainRequest(title="Typos in `README.md`", body=body)).wishes == [
        ReplaceText("teh", "the", ("README.md",), whole=True), ReplaceText("recieve", "receive", ("README.md",), whole=True)
    ]  # fmt: skip


@pytest.mark.parametrize("answer", ["yes please", "Do it!", "apply this suggestion", "Fix it."])
def test_an_answer_to_a_remark(answer: str) -> None:
    """Who agrees to a remark wants what it suggests."""
    exact = PlainRemark("app.py", 3, "Unused", "import os", "")
    words = PlainRemark("app.py", 3, "Better:\n```suggestion\nx = 2\n```")
    assert read(PlainRequest(body=answer, remarks=(exact,))).wishes == [ReplaceLine("app.py", 3, "", "import os")]
    assert read(PlainRequest(body=answer, remarks=(words,))).wishes == [ReplaceLine("app.py", 3, "x = 2")]
    vague = read(PlainRequest(body=answer, remarks=(PlainRemark("app.py", 3, "This could be nicer."),)))
    assert (vague.wishes, vague.others) == ([], ["`app.py`, line 3: This could be nicer."])


HOSTILE = (
    "rename " + "a to b and " * 40, "bump " + "a from b to " * 40, "in " + "a.b, " * 100, "delete " + "and " * 100,
    "rename a to " + "b, a to b and " * 30, "replace " + "text " * 90, "run " + "ruff and " * 40 + "x", "the " * 99,
    "fix " + "the " * 95, "x " + " in a.py" * 50, "rename `a` to `b`, " * 20 + "and", "a/" * 190, "((" * 190, "s/" + "/" * 390,
)  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.timeout(20)
def test_no_text_takes_long(text: str) -> None:
    """However a text is built, reading it takes time in proportion to its length."""
    read(PlainRequest(title=text[:500], body=(f"{text}. " * 2_000)[:50_000]))
    read(PlainRequest(body=("--- a\n+++ b\n@@ -1 +1 @@\n" * 3_000)[:50_000]))
    read(PlainRequest(body=("\"'`“" * 20_000)[:50_000]))


def test_no_more_than_some() -> None:
    """A request of very many changes is refused in words."""
    reading = read(PlainRequest(body="\n".join(f"rename `a{n}` to `b{n}`" for n in range(60))))
    assert (reading.wishes, len(reading.hints)) == ([], 1)
