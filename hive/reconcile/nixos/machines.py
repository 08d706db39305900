"""Does what was asked of root, by NixOS' own tools: nix-env, systemctl, systemd-run, machinectl, journalctl, nixos-container.

What is written for a container is made whole from checked fields each time: users of its own, no network, three directories,
no socket of the nix daemon, limits. A container whose root is the host's is stopped at once.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hive.agent.enter import AGENT, TOOLS, own
from hive.reconcile.dir_handles import DirHandle
from hive.reconcile.nix_complaint import visible
from hive.reconcile.nixos.requests import RootRequest

PROGRAMS = ("nix-env", "systemctl", "systemd-run", "machinectl", "journalctl", "nixos-container")
"""What NixOS has with `boot.enableContainers`, its default."""

SECONDS = 150.0
"""How long one tool may take: starting and stopping a container each have a minute and a half (systemd)."""

_GENERATION = re.compile(r"system-(\d{1,9})-link", re.ASCII)

DOWN = frozenset({"inactive", "failed"})
"""States of a unit of which nothing runs."""

MOST_LOGGED = 256 << 10
PLAIN = re.compile(r"/[A-Za-z0-9._/-]+", re.ASCII)
"""Paths that mean themselves, where the unit of NixOS expands them without quotes and nspawn splits them at colons."""

CONF = """\
# Written by the hive for each start; changes are lost.
PRIVATE_USERS=pick
PRIVATE_NETWORK=1
EXTRA_NSPAWN_FLAGS="{flags}"
"""

DROP_IN = """\
# Written by the hive for each start; changes are lost.
[Service]
MemoryMax={memory_mb}M
MemorySwapMax=0
CPUQuota={cpu_percent}%
TasksMax={tasks}
"""


class Failed(Exception):
    """A verb that could not be done; the message is the reason, for people."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where everything is. `agents` is the hive's directory of agents; raises ValueError if its path has to be quoted."""

    agents: Path
    root: Path = Path("/")

    def __post_init__(self) -> None:
        for path in (self.agents, self.root):
            if not path.is_absolute() or (str(path) != "/" and not PLAIN.fullmatch(str(path))) or ".." in path.parts:
                raise ValueError(f"not a path of letters, digits, dots and dashes alone: {path}")

    def conf(self, machine: str) -> Path:
        """The file that the unit of a container reads."""
        return self.root / "etc/nixos-containers" / f"{machine}.conf"

    def drop_in(self, machine: str) -> Path:
        """What is added to that unit."""
        return self.root / "run/systemd/system" / f"container@{machine}.service.d" / "hive.conf"

    def profile(self, machine: str) -> Path:
        """The link that a container boots from."""
        return self.root / "nix/var/nix/profiles/per-container" / machine / "system"

    def registered(self, name: str) -> Path:
        """The roots of the garbage collector that a hive made for an agent."""
        return self.root / "nix/var/nix/gcroots/hive" / name

    def credentials(self, machine: str) -> Path:
        """What the container gets at its start, for root's eyes only."""
        return self.root / "run/hive-containers" / machine


class Machines:
    """The containers of this host, by the names of agents. Each verb may be repeated, and says what it found."""

    def __init__(self, places: Places, env: Mapping[str, str], *, seconds: float = SECONDS) -> None:
        """`env` is the whole environment of the tools, with the PATH on which they are found."""
        self._places = places
        self._env = dict(env)
        self._seconds = seconds
        self._verbs: Mapping[str, Callable[[RootRequest], dict[str, Any]]] = {
            "configure": self._configure,
            "point": self._point,
            "start": self._start,
            "hold": self._hold,
            "reload": self._reload,
            "restart": self._restart,
            "stop": self._stop,
            "kill": self._kill,
            "observe": self._observe,
            "logs": self._logs,
            "destroy": self._destroy,
        }

    def lacking(self) -> list[str]:
        """The tools that are not on the PATH."""
        return [each for each in PROGRAMS if shutil.which(each, path=self._env.get("PATH", "")) is None]

    def do(self, request: RootRequest) -> dict[str, Any]:
        """Do what was asked; raises Failed."""
        try:
            return self._verbs[request.verb](request)
        except OSError as error:
            raise Failed(f"{request.verb}: {error.strerror}: {error.filename}") from error

    def _configure(self, request: RootRequest) -> dict[str, Any]:
        """Write what the unit reads; `changed` is whether a running container has to be restarted for it."""
        home = self._places.agents / request.name
        for folder in ("state", "run", f"gens/{request.fields['sha']}"):
            with self._folder(request.name, folder):
                pass
        credentials = self._places.credentials(request.machine)
        flags = [
            f"--bind-ro={home}/gens/{request.fields['sha']}:/agent/config",
            f"--bind={home}/state:/agent/state",
            f"--bind-ro={home}/run:/run/hive",
            "--tmpfs=/nix/var/nix/daemon-socket:ro",
            f"--load-credential=hive-key:{credentials}/key",
            f"--load-credential=hive-entry:{credentials}/entry",
        ]
        limits = {key: request.fields[key] for key in ("memory_mb", "cpu_percent", "tasks")}
        conf = _replaced(self._places.conf(request.machine), CONF.format(flags=" ".join(flags)))
        drop_in = _replaced(self._places.drop_in(request.machine), DROP_IN.format(**limits))
        if drop_in:
            self._run("systemctl", "daemon-reload")
        return {"changed": conf or drop_in}

    def _folder(self, name: str, folder: str) -> DirHandle:
        """Open a directory of an agent; raises Failed for what is none, and for a link that leads elsewhere."""
        try:
            agents = os.open(self._places.agents, os.O_RDONLY | os.O_DIRECTORY)
            try:
                return DirHandle(self._places.agents, agents).existing(f"{name}/{folder}")
            finally:
                os.close(agents)
        except OSError as error:
            raise Failed(f"{name}: {error.strerror}: {error.filename}") from error

    def _point(self, request: RootRequest) -> dict[str, Any]:
        """Let a container boot from a system that was built for its agent."""
        system, roots = request.fields["system"], self._places.registered(request.name)
        links = [path for path in roots.iterdir() if path.is_symlink()] if roots.is_dir() else []
        if not any(str(link.readlink()) == system for link in links):
            raise Failed(f"{system} was not built for {request.name}: nothing in {roots} points to it")
        profile = self._places.profile(request.machine)
        profile.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
        self._run("nix-env", "--profile", str(profile), "--set", system)
        if over := _generations(profile):  # by number: after a roll-back, what is old is the newer one
            self._run("nix-env", "--profile", str(profile), "--delete-generations", *over)
        return {}

    def _start(self, request: RootRequest) -> dict[str, Any]:
        """Start a container with a key and an entry; one that still runs has others, and is ended first."""
        if self._run("systemctl", "show", "--property=ActiveState", "--value", request.unit).strip() not in DOWN:
            self._kill(request)
        folder = self._places.credentials(request.machine)
        folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with DirHandle.at(folder) as private:
            private.write("key", request.fields["key"].encode())
            private.write("entry", b"".join(word.encode() + b"\0" for word in request.fields["entry"]))
        self._run("systemctl", "start", request.unit)
        return self._settle(request)

    def _restart(self, request: RootRequest) -> dict[str, Any]:
        self._run("systemctl", "restart", request.unit)
        return self._settle(request)

    def _settle(self, request: RootRequest) -> dict[str, Any]:
        """See that the users of what was started are its own, and give them what survives."""
        first = self._first_user(request)
        if first == 0:
            self._kill(request)
            raise Failed(f"{request.machine} is stopped: its root was the root of the host")
        with self._folder(request.name, "state") as state:
            own(".", first + AGENT, first + TOOLS, at=state.fd)
            os.fchmod(state.fd, 0o755)  # the hive looks into it from its own directory, where nobody else gets
        return {"first_user": first}

    def _first_user(self, request: RootRequest) -> int:
        """Which user of the host is root in a container that runs; 0 if that cannot be told."""
        leader = self._run("machinectl", "show", "--property=Leader", "--value", request.machine).strip()
        if leader.isascii() and leader.isdigit():
            with contextlib.suppress(OSError, ValueError, IndexError):
                return int(Path(f"/proc/{leader}/uid_map").read_text().split()[1])
        return 0

    def _reload(self, request: RootRequest) -> dict[str, Any]:
        """Switch a running container to the system that it points to; what did not change in it keeps running."""
        system = self._pointed(request)
        if not system:
            raise Failed(f"{request.machine} points to no system")
        switch = ("--wait", "--collect", "--pipe", "--quiet", f"{system}/bin/switch-to-configuration", "test")
        self._run("systemd-run", f"--machine={request.machine}", *switch)
        return {}

    def _hold(self, _: RootRequest) -> dict[str, Any]:
        """Nothing: who listens remembers who asked."""
        return {}

    def _stop(self, request: RootRequest) -> dict[str, Any]:
        self._run("systemctl", "stop", request.unit)
        return {}

    def _kill(self, request: RootRequest) -> dict[str, Any]:
        """End everything in a container at once. It is told to stop before, as its unit starts again what was killed."""
        self._run("systemctl", "stop", "--no-block", request.unit)
        with contextlib.suppress(Failed):  # it may be gone by now
            self._run("systemctl", "kill", "--signal=SIGKILL", request.unit)
        self._run("systemctl", "stop", request.unit)
        with contextlib.suppress(Failed):  # a unit that was never loaded has not failed
            self._run("systemctl", "reset-failed", request.unit)
        return {}

    def _observe(self, request: RootRequest) -> dict[str, Any]:
        """What the unit and the profile say."""
        asked = "ActiveState,SubState,Result,MainPID,NRestarts"
        said = self._run("systemctl", "show", f"--property={asked}", request.unit)
        found = dict(line.split("=", 1) for line in said.splitlines() if "=" in line)
        shown = {key: visible(found.get(key, "")) for key in asked.split(",")}
        return {**shown, "system": self._pointed(request), "configured": self._places.conf(request.machine).exists()}

    def _pointed(self, request: RootRequest) -> str:
        """The system that the profile leads to, through its generation."""
        profile = self._places.profile(request.machine)
        with contextlib.suppress(OSError):
            generation = profile.parent / profile.readlink()
            return str(generation.readlink() if generation.is_symlink() else generation)
        return ""

    def _logs(self, request: RootRequest) -> dict[str, Any]:
        """What the harness wrote since a place in its container's journal, or a time, and the place of the end."""
        words = [
            "--no-pager",
            "--output=cat",
            f"--machine={request.machine}",
            "--unit=hive-agent.service",
            "--show-cursor",
        ]
        words += [f"--lines={request.fields['lines']}"]
        since = request.fields["cursor"]
        words += [f"--after-cursor={since}"] if since else [f"--since=@{request.fields['since']}"]
        lines = self._run("journalctl", *words).splitlines()
        mark = "-- cursor: "
        cursor = lines.pop().removeprefix(mark) if lines and lines[-1].startswith(mark) else since
        return {"lines": [visible(line) for line in lines if not line.startswith("-- No entries --")], "cursor": cursor}

    def _destroy(self, request: RootRequest) -> dict[str, Any]:
        """Take a container away, with its root and its profile; what survives rebuilds is the hive's, and stays."""
        self._run("nixos-container", "destroy", request.machine)
        shutil.rmtree(self._places.credentials(request.machine), ignore_errors=True)
        drop_in = self._places.drop_in(request.machine)
        drop_in.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            drop_in.parent.rmdir()
        self._run("systemctl", "daemon-reload")
        return {}

    def _run(self, *words: str) -> str:
        """What a tool wrote; raises Failed."""
        program = shutil.which(words[0], path=self._env.get("PATH", ""))
        if program is None:
            raise Failed(f"{words[0]} is not installed")
        try:
            done = subprocess.run(
                [program, *words[1:]],
                env=self._env,
                cwd="/",
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=self._seconds,
            )
        except subprocess.TimeoutExpired as error:
            raise Failed(f"{words[0]} did not end for {self._seconds:g} s") from error
        if done.returncode:
            said = done.stderr.decode("utf-8", "replace").strip().splitlines()
            raise Failed(f"{words[0]} ended with {done.returncode}{f': {visible(said[-1])}' if said else ''}")
        return done.stdout[-MOST_LOGGED:].decode("utf-8", "replace")


def _generations(profile: Path) -> list[str]:
    """The numbers of a profile's generations that it does not lead to: what is kept has roots of its own."""
    found = {path.name: _GENERATION.fullmatch(path.name) for path in profile.parent.iterdir()}
    current = profile.readlink().name
    return sorted((match[1] for name, match in found.items() if match and name != current), key=int)


def _replaced(file: Path, text: str) -> bool:
    """Whether a file had to be written again, as a whole."""
    with contextlib.suppress(FileNotFoundError):
        if file.read_text() == text:
            return False
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
    draft = file.with_name(f".{file.name}.new")
    draft.write_text(text)
    draft.chmod(0o644)
    draft.replace(file)
    return True
