"""Which formatters and linters a repository configures, and the commands of their own fixes. Performs no I/O.

Only the base branch decides: a change cannot choose what runs on it.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

Read = Callable[[str], str]
"""A file of the base branch; empty if it is not there."""

AT_ONCE = 500
"""Files in one command."""

DEPENDENCIES = ("node_modules/", "vendor/", "third_party/", ".venv/")


@dataclass(frozen=True, slots=True)
class Formatter:
    """A tool: its program, how it is called, and by what it is configured.

    `words` are its commands, fixes of a linter last; `suffixes` are the files that it is given one by one, none for a tool
    that finds them itself below the paths. `configs` are patterns of files; `says` are patterns in files that say so.
    """

    name: str
    program: str
    layout: tuple[str, ...] = ()
    fixes: tuple[str, ...] = ()
    suffixes: tuple[str, ...] = ()
    configs: tuple[str, ...] = ()
    says: tuple[tuple[str, str], ...] = ()
    without: str = ""
    """Another tool that does the same if it is configured."""

    whole: bool = False
    """Whether it takes no paths."""


FORMATTERS = (
    Formatter(
        "ruff", "ruff", fixes=("ruff check --fix-only --exit-zero",),
        configs=("ruff.toml", ".ruff.toml"), says=(("pyproject.toml", r"(?m)^\[tool\.ruff[\].]"),),
    ),
    Formatter("isort", "isort", ("isort --quiet",), configs=(".isort.cfg",), says=(
        ("pyproject.toml", r"(?m)^\[tool\.isort\]"), ("setup.cfg", r"(?m)^\[(?:tool:)?isort\]"),
    )),
    Formatter("black", "black", ("black --quiet",), says=(("pyproject.toml", r"(?m)^\[tool\.black\]"),)),
    Formatter(
        "ruff format", "ruff", ("ruff format --quiet",), without="black",
        configs=("ruff.toml", ".ruff.toml"), says=(("pyproject.toml", r"(?m)^\[tool\.ruff[\].]"),),
    ),
    Formatter("eslint", "eslint", fixes=("eslint --fix --no-error-on-unmatched-pattern",), configs=(
        "eslint.config.*", ".eslintrc", ".eslintrc.*",
    ), says=(("package.json", r"\"eslintConfig\"\s*:"),)),
    Formatter("prettier", "prettier", ("prettier --write --ignore-unknown --log-level warn",), configs=(
        ".prettierrc", ".prettierrc.*", "prettier.config.*",
    ), says=(("package.json", r"\"prettier\"\s*:\s*[{\"]\s*(?![\^~\d])"),)),
    Formatter("goimports", "goimports", ("goimports -w",), suffixes=(".go",), says=(
        (".golangci.yml", r"\bgoimports\b"), (".golangci.yaml", r"\bgoimports\b"), (".pre-commit-config.yaml", r"\bgoimports\b"),
    )),
    Formatter("gofmt", "gofmt", ("gofmt -w",), suffixes=(".go",), configs=("go.mod", "*/go.mod")),
    Formatter("cargo fmt", "cargo", ("cargo fmt --all",), configs=("Cargo.toml",), whole=True),
    Formatter("shfmt", "shfmt", ("shfmt -w",), suffixes=(".sh", ".bash"), says=(
        (".pre-commit-config.yaml", r"\bshfmt\b"), (".editorconfig", r"(?m)^\s*(?:shell_variant|switch_case_indent|binary_next_line)\s*="),
        ("treefmt.toml", r"\bshfmt\b"), ("Makefile", r"\bshfmt\b"),
    )),
    Formatter("clang-format", "clang-format", ("clang-format -i",), suffixes=(
        ".c", ".cc", ".cpp", ".cxx", ".h", ".hh", ".hpp", ".hxx", ".m", ".mm", ".proto",
    ), configs=(".clang-format", "_clang-format")),
    Formatter("nixfmt", "nixfmt", ("nixfmt",), suffixes=(".nix",), says=(
        ("flake.nix", r"\bnixfmt\b"), ("treefmt.toml", r"\bnixfmt\b"), (".pre-commit-config.yaml", r"\bnixfmt\b"),
    )),
    Formatter("alejandra", "alejandra", ("alejandra --quiet",), suffixes=(".nix",), says=(
        ("flake.nix", r"\balejandra\b"), ("treefmt.toml", r"\balejandra\b"), (".pre-commit-config.yaml", r"\balejandra\b"),
    )),
    Formatter("terraform fmt", "terraform", ("terraform fmt",), suffixes=(".tf",), configs=("*.tf",)),
)  # fmt: skip
"""All that are known; linters before formatters, since their fixes leave the layout to these."""

ALIASES = {"ruff": ("ruff", "ruff format"), "ruff check": ("ruff",), "rustfmt": ("cargo fmt",)}
OTHERS = {
    "pre-commit": (".pre-commit-config.yaml", "it fetches its hooks over a network, and I have none"),
    "treefmt": ("treefmt.toml", "I run the formatters that I know instead"),
    "golangci-lint": (".golangci.y*ml", "it has no fixes that I trust without a look"),
    "rubocop": (".rubocop.yml", "I do not know its fixes"),
    "biome": ("biome.json*", "I do not know it"),
}
"""Tools that are not run, by the file that configures them, and why."""


def configured(paths: Iterable[str], read: Read) -> list[Formatter]:
    """The tools that a repository configures, in the order of their work."""
    every = [path for path in paths if not path.startswith(DEPENDENCIES)]
    found = [tool for tool in FORMATTERS if _is_configured(tool, every, read)]
    names = {tool.name for tool in found}
    return [tool for tool in found if not tool.without or tool.without not in names]


def not_run(paths: Iterable[str]) -> list[str]:
    """What a repository configures beside them, and why it is not run."""
    top = [path for path in paths if "/" not in path]
    return [
        f"`{name}`: {why}" for name, (config, why) in OTHERS.items() if any(fnmatchcase(path, config) for path in top)
    ]


def named(tools: Iterable[str]) -> set[str]:
    """The names of tools that people mean by theirs."""
    return {name for tool in tools for name in ALIASES.get(tool, (tool,))}


def commands(tool: Formatter, files: Iterable[str], paths: tuple[str, ...], *, fixes: bool) -> list[str]:
    """The commands of a tool on `paths`, all for none; `files` are the tracked ones below these."""
    words = [*(tool.fixes if fixes else ()), *tool.layout]
    if tool.whole:
        return words
    if not tool.suffixes:
        return [f"{each} -- {_quoted(paths or ('.',))}" for each in words]
    mine = [path for path in files if path.endswith(tool.suffixes) and not path.startswith(DEPENDENCIES)]
    chunks = [mine[at : at + AT_ONCE] for at in range(0, len(mine), AT_ONCE)]
    return [f"{each} {_quoted(f'./{path}' for path in chunk)}" for each in words for chunk in chunks]


def _is_configured(tool: Formatter, paths: list[str], read: Read) -> bool:
    if any(fnmatchcase(path, pattern) for pattern in tool.configs for path in paths):
        return True
    there = set(paths)
    return any(path in there and re.search(pattern, read(path)) for path, pattern in tool.says)


def _quoted(paths: Iterable[str]) -> str:
    return " ".join(shlex.quote(path) for path in paths)
