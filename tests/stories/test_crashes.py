"""A container that keeps dying: operators are told, it stays down, and one word starts it again."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

from hive.demo.model import ModelConversation, ModelReply, ToolCall
from hive.demo.scripted_replies import Task
from hive.ledger import Scope, SuspensionReason
from tests.nightly import NIGHTLY
from tests.stories.conftest import META, Hive, raised
from tests.stories.test_steering import answers, steer

LIMITS = "crashes: 3, crash_minutes: 60"


class Answers:
    """Answers whatever it is asked."""

    def reply(self, conversation: ModelConversation) -> ModelReply:
        """The next reply."""
        said = {"outcome": "answered", "message": f"I know {len(conversation.messages)}."}
        return ModelReply("", (ToolCall("finish", said),))


class Deadly(Answers):
    """Kills the harness whenever it thinks about one issue, and answers all else."""

    hive: Hive

    def reply(self, conversation: ModelConversation) -> ModelReply:
        """The next reply, if anybody is there to hear it."""
        if "A deadly page" not in conversation.news:
            return super().reply(conversation)
        crash(self.hive)
        raise ConnectionAbortedError


def crash(hive: Hive) -> None:
    """Kill iris' container, as soon as there is one, until the host has seen a crash: one that it was ending itself is none."""
    before = crashes(hive)

    def is_seen() -> bool:
        for pid in filter(has_begun, hive.harness()):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return crashes(hive) > before

    hive.until(is_seen, "a host that notices")


def has_begun(pid: int) -> bool:
    """Whether a process is the harness itself, and no more what sets its container up: that one's end is no crash."""
    try:
        return b"\0-c\0" not in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def crashes(hive: Hive) -> int:
    """How many crashes were written down."""
    return sum(row.action == "container_crashed" for row in hive.instance.ledger.audit.after(0))


def is_down(hive: Hive) -> bool:
    """Whether iris stays down."""
    return any(
        suspension.reason is SuspensionReason.CRASHED
        for suspension in hive.instance.ledger.suspensions.of("acme", Scope.AGENT, "iris")
    )


def test_three_crashes_and_a_restart(tmp_path: Path) -> None:
    """One issue; after the third crash nobody starts it, not even a host that died; `/restart` does, and what waited is done."""
    with raised(tmp_path, Answers(), limits=LIMITS) as hive:
        issue = hive.file(Task("A page is wrong", "Which one is it?"))
        answers(hive, issue, 1)
        for _ in range(3):
            crash(hive)
        hive.until(lambda: is_down(hive), "iris to stay down")
        hive.mara.comment(issue, "Are you there?", marker="Are you there?")
        hive.until(lambda: "state/crashed" in hive.mara.issue(issue).labels, "the label")
        host = hive.tree.pid("host")
        os.kill(host, signal.SIGKILL)
        hive.until(lambda: hive.tree.pid("host") not in (0, host), "another host")
        told = hive.until(lambda: [each for each in hive.subjects(META) if "crashed" in each.title], "the issue")
        assert len(told) == 1
        hive.until(lambda: any("stays down" in each.body for each in hive.mara.comments(told[0].ref)), "the words")
        assert is_down(hive)
        assert not hive.harness()
        steer(hive, issue, "/restart")
        assert len(answers(hive, issue, 2)) == 2
        hive.until(lambda: "state/crashed" not in hive.mara.issue(issue).labels, "a label that is gone")
        assert hive.mara.issue(told[0].ref).is_open, "it has not been well for an hour"


@NIGHTLY
def test_it_closes_by_itself(tmp_path: Path) -> None:
    """A container that has been well for a while ends the incident, and its issue with it."""
    with raised(tmp_path, Answers(), limits="crashes: 3, crash_minutes: 1") as hive:
        crash(hive)
        told = hive.until(lambda: [each for each in hive.subjects(META) if "crashed" in each.title], "the issue")
        hive.until(lambda: not hive.mara.issue(told[0].ref).is_open, "the end of the incident")
        assert not is_down(hive)


@NIGHTLY
def test_one_deadly_issue_stops_no_other(tmp_path: Path) -> None:
    """The turn that crashes its container each time is left, in words on its issue; another issue is answered as ever."""
    responder = Deadly()
    with raised(tmp_path, responder, limits=LIMITS) as hive:
        responder.hive = hive
        deadly = hive.file(Task("A deadly page", "What is in it?"))
        hive.until(lambda: crashes(hive) >= 1, "the first crash")
        other = hive.file(Task("A page is wrong", "Which one is it?"))
        answers(hive, other, 1)
        hive.until(lambda: any("An operator should look" in c.body for c in hive.mara.comments(deadly)), "the words")
        assert not is_down(hive)
        assert crashes(hive) == 3
