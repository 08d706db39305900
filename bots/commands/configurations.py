"""`/retry`, `/rollback` and `/plan` on a pull request that changes a configuration. Performs no I/O."""

from __future__ import annotations

from bots.agent_intents import ProposeRevert, RetryDeployment
from bots.commands import messages
from bots.commands.invocation import CommandOutcome, Invocation, no, yes
from bots.intents import RequestBotReview
from bots.markdown import plain_name, visible

MOST_WHY = 200


def retry_deployment(call: Invocation) -> CommandOutcome:
    """Deploy a merged commit that failed once more: what failed it may have passed."""
    agent, ref = call.ctx.team.configs[call.comment.ref.repo], call.comment.ref
    stands = call.ctx.history.configuration(agent, ref)
    if not stands.failed or ref.number not in stands.pulls:
        return no(call, messages.NOTHING_FAILED)
    action = RetryDeployment(ref, agent, key=call.key("deploy"))
    return yes(call, messages.RETRIED.format(sha=f"`{stands.last[:7]}`"), action)


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
