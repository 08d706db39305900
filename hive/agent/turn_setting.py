"""Makes a turn ready to be worked on: its clones, its tools, and the ways out. Decides nothing about its end."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from hive.agent import git, knowledge, shell
from hive.agent.broker_client import BrokerClient
from hive.agent.clean_copy import CleanCopy
from hive.agent.container_paths import ContainerPaths
from hive.agent.directory_trees import ensure_directory
from hive.agent.engines.engine import TurnEngine, Workplace
from hive.agent.final_actions import FinalActions
from hive.agent.heartbeat import LeaseHeartbeat
from hive.agent.mailbox import Mailbox
from hive.agent.notes import Notes
from hive.agent.outputs import OutputFolder
from hive.agent.push_gate import PushGate
from hive.agent.run_context import context_of
from hive.agent.sandbox import Sandbox
from hive.agent.tools import Toolbox, handlers
from hive.agent.transcript import Transcript
from hive.agent.tree_reader import TreeReader
from hive.agent.turn import TurnBrief
from hive.agent.unix_http import RetryPolicy
from hive.agent.worktree import WorkTree

COMMAND_SECONDS = 600.0
"""The longest that one command may take; the turn's minutes may leave it less."""


@dataclass(slots=True)
class TurnSetting:
    """One turn with all that surrounds it; `port` is the relay's, `leaving` raises Shutdown when it is time."""

    place: ContainerPaths
    port: int
    leaving: Callable[[], None]
    retry: RetryPolicy
    silence: float
    turn: TurnBrief
    broker: BrokerClient
    transcript: Transcript
    heartbeat: LeaseHeartbeat
    until: float = field(init=False)
    """When its time is up."""

    def __post_init__(self) -> None:
        self.until = time.monotonic() + self.turn.minutes * 60

    def workplace(self, engine: TurnEngine) -> Workplace:
        """What an engine works with; the turn's message is in the transcript then. Raises GitToolError and OSError."""
        turn, transcript, folder = self.turn, self.transcript, self.place.folder(self.turn.run)
        work, config = self._trees(folder)
        outputs, notes = OutputFolder(folder), Notes(self.place.state)
        sandbox, more = self._learned(outputs.path)

        copy = CleanCopy(work.path, git.environment(turn, self.port), sandbox)

        def run_in(command: str, tree: Path, sandbox: Sandbox) -> shell.CommandResult:
            return shell.run(
                *(command, tree),
                seconds=min(COMMAND_SECONDS, self.seconds_left()),
                sandbox=sandbox,
                more=more,
                outputs=outputs,
                is_over=lambda: self.heartbeat.is_over,
            )

        def run(command: str) -> shell.CommandResult:
            return run_in(command, work.path, sandbox)

        work.prepare()
        transcript.say(turn.message, lambda: context_of(work, notes))
        gate = PushGate(turn, work, copy, lambda command: run_in(command, copy.path, copy.sandbox))
        actions = FinalActions(turn, self.broker, work, config, gate)
        reader = TreeReader(work.path, work.view.listed, outputs, sandbox, pictures=turn.pictures)
        return Workplace(
            replace(turn, message=transcript.message),
            transcript,
            Toolbox(engine.tools(turn), handlers(work.path, run, reader, notes, actions)),
            actions,
            work.path,
            run,
            self.between,
            Mailbox(self.broker, transcript, work, self.heartbeat.mail),
            seconds_left=self.seconds_left,
            model_socket=self.place.model,
            sandbox=sandbox,
            folder=folder,
            config=self.place.config,
            env=more,
            retry=self.retry,
            silence=self.silence,
        )

    def between(self) -> None:
        """Raise what says that the turn must not go on."""
        self.heartbeat.check()
        self.leaving()

    def seconds_left(self) -> float:
        """How long it may still take; 0.0 or less when its time is up."""
        return self.until - time.monotonic()

    def _learned(self, outputs: Path) -> tuple[Sandbox, dict[str, str]]:
        """The sandbox and the environment of commands: identity, home, long outputs, shared knowledge."""
        home = ensure_directory(self.place.state / "home")  # HOME of the harness may be another one
        turn, sandbox = self.turn, self.place.sandbox
        more = git.identity(turn) | {"HOME": str(home)}
        folder = knowledge.fetch(self.place.state, turn.knowledge, git.environment(turn, self.port), sandbox)
        if folder is None:
            return replace(sandbox, readable=(outputs,)), more
        return replace(sandbox, readable=(folder, outputs)), more | {knowledge.VARIABLE: str(folder)}

    def _trees(self, folder: Path) -> tuple[WorkTree, WorkTree]:
        """The work tree of a run, and that of the agent's configuration; neither exists before it is needed."""
        turn, sandbox = self.turn, self.place.sandbox
        env = git.environment(turn, self.port)
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
