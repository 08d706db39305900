"""Store an action as a pending effect. Performs nothing; the executor does."""

from __future__ import annotations

from bots.intents import SetVerdict
from hive.codec import Codec
from hive.ledger import Ledger
from hive.outbox.actions import Action, subject_of


def enqueue(
    ledger: Ledger,
    team: str,
    actor: str,
    action: Action,
    *,
    by: str,
    job: int | None = None,
    turn: int | None = None,
    depth: int = 0,
) -> int:
    """Store an action to be performed as the account `actor`; returns the id of its effect.

    `by` is the bot or part of the hive that wants it; its name and the action's own key make the effect's key, so
    that storing an action twice stores it once. `job` or `turn` is what caused it, `depth` the length of the chain
    of machines that led there.
    """
    kind, subject = type(action), subject_of(action)
    if isinstance(action, SetVerdict):
        ledger.verdicts.store(action)  # a verdict counts from the moment it is decided, not from when it is shown
        ledger.verdict_retries.note(team, action)
    return ledger.effects.enqueue(
        *(team, actor, kind.WIRE, f"{by}:{action.key}", Codec(kind).dumps(action)),
        job=job,
        turn=turn,
        ref=subject if "#" in subject else "",
        depth=depth,
    )
