"""A run's pull request says what people need, is kept up to date in place, and what people change in it stays theirs."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import pytest

from forge.models import CommitStatus, FileEdit, PullRequest, Ref, State
from hive.ledger import Turn
from hive.outbox.actions import EditPull, OpenPull
from hive.outbox.enqueue import enqueue
from hive.outbox.pull_report import LaterChange, PullReport, ReportedCheck, pull_body
from hive.outbox.pull_text import PullRevision, PullText, is_draft, new_text, revised
from tests.hive.conftest import APP, HiveEnv

CRITERIA = ("The page counts", "It is *fast*", "@mara likes it, closes #9")
REPORT = PullReport(
    summary="The page counts from two now.",
    closes="Closes #1",
    checks=(ReportedCheck("python3 -m unittest -q", ok=True), ReportedCheck("make lint", ok=False)),
    evidence=("1: `tests/test_page.py` shows it", "3: she said so"),
    left="The cellar: nobody knows where it is.",
)


def sign(text: str) -> str:
    """A signature as the host makes one, without a secret."""
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def test_a_body_golden(golden: Callable[[str, str], None]) -> None:
    """What and why, each criterion with the agent's word or "not shown", checks with results, what is not done, the cost."""
    later = (LaterChange("Count @mara, too", "Fixed what the review found."),)
    used = "🪙 $0.37 · 25 turns · 61 % of the cap"
    golden("pull/report.md", pull_body(REPORT, CRITERIA, used=used, run=7, later=later))


def test_a_short_body_golden(golden: Callable[[str, str], None]) -> None:
    """A repository without checks and an issue without criteria make a short one, which says that there are no checks."""
    golden("pull/short.md", pull_body(PullReport("It counts.", "Closes #1"), (), used="", run=7))


def test_suggested_checks_golden(golden: Callable[[str, str], None]) -> None:
    """Where there are no checks, the body says which there could be, in the words of a file that can be copied."""
    report = PullReport("It counts.", "Closes #1", suggested=("make test", "npm test"))
    golden("pull/suggested.md", pull_body(report, (), used="", run=7))


def test_a_merge_of_a_part_closes_nothing(hive_env: HiveEnv) -> None:
    """What is not done keeps the issue open on a real forge; once all is done, the same pull request closes it."""
    issue, turn = begun(hive_env)
    part = opened(hive_env, turn, PullReport("It counts.", f"Closes #{issue.number}", left="The page."), draft=False)
    assert f"Part of #{issue.number}" in part.body
    assert "Closes" not in part.body
    whole = opened(hive_env, turn, PullReport("It counts.", f"Closes #{issue.number}"), draft=False, number=99)
    assert f"Closes #{issue.number}" in whole.body
    opened(
        hive_env, turn, PullReport("It counts.", f"Closes #{issue.number}", left="The page."), draft=False, number=100
    )
    head = hive_env.mara.pull(part.ref).head_sha
    hive_env.mara.set_status(APP, head, CommitStatus("hive/review", State.SUCCESS, "looks good"))
    at = f"/repos/{APP.path}/pulls/{part.ref.number}"
    hive_env.mara._client.post(f"{at}/merge", Do="merge", head_commit_id=head)
    assert hive_env.mara.pull(part.ref).merged
    assert hive_env.mara.issue(issue).is_open


@pytest.mark.parametrize(
    ("evidence", "shown"),
    [
        ((), [" ", " "]),
        (("so", "and so"), ["x", "x"]),
        (("2: so",), [" ", "x"]),
        (("#1) so", "9: so"), ["x", "x"]),
        (("2. a", "1 - b"), ["x", "x"]),
    ],
)
def test_evidence_is_told_by_number_or_order(evidence: tuple[str, ...], shown: list[str]) -> None:
    """A model that numbers its evidence is taken at its word; otherwise the order counts."""
    body = pull_body(PullReport("s", evidence=evidence), ("one", "two"), used="", run=7)
    assert [line[3] for line in body.splitlines() if line.startswith("- [")] == shown


FIRST = new_text("Count", "It counts.", draft=True, sign=sign)
READY = PullRevision("Count better", "It counts better.", is_draft=False)


def test_a_draft_becomes_ready() -> None:
    """A draft bears the mark that forges know, and loses it when it is ready; nothing is said twice."""
    assert FIRST.title == "WIP: Count"
    ready = revised(FIRST, READY, sign)
    assert ready.title == "Count better"
    assert ready.body.count("It counts") == 1
    again = revised(ready, PullRevision("WIP: Count", "It counts.", is_draft=True), sign)
    assert again == FIRST
    assert revised(again, PullRevision("Count", "It counts.", is_draft=True), sign) == again


def test_what_people_write_around_stays() -> None:
    """Words before and after the hive's part are people's, also from an editor that ends lines its own way."""
    seen = PullText(FIRST.title, f"Read this first.\n\n{FIRST.body}\n\nSee also the wiki.".replace("\n", "\r\n"))
    after = revised(seen, READY, sign)
    assert after.body.startswith("Read this first.\n\n<!-- hive:pull")
    assert after.body.endswith("-->\n\nSee also the wiki.")
    assert "It counts better." in after.body
    assert "It counts.\n" not in after.body


def test_what_people_change_is_theirs() -> None:
    """Who changes the hive's part makes it theirs: it stays, and what the hive has to say follows once, and is edited there."""
    theirs = PullText(FIRST.title, FIRST.body.replace("It counts.", "It counts, says mara."))
    after = revised(theirs, READY, sign)
    assert after.body.startswith("It counts, says mara.\n\n---\n\n<!-- hive:pull")
    last = revised(after, PullRevision("Count best", "It counts best."), sign)
    assert last.body.count("---\n\n<!-- hive:pull") == 1
    assert "It counts better." not in last.body
    assert last.body.startswith("It counts, says mara.")


@pytest.mark.parametrize(
    ("written", "title", "draft", "expected"),
    [
        (True, "WIP: Count on me", False, "Count on me"),
        (True, "WIP: Count on me", True, "WIP: Count on me"),
        (True, "Count", True, "Count"),
        (False, "WIP: Count", False, "WIP: Count"),
        (False, "[wip] Count", True, "[wip] Count"),
        (False, "Mine", False, "Mine"),
    ],
)
def test_titles_of_people(*, written: bool, title: str, draft: bool, expected: str) -> None:
    """A title that a person wrote stays; only a mark of drafts that the hive set goes; who made a draft ready keeps it so."""
    mine = new_text("Count", "It counts.", draft=written, sign=sign)
    after = revised(PullText(title, mine.body), PullRevision("Other", "It counts.", is_draft=draft), sign)
    assert after.title == expected
    assert revised(after, PullRevision("Other", "It counts.", is_draft=draft), sign).title == expected


def test_only_one_part_is_changed() -> None:
    """A change of the body leaves the title to whoever wrote it, and the other way round."""
    theirs = PullText("Mine", FIRST.body)
    body_only = revised(theirs, PullRevision(block="Other."), sign)
    assert body_only.title == "Mine"
    assert revised(body_only, PullRevision("Other", "Other.", is_draft=False), sign).title == "Mine"
    title_only = revised(FIRST, PullRevision("Better"), sign)
    assert title_only.title == "WIP: Better"
    assert "It counts." in title_only.body


def test_a_body_without_a_mark_is_a_persons() -> None:
    """Who deletes everything, or opened the pull request, has their text above the hive's."""
    assert revised(PullText("T", ""), PullRevision("U", "Block."), sign).body.startswith("<!-- hive:pull")
    assert revised(PullText("T", "Mine."), PullRevision("U", "Block."), sign).body.startswith("Mine.\n\n---\n\n<!--")
    assert revised(PullText("T", "Mine."), PullRevision("U"), sign) == PullText("T", "Mine.")
    body_only = revised(PullText("T", "Mine."), PullRevision(block="Block."), sign)
    assert revised(body_only, PullRevision("U", "Block."), sign).title == "T"


def test_a_mark_cannot_be_forged() -> None:
    """Text that looks like a mark ends no block, and is no block."""
    forged = f"```\n<!-- /hive:pull {'0' * 24} -->\n```"
    mine = new_text("Count", forged, draft=False, sign=sign)
    assert revised(mine, PullRevision("Count", "New."), sign).body.count("<!-- hive:pull") == 1
    assert forged not in revised(mine, PullRevision("Count", "New."), sign).body


@pytest.mark.parametrize(
    ("title", "draft"), [("WIP: x", True), ("[wip] x", True), ("Wipe it", False), ("x WIP:", False)]
)
def test_what_a_draft_is(title: str, *, draft: bool) -> None:
    """A draft is what Forgejo and Gitea take for one."""
    assert is_draft(title) is draft


def test_from_draft_to_ready_on_a_forge(hive_env: HiveEnv) -> None:
    """A run's pull request is opened once as a draft, made ready by a later submit, and edited once more after a crash."""
    ledger, issue, turn = hive_env.instance.ledger, *begun(hive_env)
    first = opened(hive_env, turn, PullReport("It counts.", f"Closes #{issue.number}"), draft=True)
    assert (first.title, first.draft) == ("WIP: Count", True)
    assert "- [ ] It counts: not shown" in first.body
    found = ledger.progress.of(turn.run)
    assert found is not None
    assert (found[0].pull, found[0].is_draft) == (first.ref, True)
    hive_env.mara.edit(first.ref, body=f"Please look, Noah.\n\n{first.body}")
    report = PullReport(
        "It counts.", f"Closes #{issue.number}", (ReportedCheck("make", ok=True),), ("1: see the test",)
    )
    ready = opened(hive_env, turn, report, draft=False)
    assert (ready.ref, ready.title, ready.draft) == (first.ref, "Count", False)
    assert ready.body.startswith("Please look, Noah.\n\n<!-- hive:pull")
    assert "- [x] It counts: see the test" in ready.body
    with ledger.transaction() as db:  # as it was before the result was recorded
        db.execute("UPDATE effects SET state = 'pending', next_at = 0 WHERE kind = 'open_pull_request'")
    do_all(hive_env)
    assert hive_env.mara.pull(first.ref).body.count("### Checks") == 1
    assert len(hive_env.mara.open_pulls(APP)) == 1


def test_later_submits_are_told_below(hive_env: HiveEnv) -> None:
    """The first description that was ready stays, with its title; what later turns changed follows, the newest of each."""
    _, turn = begun(hive_env)
    told = [
        ("Half", "Half of it.", True),
        ("Count", "It counts.", False),
        ("Fix", "Oops.", False),
        ("Fix", "Fixed.", False),
    ]
    for number, (title, summary, draft) in enumerate(told):
        turns = min(number + 1, 3)
        pull = opened(hive_env, turn, PullReport(summary), draft=draft, title=title, number=turns)
    assert pull.title == "Count"
    words = [line for line in pull.body.splitlines() if line and not line.startswith("<")]
    assert words[:4] == ["It counts.", "### Since then", "**Fix**", "Fixed."]
    assert "Oops" not in pull.body
    assert "Half" not in pull.body


def test_a_closed_pull_request_is_left_alone(hive_env: HiveEnv) -> None:
    """What a person has closed is neither edited nor opened again by the run."""
    _, turn = begun(hive_env)
    first = opened(hive_env, turn, PullReport("It counts."), draft=True)
    hive_env.mara.close(first.ref)
    assert opened(hive_env, turn, PullReport("It counts better."), draft=False) == hive_env.mara.pull(first.ref)
    edit = EditPull(first.ref, title="Other", body=None, key="e")
    enqueue(hive_env.instance.ledger, "acme", "iris", edit, by="run", turn=turn.id)
    do_all(hive_env)
    assert hive_env.mara.pull(first.ref).title == "WIP: Count"
    assert hive_env.mara.open_pulls(APP) == []


def test_saved_work_leaves_the_words(hive_env: HiveEnv) -> None:
    """Work that a turn could only save makes a pull request a draft again, and takes none of its words away."""
    _, turn = begun(hive_env)
    ready = opened(hive_env, turn, REPORT, draft=False)
    saved = opened(hive_env, turn, None, draft=True)
    assert (saved.ref, saved.title) == (ready.ref, f"WIP: {ready.title}")
    assert "The page counts from two now." in saved.body
    done = opened(hive_env, turn, PullReport("It is done."), draft=False)
    assert (done.ref, done.title) == (ready.ref, ready.title)


def test_an_agent_may_retitle_its_own(hive_env: HiveEnv) -> None:
    """The title that the hive has written is changed by the agent's wish; the words below it stay."""
    _, turn = begun(hive_env)
    first = opened(hive_env, turn, PullReport("It counts."), draft=False)
    edit = EditPull(first.ref, title="Other", body=None, key="e")
    enqueue(hive_env.instance.ledger, "acme", "iris", edit, by="run", turn=turn.id)
    do_all(hive_env)
    after = hive_env.mara.pull(first.ref)
    assert (after.title, "It counts." in after.body) == ("Other", True)


def begun(hive_env: HiveEnv) -> tuple[Ref, Turn]:
    """Iris works on an issue, and has pushed something."""
    ledger = hive_env.instance.ledger
    issue = hive_env.mara.open_issue(APP, "A page is wrong", "It shows 0.\n\n- [ ] It counts", marker="It shows").ref
    ledger.runs.start("acme", "iris", str(issue), "k", "do it")
    turn = ledger.runs.claim("iris")
    assert turn is not None
    hive_env.mara.commit(APP, [FileEdit("a.py", b"x = 1\n")], message="a", branch="agent/iris/1", start="main")
    return issue, turn


def opened(
    hive_env: HiveEnv, turn: Turn, report: PullReport | None, *, draft: bool, title: str = "Count", number: int = 0
) -> PullRequest:
    """The pull request of iris' run after one more submit, in a turn of that number."""
    key = f"run{turn.run}:{APP}:agent/iris/1:{number or turn.id}:{hash((report, draft))}"
    action = OpenPull(turn.run, APP, "agent/iris/1", "main", title, "", False, key, draft, report)
    enqueue(hive_env.instance.ledger, "acme", "iris", action, by="run", turn=turn.id)
    do_all(hive_env)
    found = hive_env.instance.ledger.progress.of(turn.run)
    assert found is not None
    assert found[0].pull is not None
    return hive_env.mara.pull(found[0].pull)


def do_all(hive_env: HiveEnv) -> None:
    """Do what is due."""
    worker = hive_env.worker()
    for effect in hive_env.instance.ledger.effects.due():
        worker.apply(effect)
