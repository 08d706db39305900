"""A fault of one agent's directories: it stops this agent only, and is reported once."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from bots.intents import OpenIssue
from bots.markdown import code, plain
from hive.backoff import AGENT_FILES
from hive.instance.instance import Instance
from hive.outbox.enqueue import enqueue
from hive.worker.worker import EFFECT

log = logging.getLogger("hive.host")

BY = "host"
TITLE = "🔴 {agent} cannot be kept on this host"
BODY = """\
{agent} does not work for now. Its turns wait, nothing of them is lost, and the other agents go on.

The host met this:

{error}

It is tried again by itself, each minute at the latest.
"""


@dataclass(slots=True)
class AgentFault:
    """Whether an agent's directories have a fault now, and when to check again."""

    instance: Instance
    team: str
    agent: str
    tries: int = 0
    """How often it was tried in vain since it went well."""

    _since: float = 0.0
    _next: float = 0.0

    @contextmanager
    def alone(self) -> Iterator[bool]:
        """Keep an OSError within the agent; yields False while it is too early to try again."""
        early = time.monotonic() < self._next
        try:
            yield not early
        except OSError as error:
            self._met(error)
        else:
            if self._since and not early:
                log.warning("agent_goes_on agent=%s", self.agent)
                self._since = self._next = 0.0
                self.tries = 0

    def _met(self, error: OSError) -> None:
        self.tries += 1
        self._next = time.monotonic() + AGENT_FILES.delay(self.tries)
        if self._since:
            return
        log.error("agent_fault agent=%s error=%r", self.agent, str(error)[:300])
        now = self.instance.ledger.clock()
        self._say(error, f"{self.agent}:{now:.0f}")
        self._since = now  # not before: what could not be recorded is recorded with the next attempt

    def _say(self, error: OSError, key: str) -> None:
        told = f"{type(error).__name__}: {error.strerror or error}: {error.filename or ''}"
        body = BODY.format(agent=plain(self.agent), error=code(told))
        issue = OpenIssue(self.instance.ops(self.team), plain(TITLE.format(agent=self.agent)), body, key=key)
        core = self.instance.settings.account("core")
        self.instance.queue.push(EFFECT, enqueue(self.instance.ledger, self.team, core, issue, by=BY))
        self.instance.wakeup.notify()
