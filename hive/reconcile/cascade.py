"""The base update: all containers of a forge are rebuilt on another base, one after another, and failures are isolated.

Level-triggered from rows, so that a host that is killed goes on where it was. One container at a time is switched; what comes
next is built meanwhile. How each of them went is what its deployment says, which the reconciler performs like any other.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from bots.intents import SetStatus
from bots.models import Role
from forge.models import CommitStatus, Ref, Repo, State
from hive.ledger import Act, Cascade, CascadeStep, Ledger, StepState
from hive.outbox.actions import Action, CommitFile, CreateTag, ShowCascade
from hive.outbox.enqueue import enqueue
from hive.reconcile.agent_dirs import AgentDirs
from hive.reconcile.build import SETTINGS
from hive.reconcile.holds import Holds
from hive.reconcile.rebuild_order import rebuild_order
from hive.reconcile.report import CONTEXT, LOG

log = logging.getLogger("hive.reconcile.cascade")

SHOW_SECONDS = 2.0
"""How often the comment is edited at the most."""

UNDER_WAY = "🟡 containers are rebuilt, one after another"
LEFT = "it left the roster"
NO_CONTAINER = "it has no container yet"
HAS_IT = "it runs on this base"
WITH_ITS_OWN = "it comes with its own change, which waits"
FAILED = "{failed} of {all} containers could not be rebuilt and go on as they were: {names}"


@dataclass(frozen=True, slots=True)
class CascadeTurn:
    """Whose container is rebuilt now, and whose is built on a base meanwhile; empty for nobody."""

    agent: str = ""
    ahead: str = ""
    base: str = ""


NOBODY = CascadeTurn()


@dataclass(frozen=True, slots=True)
class CascadeRunner:
    """The cascades of one host, reported as `account`; `dirs` are the directories of an agent, `meta` the hive's repository on a forge."""

    ledger: Ledger
    account: str
    meta: Callable[[str], Repo]
    dirs: Callable[[str], AgentDirs]
    holds: Holds

    def keep(self, agents: Mapping[str, str]) -> CascadeTurn:
        """Go on with what is open: plan it, begin with the next container, end it. `agents` are those that this host keeps, and their forges.

        Raises OSError for errors of directories, and errors of the ledger.
        """
        for cascade in self.ledger.cascades.open():
            mine = [agent for agent, forge in agents.items() if forge == cascade.forge]
            turn = self._step(cascade, mine)
            if turn.agent:
                return turn
        return NOBODY

    def _step(self, cascade: Cascade, mine: list[str]) -> CascadeTurn:
        if not cascade.is_planned:
            self.ledger.cascades.plan(cascade, self._order(mine))
        steps = self.ledger.cascades.steps(cascade.id)
        turn = self._turn(cascade, steps, mine)
        if not turn.agent and not any(step.is_queued for step in steps):
            self._end(cascade, steps)
            return NOBODY
        self._show(cascade, steps)
        return turn

    def _turn(self, cascade: Cascade, steps: list[CascadeStep], mine: Iterable[str]) -> CascadeTurn:
        """The container that is rebuilt now: the one that is, or else the first that may be."""
        queued = [step for step in steps if step.is_queued]
        for step in steps:
            if step.is_under_way:
                return CascadeTurn(step.agent, queued[0].agent if queued else "", cascade.base)
        frozen = self.holds.frozen() if cascade.pulls else None
        for number, step in enumerate(queued):
            if frozen is not None and step.state is not StepState.RELEASED:
                self._wait(cascade, step, frozen.why)
            elif self._begin(cascade, step, step.agent in mine):
                return CascadeTurn(step.agent, next((each.agent for each in queued[number + 1 :]), ""), cascade.base)
        return NOBODY

    def _begin(self, cascade: Cascade, step: CascadeStep, is_mine: bool) -> bool:
        """Begin with a container; False if there is nothing to do for now, or at all."""
        deployments, mark = self.ledger.deployments, self.ledger.cascades.mark
        with self.ledger.transaction():
            baseline, current = deployments.baseline(step.agent), deployments.current(step.agent)
            if not is_mine or baseline is None:
                mark(cascade, step.agent, StepState.GONE, why=LEFT)
            elif current is not None and current.is_waiting:
                self.ledger.cascades.join(cascade, step.agent, current, WITH_ITS_OWN)
            elif current is not None:  # it is over soon, and brought the base along if it began with it
                return True
            elif not baseline.running_sha:
                mark(cascade, step.agent, StepState.GONE, why=NO_CONTAINER)
            elif baseline.running_base == cascade.base:
                mark(cascade, step.agent, StepState.UNNEEDED, why=HAS_IT)
            elif (hold := self.holds.of_agent(baseline.team, step.agent)) is not None:
                self._wait(cascade, step, hold.why)
            else:
                self._announce(cascade)
                self.ledger.cascades.start(cascade, baseline)
                log.info("rebuild agent=%s base=%s", step.agent, cascade.base[:12])
                return True
        return False

    def _announce(self, cascade: Cascade) -> None:
        """Tag what begins to be rolled out, and show that it is on its way; said twice, it is once."""
        repo, key = self.meta(cascade.forge), f"building:{cascade.id}"
        self._set_status(cascade, State.PENDING, UNDER_WAY, key)
        if cascade.pulls:
            name = f"building/{cascade.pulls[-1]}"
            self._enqueue(cascade, CreateTag(repo, name, cascade.sha, f"base of {cascade.sha[:12]}", key=key))

    def _set_status(self, cascade: Cascade, state: State, text: str, key: str) -> None:
        status = CommitStatus(CONTEXT, state, text)
        self._enqueue(cascade, SetStatus(self.meta(cascade.forge), cascade.sha, status, key=f"status:{key}"))

    def _wait(self, cascade: Cascade, step: CascadeStep, why: str) -> None:
        if step.why != why[:300]:
            self.ledger.cascades.mark(cascade, step.agent, step.state, why=why)

    def _order(self, agents: list[str]) -> list[str]:
        """Who has a container, in the order in which it is rebuilt, by what those that run say of themselves."""
        leads, needs = [], {}
        able = [agent for agent in agents if (each := self.ledger.deployments.baseline(agent)) and each.running_sha]
        for agent in able:
            said = self._settings(agent)
            needs[agent] = [str(each) for each in said.get("depends_on", ())]
            if said.get("role") == Role.LEAD:
                leads.append(agent)
        return rebuild_order(able, leads or able[:1], needs)

    def _settings(self, agent: str) -> Mapping[str, Any]:
        """What the artifact of an agent says of it; nothing if it cannot be read."""
        try:
            said = json.loads((self.dirs(agent).current / SETTINGS).read_bytes())
        except (OSError, ValueError):
            return {}
        return said if isinstance(said, dict) else {}

    def _show(self, cascade: Cascade, steps: list[CascadeStep], *, at_once: bool = False) -> None:
        """Have the comment edited if it would say something else, and not all the time."""
        facts = [[step.agent, step.state, step.why, step.has_failed, step.ended_at] for step in steps]
        digest = hashlib.sha256(json.dumps([facts, at_once]).encode()).hexdigest()[:16]
        is_early = self.ledger.clock() < cascade.shown_at + SHOW_SECONDS and not at_once
        if not cascade.pulls or digest == cascade.shown or is_early:
            return
        with self.ledger.transaction():
            number = self.ledger.cascades.to_show(cascade, digest)
            ref = Ref(self.meta(cascade.forge), cascade.pulls[-1])
            action = ShowCascade(ref, cascade.id, key=f"{cascade.id}:{number}")
            self._enqueue(cascade, action)

    def _end(self, cascade: Cascade, steps: list[CascadeStep]) -> None:
        """Nothing is left to do: say what came of it."""
        repo, failed = self.meta(cascade.forge), [step.agent for step in steps if step.has_failed]
        key = f"{cascade.id}:{max((step.attempt for step in steps), default=0)}"
        number = f"{cascade.pulls[-1]}" if cascade.pulls else cascade.sha[:12]
        tag = f"failed/{number}" if failed else f"deployed/{number}" if cascade.pulls else f"adopted/{number}"
        why = FAILED.format(failed=len(failed), all=len(steps), names=", ".join(failed))
        line = why if failed else f"deploy base {tag} {cascade.sha[:12]}"
        with self.ledger.transaction():
            self.ledger.cascades.end(cascade)
            self._show(cascade, steps, at_once=True)
            self._enqueue(cascade, CreateTag(repo, tag, cascade.sha, line, key=f"tag:{key}"))
            state = State.FAILURE if failed else State.SUCCESS
            self._set_status(cascade, state, f"🔴 {len(failed)} not rebuilt" if failed else f"🟢 {tag}", f"end:{key}")
            if not failed:
                text = f"{cascade.sha}\n"
                record = CommitFile(repo, "deployed/base", text, line, LOG, key=f"meta:{key}", start="main")
                self._enqueue(cascade, record)
            facts = {
                "sha": cascade.sha,
                "base": cascade.base,
                "containers": str(len(steps)),
                "failed": ", ".join(failed),
            }
            self.ledger.audit.add("host", Act.CASCADE_ENDED, team=cascade.team, ref=str(repo), **facts)

    def _enqueue(self, cascade: Cascade, action: Action) -> None:
        enqueue(self.ledger, cascade.team, self.account, action, by="cascade")
