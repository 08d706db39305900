"""Agents that a merged roster removed: their containers go, and what they learned stays until it is purged.

Level-triggered from the ledger: killed at any point, the next pass does the rest. Runs in the process of the host.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from bots.intents import EndRun, PostComment
from bots.models import AGENT_NAME
from forge.models import Ref
from hive.agent.directory_trees import remove_path, remove_tree
from hive.app.garbage import in_bytes, size_of
from hive.instance.instance import Instance
from hive.ledger import Act, Tombstone
from hive.outbox.enqueue import enqueue
from hive.outbox.incidents import IncidentReporter
from hive.reconcile.agent_dirs import AgentDirs
from hive.secret_store import AccountSecrets

log = logging.getLogger("hive.app.departures")

BY = "host"
OUTCOME = "agent destroyed"
RUN_ENDED = "⚰️ {agent} was taken off the roster, so its run here has ended. Branches and pull requests stay; assign somebody else to go on."
TITLE = "⚰️ {agent} was destroyed"
BODY = """\
A merged pull request took {agent} off the roster of {team} on {when}. Its container is gone.

Kept on the machine of the hive: its notes ({size}), and {credentials}. Its account and its repository on this forge stay, too.

- `/revive {agent}` proposes that it returns, with all of that: an operator merges the proposal.
- `/purge {agent} confirm`, written twice by operators, deletes its notes and credentials for ever.
"""
RETURNED = "🌱 {agent} is back on the roster."
PURGED = "What {agent} left is deleted: its notes, its credentials, and what the hive remembered of its configuration. The name is free."


@dataclass
class Departures:
    """Sees destroyed agents off, and deletes what they left once operators have said so twice."""

    instance: Instance
    incidents: IncidentReporter
    forget: Callable[[AgentDirs], None] = lambda _: None
    _gone: set[str] = field(default_factory=set)

    def tend(self, living: set[str]) -> None:
        """Do what is left to do for agents that are off the roster; none of them has a container any more.

        `living` are the agents on it, none of whom is touched. Raises OSError, and errors of the ledger.
        """
        for tombstone in self.instance.ledger.rosters.tombstones():
            if tombstone.agent in living or not AGENT_NAME.fullmatch(tombstone.agent):
                continue
            if tombstone.purge_confirmed_at is not None:
                self._purge(tombstone)
            elif tombstone.agent not in self._gone:
                self._see_off(tombstone)
                self._gone.add(tombstone.agent)
        for agent in living & self._gone:
            self._gone.discard(agent)

    def welcome(self, team: str, agent: str) -> None:
        """Close the issue about an agent that has returned."""
        self.incidents.end(team, _subject(agent), RETURNED.format(agent=agent))

    def _see_off(self, tombstone: Tombstone) -> None:
        agent, team, ledger = tombstone.agent, tombstone.team, self.instance.ledger
        with ledger.transaction():
            ledger.runs.release(agent, refund=True, first=True)
            for run, ref in ledger.rosters.open_runs(agent):
                self._end_run(team, agent, run, ref)
        root = self.instance.agents / agent
        dirs = AgentDirs(agent, root)
        try:
            self.forget(dirs)
        except OSError as error:  # the next host tries again
            log.warning("not_forgotten agent=%s error=%r", agent, str(error)[:200])
        for path in (dirs.current, dirs.gens, dirs.sockets):
            remove_path(path)
        when = datetime.fromtimestamp(tombstone.destroyed_at, UTC).strftime("%Y-%m-%d %H:%M UTC")
        facts = {"size": in_bytes(size_of(dirs.state)), "credentials": self._secrets(team, agent), "when": when}
        body = BODY.format(agent=agent, team=team, **facts).strip()
        if self.incidents.begin(team, _subject(agent), TITLE.format(agent=agent), body):
            ledger.audit.add("host", Act.AGENT_DESTROYED, team=team, agent=agent)
            log.warning("agent_destroyed agent=%s", agent)

    def _end_run(self, team: str, agent: str, run: int, ref: str) -> None:
        ledger, core = self.instance.ledger, self.instance.settings.account("core")
        key = f"destroyed:{agent}:{run}"
        enqueue(ledger, team, core, EndRun(run, OUTCOME, key=key), by=BY)
        enqueue(ledger, team, core, PostComment(Ref.parse(ref), RUN_ENDED.format(agent=agent), key=key), by=BY)

    def _purge(self, tombstone: Tombstone) -> None:
        """Delete what an agent left; its row goes last, so that a killed host goes on here."""
        agent, team, ledger = tombstone.agent, tombstone.team, self.instance.ledger
        root = self.instance.agents / agent
        with contextlib.suppress(FileNotFoundError):
            _remove(root)
        self._secrets(team, agent).delete()
        with ledger.transaction():
            ledger.deployments.forget(agent)
            ledger.rosters.unbury(agent)
            self.incidents.end(team, _subject(agent), PURGED.format(agent=agent))
            ledger.audit.add("host", Act.AGENT_PURGED, team=team, agent=agent)
        self._gone.discard(agent)
        log.warning("agent_purged agent=%s", agent)

    def _secrets(self, team: str, agent: str) -> AccountSecrets:
        return self.instance.secret_store.of_account(self.instance.settings.teams[team].forge, agent)


def _remove(root: Path) -> None:
    """Remove an agent's directory, whatever the agent has put into it."""
    if root.is_symlink():
        root.unlink()
    else:
        remove_tree(root)


def _subject(agent: str) -> str:
    return f"destroyed:{agent}"
