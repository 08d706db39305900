"""A round: what mara does in half a minute, and all that has to come of it. Her own acts are exactly once, too.

written     an issue becomes a pull request, is reviewed 🔴, mended, reviewed 🟢 and merged
helped      an issue that is answered in words, and /help on it
retried     one that is answered, and answered again after /retry
cancelled   one that is answered, and given up by /cancel
configured  a change of iris' configuration is merged, and her container rebuilt
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from forge.models import Comment, Ref
from forge.protocol import Conflict, ForgeError, Invalid, NotFound, Refused, Unavailable
from hive.demo.model import ModelConversation, ModelReply, ToolCall
from tests.stories.conftest import APP, CONFIG, Hive

T = TypeVar("T")
SECONDS = 240.0
BEFORE = '''"""Hives by weight, round {number}."""


def ordered(counts: dict[str, int]) -> list[str]:
    """The names of hives, the heaviest first."""
    try:
        return sorted(counts, key=lambda name: -counts[name])
    except TypeError:
        return []
'''
AFTER = '''"""Hives by weight, round {number}."""


def ordered(counts: dict[str, int]) -> list[str]:
    """The names of hives, the heaviest first, equals by name."""
    return sorted(counts, key=lambda name: (-counts[name], name))
'''
TEST = """import unittest

from apiary.round{number} import ordered


class Order(unittest.TestCase):
    def test_heaviest_first(self):
        self.assertEqual(ordered({{"linden": 3, "clover": 9}}), ["clover", "linden"])
"""


class Mind:
    """The model of a round: writes when it is told to, mends when review wants it, answers otherwise."""

    def reply(self, conversation: ModelConversation) -> ModelReply:
        """The next reply; decided by the conversation alone."""
        found = re.search(r"Round (\d+): (\w+)", conversation.task)
        number, what = (found[1], found[2]) if found else ("0", "")
        if what != "written":
            said = {"outcome": "answered", "message": f"This is what I know of {what}."}
            return ModelReply("", (ToolCall("finish", said),))
        mends = "was reviewed at" in conversation.news
        if conversation.round == 0:
            files = {f"apiary/round{number}.py": AFTER if mends else BEFORE, f"tests/test_round{number}.py": TEST}
            texts = {path: text.format(number=number) for path, text in files.items()}
            return ModelReply(
                "I write it.", tuple(ToolCall("write", {"path": p, "content": t}) for p, t in texts.items())
            )
        return ModelReply(
            "", (ToolCall("submit", {"title": f"Order hives, round {number}", "summary": "Heaviest first."}),)
        )


@dataclass
class Round:
    """One round on a hive; `number` tells its issues from those of others."""

    hive: Hive
    number: int

    def play(self) -> None:
        """Do everything, and wait until it is done; raises AssertionError for what does not come."""
        refs = {what: self.file(what) for what in ("written", "helped", "retried", "cancelled")}
        proposal = self.propose()
        for what, said in (("helped", "/help"), ("retried", "/retry"), ("cancelled", "/cancel")):
            self.wait(lambda what=what: self.answers(refs[what]), f"an answer on {what}")  # type: ignore[misc]
            self.say(refs[what], said)  # words beside it would be a message to iris as well, before or after it
        # What is merged is neither planned nor reviewed any more, so she waits for both.
        self.wait(lambda: self.starts(proposal, "🔎"), "the plan of the proposal")
        self.wait(lambda: self.hive.status(proposal, "hive/review") == "success", "a review of the proposal")
        self.merge(proposal)
        pull = self.wait(lambda: self.hive.pull_of(refs["written"]), "the pull request")
        self.wait(lambda: self.hive.status(pull, "hive/review") == "success", "a green review")
        self.merge(pull)
        self.wait(lambda: len(self.answers(refs["retried"])) >= 2, "a second answer")
        self.wait(lambda: not self.hive.mara.issue(refs["written"]).is_open, "the end of the issue")
        self.wait(lambda: self.starts(proposal, "🟢"), "the report of the deployment")
        for ref in (refs["helped"], refs["cancelled"]):
            self.wait(lambda ref=ref: self.starts(ref, "✅"), f"the answer to the command on {ref}")  # type: ignore[misc]
        self.settle()

    def settle(self) -> None:
        """Wait until nothing is owed, for as long as a sweep takes."""
        calm = 0

        def quiet() -> bool:
            nonlocal calm
            self.hive.settle()
            calm += 1
            time.sleep(1.0)
            return calm >= 4

        self.wait(quiet, "quiet")

    def title(self, what: str) -> str:
        """The title of an issue."""
        return f"Round {self.number}: {what}"

    def file(self, what: str) -> Ref:
        """File an issue."""
        marker = f"round {self.number} is about what is {what}."
        return self.wait(lambda: self.hive.mara.open_issue(APP, self.title(what), marker, marker=marker).ref, "filing")

    def say(self, ref: Ref, words: str) -> Comment:
        """Comment."""
        return self.wait(lambda: self.hive.mara.comment(ref, words, marker=words), "a comment")

    def propose(self) -> Ref:
        """Propose another role for iris."""
        branch = f"round-{self.number}"

        def branched() -> bool:
            try:
                self.hive.mara._client.post(
                    f"/repos/{CONFIG.path}/branches", new_branch_name=branch, old_ref_name="main"
                )
            except Conflict:
                return True
            return True

        self.wait(branched, "a branch")
        role = f"Be kind. Round {self.number}.\n".encode()
        put = self.hive.mara.put_file
        self.wait(lambda: put(CONFIG, "prompts/role.md", role, message="Be kind", branch=branch) or True, "a file")
        opened = self.hive.mara.open_pull
        return self.wait(
            lambda: opened(CONFIG, head=branch, base="main", title=self.title("configured"), body="").ref, "a proposal"
        )

    def merge(self, pull: Ref) -> None:
        """Merge, as soon as the forge lets her."""

        def merged() -> bool:
            now = self.hive.mara.pull(pull)
            if now.merged:
                return True
            try:
                self.hive.operator.merge(pull, head_sha=now.head_sha)
            except (Conflict, Refused):
                return False
            return self.hive.mara.pull(pull).merged

        self.wait(merged, f"the merge of {pull}")

    def answers(self, ref: Ref) -> list[Comment]:
        """What iris said."""
        return [comment for comment in self.hive.mara.comments(ref) if comment.author.login == "iris"]

    def starts(self, ref: Ref, sign: str) -> bool:
        """Whether a comment begins with a sign."""
        return any(comment.body.startswith(sign) for comment in self.hive.mara.comments(ref))

    def wait(self, look: Callable[[], T | None], what: str) -> T:
        """Wait for what has to come; a forge between two lives is asked again."""
        until = time.monotonic() + SECONDS
        last: ForgeError | None = None
        while time.monotonic() < until:
            try:
                found = look()
            except (NotFound, Unavailable, Conflict, Invalid, Refused) as error:
                found, last = None, error
            if found:
                return found
            time.sleep(0.1)
        raise AssertionError(
            f"round {self.number}: {what} did not come ({last}); {self.turns()}; {self.hive.last_words()}"
        )

    def turns(self) -> str:
        """How the newest turns ended, by the record: where a round stands still, one of them says why."""
        with self.hive.instance.ledger.transaction() as db:
            rows = db.execute(
                "SELECT runs.ref, runs.state, turns.state, turns.attempts, turns.outcome, effects.payload FROM turns"
                " JOIN runs ON runs.id = turns.run LEFT JOIN effects ON effects.turn = turns.id ORDER BY turns.id DESC LIMIT 12"
            ).fetchall()
        return "\n".join(str(tuple(row))[:400] for row in rows)
