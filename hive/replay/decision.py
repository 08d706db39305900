"""One decision made again, and how it differs from the one that was made. Reaches no forge."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from bots.bot import Bot, Context, KeyClash, NotGranted
from bots.intents import Intent
from forge.events import Event
from forge.protocol import ForgeError
from hive.codec import Codec
from hive.ledger import Effect
from hive.replay.recording import NotRecorded, Recording, played

Wish = tuple[str, str]
"""The kind and the key of an action, which identify it."""


@dataclass(frozen=True, slots=True)
class Difference:
    """What is wanted now beside what was wanted then, as payloads in JSON text; `asks` is a question that is new."""

    then: dict[Wish, str]
    now: dict[Wish, str]
    asks: str = ""

    @property
    def is_none(self) -> bool:
        """Whether the same is wanted."""
        return self.then == self.now and not self.asks

    def lines(self) -> Iterator[str]:
        """A line for each action: the same, only then, only now, or what changed in it."""
        for wish in dict.fromkeys((*self.then, *self.now)):
            then, now, shown = self.then.get(wish), self.now.get(wish), " ".join(wish)
            if then == now and now is not None:
                yield f"  same  {shown}"
            elif now is None and then is not None:
                yield f"- then  {shown}"
            elif then is None and now is not None:
                yield f"+ now   {shown}"
            elif then is not None and now is not None:
                yield f"! other {shown}"
                yield from _fields(then, now)
        if self.asks:
            yield f"! asks  {self.asks}, which was not asked then"


def decide(bot: Bot, event: Event, ctx: Context, recording: Recording, then: Iterable[Effect]) -> Difference:
    """Run a bot on a recording, and compare its intents with the effects of the original job."""
    made = {(effect.kind, effect.key): effect.payload for effect in then}
    try:
        wanted = bot.handle(event, played(ctx, recording))
    except NotRecorded as error:
        return Difference(made, {}, str(error))
    except (ForgeError, NotGranted, KeyClash) as error:
        return Difference(made, {}, f"nothing more: {error!r}")
    return Difference(made, dict(_wish(bot, intent) for intent in wanted))


def _wish(bot: Bot, intent: Intent) -> tuple[Wish, str]:
    kind = type(intent)
    return (kind.WIRE, f"{bot.name}:{intent.key}"), Codec(kind).dumps(intent)


def _fields(then: str, now: str) -> Iterator[str]:
    before, after = json.loads(then), json.loads(now)
    for name in dict.fromkeys((*before, *after)):
        if before.get(name) != after.get(name):
            yield f"    - {name}: {before.get(name)!r}"
            yield f"    + {name}: {after.get(name)!r}"
