"""Each kind of change of the mechanic is exact: what was not meant stays, to the byte."""

from __future__ import annotations

import pytest

from hive.agent.engines.mechanic import (
    formatters,
    identifiers,
    manifests,
    own_version,
    patches,
    pinned_references,
    texts,
)
from hive.agent.engines.mechanic.container_wish import with_packages
from hive.agent.engines.mechanic.versions import next_version, raised
from hive.agent.errors import ToolError

PYTHON = '''\
"""Doc of foo."""
__all__ = ["foo", "food"]


def foo(food: int = 1) -> str:  # foo
    x = {"foo": food}
    return f"foo {foo(food)!r:>{food}} {{foo}}" + x["foo"]


class Bar:
    foo = foo(1).foo
'''


class TestIdentifiers:
    """A name is a token, and nothing that only contains or mentions it."""

    def test_python(self) -> None:
        """In Python strings and comments stay, but for exported names and the braces of f-strings; what stays is told."""
        found = identifiers.rename("a.py", PYTHON, "foo", "baz")
        assert found.text == (
            PYTHON.replace('["foo"', '["baz"', 1).replace("def foo", "def baz").replace("{foo(", "{baz(")
            .replace("    foo = foo(1).foo", "    baz = baz(1).baz")
        )  # fmt: skip
        assert (found.renamed, found.left, found.has_new) == ((2, 5, 7, 11), (1, 5, 6, 7), ())

    def test_python_with_text(self) -> None:
        """If that is asked for, comments and strings are renamed too, and longer words still stay."""
        found = identifiers.rename("a.py", PYTHON, "foo", "baz", in_text=True)
        assert identifiers.rename("a.py", found.text, "foo", "x").renamed == ()
        assert found.text.count("food") == PYTHON.count("food")

    @pytest.mark.parametrize(
        "text", ["foo = 1\r\nprint(foo)\r\n", "foo\x0c = 1", "é = foo; ü = foo\n", "foo = '\u2028'; foo"]
    )
    def test_bytes_stay(self, text: str) -> None:
        """Line ends, form feeds and letters of all kinds stay where they are."""
        assert identifiers.rename("a.py", text, "foo", "ba").text == text.replace("foo", "ba")

    @pytest.mark.parametrize(("path", "text", "after"), [
        ("a.js", "foo(foo$, $foo, _foo, x.foo) // foo", "ba(foo$, $foo, _foo, x.ba) // ba"),
        ("a.css", ".foo-bar .foo { }", ".foo-bar .ba { }"),
        ("a.md", "The foo `foo`\n```py\nfoo()\n```\nfoo", "The foo `ba`\n```py\nba()\n```\nfoo"),
        ("a.toml", "foo = 1", "foo = 1"),
    ])  # fmt: skip
    def test_other_languages(self, path: str, text: str, after: str) -> None:
        """Elsewhere it is a whole word; in prose only what is marked as code; in data it stays, and is told."""
        name = "foo"
        if path == "a.css":
            after = text.replace(".foo ", ".ba ").replace("foo-bar", "ba-bar")
        found = identifiers.rename(path, text, name, "ba")
        assert found.text == after
        assert (found.left != ()) == (path in {"a.md", "a.toml"})

    def test_collisions_are_seen(self) -> None:
        """Where the new name is in use is known, as a name and not as a text."""
        assert identifiers.rename("a.py", "foo = bar\n'bar'\n", "foo", "bar").has_new == (1,)

    @pytest.mark.parametrize("new", ["class", "a-b", "1x"])
    def test_no_name_of_python(self, new: str) -> None:
        """A name that the language does not take is refused."""
        with pytest.raises(ToolError):
            identifiers.rename("a.py", "foo = 1", "foo", identifiers.plain_name(new))

    def test_no_python(self) -> None:
        """A file that Python cannot read is not changed on a guess."""
        with pytest.raises(ToolError, match="cannot be read"):
            identifiers.rename("a.py", "def foo(:\n  '''", "foo", "bar")


REQUIREMENTS = (
    "# c\nrequests==2.31.0  # why\nFlask[async]>=2.0,<4 ; python_version>'3.8'\n-r more.txt\nrequests-mock==1.0\n"
)
PYPROJECT = """\
[project]
name = "app"
version = "1.3.0"
dependencies = ["requests[socks]>=2.28,<3", 'flask ~= 2.0']

[tool.poetry.dependencies]
python = "^3.11"
requests = { version = "^2.28", extras = ["socks"] }

[tool.other]
requests = "9.9"
"""
PACKAGE = '{\n  "name": "app",\n  "version": "1.3.0",\n  "dependencies": {\n    "lodash": "^4.17.0",\n    "lodash.get": "4.0.0"\n  }\n}\n'
CARGO = '[package]\nname = "app"\nversion = "1.3.0"\n\n[dependencies]\nserde = { version = "1.0", features = ["derive"] }\nlog = "0.4"\n\n[dependencies.rand]\nversion = "0.8"\n'
GO = "module example.com/app\n\ngo 1.21\n\nrequire (\n\tgithub.com/spf13/cobra v1.7.0\n\tgithub.com/x/cobra-x v1.0.0 // indirect\n)\n"
POM = "<project>\n <version>1.3.0</version>\n <properties><junit.version>5.9.0</junit.version></properties>\n <dependencies>\n  <dependency><artifactId>junit</artifactId><version>${junit.version}</version></dependency>\n  <dependency><artifactId>gson</artifactId><version>2.9</version></dependency>\n </dependencies>\n</project>\n"


class TestManifests:
    """A version is replaced where it is declared, and everything around it stays."""

    @pytest.mark.parametrize(("path", "text", "name", "version", "pairs"), [
        ("requirements.txt", REQUIREMENTS, "requests", "2.32.4", [("2.31.0", "2.32.4")]),
        ("requirements-dev.txt", REQUIREMENTS, "flask", "3.0.3", [(">=2.0,<4", ">=3.0.3,<4")]),
        ("pyproject.toml", PYPROJECT, "Requests", "2.32.4", [(">=2.28,<3", ">=2.32.4,<3"), ("^2.28", "^2.32.4")]),
        ("pyproject.toml", PYPROJECT, "flask", "3.0", [("~= 2.0", "~= 3.0")]),
        ("package.json", PACKAGE, "lodash", "4.17.21", [("^4.17.0", "^4.17.21")]),
        ("Cargo.toml", CARGO, "serde", "1.0.200", [('"1.0"', '"1.0.200"')]),
        ("Cargo.toml", CARGO, "rand", "0.9.0", [('"0.8"', '"0.9.0"')]),
        ("go.mod", GO, "github.com/spf13/cobra", "1.8.0", [("v1.7.0", "v1.8.0")]),
        ("go.mod", GO, "cobra", "v1.8.0", [("v1.7.0", "v1.8.0")]),
        ("go.mod", GO, "go", "1.22", [("go 1.21", "go 1.22")]),
        ("pom.xml", POM, "junit", "5.10.0", [("5.9.0", "5.10.0")]),
        ("pom.xml", POM, "gson", "2.10", [("2.9<", "2.10<")]),
        ("Gemfile", 'gem "rails", "~> 7.0"\n', "rails", "7.1.2", [("7.0", "7.1.2")]),
        ("build.gradle", "implementation 'com.google:gson:2.9'\n", "gson", "2.10", [("2.9", "2.10")]),
        ("setup.cfg", "install_requires =\n    requests>=2.0\n", "requests", "2.32", [("2.0", "2.32")]),
    ])  # fmt: skip
    def test_exact(self, path: str, text: str, name: str, version: str, pairs: list[tuple[str, str]]) -> None:
        """Operators, quotes, order and comments stay."""
        wanted = text
        for old, new in pairs:
            assert old in wanted
            wanted = wanted.replace(old, new, 1)
        bumped = manifests.bump(path, text, name, version)
        assert bumped.text == wanted
        assert len(bumped.changes) == len(pairs)
        again = manifests.bump(path, bumped.text, name, version)
        assert (again.text, again.changes, len(again.same)) == (wanted, [], len(pairs))

    @pytest.mark.parametrize(("path", "text", "name", "says"), [
        ("requirements.txt", "requests==2.31.0 \\\n    --hash=sha256:abc\n", "requests", "pinned with hashes"),
        ("requirements.txt", "requests\n", "requests", "takes any version"),
        ("requirements.txt", "requests>=2,<2.30\n", "requests", "outside of the bound `<2.30`"),
        ("requirements.txt", "requests<10\n", "requests", "only an upper bound"),
        ("requirements.txt", "requests>=2,!=9.0\n", "requests", "outside of the bound `!=9.0`"),
        ("package.json", '{"dependencies": {"x": "github:a/x"}}', "x", "not from the registry"),
        ("package.json", '{"dependencies": {"x": "1 || 2"}}', "x", "cannot change exactly"),
        ("package.json", '{"dependencies": {"x": "*"}}', "x", "takes any version"),
    ])  # fmt: skip
    def test_what_would_lie_is_refused(self, path: str, text: str, name: str, says: str) -> None:
        """Hashes, bounds and sources that a number does not describe are for a person."""
        with pytest.raises(ToolError, match=says):
            manifests.bump(path, text, name, "9.0")

    def test_locks_are_named(self) -> None:
        """A lock file beside a changed manifest is out of date, one elsewhere is not."""
        every = {"uv.lock", "web/package-lock.json", "web/package.json", "pyproject.toml"}
        assert manifests.stale_locks({"pyproject.toml"}, every) == [("uv.lock", "uv lock")]
        assert [lock for lock, _ in manifests.stale_locks({"web/package.json"}, every)] == ["web/package-lock.json"]

    @pytest.mark.parametrize(("spec", "version", "after"), [
        ("==2.31.0", "2.32", "==2.32"), (" ~= 2.0", "v3.1", " ~= 3.1"), ("^1", "2", "^2"), ("v1.0", "1.1", "v1.1"),
        (">=1,<2", "1.9", ">=1.9,<2"), ("1.2.*", "1.3", "1.3"),
    ])  # fmt: skip
    def test_ranges(self, spec: str, version: str, after: str) -> None:
        """A range keeps its form."""
        assert raised(spec, version, "x") == after


DOCKER = "FROM --platform=linux/amd64 python:3.11-slim AS b\nFROM ghcr.io/acme/base:v1.2\nFROM scratch\n"
WORKFLOW = "jobs:\n  a:\n    container: python:3.11\n    steps:\n      - uses: actions/checkout@v3  # c\n      - uses: https://code.forgejo.org/actions/setup-go@v4\n      - uses: a/b/sub@v1\n"
FLAKE = 'inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-23.11";\ninputs.utils = { url = "github:numtide/flake-utils/v1.0"; };\n'


class TestReferences:
    """Tags of images, actions, hooks and inputs."""

    @pytest.mark.parametrize(("path", "text", "name", "version", "tags"), [
        ("Dockerfile", DOCKER, "python", "3.12", ("3.11-slim", "3.12-slim")),
        ("Dockerfile", DOCKER, "python", "3.12-alpine", ("3.11-slim", "3.12-alpine")),
        ("docker/Dockerfile.dev", DOCKER, "acme/base", "1.3", ("v1.2", "v1.3")),
        (".forgejo/workflows/ci.yml", WORKFLOW, "actions/checkout", "4", ("@v3", "@v4")),
        (".github/workflows/ci.yml", WORKFLOW, "setup-go", "v5", ("go@v4", "go@v5")),
        (".github/workflows/ci.yml", WORKFLOW, "a/b", "v2", ("sub@v1", "sub@v2")),
        (".github/workflows/ci.yml", WORKFLOW, "python", "3.12", ("python:3.11", "python:3.12")),
        ("flake.nix", FLAKE, "nixpkgs", "nixos-24.05", ("nixos-23.11", "nixos-24.05")),
        ("flake.nix", FLAKE, "utils", "v1.1", ("v1.0", "v1.1")),
        (".pre-commit-config.yaml", "- repo: https://github.com/psf/black\n  rev: 23.1.0\n", "black", "24.1.0", ("23.1.0", "24.1.0")),
        (".python-version", "3.11\n", "Python", "3.12", ("3.11", "3.12")),
        (".tool-versions", "nodejs 18.1.0\npython 3.11.2\n", "nodejs", "20.1.0", ("18.1.0", "20.1.0")),
        ("compose.yaml", "services:\n  db:\n    image: 'postgres:15.3'\n", "postgres", "16.1", ("15.3", "16.1")),
    ])  # fmt: skip
    def test_exact(self, path: str, text: str, name: str, version: str, tags: tuple[str, str]) -> None:
        """One tag is replaced, in its own style."""
        old, new = tags
        assert pinned_references.bump(path, text, name, version).text == text.replace(old, new, 1)

    def test_what_is_pinned_by_a_hash(self) -> None:
        """A digest and a commit need another one, which a number does not say."""
        with pytest.raises(ToolError, match="digest"):
            pinned_references.bump("Dockerfile", f"FROM python:3.11@sha256:{'a' * 64}\n", "python", "3.12")
        with pytest.raises(ToolError, match="commit"):
            pinned_references.bump(".github/workflows/a.yml", f"- uses: a/b@{'a' * 40}\n", "a/b", "v2")


class TestOwnVersion:
    """The version of the project itself."""

    @pytest.mark.parametrize(("path", "text"), [
        ("pyproject.toml", PYPROJECT), ("package.json", PACKAGE), ("Cargo.toml", CARGO), ("pom.xml", POM),
        ("src/app/__init__.py", '"""App."""\n__version__ = "1.3.0"\n'), ("VERSION", "1.3.0\n"),
        ("setup.py", "setup(\n    name='app',\n    version='1.3.0',\n)\n"),
    ])  # fmt: skip
    def test_place(self, path: str, text: str) -> None:
        """It is found where packages say it, and not among dependencies."""
        assert [text[start:end] for start, end in own_version.places(path, text)] == ["1.3.0"]

    def test_locks(self) -> None:
        """A lock file repeats it for the project alone."""
        lock = '[[package]]\nname = "app"\nversion = "1.3.0"\n\n[[package]]\nname = "other"\nversion = "1.3.0"\nsource = "r"\n'
        assert [lock[a:b] for a, b in own_version.lock_places("Cargo.lock", lock, {"app", "other"}, "1.3.0")] == [
            "1.3.0"
        ]

    def test_next(self) -> None:
        """The next one is counted by parts."""
        assert [next_version("1.9.3", part) for part in ("major", "minor", "patch")] == ["2.0.0", "1.10.0", "1.9.4"]
        with pytest.raises(ToolError):
            next_version("2024a", "minor")


class TestTexts:
    """Plain text, to the letter."""

    def test_words(self) -> None:
        """A typo is a whole word; without that any text is."""
        assert texts.replaced("teh tehran teh.", "teh", "the", whole=True) == ("the tehran the.", 2)
        assert texts.replaced("teh tehran", "teh", "the") == ("the theran", 2)
        assert texts.replaced("a.*b", ".*", r"\1") == (r"a\1b", 1)

    @pytest.mark.parametrize(("text", "line", "new", "old", "after"), [
        ("a\nb\nc\n", 2, "x", "b", "a\nx\nc\n"),
        ("a\nb\nc\n", 2, "", None, "a\nc\n"),
        ("b\na\nb\n", 3, "x", "b", "b\na\nx\n"),
        ("a\r\nb\r\n", 2, "x\ny", "b", "a\r\nx\r\ny\r\n"),
        ("a\n  b\nc\n", 0, "  x", "  b", "a\n  x\nc\n"),
        ("a\nb\n", 2, " x", " b", "a\nx\n"),
        ("a\nx\n", 2, "x", "b", "a\nx\n"),
    ])  # fmt: skip
    def test_lines(self, text: str, line: int, new: str, old: str | None, after: str) -> None:
        """A line that moved is found, line ends stay, and what is there already is left."""
        assert texts.line_replaced(text, line, new, old, "a") == after

    def test_lines_that_are_not_there(self) -> None:
        """A guess is no place."""
        for line, old in ((9, None), (0, "nope"), (0, "b")):
            with pytest.raises(ToolError):
                texts.line_replaced("a\nb\nb\n", line, "x", old, "a")

    def test_added_and_deleted(self) -> None:
        """Lines go where they were asked to, once."""
        assert texts.lines_added("a\nb", ("x",), "end", "", "p") == "a\nb\nx\n"
        assert texts.lines_added("a\nb\n", ("x",), "after", "a", "p") == "a\nx\nb\n"
        assert texts.lines_added("a\nb\n", ("x",), "top", "", "p") == "x\na\nb\n"
        assert texts.lines_added("a\nb\n", ("b",), "end", "", "p") == "a\nb\n"
        assert texts.lines_added("", ("x",), "end", "", "p") == "x\n"
        assert texts.lines_deleted("a\n  b\nc\n", ("b",), "p") == "a\nc\n"
        with pytest.raises(ToolError, match="2 times"):
            texts.lines_deleted("a\na\n", ("a",), "p")


def test_patches_are_read_by_their_counts() -> None:
    """A deleted line that looks like a head is a line; wrong counts and a mail's signature do no harm."""
    text = "mail\n--- a/x\n+++ b/x\n@@ -1,2 +1 @@\n-a\n--- b\n+c\n@@ -9 +8,9 @@\n-x\n+y\n-- \n2.40.1\n"
    (patch,) = patches.parse(text)
    assert [hunk.lines for hunk in patch.hunks] == [["-a", "--- b", "+c"], ["-x", "+y"]]
    assert patches.parse("nothing\n") == []


@pytest.mark.parametrize(
    "path", ["/a", "../a", "a/../../b", ".git/x", "a/.GIT/x", ".git./x", "git~1/x", "C:\\x", "~/x", ".git::$I/x"]
)
def test_paths_that_lead_out(path: str) -> None:
    """No path leads out of the tree or to git's own files, on any file system."""
    with pytest.raises(ToolError):
        patches.check_path(path)


@pytest.mark.parametrize(("before", "after"), [
    ("lane: app\npackages: []      # more\n", "lane: app\npackages: [gzip]      # more\n"),
    ("packages: [make, git]\n", "packages: [make, git, gzip]\n"),
    ("packages: [gzip]\n", "packages: [gzip]\n"),
    ("packages:\n  - make\n  # c\nlane: app\n", "packages:\n  - make\n  # c\n  - gzip\nlane: app\n"),
    ("packages:\nlane: app\n", "packages: [gzip]\nlane: app\n"),
    ("lane: app", "lane: app\npackages: [gzip]\n"),
])  # fmt: skip
def test_packages_are_added(before: str, after: str) -> None:
    """A program is added to a declaration as it is written; all else stays."""
    assert with_packages(before, ["gzip"]) == after


def test_formatters_by_configuration() -> None:
    """Only what the base branch configures is run, and of two that do the same the chosen one."""
    files = {
        "pyproject.toml": "[tool.black]\n[tool.ruff.lint]\n",
        "go.mod": "module x",
        "x.tf": "",
        ".clang-format": "",
    }
    found = [tool.name for tool in formatters.configured(files, lambda path: files.get(path, ""))]
    assert found == ["ruff", "black", "gofmt", "clang-format", "terraform fmt"]
    assert [tool.name for tool in formatters.configured(["ruff.toml"], lambda _: "")] == ["ruff", "ruff format"]
    assert formatters.configured(["package.json"], lambda _: '{"devDependencies": {"prettier": "^3"}}') == []
    assert formatters.configured(["node_modules/x/.prettierrc", "README.md"], lambda _: "") == []
    gofmt = next(tool for tool in formatters.FORMATTERS if tool.name == "gofmt")
    assert formatters.commands(gofmt, ["-a.go", "b c.go", "x.py"], (), fixes=True) == ["gofmt -w ./-a.go './b c.go'"]
    assert "network" in formatters.not_run([".pre-commit-config.yaml"])[0]
