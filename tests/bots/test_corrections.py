"""What people make of a routed issue is remembered; what they did not mean as a correction is not."""

from __future__ import annotations

import pytest

from bots.agent_intents import RecordCorrection
from bots.bot import Context
from bots.corrections import bot
from forge.events import IssueLabeled
from forge.models import Ref, TimelineEvent, User
from tests.bots.conftest import APP, CONFIG, CORE, EVE, IRIS, MARA, NOON, StillForge, issue

ISSUE = Ref(APP, 1)
MILO = User(50, "milo")
ROUTED = [(CORE, "type/bug", False), (CORE, "area/app", False)]


@pytest.mark.parametrize(
    ("rows", "labels", "said"),
    [
        ([*ROUTED, (MARA, "type/bug", True), (MARA, "type/docs", False)], ("type/docs", "area/app"), ("type/docs", "app", "mara")),
        ([*ROUTED, (MILO, "area/nix", False), (MILO, "area/app", True)], ("type/bug", "area/nix"), ("type/bug", "nix", "milo")),
        ([*ROUTED, (MARA, "area/app", True)], ("type/bug",), ("type/bug", "", "mara")),
        ([*ROUTED, (MARA, "area/nix", False)], ("type/bug", "area/app", "area/nix"), ("type/bug", "", "mara")),
        ([*ROUTED, (MARA, "type/bug", True), (MARA, "area/app", True)], (), None),
        ([*ROUTED, (MARA, "urgent", False)], ("type/bug", "area/app", "urgent"), None),
        ([*ROUTED, (EVE, "type/docs", False)], ("type/docs",), None),
        ([*ROUTED, (None, "type/docs", False)], ("type/docs",), None),
        ([*ROUTED, (MARA, "type/docs", False), (IRIS, "type/bug", False)], ("type/bug",), None),
        ([(MARA, "type/docs", False)], ("type/docs",), None),
        (ROUTED, ("type/bug", "area/app"), None),
        ([], (), None),
    ],
)  # fmt: skip
def test_what_is_remembered(
    forge: StillForge,
    ctx: Context,
    rows: list[tuple[User | None, str, bool]],
    labels: tuple[str, ...],
    said: tuple[str, str, str] | None,
) -> None:
    """A person's change of a kind or lane that the hive had set: what the issue bears now, unless that is not clear."""
    forge.issues[ISSUE] = issue(author=EVE, labels=labels)
    forge.rows[ISSUE] = [
        TimelineEvent(number, "label", by, NOON, label=label, removed=removed)
        for number, (by, label, removed) in enumerate(rows)
    ]
    wanted = bot.handle(IssueLabeled(ISSUE, MARA, "k"), ctx)
    key = f"{ISSUE}:{len(rows) - 1}"
    assert wanted == ([RecordCorrection(ISSUE, *said, key=key)] if said else [])


def test_where_nothing_is_routed(forge: StillForge, ctx: Context) -> None:
    """Pull requests, configurations, and what the hive itself does teach nothing."""
    forge.rows[ISSUE] = [TimelineEvent(1, "label", CORE, NOON, label="type/bug"), TimelineEvent(2, "label", MARA, NOON, label="type/docs")]  # fmt: skip
    forge.issues[ISSUE] = issue(labels=("type/docs",), is_pull=True)
    assert bot.handle(IssueLabeled(ISSUE, MARA, "k"), ctx) == []
    forge.issues[ISSUE] = issue(labels=("type/docs",))
    assert bot.handle(IssueLabeled(ISSUE, CORE, "k"), ctx) == []
    assert bot.handle(IssueLabeled(Ref(CONFIG, 1), MARA, "k"), ctx) == []
    assert bot.handle(IssueLabeled(ISSUE, MARA, "k"), ctx)
