"""What each command does: nothing but intents, after a look at how things stand. Performs no I/O."""

from __future__ import annotations

import re
from collections.abc import Callable
from difflib import get_close_matches

from bots.commands import messages
from bots.commands.invocation import CommandOutcome, Invocation, no, quoted, yes
from bots.commands.reassign import bounce
from bots.commands.status import status
from bots.intents import (
    Assign,
    Close,
    ContinueRun,
    Deploy,
    EndRun,
    Pause,
    ReplyLine,
    RequestBotReview,
    ResetContext,
    Restart,
    Resume,
    SetModel,
    StartRun,
    Unassign,
)
from bots.markdown import fenced
from bots.models import RunView
from bots.rejections import denied
from bots.slash_commands import COMMANDS
from bots.task_prompt import task_prompt
from bots.threads import within
from forge.models import Issue

MODEL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,99}")
OWN_MODEL = "default"
"""The word for the model that an agent's configuration names."""

OUTCOMES = {"cancel": "cancelled", "stop": "stopped"}


def cancel(call: Invocation) -> CommandOutcome:
    """End the open run. Its agent goes off the issue first: an assignment is a work order, and would be taken up again."""
    run = call.run
    if run is None or run.state != "open":
        return no(call, messages.NO_RUN)
    if call.named and call.named != run.agent:
        return no(call, messages.OTHER_AGENT.format(agent=run.agent, named=quoted(call.named)))
    off = (Unassign(run.issue, (run.agent,), key=call.key("off")),) if run.agent in call.ctx.team.agents else ()
    end = EndRun(run.id, OUTCOMES[call.order.name], key=call.key("end"))
    return yes(call, messages.ENDED.format(agent=run.agent), *off, end)


def retry(call: Invocation) -> CommandOutcome:
    """Begin anew with the agent of the last run, whether that is over or not."""
    run = call.run
    if run is None:
        return no(call, messages.NO_EARLIER_RUN)
    issue = call.ctx.forge.issue(run.issue)
    return startable(call, issue, run.agent) or begin(call, issue, run.agent, again=True)


def start(call: Invocation) -> CommandOutcome:
    """Begin with the agent that is named, is assigned, or was at it before, unless somebody is at it."""
    run = call.run
    if run is not None and run.state == "open":
        return no(call, messages.ALREADY.format(agent=run.agent))
    issue = call.ctx.forge.issue(run.issue if run is not None else call.comment.ref)
    agent = call.named or first_agent(call, issue, run)
    if not agent:
        return no(call, messages.NO_AGENT.format(names=call.names))
    return startable(call, issue, agent) or begin(call, issue, agent, again=False)


def first_agent(call: Invocation, issue: Issue, run: RunView | None) -> str:
    """Whose issue it is, or was."""
    assigned = (call.ctx.team.agent_of(user) for user in issue.assignees)
    return next((agent for agent in assigned if agent), run.agent if run is not None else "")


def startable(call: Invocation, issue: Issue, agent: str) -> CommandOutcome | None:
    """Why an agent cannot begin on an issue."""
    if issue.is_pull:
        return no(call, messages.NO_ISSUE)
    if issue.ref.repo not in call.ctx.team.repos:
        return no(call, messages.NOT_HERE)
    if not issue.is_open:
        return no(call, messages.CLOSED.format(where=f"#{issue.ref.number}"))
    if agent not in call.ctx.team.agents:
        return no(call, messages.NOT_AN_AGENT.format(named=quoted(agent), names=call.names))
    return None


def begin(call: Invocation, issue: Issue, agent: str, *, again: bool) -> CommandOutcome:
    """Start the run, and show on the issue that it is so."""
    said = messages.BEGUN_AGAIN if again else messages.STARTED
    return yes(
        call,
        said.format(agent=agent, where=f"#{issue.ref.number}"),
        StartRun(issue.ref, agent, task_prompt(issue, call.ctx.team), key=call.key("run"), again=again),
        Assign(issue.ref, (agent,), key=call.key("assign")),
    )


def review(call: Invocation) -> CommandOutcome:
    """Look at a pull request again; a review is always of all of it, so `full` changes nothing."""
    if call.named not in {"", "full"}:
        return no(call, messages.USAGE.format(form="/review [full]"))
    ref = call.comment.ref
    issue = call.ctx.forge.issue(ref)
    if not issue.is_pull:
        return no(call, messages.NO_PULL)
    if not issue.is_open:
        return no(call, messages.CLOSED.format(where=f"#{ref.number}"))
    sha = call.ctx.forge.pull(ref).head_sha
    asked = RequestBotReview(ref, call.comment.author, key=call.key("ask"))
    return yes(call, messages.REVIEWING.format(sha=f"`{sha[:7]}`"), asked)


def rebuild(call: Invocation) -> CommandOutcome:
    """Let the host look now: it verifies for itself what was merged, and builds nothing else."""
    run = call.run
    agent = call.named or call.ctx.team.configs.get(call.comment.ref.repo) or (run.agent if run is not None else "")
    if not agent:
        return no(call, messages.WHOSE.format(names=call.names))
    if agent not in call.ctx.team.agents:
        return no(call, messages.NOT_AN_AGENT.format(named=quoted(agent), names=call.names))
    look = Deploy(call.comment.ref, agent, key=call.key("look"))
    return yes(call, messages.LOOKING.format(agent=agent), look)


def agent_of(call: Invocation) -> str:
    """The agent that an order is about: the one it names, else that of the thread."""
    run = call.run
    here = call.ctx.team.configs.get(call.comment.ref.repo) or (run.agent if run is not None else "")
    return call.named or here or first_agent(call, call.ctx.forge.issue(call.comment.ref), None)


def known(call: Invocation, agent: str) -> CommandOutcome | None:
    """Why an order about an agent cannot be followed."""
    if not agent:
        return no(call, messages.WHOSE.format(names=call.names))
    if agent not in call.ctx.team.agents:
        return no(call, messages.NOT_AN_AGENT.format(named=quoted(agent), names=call.names))
    return None


def pause(call: Invocation) -> CommandOutcome:
    """Let an agent's work rest."""
    agent = agent_of(call)
    if (unknown := known(call, agent)) is not None:
        return unknown
    if is_paused(call, agent):
        return no(call, messages.PAUSED_ALREADY.format(agent=agent))
    action = Pause(call.comment.ref, agent, call.comment.author, key=call.key("pause"))
    return yes(call, messages.PAUSED.format(agent=agent), action)


def resume(call: Invocation) -> CommandOutcome:
    """Let an agent's work go on; other reasons to rest are not ended by a word."""
    agent = agent_of(call)
    if (unknown := known(call, agent)) is not None:
        return unknown
    if not is_paused(call, agent):
        others = ", ".join(call.ctx.history.resting(agent))
        return no(call, messages.NOT_PAUSED.format(agent=agent, why=f", but rests ({others})" if others else ""))
    return yes(call, messages.RESUMED.format(agent=agent), Resume(call.comment.ref, agent, key=call.key("resume")))


def is_paused(call: Invocation, agent: str) -> bool:
    """Whether somebody paused an agent."""
    return any(reason.startswith("paused by ") for reason in call.ctx.history.resting(agent))


def restart(call: Invocation) -> CommandOutcome:
    """Stop and start a container."""
    agent = agent_of(call)
    if (unknown := known(call, agent)) is not None:
        return unknown
    action = Restart(call.comment.ref, agent, key=call.key("restart"))
    return yes(call, messages.RESTARTING.format(agent=agent), action)


def use_model(call: Invocation) -> CommandOutcome:
    """Let the agent of this thread think with another model."""
    run, name = call.run, call.order.words[0]
    if run is None or run.agent not in call.ctx.team.agents:
        return no(call, messages.NO_RUN)
    if not MODEL_NAME.fullmatch(name):
        return no(call, messages.NO_MODEL.format(named=quoted(name)))
    own, known = name == OWN_MODEL, call.ctx.team.models
    if known and not own and name not in known:
        return no(call, messages.UNKNOWN_MODEL.format(named=quoted(name), near=_near(name, known)))
    said = (
        messages.OWN_MODEL.format(agent=run.agent) if own else messages.MODEL.format(agent=run.agent, model=f"`{name}`")
    )
    action = SetModel(call.comment.ref, run.agent, "" if own else name, key=call.key("model"))
    return yes(call, said, action)


def _near(name: str, known: tuple[str, ...]) -> str:
    """The likeliest of the models that there are, or all of them."""
    found = get_close_matches(name, known, n=1)
    if found:
        return messages.NEAR_MODEL.format(name=quoted(found[0]))
    return messages.THESE_MODELS.format(names=", ".join(map(quoted, known)))


def compact(call: Invocation) -> CommandOutcome:
    """Go on with the gist of the transcript."""
    run = call.run
    if run is None or run.state != "open":
        return no(call, messages.NO_RUN)
    action = ResetContext(call.comment.ref, run.id, "compact", messages.GIST, key=call.key("recall"))
    return yes(call, messages.COMPACTED.format(agent=run.agent), action)


def new_session(call: Invocation) -> CommandOutcome:
    """Go on without the transcript: the task is told anew."""
    run = call.run
    if run is None or run.state != "open":
        return no(call, messages.NO_RUN)
    told = task_prompt(call.ctx.forge.issue(run.issue), call.ctx.team)
    action = ResetContext(call.comment.ref, run.id, "new", told, key=call.key("recall"))
    return yes(call, messages.NEW_SESSION.format(agent=run.agent), action)


def answer(call: Invocation) -> CommandOutcome:
    """Hand words to the agent of this run."""
    run = call.run
    if run is None or run.state != "open":
        return no(call, messages.NO_RUN)
    author = call.comment.author
    said = fenced("answer", " ".join(call.order.words), author=author.login, standing=call.ctx.team.standing(author))
    action = ContinueRun(run.id, said, by_person=True, key=call.key("answer"))
    if call.to is not None:
        action = within(call.to, action, call.ctx.forge)
    return yes(call, messages.HANDED_ON.format(agent=run.agent), action)


def deny(call: Invocation) -> CommandOutcome:
    """Refuse a change of a configuration: it is closed, and its author goes on with the reason."""
    ref = call.comment.ref
    issue = call.ctx.forge.issue(ref)
    if ref.repo not in call.ctx.team.configs or not issue.is_pull:
        return no(call, messages.NOT_A_CONFIG)
    pull, where = call.ctx.forge.pull(ref), f"#{ref.number}"
    if pull.merged:
        return no(call, messages.MERGED.format(where=where))
    if not pull.is_open:
        return no(call, messages.CLOSED.format(where=where))
    why = " ".join(call.order.words)
    tag, wake = denied(pull, why, call.comment.author, call.ctx.team)
    return yes(
        call,
        messages.DENIED.format(where=where, tag=f"denied/{ref.number}"),
        Close(ref, key=call.key("close")),
        *(tag, wake),
    )


def help_(call: Invocation) -> CommandOutcome:
    """The table of what works here."""
    here = call.place
    rows = (messages.HELP_ROW.format(form=each.form, what=each.what) for each in COMMANDS if here in each.on)
    return CommandOutcome(ReplyLine(messages.HELP.format(place=here.value, table="\n".join(rows))))


ACTS: dict[str, Callable[[Invocation], CommandOutcome]] = {
    "status": status,
    "cancel": cancel,
    "stop": cancel,
    "deny": deny,
    "retry": retry,
    "start": start,
    "review": review,
    "rebuild": rebuild,
    "not-my-lane": bounce,
    "pause": pause,
    "resume": resume,
    "restart": restart,
    "model": use_model,
    "compact": compact,
    "new-session": new_session,
    "answer": answer,
    "help": help_,
}
