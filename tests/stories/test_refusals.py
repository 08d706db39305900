"""Who is refused is told so, once: an agent by its operator, and an operator by an agent that cannot think."""

from __future__ import annotations

from forge.models import Ref
from hive.demo.scripted_replies import DOWNLOAD, Task
from tests.stories.conftest import CONFIG, Hive


def test_a_denied_configuration_is_told_its_author(hive: Hive) -> None:
    """Iris asks for a package; mara says no, and why; the head is tagged, and iris goes on with the reason."""
    issue = hive.file(DOWNLOAD)
    proposal = hive.until(hive.proposal, "the proposal")
    hive.until(lambda: hive.status(proposal, "hive/eval") == "success", "hive/eval")
    hive.until(lambda: "mara" in {user.login for user in hive.mara.pull(proposal).reviewers}, "that mara is asked")
    hive.until(lambda: labels(hive, issue) == {"needs-operator"}, "that the issue waits")
    hive.mara.comment(proposal, "/status", marker="/status")
    hive.until(lambda: any("waits for this pull request" in body for body in said(hive, proposal, "core")), "a status")
    hive.mara.comment(proposal, "/deny The page is small enough.", marker="/deny")
    hive.until(lambda: not hive.mara.pull(proposal).is_open, "its end")
    hive.until(lambda: hive.mara.file(CONFIG, "agent.yaml", f"denied/{proposal.number}"), "the tag")
    told = hive.until(lambda: [text for text in messages(hive) if "rejected your proposal" in text], "the message")
    assert len(told) == 1
    assert "The page is small enough." in told[0]
    hive.settle()
    assert [body for body in said(hive, proposal, "core") if "⛔" in body] == []
    assert len([body for body in said(hive, proposal, "core") if "/deny" in body]) == 1


def test_without_a_key_nothing_is_said_twice(hive: Hive) -> None:
    """The scripted model refuses once on a thread; the issue waits for an operator, who is called once and told how to stop it."""
    issue = hive.file(Task("Paint the page", "It should be prettier."))
    hive.until(lambda: labels(hive, issue) == {"needs-operator"}, "that the issue waits")
    for words in ("Prettier, I said.", "please stop", "Please stop!"):
        turns = len(messages(hive))
        hive.mara.comment(issue, words, marker=words)
        hive.until(lambda known=turns: len(messages(hive)) > known, f"that {words!r} is heard")  # type: ignore[misc]
        hive.until(lambda: labels(hive, issue) == {"needs-operator"}, "that the issue waits again")
    hive.settle()
    (refusal,) = said(hive, issue, "iris")
    assert "`/cancel`" in refusal
    assert sum("@mara: @iris waits for you here" in body for body in said(hive, issue, "core")) == 1
    assert sum("To stop @iris: " in body for body in said(hive, issue, "core")) == 1
    hive.mara.comment(issue, "/cancel", marker="/cancel")
    hive.until(lambda: labels(hive, issue) == set(), "that nobody is at it")


def labels(hive: Hive, issue: Ref) -> set[str]:
    """The labels of an issue that tell how things stand."""
    return {label for label in hive.mara.issue(issue).labels if label.startswith(("state/", "needs-"))}


def said(hive: Hive, ref: Ref, login: str) -> list[str]:
    """What an account said on a thread."""
    return [comment.body for comment in hive.mara.comments(ref) if comment.author.login == login]


def messages(hive: Hive) -> list[str]:
    """What iris was told, message by message."""
    with hive.instance.ledger.transaction() as db:
        return [row["message"] for row in db.execute("SELECT message FROM turns ORDER BY id")]
