"""Which function performs which action, and what it gets to work with. The executor calls them.

A handler is registered where it is defined, with `@HANDLERS.on(SomeAction)`; `hive.outbox.executor` joins the
registries of all modules. A handler may run twice (after a crash), so it has to find out what is done already.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

from bots.models import Team
from forge.events import Event
from forge.models import Issue, Ref
from forge.protocol import Forge
from forge.wire_names import WireNamed
from hive.ledger import Effect, Ledger
from hive.outbox.verdict_status import VerdictPublisher

A = TypeVar("A", bound=WireNamed)


class Superseded(Exception):
    """The world has moved on: performing the action now would be wrong."""


class NotReady(Exception):
    """The action depends on something that has not happened yet; it is tried again soon."""


@dataclass(frozen=True, slots=True)
class Result:
    """What came of an action.

    `url` is its page, `result` what other parts of the hive read later, `detail` facts for the audit log.
    `event_key` is the key of the event by which the forge will report it. `settle` updates the ledger in the
    transaction that marks the effect as done.
    """

    url: str = ""
    result: Mapping[str, Any] | None = None
    detail: Mapping[str, Any] | None = None
    event_key: str = ""
    settle: Callable[[], None] | None = None


@dataclass(frozen=True, slots=True)
class Services:
    """What all handlers share.

    `forges` gives the forge of a team as an account sees it now: (team, login). `listeners` names the bots that
    handle an event: (team, event).
    """

    ledger: Ledger
    forges: Callable[[str, str], Forge]
    teams: Mapping[str, Team]
    listeners: Callable[[str, Event], Iterable[str]]
    verdicts: VerdictPublisher
    marker_secret: bytes


@dataclass(frozen=True)
class Execution:
    """One effect being performed."""

    effect: Effect
    services: Services
    seen: Issue | None = None
    """The subject as the effect's job has read it a moment ago, for what may be stale: which labels it has."""

    @property
    def ledger(self) -> Ledger:
        """The ledger."""
        return self.services.ledger

    @property
    def team(self) -> Team:
        """The team in whose name it is done."""
        return self.services.teams[self.effect.team]

    @cached_property
    def forge(self) -> Forge:
        """The forge, as the effect's account sees it."""
        return self.services.forges(self.effect.team, self.effect.actor)

    def core_forge(self) -> Forge:
        """The forge, as the hive's own account sees it."""
        return self.services.forges(self.effect.team, self.team.accounts["core"].login)

    @property
    def marker(self) -> str:
        """A signed marker by which a comment is found again after a crash; it proves nothing else."""
        return self.marker_of(self.effect.key)

    def marker_of(self, key: str) -> str:
        """The marker of another key."""
        return f"<!-- hive:{self._digest(key)} -->"

    def sign(self, text: str) -> str:
        """A signature of a text that the hive has written: it shows whether somebody changed it."""
        return self._digest(f"text:{text}")

    def marked(self, body: str) -> str:
        """A text with the effect's marker at its end."""
        return f"{body}\n\n{self.marker}"

    def _digest(self, text: str) -> str:
        return hmac.new(self.services.marker_secret, text.encode(), hashlib.sha256).hexdigest()[:24]

    def require_open(self, ref: Ref) -> Issue | None:
        """Read a bot's subject again and return it, None if no bot wants this; raise Superseded if it was closed."""
        if self.effect.job is None:
            return None
        issue = self.forge.issue(ref)
        if not issue.is_open:
            raise Superseded(f"{ref} was closed in the meantime")
        return issue


Handler = Callable[[Execution, A], Result]


@dataclass(frozen=True, slots=True)
class Registration:
    """A handler and how to call it.

    A `local` one changes the ledger only: it runs in the transaction that records it, and touches no forge.
    `by_core` says that the forge lets only the hive's own account do it, since that may write code.
    """

    perform: Handler[Any]
    local: bool = False
    by_core: bool = False


class Registry:
    """Handlers by the kind of action they perform; each kind has exactly one."""

    def __init__(self, *others: Registry) -> None:
        """Join other registries; raises ValueError if two of them perform the same action."""
        self._found: dict[type[Any], Registration] = {}
        for other in others:
            for kind, registration in other.items():
                self._add(kind, registration)

    def on(self, kind: type[A], *, local: bool = False, by_core: bool = False) -> Callable[[Handler[A]], Handler[A]]:
        """Register the handler of an action."""

        def register(handler: Handler[A]) -> Handler[A]:
            self._add(kind, Registration(handler, local, by_core))
            return handler

        return register

    def items(self) -> Iterable[tuple[type[Any], Registration]]:
        """Every kind of action with its handler."""
        return self._found.items()

    def __getitem__(self, kind: type[Any]) -> Registration:
        return self._found[kind]

    def _add(self, kind: type[Any], registration: Registration) -> None:
        if kind in self._found:
            raise ValueError(f"two handlers perform {kind.__name__}")
        self._found[kind] = registration
