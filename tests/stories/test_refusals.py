"""Who is refused is told so, once: an agent by its operator, and an operator by an agent that cannot think."""

from __future__ import annotations

from bots.money import CENT, DOLLAR
from forge.models import Ref
from hive.demo.scripted_replies import DOWNLOAD, SORT, Task
from tests.stories.conftest import APP, CONFIG, Hive


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


def test_a_spent_budget_waits_for_an_operator(hive: Hive) -> None:
    """The run stops before it spends more, in words that say how it goes on; `/budget +2` is enough, and all of it is booked."""
    ledger = hive.instance.ledger
    issue = Ref(APP, max((subject.ref.number for subject in hive.subjects(APP)), default=0) + 1)
    ledger.budgets.raise_caps(str(issue), 0, CENT - 10 * DOLLAR)  # of ten dollars a cent is left
    assert hive.file(SORT) == issue
    hive.until(lambda: "needs-operator" in hive.mara.issue(issue).labels, "the label")
    (stopped,) = hive.until(lambda: [body for body in said(hive, issue, "iris") if "/budget +2" in body], "the words")
    assert "The budget of this issue has no room for another answer of the model: $0.00 of $0.01 are spent." in stopped
    run = ledger.runs.find(str(issue))
    assert run is not None
    assert ledger.spending.of_run(run.id).requests == 0
    hive.mara.comment(issue, "/budget +2", marker="/budget")
    pull = hive.until(lambda: hive.pull_of(issue), "the pull request")
    hive.until(lambda: hive.mara.pull(pull).head_sha, "its head")
    hive.settle()
    spent = ledger.spending.of_run(run.id)
    assert (spent.requests > 0, spent.cost > 0) == (True, True)
    assert "🪙 $0." in hive.mara.pull(pull).body
    (answer,) = (body for body in said(hive, issue, "core") if "`/budget +2`: run" in body)
    assert "this issue has spent $0.00 of $2.01" in answer


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
