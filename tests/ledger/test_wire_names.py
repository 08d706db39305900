"""What is stored has names of its own: a class can be renamed, and a ledger is still read."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable
from enum import StrEnum
from pathlib import Path
from typing import get_args

import pytest

from bots import intents, review_intents, triage_intents
from bots.review_rounds import FindingState
from forge import events
from forge.events import EVENTS, Event
from forge.poll_changes import ChangeKind
from forge.wire_names import WireNamed, by_wire_name
from hive.ledger import Act, DeploymentState, Scope, SuspensionReason
from hive.outbox import actions
from hive.outbox.actions import ACTIONS
from hive.poller import REFRESH
from hive.reconcile.steps import Step
from hive.replay.recording import ERRORS, PARTS

HIVE = Path(__file__).parent.parent.parent / "hive"
ENUMS: dict[str, type[StrEnum]] = {
    "audit": Act,
    "changes.kind": ChangeKind,
    "deployments.state": DeploymentState,
    "review_rounds.findings": FindingState,
    "suspensions.scope": Scope,
    "suspensions.reason": SuspensionReason,
}
"""Enums whose values are stored, by the column that holds them."""


class One(WireNamed, wire="one"):
    """Stored as `one`."""


class Heir(One):
    """Has no name of its own."""


class Other(WireNamed, wire="one"):
    """Takes a name that is taken."""


def test_stored_words_stay(golden: Callable[[str, str], None]) -> None:
    """A word that a ledger holds does not change by accident: it would no longer be understood."""
    lists: dict[str, Iterable[str]] = {
        "effects.kind": ACTIONS,
        "jobs.event_type": EVENTS,
        "errors in recordings": ERRORS,
        "parts in recordings": PARTS,
        "jobs.bot of the hive itself": [REFRESH],
        **{column: [each.value for each in kind] for column, kind in ENUMS.items()},
    }
    golden(
        "ledger/stored-words.txt",
        "\n".join(f"{name}: {word}" for name, words in lists.items() for word in sorted(words)),
    )


def test_each_stored_type_has_a_name() -> None:
    """Every event and every action has a name, each its own, and the name leads back to the class."""
    assert {kind.__name__ for kind in EVENTS.values()} == {kind.__name__ for kind in _subclasses(Event)}
    assert set(ACTIONS.values()) == set(get_args(actions.Action))
    assert all(name == kind.WIRE for names in (EVENTS, ACTIONS) for name, kind in names.items())
    own = {
        kind
        for module in (intents, review_intents, triage_intents, actions)
        for kind in vars(module).values()
        if isinstance(kind, type) and "WIRE" in vars(kind)
    }
    assert own == set(ACTIONS.values()), "a class with a name that no registry knows"
    assert {kind for kind in vars(events).values() if isinstance(kind, type) and "WIRE" in vars(kind)} == set(
        EVENTS.values()
    )


def test_names_are_plain() -> None:
    """Names are small letters and underscores: a shell, SQL and a terminal take them as they are."""
    words = [*ACTIONS, *EVENTS, *ERRORS, *PARTS, *(each.value for kind in ENUMS.values() for each in kind)]
    assert [word for word in words if not re.fullmatch(r"[a-z]+(_[a-z]+)*", word)] == []
    recorded = [*ACTIONS, *EVENTS, *(each.value for each in Act)]
    assert len(recorded) == len(set(recorded)), "the audit log holds them side by side"
    assert {step.STATE for step in get_args(Step)} < set(DeploymentState)


@pytest.mark.parametrize(
    ("kinds", "said"), [((Heir,), "Heir has no wire name"), ((One, Other), "same wire name 'one'")]
)
def test_a_name_is_neither_missing_nor_shared(kinds: tuple[type, ...], said: str) -> None:
    """A class without a name of its own, or with that of another one, is refused at start."""
    with pytest.raises(ValueError, match=said):
        by_wire_name(kinds)


def test_no_class_name_is_stored() -> None:
    """No module writes a class's own name, or a word that no list holds, into the ledger's audit log."""
    for path in HIVE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            is_add = isinstance(node, ast.Call) and ast.unparse(node.func).endswith("audit.add")
            if is_add and isinstance(node, ast.Call) and len(node.args) > 1:
                assert not isinstance(node.args[1], ast.Constant), f"{path.name}:{node.lineno}: name it in Act"
    ledger = "".join(path.read_text() for path in (HIVE / "ledger").glob("*.py"))
    assert "__name__" not in ledger


def _subclasses(kind: type[Event]) -> Iterable[type[Event]]:
    for each in kind.__subclasses__():
        yield from (each, *_subclasses(each))
