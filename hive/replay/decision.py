"""One decision made again, and how it differs from the one that was made. Reaches no forge."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from bots.bot import Bot, Context, NotGranted
from bots.intents import Intent
from forge.events import Event
from forge.protocol import ForgeError
from hive.codec import Codec
from hive.ledger import Effect
from hive.replay.tape import NotOnTape, Tape, played

Wish = tuple[str, str]
"""The kind of a deed, and its payload as JSON text."""


@dataclass(frozen=True, slots=True)
class Difference:
    """What is wanted now beside what was wanted then, by the keys of deeds; `asks` is a question that is new."""

    then: dict[str, Wish]
    now: dict[str, Wish]
    asks: str = ""

    @property
    def is_none(self) -> bool:
        """Whether the same is wanted."""
        return self.then == self.now and not self.asks

    def lines(self) -> Iterator[str]:
        """A line for each deed: the same, only then, only now, or what of it changed."""
        for key in dict.fromkeys((*self.then, *self.now)):
            then, now = self.then.get(key), self.now.get(key)
            if then == now and now is not None:
                yield f"  same  {now[0]} {key}"
            elif now is None and then is not None:
                yield f"- then  {then[0]} {key}"
            elif then is None and now is not None:
                yield f"+ now   {now[0]} {key}"
            elif then is not None and now is not None:
                yield f"! other {now[0]} {key}"
                yield from _fields(then[1], now[1])
        if self.asks:
            yield f"! asks  {self.asks}, which was not asked then"


def decide(bot: Bot, event: Event, ctx: Context, tape: Tape, then: Iterable[Effect]) -> Difference:
    """Let a bot look again at what a tape tells, and compare with the deeds that its look made."""
    made = {effect.key: (effect.kind, effect.payload) for effect in then}
    try:
        wanted = bot.handle(event, played(ctx, tape))
    except NotOnTape as error:
        return Difference(made, {}, str(error))
    except (ForgeError, NotGranted) as error:
        return Difference(made, {}, f"nothing more: {error!r}")
    return Difference(made, {f"{bot.name}:{intent.key}": _wish(intent) for intent in wanted})


def _wish(intent: Intent) -> Wish:
    return type(intent).__name__, Codec(type(intent)).dumps(intent)


def _fields(then: str, now: str) -> Iterator[str]:
    before, after = json.loads(then), json.loads(now)
    for name in dict.fromkeys((*before, *after)):
        if before.get(name) != after.get(name):
            yield f"    - {name}: {before.get(name)!r}"
            yield f"    + {name}: {after.get(name)!r}"
