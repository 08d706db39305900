"""Decides by the head of a call whether its body is read, and records the calls that are refused. Knows no framework.

A container's socket is open to every program in the container. What has no token costs the host a
head and a question to the ledger, and what one agent sends is bounded by rate, size and connections.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from hive.ledger import Clock, Ledger
from hive.ledger.rejection_log import RejectionLog

CALLS_A_MINUTE = 1200
DEBT = 100.0
"""Calls that are answered with 429 before the socket stops accepting connections for a while."""

NO_TOKEN = "this run is over, or its token is wrong"  # noqa: S105  a sentence
NOT_THE_HARNESS = "turns are given to the harness of the running container only"
MAX_VALUES = 1_000_000
"""Values in one JSON text: some megabytes of brackets would otherwise become gigabytes of objects."""


class Denied(Exception):
    """A call that is not granted or makes no sense: an HTTP status, a sentence, and the seconds to wait if it is worth trying again."""

    def __init__(self, status: int, sentence: str, *, retry_after: int = 0) -> None:
        super().__init__(sentence)
        self.status = status
        self.retry_after = retry_after
        self.to_a_run = False
        """Whether the client has the token of a run."""

        self.raw: tuple[str, bytes] | None = None
        """The type and the bytes of an answer in another protocol, with which it is sent as a success."""

    @property
    def headers(self) -> dict[str, str]:
        """Headers of the answer beside the sentence."""
        if self.status == HTTPStatus.UNAUTHORIZED:
            return {"x-hive": "lost"}  # the client holds no turn any more, whatever the model would answer
        return {"Retry-After": str(self.retry_after)} if self.retry_after else {}


@dataclass(frozen=True, slots=True)
class CallHead:
    """What is known of a call before its body: `length` is what it announces, 0 for a body in chunks."""

    id: str
    method: str
    path: str
    token: str
    length: int = 0


@dataclass(frozen=True, slots=True)
class CallRule:
    """What a call may bring: bytes of its body, and the token of a run or, where there is none yet, the harness' key.

    A call that `is_open` needs neither: it learns nothing and changes nothing.
    """

    max_body: int
    needs_run: bool = True
    is_open: bool = False


Rules = Callable[[str, str], CallRule | None]
"""The rule for a method and a path; None for what is no call."""

Form = Callable[[int, str], dict[str, Any]]
"""An error as JSON, from a status and a sentence."""


class Bucket:
    """A token bucket: so many calls a minute, and as many at once after a quiet minute."""

    def __init__(self, a_minute: int, clock: Clock) -> None:
        self._rate = a_minute / 60
        self._most = float(a_minute)
        self._level = self._most
        self._clock = clock
        self._at = clock()
        self._guard = threading.Lock()

    def take(self) -> float:
        """Take one; returns 0.0, or the seconds until there is one again."""
        with self._guard:
            self._fill()
            self._level = max(-DEBT, self._level - 1)
            return 0.0 if self._level >= 0 else (1 - self._level) / self._rate

    @property
    def is_overdrawn(self) -> bool:
        """Whether so many came in vain that no more should be listened to for now."""
        with self._guard:
            self._fill()
            return self._level <= -DEBT

    def _fill(self) -> None:
        now = self._clock()
        self._level = min(self._most, self._level + max(0.0, now - self._at) * self._rate)
        self._at = now


class Guard:
    """The limits of one agent's calls over both of its sockets.

    `opens` is whether a key is that of the running container's harness: every command in there can reach the sockets.
    """

    def __init__(
        self,
        ledger: Ledger,
        team: str,
        agent: str,
        *,
        calls_a_minute: int = CALLS_A_MINUTE,
        opens: Callable[[str], bool] = lambda _: False,
    ) -> None:
        self.agent = agent
        self.team = team
        self.ledger = ledger
        self.opens = opens
        self.bucket = Bucket(calls_a_minute, ledger.clock)
        self.refusals = RejectionLog(ledger, team)

    def refuse(self, call: str, request: str, error: Denied) -> None:
        """Record a call that was refused; what the host could not do is none."""
        if error.status < 500:
            self.refusals.note(self.agent, error.status, str(error), call=call, request=request)


class Gate:
    """The entrance of one socket."""

    def __init__(self, guard: Guard, rules: Rules, form: Form) -> None:
        self._guard = guard
        self._rules = rules
        self._form = form

    def admit(self, head: CallHead) -> int:
        """The most bytes of a call's body; raises Denied, before any of them is read."""
        wait = self._guard.bucket.take()
        if wait:
            raise Denied(429, "too many calls; ask again later", retry_after=int(wait) + 1)
        rule = self._rules(head.method, head.path)
        if rule is None:
            raise Denied(404, "there is no such call")
        if rule.is_open:
            return rule.max_body
        if not rule.needs_run and not self._guard.opens(head.token):
            raise Denied(403, NOT_THE_HARNESS)
        if rule.needs_run and not self._is_held(head.token):
            raise Denied(401, NO_TOKEN)
        if head.length > rule.max_body:
            denied = too_large(rule.max_body)
            denied.to_a_run = rule.needs_run
            raise denied
        return rule.max_body

    def refused(self, head: CallHead, error: Denied) -> bytes:
        """Record a call that was not let in; returns the body of its answer."""
        self._guard.refuse(f"{head.method} {head.path}", head.id, error)
        return json.dumps(self._form(error.status, str(error))).encode()

    @property
    def is_closed(self) -> bool:
        """Whether all calls are refused for now."""
        return self._guard.bucket.is_overdrawn

    def _is_held(self, token: str) -> bool:
        try:
            return bool(token) and self._guard.ledger.runs.by_token(self._guard.agent, token) is not None
        except sqlite3.Error as error:
            raise Denied(503, "the ledger cannot be read; ask again later", retry_after=1) from error


def too_large(limit: int) -> Denied:
    """The refusal of a body that is longer than a call may bring."""
    return Denied(413, f"the body should be at most {limit} bytes long")


def json_object(body: bytes) -> dict[str, Any]:
    r"""The JSON object in a body; raises Denied for anything else.

    Half of a surrogate pair (`"\\ud800"`, from a text that was cut) is replaced: it can be
    written as JSON and nowhere else. Python's parser accepts it, and NaN as well (CPython 3.11 to 3.14).
    """
    if body.count(b",") + body.count(b"[") + body.count(b"{") > MAX_VALUES:
        raise Denied(413, f"the body should hold at most {MAX_VALUES} values")
    try:
        found = json.loads(body.decode(), parse_constant=_no_json)
        if b"\\ud" in body.lower():
            found = json.loads(_repaired(json.dumps(found, ensure_ascii=False)))
    except (ValueError, RecursionError) as error:
        raise Denied(400, "the body should be a JSON object") from error
    if not isinstance(found, dict):
        raise Denied(400, "the body should be a JSON object")
    return found


def _repaired(text: str) -> str:
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _no_json(name: str) -> None:
    raise ValueError(f"{name} is no JSON")
