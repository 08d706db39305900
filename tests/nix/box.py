"""A machine in a box: a real systemd, booted by systemd-nspawn over this machine's /usr, that runs the units of nix/."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hive.config import Limits
from hive.reconcile.backends.backend import NoBackend
from hive.reconcile.backends.bounds import Bounds
from hive.reconcile.backends.nspawn import Nspawn
from hive.reconcile.backends.surroundings import first_below, kill_tree, starter
from hive.reconcile.cgroups import Cgroups
from tests.nix.evaluation import ROOT, STORE, unit_text

PATIENCE_SECONDS = 120.0
PYTHON = shutil.which(f"python3.{sys.version_info.minor}", path="/usr/local/bin:/usr/bin")
SYSTEMD = Path("/usr/lib/systemd/systemd")
PEOPLE = "root:x:0:0::/root:/bin/sh\nhive:x:990:990::/var/lib/hive:/bin/false\nnobody:x:65534:65534::/:/bin/false\n"
GROUPS = "root:x:0:\nhive:x:990:\nnogroup:x:65534:\ntty:x:5:\n"
FORGE = """\
[Service]
ExecStart=/opt/hive/bin/hive forge --state /var/lib/forge --port 3080 --admin root-admin
Environment=HIVE_ADMIN_PASSWORD=a-long-word
StateDirectory=forge
"""
IDLE = ("apt-daily", "console-getty", "e2scrub_all", "fstrim", "getty@tty1", "logrotate", "man-db", "systemd-logind")
IDLE_TOO = ("systemd-networkd", "systemd-resolved", "systemd-timesyncd", "systemd-udevd", "dbus")
"""What Debian would start on a machine, and a box has no use for."""


def missing() -> str:
    """Why no machine can be booted here; empty if one can."""
    if not SYSTEMD.exists():
        return f"{SYSTEMD} is missing (Debian: apt-get install systemd)"
    if PYTHON is None:
        return f"no Python 3.{sys.version_info.minor} below /usr, which a box can see"
    try:
        Nspawn.find()
    except NoBackend as error:
        return str(error)
    return ""


@dataclass(frozen=True)
class Box:
    """A machine that runs; `leader` is its first process, as this machine numbers it."""

    root: Path
    leader: int

    def run(self, *words: str, check: bool = True) -> str:
        """Run a command in it as root; returns what it wrote."""
        line = ["nsenter", "--target", str(self.leader), "--all", "--", *words]
        done = subprocess.run(line, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False)
        if check and done.returncode:
            raise AssertionError(f"{words}: {done.stdout}{done.stderr}\n{self.journal()}")
        return done.stdout

    def journal(self) -> str:
        """The end of its journal."""
        return self.run("journalctl", "--no-pager", "-o", "cat", "-n", "60", check=False)

    def show(self, unit: str, *names: str) -> list[str]:
        """Properties of a unit."""
        return [self.run("systemctl", "show", "--value", "-p", name, unit).strip() for name in names]

    def until(self, is_so: Callable[[], bool], what: str) -> None:
        """Wait for something; fails with the journal."""
        end = time.monotonic() + PATIENCE_SECONDS
        while not is_so():
            assert time.monotonic() < end, f"{what}\n{self.journal()}"
            time.sleep(0.2)


def lay_out(root: Path, found: dict[str, Any]) -> None:
    """The files of a machine: those of an empty Debian, a forge, and what the module made, with the hive of this checkout."""
    root.chmod(0o755)  # it is the root of all users there
    for name in (
        "dev",
        "etc/systemd/system",
        "opt",
        "proc",
        "root",
        "run",
        "site",
        "src",
        "sys",
        "tmp",
        "usr",
        "var/lib",
        "var/log",
    ):
        (root / name).mkdir(parents=True)
    for name in ("bin", "lib", "lib64", "sbin"):
        (root / name).symlink_to(f"usr/{name}")
    for name, text in {"passwd": PEOPLE, "group": GROUPS, "machine-id": "", "hosts": "127.0.0.1 localhost\n"}.items():
        (root / "etc" / name).write_text(text)
    shutil.copy("/usr/lib/os-release", root / "etc")
    shutil.copytree("/etc/alternatives", root / "etc" / "alternatives", symlinks=True)
    units = root / "etc/systemd/system"
    for name in (*IDLE, *IDLE_TOO):
        (units / f"{name}.service").symlink_to("/dev/null")
    (units / "default.target").symlink_to("/usr/lib/systemd/system/multi-user.target")
    (units / "forge.service").write_text(FORGE)
    program(root / "opt/hive/bin/hive", f'PYTHONPATH=/src:/site exec {PYTHON} -m hive "$@"\n')
    program(root / "opt/keep", re.sub(rf"{STORE}-[a-z]+/bin/", "/usr/bin/", found["keepPrograms"]))
    program(root / "opt/bin/hive", here(re.sub(rf"{STORE}-(coreutils|util-linux)/bin/", "/usr/bin/", found["command"])))
    (root / "opt/conf").mkdir()
    (root / "opt/conf/hive.yaml").write_text(found["hiveYaml"])
    for kind in ("Service", "Socket"):
        for name, unit in found[f"{kind.lower()}s"].items():
            (units / f"{name}.{kind.lower()}").write_text(here(unit_text(unit, kind)))


def here(text: str) -> str:
    """A text of the module with the paths that there are in a box."""
    places = {"/bin": "/opt/hive/bin", "-keep-programs": "/opt/keep", "-configuration": "/opt/conf"}
    for place, path in places.items():
        text = text.replace(f"{STORE}-forgehive{place}", path)
    return text


def program(file: Path, text: str) -> None:
    """A shell script."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"#!/bin/sh\n{text}")
    file.chmod(0o755)


@contextmanager
def booted(root: Path, *, unified: bool = False) -> Iterator[Box]:
    """Boot a machine; skips where its systemd does not come up. Nothing of it is left.

    With `unified` cgroups it has version 2 alone, also where this machine has both: only there a systemd in a container is told
    at once when a unit of it is empty.
    """
    limits = Limits(memory_mb=4096, cpus=4, processes=4096)
    groups = Cgroups.find()
    bounds = Bounds(limits, groups.make("box", limits), groups.limited)
    words = [
        str(shutil.which("systemd-nspawn")),
        "--quiet",
        "--register=no",
        "--keep-unit",
        "--machine=hive-box",
        f"--directory={root}",
    ]
    words += ["--private-network", "--console=pipe", "--capability=all", "--system-call-filter=@keyring bpf @mount"]
    words += [
        "--bind-ro=/usr",
        f"--bind-ro={ROOT}:/src",
        f"--bind-ro={sysconfig.get_paths()['purelib']}:/site",
        "--boot",
    ]
    env = {**os.environ, **({"SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"} if unified else {})}
    with (root / "console").open("wb") as console:
        process = subprocess.Popen(
            [*starter(bounds), *words], stdin=subprocess.DEVNULL, stdout=console, stderr=console, env=env
        )
    try:
        yield _answering(process, root)
    finally:
        kill_tree(process.pid)
        process.wait()
        bounds.end()
        groups.close()


def _answering(process: subprocess.Popen[bytes], root: Path) -> Box:
    """The machine, as soon as its systemd answers."""
    end = time.monotonic() + PATIENCE_SECONDS
    while process.poll() is None and time.monotonic() < end:
        leader = first_below(process.pid, except_for="systemd-nspawn")
        comm = Path(f"/proc/{leader}/comm")
        if leader is not None and comm.exists() and comm.read_text().strip() == "systemd":
            box = Box(root, leader)
            if box.run("systemctl", "is-active", "multi-user.target", check=False).strip() == "active":
                return box
        time.sleep(0.1)
    pytest.skip(f"no systemd comes up in a container here: {(root / 'console').read_text(errors='replace')[-300:]!r}")
