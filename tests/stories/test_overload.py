"""S12: thirty issues at once, a model that has enough, a conversation that is too long; nothing is lost, nothing is said twice."""

from __future__ import annotations

import re
import threading

import pytest

from forge.models import Ref
from hive.app.status import queue
from hive.demo.model import ModelConversation, ModelReply, Responder, ToolCall
from hive.demo.model.faults import ApiError
from hive.demo.scripted_replies import Task
from hive.ledger import Act, Scope, SuspensionReason
from tests.nightly import NIGHTLY
from tests.stories.conftest import Hive

ISSUES = 30
TOO_MANY = ApiError(429, "rate_limit_error", "Number of requests has exceeded your rate limit", retry_after="11")
TOO_LONG = ApiError(400, "invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum")
TALK = "I got a 429 rate_limit_error once: Too Many Requests, retry-after: 60."


class Overworked:
    """Answers each issue in words; has enough after the fifth, finds one too long once, and keeps the order it was asked in."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._refusals = 1
        self._long = 1
        self.order: list[int] = []

    def reply(self, conversation: ModelConversation) -> ModelReply:
        """The next reply."""
        found = re.search(r"Question (\d+)\b", conversation.task)
        number = int(found[1]) if found else 0
        with self._guard:
            if number == 6 and self._refusals:
                self._refusals -= 1
                return ModelReply(fault=TOO_MANY)
            if number == 8 and self._long:
                self._long -= 1
                return ModelReply(fault=TOO_LONG)
            self.order.append(number)
        return ModelReply("", (ToolCall("finish", {"outcome": "answered", "message": f"Answer {number}. {TALK}"}),))


@pytest.fixture(scope="module")
def responder(sandbox: str) -> Responder:
    """The model of this story; a new one for each kind of container."""
    return Overworked()


@NIGHTLY
def test_s12_thirty_issues_at_once(hive: Hive, responder: Overworked) -> None:
    """First come, first served; suspended with a reason and a label while the model has enough; drained by itself, in words once."""
    refs = [
        hive.file(Task(f"Question {number} about the page", f"number {number}:")) for number in range(1, ISSUES + 1)
    ]
    ledger = hive.instance.ledger

    def suspension() -> bool:
        return any(
            each.reason is SuspensionReason.RATE_LIMITED and each.scope is Scope.AGENT
            for each in ledger.suspensions.all()
        )

    hive.until(suspension, "the suspension")
    assert any("acme iris: waiting: 429 rate_limit_error, retry " in line for line in queue(ledger))
    labelled = hive.until(
        lambda: [ref for ref in refs if "state/rate-limited" in hive.mara.issue(ref).labels], "the label"
    )
    assert len(labelled) == 1
    hive.until(lambda: all(answers(hive, ref) for ref in refs), "all answers")
    hive.settle()
    assert handed(hive) == due(hive), "each is handed out in the order in which it came"
    assert [number for number in responder.order if number] == handed(hive, last=True)
    assert len(set(responder.order)) == ISSUES
    assert [len(answers(hive, ref)) for ref in refs] == [1] * ISSUES
    assert {len(hive.mara.comments(ref)) for ref in refs} == {3}, (
        "one by triage, one by iris, and one shows the progress"
    )
    assert ledger.suspensions.all() == []
    assert not any("state/rate-limited" in hive.mara.issue(ref).labels for ref in refs)
    suspended = [row for row in ledger.audit.after(0, 5000) if row.action == "agent_suspended"]
    assert [dict(row.detail)["why"] for row in suspended] == ["rate_limited"], "who writes about 429 is not suspended"


def answers(hive: Hive, ref: Ref) -> list[str]:
    """What iris said on an issue."""
    return [comment.body for comment in hive.mara.comments(ref) if comment.author.login == "iris"]


def due(hive: Hive) -> list[int]:
    """The issues in the order in which their turns were stored."""
    with hive.instance.ledger.transaction() as db:
        rows = db.execute("SELECT runs.ref FROM turns JOIN runs ON runs.id = turns.run ORDER BY turns.id").fetchall()
    return list(dict.fromkeys(Ref.parse(row["ref"]).number for row in rows))


def handed(hive: Hive, *, last: bool = False) -> list[int]:
    """The issues in the order in which iris first got them; or last, since a turn whose lease ends is handed out again."""
    rows = [row for row in hive.instance.ledger.audit.after(0, 5000) if row.action == Act.TURN_STARTED]
    numbers = [Ref.parse(row.ref).number for row in rows]
    return list(dict.fromkeys(reversed(numbers)))[::-1] if last else list(dict.fromkeys(numbers))
