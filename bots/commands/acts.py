"""What each command does: nothing but intents, after a look at how things stand. Performs no I/O."""

from __future__ import annotations

from collections.abc import Callable

from bots.commands import phrases
from bots.commands.bouncing import bounce
from bots.commands.call import WORKING, Act, Call, idle, no, quoted, yes
from bots.intents import AskReview, Assign, Deploy, EndRun, Line, SetLabels, StartRun, Unassign
from bots.orders import COMMANDS
from bots.tasks import task
from bots.types import RunView
from forge.types import Issue

OUTCOMES = {"cancel": "cancelled", "stop": "stopped"}


def cancel(call: Call) -> Act:
    """End the open run. Its agent goes off the issue first: an assignment is a work order, and would be taken up again."""
    run = call.run
    if run is None or run.state != "open":
        return no(call, phrases.NO_RUN)
    if call.named and call.named != run.agent:
        return no(call, phrases.OTHER_AGENT.format(agent=run.agent, named=quoted(call.named)))
    off = (Unassign(run.issue, (run.agent,), key=call.key("off")),) if run.agent in call.ctx.team.agents else ()
    end = EndRun(run.id, OUTCOMES[call.order.name], key=call.key("end"))
    return yes(call, phrases.ENDED.format(agent=run.agent), *off, end, aside=(idle(call, run.issue),))


def retry(call: Call) -> Act:
    """Begin anew with the agent of the last run, whether that is over or not."""
    run = call.run
    if run is None:
        return no(call, phrases.NO_EARLIER_RUN)
    issue = call.ctx.forge.issue(run.issue)
    return startable(call, issue, run.agent) or begin(call, issue, run.agent, again=True)


def start(call: Call) -> Act:
    """Begin with the agent that is named, is assigned, or was at it before, unless somebody is at it."""
    run = call.run
    if run is not None and run.state == "open":
        return no(call, phrases.ALREADY.format(agent=run.agent))
    issue = call.ctx.forge.issue(run.issue if run is not None else call.comment.ref)
    agent = call.named or first_agent(call, issue, run)
    if not agent:
        return no(call, phrases.NO_AGENT.format(names=call.names))
    return startable(call, issue, agent) or begin(call, issue, agent, again=False)


def first_agent(call: Call, issue: Issue, run: RunView | None) -> str:
    """Whose issue it is, or was."""
    assigned = (call.ctx.team.agent_of(user) for user in issue.assignees)
    return next((agent for agent in assigned if agent), run.agent if run is not None else "")


def startable(call: Call, issue: Issue, agent: str) -> Act | None:
    """Why an agent cannot begin on an issue."""
    if issue.is_pull:
        return no(call, phrases.NO_ISSUE)
    if issue.ref.repo not in call.ctx.team.repos:
        return no(call, phrases.NOT_HERE)
    if not issue.is_open:
        return no(call, phrases.CLOSED.format(where=f"#{issue.ref.number}"))
    if agent not in call.ctx.team.agents:
        return no(call, phrases.NOT_AN_AGENT.format(named=quoted(agent), names=call.names))
    return None


def begin(call: Call, issue: Issue, agent: str, *, again: bool) -> Act:
    """Start the run, and show on the issue that it is so."""
    said = phrases.BEGUN_AGAIN if again else phrases.STARTED
    return yes(
        call,
        said.format(agent=agent, where=f"#{issue.ref.number}"),
        StartRun(issue.ref, agent, task(issue, call.ctx.team), key=call.key("run"), again=again),
        Assign(issue.ref, (agent,), key=call.key("assign")),
        aside=(SetLabels(issue.ref, add=(WORKING,), key=call.key("working")),),
    )


def review(call: Call) -> Act:
    """Look at a pull request again; a review is always of all of it, so `full` changes nothing."""
    if call.named not in {"", "full"}:
        return no(call, phrases.USAGE.format(form="/review [full]"))
    ref = call.comment.ref
    issue = call.ctx.forge.issue(ref)
    if not issue.is_pull:
        return no(call, phrases.NO_PULL)
    if not issue.is_open:
        return no(call, phrases.CLOSED.format(where=f"#{ref.number}"))
    sha = call.ctx.forge.pull(ref).head_sha
    asked = AskReview(ref, call.comment.author, key=call.key("ask"))
    return yes(call, phrases.REVIEWING.format(sha=f"`{sha[:7]}`"), asked)


def rebuild(call: Call) -> Act:
    """Let the host look now: it verifies for itself what was merged, and builds nothing else."""
    run = call.run
    agent = call.named or call.ctx.team.configs.get(call.comment.ref.repo) or (run.agent if run is not None else "")
    if not agent:
        return no(call, phrases.WHOSE.format(names=call.names))
    if agent not in call.ctx.team.agents:
        return no(call, phrases.NOT_AN_AGENT.format(named=quoted(agent), names=call.names))
    look = Deploy(call.comment.ref, agent, key=call.key("look"))
    return yes(call, phrases.LOOKING.format(agent=agent), look)


def help_(call: Call) -> Act:
    """The table of what is ready, and the names of the rest."""
    rows = (phrases.HELP_ROW.format(form=each.form, what=each.what) for each in COMMANDS if each.ready)
    later = ", ".join(f"`/{each.name}`" for each in COMMANDS if not each.ready)
    return Act(Line(phrases.HELP.format(later=later, table="\n".join(rows))))


ACTS: dict[str, Callable[[Call], Act]] = {
    "cancel": cancel,
    "stop": cancel,
    "retry": retry,
    "start": start,
    "review": review,
    "rebuild": rebuild,
    "not-my-lane": bounce,
    "help": help_,
}
