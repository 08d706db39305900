"""The gatekeeper: says what a change of an agent's configuration would do, and hands a merged one on.

It never merges and never touches a host: a merged change is only a wish to look, and the host
verifies for itself that an operator approved it. Performs no I/O.
"""

from __future__ import annotations

from collections.abc import Iterator

from bots import verdicts
from bots.bot import AGENTS, Bot, Context
from bots.intents import (
    Deploy,
    Intent,
    PinProposal,
    PostComment,
    RefreshVerdict,
    RequestBotReview,
    RequestReview,
    ResumeRuns,
    SetVerdict,
    TagDenied,
)
from bots.markdown import code, plain, plain_name
from bots.models import Evaluation
from bots.rejections import denied
from bots.slash_commands import is_altered, spoken
from forge.events import PullChanged, PullClosed, PullMerged, ReviewAsked
from forge.models import CommitStatus, Ref, State, User

CONTEXT = "hive/eval"
PLAN = """\
🔎 **Plan for {agent}** at {sha}

{changes}

Merging this pull request is the approval: the host verifies it, builds exactly this, and rebuilds the container.
"""
PROBLEMS = """\
🔴 **{agent} would not build** at {sha}

{problems}

The container goes on as it is. Push a mended commit and it is looked at again.
"""
DENIED = """\
⛔ **{agent}: refused by an operator** · `denied/{number}`

The configuration stays as it is. {told}
"""
TOLD = "@{agent} waited for this, and goes on with what was said here."
UNTOLD = "Nobody waits for it."
CLOSED = """\
Your proposal {ref} was closed by {login}, who is no operator, and not merged. Your configuration stays as it is.

Go on with your work without it, or `finish` with `blocked` if you cannot.
"""
NOTHING = "- nothing that runs changes"

bot = Bot(
    "gatekeeper",
    may={
        RequestBotReview,
        PinProposal,
        RequestReview,
        SetVerdict,
        RefreshVerdict,
        PostComment,
        TagDenied,
        ResumeRuns,
        Deploy,
    },
    listens_to_bots={"core", AGENTS},
    verdict=CONTEXT,
)


@bot.on(PullChanged)
def ask(event: PullChanged, ctx: Context) -> Iterator[Intent]:
    """Have each head evaluated once for each base; until then it is pending."""
    if event.ref.repo in ctx.team.configs:
        yield from verdicts.ask(event, ctx.forge.pull(event.ref), ctx, context=CONTEXT, bot=bot.name)


@bot.on(ReviewAsked)
def evaluate(event: ReviewAsked, ctx: Context) -> Iterator[Intent]:
    """Pin the head, set `hive/eval`, and say what merging would mean."""
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
    yield verdicts.verdict(pull, ctx, status(seen), key=f"eval:{event.key}", scope=key)
    yield PostComment(event.ref, say(seen, agent), key=f"plan:{key}")


@bot.on(PullMerged)
def deploy(event: PullMerged, ctx: Context) -> Iterator[Intent]:
    """Let the host look at a configuration that a forge calls merged."""
    agent = ctx.team.configs.get(event.ref.repo)
    if agent is not None:
        yield Deploy(event.ref, agent, key=f"deploy:{event.ref}")


@bot.on(PullClosed)
def tell_refused(event: PullClosed, ctx: Context) -> Iterator[Intent]:
    """A change that was closed unmerged is refused if an operator closed it; whoever waits for it goes on either way.

    What a command closed was told by the command.
    """
    agent = ctx.team.configs.get(event.ref.repo)
    if agent is None:
        return
    pull, by = ctx.forge.pull(event.ref), closed_by(event.ref, ctx)
    yield from verdicts.over(event, pull, context=CONTEXT)
    if pull.is_open or pull.merged or (by is not None and is_own(by, ctx)):
        return
    if by is None or by.id not in ctx.team.operators:
        login = plain_name(by.login) if by is not None else "somebody"
        where = f"{event.ref.repo.path}#{event.ref.number}"
        told = CLOSED.format(ref=where, login=login).strip()
        yield ResumeRuns(event.ref, told, key=f"closed:{event.ref}:{pull.head_sha}")
        return
    tag, wake = denied(pull, last_words(event.ref, by, ctx), by, ctx.team)
    waits = ctx.history.status(event.ref)
    told = (UNTOLD if waits is None else TOLD).format(agent=agent)
    said = DENIED.format(agent=agent, number=event.ref.number, told=told).strip()
    yield from (tag, wake, PostComment(event.ref, said, key=tag.key, if_closed=True))


def closed_by(ref: Ref, ctx: Context) -> User | None:
    """Who closed it last, by the timeline: payloads prove nothing."""
    rows = [row for row in ctx.forge.timeline(ref) if row.kind == "close"]
    return rows[-1].actor if rows else None


def is_own(user: User, ctx: Context) -> bool:
    """Whether an account is one by which bots speak."""
    return any(user.id == account.id for account in ctx.team.accounts.values())


def last_words(ref: Ref, by: User, ctx: Context) -> str:
    """What whoever closed it said last, without commands and as it was posted; empty if nothing."""
    mine = (comment for comment in ctx.forge.comments(ref) if comment.author.id == by.id and not is_altered(comment))
    said = [spoken(comment.body) for comment in mine]
    return next((words for words in reversed(said) if words.strip()), "")


def status(seen: Evaluation) -> CommitStatus:
    """The commit status of an evaluation."""
    if seen.problems:
        return CommitStatus(CONTEXT, State.FAILURE, f"🔴 {len(seen.problems)} to mend")
    return CommitStatus(CONTEXT, State.SUCCESS, "🟢 builds")


def say(seen: Evaluation, agent: str) -> str:
    """The comment of an evaluation."""
    sha = code(seen.head_sha[:7])
    if seen.problems:
        return PROBLEMS.format(agent=agent, sha=sha, problems=listed(seen.problems)).strip()
    return PLAN.format(agent=agent, sha=sha, changes=listed(seen.changes) or NOTHING).strip()


def listed(lines: tuple[str, ...]) -> str:
    """Sentences as a list; they may hold words of the change itself."""
    return "\n".join(f"- {plain(line)}" for line in lines)
