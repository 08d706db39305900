"""Looks through what an agent wants to have posted or pushed. What holds a secret stays here, and operators are told once a run.

Nothing here repeats what was found.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from bots.intents import OpenIssue
from forge.models import Repo
from hive.gateway.admission import Denied
from hive.ledger import Act, Ledger, Turn
from hive.outbox.actions import Action
from hive.outbox.enqueue import enqueue
from hive.scan.leaks import LeakScanner, keys_in

BY = "outbound"
FRESH_SECONDS = 2.0
"""How long the secrets of the hive are believed before they are read again: one of them may be replaced."""

SECRET = "{where} holds a secret of the hive, or a piece of one, and was not passed on. Leave it out; no other way of writing it is passed on either"  # noqa: S105  a sentence
KEY = "{where} holds what looks like a key or a token, and was not passed on. Leave it out, or write an example that cannot be taken for a real one"
AGAIN = ". The commits that hold it have to be made again without it (git reset --soft)"
TITLE = "🔴 {agent} tried to publish a secret of the hive"
BODY = """\
{agent} wanted to have this posted or pushed in run {run}, on {ref}: {where}. It held a secret that this hive uses, or a piece of one. It was
not passed on; the agent was told so and goes on.

Its container has none of these secrets, so find out where this one came from: the thread and the repository that it worked on, `hive run {run}`, and
the audit log (`secret_blocked`). Replace the secret with `hive rotate` if others may know it.
"""


class KnownSecrets:
    """The secrets of the hive as a scanner, read again when they may have changed."""

    def __init__(self, read: Callable[[], Iterable[str]]) -> None:
        self._read = read
        self._secrets: frozenset[str] = frozenset()
        self._scanner = LeakScanner()
        self._until = 0.0

    def scanner(self) -> LeakScanner:
        """What looks for them as they are now."""
        now = time.monotonic()
        if now >= self._until:
            secrets = frozenset(self._read())
            if secrets != self._secrets:
                self._secrets, self._scanner = secrets, LeakScanner(secrets)
            self._until = now + FRESH_SECONDS
        return self._scanner


@dataclass(frozen=True, slots=True)
class Outbound:
    """What one agent sends out. Reports to `ops` as the account `core`; `wake` is told of the effect."""

    ledger: Ledger
    team: str
    agent: str
    core: str
    ops: Repo
    known: KnownSecrets = field(default_factory=lambda: KnownSecrets(lambda: ()))
    wake: Callable[[int], None] = lambda _: None

    def check(self, turn: Turn, texts: Iterable[tuple[str, bytes]]) -> None:
        """Check texts, each with where it stands; raises Denied for the first one that must not leave."""
        scanner = self.known.scanner().also(turn.token)
        for where, text in texts:
            if scanner.finds(text):
                self.report(turn, where)
                raise Denied(403, SECRET.format(where=where))
            if keys_in(text):
                self.record(turn, where, kind="key")
                raise Denied(403, KEY.format(where=where))

    def check_file(self, turn: Turn, where: str, data: bytes, before: Callable[[], bytes]) -> None:
        """Check a file; what looks like a key is let through if the file had it `before`."""
        if self.known.scanner().also(turn.token).finds(data):
            self.report(turn, where)
            raise Denied(403, SECRET.format(where=where) + AGAIN)
        if (keys := keys_in(data)) and keys - keys_in(before()):
            self.record(turn, where, kind="key")
            raise Denied(403, KEY.format(where=where) + AGAIN)

    def report(self, turn: Turn, where: str) -> None:
        """Record a secret of the hive, and tell the operators, once a run."""
        body = BODY.format(agent=self.agent, run=turn.run, ref=turn.ref.partition(":")[2], where=f"`{where}`")
        issue = OpenIssue(self.ops, TITLE.format(agent=self.agent), body, key=f"secret:{turn.run}")
        with self.ledger.transaction():
            self.record(turn, where, kind="secret")
            effect = enqueue(self.ledger, self.team, self.core, issue, by=BY)
        self.wake(effect)

    def record(self, turn: Turn, where: str, *, kind: str) -> None:
        """Record what was blocked, and where it stood."""
        facts: dict[str, Any] = {"where": where, "kind": kind, "run": turn.run, "turn": turn.id}
        self.ledger.audit.add(self.agent, Act.SECRET_BLOCKED, team=self.team, ref=turn.ref, **facts)


def texts_in(asked: Mapping[str, Any]) -> Iterator[tuple[str, bytes]]:
    """Every text in the body of a call, with the name of its field; texts of a list also as one."""
    for name, value in asked.items():
        where = name if name.isidentifier() and len(name) <= 40 else "the name of a field"
        if not name.isascii() or len(name) > 40:
            yield "the name of a field", name.encode("utf-8", "replace")
        if isinstance(value, list) and all(isinstance(each, str) for each in value):
            yield where, "".join(value).encode("utf-8", "replace")
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        yield where, text.encode("utf-8", "replace")


def texts_of(action: Action) -> Iterator[tuple[str, bytes]]:
    """Every text of an action, as it will be posted."""
    for each in fields(action):
        value = getattr(action, each.name)
        if isinstance(value, str):
            yield each.name, value.encode("utf-8", "replace")
