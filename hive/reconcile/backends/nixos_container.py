"""Containers of NixOS, for a hive that is not root: `sandbox: nixos-container`.

A container is a whole system, built from the host's expression and the agent's module (`agent.nix`, if it has one) before
anything is switched. Root starts it, asked over a socket (`hive containers serve`); `hive.reconcile.nixos.attach` is it here.
"""

from __future__ import annotations

import contextlib
import math
import os
import shutil
import stat
import subprocess
import tempfile
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hive.git_mirror.mirror import Mirror
from hive.ledger import Generation
from hive.reconcile.agent_dirs import AgentDirs
from hive.reconcile.backends.backend import Command, NoBackend
from hive.reconcile.backends.bounds import Bounds
from hive.reconcile.backends.surroundings import CONFIG, kill_tree, source, within
from hive.reconcile.backends.system_build import SystemBuild
from hive.reconcile.build import BuildFailed, interpreter
from hive.reconcile.nix_build import NAME, NixBuilder
from hive.reconcile.nix_evaluation import MODULE, NixEvaluator, NoEvaluator, write_out
from hive.reconcile.nix_version import objection
from hive.reconcile.nixos.attach import ALIVE
from hive.reconcile.nixos.client import SOCKET, RootClient, RootRefused
from hive.reconcile.nixos.machines import Places

EXPRESSION = "agent-system.nix"
PREPARED = Path("/etc/forgehive")
"""Where the module of NixOS puts the expression and nixpkgs."""
GCROOTS = Path("/nix/var/nix/gcroots/hive")
SECONDS = 60.0
PATH_INSIDE = f"{CONFIG}/bin:/run/current-system/sw/bin"
"""What the artifact links to, and what the module adds."""


@dataclass(frozen=True, slots=True)
class NixosContainer:
    """What evaluates, what builds, and whom to ask for the rest."""

    evaluator: NixEvaluator
    builder: NixBuilder
    client: RootClient
    name: str = "nixos-container"
    contained: bool = True
    has_groups: bool = True
    who: str = "each with host users of its own"
    _builds: dict[tuple[str, str], SystemBuild] = field(default_factory=dict)
    _one_at_a_time: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def find(cls) -> NixosContainer:
        """Ask each of the parts that it needs; raises NoBackend."""
        programs = {each: shutil.which(each) for each in ("nix-build", "nix-instantiate")}
        for program, place in programs.items():
            if place is None:
                raise NoBackend(f"{program} is not installed: this is for NixOS")
        if why := objection(_said(programs["nix-build"] or "", "--version")):
            raise NoBackend(why)
        nixpkgs = PREPARED / "nixpkgs"
        if not nixpkgs.exists():
            said = _said(programs["nix-instantiate"] or "", "--find-file", "nixpkgs").strip()
            if not said:
                raise NoBackend(f"there is neither {nixpkgs} nor <nixpkgs> in NIX_PATH to build systems from")
            nixpkgs = Path(said)
        places = (PREPARED / EXPRESSION, source() / "nix" / EXPRESSION)
        expression = next((place for place in places if place.is_file()), None)
        if expression is None:
            raise NoBackend(f"there is no {' and no '.join(map(str, places))}")
        if not os.access(GCROOTS, os.W_OK):
            raise NoBackend(f"{GCROOTS} is not a directory in which this user may register what it built")
        try:
            evaluator = NixEvaluator.find()
            RootClient().ask("observe", "trial")
        except NoEvaluator as error:
            raise NoBackend(str(error)) from error
        except RootRefused as error:
            raise NoBackend(f"`hive containers serve` does not answer this user at {SOCKET}: {error}") from error
        harness = source() / "hive" / "agent"
        return cls(
            evaluator,
            NixBuilder(programs["nix-build"] or "", expression, GCROOTS, nixpkgs.resolve(), harness=harness.resolve()),
            RootClient(),
        )

    def prepare(self, dirs: AgentDirs, sha: Generation, mirror: Mirror, _: Sequence[str], /) -> bool:
        """Evaluate an agent's module, and build its system, one at a time on this host."""
        if not NAME.fullmatch(dirs.name):
            what = "nine small letters and digits at most, a letter first"
            raise BuildFailed([f"{dirs.name!r} cannot be the name of a container of NixOS: {what}"])
        if self.builder.built(self._root(dirs.name, sha)) is not None:
            return True
        begun = self._builds.get((dirs.name, sha))
        if begun is None:
            begun = self._builds[dirs.name, sha] = SystemBuild(lambda: self._build(dirs.name, sha, mirror))
            begun.start()
        if begun.is_alive():
            return False
        del self._builds[dirs.name, sha]
        return begun.is_done()

    def command(self, dirs: AgentDirs, sha: str, extra: Mapping[str, str], bounds: Bounds) -> Command:
        """See `Backend`. Raises ValueError for a directory that has to be quoted, and for a variable of many lines."""
        Places(dirs.root)
        system = self.builder.built(self._root(dirs.name, sha))
        if system is None:
            raise FileNotFoundError(2, "its system is not built any more", str(self._root(dirs.name, sha)))
        for folder in (dirs.gens / sha, dirs.sockets):
            _let_in(folder)
        variables = {**within(bounds, extra), "PATH": PATH_INSIDE}
        if hidden := [key for key, value in variables.items() if not value.isprintable()]:
            raise ValueError(f"a variable has more than one line, or is not printable: {', '.join(sorted(hidden))}")
        limits = bounds.limits
        numbers = (limits.memory_mb, math.ceil(limits.cpus * 100), limits.processes)
        words = [interpreter(), "-S", "-P", "-m", "hive.reconcile.nixos.attach", str(self.client.path), dirs.name, sha]
        words += [str(system), *map(str, numbers), bounds.rlimits]
        return Command(
            [*words, *(f"{key}={value}" for key, value in sorted(variables.items()))], {"PYTHONPATH": str(source())}
        )

    def harness(self, pid: int, _: AgentDirs, /) -> int | None:
        """The process that stands for it here, and passes SIGTERM on: the harness' own belongs to other users."""
        return pid

    def kill(self, pid: int, dirs: AgentDirs, /) -> None:
        """Let root kill the container, then what stands for it; if root does not answer, that is the sign for it."""
        with contextlib.suppress(RootRefused):
            self.client.ask("kill", dirs.name)
        kill_tree(pid)

    def clean(self, dirs: AgentDirs, /) -> None:
        """End a container that outlived its host; where root does not answer, none can be started either."""
        with contextlib.suppress(RootRefused):
            if self.client.ask("observe", dirs.name)["ActiveState"] in ALIVE:
                self.client.ask("kill", dirs.name)

    def forget(self, dirs: AgentDirs, /) -> None:
        """Let root take configuration, profile and root directory away, and register its systems no longer."""
        try:
            self.client.ask("destroy", dirs.name)
        except RootRefused as error:
            raise OSError(f"the container of {dirs.name} is not taken away: {error}") from error
        roots = self.builder.gcroots / dirs.name
        for root in roots.iterdir() if roots.is_dir() else ():
            root.unlink()
        with contextlib.suppress(FileNotFoundError):
            roots.rmdir()

    def has_made(self, dirs: AgentDirs, sha: str, /) -> bool:
        """Whether its system is registered and in the store."""
        return self.builder.built(self._root(dirs.name, sha)) is not None

    def _root(self, name: str, sha: str) -> Path:
        return self.builder.gcroots / name / sha

    def _build(self, name: str, sha: Generation, mirror: Mirror) -> Path:
        with self._one_at_a_time:
            if not any(entry.path == MODULE for entry in mirror.entries(sha.commit)):
                return self.builder.build(name, sha, None)
            self.evaluator.evaluate(mirror, sha.commit)
            with tempfile.TemporaryDirectory(prefix="hive-nix-") as scratch:
                write_out(mirror, sha.commit, Path(scratch) / "tree")
                return self.builder.build(name, sha, Path(scratch) / "tree" / MODULE)


def _let_in(folder: Path) -> None:
    """Let the container's users read a directory and use its sockets; no other user of the host gets that far."""
    for path in (folder, *folder.rglob("*")):
        mode = path.lstat().st_mode
        if stat.S_ISSOCK(mode):
            path.chmod(0o666)
        elif not stat.S_ISLNK(mode):
            path.chmod(stat.S_IMODE(mode) | (mode & 0o500) >> 3 | (mode & 0o500) >> 6)


def _said(*words: str) -> str:
    try:
        done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""
