"""One turn from its arrival to its report: puts the parts together and says how it ended, always."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from hive.agent import git, knowledge, shell
from hive.agent.broker import Broker
from hive.agent.deeds import Deeds
from hive.agent.errors import Ended, GitFailed, Refused, Rest, Unavailable
from hive.agent.log import log
from hive.agent.loop import Loop
from hive.agent.model import Model
from hive.agent.places import real
from hive.agent.pulse import Pulse
from hive.agent.sandbox import NONE, Sandbox
from hive.agent.tools import TOOLS, Toolbox
from hive.agent.transcript import Transcript
from hive.agent.turn import Turn
from hive.agent.wire import PATIENT, Door, Patience
from hive.agent.worktree import WorkTree

COMMAND_SECONDS = 600.0
"""The longest that one command may take; the turn's minutes may leave it less."""

REFUSED = "I cannot go on with this: the host refused what I asked of it. {error}"
NO_ROOM = frozenset({errno.EDQUOT, errno.ENOMEM, errno.ENOSPC, errno.EROFS})
"""What a machine lacks for a while: the turn is left then, and comes again."""

NO_TREE = "The work tree could not be made ready. {error}"

IN_WORDS = {"answered", "blocked", "failed"}
"""Outcomes that leave nothing on the forge unless they are said on the thread."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a container keeps what: the sockets, the built configuration, what survives; and its sandbox."""

    sockets: Path
    config: Path
    state: Path
    sandbox: Sandbox = NONE

    @classmethod
    def of(cls, env: Mapping[str, str]) -> Place:
        """The place that the environment names; the variables are in `docs/harness.md`."""
        sockets = Path(env.get("HIVE_SOCKETS", "/run/hive"))
        state = Path(env.get("HIVE_STATE", "/agent/state"))
        sandbox = Sandbox.found((sockets, state), state / "home")
        return cls(sockets, Path(env.get("HIVE_CONFIG", "/agent/config")), state, sandbox)

    def prepare(self) -> None:
        """Make what is missing below `state`, or was put in its place by a command of an earlier turn."""
        for folder in (self.state, self.state / "home", self.state / "runs"):
            real(folder)

    def folder(self, run: int) -> Path:
        """The directory of a run."""
        return real(real(self.state / "runs") / str(run))

    @property
    def forge(self) -> Path:
        """The broker's socket."""
        return self.sockets / "forge.sock"

    @property
    def model(self) -> Path:
        """The model gateway's socket."""
        return self.sockets / "model.sock"


@dataclass(frozen=True, slots=True)
class Session:
    """What all turns of a process share; `port` is the relay's, `leaving` raises Leave when it is time."""

    place: Place
    port: int
    leaving: Callable[[], None]
    patience: Patience = PATIENT
    silence: float = 120.0

    def hold(self, turn: Turn) -> None:
        """Work on a turn, or find it done, and report its end. Raises Lost, Leave, Unavailable: the turn stays open."""
        broker = Broker(Door(self.place.forge), turn.token, self.patience)
        model = Model(Door(self.place.model, self.silence), turn.token, turn.model, turn.system, TOOLS, self.patience)
        transcript = Transcript(turn.transcript, broker.tell)
        with Pulse(broker, turn.lease) as pulse:
            try:
                transcript.begin(turn.id, turn.message, mind=model.mind, memory=turn.memory)
                _report(turn, broker, transcript, transcript.end or self._work(turn, broker, model, transcript, pulse))
            except Rest as why:
                log("put down", turn=turn.id, why=why)
                broker.rest()
            except Unavailable as error:
                log("left", turn=turn.id, why=error)
                broker.leave()
            except Refused as error:
                log("refused", turn=turn.id, why=error)
                _end(broker, transcript, Ended("failed", REFUSED.format(error=error)))

    def _work(self, turn: Turn, broker: Broker, model: Model, transcript: Transcript, pulse: Pulse) -> Ended:
        until = time.monotonic() + turn.minutes * 60
        try:
            work, config = self._trees(turn)

            sandbox, more = self._learned(turn)

            def run(command: str) -> shell.Outcome:
                seconds = min(COMMAND_SECONDS, until - time.monotonic())
                return shell.run(command, work.path, seconds=seconds, sandbox=sandbox, more=more)

            def between() -> None:
                pulse.check()
                self.leaving()

            work.prepare()
            toolbox = Toolbox(work.path, run, Deeds(turn, broker, work, config, run))
            Loop(turn, transcript, model, toolbox, between, lambda: time.monotonic() >= until).run()
        except (GitFailed, OSError) as error:
            if isinstance(error, OSError) and error.errno in NO_ROOM:
                raise Unavailable(f"the machine of the hive has no room: {error.strerror}") from error
            end = Ended("failed", NO_TREE.format(error=error))
        except Ended as reached:
            end = reached
        transcript.close(end)
        return end

    def _learned(self, turn: Turn) -> tuple[Sandbox, dict[str, str]]:
        """The sandbox of commands and the variables that they are told: who they are, their home, and what all have learned."""
        home = real(
            self.place.state / "home"
        )  # whoever started the harness has another one, and that is none of theirs
        sandbox, more = self.place.sandbox, git.identity(turn) | {"HOME": str(home)}
        folder = knowledge.fetch(self.place.state, turn.knowledge, git.environment(turn, self.port), sandbox)
        if folder is None:
            return sandbox, more
        return replace(sandbox, readable=(folder,)), more | {knowledge.VARIABLE: str(folder)}

    def _trees(self, turn: Turn) -> tuple[WorkTree, WorkTree]:
        """The work tree of a run, and that of the agent's own configuration; neither is there before it is needed."""
        folder = self.place.folder(turn.run)
        env = git.environment(turn, self.port)
        sandbox = self.place.sandbox
        work = WorkTree(
            folder / "work", env, self.patience, sandbox, repo=turn.repo, base=turn.base, branch=turn.branch
        )
        config = WorkTree(
            folder / f"config{_try(turn.proposal_branch)}",
            env,
            self.patience,
            sandbox,
            repo=turn.config_repo,
            base=turn.config_base,
            branch=turn.proposal_branch,
        )
        return work, config


def _try(branch: str) -> str:
    """What tells the clone of one branch from that of another: `-after-7` for one that came after pull request 7."""
    _, after, number = branch.rpartition("-after-")
    return f"{after}{number}" if number.isdecimal() and after else ""


def _report(turn: Turn, broker: Broker, transcript: Transcript, end: Ended) -> None:
    """Say it on the thread if nothing else shows it there, and end the turn."""
    log("end", turn=turn.id, outcome=end.outcome, steps=transcript.steps)
    if end.outcome in IN_WORDS:
        try:
            broker.comment(f"end:{turn.id}", end.message)
        except Refused as error:
            log("no comment", turn=turn.id, error=error)
    _end(broker, transcript, end)


def _end(broker: Broker, transcript: Transcript, end: Ended) -> None:
    broker.end(
        end.outcome,
        end.message,
        steps=transcript.steps,
        tokens_in=transcript.tokens_in,
        tokens_out=transcript.tokens_out,
    )
