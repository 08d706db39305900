"""Containers that end unexpectedly: reported once, and after too many crashes the agent is not restarted.

A subject on which a container crashes again and again is suspended, and counts once. Neither a stop by an operator or
the reconciler is a crash, nor a new configuration that does not start: that is reported on its pull request.
"""

from __future__ import annotations

import logging

from bots.markdown import code, plain
from hive.config import Limits
from hive.ledger import NEVER, Act, Ledger, Scope, SuspensionReason
from hive.outbox.incidents import IncidentReporter

log = logging.getLogger("hive.crashes")

FEW_LINES = 5
LINES = 30
"""How much of the end of the log is reported."""

TITLE = "🔴 the container of {agent} crashed"
BODY = """\
It ended unexpectedly and is restarted; its turns continue. When it has run for {minutes} minutes, this issue closes by itself.

The end of its log:

{end}
"""
NO_LOG = "- it wrote nothing"
STAYS_DOWN = """\
🔴 **{agent} stays down**: its container crashed {times} times within {minutes} minutes. Its turns wait, and none is lost.

It is restarted after `/restart` in a comment on one of its issues, with a new configuration, or when `hive up` is restarted.

The end of its log:

{end}
"""
GIVES_UP = "🔴 {agent} gives up {ref}: its container crashed {times} times there within {minutes} minutes. Its other issues continue."
NOT_STARTED = "🔴 the container of {agent} cannot be started"
NOT_STARTED_BODY = """\
The reason is this machine or its configuration: nothing of the agent ran. Its turns wait, and none loses an attempt. It is tried again by itself;
when it starts, this issue closes by itself. `hive doctor` shows what this machine lacks.

The last words of what should have started it:

{end}
"""
STARTED = "🟢 the container of {agent} has started."
WELL = "🟢 {agent} has run for {minutes} minutes without another crash."
RESTARTED = "🟡 {agent} is restarted: {why}."


class CrashWatch:
    """Counts the crashes of this host's containers and reports them. Called by the thread that owns them."""

    def __init__(self, ledger: Ledger, incidents: IncidentReporter, limits: Limits) -> None:
        self._ledger = ledger
        self._incidents = incidents
        self._limits = limits

    def crashed(self, team: str, agent: str, log_end: str, held: tuple[int, str] | None = None) -> None:
        """A container ended by itself; `log_end` is foreign text, `held` its unfinished turn and that turn's subject."""
        ledger, minutes = self._ledger, self._limits.crash_minutes
        end = _quoted(log_end, LINES)
        with ledger.transaction():
            ledger.incidents.record_crash(team, agent, held[0] if held else 0)
            times = ledger.incidents.count_crashes(agent, ledger.clock() - 60 * minutes)
            ledger.audit.add("host", Act.CONTAINER_CRASHED, team=team, agent=agent, times=times)
            title = plain(TITLE.format(agent=agent))
            self._incidents.begin(team, _subject(agent), title, BODY.format(minutes=minutes, end=end).strip())
            if held is not None:
                self._give_up(team, agent, *held)
            if times < self._limits.crashes:
                return
            reason = f"its container crashed {times} times within {minutes} minutes; /restart starts it again"
            if ledger.suspensions.suspend(team, Scope.AGENT, agent, SuspensionReason.CRASHED, reason, until=NEVER):
                ledger.audit.add("host", Act.CRASH_LOOP, team=team, agent=agent, times=times)
                said = STAYS_DOWN.format(agent=plain(agent), times=times, minutes=minutes, end=end)
                self._incidents.add(team, _subject(agent), said.strip())
        log.error("agent_stays_down agent=%s crashes=%d minutes=%d", agent, times, minutes)

    def could_not_start(self, team: str, agent: str, log_end: str) -> None:
        """A container ended before its harness began: that is no crash of the agent, and is tried again for ever."""
        body = NOT_STARTED_BODY.format(end=_quoted(log_end, FEW_LINES))
        with self._ledger.transaction():
            if self._incidents.begin(team, _start(agent), plain(NOT_STARTED.format(agent=agent)), body.strip()):
                self._ledger.audit.add("host", Act.CONTAINER_NOT_STARTED, team=team, agent=agent)

    def has_started(self, team: str, agent: str) -> None:
        """A container's harness answers."""
        self._incidents.end(team, _start(agent), STARTED.format(agent=plain(agent)))

    def _give_up(self, team: str, agent: str, turn: int, ref: str) -> None:
        """Give up a turn at which the container crashes each time."""
        minutes = self._limits.crash_minutes
        times = self._ledger.incidents.count_crashes_at(turn, self._ledger.clock() - 60 * minutes)
        if times < self._limits.crashes:
            return
        self._ledger.runs.exhaust(turn)
        self._ledger.audit.add("host", Act.TURN_ABANDONED, team=team, ref=ref, agent=agent, turn=turn, times=times)
        said = GIVES_UP.format(agent=plain(agent), ref=code(ref), times=times, minutes=minutes)
        self._incidents.add(team, _subject(agent), said)

    def is_down(self, team: str, agent: str) -> bool:
        """Whether an agent must not be started before an operator restarts it."""
        return any(
            suspension.reason is SuspensionReason.CRASHED
            for suspension in self._ledger.suspensions.of(team, Scope.AGENT, agent)
        )

    def allow_restart(self, team: str, agent: str, why: str) -> None:
        """Allow an agent to start again; `why` is our own sentence."""
        with self._ledger.transaction():
            self._ledger.incidents.clear_crashes(agent)
            if self._ledger.suspensions.resume(team, Scope.AGENT, agent, SuspensionReason.CRASHED):
                self._incidents.add(team, _subject(agent), RESTARTED.format(agent=plain(agent), why=why))

    def close_if_recovered(self, team: str, agent: str) -> None:
        """Close the incident of a running container once it has been well for long enough."""
        found = self._ledger.incidents.current(team, _subject(agent))
        if found is None:
            return
        minutes = self._limits.crash_minutes
        since = self._ledger.clock() - 60 * minutes
        if (
            found[1] < since
            and not self._ledger.incidents.count_crashes(agent, since)
            and not self.is_down(team, agent)
        ):
            self._incidents.end(team, _subject(agent), WELL.format(agent=plain(agent), minutes=minutes))


def _quoted(log_end: str, lines: int) -> str:
    return "\n".join(f"- {code(line)}" for line in log_end.splitlines()[-lines:] if line.strip()) or NO_LOG


def _start(agent: str) -> str:
    return f"start:{agent}"


def _subject(agent: str) -> str:
    return f"crash:{agent}"
