"""Drift: what runs is no longer what its commit makes on this host, because the host has changed since it was built.

A container's commands are links to this host's programs: one that was upgraded or removed leaves links to what is not
there any more, and nothing that an operator merged says so.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hive.git_mirror.mirror import GitError, Mirror
from hive.ledger import Generation, Ledger
from hive.reconcile.build import SETTINGS, BuildFailed, Plan, settings
from hive.reconcile.containers import Containers
from hive.reconcile.planner import Planner

log = logging.getLogger("hive.reconcile.drift")

GONE = "{name}: the container has {old}, and its commit makes none here"
NEW = "{name}: its commit makes {new}, and the container has none"
OTHER = "{name}: the container has {old}, and its commit makes {new}"
UNREADABLE = "agent.json cannot be read: {why}"
SETTING = "{key} of agent.json is not what the commit says"


@dataclass(frozen=True, slots=True)
class Drift:
    """The drift of the containers of one host."""

    ledger: Ledger
    containers: Containers
    planner: Planner

    def of(self, agent: str, mirror: Callable[[], Mirror], branch: str) -> tuple[str, ...] | None:
        """What runs otherwise than its commit makes on this host now, in sentences; None if that cannot be told.

        Raises OSError for errors of its directories, and errors of the ledger.
        """
        running, baseline = self.containers.running(agent), self.ledger.deployments.baseline(agent)
        if not running or baseline is None or running != baseline.generation:
            return None
        if self.ledger.deployments.is_under_way(agent):
            return None
        try:
            made = self.planner.plan(agent, mirror(), branch, baseline.generation)
        except BuildFailed as error:
            return error.problems
        except GitError:
            return None
        return differences(made, running, self._artifact(agent, running))

    def discard(self, agent: str, mirror: Callable[[], Mirror], branch: str, sha: Generation) -> None:
        """Take away an artifact that has drifted, so that its commit is built at its next start; one that cannot be built here stays."""
        artifact = self._artifact(agent, sha)
        try:
            made = self.planner.plan(agent, mirror(), branch, sha)
        except (BuildFailed, GitError) as error:
            log.warning("not_rebuilt agent=%s error=%r", agent, str(error)[:300])
            return
        if artifact.exists() and differences(made, sha, artifact):
            old = artifact.with_name(f".{sha}.old")
            shutil.rmtree(old, ignore_errors=True)
            artifact.rename(old)
            shutil.rmtree(old, ignore_errors=True)

    def _artifact(self, agent: str, sha: str) -> Path:
        return self.containers.dirs(agent).gens / sha


def differences(made: Plan, sha: str, artifact: Path) -> tuple[str, ...]:
    """What an artifact has otherwise than its commit makes on this host now, in sentences; empty if nothing."""
    wanted, there = dict(made.commands), links(artifact / "bin")
    said = []
    for name in sorted(wanted.keys() | there.keys()):
        old, new = there.get(name, ""), wanted.get(name, "")
        if old != new:
            said.append((GONE if not new else OTHER if old else NEW).format(name=name, old=old, new=new))
    try:
        known: dict[str, Any] = json.loads((artifact / SETTINGS).read_bytes())
    except (OSError, ValueError) as error:
        return (*said, UNREADABLE.format(why=error))
    # A key that only one of both has is one that an update of the hive brought or took.
    mine: dict[str, Any] = json.loads(json.dumps(settings(made, sha)))
    return (*said, *(SETTING.format(key=key) for key in sorted(mine.keys() & known.keys()) if mine[key] != known[key]))


def links(folder: Path) -> dict[str, str]:
    """The links in a folder and where they lead; anything else there leads to itself."""
    try:
        entries = list(os.scandir(folder))
    except OSError:
        return {}
    return {entry.name: str(Path(entry.path).readlink()) if entry.is_symlink() else entry.path for entry in entries}
