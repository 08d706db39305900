"""The wakes bot: an operator's mention, a review request, a lane's label and an announcement wake agents. Performs no I/O.

Together with the lane bot, which hears assignments, answers, reviews, red checks and conflicts, these are all that wakes an
agent. A wake by a mention or a review request on a thread where others work is for one turn and for words only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from bots.agent_intents import GiveWork
from bots.bot import Bot, Context
from bots.holds import SUSPECTED, hold_on, is_released
from bots.intents import Assign, Intent, PostComment, React, StartRun
from bots.markdown import fenced, plain_name
from bots.mentions import announces, called, is_announcement, mentioned
from bots.models import Lane, Team
from bots.request_reading import of_comment, of_issue
from bots.slash_commands import is_altered, spoken
from bots.starts import SEEN, waits
from bots.task_prompt import thread_excerpt
from bots.threads import reply
from bots.wake_kind import Wake
from forge.events import CommentPosted, IssueLabeled, IssueOpened, ReviewerRequested
from forge.models import Comment, Issue, Ref, TimelineEvent, User
from forge.protocol import NotFound

MOST = 5
"""Agents that one comment wakes, unless it is an announcement."""

MENTIONED = "{by} mentioned you on {what}, which you are not assigned to."
REVIEW = (
    "{by} asked for your review of {what}. Its head is {sha}; `git fetch origin refs/pull/{number}/head` brings it."
)
CONSULTED = """\
{why} Answer in words, with what you find: nothing can be pushed from here, and this is for one turn.

{title}
{body}"""
ANNOUNCED = """\
{by} announces something to all agents on {what}. No action is needed, and you cannot answer: nothing can be said or pushed from
here. If it matters for your later work, note it; then end your turn.

{title}
{body}"""
WORDS = "\n\nThe comment:\n{text}"

bot = Bot("wakes", may={Assign, GiveWork, StartRun, PostComment, React})


@bot.on(IssueOpened)
def hear_announcement(event: IssueOpened, ctx: Context) -> Iterator[Intent]:
    """An issue of an operator that mentions all agents is an announcement; the mention of one is for triage."""
    issue = ctx.forge.issue(event.ref)
    if is_at_work(issue, ctx) and is_announcement(issue, ctx.team):
        yield from announce(issue, issue.author, None, ctx)


@bot.on(CommentPosted)
def hear_mentions(event: CommentPosted, ctx: Context) -> Iterator[Intent]:
    """An operator's comment wakes the agents that it mentions, as it was first posted."""
    if event.actor.id not in ctx.team.operators or event.ref.repo not in ctx.team.repos:
        return
    comment, on_line = posted(event.ref, event.comment_id, ctx)
    if comment is None or comment.author.id not in ctx.team.operators or is_altered(comment, event.digest):
        return
    names = mentioned(spoken(comment.body))
    wants_all, agents = announces(names, ctx.team), called(names, ctx.team)
    if not wants_all and not agents:
        return
    issue = ctx.forge.issue(event.ref)
    if not is_at_work(issue, ctx, pulls=True):
        return
    if wants_all:
        yield from announce(issue, comment.author, comment, ctx)
        return
    seen = tuple(ask(agent, issue, comment, ctx, first=not number) for number, agent in enumerate(agents[:MOST]))
    for intents in seen:
        yield from intents
    after = tuple(intent.key for intents in seen for intent in intents if isinstance(intent, StartRun | Assign))
    if after and not on_line:
        yield React(event.ref, comment.id, SEEN, key=f"seen:mention:{event.ref.repo}:{comment.id}", after=after)


@bot.on(ReviewerRequested, listens_to_bots={"core"})
def hear_review_request(event: ReviewerRequested, ctx: Context) -> Iterator[Intent]:
    """An operator, or the hive, who asks an agent for a review wakes it, once for each request."""
    issue = ctx.forge.issue(event.ref)
    if not is_at_work(issue, ctx, pulls=True) or not issue.is_pull:
        return
    pull = ctx.forge.pull(event.ref)
    for user in pull.reviewers:
        agent = ctx.team.agent_of(user)
        row = request_of(user, ctx.forge.timeline(event.ref))
        if agent is None or row is None or row.actor is None or not may_ask(row.actor, ctx.team):
            continue
        if user.id == pull.author.id or is_here(agent, event.ref, ctx):
            continue
        facts = {
            "by": plain_name(row.actor.login),
            "what": what(issue),
            "sha": pull.head_sha[:7],
            "number": event.ref.number,
        }
        yield from consult(agent, issue, REVIEW.format(**facts), f"review:{agent}:{event.ref}:{row.id}", ctx)


@bot.on(IssueLabeled)
def hear_labels(event: IssueLabeled, ctx: Context) -> Iterator[Intent]:
    """A lane's label by an operator, or `ready`, gives an issue that nobody has to the agent of its lane."""
    issue = ctx.forge.issue(event.ref)
    if not is_at_work(issue, ctx) or ctx.team.is_machine(event.actor):
        return
    run = ctx.history.run_for(event.ref)
    if any(ctx.team.agent_of(user) for user in issue.assignees) or (run is not None and run.state == "open"):
        return
    rows = ctx.forge.timeline(event.ref)
    lane = lane_wanted(issue, rows, ctx.team)
    if lane is None or hold_on(issue, ctx.team, lambda: rows) is SUSPECTED:
        return
    last = newest_change(rows)
    key = f"lane:{lane.agent}:{event.ref}:{last.id if last is not None else 0}"
    if last is not None and last.actor is not None and last.actor.id in ctx.team.operators:
        yield Assign(event.ref, (lane.agent,), key=key)
    else:  # a member lets work start; an order is an operator's
        yield GiveWork(event.ref, lane.agent, lane.name, key=key)
    yield React(event.ref, 0, SEEN, key=f"seen:{key}", after=(key,))


def lane_wanted(issue: Issue, rows: list[TimelineEvent], team: Team) -> Lane | None:
    """The lane that the newest labels of an issue ask for: an operator set one, or somebody with the right to set `ready`.

    Labels that were set at once are one act, as a forge writes a row for each. What happened before the last change of the
    assignees was answered by it.
    """
    last = newest_change(rows)
    if last is None or last.kind != "label" or last.actor is None:
        return None
    by = last.actor
    act = [row for row in rows if row.kind == "label" and row.created_at == last.created_at and row.actor == by]
    names = [row.label for row in act if not row.removed]
    here = [lane for lane in team.lanes if lane.label in issue.labels]
    if by.id in team.operators:
        wanted = [lane for lane in here if lane.label in names]
        if wanted:
            return wanted[0]
    if any(name.casefold() == "ready" for name in names) and is_released(issue, team, rows, has_run=False):
        return here[0] if here else None
    return None


def newest_change(rows: Iterable[TimelineEvent]) -> TimelineEvent | None:
    """The newest row about labels or assignees."""
    return next((row for row in reversed([*rows]) if row.kind in ("label", "assignees")), None)


def ask(agent: str, issue: Issue, comment: Comment, ctx: Context, *, first: bool) -> list[Intent]:
    """What an operator's mention of an agent wants, nothing where it is heard anyway.

    That is the work, if nobody has it and the agent was mentioned `first`; else an answer.
    """
    ref, key = issue.ref, f"mention:{agent}:{issue.ref.repo}:{comment.id}"
    if is_here(agent, ref, ctx):
        return []
    run = ctx.history.run_for(ref)
    hold = hold_on(issue, ctx.team, lambda: ctx.forge.timeline(ref), has_run=run is not None)
    if hold is SUSPECTED:
        return [PostComment(ref, waits(agent, hold, ctx.team), key=f"held:{hold.name}:{agent}:{ref}")]
    is_free = first and not issue.is_pull and not any(ctx.team.agent_of(user) for user in issue.assignees)
    if is_free and (hold is None or hold.may_run):
        return [Assign(ref, (agent,), key=key)]
    why = MENTIONED.format(by=plain_name(comment.author.login), what=what(issue))
    text = fenced(
        "comment", spoken(comment.body), author=comment.author.login, standing=ctx.team.standing(comment.author)
    )
    earlier = [said for said in ctx.forge.comments(ref) if said.id != comment.id]
    task = task_of(CONSULTED, issue, ctx, earlier, why=why) + WORDS.format(text=text)
    request = of_comment(spoken(comment.body), comment.author, ctx.team)
    return [StartRun(ref, agent, task, key=key, wake=Wake.MENTION, request=request)]


def consult(agent: str, issue: Issue, why: str, key: str, ctx: Context) -> Iterator[Intent]:
    """Ask an agent for an answer in words."""
    if hold_on(issue, ctx.team, lambda: ctx.forge.timeline(issue.ref), has_run=True) is SUSPECTED:
        yield PostComment(
            issue.ref, waits(agent, SUSPECTED, ctx.team), key=f"held:{SUSPECTED.name}:{agent}:{issue.ref}"
        )
        return
    task = task_of(CONSULTED, issue, ctx, ctx.forge.comments(issue.ref), why=why)
    yield StartRun(issue.ref, agent, task, key=key, wake=Wake.REVIEW, request=of_issue(issue, ctx.team))
    yield React(issue.ref, 0, SEEN, key=f"seen:{key}", after=(key,))


def announce(issue: Issue, by: User, comment: Comment | None, ctx: Context) -> Iterator[Intent]:
    """Tell all agents of something: each gets a turn in which it can only take note."""
    at = 0 if comment is None else comment.id
    task = task_of(ANNOUNCED, issue, ctx, by=plain_name(by.login), what=what(issue))
    if comment is not None:
        text = fenced("comment", spoken(comment.body), author=by.login, standing=ctx.team.standing(by))
        task += WORDS.format(text=text)
    keys = []
    for agent in sorted(ctx.team.agents):
        keys.append(f"announce:{agent}:{issue.ref}:{at}")
        yield StartRun(issue.ref, agent, task, key=keys[-1], wake=Wake.ANNOUNCEMENT)
    yield React(issue.ref, at, SEEN, key=f"seen:announce:{issue.ref}:{at}", after=tuple(keys))


def task_of(text: str, issue: Issue, ctx: Context, comments: Iterable[Comment] = (), **facts: str) -> str:
    """What an agent is told of a thread that is not its own."""
    login, standing = issue.author.login, ctx.team.standing(issue.author)
    title = fenced("title", issue.title, author=login, standing=standing)
    body = fenced("text", issue.body or "(no text)", author=login, standing=standing)
    return text.format(title=title, body=body, **facts) + thread_excerpt(comments, ctx.team)


def is_at_work(issue: Issue, ctx: Context, *, pulls: bool = False) -> bool:
    """Whether it is an open issue in which agents work, or with `pulls` a pull request."""
    return issue.is_open and issue.ref.repo in ctx.team.repos and (pulls or not issue.is_pull)


def is_here(agent: str, ref: Ref, ctx: Context) -> bool:
    """Whether an agent has an open run on a thread: then the lane bot passes on what operators say there."""
    run = ctx.history.run_for(ref)
    return run is not None and run.state == "open" and run.agent == agent


def posted(ref: Ref, comment_id: int, ctx: Context) -> tuple[Comment | None, bool]:
    """A comment, and whether it is a reply on a line of code."""
    try:
        return ctx.forge.comment_by_id(ref, comment_id), False
    except NotFound:
        found = reply(ctx.forge, ref, comment_id)
        return (None if found is None else found.comment), True


def may_ask(user: User, team: Team) -> bool:
    """Whether somebody's request for a review wakes an agent: an operator's, or that of the hive itself, of no agent."""
    return user.id in team.operators or (team.is_machine(user) and team.agent_of(user) is None)


def request_of(user: User, rows: Iterable[TimelineEvent]) -> TimelineEvent | None:
    """The newest row of a request that somebody reviews, if it was not taken back."""
    mine = [row for row in rows if row.kind == "review_request" and row.user is not None and row.user.id == user.id]
    return mine[-1] if mine and not mine[-1].removed else None


def what(issue: Issue) -> str:
    """An issue or pull request, by its number."""
    return f"{'pull request' if issue.is_pull else 'issue'} #{issue.ref.number} of {issue.ref.repo.path}"
