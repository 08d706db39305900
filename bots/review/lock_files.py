"""Files that a program writes: what is in them was decided elsewhere. Performs no I/O."""

from __future__ import annotations

from collections.abc import Iterable

NAMES = frozenset(
    {
        *("Cargo.lock", "Gemfile.lock", "Pipfile.lock", "bun.lock", "bun.lockb", "composer.lock", "deno.lock"),
        *("flake.lock", "go.sum", "gradle.lockfile", "mix.lock", "npm-shrinkwrap.json", "package-lock.json"),
        *("packages.lock.json", "pdm.lock", "pnpm-lock.yaml", "poetry.lock", "pubspec.lock", "pylock.toml"),
        *("requirements.lock", "uv.lock", "yarn.lock"),
    }
)
"""Names of lock files."""


def are_lock_files(paths: Iterable[str]) -> bool:
    """Whether each of these files is one."""
    return all(path.rpartition("/")[2] in NAMES for path in paths)
