"""What the terminal of a running hive shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hive.screen import Screen

if TYPE_CHECKING:
    from tests.hive.conftest import Village


def test_a_hive_that_is_started_again_shows_what_is_new(village: Village) -> None:
    """What happened in an earlier life was shown then, and is not told again as if it were now."""
    audit = village.house.ledger.audit
    audit.add("host", "deployed", ref="forgejo:agent-configs/iris", agent="iris", tag="deployed/1")
    screen = Screen(village.house)
    screen.begin_here()
    assert screen.show() == []
    audit.add("host", "deployed", ref="forgejo:agent-configs/iris", agent="iris", tag="deployed/2")
    assert [row.detail["tag"] for row in screen.show()] == ["deployed/2"]
