"""The roster bot: plans each change of who works here, and turns a request for an agent into a pull request.

It neither merges nor makes an account: a merge is an operator's, and the host verifies it. Performs no I/O.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from bots import verdicts
from bots.agent_intents import Deploy, ProposeAgent, roster_of
from bots.bot import Bot, Context, Where
from bots.configurations import Evaluation
from bots.intents import (
    Intent,
    PinProposal,
    PostComment,
    RefreshVerdict,
    RequestBotReview,
    RequestReview,
    SetVerdict,
    ShowPlan,
)
from bots.markdown import code, listed, visible
from bots.models import AGENT_NAME, RESERVED_NAMES
from forge.events import Event, IssueEdited, IssueLabeled, IssueOpened, PullChanged, PullClosed, PullMerged, ReviewAsked
from forge.models import CommitStatus, Issue, State

CONTEXT = "hive/roster"
SPAWN = "request/spawn"
"""The label of a request for an agent."""

PLAN = """\
👥 **Plan for roster and base** at {sha}

{changes}

Merging this pull request is the approval: the host verifies it, and does exactly this.
"""
PROBLEMS = """\
🔴 **This would not count** at {sha}

{problems}

Everybody stays as they are. Push a fixed commit, and it is evaluated again.
"""
REFUSED = """\
🔴 **No agent {name}**: {why}

Edit this issue, and it is read again.
"""
NOTHING = "- nobody comes or goes"

MOST_WHY = 4000
_HEADING = re.compile(r"^### +(.+?) *$", re.MULTILINE)
_LANE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")

bot = Bot(
    "roster",
    may={
        Deploy,
        PinProposal,
        PostComment,
        ProposeAgent,
        RefreshVerdict,
        RequestBotReview,
        RequestReview,
        SetVerdict,
        ShowPlan,
    },
    listens_to_bots={"core"},
    verdict=CONTEXT,
    where=Where.OWN,
)


@bot.on(PullChanged)
def ask(event: PullChanged, ctx: Context) -> Iterator[Intent]:
    """Request an evaluation of each head of a change of the roster, once for each base."""
    if is_on_roster(event, ctx):
        yield from verdicts.ask(event, ctx.forge.pull(event.ref), ctx, context=CONTEXT, bot=bot.name)


@bot.on(ReviewAsked)
def evaluate(event: ReviewAsked, ctx: Context) -> Iterator[Intent]:
    """Pin the head, set `hive/roster`, and post the plan."""
    if not is_on_roster(event, ctx):
        return
    pull = ctx.forge.pull(event.ref)
    if not pull.is_open:
        return
    seen = ctx.evaluator.evaluate_roster(pull)
    key = f"{event.ref}:{pull.base_branch}:{seen.head_sha}:{seen.tree}"
    if not seen.problems:
        yield RequestReview(event.ref, ctx.team.operator_logins, key=f"call:{event.ref}")
        yield PinProposal(event.ref, seen.head_sha, seen.tree, key=f"propose:{key}")
    yield verdicts.verdict(pull, ctx, status(seen), key=f"eval:{event.key}", scope=key)
    yield ShowPlan(event.ref, seen.head_sha, pull.base_branch, plan_comment(seen), key=f"plan:{key}")


@bot.on(PullMerged)
def follow(event: PullMerged, ctx: Context) -> Iterator[Intent]:
    """Ask the host to check a roster that the forge reports as merged."""
    if is_on_roster(event, ctx):
        yield Deploy(event.ref, roster_of(event.ref.repo.forge), key=f"deploy:{event.ref}")


@bot.on(PullClosed)
def forget(event: PullClosed, ctx: Context) -> Iterator[Intent]:
    """Show the verdicts of heads that a closed pull request shared."""
    if is_on_roster(event, ctx):
        yield from verdicts.over(event, ctx.forge.pull(event.ref), context=CONTEXT)


@bot.on(IssueOpened)
def propose(event: IssueOpened, ctx: Context) -> Iterator[Intent]:
    """Answer a request for an agent: by a pull request on the roster, or why there can be no such agent."""
    yield from answer(event, ctx)


@bot.on(IssueLabeled)
def propose_by_label(event: IssueLabeled, ctx: Context) -> Iterator[Intent]:
    """Answer an issue that became a request by its label."""
    yield from answer(event, ctx)


@bot.on(IssueEdited)
def propose_again(event: IssueEdited, ctx: Context) -> Iterator[Intent]:
    """Answer a request that was edited; what was proposed already stays proposed."""
    yield from answer(event, ctx)


def answer(event: Event, ctx: Context) -> Iterator[Intent]:
    """What becomes of a request for an agent."""
    if event.ref.repo != ctx.team.requests or ctx.team.roster is None:
        return
    issue = ctx.forge.issue(event.ref)
    asks = SPAWN in issue.labels or issue.title.lower().startswith("spawn:")  # not everybody may set labels
    if issue.is_pull or not issue.is_open or not asks:
        return
    said = form(issue)
    name, lane, why = (said.get(key, "") for key in ("name", "lane", "why"))
    refusal = refusal_of(name, lane, ctx)
    if refusal:
        text = REFUSED.format(name=code(name[:40]) if name else "without a name", why=refusal).strip()
        yield PostComment(event.ref, text, key=f"refused:{event.ref}:{name[:40]}:{lane[:40]}")
        return
    words = visible(why).strip()[:MOST_WHY]
    yield ProposeAgent(event.ref, ctx.team.roster, name, lane, words, key=f"spawn:{event.ref}:{name}")


def refusal_of(name: str, lane: str, ctx: Context) -> str:
    """Why there can be no agent of a name; empty if there can."""
    if not AGENT_NAME.fullmatch(name):
        return "a name is 1 to 9 small letters and digits, a letter first, since a container's name is short."
    if name in RESERVED_NAMES or any(name == account.login for account in ctx.team.accounts.values()):
        return "that name is the hive's own."
    if name in ctx.team.agents:
        return "there is an agent of that name already."
    if not _LANE.fullmatch(lane):
        return "a lane is one word of at most 40 letters, digits and ._-, a letter or digit first."
    if ctx.history.tombstone(name) is not None:
        return f"it was destroyed, and comes back by `/revive {name}`, here or on the issue about it."
    return ""


def form(issue: Issue) -> dict[str, str]:
    """The fields of an issue that a form made, by their headings in small letters."""
    parts = _HEADING.split(issue.body.replace("\r\n", "\n"))
    return {heading.lower(): text.strip() for heading, text in zip(parts[1::2], parts[2::2], strict=False)}


def is_on_roster(event: Event, ctx: Context) -> bool:
    """Whether an event is about the repository of the roster."""
    return ctx.team.roster is not None and event.ref.repo == ctx.team.roster


def status(seen: Evaluation) -> CommitStatus:
    """The commit status of an evaluation."""
    if seen.problems:
        return CommitStatus(CONTEXT, State.FAILURE, f"🔴 {len(seen.problems)} to fix")
    return CommitStatus(CONTEXT, State.SUCCESS, "🟢 can be followed")


def plan_comment(seen: Evaluation) -> str:
    """The comment about an evaluation."""
    sha = code(seen.head_sha[:7])
    if seen.problems:
        return PROBLEMS.format(sha=sha, problems=listed(seen.problems)).strip()
    return PLAN.format(sha=sha, changes=listed(seen.changes) or NOTHING).strip()
