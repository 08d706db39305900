"""What the terminal of a running hive shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hive.app.console import ActivityConsole

if TYPE_CHECKING:
    from tests.hive.conftest import HiveEnv


def test_a_hive_that_is_started_again_shows_what_is_new(hive_env: HiveEnv) -> None:
    """What happened in an earlier life was shown then, and is not told again as if it were now."""
    audit = hive_env.instance.ledger.audit
    audit.add("host", "deployed", ref="forgejo:agent-configs/iris", agent="iris", tag="deployed/1")
    console = ActivityConsole(hive_env.instance)
    console.begin_here()
    assert console.show() == []
    audit.add("host", "deployed", ref="forgejo:agent-configs/iris", agent="iris", tag="deployed/2")
    assert [row.detail["tag"] for row in console.show()] == ["deployed/2"]
