"""One handler for each command: reads the current state and returns intents. Performs no I/O."""

from __future__ import annotations

from collections.abc import Callable

from bots.agent_intents import Deploy, Pause, ResetContext, Restart, Resume
from bots.commands import messages
from bots.commands.budget import budget
from bots.commands.configurations import (
    deploy_now,
    is_deployment,
    plan,
    resume_deployments,
    retry_deployment,
    rollback,
    suspend_deployments,
)
from bots.commands.findings import dismiss, explain, review
from bots.commands.fix import fix
from bots.commands.invocation import CommandOutcome, Invocation, no, quoted, yes
from bots.commands.life import purge, revive
from bots.commands.model import use_model
from bots.commands.reassign import bounce
from bots.commands.status import status
from bots.holds import WorkHold, hold_on, is_urgent
from bots.intents import Assign, Close, ContinueRun, EndRun, StartRun, Unassign
from bots.markdown import code, fenced
from bots.models import ReplyLine
from bots.questions import answer_with, is_answer
from bots.rejections import denied
from bots.request_reading import of_comment, of_issue
from bots.slash_commands import COMMANDS
from bots.starts import task_of
from bots.task_prompt import task_prompt
from bots.threads import within
from bots.views import RunView
from forge.models import Issue

OUTCOMES = {"cancel": "cancelled", "stop": "stopped"}


def cancel(call: Invocation) -> CommandOutcome:
    """End the open run. Its agent is unassigned first, since an assignment would start a new run."""
    run = call.run
    if run is None or run.state != "open":
        return no(call, messages.NO_RUN)
    if call.named and call.named != run.agent:
        return no(call, messages.OTHER_AGENT.format(agent=run.agent, named=quoted(call.named)))
    off = (Unassign(run.issue, (run.agent,), key=call.key("off")),) if run.agent in call.ctx.team.agents else ()
    end = EndRun(run.id, OUTCOMES[call.command.name], key=call.key("end"))
    return yes(call, messages.ENDED.format(agent=run.agent), *off, end)


def retry(call: Invocation) -> CommandOutcome:
    """Start over with the agent of the last run, whether it has ended or not."""
    if is_deployment(call):
        return retry_deployment(call)
    run = call.run
    if run is None:
        return no(call, messages.NO_EARLIER_RUN)
    issue = call.ctx.forge.issue(run.issue)
    return startable(call, issue, run.agent) or begin(call, issue, run.agent, again=True)


def start(call: Invocation) -> CommandOutcome:
    """Start a run of the agent that is named, assigned or was assigned before, unless a run is open."""
    run = call.run
    if run is not None and run.state == "open":
        return no(call, messages.ALREADY.format(agent=run.agent))
    issue = call.ctx.forge.issue(run.issue if run is not None else call.comment.ref)
    agent = call.named or first_agent(call, issue, run)
    if not agent:
        return no(call, messages.NO_AGENT.format(names=call.names))
    return startable(call, issue, agent) or begin(call, issue, agent, again=False)


def first_agent(call: Invocation, issue: Issue, run: RunView | None) -> str:
    """The agent that is assigned, or that had the last run."""
    assigned = (call.ctx.team.agent_of(user) for user in issue.assignees)
    return next((agent for agent in assigned if agent), run.agent if run is not None else "")


def startable(call: Invocation, issue: Issue, agent: str) -> CommandOutcome | None:
    """Why an agent cannot start on an issue; None if it can."""
    if issue.is_pull:
        return no(call, messages.NO_ISSUE)
    if issue.ref.repo not in call.ctx.team.repos:
        return no(call, messages.NOT_HERE)
    if not issue.is_open:
        return no(call, messages.CLOSED.format(where=f"#{issue.ref.number}"))
    if agent not in call.ctx.team.agents:
        return no(call, messages.NOT_AN_AGENT.format(named=quoted(agent), names=call.names))
    hold = hold_of(call, issue)
    return None if hold is None or hold.may_run else no(call, messages.HELD.format(why=hold.why))


def hold_of(call: Invocation, issue: Issue) -> WorkHold | None:
    """The hold on an issue; an operator who starts a run on a stranger's has read it."""
    return hold_on(issue, call.ctx.team, lambda: call.ctx.forge.timeline(issue.ref), has_run=True)


def begin(call: Invocation, issue: Issue, agent: str, *, again: bool) -> CommandOutcome:
    """Start the run, and assign its agent."""
    text = messages.STARTED_AGAIN if again else messages.STARTED
    task = task_of(issue, hold_of(call, issue), call.ctx)
    run = StartRun(
        *(issue.ref, agent, task),
        key=call.key("run"),
        again=again,
        urgent=is_urgent(issue),
        request=of_issue(issue, call.ctx.team),
    )
    return yes(
        call,
        text.format(agent=agent, where=f"#{issue.ref.number}"),
        run,
        Assign(issue.ref, (agent,), key=call.key("assign")),
    )


def rebuild(call: Invocation) -> CommandOutcome:
    """Let the reconciler check now; it verifies what was merged, and builds nothing else."""
    run = call.run
    agent = call.named or call.ctx.team.configs.get(call.comment.ref.repo) or (run.agent if run is not None else "")
    if not agent:
        return no(call, messages.WHOSE.format(names=call.names))
    if agent not in call.ctx.team.agents:
        return no(call, messages.NOT_AN_AGENT.format(named=quoted(agent), names=call.names))
    deploy = Deploy(call.comment.ref, agent, key=call.key("deploy"))
    return yes(call, messages.LOOKING.format(agent=agent), deploy)


def agent_of(call: Invocation) -> str:
    """The agent that a command is about: the one it names, else that of the thread."""
    run = call.run
    here = call.ctx.team.configs.get(call.comment.ref.repo) or (run.agent if run is not None else "")
    return call.named or here or first_agent(call, call.ctx.forge.issue(call.comment.ref), None)


def known(call: Invocation, agent: str) -> CommandOutcome | None:
    """Why a command about an agent cannot be performed; None if it can."""
    if not agent:
        return no(call, messages.WHOSE.format(names=call.names))
    if agent not in call.ctx.team.agents:
        return no(call, messages.NOT_AN_AGENT.format(named=quoted(agent), names=call.names))
    return None


def pause(call: Invocation) -> CommandOutcome:
    """Suspend an agent."""
    agent = agent_of(call)
    if (unknown := known(call, agent)) is not None:
        return unknown
    if is_paused(call, agent):
        return no(call, messages.PAUSED_ALREADY.format(agent=agent))
    action = Pause(call.comment.ref, agent, call.comment.author, key=call.key("pause"))
    return yes(call, messages.PAUSED.format(agent=agent), action)


def resume(call: Invocation) -> CommandOutcome:
    """Resume a paused agent; suspensions for other reasons stay."""
    agent = agent_of(call)
    if (unknown := known(call, agent)) is not None:
        return unknown
    if (resumed := resume_deployments(call, agent, is_paused=is_paused(call, agent))) is not None:
        return resumed
    if not is_paused(call, agent):
        others = ", ".join(call.ctx.history.suspension_reasons(agent))
        return no(call, messages.NOT_PAUSED.format(agent=agent, why=f", but suspended ({others})" if others else ""))
    return yes(call, messages.RESUMED.format(agent=agent), Resume(call.comment.ref, agent, key=call.key("resume")))


def is_paused(call: Invocation, agent: str) -> bool:
    """Whether an operator has paused an agent."""
    return any(reason.startswith("paused by ") for reason in call.ctx.history.suspension_reasons(agent))


def restart(call: Invocation) -> CommandOutcome:
    """Restart a container."""
    agent = agent_of(call)
    if (unknown := known(call, agent)) is not None:
        return unknown
    action = Restart(call.comment.ref, agent, key=call.key("restart"))
    return yes(call, messages.RESTARTING.format(agent=agent), action)


def compact(call: Invocation) -> CommandOutcome:
    """Continue the run with a compacted transcript."""
    run = call.run
    if run is None or run.state != "open":
        return no(call, messages.NO_RUN)
    action = ResetContext(call.comment.ref, run.id, "compact", messages.COMPACTION, key=call.key("reset-context"))
    return yes(call, messages.COMPACTED.format(agent=run.agent), action)


def new_session(call: Invocation) -> CommandOutcome:
    """Continue the run with an empty transcript: it gets its task again."""
    run = call.run
    if run is None or run.state != "open":
        return no(call, messages.NO_RUN)
    task = task_prompt(call.ctx.forge.issue(run.issue), call.ctx.team, call.ctx.forge.comments(run.issue))
    action = ResetContext(call.comment.ref, run.id, "new", task, key=call.key("reset-context"))
    return yes(call, messages.NEW_SESSION.format(agent=run.agent), action)


def answer(call: Invocation) -> CommandOutcome:
    """Pass a text on to the agent of this run."""
    run = call.run
    if run is None or run.state != "open":
        return no(call, messages.NO_RUN)
    author, words, key = call.comment.author, " ".join(call.command.words), call.key("answer")
    text = fenced("answer", words, author=author.login, standing=call.ctx.team.standing(author))
    question = call.ctx.history.question(run.id)
    if call.to is None and question is not None and is_answer(question, call.comment, call.ctx.team):
        reply = answer_with(question, words, call.comment, run, call.ctx.team, late=text, key=key)
        return yes(call, messages.ANSWERED.format(agent=run.agent, answer=code(reply.answer[:60])), reply)
    action = ContinueRun(run.id, text, by_person=True, key=key, request=of_comment(words, author, call.ctx.team))
    if call.to is not None:
        action = within(call.to, action, call.ctx.forge)
    return yes(call, messages.HANDED_ON.format(agent=run.agent), action)


def deny(call: Invocation) -> CommandOutcome:
    """Reject a change of a configuration: close it, and give its author the reason."""
    ref = call.comment.ref
    issue = call.ctx.forge.issue(ref)
    if ref.repo not in call.ctx.team.configs or not issue.is_pull:
        return no(call, messages.NOT_A_CONFIG)
    pull, where = call.ctx.forge.pull(ref), f"#{ref.number}"
    if pull.merged:
        return no(call, messages.MERGED.format(where=where))
    if not pull.is_open:
        return no(call, messages.CLOSED.format(where=where))
    why = " ".join(call.command.words)
    tag, resume_runs = denied(pull, why, call.comment.author, call.ctx.team)
    return yes(
        call,
        messages.DENIED.format(where=where, tag=f"denied/{ref.number}"),
        Close(ref, key=call.key("close")),
        *(tag, resume_runs),
    )


def help_(call: Invocation) -> CommandOutcome:
    """The commands that can be used here."""
    here = call.place
    rows = (messages.HELP_ROW.format(form=each.form, what=each.what) for each in COMMANDS if here in each.on)
    return CommandOutcome(ReplyLine(messages.HELP.format(place=here.value, table="\n".join(rows))))


HANDLERS: dict[str, Callable[[Invocation], CommandOutcome]] = {
    "status": status,
    "cancel": cancel,
    "stop": cancel,
    "deny": deny,
    "retry": retry,
    "start": start,
    "review": review,
    "dismiss": dismiss,
    "explain": explain,
    "fix": fix,
    "rollback": rollback,
    "deploy": deploy_now,
    "suspend": suspend_deployments,
    "plan": plan,
    "rebuild": rebuild,
    "not-my-lane": bounce,
    "pause": pause,
    "resume": resume,
    "restart": restart,
    "model": use_model,
    "compact": compact,
    "new-session": new_session,
    "answer": answer,
    "budget": budget,
    "revive": revive,
    "purge": purge,
    "help": help_,
}
