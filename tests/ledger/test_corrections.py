"""The newest word of people on each issue."""

from __future__ import annotations

from hive.ledger import Ledger
from hive.ledger.corrections import Correction
from tests.conftest import Clock

ISSUE = "forgejo:acme/app#1"


def test_the_newest_word_counts(ledger: Ledger, clock: Clock) -> None:
    """What is said later takes its place; a part that says nothing leaves what was said of it."""
    ledger.corrections.record("acme", ISSUE, kind="type/docs", lane="", by="mara")
    clock.pass_(5)
    ledger.corrections.record("acme", ISSUE, kind="", lane="nix", by="iris")
    (found,) = ledger.corrections.of("acme")
    assert found == Correction("acme", "forgejo:acme/app", ISSUE, "type/docs", "nix", "iris", clock.now)


def test_they_are_found_by_team_and_repository(ledger: Ledger, clock: Clock) -> None:
    """Newest first, as many as are wanted."""
    for number in (1, 2, 3):
        clock.pass_(1)
        ledger.corrections.record("acme", f"forgejo:acme/app#{number}", kind="type/bug", lane="", by="mara")
    ledger.corrections.record("acme", "forgejo:acme/other#1", kind="type/bug", lane="", by="mara")
    ledger.corrections.record("beta", "forgejo:beta/app#1", kind="type/bug", lane="", by="mara")
    here = ledger.corrections.of("acme", repo="forgejo:acme/app", limit=2)
    assert [each.ref for each in here] == ["forgejo:acme/app#3", "forgejo:acme/app#2"]
    assert len(ledger.corrections.of("acme")) == 4
