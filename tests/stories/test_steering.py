"""An operator steers an agent by words on its thread, and looks at what came of it."""

from __future__ import annotations

import os
import signal

import pytest

from forge.models import Ref
from hive.demo.model import ModelConversation, ModelReply, Responder, ToolCall
from hive.demo.scripted_replies import Task
from tests.backends import everyday, found
from tests.nightly import by_night
from tests.stories.conftest import Hive

QUESTION = "sqlite or postgres?"


class Candid:
    """Says with which model it thinks, and of how many messages it knows; asks first if it is told to."""

    def reply(self, conversation: ModelConversation) -> ModelReply:
        """The next reply."""
        if "Your question was answered" in conversation.news:
            told = f"I was told: {' '.join(conversation.news.split())}"
            return ModelReply("", (ToolCall("finish", {"outcome": "answered", "message": told}),))
        if QUESTION in conversation.news:
            asked = {"question": QUESTION, "options": ["sqlite", "postgres"], "hours": 4}
            return ModelReply("", (ToolCall("ask", asked),))
        told = f"I am {conversation.model} and know {len(conversation.messages)}."
        return ModelReply("", (ToolCall("finish", {"outcome": "answered", "message": told}),))


@pytest.fixture(scope="module", params=["nspawn", *by_night("bubblewrap", "podman")])
def sandbox(request: pytest.FixtureRequest) -> str:
    """systemd-nspawn at each push, where there is one: the other stories have bubblewrap then."""
    name = str(request.param)
    return name if found(name)[0] is not None else everyday()


@pytest.fixture(scope="module")
def responder(sandbox: str) -> Responder:
    """The model of this story; a new one for each kind of container."""
    return Candid()


def test_model_restart_and_memory(hive: Hive) -> None:
    """Another model from the next turn on, another process after a restart, and as much of the transcript as was wanted."""
    issue = hive.file(Task("A page is wrong", "Which one is it?"))
    (first,) = answers(hive, issue, 1)
    own = first.split()[2]
    steer(hive, issue, "/model claude-fable-5-2")
    hive.mara.comment(issue, "And now?", marker="And now?")
    assert answers(hive, issue, 2)[1] == "I am claude-fable-5-2 and know 3."

    before = hive.harness()
    assert before
    steer(hive, issue, "/restart")
    hive.until(lambda: hive.harness() and not before & hive.harness(), "another process")
    hive.mara.comment(issue, "Still there?", marker="Still there?")
    assert answers(hive, issue, 3)[2] == "I am claude-fable-5-2 and know 5."

    steer(hive, issue, "/new-session")
    assert answers(hive, issue, 4)[3] == "I am claude-fable-5-2 and know 1."
    steer(hive, issue, "/model default")
    steer(hive, issue, "/compact")
    assert answers(hive, issue, 5)[4].startswith(f"I am {own} and know ")

    steer(hive, issue, "/pause")
    hive.mara.comment(issue, "Are you asleep?", marker="Are you asleep?")
    hive.until(lambda: waiting(hive), "a turn that waits")
    assert len(answers(hive, issue, 5)) == 5
    steer(hive, issue, "/resume")
    assert answers(hive, issue, 6)[5].startswith(f"I am {own} and know ")


def test_s9_a_question_and_its_answer(hive: Hive) -> None:
    """An agent asks and its turn ends; worker and host are killed meanwhile; an operator's answer begins the next turn."""
    issue = hive.file(Task("Choose a database", f"If you do not know, ask: {QUESTION}"))

    def asked() -> bool:
        return any(each.body.startswith("❓") for each in hive.mara.comments(issue))

    hive.until(asked, "the question")
    hive.until(lambda: {"state/question", "needs-operator"} <= set(hive.mara.issue(issue).labels), "its labels")
    for part in ("work", "host"):
        os.kill(hive.tree.pid(part), signal.SIGKILL)
    hive.mara.comment(issue, "2", marker="2")
    told = hive.until(lambda: [each for each in answers(hive, issue, 2) if each.startswith("I was told")], "the end")
    assert "The answer is option 2, postgres:" in told[0]
    hive.until(lambda: not {"state/question", "needs-operator"} & set(hive.mara.issue(issue).labels), "no labels")
    assert sum(each.body.startswith("❓") for each in hive.mara.comments(issue)) == 1


def steer(hive: Hive, issue: Ref, words: str) -> None:
    """Give a command, and wait until it is done."""
    hive.mara.comment(issue, words, marker=words)
    sign = f"✅ `{words}`"
    hive.until(lambda: any(each.body.startswith(sign) for each in hive.mara.comments(issue)), sign)


def answers(hive: Hive, issue: Ref, number: int) -> list[str]:
    """What iris said, as soon as it is so much."""

    def said() -> list[str] | None:
        mine = [each.body.partition("\n")[0] for each in hive.mara.comments(issue) if each.author.login == "iris"]
        return mine if len(mine) >= number else None

    return hive.until(said, f"answer {number}")


def waiting(hive: Hive) -> bool:
    """Whether a turn waits."""
    with hive.instance.ledger.transaction() as db:
        return bool(db.execute("SELECT count(*) FROM turns WHERE state = 'pending'").fetchone()[0])
