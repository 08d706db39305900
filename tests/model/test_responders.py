"""The brains, asked without a server."""

from __future__ import annotations

from hive.demo.model import DiffResponder, Message, ModelConversation, ModelReply, Scene, Script, ToolCall, ToolResult
from hive.demo.model.changes import Patch, Replacement, changes, title

TOOLS = ("run", "write", "edit", "submit", "finish")
PATCH = "--- a/app.py\n+++ b/app.py\n@@ -1 +1 @@\n-x = 1\n+x = 2\n"
ISSUE = f"""You were assigned issue #1 of acme/app.
Title: <title 0123456789ab by rosa, an operator>
Count from two
</title 0123456789ab>

<issue 0123456789ab by rosa, an operator>
Please apply:

```diff
{PATCH}```
</issue 0123456789ab>
"""
REVIEW = """Your pull request #2 was reviewed at 0a1b2c3: request changes.

On app.py, line 1:
<remark 0123456789ab by argus, not an operator>
🔴 **Off by one**
```diff
- x = 2
+ x = 3
```
</remark 0123456789ab>

See also lib/b.py:7, which says

```diff
-old
+new
```
"""


def talk(*messages: Message, tools: tuple[str, ...] = TOOLS) -> ModelConversation:
    return ModelConversation("m", "You are iris.", messages, tools)


def user(text: str) -> Message:
    return Message("user", text)


def play(responder: DiffResponder, news: str, *answers: tuple[str, bool]) -> list[ModelReply]:
    """Let a brain reply to news; every call of its n-th reply comes to the n-th answer, which may be an error."""
    messages = [user(news)]
    replies = [responder.reply(talk(*messages))]
    for number, (text, is_error) in enumerate(answers):
        asked = tuple(ToolCall(call.name, call.input, f"{number}-{i}") for i, call in enumerate(replies[-1].calls))
        messages.append(Message("assistant", calls=asked))
        messages.append(Message("user", results=tuple(ToolResult(call.id, text, is_error) for call in asked)))
        replies.append(responder.reply(talk(*messages)))
    return replies


class TestScript:
    """Script: the first scene that fits is played."""

    SCRIPT = Script(
        [
            Scene("issue #1", (ModelReply("one"), ModelReply("two"))),
            Scene("issue", (ModelReply("lead"),), who="you are the lead"),
            Scene("issue", (ModelReply("three"),)),
        ],
        otherwise=DiffResponder(),
    )

    def test_line_by_line(self) -> None:
        """The number of replies since the news is the line that is played."""
        said = [user("issue #1"), Message("assistant", "one"), Message("user", results=(ToolResult("t", "ok"),))]
        assert self.SCRIPT.reply(talk(said[0])).text == "one"
        assert self.SCRIPT.reply(talk(*said)).text == "two"

    def test_news_begins_anew(self) -> None:
        """Only what was said last decides on the scene, and it starts at its first line."""
        said = [user("issue #1"), Message("assistant", "one"), user("another issue")]
        assert self.SCRIPT.reply(talk(*said)).text == "three"

    def test_who(self) -> None:
        """A scene may be one agent's."""
        assert self.SCRIPT.reply(ModelConversation("m", "You are the lead.", (user("issue"),))).text == "lead"

    def test_about(self) -> None:
        """A scene may be one issue's, whatever is said last."""
        script = Script([Scene("review", (ModelReply("fixed"),), about="honey")], otherwise=DiffResponder())
        assert script.reply(talk(user("count the honey"), user("a review"))).text == "fixed"
        assert script.reply(talk(user("count the bees"), user("a review"))).text == ""

    def test_played_out(self) -> None:
        """Who has no line left leaves it to the other brain."""
        said = [user("issue #2"), Message("assistant", "three"), Message("user", results=(ToolResult("t", "ok"),))]
        assert self.SCRIPT.reply(talk(*said)).calls[0].name == "finish"


class TestChanges:
    """Changes read out of what people and reviews write."""

    def test_patch(self) -> None:
        """A block with the head of a patch is one, and the title is the issue's."""
        assert changes(ISSUE) == (Patch(PATCH),)
        assert title(ISSUE) == "Count from two"

    def test_fence_in_a_patch(self) -> None:
        """A fence that the patch itself shows does not end it."""
        patch = "--- a/README.md\n+++ b/README.md\n@@ -1,3 +1,4 @@\n ```\n make\n+make test\n ```\n"
        assert changes(f"```diff\n{patch}```\n") == (Patch(patch),)

    def test_replacements(self) -> None:
        """A block without is about the place that was named last before it."""
        assert changes(REVIEW) == (
            Replacement("app.py", " x = 2", " x = 3"),
            Replacement("lib/b.py", "old", "new"),
        )

    def test_placeless(self) -> None:
        """A block that is neither a patch nor about a place is nothing to apply; a URL is no place."""
        assert changes("see http://host:80/x\n```diff\n-a\n+b\n```\n") == ()
        assert changes("a.py:1\n```diff\n+only new\n```\n") == ()
        assert changes("a.py:1\n```python\n-a\n+b\n```\n") == ()

    def test_title_of_other_texts(self) -> None:
        """Without a title the first line is it."""
        assert title("## Fix it\nmore") == "Fix it"
        assert title("") == ""


class TestDiffBrain:
    """DiffBrain: applies, submits, and never ends without a word."""

    def test_patch_then_submit(self) -> None:
        """A patch is written, applied, and submitted under the issue's title."""
        first, second = play(DiffResponder(), ISSUE, ("applied\n[exit status 0]", False))
        assert [call.name for call in first.calls] == ["write", "run"]
        assert second.calls[0].name == "submit"
        assert second.calls[0].input["title"] == "Count from two"

    def test_patch_fails(self) -> None:
        """A patch that does not apply is reported with git's words, and nothing is submitted."""
        said = "error: patch failed: app.py:1\n[exit status 1]"
        _, second = play(DiffResponder(), ISSUE, (said, False))
        assert second.calls[0].name == "finish"
        assert said in second.calls[0].input["message"]

    def test_readings(self) -> None:
        """A replacement that does not stand there is tried without the space behind the sign, before it is given up."""
        first, second, third = play(DiffResponder(), REVIEW, ("0 times", True), ("0 times", True))
        assert [call.input["old"] for call in first.calls] == [" x = 2", "old"]
        assert [call.input["old"] for call in second.calls] == ["x = 2"]
        assert third.calls[0].input["outcome"] == "blocked"

    def test_some_fail(self) -> None:
        """What could be applied is submitted, and what could not is said."""
        first, second, third = play(DiffResponder(), REVIEW, ("0 times", True), ("Edited app.py.", False))
        assert (len(first.calls), len(second.calls)) == (2, 1)
        assert third.calls[0].name == "submit"
        assert "`lib/b.py`: 0 times" in third.calls[0].input["summary"]

    def test_submit_fails(self) -> None:
        """A failed check is reported as it is: this brain cannot fix it."""
        answers = ("applied\n[exit status 0]", False), ("Not submitted: test_x", True)
        last = play(DiffResponder(), ISSUE, *answers)[-1]
        assert last.calls[0].input["outcome"] == "blocked"
        assert "test_x" in last.calls[0].input["message"]

    def test_nothing_to_do(self) -> None:
        """Without a change to apply it says what it is, and how to get a model that thinks."""
        (only,) = play(DiffResponder(), "Make it faster")
        assert "scripted model" in only.calls[0].input["message"]
        assert "ANTHROPIC_API_KEY" in only.calls[0].input["message"]

    def test_without_tools(self) -> None:
        """Where no tools are offered it answers in words."""
        assert "scripted model" in DiffResponder().reply(talk(user("hi"), tools=())).text
