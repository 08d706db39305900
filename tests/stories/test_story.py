"""The stories of an operator's day, against a whole hive over sockets."""

from __future__ import annotations

import random

from forge.models import Ref, ReviewState
from hive.demo.scripted_replies import DOWNLOAD, HONEY, SORT
from hive.reconcile.report import LOG
from tests.stories.conftest import APP, CONFIG, META, Hive


def test_s2_s7_an_issue_becomes_a_merge(hive: Hive) -> None:
    """File an issue: triage routes it, iris works, argus says 🔴, iris mends, argus says 🟢, mara merges."""
    issue = hive.file(HONEY)
    pull = hive.until(lambda: hive.pull_of(issue), "the pull request")
    routed = hive.mara.issue(issue)
    assert {"type/bug", "area/app"} <= set(routed.labels)
    assert [user.login for user in routed.assignees] == ["iris"]
    said = [comment for comment in hive.mara.comments(issue) if comment.author.login == "triage"]
    assert len(said) == 1
    assert "because of `wrong`" in said[0].body

    red = hive.until(lambda: hive.verdict(pull, ReviewState.REQUEST_CHANGES), "a red review")
    proposed = hive.mara.pull(pull)
    assert proposed.head_branch == f"agent/iris/issue-{issue.number}"
    assert f"Closes #{issue.number}" in proposed.body
    assert "`python3 -m unittest -q` ✅" in proposed.body
    remarks = {(remark.path, remark.line): remark.body for remark in hive.mara.review_comments(pull, red.id)}
    assert any(path == "apiary/page.py" and "path-from-request" in body for (path, _), body in remarks.items()), remarks
    assert any(path == "apiary/honey.py" and "silent failure" in body for (path, _), body in remarks.items()), remarks

    hive.until(lambda: hive.status(pull, "hive/review") == "success", "a green review")
    hive.merge(pull)
    hive.until(lambda: not hive.mara.issue(issue).is_open, "the issue's end")
    hive.until(lambda: _outcome(hive, issue) == "merged", "the run's end")
    assert [each.ref for each in hive.pulls(APP) if f"Closes #{issue.number}" in each.body] == [pull]
    assert [state for state in _states(hive, pull) if state != "REQUEST_REVIEW"] == ["REQUEST_CHANGES", "APPROVED"]


def test_s2_the_same_news_five_times(hive: Hive) -> None:
    """Every delivery again, five times and in any order, makes nothing that is not there."""
    pulls = hive.census()["pulls"]
    issue = hive.file(SORT)
    pull = hive.until(lambda: hive.pull_of(issue), "the pull request")
    hive.until(lambda: hive.status(pull, "hive/review") == "success", "a green review")
    hive.settle()
    before = hive.census()
    again = hive.deliveries() * 5
    random.Random(7).shuffle(again)
    for number, (kind, body) in enumerate(again):
        assert hive.deliver(kind, body, f"again-{number}") == 202
    hive.settle()
    assert hive.census() == before
    assert before["pulls"] == pulls + 1


def test_s4_a_merge_rebuilds_a_container(hive: Hive) -> None:
    """Iris asks for a package; the merge is verified; the container is rebuilt; iris goes on with her work."""
    issue = hive.file(DOWNLOAD)
    proposal = hive.until(hive.proposal, "the proposal")
    baseline = hive.instance.ledger.deployments.baseline("iris")
    assert baseline is not None
    assert not (hive.instance.agents / "iris" / "gens" / baseline.running_sha / "bin" / "gzip").exists()
    hive.until(lambda: hive.status(proposal, "hive/eval") == "success", "hive/eval")
    plan = hive.until(lambda: _said(hive, proposal, "🔎"), "the plan")
    assert "adds gzip" in plan
    hive.merge(proposal)

    report = hive.until(lambda: _said(hive, proposal, "🟢"), "the report")
    assert f"deployed/{proposal.number}" in report
    after = hive.instance.ledger.deployments.baseline("iris")
    assert after is not None
    assert after.running_sha == hive.mara.branch(CONFIG, "main").sha != baseline.running_sha
    assert (hive.instance.agents / "iris" / "gens" / after.running_sha / "bin" / "gzip").exists()
    hive.until(lambda: _tag(hive, proposal.number), "the tag")
    assert hive.until(lambda: _meta(hive), "the record").strip() == after.running_sha

    pull = hive.until(lambda: hive.pull_of(issue), "the pull request")
    hive.until(lambda: hive.status(pull, "hive/review") == "success", "a green review")


def _outcome(hive: Hive, issue: Ref) -> str:
    run = hive.instance.ledger.runs.find(str(issue))
    return run.outcome if run else ""


def _states(hive: Hive, pull: Ref) -> list[str]:
    return [review.state.value for review in hive.mara.reviews(pull)]


def _said(hive: Hive, ref: Ref, sign: str) -> str | None:
    return next((comment.body for comment in hive.mara.comments(ref) if comment.body.startswith(sign)), None)


def _tag(hive: Hive, number: int) -> bool:
    return bool(hive.mara.file(CONFIG, "agent.yaml", f"deployed/{number}"))


def _meta(hive: Hive) -> str:
    return hive.mara.file(META, "deployed/iris", LOG).decode()
