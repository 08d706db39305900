"""A model that nobody hears of: said at once and as what it is, and all goes on when it is there again."""

from __future__ import annotations

from pathlib import Path

import pytest

from hive.app.console import PHRASES, phrase
from hive.demo.model import ModelServer
from hive.demo.scripted_replies import SORT, script
from hive.ledger import SuspensionReason
from tests.stories.conftest import free_port, raised


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1:{port}", "http://model.invalid:{port}", "https://127.0.0.1:{port}"]
)
def test_a_dead_model_is_no_rate_limit(tmp_path: Path, address: str) -> None:
    """No connection, no such name, no TLS: the first failure is on the screen, the label says unreachable, one turn waits."""
    port = free_port()
    tls = address.startswith("https")
    with raised(tmp_path, script(), model_url=address.format(port=port)) as hive:
        ledger = hive.instance.ledger
        server = ModelServer(script(), port=port) if tls else None
        if server is not None:
            server.start()
        issue = hive.file(SORT)
        hive.until(lambda: "state/model-unreachable" in hive.mara.issue(issue).labels, "the label")
        rows = [row for row in ledger.audit.after(0, 5000) if row.action in ("model_unreachable", "agent_suspended")]
        assert [row.action for row in rows[:2]] == ["model_unreachable", "agent_suspended"]
        assert "🔴 the model is unreachable" in phrase(rows[0])
        assert {suspension.reason for suspension in ledger.suspensions.all()} == {SuspensionReason.MODEL_UNREACHABLE}
        assert {"model_unreachable", "agent_suspended", "agent_resumed"} <= PHRASES.keys()
        assert not [comment for comment in hive.mara.comments(issue) if comment.author.login == "iris"]
        if server is not None:
            server.stop()


def test_it_goes_on_when_the_model_is_there(tmp_path: Path) -> None:
    """Nothing was lost meanwhile, and nothing is said twice."""
    port = free_port()
    with raised(tmp_path, script(), model_url=f"http://127.0.0.1:{port}") as hive:
        issue = hive.file(SORT)
        hive.until(lambda: "state/model-unreachable" in hive.mara.issue(issue).labels, "the label")
        with ModelServer(script(), port=port):
            pull = hive.until(lambda: hive.pull_of(issue), "the pull request")
            hive.until(lambda: hive.mara.pull(pull).head_sha, "its head")
            hive.until(lambda: "state/model-unreachable" not in hive.mara.issue(issue).labels, "the label's end")
        assert hive.instance.ledger.suspensions.all() == []
