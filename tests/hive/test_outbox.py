"""The registry of handlers: every action has exactly one, and it says who may perform it."""

from __future__ import annotations

import pytest

from bots.intents import Close, PostComment
from hive.outbox.actions import ACTIONS
from hive.outbox.executor import HANDLERS, NEEDS_CORE
from hive.outbox.registry import Registry, Result


def test_each_action_has_one_handler() -> None:
    """A kind of action that nobody performs, and a handler of what is no action, are mistakes."""
    assert {kind for kind, _ in HANDLERS.items()} == set(ACTIONS.values())


def test_two_handlers_of_one_action_are_refused() -> None:
    """Which of two handlers runs is never a question of import order."""
    one, other = Registry(), Registry()
    for registry in (one, other):
        registry.on(Close)(lambda _execution, _action: Result())
    with pytest.raises(ValueError, match="two handlers perform Close"):
        Registry(one, other)
    with pytest.raises(ValueError, match="two handlers perform Close"):
        one.on(Close)(lambda _execution, _action: Result())


def test_what_could_write_code_is_done_by_core() -> None:
    """Statuses, verdicts, tags and closing need a right that bots' accounts do not have."""
    statuses = {"set_status", "set_verdict", "refresh_verdict"}
    proposals = {"tag_denied", "tag_proposal", "propose_agent", "propose_revert", "propose_suppression"}
    assert statuses | proposals | {"close"} == NEEDS_CORE
    assert PostComment.WIRE not in NEEDS_CORE
