"""Made ready once, the house does what is owed, once, whatever dies on the way."""

from __future__ import annotations

import dataclasses

import pytest

from bots.bot import Bot
from bots.intents import OpenIssue, PostComment, PostReview, SetLabels, SetStatus
from bots.types import Verdict
from forge.events import IssueOpened
from forge.gitea.write import GiteaForge
from forge.protocol import Refused
from forge.types import CommitStatus, Issue, Ref, Repo, State, User
from hive.app.house import NotReady
from hive.app.work import sweepers, workshop
from hive.apply import owe
from hive.deeds import Answer, CommitFile, MakeTag
from hive.waiting import queue
from hive.work import Worker
from tests.hive.conftest import APP, CONFIG, Village


def file(village: Village, title: str = "A page is wrong") -> Issue:
    """Mara files an issue."""
    return village.mara.open_issue(APP, title, "It shows 0.", marker="It shows")


def comments(village: Village, ref: Ref) -> list[str]:
    """What is said on a thread."""
    return [comment.body for comment in village.mara.comments(ref)]


def test_ready_is_ready(village: Village) -> None:
    """The first run makes everything, the second one nothing."""
    assert any("organisation agent-configs" in what for what in village.made)
    assert any("protection of main in agent-configs/iris" in what for what in village.made)
    assert village.provision() == []


def test_accounts_have_the_least_rights(village: Village) -> None:
    """Triage labels without push, an agent reaches its own configuration only, and nobody but operators merges."""
    url, vault = village.forge.url, village.house.vault
    with GiteaForge(name="forgejo", url=url, token=vault.token("forgejo", "triage")) as triage:
        issue = file(village)
        triage.label(issue.ref, add=["type/bug"])
        with pytest.raises(Refused):
            triage.put_file(APP, "x", b"x", message="x", branch="side")
    rule = village.mara.protection(CONFIG, "main")
    assert rule is not None
    assert (rule.push, rule.mergers, rule.admins_included) == (False, ("mara",), True)
    assert rule.required_statuses == ("hive/eval",)


def test_other_accounts_under_a_known_name_are_refused(village: Village) -> None:
    """A login that comes back as another account is no operator."""
    with village.house.ledger.transaction() as db:
        db.execute("UPDATE identities SET user_id = 999 WHERE login = 'mara'")
    with pytest.raises(NotReady, match="mara on forgejo is another account"):
        village.provision()


def test_a_job_is_looked_at_and_done(village: Village) -> None:
    """From an event to labels, comment and assignment; done again it changes nothing."""
    issue = file(village)
    event = IssueOpened(issue.ref, issue.author, "opened")
    worker = village.worker()
    for _ in range(2):
        for job in village.house.ledger.jobs.owe("acme", [("triage", event)]):
            worker.look(job)
    after = village.mara.issue(issue.ref)
    assert set(after.labels) == {"type/bug", "area/app"}
    assert [user.login for user in after.assignees] == ["iris"]
    assert len(comments(village, issue.ref)) == 1


def test_a_clash_of_keys_is_seen(village: Village) -> None:
    """Two different things of one kind under one key: the look fails in words, and nothing of it is done."""
    issue = file(village)
    chatty = Bot("chatty", may={PostComment})
    chatty.on(IssueOpened)(lambda event, ctx: [PostComment(event.ref, words, key="k") for words in ("one", "two")])
    shop = dataclasses.replace(workshop(village.house), bots={"chatty": chatty})
    ledger = village.house.ledger
    (job,) = ledger.jobs.owe("acme", [("chatty", IssueOpened(issue.ref, issue.author, "opened"))])
    Worker(shop).look(job)
    assert comments(village, issue.ref) == []
    assert any(line.startswith(f"failed look {job}  chatty issue_opened") for line in queue(ledger))
    assert "chatty wants two different PostComment under the key 'k'" in ledger.open.given_up()[0].error


def test_a_comment_that_was_written_before_a_crash_is_found(village: Village) -> None:
    """Killed between the deed and its record, the deed is not done twice."""
    issue = file(village)
    ledger = village.house.ledger
    effect = owe(ledger, "acme", "triage", PostComment(issue.ref, "hello", key="k"), by="test")
    worker = village.worker()
    worker.apply(effect)
    with ledger.transaction() as db:
        db.execute("UPDATE effects SET state = 'running', lease_until = 0")
    worker.apply(effect)
    assert len(comments(village, issue.ref)) == 1
    assert ledger.effects.get(effect).state == "done"


def test_a_review_of_an_older_head_is_dropped(village: Village) -> None:
    """What the world has overtaken is not posted."""
    pull = _pull(village)
    review = PostReview(pull, "0" * 40, Verdict.BLOCKED, "🔴 1", "no", (), key="k")
    effect = owe(village.house.ledger, "acme", "argus", review, by="review")
    village.worker().apply(effect)
    assert village.house.ledger.effects.get(effect).state == "superseded"
    assert village.mara.reviews(pull) == []


def test_what_is_refused_stops_and_is_recorded(village: Village) -> None:
    """A deed that the forge refuses is not tried for ever."""
    status = CommitStatus("hive/review", State.SUCCESS, "🟢")
    refused = SetStatus(APP, village.mara.branch(APP, "main").sha, status, key="k")
    effect = owe(village.house.ledger, "acme", "triage", refused, by="test")
    village.worker().apply(effect)
    assert village.house.ledger.effects.get(effect).state == "failed"
    assert [row.action for row in village.house.ledger.audit.after(0)][-1] == "effect_failed"


def test_an_unknown_label_is_no_silence(village: Village) -> None:
    """Forges drop unknown labels silently; the hive says so."""
    effect = owe(
        village.house.ledger, "acme", "triage", SetLabels(file(village).ref, add=("nope",), key="k"), by="test"
    )
    village.worker().apply(effect)
    assert "nope" in village.house.ledger.effects.get(effect).error


def test_a_bot_that_fails_fails_alone(village: Village) -> None:
    """A fault in a bot ends its job, is recorded, and nothing of it is done."""
    issue = file(village)
    ledger = village.house.ledger
    nobody = dataclasses.replace(
        IssueOpened(issue.ref, User(1, "x"), "k"), ref=Ref(Repo(APP.forge, APP.owner, "never"), 1)
    )
    jobs = ledger.jobs.owe("acme", [("triage", nobody), ("gone", IssueOpened(issue.ref, User(1, "x"), "k2"))])
    worker = village.worker()
    for job in jobs:
        worker.look(job)
    assert [row.action for row in ledger.audit.after(0)] == ["job_failed", "job_failed"]
    assert ledger.effects.due() == []


def test_records_and_tags_are_made_once(village: Village) -> None:
    """The record of a deployment and its tag can be owed twice."""
    sha = village.mara.branch(CONFIG, "main").sha
    meta = dataclasses.replace(CONFIG, owner="hive", name="meta")
    worker = village.worker()
    for number in range(2):
        for deed in (
            CommitFile(meta, "deployed/iris", "abc\n", "deploy iris", "main", key=f"c{number}"),
            MakeTag(CONFIG, "deployed/1", sha, "deploy iris", key=f"t{number}"),
            OpenIssue(CONFIG, "look", "there", key="same"),
        ):
            worker.apply(owe(village.house.ledger, "acme", "core", deed, by="host"))
    assert village.mara.file(meta, "deployed/iris", "main") == b"abc\n"
    failed = [row.detail for row in village.house.ledger.audit.after(0) if row.action == "effect_failed"]
    assert failed == []


def test_the_sweep_finds_what_no_webhook_told(village: Village) -> None:
    """It makes the same events under the same keys, so that nothing is looked at twice."""
    issue = file(village)
    house = village.house
    found = sweepers(house)[0]
    jobs = found.sweep().jobs
    assert jobs
    assert found.sweep().jobs == ()
    worker = village.worker()
    for job in jobs:
        worker.look(job)
    assert [user.login for user in village.mara.issue(issue.ref).assignees] == ["iris"]


def test_what_was_there_before_is_no_work(village: Village) -> None:
    """A repository that the hive comes to is not swept from its beginning."""
    file(village)
    house = village.house
    with house.ledger.transaction() as db:
        db.execute("DELETE FROM cursors")
    for found in sweepers(house):
        assert found.sweep().jobs == ()


def _pull(village: Village) -> Ref:
    """A pull request on the configuration of iris."""
    with GiteaForge(name="forgejo", url=village.forge.url, token=village.house.vault.token("forgejo", "core")) as core:
        village.mara._client.post("/repos/agent-configs/iris/branches", new_branch_name="side", old_ref_name="main")
        core.put_file(CONFIG, "notes", b"x", message="x", branch="side")
        return core.open_pull(CONFIG, head="side", base="main", title="Notes", body="").ref


def test_the_same_refusal_is_said_once(village: Village) -> None:
    """An agent that has nothing new to say says nothing: long words are not said twice in a row, short answers are."""
    issue = file(village)
    ledger, worker = village.house.ledger, village.worker()
    refusal = "I am the scripted model: I can apply a change, but I cannot think of one. " * 2
    for number, words in enumerate((refusal, refusal, "Yes.", "Yes.", refusal)):
        worker.apply(owe(ledger, "acme", "iris", Answer(issue.ref, words, key=f"run1:end:{number}"), by="run"))
    said = [body.partition("\n")[0].strip() for body in comments(village, issue.ref)]
    assert said == [refusal.strip(), "Yes.", "Yes.", refusal.strip()]
    assert ledger.open.given_up() == []
