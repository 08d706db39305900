"""Any program as an engine: it reads the task from its input, works in the work tree, and its last words are the summary.

Where it finds its model and the hive's tools is in its environment; `docs/engines.md` has examples.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn
from zlib import crc32

from hive.agent.engines.conclusion import HAND_BACKS, HANDED_BACK, conclude, give_up
from hive.agent.engines.engine import Workplace
from hive.agent.engines.history import earlier
from hive.agent.engines.plain_journal import PlainJournal
from hive.agent.engines.program import Program, ProgramEnd, Workbench, workbench
from hive.agent.engines.refusals import raise_refusal
from hive.agent.errors import TurnEnded
from hive.agent.tool_declarations import HIVE_TOOLS, Tool, offered
from hive.agent.turn import TurnBrief

MCP, MCP_CONFIG, HOME = "HIVE_MCP", "HIVE_MCP_CONFIG", "HIVE_ENGINE_HOME"
"""Variables: the program that is a server of the hive's tools on its input and output, a file that names it in the form that \
most clients read, and a folder that is kept as long as the run."""

TASK = "{system}\n\n{before}{message}\n\n{end}"
END = """\
You work in a clone of the repository, in your current folder. When you end, what you changed there is checked and submitted \
as a pull request, and what you said last is its summary; without a change it is your answer on the thread."""
INTERRUPTED = "You were interrupted while you worked on this. The work tree is as you left it: look, then go on.\n\n"
NO_PROGRAM = "My container has no program {name!r}: `command` of my configuration names it, and `packages` has to, too."
ERROR = "{name} ended with {how}.{more}"


@dataclass(frozen=True, slots=True)
class CommandEngine:
    """Lets the program work that the agent's configuration names."""

    name: str = "command"

    def tools(self, turn: TurnBrief) -> tuple[Tool, ...]:
        """The hive's tools; those for files and commands are the program's own."""
        return offered(HIVE_TOOLS, turn.capabilities)

    def fingerprint(self, turn: TurnBrief) -> str:
        """The program and its instructions."""
        return f"{self.name}:{crc32(json.dumps([turn.command, turn.model, turn.system]).encode()):08x}"

    def work(self, place: Workplace) -> NoReturn:
        """Run the program until the turn has an end."""
        command = place.turn.command
        program = shutil.which(command[0], path=os.environ.get("PATH", "")) if command else None
        if program is None:
            raise TurnEnded("failed", NO_PROGRAM.format(name=command[0] if command else ""))
        journal = PlainJournal(place.transcript)
        with workbench(place, journal) as bench:
            journal.relay = bench.relay
            _hold(bench, journal, (program, *command[1:]))


def _hold(bench: Workbench, journal: PlainJournal, words: Sequence[str]) -> NoReturn:
    """Run the program, and once more each time that its change is handed back."""
    place = bench.place
    server = {"command": str(bench.script), "args": []}
    (bench.door / "mcp.json").write_text(json.dumps({"mcpServers": {"hive": server}}))
    message = (INTERRUPTED if place.transcript.steps else "") + place.turn.message
    before = earlier(place.transcript.messages)
    why = ""
    for left in range(HAND_BACKS, -1, -1):
        journal.begin()
        task = TASK.format(system=place.turn.system, before=before, message=message, end=END)
        end = bench.run(Program(words, _environment(bench), task))
        if end.status:
            _fail(end, bench, words[0])
        why = conclude(place, journal.words)
        if left:
            told = HANDED_BACK.format(why=why)
            place.transcript.append({"role": "user", "content": [{"type": "text", "text": told}]})
            message = f"{place.turn.message}\n\n{told}"
    raise give_up(why, journal.words)


def _fail(end: ProgramEnd, bench: Workbench, program: str) -> NoReturn:
    """A program that ended with an error: the gateway's last refusal, if there is one, is the better reason."""
    raise_refusal(bench.relay)
    how = f"signal {-end.status}" if end.status < 0 else f"exit status {end.status}"
    more = f"\n\n{end.complaint}" if end.complaint else ""
    raise TurnEnded("failed", ERROR.format(name=Path(program).name, how=how, more=more))


def _environment(bench: Workbench) -> dict[str, str]:
    """Where the model and the tools are, by the names that programs know."""
    relay, model = bench.relay, bench.place.turn.model
    return {
        "ANTHROPIC_BASE_URL": relay.url,
        "ANTHROPIC_API_BASE": relay.url,
        "ANTHROPIC_API_KEY": relay.key,
        "ANTHROPIC_MODEL": model,
        "OPENAI_BASE_URL": f"{relay.url}/v1",
        "OPENAI_API_BASE": f"{relay.url}/v1",
        "OPENAI_API_KEY": relay.key,
        MCP: str(bench.script),
        MCP_CONFIG: str(bench.door / "mcp.json"),
        HOME: str(bench.home),
    }


ENGINE = CommandEngine()
