"""Claude Code as an engine: the CLI works on the turn in the container, with the hive's tools and the hive's model.

It has no network: its model is asked through a relay, with a key of that relay. It reads no settings, no memory and no servers
of the repository, starts no updater, and expands no `@file` of an issue. What is known of its ways was measured with 2.1.197.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass, replace
from typing import NoReturn
from zlib import crc32

from hive.agent.engines.claude_events import PREFIX, ClaudeJournal
from hive.agent.engines.claude_session import ClaudeSession
from hive.agent.engines.conclusion import HAND_BACKS, HANDED_BACK, conclude, give_up
from hive.agent.engines.engine import Workplace
from hive.agent.engines.history import earlier
from hive.agent.engines.program import Program, ProgramEnd, Workbench, workbench
from hive.agent.engines.refusals import raise_refusal
from hive.agent.errors import TurnEnded
from hive.agent.log import log
from hive.agent.loop import STOPPED
from hive.agent.model_relay import ModelRelay
from hive.agent.text import cut
from hive.agent.tool_declarations import HIVE_TOOLS, Tool, offered
from hive.agent.turn import TurnBrief

PROGRAM = "claude"
KNOWN = ("2.1.197",)
"""The versions that this engine was tried with; another one is started all the same, and named in the log."""

TOOLS = ("Bash", "Read", "Edit", "Write", "Glob", "Grep")
"""Its own tools that it is offered: none that would want a network, other agents or a person."""

OFF = (
    *("CLAUDE_CODE_DISABLE_ATTACHMENTS", "CLAUDE_CODE_DISABLE_AUTO_MEMORY", "CLAUDE_CODE_DISABLE_BACKGROUND_TASKS"),
    *("CLAUDE_CODE_DISABLE_CLAUDE_MDS", "CLAUDE_CODE_DISABLE_CRON", "CLAUDE_CODE_DISABLE_FEEDBACK_SURVEY"),
    *("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "CLAUDE_CODE_DISABLE_OFFICIAL_MARKETPLACE_AUTOINSTALL"),
    *("CLAUDE_CODE_DISABLE_TERMINAL_TITLE", "DISABLE_AUTOUPDATER", "DISABLE_BUG_COMMAND", "DISABLE_ERROR_REPORTING"),
    *("DISABLE_TELEMETRY", "DISABLE_COST_WARNINGS"),
)
"""Variables that switch something off: `@file` in a prompt, memory, updates, and whatever else wants a network."""

MODELS = (
    *("ANTHROPIC_MODEL", "ANTHROPIC_SMALL_FAST_MODEL", "CLAUDE_CODE_SUBAGENT_MODEL"),
    *(f"ANTHROPIC_DEFAULT_{name}_MODEL" for name in ("HAIKU", "SONNET", "OPUS", "FABLE")),
)
"""Variables that name a model: all are the agent's."""

RETRIES = 4
"""How often it asks a model again that is overloaded or cannot be reached; then the turn is paused."""

TOOL_SECONDS = 7200
"""How long a call of the hive's tools may take: `submit` runs the repository's checks."""

TASK = "Your task:\n\n{text}"
"""A prompt that begins with `/` would be a command of the program."""

INTERRUPTED = (
    "You were interrupted while you worked on this. The work tree is as you left it: look, then go on.\n\n{text}"
)
ABOUT_TOOLS = """

Your tools for files and commands are your own; those that leave the container are {names}. Where these instructions name \
`submit`, `finish` or another tool of the hive, the one with `{prefix}` before its name is meant."""
NO_PROGRAM = (
    "My container has no program `claude`: Claude Code has to be installed on the hive's host, and `packages: [claude]` "
    "has to be in my configuration."
)
NO_RESULT = "Claude Code ended without a result ({how}).{more}"
ERROR = "Claude Code ended with an error: {why}"


@dataclass(frozen=True, slots=True)
class ClaudeCodeEngine:
    """Lets Claude Code work on a turn."""

    name: str = "claude-code"

    def tools(self, turn: TurnBrief) -> tuple[Tool, ...]:
        """The hive's tools; those for files and commands are the program's own."""
        return offered(HIVE_TOOLS, turn.capabilities)

    def fingerprint(self, turn: TurnBrief) -> str:
        """The model with its instructions; the program keeps the conversation itself."""
        return f"{self.name}:{crc32(json.dumps([turn.model, turn.system]).encode()):08x}"

    def work(self, place: Workplace) -> NoReturn:
        """Run the program until the turn has an end."""
        program = shutil.which(PROGRAM, path=os.environ.get("PATH", ""))
        if program is None:
            raise TurnEnded("failed", NO_PROGRAM)
        journal = ClaudeJournal(place.transcript)
        with workbench(place, journal) as bench:
            journal.relay = bench.relay
            _Conversation(program, bench, journal).hold()


@dataclass(slots=True)
class _Conversation:
    """The program with its task, told what was wrong with its change until that is submitted."""

    program: str
    bench: Workbench
    journal: ClaudeJournal

    def hold(self) -> NoReturn:
        place = self.bench.place
        _furnish(self.bench)
        end = self._begin()
        for left in range(HAND_BACKS, -1, -1):
            _judge(end, self.journal, self.bench.relay)
            why = conclude(place, self.journal.words)
            if not left:
                break
            task = HANDED_BACK.format(why=why)
            place.transcript.append({"role": "user", "content": [{"type": "text", "text": task}]})
            end = self._run(task, "--resume", ClaudeSession.of(place.folder))
        raise give_up(why, self.journal.words)

    def _begin(self) -> ProgramEnd:
        """Go on in the run's conversation if there is one that can be gone on in, or begin one."""
        place, turn = self.bench.place, self.bench.place.turn
        session = ClaudeSession.of(place.folder)
        is_again = session.turn == turn.id
        if session.id and (is_again or not turn.memory):
            now = replace(session, turn=turn.id)
            now.keep(place.folder)
            end = self._run((INTERRUPTED if is_again else TASK).format(text=turn.message), "--resume", now)
            if self.journal.has_begun:
                return end
            log("begun again", turn=turn.id, why=end.complaint)
        now = ClaudeSession.new(turn.id)
        now.keep(place.folder)
        before = earlier(place.transcript.messages)
        return self._run(TASK.format(text=before + turn.message), "--session-id", now)

    def _run(self, task: str, option: str, session: ClaudeSession) -> ProgramEnd:
        turn, bench = self.bench.place.turn, self.bench
        self.journal.begin()
        words = [
            *(self.program, "-p", "--output-format", "stream-json", "--verbose", "--model", turn.model),
            *("--tools", ",".join(TOOLS), "--allowedTools", ",".join((*TOOLS, PREFIX.rstrip("_")))),
            *("--permission-mode", "dontAsk", "--setting-sources", "", "--disable-slash-commands"),
            *("--strict-mcp-config", "--mcp-config", str(bench.door / "mcp.json")),
            *("--system-prompt-file", str(bench.door / "system.md"), option, session.id),
        ]
        return bench.run(Program(words, _environment(turn, bench), task))


def _furnish(bench: Workbench) -> None:
    """Put what the program is given into the folder that it cannot change."""
    turn = bench.place.turn
    names = ", ".join(f"{PREFIX}{tool.name}" for tool in bench.place.toolbox.tools)
    about = ABOUT_TOOLS.format(names=names, prefix=PREFIX)
    (bench.door / "system.md").write_text(turn.system + about)
    server = {"type": "stdio", "command": str(bench.script), "args": []}
    (bench.door / "mcp.json").write_text(json.dumps({"mcpServers": {"hive": server}}))


def _environment(turn: TurnBrief, bench: Workbench) -> dict[str, str]:
    return {
        **dict.fromkeys(OFF, "1"),
        **dict.fromkeys(MODELS, turn.model),
        "ANTHROPIC_BASE_URL": bench.relay.url,
        "ANTHROPIC_AUTH_TOKEN": bench.relay.key,
        "CLAUDE_CONFIG_DIR": str(bench.home),
        "CLAUDE_CODE_TMPDIR": str(bench.home),
        "CLAUDE_CODE_MAX_RETRIES": str(RETRIES),
        "MCP_TOOL_TIMEOUT": str(TOOL_SECONDS * 1000),
        "CLAUDE_CODE_MCP_TOOL_IDLE_TIMEOUT": str(TOOL_SECONDS * 1000),
        "SHELL": shutil.which("bash") or "/bin/sh",
    }


def _judge(end: ProgramEnd, journal: ClaudeJournal, relay: ModelRelay) -> None:
    """Raise what the end of the program means, unless it has done its work: a status of 0 alone does not say so."""
    result = journal.result
    if result is None:
        how = f"signal {-end.status}" if end.status < 0 else f"exit status {end.status}"
        raise_refusal(relay)
        raise TurnEnded("failed", NO_RESULT.format(how=how, more=f"\n\n{end.complaint}" if end.complaint else ""))
    if (denied := result.get("permission_denials")) and isinstance(denied, list):
        log("denied", calls=len(denied))
    reason = result.get("stop_reason")
    if isinstance(reason, str) and reason in STOPPED:
        raise TurnEnded("blocked", STOPPED[reason])
    is_done = result.get("subtype") == "success" and result.get("terminal_reason", "completed") == "completed"
    if result.get("is_error") is False and is_done and end.status == 0:
        return
    raise_refusal(relay)
    said = result.get("result") or result.get("errors") or end.complaint or result.get("subtype")
    raise TurnEnded("failed", ERROR.format(why=cut(said if isinstance(said, str) else json.dumps(said), 2_000)))


ENGINE = ClaudeCodeEngine()
