"""How a harness confines what it runs: every command and every git goes through `hive.agent.launch`."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hive.agent import enter, syscalls
from hive.agent.launch import BARE, NAMESPACES, PROCESSES, READ_ONLY
from hive.agent.processes import end_all

SOURCE = Path(__file__).resolve().parent.parent.parent
"""The directory that holds `hive/agent`."""

_OURS = ("HIVE_", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE")
"""Variables of the harness that commands do not need."""


@dataclass(frozen=True, slots=True)
class Sandbox:
    """How commands are confined; by default only their descendants are killed.

    `tools` is the user that commands run as, None for the harness' own. `hidden` are folders that appear empty to a command
    except for its work tree, `home`, `writable`, and `readable`, which is read-only.
    """

    kind: str = BARE
    tools: int | None = None
    hidden: tuple[Path, ...] = ()
    home: Path | None = None
    readable: tuple[Path, ...] = ()
    writable: tuple[Path, ...] = ()

    @classmethod
    def found(cls, hidden: tuple[Path, ...], home: Path) -> Sandbox:
        """The sandbox that `hive.agent.enter` prepared for this process, as the kernel reports it."""
        if not SOURCE.is_relative_to(enter.INSIDE):
            return NONE
        status = Path("/proc/self/status").read_text()
        if not int(status.partition("CapEff:")[2].split()[0], 16):
            return cls(PROCESSES)
        users = [line.split() for line in Path("/proc/self/uid_map").read_text().splitlines()]
        has_tools = any(int(first) <= enter.TOOLS < int(first) + int(count) for first, _, count in users)
        return cls(NAMESPACES, enter.TOOLS if has_tools else None, hidden, home)

    def words(self, command: Sequence[str], tree: Path, *, ready: int = -1) -> list[str]:
        """The argument list that runs a command in a folder; see `hive.agent.launch` for `ready`."""
        shown = [tree, *([self.home] if self.home is not None and self.home.is_dir() else []), *self.writable]
        shown_only = (f"{READ_ONLY}{folder}" for folder in self.readable)
        options = [self.kind, os.getpid(), ready, os.getuid() if self.tools is None else self.tools]
        return [
            *python("hive.agent.launch"),
            *map(str, (*options, *self.hidden, "--", *shown, *shown_only, "--")),
            *command,
        ]

    def git(self, words: Sequence[str], tree: Path) -> list[str]:
        """The argument list that runs git in a folder; where nothing is confined, its process group has to do."""
        command = ["git", *words]
        return command if self.kind == BARE else self.words(command, tree)

    def give(self, path: Path) -> None:
        """Let a file or folder that the harness made belong to the commands."""
        if self.tools is not None:
            os.chown(path, self.tools, self.tools, follow_symlinks=False)


NONE = Sandbox()


def python(module: str, *, interpreter: str = sys.executable, source: Path = SOURCE) -> list[str]:
    """The argument list that runs `main` of a module of the harness: with no site, no environment, no current folder."""
    code = f"import sys; sys.path.insert(0, {str(source)!r}); from {module} import main; main()"
    return [interpreter, "-I", "-S", "-c", code]


def command_environment(env: Mapping[str, str]) -> dict[str, str]:
    """The part of the harness' environment that commands get."""
    return {key: value for key, value in env.items() if not key.startswith(_OURS)}


def be_alone() -> None:
    """Make this process' memory and environment unreadable (by /proc, ptrace or a core file), and adopt orphans."""
    syscalls.prctl(syscalls.PR_SET_DUMPABLE, 0)
    syscalls.prctl(syscalls.PR_SET_CHILD_SUBREAPER, 1)


def end_orphans() -> None:
    """End what a command left that had killed its launcher; a process that is not alone has none of these."""
    if syscalls.is_subreaper():
        end_all()
