"""Containers by podman: `sandbox: podman`, for a hive that root runs.

podman's own profile is the outer layer, `hive.agent.enter` does the rest from within. What it keeps of a container lies in
a directory of its own for each agent, and is gone with the container. Its networks, pods and API are not used, and of images
only what this host made of packages itself (`root` of hive.yaml), found by its digest: nothing is pulled by a name.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hive.agent.directory_trees import remove_path
from hive.agent.enter import AGENT, KEPT, MAPPED, own
from hive.agent.processes import descendants
from hive.agent.sandbox import python
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
    is_first_of_its_namespace,
    kill_those_of,
    kill_tree,
    source,
    starter,
    within,
)
from hive.reconcile.backends.trial import problem_of
from hive.reconcile.limiter import Limiter

PROGRAM = "podman"
RUNTIMES = ("crun", "runc")
"""In the order in which they are tried: crun starts sooner, and takes no host that has both versions of cgroups (met: 1.8)."""

RANGE = AGENT + 2
"""How many users a container has, from its root on: so that the last two are the agent's own."""

PLACE = Path("/run/forgehive")
"""For what podman keeps of a container while it runs: it takes no path of more than 50 characters for that."""
OWN = ("store", "run", "tmp")
"""podman's directories there, beside the container's root directory."""
FILES, PROCESSES = (1024, 4096), 1000
"""The most open files and processes of a process by default: podman's own default needs CAP_SYS_RESOURCE."""

TRIAL_SECONDS = 120.0
CLEAN_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Podman:
    """The podman program of this machine, and the runtime that works with it."""

    program: str
    runtime: str
    name: str = "podman"
    contained: bool = True
    who: str = "each with host users of its own"
    has_groups: bool = True
    roots: PackageRoots | None = None
    """What containers are made of, if not of this host's programs."""

    @classmethod
    def find(cls) -> Podman:
        """Probe by running a command in a container, with each runtime; raises NoBackend."""
        program = shutil.which(PROGRAM)
        if program is None:
            raise NoBackend(f"{PROGRAM} is not installed (apt-get install podman runc)")
        if not host_users.is_root_of_the_host():
            raise NoBackend(f"{PROGRAM} is supported for root only, with all users of the host")
        why = f"there is no runtime for {PROGRAM} (apt-get install runc)"
        for runtime in filter(None, map(shutil.which, RUNTIMES)):
            found = cls(program, runtime)
            problem = found._problem()
            if not problem:
                return found
            why = f"{program} with {runtime}: {problem}"
        raise NoBackend(why)

    def prepare(self, dirs: AgentDirs, sha: str, _: Mirror, packages: Sequence[str], /) -> bool:
        """Let a commit have the root directory of its packages."""
        return self.roots is None or self.roots.prepare(dirs, sha, packages)

    def command(self, dirs: AgentDirs, sha: str, extra: Mapping[str, str], bounds: Bounds) -> Command:
        """See `Backend`."""
        artifact, uid = dirs.gens / sha, host_users.uid_of(dirs.root)
        host_users.hand_over(artifact, uid)
        host_users.hand_over(dirs.sockets, uid)
        own(str(dirs.state), uid, uid + 1)
        read_only, variables = [(str(artifact), CONFIG), (str(dirs.sockets), SOCKETS)], within(bounds, extra)
        if self.roots is None:
            words, runs_on = self._container(dirs, uid, read_only, bounds), ""
        else:
            tree, runs_on = self.roots.verified(dirs.root, sha), package_tree.PYTHON
            variables["PATH"] += f":{package_tree.PROGRAMS}"
            words = self._container(dirs, uid, [*package_tree.BINDS, *read_only], bounds, tree)
        said = [f"{key}={value}" for key, value in sorted(variables.items())]
        return Command([*words, *entry(MAPPED, uid, bounds, said, runs_on=runs_on), *harness(runs_on)], _environment())

    def harness(self, pid: int, _: AgentDirs, /) -> int | None:
        """The first process of the container's PID namespace."""
        return next(filter(is_first_of_its_namespace, descendants(pid)), None)

    def kill(self, pid: int, _: AgentDirs, /) -> None:
        """Kill the container with all that runs for it: everything descends from the warden."""
        kill_tree(pid)

    def clean(self, dirs: AgentDirs) -> None:
        """Remove podman's own record of the container, and what it mounted for it, also where podman itself cannot.

        It cannot after its conmon was killed: it waits for an exit status then that nobody writes, and leaves a mount (4.3.1).
        """
        place = _place(dirs)
        if not place.exists():
            return
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            words = [*self._podman(dirs), "rm", "--force", "--ignore", "--time=0", _name(dirs)]
            subprocess.run(words, capture_output=True, timeout=CLEAN_SECONDS, env=_environment())
        kill_those_of(place)  # a start that goes on although all that wanted it was killed
        for mount in reversed([mount for mount in tiny_root.mounts() if mount.is_relative_to(place)]):
            with contextlib.suppress(OSError, subprocess.TimeoutExpired):
                subprocess.run(["umount", "--lazy", str(mount)], capture_output=True, timeout=CLEAN_SECONDS)
        if any(mount.is_relative_to(place) for mount in tiny_root.mounts()):
            return
        tiny_root.remove(place / tiny_root.NAME)
        for name in OWN:
            shutil.rmtree(place / name, ignore_errors=True)
        with contextlib.suppress(OSError):
            place.rmdir()

    def forget(self, dirs: AgentDirs, /) -> None:
        """Remove what a container that has ended may leave, and the links to what is shared."""
        self.clean(dirs)
        remove_path(dirs.root / FOLDER)

    def has_made(self, dirs: AgentDirs, sha: str, /) -> bool:
        """Whether the commit has a root directory, if it is to have one of its own."""
        return self.roots is None or self.roots.pinned(dirs.root, sha) is not None

    def _podman(self, dirs: AgentDirs) -> list[str]:
        """Podman with directories of its own for each agent."""
        store, run, tmp = (_place(dirs) / name for name in OWN)
        words = [self.program, f"--root={store}", f"--runroot={run}", f"--tmpdir={tmp}"]
        return [
            *words,
            "--cgroup-manager=cgroupfs",
            "--events-backend=none",
            "--storage-driver=vfs",
            f"--runtime={self.runtime}",
        ]

    def _container(
        self, dirs: AgentDirs, uid: int, read_only: list[tuple[str, str]], bounds: Bounds, tree: Path | None = None
    ) -> list[str]:
        """The arguments of podman for namespaces, capabilities, limits and mounts, after those of its warden.

        Without a `tree` it sees this host's programs.
        """
        root, limits, group = _place(dirs) / tiny_root.NAME, bounds.limits, bounds.group
        for folder in (PLACE, root.parent):
            folder.mkdir(exist_ok=True)
            folder.chmod(0o755)
        words = [*python("hive.agent.warden", source=source()), str(os.getpid()), "--"]
        words += [*self._podman(dirs), "run", "--rm", "--replace", "--interactive", f"--name={_name(dirs)}"]
        words += ["--pull=never", "--log-driver=none", "--no-hosts", "--network=none"]
        words += [f"--hostname=h-{dirs.name}", "--cap-drop=ALL", f"--cap-add={','.join(KEPT)},SYS_RESOURCE"]
        words += [f"--uidmap=0:{uid - AGENT}:{RANGE}", f"--gidmap=0:{uid - AGENT}:{RANGE}"]
        words += ["--security-opt=unmask=ALL", "--http-proxy=false", f"--workdir={STATE}"]
        words += [f"--ulimit=nofile={FILES[0]}:{FILES[1]}", f"--ulimit=nproc={PROCESSES}:{PROCESSES}"]
        if group is not None:
            words += [f"--cgroup-parent={group.path}", f"--memory={limits.memory_mb}m"]
            words += [f"--memory-swap={limits.memory_mb}m", f"--cpus={limits.cpus}", f"--pids-limit={limits.processes}"]
        system = tiny_root.make(root) if tree is None else tiny_root.show(tree, root)
        for origin, target in (*system, *read_only):
            words.append(f"--volume={origin}:{target}:ro")
        words += [f"--volume={dirs.state}:{STATE}:rw", f"--tmpfs=/tmp:size={bounds.tmp},mode=1777"]
        words += [f"--shm-size={bounds.shm}", "--read-only", "--read-only-tmpfs=false", "--rootfs", str(root)]
        return words

    def _problem(self) -> str:
        """Why it does not work here; empty if it does."""
        with tempfile.TemporaryDirectory(prefix="hive-trial-", ignore_cleanup_errors=True) as made:
            dirs = AgentDirs("trial", Path(made) / "agents" / "trial")
            dirs.prepare()
            own(str(dirs.state), host_users.TRIAL, host_users.TRIAL + 1)
            limiter = Limiter.find(Limits())
            if limiter.groups is None:
                return f"no cgroup can be made to hold its containers ({limiter.why_not})"
            bounds = limiter.bounds("trial", has_groups=True)
            words = self._container(dirs, host_users.TRIAL, [], bounds)
            words += entry(MAPPED, host_users.TRIAL, bounds, [f"HIVE_STATE={STATE}"])
            try:
                return problem_of([*starter(bounds), *words], _environment(), seconds=TRIAL_SECONDS)
            finally:
                bounds.end()
                self.clean(dirs)
                limiter.close()


def _place(dirs: AgentDirs) -> Path:
    """Where podman keeps what it needs for an agent: the way to its root directory must be open to the container's users."""
    return PLACE / hashlib.sha256(os.fsencode(dirs.root.resolve())).hexdigest()[:8]


def _name(dirs: AgentDirs) -> str:
    return f"h-{dirs.name}-{_place(dirs).name}"


def _environment() -> dict[str, str]:
    """What podman itself needs; nothing of it gets into a container."""
    return {"PATH": os.environ.get("PATH", os.defpath), "HOME": "/nonexistent"}
