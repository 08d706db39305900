"""The status issue of an agent: opened once, its text edited in place, and not opened again where a person has deleted it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial

from bots.markdown import code, plain
from bots.money import DOLLAR, dollars
from forge.models import Ref, Repo
from forge.protocol import NotFound
from hive.ledger import DeploymentState, Ledger, Period, Scope
from hive.ledger.standing import AgentStanding, DeploymentAttempt, Spent
from hive.outbox.actions import ShowAgentStatus
from hive.outbox.enqueue import enqueue
from hive.outbox.registry import Execution, Registry, Result, Superseded

HANDLERS = Registry()
BY = "status"
BY_PERSON = "a person has deleted the issue"

TITLE = "🐝 {agent}"
HEADING = "🐝 **{agent}** of {team}"
TABLE = "| | |\n|---|---|"
END = "<sub>Written by the hive, and edited when something changes. What it works on now is said on its issues; `hive agents list` shows all agents.</sub>"
RUNS, RUNS_NOTHING = "{sha}{base}{since}", "nothing yet: its first configuration has not been merged"
DESTROYED = "nothing: it left the roster on {when}"
NO_FAILURE = "none since"
WORDS = {
    DeploymentState.VERIFIED: "verified, and waits",
    DeploymentState.BUILD: "is built",
    DeploymentState.SWITCH: "is switched",
    DeploymentState.ACTIVATE: "is started",
    DeploymentState.PROBE: "has to answer",
    DeploymentState.ROLLING_BACK: "does not run; what ran before comes back",
}
OF_DEPLOYMENTS = "nothing new is deployed: {why}"
TENTHS = 10


def enqueue_status(ledger: Ledger, account: str, repo: Repo, *, team: str, agent: str) -> bool:
    """Have the issue of an agent written if it would say something else than it was to say last; False if it would not."""
    with ledger.transaction():
        known = ledger.status_issues.of(agent)
        digest = hashlib.sha256(status_text(team, agent, ledger.standings.of(team, agent)).encode()).hexdigest()[:16]
        if known.is_gone or known.shown == digest:
            return False
        changes = ledger.status_issues.to_show(agent, digest)
        enqueue(ledger, team, account, ShowAgentStatus(repo, agent, key=f"{agent}:{changes}"), by=BY)
    return True


@HANDLERS.on(ShowAgentStatus)
def show_agent_status(execution: Execution, action: ShowAgentStatus) -> Result:
    """Show how an agent stands now, in its one issue."""
    forge, ledger, team, agent = execution.forge, execution.ledger, execution.team.name, action.agent
    known = ledger.status_issues.of(agent)
    if known.is_gone:
        raise Superseded(BY_PERSON)
    marker = execution.marker_of(f"status:{agent}")
    body = f"{status_text(team, agent, ledger.standings.of(team, agent))}\n\n{marker}"
    ref = Ref.parse(known.ref) if known.ref else None
    if ref is None:
        ref = forge.open_issue(action.repo, TITLE.format(agent=agent), body, marker=marker).ref
    try:
        forge.edit(ref, body=body)
    except NotFound:
        if not forge.sees_subjects(action.repo):
            raise
        return Result(detail={"why": BY_PERSON}, settle=partial(ledger.status_issues.gone, agent))
    return Result(detail={"issue": str(ref)}, settle=partial(ledger.status_issues.opened, agent, str(ref)))


def status_text(team: str, agent: str, standing: AgentStanding) -> str:
    """The whole issue, without its marker. Times are those of changes, so that it says the same until something changes."""
    rows = [
        ("runs", _running(standing)),
        ("on its way", _under_way(standing, standing.under_way) if standing.under_way else "nothing"),
        ("last failure", _failure(standing, standing.failure) if standing.failure else NO_FAILURE),
        ("waits", "; ".join(_waits(standing)) or "for nothing but work"),
        ("budget", ", ".join(map(_spending, standing.spent)) or "nothing spent this month"),
    ]
    table = "\n".join([TABLE, *(f"| {name} | {said} |" for name, said in rows)])
    return "\n\n".join([HEADING.format(agent=plain(agent), team=plain(team)), table, END])


def _running(standing: AgentStanding) -> str:
    if standing.destroyed_at:
        return DESTROYED.format(when=_when(standing.destroyed_at))
    if not standing.running:
        return RUNS_NOTHING
    base = f" on the base of {code(standing.base[:7])}" if standing.base else ""
    since = f", since {_when(standing.since)}" if standing.since else ""
    return RUNS.format(sha=code(standing.running[:7]), base=base, since=since)


def _under_way(standing: AgentStanding, attempt: DeploymentAttempt) -> str:
    return f"{_what(standing, attempt)} {WORDS.get(attempt.state, attempt.state.value)}, since {_when(attempt.at)}"


def _failure(standing: AgentStanding, attempt: DeploymentAttempt) -> str:
    why = next(iter(attempt.reason.splitlines()), "")
    return f"{_what(standing, attempt)} on {_when(attempt.at)}: {plain(why[:200])}"


def _what(standing: AgentStanding, attempt: DeploymentAttempt) -> str:
    if attempt.cascade:
        return f"the base of {code(attempt.base[:7])}"
    return code(attempt.sha[:7]) + (f" of {standing.config}#{attempt.pull}" if attempt.pull else "")


def _waits(standing: AgentStanding) -> Iterator[str]:
    for suspension in standing.suspensions:
        why = f"{suspension.detail}, since {_when(suspension.since)}"
        yield plain(OF_DEPLOYMENTS.format(why=why) if suspension.scope is Scope.DEPLOYMENTS else why)


def _spending(spent: Spent) -> str:
    """What was spent, so coarsely that it does not change with each answer of a model."""
    period = "today" if spent.period is Period.DAY else "this month"
    if spent.cap:
        return f"{period} {10 * (TENTHS * spent.spent // spent.cap)} % of {dollars(spent.cap)}"
    return f"{period} {'less than $1' if spent.spent < DOLLAR else f'${spent.spent // DOLLAR} and more'}"


def _when(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M} UTC"
