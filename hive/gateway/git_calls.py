"""Git for the repositories of a run: fetches are proxied, pushes are checked and packed again first."""

from __future__ import annotations

import io
import shutil
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO, cast

from forge.models import Ref, Repo
from hive.gateway.admission import Denied
from hive.gateway.agent_session import AgentSession
from hive.gateway.git_proxy import FETCH, PUSH, GitRequest, GitResponse, proxy
from hive.gateway.hold_checks import check_hold
from hive.gateway.push_check import PushCheck, PushTarget
from hive.gateway.push_protocol import NotAllowed, PushHead, read_head
from hive.ledger import Act, Turn

MAX_FETCH = 16 << 20
MAX_PUSH = 256 << 20
"""The most bytes of a fetch request, and of a push."""

REPORT = "application/x-git-receive-pack-result"
PUSHES = 100
"""How often a run may push; the same push again is the same one."""

TOO_MANY = "a run may push {most} times, and this one has done so; say at the end of your turn what is not pushed"
NO_PUSHES = "nothing is pushed from this container"


class PushDenied(Denied):
    """A push that was refused, answered in git's own protocol: any other answer is shown without its sentence."""

    def __init__(self, why: str, head: PushHead) -> None:
        super().__init__(403, why)
        if head.takes_report:
            self.raw = (REPORT, head.report(f"hive: {why}"))


def pass_git(session: AgentSession, turn: Turn, repo: str, asked: GitRequest, services: frozenset[str]) -> GitResponse:
    """Pass a request of git on; raises Denied. `services` are those that its query names."""
    reads = session.knowledge is not None and repo == session.knowledge.path
    if not reads and repo not in (Ref.parse(turn.ref).repo.path, session.config_repo.path):
        raise Denied(403, f"{repo} is not a repository of this run")
    if reads and (asked.path == PUSH or services - {FETCH}):
        raise Denied(403, f"{repo} is read from a container, not pushed to")
    try:
        where = Repo(session.config_repo.forge, *repo.split("/"))
        asked = replace(asked, repo=session.address(where))
        if asked.path == PUSH and asked.method == "POST":
            return _push(session, turn, where, asked)
        return proxy(session.forge_url, session.login(), asked)
    except NotAllowed as error:
        raise Denied(403, str(error)) from error
    except OSError as error:
        raise Denied(503, str(error)) from error


def _push(session: AgentSession, turn: Turn, repo: Repo, asked: GitRequest) -> GitResponse:
    if asked.headers.get("Content-Encoding", "identity") != "identity":
        raise NotAllowed("a push has to come uncompressed")
    head = read_head(asked.body)
    if not head.updates:  # git tries whether it is let in before it sends much
        body = io.BytesIO(head.raw)
        return proxy(session.forge_url, session.login(), replace(asked, body=body, length=len(head.raw)))
    try:
        return _PushRequest(session, turn, repo, asked, head).pass_on()
    except NotAllowed as error:
        raise PushDenied(str(error), head) from error
    except Denied as error:
        if error.status >= 500:
            raise
        raise PushDenied(str(error), head) from error


@dataclass(frozen=True, slots=True)
class _PushRequest:
    """One push of a run to a repository."""

    session: AgentSession
    turn: Turn
    repo: Repo
    asked: GitRequest
    head: PushHead

    def pass_on(self) -> GitResponse:
        """Check it and send it on; raises NotAllowed, Denied, and OSError while the forge is unavailable."""
        push = self._door()
        self.head.check(f"agent/{self.session.agent}/")
        if not self.session.ledger.broker_calls.count(self.turn.run, "push", self._key, most=PUSHES):
            raise NotAllowed(TOO_MANY.format(most=PUSHES))
        push.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryFile(dir=push.directory) as pack:
            shutil.copyfileobj(self.asked.body, pack)
            pack.flush()
            pack.seek(0)
            into = PushTarget(self.asked.repo, self.session.base(self.repo))
            with push.checked(self.turn, into, self.head, cast("BinaryIO", pack), most=MAX_PUSH) as checked:
                answer = self._send(checked)
        self._record()
        return answer

    def _door(self) -> PushCheck:
        wanted = "config_request" if self.repo == self.session.config_repo else "open_pr"
        if wanted not in self.session.capabilities():
            said = f"pushes to {self.repo.path} need the capability {wanted}, which {self.session.agent} has not"
            raise NotAllowed(said)
        check_hold(self.session, self.turn, wanted)
        if self.session.push is None:
            raise NotAllowed(NO_PUSHES)
        return self.session.push

    @property
    def _key(self) -> str:
        """What makes a push the same one when it is tried again."""
        return " ".join(f"{update.ref} {update.new}" for update in self.head.updates)[:1000]

    def _send(self, pack: Path) -> GitResponse:
        """Send the commands as they came, and what was checked."""
        with pack.open("rb") as packed:
            body = cast("BinaryIO", _Joined(self.head.raw, packed))
            length = len(self.head.raw) + pack.stat().st_size
            session = self.session
            return proxy(session.forge_url, session.login(), replace(self.asked, body=body, length=length))

    def _record(self) -> None:
        session = self.session
        for update in self.head.updates:
            facts: dict[str, Any] = {"branch": update.ref, "old": update.old, "new": update.new, "run": self.turn.run}
            session.ledger.audit.add(session.agent, Act.PUSH_PASSED, team=session.team, ref=self.turn.ref, **facts)


class _Joined(io.RawIOBase):
    """Some bytes, and a file behind them."""

    def __init__(self, first: bytes, then: BinaryIO) -> None:
        self._first = io.BytesIO(first)
        self._then = then

    def read(self, size: int = -1) -> bytes:
        """The next bytes."""
        return self._first.read(size) or self._then.read(size)
