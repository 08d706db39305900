"""Commands on the pull requests and issues of a configuration. Performs no I/O."""

from __future__ import annotations

from bots.agent_intents import (
    DeployNow,
    ProposeRevert,
    Resume,
    ResumeDeployments,
    RetryDeployment,
    SuspendDeployments,
    forge_of_roster,
    roster_of,
)
from bots.commands import messages
from bots.commands.invocation import CommandOutcome, Invocation, no, yes
from bots.intents import RequestBotReview
from bots.markdown import plain, plain_name, visible
from bots.models import HIVE, Team
from forge.models import Repo

MOST_WHY = 200


def deployed_from(repo: Repo, team: Team) -> str:
    """Under which name a repository is deployed: an agent's, the hive's own, or that of roster and base; empty for none."""
    if repo == team.roster:
        return roster_of(repo.forge)
    return HIVE if repo == team.source else team.configs.get(repo, "")


def retry_deployment(call: Invocation) -> CommandOutcome:
    """Deploy a merged commit that failed once more, or a base where it failed: what failed it may have passed."""
    agent, ref = deployed_from(call.comment.ref.repo, call.ctx.team), call.comment.ref
    stands = call.ctx.history.configuration(agent, ref)
    if not stands.failed or ref.number not in stands.pulls:
        return no(call, messages.NOTHING_FAILED)
    action = RetryDeployment(ref, agent, key=call.key("deploy"))
    said = messages.RETRIED_BASE if forge_of_roster(agent) else messages.RETRIED
    return yes(call, said.format(sha=f"`{stands.last[:7]}`"), action)


def is_deployment(call: Invocation) -> bool:
    """Whether the thread is about what is deployed: a base of all, or a merge of the hive's own source that does not run."""
    ref, team = call.comment.ref, call.ctx.team
    if ref.repo != team.source:
        return bool(deployed_from(ref.repo, team))
    stands = call.ctx.history.configuration(HIVE, ref)
    return stands.failed and ref.number in stands.pulls


def rollback(call: Invocation) -> CommandOutcome:
    """Propose to undo what a merge brought."""
    agent, ref = call.ctx.team.configs.get(call.comment.ref.repo, ""), call.comment.ref
    where = f"#{ref.number}"
    if not agent or not call.ctx.forge.issue(ref).is_pull:
        return no(call, messages.NOT_A_CONFIG)
    if not call.ctx.forge.pull(ref).merged:
        return no(call, messages.NOT_MERGED.format(where=where))
    stands = call.ctx.history.configuration(agent, ref)
    if ref.number not in stands.pulls:
        return no(call, messages.NOT_THE_LAST.format(where=where))
    words = visible(" ".join(call.command.words)).strip()[:MOST_WHY]
    why = messages.BY_WISH.format(operator=plain_name(call.comment.author.login))
    why += messages.BECAUSE.format(why=words) if words else ""
    return yes(call, messages.ROLLED_BACK.format(where=where), ProposeRevert(ref, agent, why, key=call.key("revert")))


def deploy_now(call: Invocation) -> CommandOutcome:
    """Deploy what was merged in a freeze window before that is over; a suspension is ended by its own word."""
    ref = call.comment.ref
    agent = deployed_from(ref.repo, call.ctx.team)
    if not agent:
        return no(call, messages.NOTHING_DEPLOYED)
    if call.named not in {"", "now"}:
        return no(call, messages.USAGE.format(form=call.command.spec.form if call.command.spec else ""))
    stands = call.ctx.history.configuration(agent, ref)
    if not stands.waits:
        return no(call, messages.NOTHING_WAITS)
    if stands.suspended:
        return no(call, messages.STILL_SUSPENDED.format(why=plain(stands.suspended)))
    return yes(
        call, messages.DEPLOYED_NOW.format(sha=f"`{stands.last[:7]}`"), DeployNow(ref, agent, key=call.key("deploy"))
    )


def suspend_deployments(call: Invocation) -> CommandOutcome:
    """Let merged configurations of an agent wait."""
    ref, by = call.comment.ref, call.comment.author
    agent = call.ctx.team.configs.get(ref.repo, "")
    if not agent:
        return no(call, messages.NOT_A_CONFIG)
    if suspended := call.ctx.history.configuration(agent, ref).suspended:
        return no(call, messages.ALREADY_SUSPENDED.format(why=plain(suspended)))
    why = visible(" ".join(call.command.words)).strip()[:MOST_WHY]
    action = SuspendDeployments(ref, agent, by, why, key=call.key("suspend"))
    return yes(call, messages.DEPLOYMENTS_SUSPENDED.format(agent=agent), action)


def resume_deployments(call: Invocation, agent: str, *, is_paused: bool) -> CommandOutcome | None:
    """Deploy merged configurations again, on a thread of this agent's own; None where they are not suspended.

    An agent that is paused as well is resumed with it: on its own configuration, one word ends both.
    """
    ref = call.comment.ref
    if call.ctx.team.configs.get(ref.repo) != agent or not call.ctx.history.configuration(agent, ref).suspended:
        return None
    action = ResumeDeployments(ref, agent, key=call.key("deployments"))
    if not is_paused:
        return yes(call, messages.DEPLOYMENTS_RESUMED.format(agent=agent), action)
    return yes(call, messages.BOTH_RESUMED.format(agent=agent), action, Resume(ref, agent, key=call.key("resume")))


def plan(call: Invocation) -> CommandOutcome:
    """Plan a change again: what it is compared with may have moved."""
    ref = call.comment.ref
    if ref.repo not in call.ctx.team.configs or not call.ctx.forge.issue(ref).is_pull:
        return no(call, messages.NOT_A_CONFIG)
    pull = call.ctx.forge.pull(ref)
    if not pull.is_open:
        return no(call, messages.CLOSED.format(where=f"#{ref.number}"))
    asked = RequestBotReview(ref, call.comment.author, key=call.key("ask"))
    return yes(call, messages.PLANNED.format(sha=f"`{pull.head_sha[:7]}`"), asked)
