"""The calls of `forge.sock`: a turn's life, and what a run may do on the forge. Holds no token of a forge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, TypedDict

from hive.agent.errors import HostRefused, HostUnavailable, LeaseLost
from hive.agent.turn import TurnBrief, parse
from hive.agent.unix_http import DEFAULT_RETRY, RetryPolicy, UnixHTTPClient, read_json, retry_after


class CheckOutcome(TypedDict):
    """What came of one of the repository's checks."""

    command: str
    ok: bool


_LOST = {HTTPStatus.UNAUTHORIZED, HTTPStatus.CONFLICT}


@dataclass(frozen=True, slots=True)
class BrokerClient:
    """The broker's calls for one turn; each may be repeated.

    All raise HostUnavailable after some retries, LeaseLost when another process holds the turn, and HostRefused.
    """

    door: UnixHTTPClient
    token: str = field(default="", repr=False)
    retry: RetryPolicy = DEFAULT_RETRY

    def turn(self, generation: str, *, wait: float) -> TurnBrief | None:
        """The next turn, or None when none came within `wait` seconds."""
        data = self._call("turn", {"generation": generation, "wait": wait})
        return parse(data) if data else None

    def complain(self, generation: str, trouble: str) -> None:
        """Say in the place of a first heartbeat what is wrong with this container."""
        self._call("turn", {"generation": generation, "wait": 0, "trouble": trouble})

    def beat(self) -> frozenset[str]:
        """Renew the lease; `cancel` if the turn should be stopped, `rest` if it should be paused, `mail` if words wait for it.

        Not retried: the next heartbeat is the second attempt.
        """
        told = self._once("beat", {})
        return frozenset(word for word in ("cancel", "rest", "mail") if told.get(word))

    def tell(self, number: int, line: dict[str, Any]) -> bool:
        """Store a line of the transcript, once; returns whether words wait for this turn."""
        return bool(self._call("transcript", {"number": number, "line": line}).get("mail"))

    def mail(self) -> list[tuple[int, str]]:
        """What people said since the turn began: numbers and texts, oldest first."""
        return [(int(told["turn"]), str(told["message"])) for told in self._call("mail", {})["messages"]]

    def progress(self, done: Sequence[str], left: Sequence[str]) -> None:
        """Show where the work is, by what is done and what is left to do."""
        self._call("progress", {"done": list(done), "left": list(left)})

    def rest(self) -> None:
        """Put the turn down; it comes again, and its token is worth nothing afterwards."""
        self._call("rest", {})

    def leave(self) -> None:
        """Release the turn because the forge did not answer; it comes again."""
        self._call("leave", {})

    def comment(self, key: str, body: str) -> None:
        """Say something on the thread that the turn came from."""
        self._call("comment", {"key": key, "body": body})

    def spent(self) -> str:
        """What the run has cost so far, in dollars as `0.3712`; empty where nothing is booked."""
        return str(self._call("beat", {}).get("spent", ""))

    def pull(
        self,
        branch: str,
        title: str,
        body: str,
        *,
        checks: Sequence[CheckOutcome] | None = None,
        evidence: Sequence[str] = (),
        left: str = "",
        draft: bool = False,
        suggested: Sequence[str] = (),
    ) -> str:
        """Open the pull request of a branch, or bring it up to date; returns its ref.

        With `checks`, even with none, the host composes its text of the `body` (what was done and why), their results, the
        `evidence` for each acceptance criterion of the issue, and what is `left` to do. `suggested` are checks that the
        repository could have, as it has none. Without, the `body` is the text.
        """
        told: dict[str, Any] = {"draft": draft}
        if checks is not None:
            told |= {"checks": list(checks), "evidence": list(evidence), "left": left}
        if suggested:
            told["suggested"] = list(suggested)
        return str(self._call("pull", {"branch": branch, "title": title, "body": body, **told})["ref"])

    def propose(self, branch: str, title: str, body: str) -> str:
        """The same for the agent's configuration repository."""
        return str(self._call("propose", {"branch": branch, "title": title, "body": body})["ref"])

    def update_pull(self, key: str, **changed: str) -> str:
        """Change the `title` or the `body` of the run's pull request; returns its ref."""
        return str(self._call("update_pr", {"key": key, **changed})["ref"])

    def request_config(self, key: str, title: str, what: str, why: str) -> str:
        """Ask operators in words for a change of the agent's configuration; returns the ref of the issue."""
        return str(self._call("config_request", {"key": key, "title": title, "what": what, "why": why})["ref"])

    def ask(self, key: str, question: str, **more: Any) -> None:
        """Ask people something, with `options`, for `ttl` seconds, of `to`; the turn is to end then."""
        self._call("ask", {"key": key, "question": question, **more})

    def bounce(self, key: str, why: str, owner: str = "") -> None:
        """Say that the run's issue is not of the agent's lane; the turn is to end then."""
        self._call("not_my_lane", {"key": key, "why": why, **({"owner": owner} if owner else {})})

    def status(self) -> dict[str, Any]:
        """How the agent's work stands on the forge."""
        return self._call("status", {})

    def logs(self, **asked: Any) -> list[str]:
        """The last `lines` of the log of a container: the agent's own, or that of another `agent`."""
        return [str(line) for line in self._call("logs", asked)["lines"]]

    def end(self, outcome: str, message: str, *, steps: int, tokens_in: int, tokens_out: int) -> None:
        """Report the end of the turn; the token is worth nothing afterwards."""
        self._call(
            "end",
            {
                "outcome": outcome,
                "message": message,
                "steps": steps,
                "tokens_in": tokens_in,
                "tokens_out": tokens_out,
            },
        )

    def _call(self, name: str, body: dict[str, Any]) -> dict[str, Any]:
        return self.retry.call(lambda: self._once(name, body))

    def _once(self, name: str, body: dict[str, Any]) -> dict[str, Any]:
        with self.door.post(f"/v1/{name}", body, token=self.token) as response:
            data = read_json(response)
        if response.status < 300:
            return data
        message = f"{name}: {data.get('error', response.reason)}"
        if response.status in _LOST:
            raise LeaseLost(message)
        if response.status == HTTPStatus.TOO_MANY_REQUESTS or response.status >= 500:
            raise HostUnavailable(message, retry_after=retry_after(response.headers))
        raise HostRefused(message)
