"""Handlers of questions: asked in a comment of the agent's, and answered once."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial

from bots.intents import AnswerQuestion
from bots.markdown import plain_name
from forge import event_keys
from forge.models import Ref, User
from hive.outbox.actions import AskQuestion
from hive.outbox.registry import Execution, Registry, Result, Superseded

HANDLERS = Registry()

ASKED = "❓ {question}"
OPTION = "{number}. {text}"
HOW = """\
🙋 {people}: answer in a comment, or with `/answer` and {how}. Without an answer by {until} UTC I go on without one.

<sub>Asked in run {run}.</sub>"""
BY_NUMBER, BY_WORDS = "a number or words of your own", "your words"


@HANDLERS.on(AskQuestion)
def ask_question(execution: Execution, action: AskQuestion) -> Result:
    """Post a question once; the run waits for the answer from then on."""
    ledger, key = execution.ledger, execution.effect.key
    known = ledger.questions.open_of(action.run)
    if known is not None and known.key != key:
        raise Superseded("the run waits for the answer to another question")
    issue = execution.forge.issue(action.ref)
    if not issue.is_open:
        raise Superseded(f"{action.ref} is closed")
    run = ledger.runs.record(action.run)
    if run is None or run.state != "open":
        raise Superseded("the run has ended")
    author = _addressee(execution, Ref.parse(run.ref)) if action.to_author else None
    people = execution.team.call(run.agent)
    people = people if author is None else f"@{plain_name(author.login)}, {people}"
    body = execution.marked(question_text(action, people, now=ledger.clock()))
    comment = execution.forge.comment(action.ref, body, marker=execution.marker)
    settle = partial(
        ledger.questions.ask,
        *(action.run, action.turn, key),
        ref=str(action.ref),
        question=action.question,
        options=action.options,
        addressee=0 if author is None else author.id,
        comment=comment.id,
        seconds=action.seconds,
    )
    posted = event_keys.commented(action.ref.repo.forge, comment.id)
    return Result(comment.html_url, {"id": comment.id, "url": comment.html_url}, event_key=posted, settle=settle)


@HANDLERS.on(AnswerQuestion, local=True)
def answer_question(execution: Execution, action: AnswerQuestion) -> Result:
    """Give a run the answer that it waits for; what comes later is a comment like any other."""
    ledger, effect = execution.ledger, execution.effect
    in_time = ledger.questions.settle(action.question, "answered", action.answer, by=action.by)
    message = action.message if in_time else action.late
    if message:
        key = f"answer:{action.question}" if in_time else action.key
        ledger.runs.add_turn(*(action.run, key, message), by_person=True, effect=effect.id, depth=effect.depth)
    return Result(detail={"run": action.run, "question": action.question, "in_time": in_time})


def question_text(action: AskQuestion, people: str, *, now: float) -> str:
    """The comment that asks, without its marker."""
    until = datetime.fromtimestamp(now + action.seconds, UTC)
    how = HOW.format(
        people=people,
        how=BY_NUMBER if action.options else BY_WORDS,
        until=f"{until:%Y-%m-%d %H:%M}",
        run=action.run,
    )
    options = [OPTION.format(number=number, text=text) for number, text in enumerate(action.options, start=1)]
    return "\n\n".join(filter(None, (ASKED.format(question=action.question), "\n".join(options), how)))


def _addressee(execution: Execution, issue: Ref) -> User | None:
    """The author of an issue, who is to answer; machines are not asked, and operators may answer anyway."""
    author = execution.forge.issue(issue).author
    return None if execution.team.is_machine(author) or author.id in execution.team.operators else author
