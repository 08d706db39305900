"""A build of what a container needs, which may take minutes: beside the reconciler, which looks at it in each of its turns."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from hive.git_mirror.errors import GitError
from hive.reconcile.build import BuildFailed


class SystemBuild(threading.Thread):
    """A build that goes on beside the reconciler, which looks at it in each of its turns."""

    def __init__(self, make: Callable[[], Path]) -> None:
        super().__init__(name="build", daemon=True)
        self._make = make
        self._error: BuildFailed | GitError | OSError | None = None

    def run(self) -> None:
        """Build; what it fails with is kept."""
        try:
            self._make()
        except (BuildFailed, GitError, OSError) as error:
            self._error = error

    def is_done(self) -> bool:
        """Whether it has ended well; raises what it failed with."""
        if self.is_alive():
            return False
        if self._error is not None:
            raise self._error
        return True
