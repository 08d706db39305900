"""A model that nobody hears of: said at once and as what it is, and all goes on when it is there again."""

from __future__ import annotations

from pathlib import Path

from hive.app.console import PHRASES, phrase
from hive.demo.model import ModelServer
from hive.demo.scripted_replies import SORT, script
from hive.ledger import SuspensionReason
from tests.stories.conftest import free_port, raised


def test_a_dead_model_is_no_rate_limit_and_all_goes_on(tmp_path: Path) -> None:
    """The first failure is on the screen, the label says unreachable, one turn waits; nothing is lost, nothing said twice."""
    port = free_port()
    with raised(tmp_path, script(), model_url=f"http://127.0.0.1:{port}") as hive:
        ledger = hive.instance.ledger
        issue = hive.file(SORT)
        hive.until(lambda: "state/model-unreachable" in hive.mara.issue(issue).labels, "the label")
        rows = [row for row in ledger.audit.after(0, 5000) if row.action in ("model_unreachable", "agent_suspended")]
        assert [row.action for row in rows[:2]] == ["model_unreachable", "agent_suspended"]
        assert "🔴 the model is unreachable" in phrase(rows[0])
        assert {suspension.reason for suspension in ledger.suspensions.all()} == {SuspensionReason.MODEL_UNREACHABLE}
        assert {"model_unreachable", "agent_suspended", "agent_resumed"} <= PHRASES.keys()
        assert not [comment for comment in hive.mara.comments(issue) if comment.author.login == "iris"]
        with ModelServer(script(), port=port):
            pull = hive.until(lambda: hive.pull_of(issue), "the pull request")
            hive.until(lambda: hive.mara.pull(pull).head_sha, "its head")
            hive.until(lambda: "state/model-unreachable" not in hive.mara.issue(issue).labels, "the label's end")
        assert ledger.suspensions.all() == []
