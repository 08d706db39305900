"""A host with NixOS containers that can be killed: real nix in a store of its own, small programs in the place of systemd's."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import shutil
import signal
import socket
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType

from hive.reconcile.backends import Backend, NixosContainer
from hive.reconcile.containers import Containers
from hive.reconcile.nix_build import NO_PROGRAMS, NixBuilder
from hive.reconcile.nix_evaluation import NixEvaluator, NoEvaluator
from hive.reconcile.nixos.client import RootClient
from hive.reconcile.nixos.machines import Machines, Places
from hive.reconcile.nixos.privileged import Privileged
from hive.unix_socket import listen_unix
from tests.reconcile.kill_points import AGENT, Killer, Scene
from tests.reconcile.nixos_tools import NixosTools
from tests.reconcile.test_nix_build import STAND_IN

CLONE_NEWNS = 0x20000
MACHINE = f"h-{AGENT}"
UNIT = f"container@{MACHINE}.service"
TROUBLE = "its health check failed"
SOCKET, KILLED = "root.sock", "killed"
FORK = multiprocessing.get_context("fork")
PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)


def missing() -> str:
    """Why there can be no such host here; empty if there can."""
    if os.geteuid():
        return "only root can give a process a /nix of its own"
    if shutil.which("nix-build") is None:
        return "nix-build is not installed (Debian: apt-get install nix-bin)"
    try:
        NixEvaluator.find()
    except NoEvaluator as error:
        return f"nothing evaluates Nix here: {error}"
    return ""


@dataclass(frozen=True)
class NixosScene(Scene):
    """Each place has a store, a profile, and root's helper, which is another process; `leader` has users of its own."""

    probe_seconds: float = 120.0
    leader: int = 0

    def prepare(self, root: Path) -> None:
        """Lay out the directories of a place."""
        tools = NixosTools.make(root / "nixos")
        tools.lead(self.leader)
        for folder in ("nix/store", "nix/var/nix/gcroots/hive", "conf", "home", "expression", "new-root"):
            (tools.root / folder).mkdir(parents=True)
        (tools.root / "expression/system.nix").write_text(STAND_IN)
        (tools.root / "conf/nix.conf").write_text("build-users-group =\nsubstituters =\n")

    @contextmanager
    def served(self, root: Path, killer: Killer) -> Iterator[None]:
        """Let root's helper answer, on a socket that stays when it is killed."""
        with listen_unix(root / SOCKET) as listening:
            keeper = FORK.Process(target=keep, args=(root, listening, killer))
            keeper.start()
            try:
                yield
            finally:
                keeper.kill()
                keeper.join()

    def enter(self, root: Path) -> Backend:
        """See the place's store as /nix."""
        see_as_nix(root / "nixos/nix", root / "nixos/new-root")
        env = {"PATH": NO_PROGRAMS, "HOME": f"{root}/nixos/home", "NIX_CONF_DIR": f"{root}/nixos/conf"}
        builder = NixBuilder(
            shutil.which("nix-build") or "",
            root / "nixos/expression/system.nix",
            Path("/nix/var/nix/gcroots/hive"),
            more={"sandbox": "false"},
            env=env,
        )
        return NixosContainer(NixEvaluator.find(), builder, RootClient(root / SOCKET))

    def listen(self, root: Path, containers: Containers, answers: frozenset[str]) -> None:
        """A container is heard by the key with which it booted; one that does not answer says why."""
        tools, running = NixosTools(root / "nixos"), containers.running(AGENT)
        if not running or tools.state(UNIT) != "active":
            return
        _, key, *conf = [*tools.booted(), "", ""]
        if containers.opens(AGENT, key) and any(f"/gens/{running}:" in line for line in conf):
            containers.heard(AGENT, running, "" if running in answers else TROUBLE)

    def end(self, root: Path) -> dict[str, object]:
        """What it booted, what it would boot, and what is kept."""
        tools = NixosTools(root / "nixos")
        system, key, *conf = tools.booted()
        profile = tools.root / "nix/var/nix/profiles/per-container" / MACHINE
        roots = tools.root / "nix/var/nix/gcroots/hive" / AGENT
        return {
            "booted": system,
            "profile": str((profile / (profile / "system").readlink()).readlink()),
            "key": key == (tools.root / "run/hive-containers" / MACHINE / "key").read_text(),
            "conf": [line.replace(str(root), "") for line in conf],
            "unit": tools.state(UNIT),
            "kept": {path.name: str(path.readlink()) for path in roots.iterdir()},
        }


def keep(root: Path, listening: socket.socket, killer: Killer) -> None:
    """Let root's helper of a place be a process that is started again when it is killed, as systemd does."""
    while True:
        pid = os.fork()
        if pid == 0:
            _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            serve(root, listening, killer)
        os.waitpid(pid, 0)
        killer = Killer()


def serve(root: Path, listening: socket.socket, killer: Killer) -> None:
    """Be root's helper of a place until the process is ended."""
    see_as_nix(root / "nixos/nix", root / "nixos/new-root")
    tools = NixosTools(root / "nixos")
    machines = Machines(Places(root / "agents", tools.root), tools.env, seconds=60.0)
    with replace(killer, hit=root / KILLED):
        Privileged(machines, listening, [os.getuid()]).serve()


def who_asks(frame: FrameType) -> int | None:
    """The process that stands for the container, if it is the one for which a helper does something."""
    found: FrameType | None = frame
    while found is not None:
        if found.f_code.co_name == "_answer":
            pid = peer_pid(found.f_locals["connection"])
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0") if Path(f"/proc/{pid}").exists() else []
            return pid if b"hive.reconcile.nixos.attach" in words else None  # or it is the host itself
        found = found.f_back
    return None


def peer_pid(connection: socket.socket) -> int:
    """The process that connected."""
    said = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return int(struct.unpack("3i", said)[0])


def see_as_nix(folder: Path, root: Path) -> None:
    """Let this process see a directory as /nix, which the machine may lack: in mounts of its own, and a root of its own, an empty folder."""
    if _LIBC.unshare(CLONE_NEWNS):
        raise OSError(ctypes.get_errno(), "unshare")
    for words in (("--make-rprivate", "/"), ("-t", "tmpfs", "none", str(root))):
        subprocess.run(["mount", *words], check=True)
    for path in Path("/").iterdir():
        twin = root / path.name
        if path.is_symlink():
            twin.symlink_to(path.readlink())
        elif path.is_dir() and path.name != "nix":
            twin.mkdir()
            subprocess.run(["mount", "--rbind", str(path), str(twin)], check=True)
    (root / "nix").mkdir()
    subprocess.run(["mount", "--bind", str(folder), str(root / "nix")], check=True)
    here = Path.cwd()
    os.chdir(root)
    subprocess.run(["pivot_root", ".", "."], check=True)
    os.chroot(".")
    subprocess.run(["umount", "--lazy", "."], check=True)
    os.chdir(here)
