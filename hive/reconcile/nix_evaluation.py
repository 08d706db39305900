"""Evaluates a configuration that is written in Nix, by somebody who is not trusted: pure arithmetic, and nothing else.

Nix reads what it is asked for, fetches, builds, and runs programs, all during evaluation. Here it runs in namespaces of
its own, as a user that owns nothing, with no network, no store and no environment; it sees its own program, the files of
the commit, and what this host adds. Its restrictions (`OPTIONS`) are the second wall, and give the better sentences.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hive.agent.child_process import ChildResult, Deadlines, run_watched
from hive.git_mirror.mirror import Mirror, TooLarge, TreeLimits
from hive.ledger.errors import is_transient
from hive.reconcile import host_users
from hive.reconcile.build import SEEN, BuildFailed
from hive.reconcile.nix_complaint import complaint

MODULE = "agent.nix"
"""The one file of a configuration repository from which an evaluation begins."""

TREE, ASKED = "/agent", "/hive"
"""Where the commit's files and the host's own expression are during an evaluation."""

VALUE = "{ module }: let it = import module; in if builtins.isFunction it then builtins.functionArgs it else it"
"""Asks for the whole value; of a function for the names that it takes, as true if there is a default."""

OPTIONS: Mapping[str, str] = {
    "restrict-eval": "true",
    "allow-import-from-derivation": "false",
    "allow-unsafe-native-code-during-evaluation": "false",
    "accept-flake-config": "false",
    "use-registries": "false",
}
"""Nix's own restrictions; no `nix.conf` can be seen that would lift them."""

BOUNDS = TreeLimits(files=500, total_bytes=8 << 20)
"""What a tree may hold to be evaluated: each file costs one question to git."""

_STARTER = """\
import os, resource, sys
uid, bounds, *words = sys.argv[1:]
for bound in bounds.split(","):
    name, most = bound.split("=")
    resource.setrlimit(getattr(resource, "RLIMIT_" + name.upper()), (int(most), int(most)))
if int(uid):
    os.setgroups([])
    os.setresgid(int(uid), int(uid), int(uid))
    os.setresuid(int(uid), int(uid), int(uid))
os.execv(words[0], words)
"""
"""Becomes a command with limits that all of its processes inherit, and as another user if this one is root.

`prlimit` of util-linux does the same ten times as fast, where there is one. The user may not see this Python.
"""


class NoEvaluator(Exception):
    """Nothing evaluates Nix on this machine; the message is the reason, for people."""


@dataclass(frozen=True, slots=True)
class EvaluationLimits:
    """What one evaluation may take: seconds of wall clock and of CPU, bytes of memory and of output."""

    seconds: float = 60.0
    cpu: int = 30
    memory: int = 1 << 30
    output: int = 1 << 20

    def rlimits(self) -> dict[str, int]:
        """The limits of each process, by name. Nix asks for 64 MiB of stack, and needs few files."""
        return {"cpu": self.cpu, "data": 2 * self.memory, "fsize": self.output, "nofile": 256, "core": 0}


@dataclass(frozen=True, slots=True)
class NixEvaluator:
    """The nix and the bwrap of this machine; `nixpkgs` is what `<nixpkgs>` is to an expression, if it is anything."""

    nix: str
    bwrap: str
    nixpkgs: Path | None = None
    limits: EvaluationLimits = field(default_factory=EvaluationLimits)
    prlimit: str | None = field(default_factory=lambda: shutil.which("prlimit"))

    @classmethod
    def find(cls, nixpkgs: Path | None = None) -> NixEvaluator:
        """What evaluates here, tried with the simplest of expressions; raises NoEvaluator with the reason if nothing does."""
        found = {program: shutil.which(program) for program in ("nix-instantiate", "bwrap")}
        for program, place in found.items():
            if place is None:
                raise NoEvaluator(f"{program} is not installed")
        made = cls(within_sight(found["nix-instantiate"] or ""), found["bwrap"] or "", nixpkgs)
        try:
            with tempfile.TemporaryDirectory(prefix="hive-nix-") as scratch:
                (Path(scratch) / "tree").mkdir()
                (Path(scratch) / "tree" / MODULE).write_text("1")
                made._value(Path(scratch), VALUE, frozenset({MODULE}))
        except (BuildFailed, OSError) as error:
            raise NoEvaluator(f"{made.nix} evaluates nothing here ({error})") from error
        return made

    def evaluate(self, mirror: Mirror, tree: str, expression: str = VALUE) -> Any:
        """The value of an expression of this host, a function of `module`, for a commit or tree: what JSON can hold.

        Only regular files of the tree are there, whatever `.gitattributes` says. Whether its entries are harmless was
        asked before (`evidence.bad_entries`). Raises BuildFailed with one sentence, `FILE:LINE:COL: …`, GitError, and
        OSError if the disk is full.
        """
        with tempfile.TemporaryDirectory(prefix="hive-nix-") as scratch:
            paths = write_out(mirror, tree, Path(scratch) / "tree")
            return self._value(Path(scratch), expression, paths)

    def _value(self, scratch: Path, expression: str, paths: frozenset[str]) -> Any:
        (scratch / "asked").mkdir()
        (scratch / "asked" / "expression.nix").write_text(expression)
        done = self._run(scratch)
        if done.status or done.stopped:
            raise BuildFailed([complaint(done, TREE, paths, MODULE)])
        try:
            return json.loads(done.out)
        except (RecursionError, ValueError) as error:  # no UTF-8; a number of 5000 digits; nested without end
            raise BuildFailed([f"{MODULE}:1:1: its value cannot be read ({type(error).__name__})"]) from error

    def _run(self, scratch: Path) -> ChildResult:
        uid = host_users.EVALUATOR if os.geteuid() == 0 else None
        if uid is not None:
            for path in (scratch, *scratch.rglob("*")):
                os.chown(path, uid, uid, follow_symlinks=False)
        return self.run_limited([*self._confined(scratch), *self._asking()], uid)

    def run_limited(self, command: Sequence[str], user: int | None) -> ChildResult:
        """Run a command within the limits, which hold before it begins; as `user` if this is root."""
        bounds = [f"{name}={most}" for name, most in self.limits.rlimits().items()]
        deadlines = Deadlines(self.limits.seconds, self.limits.seconds)
        if self.prlimit is not None:
            words = [self.prlimit, *(f"--{bound}" for bound in bounds), "--", *command]
            return run_watched(words, {}, deadlines, most=self.limits.output, user=user)
        starter = [sys.executable, "-I", "-S", "-c", _STARTER, str(user or 0), ",".join(bounds)]
        return run_watched([*starter, *command], {}, deadlines, most=self.limits.output)

    def _confined(self, scratch: Path) -> list[str]:
        """What comes before the command: it dies with this process, and with it all of its PID namespace."""
        words = [self.bwrap, "--unshare-all", "--clearenv", "--die-with-parent", "--new-session"]
        for path in map(Path, (*SEEN, "/etc/alternatives")):  # not /nix/var, where the daemon listens
            if path.is_symlink():
                words += ["--symlink", str(path.readlink()), str(path)]
            elif path.exists():
                words += ["--ro-bind", str(path), str(path)]
        if self.nixpkgs is not None:
            words += ["--ro-bind", str(self.nixpkgs.resolve()), f"{ASKED}-nixpkgs"]
        words += ["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--setenv", "HOME", "/tmp"]  # noqa: S108
        words += [
            "--setenv",
            "PATH",
            "/none",
        ]  # `fetchGit` of a path below the tree starts git, even in restricted mode
        words += ["--setenv", "GC_MAXIMUM_HEAP_SIZE", str(self.limits.memory)]
        words += ["--ro-bind", str(scratch / "tree"), TREE, "--ro-bind", str(scratch / "asked"), ASKED]
        return [*words, "--chdir", TREE, "--"]

    def _asking(self) -> list[str]:
        words = [self.nix, "--eval", "--strict", "--json", "--show-trace", "--store", "dummy://"]
        for name, value in OPTIONS.items():
            words += ["--option", name, value]
        seen = [f"agent={TREE}", f"hive={ASKED}", *([f"nixpkgs={ASKED}-nixpkgs"] if self.nixpkgs is not None else [])]
        for entry in seen:  # in restricted mode, nothing else may be read
            words += ["-I", entry]
        return [*words, f"{ASKED}/expression.nix", "--arg", "module", f"{TREE}/{MODULE}"]


def within_sight(program: str) -> str:
    """A program by a name that a container sees, too: links are followed until one does, as its name is what it does."""
    path = Path(program)
    while path.is_symlink() and not path.is_relative_to("/usr") and not path.is_relative_to("/nix/store"):
        path = path.parent / path.readlink()
    return str(path)


def write_out(mirror: Mirror, tree: str, into: Path) -> frozenset[str]:
    """Write the regular files of a tree into a new directory; returns their paths.

    Raises BuildFailed if there is no module among them, or too much.
    """
    into.mkdir()
    try:
        files = [entry for entry in mirror.entries(tree) if entry.mode.startswith("100")]
        paths = frozenset(entry.path for entry in files)
        if MODULE not in paths:
            raise BuildFailed([f"{MODULE}:1:1: there is no such file"])
        mirror.write_entries(files, into, bounds=BOUNDS)
    except TooLarge as error:
        raise BuildFailed([f"{MODULE}:1:1: its repository is {error}"]) from error
    except OSError as error:
        if is_transient(error):
            raise
        raise BuildFailed([f"{MODULE}:1:1: a file beside it cannot be written out ({error.strerror})"]) from error
    return paths
