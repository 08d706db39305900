"""`hive agents`: how each agent stands, and what an operator at the machine wants of its container. Asks no forge."""

from __future__ import annotations

import fcntl
import getpass
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime

from hive.app.rebuild_queue import rebuild_queue
from hive.config import nearest
from hive.config.freeze import read_window
from hive.instance.instance import Instance, StartupError
from hive.ledger import NEVER, Act, Ledger, Scope, Suspension, SuspensionReason
from hive.outbox.agent_status import WORDS
from hive.queue.wakeup import HOST_WAKEUP, Wakeup
from hive.reconcile.holds import Holds
from hive.reconcile.logs import Log

MOST_LINES = 500
NO_HOST = "no host runs here now: it does so when it is started (`hive up`, or `hive host`)"
NOT_DEPLOYED = "nothing new is deployed: {why}"
NOT_MERGED = "not merged yet"
DOES_NOT_RUN = "{sha}{pull} does not run: {why}; merge a fix or a revert, or comment `/retry` there"
STOPPED = "stopped by {who} on the machine of the hive"
STATES = (
    (SuspensionReason.CRASHED, "failed"),
    (SuspensionReason.TOKEN_REJECTED, "needs login"),
    (SuspensionReason.NEEDS_LOGIN, "needs login"),
    (SuspensionReason.PAUSED, "paused"),
    (SuspensionReason.STOPPED, "stopped"),
)
"""What is shown of several reasons: the first of them."""


@dataclass(frozen=True, slots=True)
class AgentRow:
    """How one agent stands; commits are empty before the first one, `at` is the issue that it works on now, empty for none."""

    agent: str
    team: str
    lanes: tuple[str, ...]
    state: str
    running: str
    merged: str
    at: str
    why: str = ""
    deploying: str = ""
    """The commit that is on its way into the container, how far it is and for how long; empty for none."""

    failed: str = ""
    """The commit that was merged last, if it does not run, and why; empty otherwise."""

    queue: str = ""
    """Where its container stands in the queue of a base update, or that it could not be rebuilt; empty for neither."""


def rows(instance: Instance) -> list[AgentRow]:
    """Every agent that can run, in the order of the roster."""
    is_hosted = has_host(instance)
    queues = {forge: rebuild_queue(instance.ledger, forge) for forge in instance.settings.forges}
    return [
        replace(_row(instance, name, agent, is_hosted=is_hosted), queue=queues[team.forge].get(agent, ""))
        for name, team in instance.settings.teams.items()
        for agent in team.agents
    ]


def table(found: list[AgentRow]) -> Iterator[str]:
    """The same as lines for a terminal."""
    cells: list[tuple[str, ...]] = [("agent", "team", "lanes", "state", "runs", "merged", "works on", "")]
    for row in found:
        shown = (", ".join(row.lanes), row.state, row.running[:7], row.merged[:7], row.at)
        more = "; ".join(filter(None, (row.deploying, row.failed, row.queue, row.why)))
        cells.append((row.agent, row.team, *(each or "–" for each in shown), more))
    widths = [max(len(line[column]) for line in cells) for column in range(7)]
    for line in cells:
        yield "  ".join([*(cell.ljust(width) for cell, width in zip(line, widths, strict=False)), line[7]]).rstrip()


def as_json(found: list[AgentRow]) -> list[dict[str, object]]:
    """The same as plain data."""
    return [asdict(row) for row in found]


def stop(instance: Instance, agent: str) -> Iterator[str]:
    """Stop an agent's container until `start`: its work waits, and nothing of it is lost."""
    team, who = team_of(instance, agent), getpass.getuser()
    with instance.ledger.transaction():
        is_new = instance.ledger.suspensions.suspend(
            team, Scope.AGENT, agent, SuspensionReason.STOPPED, STOPPED.format(who=who), until=NEVER
        )
        if is_new:
            instance.ledger.audit.add(f"operator:{who}", Act.AGENT_STOPPED, team=team, agent=agent)
    yield (
        f"{agent} is stopped: its work waits until `hive agents start {agent}`"
        if is_new
        else f"{agent} is stopped already"
    )
    yield from _wake(instance)


def start(instance: Instance, agent: str) -> Iterator[str]:
    """Start the container of an agent that was stopped, or that stays down after crashes."""
    team, who = team_of(instance, agent), getpass.getuser()
    with instance.ledger.transaction():
        lifted = instance.ledger.suspensions.resume(team, Scope.AGENT, agent, SuspensionReason.STOPPED)
        if lifted:
            instance.ledger.audit.add(f"operator:{who}", Act.AGENT_STARTED, team=team, agent=agent)
        else:
            instance.ledger.deployments.request_restart(agent)
    yield (
        f"{agent} is started, and goes on with its work"
        if lifted
        else f"{agent} was not stopped: its container is restarted"
    )
    yield from _wake(instance)


def rebuild(instance: Instance, agent: str) -> Iterator[str]:
    """Look at what was merged, and start the container of the approved commit again, on the base that was merged last."""
    team = team_of(instance, agent)
    with instance.ledger.transaction():
        if _is_behind(instance, team, agent):
            yield f"{agent} is not on the base that was merged last: its container is rebuilt on it"
            yield from _wake(instance)
            return
        instance.ledger.deployments.request_check(agent)
        instance.ledger.deployments.request_restart(agent)
    yield f"{agent} is looked at, and its container is started again from the approved commit"
    yield from _wake(instance)


def _is_behind(instance: Instance, team: str, agent: str) -> bool:
    """Whether a container is not on the base that counts; it is queued for it once more then."""
    ledger, forge = instance.ledger, instance.settings.teams[team].forge
    baseline, cascade = ledger.deployments.baseline(agent), ledger.cascades.newest(forge)
    if baseline is None or cascade is None or not baseline.running_sha:
        return False
    is_other = baseline.running_base != ledger.bases.accepted(forge) and ledger.deployments.current(agent) is None
    return is_other and ledger.cascades.again(cascade, agent, at_once=True)


def log_lines(instance: Instance, agent: str, lines: int) -> str:
    """The end of what an agent's container wrote, control characters escaped."""
    team_of(instance, agent)
    return Log(instance.agents / agent).tail(lines)


def team_of(instance: Instance, agent: str) -> str:
    """The team of an agent; raises StartupError for one that there is not, with the nearest name."""
    found = {each: name for name, team in instance.settings.teams.items() for each in team.agents}
    if agent not in found:
        raise StartupError(f"there is no agent {agent!r}{nearest(agent, found)}")
    return found[agent]


def has_host(instance: Instance) -> bool:
    """Whether a process keeps the containers of this state directory."""
    place = instance.settings.state / "host.lock"
    try:
        with place.open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def _wake(instance: Instance) -> Iterator[str]:
    Wakeup(instance.settings.state / HOST_WAKEUP).notify()
    if not has_host(instance):
        yield NO_HOST


def _row(instance: Instance, team: str, agent: str, *, is_hosted: bool) -> AgentRow:
    ledger = instance.ledger
    baseline, held = ledger.deployments.baseline(agent), ledger.runs.current(agent)
    lanes = tuple(lane.name for lane in instance.settings.teams[team].lane_list() if lane.agent == agent)
    running, merged = (baseline.running_sha, baseline.sha) if baseline is not None else ("", "")
    if not running and ledger.deployments.newest(agent) is None:  # what stands there came with the set-up
        merged = ""
    reasons = ledger.suspensions.of(team, Scope.AGENT, agent)
    state = _state(reasons, running, is_healthy=ledger.deployments.is_healthy(agent), is_hosted=is_hosted)
    no_more = [each for name in ("", agent) for each in ledger.suspensions.of(team, Scope.DEPLOYMENTS, name)]
    why = "; ".join([*(each.waiting for each in reasons), *(NOT_DEPLOYED.format(why=each.waiting) for each in no_more)])
    at = "" if held is None else held[1]
    failed = _failed(ledger, team, agent, merged)
    return AgentRow(agent, team, lanes, state, running, merged, at, why, _deploying(instance, agent), failed)


def _failed(ledger: Ledger, team: str, agent: str, merged: str) -> str:
    """What was merged last and does not run, and why; a base that failed is said by its queue."""
    failure = ledger.standings.of(team, agent).failure
    if failure is None or failure.cascade or failure.sha != merged:
        return ""
    pull, why = f" of #{failure.pull}" if failure.pull else "", next(iter(failure.reason.splitlines()), "")
    return DOES_NOT_RUN.format(sha=failure.sha[:7], pull=pull, why=why)


def _deploying(instance: Instance, agent: str) -> str:
    ledger = instance.ledger
    deployment = ledger.deployments.current(agent)
    if deployment is None:
        return ""
    cascade = ledger.cascades.get(deployment.cascade)
    what = f"{deployment.sha[:7]} on the base of {cascade.sha[:7]}" if cascade is not None else deployment.sha[:7]
    from_pulls = f" of #{deployment.pulls[-1]}" if deployment.pulls else ""
    how = WORDS.get(deployment.state, deployment.state.value)
    frozen = Holds(ledger, map(read_window, instance.settings.deploy.freeze)).frozen()
    why = f": {frozen.why}" if frozen is not None and deployment.is_waiting and deployment.pulls else ""
    return f"{what}{from_pulls} {how}, {max(0, round(ledger.clock() - deployment.created_at))} s{why}"


def _state(reasons: list[Suspension], running: str, *, is_healthy: bool, is_hosted: bool) -> str:
    known = {reason.reason for reason in reasons}
    for reason, shown in STATES:
        if reason in known:
            return shown
    if not running:
        return NOT_MERGED
    if not is_hosted:
        until = datetime.now(UTC)
        return f"no host at {until:%H:%M} UTC"
    return "running" if is_healthy else "starting"
