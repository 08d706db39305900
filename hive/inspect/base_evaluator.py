"""Plans what another base of all containers would mean: what they gain and lose, and whether this host can make them. Changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from hive.config import BadYaml, Settings
from hive.config.base_yaml import FILE, NO_BASE, Base
from hive.git_mirror.mirror import Mirror
from hive.reconcile.base_file import base_at
from hive.reconcile.base_lock import lock_differences
from hive.reconcile.build import missing_of

STALE = "{file}: lock: {difference}; `hive base update` on the machine of the hive proposes it as it is"
REBUILDS = "the containers of all agents are rebuilt, one after another: the lead first, then each behind those that it depends on"
LOCKED = "every container gets what the host holds now of {names}"


@dataclass(frozen=True, slots=True)
class BaseEvaluator:
    """Compares bases; `lock` is what the packages of one are on this host, and may raise OSError."""

    lock: Callable[[Base], Mapping[str, str]]

    def evaluate(
        self, mirror: Mirror, old: str, new: str, settings: Settings
    ) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """What is wrong with the base of a tree, and what it changes beside another one, in sentences; raises GitError."""
        try:
            wanted = base_at(mirror, new)
        except BadYaml as error:
            return tuple(map(str, error.problems)), ()
        try:
            before = base_at(mirror, old)
        except BadYaml:  # what this change may fix
            before = NO_BASE
        if wanted.digest == before.digest:
            return (), ()
        problems = missing_of(wanted, settings.packages_path) or list(self._stale(wanted))
        return tuple(problems), tuple(_changes(before, wanted))

    def _stale(self, base: Base) -> Iterator[str]:
        """How a lock is not what this host holds; a base without one has none to be stale."""
        if not base.lock:
            return
        for difference in lock_differences(dict(base.lock), self.lock(base)):
            yield STALE.format(file=FILE, difference=difference)


def _changes(old: Base, new: Base) -> Iterator[str]:
    yield from (f"every container gets {name}" for name in new.packages if name not in old.packages)
    yield from (f"no container has {name} by the base any more" for name in old.packages if name not in new.packages)
    before, after = dict(old.env), dict(new.env)
    for key in sorted(before.keys() | after.keys()):
        if before.get(key) != after.get(key):
            yield f"the environment of all: {key} is {'set' if key in after else 'gone'}"
    locked, lock = dict(old.lock), dict(new.lock)
    if names := [name for name in sorted(lock) if name in locked and locked[name] != lock[name]]:
        yield LOCKED.format(names=", ".join(names))
    yield REBUILDS
