"""The lane bot: an assignment starts a run; comments of operators and reviews continue it. Performs no I/O."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bots.agent_intents import SetUrgency
from bots.bot import AGENTS, Bot, Context
from bots.holds import SUSPECTED, hold_on, is_urgent
from bots.intents import (
    AnswerQuestion,
    BlockRun,
    ContinueRun,
    EndRun,
    Intent,
    PostComment,
    React,
    RequestReview,
    StartRun,
    SyncStateLabels,
)
from bots.markdown import code, fenced
from bots.models import Team, Verdict
from bots.questions import answer_with, is_answer
from bots.request_reading import of_comment, of_review
from bots.rounds import REVIEW_WHY, TurnRounds
from bots.slash_commands import is_altered, slash_commands, spoken
from bots.starts import SEEN, start
from bots.task_prompt import EDITED
from bots.threads import conversations, reply, within
from bots.views import QuestionView, RunView
from bots.wake_kind import Wake
from forge.events import (
    CommentPosted,
    IssueAssigned,
    IssueClosed,
    IssueLabeled,
    IssueOpened,
    PullChanged,
    PullClosed,
    PullConflicted,
    PullMerged,
    PullReviewed,
    StatusFailed,
)
from forge.models import Comment, PullRequest, Ref, Review, ReviewComment, ReviewState
from forge.poll_changes import SOMEBODY

SCOPE = "state/"
"""The prefix of labels that show the state of a run."""

COMMENTED = "There is a new comment on {where}:\n\n{text}"
REVIEWED = "Your pull request {where} was reviewed at {sha}: {state}.\n\n{text}"
ANSWERED = """\
On {where} there is an answer to a review comment on {path}, line {line}.

The review comment:
{remark}

The answer:
{text}"""
ON_LINE = "On {path}, line {line}:\n{text}"
HOW_TO_STOP = """\
🙋 To stop @{agent}: `/pause` on a line of its own suspends it, `/cancel` ends the run and unassigns @{agent}.

Your comment was passed on to @{agent} as it is; only commands stop it for certain.
"""
SUSPECTS = """\
✋ @{agent} is stopped here: {why}.

🙋 {operators}
"""
SUSPECTED_WHY = "somebody suspects that its issue was written to steer an agent"
WISH = re.compile(
    r"(?:(?:please|pls|ok|okay|hey|no|just|@[\w-]+)[\s,.!:]*)*(?:stop|halt|abort|cancel|quit|give up|leave it)"
    r"(?:[\s,]+(?:it|this|that|now|here|working|work|immediately|please|thanks))*[\s.!]*",
    re.IGNORECASE,
)
"""A comment that says nothing but that work should stop."""

PASSES = frozenset({Verdict.GOOD.name, Verdict.REMARKS.name})
"""Verdicts after which a pull request waits for an operator."""

MAX_WISH = 200
"""The length of such a comment in characters; a longer one says more than that."""

bot = Bot(
    "lane",
    may={
        *(StartRun, ContinueRun, AnswerQuestion, BlockRun, EndRun, RequestReview, SyncStateLabels, PostComment, React),
        SetUrgency,
    },
    listens_to_bots={"triage", "core", "review", AGENTS},
)


@bot.on(IssueOpened)
def start_opened(event: IssueOpened, ctx: Context) -> Iterator[Intent]:
    """An issue may be opened with assignees, or with labels that only the hive sets."""
    yield from start(event.ref, event.key, ctx)
    if event.ref.repo in ctx.team.repos and any(own.startswith(SCOPE) for own in ctx.forge.issue(event.ref).labels):
        yield SyncStateLabels(event.ref, key=f"show:{event.key}")


@bot.on(IssueAssigned)
def start_assigned(event: IssueAssigned, ctx: Context) -> Iterator[Intent]:
    """An assignment is a work order."""
    yield from start(event.ref, event.key, ctx)


@bot.on(CommentPosted)
def hear(event: CommentPosted, ctx: Context) -> Iterator[Intent]:
    """Pass an operator's comment on a run's issue or pull request on to the agent, without its commands."""
    run = ctx.history.run_for(event.ref)
    if run is None or run.state != "open" or run.wake == Wake.ANNOUNCEMENT:
        return
    comment = next((c for c in ctx.forge.comments(event.ref) if c.id == event.comment_id), None)
    answer = reply(ctx.forge, event.ref, event.comment_id) if comment is None else None
    comment = answer.comment if answer else comment
    question = None if comment is None or answer else asked(comment, run, event.digest, ctx)
    if comment is not None and question is not None and comment.author.id not in ctx.team.operators:
        key = f"comment:{event.ref.repo}:{comment.id}"  # an addressee has a right to this answer, and to nothing else
        yield answer_with(question, comment.body, comment, run, ctx.team, late="", key=key)
        yield React(event.ref, comment.id, SEEN, key=f"seen:{key}")
        return
    if comment is None or comment.author.id not in ctx.team.operators or not (body := spoken(comment.body)):
        return
    standing = ctx.team.standing(comment.author)
    if is_altered(comment, event.digest):
        standing += EDITED
    text = fenced("comment", body, author=comment.author.login, standing=standing)
    where = f"#{event.ref.number}"
    message = COMMENTED.format(where=where, text=text) if answer is None else answered(answer.to, where, text, ctx.team)
    request = of_comment(body, comment.author, ctx.team, to=answer.to if answer else None)
    key = f"comment:{event.ref.repo}:{comment.id}"
    turn = ContinueRun(run.id, message, by_person=True, key=key, request=request)
    if question is not None:
        yield answer_with(question, body, comment, run, ctx.team, late=message, key=key)
    else:
        yield turn if answer is None else within(answer.conversation, turn, ctx.forge)
    if answer is None:  # the id of an answer on a line is not a comment's
        yield React(event.ref, comment.id, SEEN, key=f"seen:{turn.key}")
    if len(wish := body.strip()) <= MAX_WISH and WISH.fullmatch(wish):
        # Prose is ambiguous and ends nothing: the commands that do are explained once a run.
        yield PostComment(event.ref, HOW_TO_STOP.format(agent=run.agent).strip(), key=f"how-to-stop:{run.id}")


def asked(comment: Comment, run: RunView, digest: str, ctx: Context) -> QuestionView | None:
    """The question that a comment answers as it is: posted after it, by whom it is for, not edited, and without `/answer`."""
    question = ctx.history.question(run.id)
    if not is_answer(question, comment, ctx.team) or is_altered(comment, digest):
        return None
    by_command = any(command.name == "answer" for command in slash_commands(comment.body))
    return None if by_command and comment.author.id in ctx.team.operators else question


def answered(to: ReviewComment, where: str, text: str, team: Team) -> str:
    """A message about a reply to a review comment: what it answers, and on which line."""
    author = to.author or SOMEBODY
    remark = fenced("remark", to.body, author=author.login, standing=team.standing(author))
    return ANSWERED.format(where=where, path=code(to.path), line=to.line, remark=remark, text=text)


@bot.on(PullReviewed)
def answer_review(event: PullReviewed, ctx: Context) -> Iterator[Intent]:
    """Pass a review that demands changes on to the pull request's agent, in a bounded number of rounds."""
    run = run_of_pull(event.ref, ctx)
    if run is None:
        return
    pull, reviews = ctx.forge.pull(event.ref), ctx.forge.reviews(event.ref)
    if is_passed(reviews, ctx) and not pull.draft:
        yield RequestReview(event.ref, ctx.team.operators_of(run.agent), key=f"call:{event.ref}")
    yield from pass_on(run, pull, reviews, ctx)


@bot.on(PullChanged)
def follow_pull(event: PullChanged, ctx: Context) -> Iterator[Intent]:
    """What was found while a pull request was a draft is passed on when it is ready."""
    run = run_of_pull(event.ref, ctx)
    if run is not None:
        yield from catch_up(run, event.ref, ctx)


def catch_up(run: RunView, ref: Ref, ctx: Context) -> Iterator[Intent]:
    """Pass on what was found of the head of a pull request and has not come back to its agent yet."""
    pull = ctx.forge.pull(ref)
    if pull.is_open and not pull.draft:
        of_head = [review for review in ctx.forge.reviews(ref) if review.head_sha == pull.head_sha]
        if is_passed(of_head, ctx):
            yield RequestReview(ref, ctx.team.operators_of(run.agent), key=f"call:{ref}")
        yield from pass_on(run, pull, of_head, ctx)
        yield from TurnRounds(run, ref, ctx).checks(pull)


@bot.on(StatusFailed)
def answer_checks(event: StatusFailed, ctx: Context) -> Iterator[Intent]:
    """Pass red checks of the head on to the pull request's agent, in a bounded number of rounds."""
    run = run_of_pull(event.ref, ctx)
    pull = None if run is None else ctx.forge.pull(event.ref)
    if run is not None and pull is not None and pull.is_open and not pull.draft:
        yield from TurnRounds(run, event.ref, ctx).checks(pull)


@bot.on(PullConflicted)
def answer_conflict(event: PullConflicted, ctx: Context) -> Iterator[Intent]:
    """Let the agent bring its pull request together with a base that has moved; forges show no conflict of a draft."""
    run = run_of_pull(event.ref, ctx)
    pull = None if run is None else ctx.forge.pull(event.ref)
    if run is not None and pull is not None and pull.is_open and not pull.draft:
        yield from TurnRounds(run, event.ref, ctx).conflict(pull)


def run_of_pull(ref: Ref, ctx: Context) -> RunView | None:
    """The open run whose pull request this is."""
    run = ctx.history.run_for(ref)
    return run if run is not None and run.state == "open" and run.pull == ref else None


def pass_on(run: RunView, pull: PullRequest, reviews: list[Review], ctx: Context) -> Iterator[Intent]:
    """Reviews that demand something as turns of the run; what a machine says of a draft waits until that is ready."""
    for review in reviews:
        if not wants_something(review, run, ctx):
            continue
        by_person = review.author.id in ctx.team.operators
        key = f"review:{pull.ref.repo}:{review.id}"
        if key in run.causes or (pull.draft and not by_person):
            continue
        found = ctx.forge.review_comments(pull.ref, review.id)
        # Replies of others are among them; each has an event of its own.
        remarks = [remark for remark in found if remark.author is None or remark.author.id == review.author.id]
        about = conversations(review, remarks)
        turn = ContinueRun(
            *(run.id, reviewed(review, remarks, ctx.team.standing(review.author))),
            by_person=by_person,
            key=key,
            about=about,
            head_sha=pull.head_sha if about else "",
            answers=about[0] if len(about) == 1 and not review.body else None,
            request=of_review(review, remarks, ctx.history.findings(pull.ref), ctx.team),
        )
        if by_person:
            yield turn
            continue
        rounds = list(TurnRounds(run, pull.ref, ctx).one_more(turn, REVIEW_WHY))
        yield from rounds
        if turn not in rounds:
            return


def is_passed(reviews: list[Review], ctx: Context) -> bool:
    """Whether the review bot wants nothing any more: from then on the pull request waits for an operator.

    Where the repository wants no approvals of a bot, it has commented only.
    """
    account = ctx.team.accounts.get("review")
    mine = [review for review in reviews if account is not None and review.author.id == account.id]
    if not mine or mine[-1].dismissed:
        return False
    last = ctx.history.review(mine[-1].ref) if mine[-1].state is ReviewState.COMMENT else None
    is_fine = last is not None and last.head_sha == mine[-1].head_sha and last.verdict in PASSES
    return mine[-1].state is ReviewState.APPROVED or is_fine


def wants_something(review: Review, run: RunView, ctx: Context) -> bool:
    """Whether an agent has to act on a review; yellow remarks are optional."""
    if review.dismissed or ctx.team.agent_of(review.author) == run.agent:
        return False
    if review.state is ReviewState.REQUEST_CHANGES:
        return ctx.team.is_trusted(review.author)
    return review.state is ReviewState.COMMENT and review.author.id in ctx.team.operators


def reviewed(review: Review, remarks: list[ReviewComment], standing: str) -> str:
    """A message about a review."""
    login = review.author.login
    parts = [fenced("review", review.body, author=login, standing=standing)] if review.body else []
    for remark in remarks:
        text = fenced("remark", remark.body, author=login, standing=standing)
        parts.append(ON_LINE.format(path=remark.path, line=remark.line, text=text))
    state = review.state.value.lower().replace("_", " ")
    return REVIEWED.format(where=f"#{review.ref.number}", sha=review.head_sha[:7], state=state, text="\n\n".join(parts))


@bot.on(IssueLabeled)
def show_state(event: IssueLabeled, ctx: Context) -> Iterator[Intent]:
    """Correct state labels that a person has changed, and heed those that hold work, open it, or make it urgent."""
    if event.ref.repo not in ctx.team.repos or ctx.team.is_machine(event.actor):
        return
    yield SyncStateLabels(event.ref, key=f"show:{event.key}")
    run = ctx.history.run_for(event.ref)
    if run is None:  # it was held from the first
        yield from start(event.ref, event.key, ctx)
    elif run.state == "open":
        yield from heed_labels(run, event.key, ctx)


def heed_labels(run: RunView, key: str, ctx: Context) -> Iterator[Intent]:
    """Let the labels of an issue count for its open run."""
    issue = ctx.forge.issue(run.issue)
    if (urgent := is_urgent(issue)) != run.is_urgent:
        yield SetUrgency(issue.ref, urgent, key=f"urgent:{key}")
    hold = hold_on(issue, ctx.team, lambda: ctx.forge.timeline(issue.ref), has_run=True)
    if hold is SUSPECTED:
        yield PostComment(
            issue.ref,
            SUSPECTS.format(operators=ctx.team.call(run.agent), agent=run.agent, why=hold.why).strip(),
            key=f"suspected:{run.id}",
        )
        yield BlockRun(run.id, SUSPECTED_WHY, key=f"suspected:{run.id}")
    elif hold is None and run.pull is not None:  # what happened meanwhile waited for this
        yield from catch_up(run, run.pull, ctx)


@bot.on(PullMerged)
def end_merged(event: PullMerged, ctx: Context) -> Iterator[Intent]:
    """A merged pull request ends its run."""
    yield from end(event.ref, "merged", ctx)


@bot.on(PullClosed)
def end_closed_pull(event: PullClosed, ctx: Context) -> Iterator[Intent]:
    """A closed pull request ends its run."""
    yield from end(event.ref, "closed", ctx)


@bot.on(IssueClosed)
def end_closed_issue(event: IssueClosed, ctx: Context) -> Iterator[Intent]:
    """A closed issue ends its run. A merge closes issues too; its event may arrive before or after this one."""
    run = ctx.history.run_for(event.ref)
    merged = run is not None and run.pull is not None and ctx.forge.pull(run.pull).merged
    if not ctx.forge.issue(event.ref).is_open:
        yield from end(event.ref, "merged" if merged else "closed", ctx)
        if event.ref.repo in ctx.team.repos:
            yield SyncStateLabels(event.ref, key=f"show:{event.key}")


def end(ref: Ref, outcome: str, ctx: Context) -> Iterator[Intent]:
    """End the run that a ref belongs to."""
    run = ctx.history.run_for(ref)
    if run is not None and run.state == "open":
        yield EndRun(run.id, outcome, key=f"end:{run.id}")
