"""The backends of this machine, each looked for once, and only by tests that want it."""

from __future__ import annotations

from functools import cache

import pytest

from hive.reconcile.backends import BACKENDS, Backend, look_for

EVERY = tuple(BACKENDS)
CONTAINED = tuple(name for name in BACKENDS if name != "none")


@cache
def found(name: str) -> tuple[Backend | None, str]:
    """A backend, or why there is none."""
    return look_for(name)


def everyday() -> str:
    """The kind of container of most tests, by its name: that of a demo."""
    return "bubblewrap" if found("bubblewrap")[0] is not None else "none"


def wanted(name: str) -> Backend:
    """A backend; skips the test, visibly, where it cannot be had."""
    backend, why = found(name)
    if backend is None:
        pytest.skip(f"no {name} here: {why}")
    return backend
