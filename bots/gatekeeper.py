"""The gatekeeper: posts a plan for each change of an agent's configuration, and reports merged ones to the host.

It neither merges nor touches a host: after a merge it only asks the host to check, and the host verifies for itself
that an operator approved the change. Performs no I/O.
"""

from __future__ import annotations

from collections.abc import Iterator

from bots import verdicts
from bots.agent_intents import Deploy
from bots.bot import AGENTS, Bot, Context
from bots.configurations import ConfigurationView, Evaluation, PolicyPoint
from bots.intents import (
    Intent,
    PinProposal,
    PostComment,
    RefreshVerdict,
    RequestBotReview,
    RequestReview,
    ResumeRuns,
    SetStatus,
    SetVerdict,
    ShowPlan,
    TagDenied,
    TagProposal,
)
from bots.markdown import code, listed, plain, plain_name
from bots.models import HIVE
from bots.rejections import denied
from bots.slash_commands import is_altered, spoken
from forge.events import PullChanged, PullClosed, PullMerged, ReviewAsked
from forge.models import CommitStatus, PullRequest, Ref, State, User

CONTEXT = "hive/eval"
POLICY = "hive/policy"
PLAN = """\
🔎 **Plan for {agent}** at {sha}

{verdict}

{changes}{policy}

Merging this pull request is the approval: the host verifies it, builds exactly this, and rebuilds the container.{compare}
"""
PROBLEMS = """\
🔴 **{agent} would not build** at {sha}

{problems}

The container stays as it is. Push a fixed commit, and it is evaluated again.{compare}
"""
BUILDS, STAYS = "🟢 builds · restart", "🟢 builds · nothing that runs changes"
CHECKLIST = "\n\n**Before you merge**\n\n{points}"
COMPARE = "\n\nCompare with {links}"
DENIED = """\
⛔ **{agent}: rejected by an operator** · `denied/{number}`

The configuration stays as it is. {resumed}
"""
RESUMED = "@{agent} waited for this, and continues with the reason given here."
NOT_RESUMED = "No run waits for it."
CLOSED = """\
Your proposal {ref} was closed unmerged by {login}, who is not an operator. Your configuration stays as it is.

Continue your work without it, or `finish` with `blocked` if you cannot.
"""
NOTHING = "- nothing that runs changes"
UPGRADES = """\
🐝 This is the hive's own source: merging this pull request is the approval to run it.

The host verifies the merge, builds the merged commit beside the version that runs, checks it, and changes over. If the new version does not come up, the old one returns, and a comment here says why.
"""

bot = Bot(
    "gatekeeper",
    may={
        RequestBotReview,
        PinProposal,
        RequestReview,
        SetVerdict,
        RefreshVerdict,
        PostComment,
        SetStatus,
        ShowPlan,
        TagProposal,
        TagDenied,
        ResumeRuns,
        Deploy,
    },
    listens_to_bots={"core", AGENTS},
    verdict=CONTEXT,
)


@bot.on(PullChanged)
def ask(event: PullChanged, ctx: Context) -> Iterator[Intent]:
    """Request an evaluation of each head, once for each base; until then its status is pending."""
    if event.ref.repo in ctx.team.configs:
        yield from verdicts.ask(event, ctx.forge.pull(event.ref), ctx, context=CONTEXT, bot=bot.name)
    elif event.ref.repo == ctx.team.source:
        yield from pin_source(event.ref, ctx)


def pin_source(ref: Ref, ctx: Context) -> Iterator[Intent]:
    """Pin each head of a change of the hive itself: the host believes no merge of a head that was never seen open."""
    pull = ctx.forge.pull(ref)
    if pull.is_open:
        yield PinProposal(ref, pull.head_sha, "", key=f"propose:{ref}:{pull.head_sha}")
        yield PostComment(ref, UPGRADES.strip(), key=f"upgrades:{ref}")


@bot.on(ReviewAsked)
def evaluate(event: ReviewAsked, ctx: Context) -> Iterator[Intent]:
    """Pin the head, set `hive/eval`, and post the plan."""
    agent = ctx.team.configs.get(event.ref.repo)
    if agent is None:
        return
    pull = ctx.forge.pull(event.ref)
    if not pull.is_open:
        return
    seen = ctx.evaluator.evaluate(pull, agent)
    key = f"{event.ref}:{pull.base_branch}:{seen.head_sha}:{seen.tree}"
    if not seen.problems:
        yield RequestReview(event.ref, ctx.team.operators_of(agent), key=f"call:{event.ref}")
        yield PinProposal(event.ref, seen.head_sha, seen.tree, key=f"propose:{key}")
        yield TagProposal(event.ref, seen.head_sha, key=f"tag:{event.ref}:{seen.head_sha}")
        yield SetStatus(event.ref.repo, seen.head_sha, policy_status(seen), key=f"policy:{key}")
    yield verdicts.verdict(pull, ctx, status(seen), key=f"eval:{event.key}", scope=key)
    body = plan_comment(seen, agent, compared(pull, ctx.history.configuration(agent, event.ref)))
    yield ShowPlan(event.ref, seen.head_sha, pull.base_branch, body, key=f"plan:{key}")


@bot.on(PullMerged)
def deploy(event: PullMerged, ctx: Context) -> Iterator[Intent]:
    """Ask the host to check a configuration that the forge reports as merged."""
    agent = ctx.team.configs.get(event.ref.repo)
    if agent is None and event.ref.repo == ctx.team.source:
        agent = HIVE
    if agent is not None:
        yield Deploy(event.ref, agent, key=f"deploy:{event.ref}")


@bot.on(PullClosed)
def report_rejection(event: PullClosed, ctx: Context) -> Iterator[Intent]:
    """Report a change that was closed unmerged as rejected if an operator closed it; resume runs that wait for it.

    A change that `/deny` closed was reported by that command.
    """
    agent = ctx.team.configs.get(event.ref.repo)
    if agent is None:
        return
    pull, by = ctx.forge.pull(event.ref), closed_by(event.ref, ctx)
    yield from verdicts.over(event, pull, context=CONTEXT)
    if pull.is_open or pull.merged or (by is not None and is_own(by, ctx)):
        return
    if by is None or by.id not in ctx.team.operators:
        login = plain_name(by.login) if by is not None else "an unknown account"
        where = f"{event.ref.repo.path}#{event.ref.number}"
        message = CLOSED.format(ref=where, login=login).strip()
        yield ResumeRuns(event.ref, message, key=f"closed:{event.ref}:{pull.head_sha}")
        return
    tag, resume_runs = denied(pull, last_comment(event.ref, by, ctx), by, ctx.team)
    is_awaited = ctx.history.status(event.ref) is not None
    resumed = (RESUMED if is_awaited else NOT_RESUMED).format(agent=agent)
    text = DENIED.format(agent=agent, number=event.ref.number, resumed=resumed).strip()
    yield from (tag, resume_runs, PostComment(event.ref, text, key=tag.key, if_closed=True))


def closed_by(ref: Ref, ctx: Context) -> User | None:
    """Who closed it last, by the timeline; a payload is no proof."""
    rows = [row for row in ctx.forge.timeline(ref) if row.kind == "close"]
    return rows[-1].actor if rows else None


def is_own(user: User, ctx: Context) -> bool:
    """Whether an account belongs to a bot."""
    return any(user.id == account.id for account in ctx.team.accounts.values())


def last_comment(ref: Ref, by: User, ctx: Context) -> str:
    """The last unedited comment of an account, without commands; empty without one."""
    own = (comment for comment in ctx.forge.comments(ref) if comment.author.id == by.id and not is_altered(comment))
    texts = [spoken(comment.body) for comment in own]
    return next((text for text in reversed(texts) if text.strip()), "")


def status(seen: Evaluation) -> CommitStatus:
    """The commit status of an evaluation."""
    if seen.problems:
        return CommitStatus(CONTEXT, State.FAILURE, f"🔴 {len(seen.problems)} to fix")
    return CommitStatus(CONTEXT, State.SUCCESS, "🟢 builds")


def policy_status(seen: Evaluation) -> CommitStatus:
    """The commit status of the checklist: it asks for attention, and stops nothing."""
    notes = sum(len(point.notes) for point in seen.policy)
    return CommitStatus(POLICY, State.SUCCESS, f"🟡 {notes} to look at" if notes else "🟢 nothing unusual")


def plan_comment(seen: Evaluation, agent: str, compare: str = "") -> str:
    """The comment about an evaluation; `compare` are links to what the head differs from."""
    sha = code(seen.head_sha[:7])
    links = COMPARE.format(links=compare) if compare else ""
    if seen.problems:
        return PROBLEMS.format(agent=agent, sha=sha, problems=listed(seen.problems), compare=links).strip()
    return PLAN.format(
        agent=agent,
        sha=sha,
        verdict=BUILDS if seen.changes else STAYS,
        changes=listed(seen.changes) or NOTHING,
        policy=CHECKLIST.format(points="\n".join(map(checked, seen.policy))) if seen.policy else "",
        compare=links,
    ).strip()


def checked(point: PolicyPoint) -> str:
    """A question of the checklist, and what to look at."""
    if not point.notes:
        return f"- 🟢 {point.question}"
    return f"- 🟡 {point.question}, but look at: {'; '.join(plain(note) for note in point.notes)}"


def compared(pull: PullRequest, stands: ConfigurationView) -> str:
    """Links from a head to what runs, to the head before it, and to its base."""
    page = pull.html_url.rpartition("/pulls/")[0]
    earlier = [head for head in stands.heads if head != pull.head_sha]
    others = {
        "what runs": stands.running,
        "the proposal before": earlier[-1] if earlier else "",
        "its base": pull.base_sha,
    }
    links = [f"[{name}]({page}/compare/{sha}...{pull.head_sha})" for name, sha in others.items() if sha]
    return ", ".join(links) if page else ""
