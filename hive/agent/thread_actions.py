"""The actions of a turn beside its work: comment, look up how it stands, ask for a configuration, ask people something."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from hive.agent.broker_client import BrokerClient
from hive.agent.errors import ToolError, TurnEnded
from hive.agent.turn import TurnBrief


@dataclass(frozen=True, slots=True)
class ThreadActions:
    """What an agent does on the forge beside its work.

    Each is made once: a call that is made again after a crash, or by a model that forgot it, has the same key.
    """

    turn: TurnBrief
    broker: BrokerClient

    def comment(self, body: str) -> str:
        """Say something on the thread."""
        if not body.strip():
            raise ToolError("The body is empty.")
        self.broker.comment(self._key(body), body)
        return "Posted."

    def update_pull(self, title: str = "", body: str = "") -> str:
        """Change the run's pull request."""
        changed = {name: value for name, value in (("title", title), ("body", body)) if value.strip()}
        if not changed:
            raise ToolError("Give a title, or a body.")
        return f"{self.broker.update_pull(self._key(title, body), **changed)} is changed."

    def request_config(self, title: str, what: str, why: str) -> str:
        """Ask for a change of the agent's configuration."""
        return f"Filed as {self.broker.request_config(self._key(title, what), title, what, why)}."

    def ask(self, question: str, options: Sequence[str] = (), hours: int = 0, to: str = "") -> NoReturn:
        """Ask people something, and end the turn."""
        if not question.strip():
            raise ToolError("The question is empty.")
        more: dict[str, Any] = {"options": list(options)} if options else {}
        more |= {"ttl": hours * 3600} if hours else {}
        self.broker.ask(self._key(question), question, **more, **({"to": to} if to else {}))
        raise TurnEnded("asked", question.strip())

    def bounce(self, why: str, owner: str = "") -> NoReturn:
        """Give the issue back, and end the turn."""
        if not why.strip():
            raise ToolError("Say why it is not of your lane.")
        self.broker.bounce(self._key(why, owner), why, owner.strip())
        raise TurnEnded("bounced", why.strip())

    def status(self) -> str:
        """How the agent's work stands."""
        return json.dumps(self.broker.status(), indent=1, ensure_ascii=False)

    def logs(self, lines: int = 0, agent: str = "") -> str:
        """The end of a log."""
        asked = {"lines": lines} if lines else {}
        found = self.broker.logs(**asked, **({"agent": agent} if agent else {}))
        return "\n".join(found) or "The log is empty."

    def _key(self, *words: str) -> str:
        return f"{self.turn.id}:{hashlib.sha256(json.dumps(words).encode()).hexdigest()[:16]}"
