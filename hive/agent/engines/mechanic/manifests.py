"""Sets the version of a dependency where packages declare it: minimal edits that keep the layout. Performs no I/O."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from hive.agent.engines.mechanic.versions import raised
from hive.agent.errors import ToolError

HASHED = "`{name}` is pinned with hashes in `{path}`: the file has to be compiled again"
UNPINNED = "`{name}` takes any version in `{path}`"


@dataclass(slots=True)
class Bumped:
    """A manifest with a version replaced: its text, what was changed by line, and where it says so already."""

    text: str
    changes: list[tuple[int, str, str]] = field(default_factory=list)
    same: list[int] = field(default_factory=list)


Reader = Callable[[str, str, str], Iterator[tuple[int, int, str]]]
"""Finds a dependency in a text: where its range stands, from and to, and what should stand there.

It is given the path, the text and the name; it yields the span and how it is written (`spec`, `plain`).
"""


def normal(name: str) -> str:
    """A name of a package as indexes compare them."""
    return re.sub(r"[-_.]+", "-", name).lower()


def bump(path: str, text: str, name: str, version: str) -> Bumped:
    """Set the version of a dependency in a manifest; nothing is changed where it does not name it. Raises ToolError."""
    bumped = Bumped(text)
    found: list[tuple[int, int, str]] = []
    for pattern, reader in READERS:
        if fnmatchcase(path.rpartition("/")[2], pattern) or fnmatchcase(path, pattern):
            found += reader(path, text, name)
    spans = sorted({(start, end): how for start, end, how in found}.items(), reverse=True)
    for (start, end), how in spans:
        old = text[start:end]
        new = version if how == "plain" else raised(old, version, name)
        line = text.count("\n", 0, start) + 1
        if new == old:
            bumped.same.append(line)
        else:
            bumped.text = bumped.text[:start] + new + bumped.text[end:]
            bumped.changes.insert(0, (line, old.strip(), new.strip()))
    return bumped


_RANGE = r"(?:===|==|~=|>=|<=|!=|>|<)[ \t]*[^;#\"'\n\\ ,]+"
_REQUIREMENT = re.compile(
    rf"(?P<name>[A-Za-z0-9][\w.-]*)[ \t]*(?:\[[^\]\n]*\])?(?P<spec>[ \t]*{_RANGE}(?:[ \t]*,[ \t]*{_RANGE})*)?"
)


def _requirements(path: str, text: str, name: str) -> Iterator[tuple[int, int, str]]:
    for line in re.finditer(r"^[ \t]*(?![-#])(?P<body>[^\n]+)", text, re.MULTILINE):
        fits = _REQUIREMENT.match(text, line.start("body"), line.end())
        if fits is None or normal(fits["name"]) != normal(name) or "://" in line["body"]:
            continue
        following = text[line.start() : line.start() + 5_000]
        if "--hash" in re.split(r"(?<!\\)\n", following, maxsplit=1)[0]:
            raise ToolError(HASHED.format(name=name, path=path))
        if fits["spec"] is None:
            raise ToolError(UNPINNED.format(name=name, path=path))
        yield *fits.span("spec"), "spec"


def _quoted_requirements(path: str, text: str, name: str) -> Iterator[tuple[int, int, str]]:
    """Requirements as strings: `"requests[security]>=2.28; python_version < '3.9'"`."""
    for string in re.finditer(r"([\"'])(?P<body>[A-Za-z0-9][^\"'\n]{0,300})", text):
        fits = _REQUIREMENT.match(text, string.start("body"), string.end())
        if fits is not None and fits["spec"] is not None and normal(fits["name"]) == normal(name):
            yield *fits.span("spec"), "spec"


def _toml_tables(path: str, text: str, name: str) -> Iterator[tuple[int, int, str]]:
    """`name = "^1.2"`, `name = { version = "1.2" }` and `[dependencies.name]`, within tables of dependencies."""
    table = ""
    offset = 0
    for line in text.split("\n"):
        head = re.match(r"\[{1,2}([^\]]+)\]", line)
        table = head[1].strip() if head else table
        owner, _, last = table.rpartition(".")
        key = re.match(r"[ \t]*[\"']?(?P<key>[\w.-]+)[\"']?[ \t]*=[ \t]*(?P<rest>.*)", line)
        if key is not None and not head:
            is_mine = _is_dependencies(table) and normal(key["key"]) == normal(name)
            in_own_table = (
                _is_dependencies(owner) and normal(last.strip("\"'")) == normal(name) and key["key"] == "version"
            )
            if is_mine or in_own_table:
                yield from _toml_value(key["rest"], offset + key.start("rest"))
        offset += len(line) + 1


def _is_dependencies(table: str) -> bool:
    last = table.rpartition(".")[2].strip("\"'")
    return last.endswith("dependencies") or last in {"packages", "dev-packages", "requires"} or ".dependencies" in table


def _toml_value(rest: str, offset: int) -> Iterator[tuple[int, int, str]]:
    plain = re.match(r"[\"'](?P<spec>[^\"'\n]*)[\"']", rest)
    inner = re.match(r"\{[^}\n]*?\bversion[ \t]*=[ \t]*[\"'](?P<spec>[^\"'\n]*)[\"']", rest)
    fits = plain or inner
    if fits is not None:
        yield offset + fits.start("spec"), offset + fits.end("spec"), "spec"


def _package_json(path: str, text: str, name: str) -> Iterator[tuple[int, int, str]]:
    blocks = r"\"(?:dependencies|devDependencies|peerDependencies|optionalDependencies|overrides|resolutions)\"\s*:\s*\{(?P<body>[^{}]*)\}"
    for block in re.finditer(blocks, text):
        entry = re.compile(rf"\"{re.escape(name)}\"\s*:\s*\"(?P<spec>[^\"\n]*)\"")
        for fits in entry.finditer(text, block.start("body"), block.end("body")):
            if re.match(r"(?:[a-z+]+:|\.|/|github:)", fits["spec"]):
                raise ToolError(f"`{name}` comes from `{fits['spec'][:80]}`, not from the registry")
            yield *fits.span("spec"), "spec"


def _go_mod(path: str, text: str, name: str) -> Iterator[tuple[int, int, str]]:
    if name.lower() == "go":
        for fits in re.finditer(r"^go (?P<spec>\d[\w.]*)", text, re.MULTILINE):
            yield *fits.span("spec"), "spec"
        return
    every = [
        *re.finditer(
            r"^[ \t]*(?:require[ \t]+)?(?P<module>[\w.~-]+(?:/[\w.~-]+)+)[ \t]+(?P<spec>v[\w.+-]+)", text, re.MULTILINE
        )
    ]
    exact = [fits for fits in every if fits["module"] == name]
    for fits in exact or [
        fits for fits in every if re.fullmatch(rf"(?:.+/)?{re.escape(name)}(?:/v\d+)?", fits["module"])
    ]:
        yield *fits.span("spec"), "spec"


def _gemfile(path: str, text: str, name: str) -> Iterator[tuple[int, int, str]]:
    for fits in re.finditer(
        rf"^[ \t]*gem[ \t]+[\"']{re.escape(name)}[\"'],[ \t]*[\"'](?P<spec>[^\"'\n]*)[\"']", text, re.MULTILINE
    ):
        yield *fits.span("spec"), "spec"


def _gradle(path: str, text: str, name: str) -> Iterator[tuple[int, int, str]]:
    group, _, artifact = name.rpartition(":")
    before = rf"{re.escape(group)}:" if group else r"[\w.-]+:"
    for fits in re.finditer(rf"[\"']{before}{re.escape(artifact)}:(?P<spec>[\w.+-]+)[\"'@:]", text):
        yield *fits.span("spec"), "spec"


def _pom(path: str, text: str, name: str) -> Iterator[tuple[int, int, str]]:
    artifact = name.rpartition(":")[2]
    for block in re.finditer(r"<(dependency|plugin|parent|extension)>(?P<body>.{0,4000}?)</\1>", text, re.DOTALL):
        if not re.search(rf"<artifactId>\s*{re.escape(artifact)}\s*</artifactId>", block["body"]):
            continue
        version = re.search(r"<version>\s*(?P<spec>[^<\s]+)\s*</version>", block["body"])
        if version is None:
            continue
        named = re.fullmatch(r"\$\{([\w.-]+)\}", version["spec"])
        if named is None:
            start = block.start("body")
            yield start + version.start("spec"), start + version.end("spec"), "spec"
            continue
        for fits in re.finditer(rf"<{re.escape(named[1])}>\s*(?P<spec>[^<\s]+)\s*</{re.escape(named[1])}>", text):
            yield *fits.span("spec"), "spec"


READERS: tuple[tuple[str, Reader], ...] = (
    ("*requirements*.txt", _requirements),
    ("*requirements*.in", _requirements),
    ("requirements/*.txt", _requirements),
    ("constraints*.txt", _requirements),
    ("pyproject.toml", _quoted_requirements),
    ("pyproject.toml", _toml_tables),
    ("setup.py", _quoted_requirements),
    ("setup.cfg", _requirements),
    ("tox.ini", _requirements),
    ("Pipfile", _toml_tables),
    ("package.json", _package_json),
    ("Cargo.toml", _toml_tables),
    ("go.mod", _go_mod),
    ("Gemfile", _gemfile),
    ("*.gradle", _gradle),
    ("*.gradle.kts", _gradle),
    ("pom.xml", _pom),
)
"""How each manifest is read, by a pattern of its name."""

LOCKS: tuple[tuple[str, str, str], ...] = (
    ("poetry.lock", "pyproject.toml", "poetry lock"),
    ("uv.lock", "pyproject.toml", "uv lock"),
    ("pdm.lock", "pyproject.toml", "pdm lock"),
    ("Pipfile.lock", "Pipfile", "pipenv lock"),
    ("package-lock.json", "package.json", "npm install --package-lock-only"),
    ("npm-shrinkwrap.json", "package.json", "npm shrinkwrap"),
    ("yarn.lock", "package.json", "yarn install"),
    ("pnpm-lock.yaml", "package.json", "pnpm install --lockfile-only"),
    ("bun.lock", "package.json", "bun install"),
    ("bun.lockb", "package.json", "bun install"),
    ("Cargo.lock", "Cargo.toml", "cargo update -w"),
    ("go.sum", "go.mod", "go mod tidy"),
    ("Gemfile.lock", "Gemfile", "bundle lock"),
    ("flake.lock", "flake.nix", "nix flake lock"),
)
"""Lock files, what they lock, and the command that writes them again: they hold hashes that only a network knows."""


def stale_locks(changed: set[str], every: set[str]) -> list[tuple[str, str]]:
    """The lock files beside changed manifests, or above them, and how to write each again."""
    found = []
    for lock, manifest, command in LOCKS:
        for path in sorted(path for path in every if path.rpartition("/")[2] == lock):
            folder = path.rpartition("/")[0]
            mine = [each for each in changed if each.rpartition("/")[2] == manifest]
            if any(not folder or each.startswith(f"{folder}/") for each in mine):
                found.append((path, command))
    return found
