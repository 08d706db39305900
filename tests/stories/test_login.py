"""S3: an agent whose model wants a key waits in words, and goes on as soon as it is given one on the host."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from hive.demo.model import ModelConversation, ModelReply, ToolCall
from hive.demo.scripted_replies import Task
from tests.stories.conftest import META, raised

KEY = "sk-of-iris-alone"


class Answers:
    """Answers everything."""

    def reply(self, conversation: ModelConversation) -> ModelReply:
        """The next reply."""
        return ModelReply("", (ToolCall("finish", {"outcome": "answered", "message": "It is the first."}),))


def test_s3_an_agent_waits_for_its_key(tmp_path: Path, sandbox: str) -> None:
    """A label, one issue for the operators with the command in it; a wrong key is refused; nothing of it reaches the forge."""
    with raised(tmp_path, Answers(), model_key=KEY, sandbox=sandbox) as hive:
        issue = hive.file(Task("A page is wrong", "Which one is it?"))
        hive.until(lambda: "state/needs-login" in hive.mara.issue(issue).labels, "the label")
        told = hive.until(
            lambda: [each for each in hive.subjects(META) if "does not let iris in" in each.title], "the issue"
        )
        assert len(told) == 1
        assert "hive login iris" in hive.mara.issue(told[0].ref).body

        def login(key: str) -> subprocess.CompletedProcess[str]:
            words = [sys.executable, "-m", "hive", "login", "iris", str(tmp_path / "hive.yaml")]
            return subprocess.run(words, input=f"{key}\n", capture_output=True, text=True, check=False)

        wrong = login("sk-of-somebody-else")
        assert (wrong.returncode, "does not accept this key" in wrong.stderr) == (1, True)
        assert "state/needs-login" in hive.mara.issue(issue).labels
        right = login(KEY)
        assert right.returncode == 0, right.stderr
        assert "iris goes on with its work" in right.stdout

        def answered() -> bool:
            mine = [comment.body for comment in hive.mara.comments(issue) if comment.author.login == "iris"]
            return any("It is the first." in body for body in mine)

        hive.until(answered, "the answer")
        hive.until(lambda: "state/needs-login" not in hive.mara.issue(issue).labels, "the label's end")
        shown = [hive.mara.issue(told[0].ref).body, *(comment.body for comment in hive.mara.comments(issue))]
        assert not any(KEY in text for text in shown)
        assert KEY not in right.stdout + right.stderr + hive.last_words()
