"""Containers by systemd-nspawn, for a hive that root runs: `sandbox: nspawn`.

What a container sees is this host's programs, or a root directory of packages (`root` of hive.yaml), the same one for all
agents with one list. Its user namespace holds the two host users that the agent has in every container that root makes, and below them
those that nspawn needs; `hive.agent.enter` does the rest from within. It registers nowhere and needs no running systemd.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hive.agent.directory_trees import remove_path
from hive.agent.enter import AGENT, MAPPED, own
from hive.agent.processes import descendants
from hive.config import Limits
from hive.git_mirror.mirror import Mirror
from hive.reconcile import host_users
from hive.reconcile.agent_dirs import AgentDirs
from hive.reconcile.backends import package_tree, tiny_root
from hive.reconcile.backends.backend import Command, NoBackend
from hive.reconcile.backends.bounds import Bounds
from hive.reconcile.backends.package_roots import FOLDER, PackageRoots
from hive.reconcile.backends.surroundings import (
    CONFIG,
    SOCKETS,
    STATE,
    entry,
    harness,
    kill_tree,
    namespace_of,
    starter,
    within,
)
from hive.reconcile.backends.trial import SECONDS as TRIAL_SECONDS
from hive.reconcile.backends.trial import problem_of
from hive.reconcile.cgroup_hierarchies import hierarchies
from hive.reconcile.cgroups import Cgroups, NoCgroup

PROGRAM = "systemd-nspawn"
ONLY_V2 = 258
"""The first systemd whose nspawn refuses a host that has cgroups v1 (met: 262; 252 and 257 take both)."""

RANGE = AGENT + 2
"""How many users a container has, from its root on: so that the last two are the agent's own."""


@dataclass(frozen=True, slots=True)
class Nspawn:
    """The systemd-nspawn program of this machine."""

    program: str
    name: str = "nspawn"
    contained: bool = True
    has_groups: bool = False
    who: str = "each with host users of its own"
    roots: PackageRoots | None = None
    """What containers are made of, if not of this host's programs."""

    @classmethod
    def find(cls) -> Nspawn:
        """Probe by running a command in a container; raises NoBackend."""
        program = shutil.which(PROGRAM)
        if program is None:
            raise NoBackend(f"{PROGRAM} is not installed (apt-get install systemd-container)")
        if not host_users.is_root_of_the_host():
            raise NoBackend(f"{PROGRAM} needs root, with all users of the host")
        version = _version(program)
        if version >= ONLY_V2 and any(each.version == 1 and each.controllers for each in hierarchies()):
            raise NoBackend(f"{PROGRAM} {version} refuses a host with cgroups v1")
        found = cls(program)
        try:
            groups = Cgroups.find()
        except NoCgroup as error:
            raise NoBackend(f"no cgroup can be made to hold its containers ({error})") from error
        try:
            problem = found._problem(groups)
        finally:
            groups.close()
        if problem:
            raise NoBackend(f"{program}: {problem}")
        return found

    def prepare(self, dirs: AgentDirs, sha: str, _: Mirror, packages: Sequence[str], /) -> bool:
        """Let a commit have the root directory of its packages."""
        return self.roots is None or self.roots.prepare(dirs, sha, packages)

    def command(self, dirs: AgentDirs, sha: str, extra: Mapping[str, str], bounds: Bounds) -> Command:
        """See `Backend`."""
        artifact, uid = dirs.gens / sha, host_users.uid_of(dirs.root)
        host_users.hand_over(artifact, uid)
        host_users.hand_over(dirs.sockets, uid)
        own(str(dirs.state), uid, uid + 1)
        read_only = [(str(artifact), CONFIG), (str(dirs.sockets), SOCKETS), *bounds.events(Path(SOCKETS))]
        variables = within(bounds, extra)
        if self.roots is None:
            words, runs_on = self._container(dirs, uid, read_only, bounds), ""
        else:
            tree, runs_on = self.roots.verified(dirs.root, sha), package_tree.PYTHON
            variables["PATH"] += f":{package_tree.PROGRAMS}"
            words = self._container(dirs, uid, [*package_tree.BINDS, *read_only], bounds, tree)
        said = [f"{key}={value}" for key, value in sorted(variables.items())]
        return Command([*words, *entry(MAPPED, uid, bounds, said, runs_on=runs_on), *harness(runs_on)], {})

    def harness(self, pid: int, _: AgentDirs, /) -> int | None:
        """The first process of the container's PID namespace."""
        outside = namespace_of(pid)
        return next((child for child in descendants(pid) if namespace_of(child) not in {outside, None}), None)

    def kill(self, pid: int, _: AgentDirs, /) -> None:
        """Kill the payload with its supervisor, which alone would leave it running (systemd 252, 257)."""
        kill_tree(pid)

    def clean(self, _: AgentDirs, /) -> None:
        """It leaves nothing."""

    def forget(self, dirs: AgentDirs, /) -> None:
        """Remove the root directory, and the links to those that are shared."""
        tiny_root.remove(dirs.root / tiny_root.NAME)
        remove_path(dirs.root / FOLDER)

    def has_made(self, dirs: AgentDirs, sha: str, /) -> bool:
        """Whether the commit has a root directory, if it is to have one of its own."""
        return self.roots is None or self.roots.pinned(dirs.root, sha) is not None

    def _container(
        self, dirs: AgentDirs, uid: int, read_only: list[tuple[str, str]], bounds: Bounds, tree: Path | None = None
    ) -> list[str]:
        """The arguments of systemd-nspawn for namespaces and mounts; without a `tree` it sees this host's programs."""
        root = tree if tree is not None else dirs.root / tiny_root.NAME
        system = tiny_root.make(root) if tree is None else []
        machine = f"h-{dirs.name}-{hashlib.sha256(os.fsencode(dirs.root.resolve())).hexdigest()[:8]}"
        words = [self.program, "--quiet", "--register=no", "--keep-unit", f"--machine={machine}"]
        words += [f"--hostname=h-{dirs.name}", f"--directory={root}", "--read-only", "--private-network", "--pipe"]
        words += [f"--private-users={uid - AGENT}:{RANGE}", "--private-users-ownership=off"]
        words += ["--resolv-conf=off", "--timezone=off", "--link-journal=no", f"--chdir={STATE}"]
        for source, target in (*system, *read_only):
            words.append(f"--bind-ro={_escaped(source)}:{_escaped(target)}")
        words.append(f"--bind={_escaped(str(dirs.state))}:{STATE}")
        for folder, size in (("/tmp", bounds.tmp), ("/dev/shm", bounds.shm)):  # noqa: S108  the container's own
            words.append(f"--tmpfs={folder}:mode=1777,size={size}")
        return [*words, "--"]

    def _problem(self, groups: Cgroups) -> str:
        """Why it does not work here; empty if it does."""
        limits = Limits()
        with tempfile.TemporaryDirectory(prefix="hive-trial-") as made:
            dirs = AgentDirs("trial", Path(made))
            dirs.prepare()
            own(str(dirs.state), host_users.TRIAL, host_users.TRIAL + 1)
            bounds = Bounds(limits, groups.make("trial", limits), groups.limited)
            words = self._container(dirs, host_users.TRIAL, [], bounds)
            words += entry(MAPPED, host_users.TRIAL, bounds, [f"HIVE_STATE={STATE}"])
            try:
                return problem_of([*starter(bounds), *words], noise="propagate")
            finally:
                bounds.end()


def _escaped(path: str) -> str:
    r"""A path as `--bind` takes it, where colons separate."""
    return path.replace("\\", "\\\\").replace(":", "\\:")


def _version(program: str) -> int:
    try:
        said = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=TRIAL_SECONDS).stdout
    except (OSError, subprocess.TimeoutExpired):
        return 0
    found = re.search(r"systemd (\d+)", said)
    return int(found[1]) if found else 0
