"""Runs one turn from its arrival to its report; there is always an outcome."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from hive.agent import git, knowledge, shell
from hive.agent.broker_client import BrokerClient
from hive.agent.directory_trees import ensure_directory
from hive.agent.engines import engine_named
from hive.agent.engines.engine import TurnEngine, Workplace
from hive.agent.errors import GitToolError, HostRefused, HostUnavailable, Paused, TurnEnded
from hive.agent.final_actions import FinalActions
from hive.agent.heartbeat import LeaseHeartbeat
from hive.agent.log import log
from hive.agent.notes import Notes
from hive.agent.outputs import OutputFolder
from hive.agent.run_context import context_of
from hive.agent.sandbox import NONE, Sandbox
from hive.agent.tools import Toolbox, handlers
from hive.agent.transcript import Transcript
from hive.agent.tree_reader import TreeReader
from hive.agent.turn import TurnBrief
from hive.agent.unix_http import DEFAULT_RETRY, RetryPolicy, UnixHTTPClient
from hive.agent.worktree import WorkTree

COMMAND_SECONDS = 600.0
"""The longest that one command may take; the turn's minutes may leave it less."""

REFUSED = "I cannot go on with this: the host refused what I asked of it. {error}"
NO_ROOM = frozenset({errno.EDQUOT, errno.ENOMEM, errno.ENOSPC, errno.EROFS})
"""What a machine lacks for a while: the turn is left then, and comes again."""

NO_TREE = "The work tree could not be made ready. {error}"


@dataclass(frozen=True, slots=True)
class ContainerPaths:
    """The paths of a container: sockets, built configuration, persistent state; and its sandbox."""

    sockets: Path
    config: Path
    state: Path
    sandbox: Sandbox = NONE

    @classmethod
    def of(cls, env: Mapping[str, str]) -> ContainerPaths:
        """The place that the environment names; the variables are in `docs/harness.md`."""
        sockets = Path(env.get("HIVE_SOCKETS", "/run/hive"))
        state = Path(env.get("HIVE_STATE", "/agent/state"))
        sandbox = Sandbox.found((sockets, state), state / "home")
        return cls(sockets, Path(env.get("HIVE_CONFIG", "/agent/config")), state, sandbox)

    def prepare(self) -> None:
        """Make what is missing below `state`, or was put in its place by a command of an earlier turn."""
        for folder in (self.state, self.state / "home", self.state / "runs"):
            ensure_directory(folder)

    def folder(self, run: int) -> Path:
        """The directory of a run."""
        return ensure_directory(ensure_directory(self.state / "runs") / str(run))

    @property
    def forge(self) -> Path:
        """The broker's socket."""
        return self.sockets / "forge.sock"

    @property
    def model(self) -> Path:
        """The model gateway's socket."""
        return self.sockets / "model.sock"


@dataclass(frozen=True, slots=True)
class TurnRunner:
    """What all turns of a process share; `port` is the relay's, `leaving` raises Shutdown when it is time."""

    place: ContainerPaths
    port: int
    leaving: Callable[[], None]
    retry: RetryPolicy = DEFAULT_RETRY
    silence: float = 120.0

    def hold(self, turn: TurnBrief) -> None:
        """Work on a turn, or find it done, and report its outcome.

        Raises LeaseLost, Shutdown or HostUnavailable; the turn stays open then.
        """
        broker = BrokerClient(UnixHTTPClient(self.place.forge), turn.token, self.retry)
        transcript = Transcript(turn.transcript, broker.tell)
        with LeaseHeartbeat(broker, turn.lease) as heartbeat:
            try:
                _end(turn, broker, transcript, self._outcome(turn, broker, transcript, heartbeat))
            except Paused as why:
                log("put down", turn=turn.id, why=why)
                broker.rest()
            except HostUnavailable as error:
                log("left", turn=turn.id, why=error)
                broker.leave()
            except HostRefused as error:
                log("refused", turn=turn.id, why=error)
                _end(turn, broker, transcript, TurnEnded("failed", REFUSED.format(error=error)))

    def _outcome(
        self, turn: TurnBrief, broker: BrokerClient, transcript: Transcript, heartbeat: LeaseHeartbeat
    ) -> TurnEnded:
        """How the turn ended, before this process or now."""
        try:
            engine = engine_named(turn.engine)
        except TurnEnded as unknown:
            transcript.begin(turn.id, turn.message, fingerprint="", memory=turn.memory)
            end = transcript.end or unknown
        else:
            transcript.begin(turn.id, fingerprint=engine.fingerprint(turn), memory=turn.memory)
            end = transcript.end or self._work(engine, turn, broker, transcript, heartbeat)
        transcript.close(end)
        return end

    def _work(
        self,
        engine: TurnEngine,
        turn: TurnBrief,
        broker: BrokerClient,
        transcript: Transcript,
        heartbeat: LeaseHeartbeat,
    ) -> TurnEnded:
        until = time.monotonic() + turn.minutes * 60
        try:
            work, config = self._trees(turn)
            outputs = OutputFolder(self.place.folder(turn.run))
            sandbox, more = self._learned(turn, outputs.path)

            def run(command: str) -> shell.CommandResult:
                seconds = min(COMMAND_SECONDS, until - time.monotonic())
                return shell.run(command, work.path, seconds=seconds, sandbox=sandbox, more=more, outputs=outputs)

            def between() -> None:
                heartbeat.check()
                self.leaving()

            work.prepare()
            notes = Notes(self.place.state)
            transcript.say(turn.message, lambda: context_of(work, notes))
            actions = FinalActions(turn, broker, work, config, run)
            reader = TreeReader(work.path, work.listed, outputs, sandbox, pictures=turn.pictures)
            place = Workplace(
                replace(turn, message=transcript.message),
                transcript,
                Toolbox(engine.tools(turn), handlers(work.path, run, reader, notes, actions)),
                actions,
                work.path,
                run,
                between,
                seconds_left=lambda: until - time.monotonic(),
                model_socket=self.place.model,
                sandbox=sandbox,
                folder=self.place.folder(turn.run),
                env=more,
                retry=self.retry,
                silence=self.silence,
            )
            engine.work(place)
        except (GitToolError, OSError) as error:
            if isinstance(error, OSError) and error.errno in NO_ROOM:
                raise HostUnavailable(f"the machine of the hive has no room: {error.strerror}") from error
            return TurnEnded("failed", NO_TREE.format(error=error))
        except TurnEnded as reached:
            return reached

    def _learned(self, turn: TurnBrief, outputs: Path) -> tuple[Sandbox, dict[str, str]]:
        """The sandbox and the environment of commands: identity, home, long outputs, shared knowledge."""
        home = ensure_directory(self.place.state / "home")  # HOME of the harness may be another one
        sandbox, more = self.place.sandbox, git.identity(turn) | {"HOME": str(home)}
        folder = knowledge.fetch(self.place.state, turn.knowledge, git.environment(turn, self.port), sandbox)
        if folder is None:
            return replace(sandbox, readable=(outputs,)), more
        return replace(sandbox, readable=(folder, outputs)), more | {knowledge.VARIABLE: str(folder)}

    def _trees(self, turn: TurnBrief) -> tuple[WorkTree, WorkTree]:
        """The work tree of a run, and that of the agent's configuration; neither exists before it is needed."""
        folder = self.place.folder(turn.run)
        env = git.environment(turn, self.port)
        sandbox = self.place.sandbox
        work = WorkTree(folder / "work", env, self.retry, sandbox, repo=turn.repo, base=turn.base, branch=turn.branch)
        config = WorkTree(
            folder / f"config{_try(turn.proposal_branch)}",
            env,
            self.retry,
            sandbox,
            repo=turn.config_repo,
            base=turn.config_base,
            branch=turn.proposal_branch,
        )
        return work, config


def _try(branch: str) -> str:
    """A suffix for the clone of a branch: `-after-7` for one that follows pull request 7."""
    _, after, number = branch.rpartition("-after-")
    return f"{after}{number}" if number.isdecimal() and after else ""


def _end(turn: TurnBrief, broker: BrokerClient, transcript: Transcript, end: TurnEnded) -> None:
    """End the turn; the host says it on the thread, if nothing else shows it there."""
    log("end", turn=turn.id, outcome=end.outcome, steps=transcript.steps)
    broker.end(
        end.outcome,
        end.message,
        steps=transcript.steps,
        tokens_in=transcript.tokens_in,
        tokens_out=transcript.tokens_out,
    )
