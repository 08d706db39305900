"""A machine in a box that is NixOS to a hive: nix and its daemon, nspawn, and a unit for containers; all of it real but NixOS."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from tests.nix.box import Box, lay_out, program
from tests.nix.box import missing as box_missing
from tests.nix.evaluation import ROOT

PROGRAMS = ("nix-build", "nix-instantiate", "nix-env", "nix-daemon", "nix-store", "bwrap", "dbus-daemon", "machinectl")
SAID = "nix-build (Nix) 2.34.5"
"""What the hive is told of a nix that may lack the fix which it insists on: nobody here asks the daemon for more than a build."""

BUILDERS = 4
PEOPLE = "messagebus:x:110:110::/:/bin/false\n" + "".join(
    f"nixbld{number}:x:{30000 + number}:30000::/var/empty:/bin/false\n" for number in range(1, BUILDERS + 1)
)
GROUPS = (
    "messagebus:x:110:\nsystemd-journal:x:999:\n"
    f"nixbld:x:30000:{','.join(f'nixbld{number}' for number in range(1, BUILDERS + 1))}\n"
)
NIX_CONF = """\
sandbox = true
sandbox-paths = /bin /usr /lib /lib64
build-users-group = nixbld
allowed-users = root hive
substituters =
"""
DAEMON = """\
[Service]
ExecStart=/usr/bin/nix-daemon
"""
CONTAINER = """\
[Unit]
Description=container %i
[Service]
Type=notify
EnvironmentFile=/etc/nixos-containers/%i.conf
Environment=INSTANCE=%i
ExecStart=/opt/nixos/start-container
ExecReload=/bin/false
Restart=on-failure
RestartForceExitStatus=133
SuccessExitStatus=133
KillMode=mixed
KillSignal=TERM
Slice=machine.slice
Delegate=yes
DevicePolicy=closed
TimeoutStartSec=60
"""
START = """\
set -e
root=/var/lib/nixos-containers/$INSTANCE
mkdir -p "$root"/etc/systemd/system "$root"/usr "$root"/tmp "$root"/root "$root"/run "$root"/var/log/journal
for name in bin lib lib64 sbin; do ln -sfn usr/$name "$root/$name"; done
: > "$root/etc/os-release"; : >> "$root/etc/machine-id"
profiles=/nix/var/nix/profiles/per-container/$INSTANCE
[ -e "$profiles/system" ] || { echo "$INSTANCE has no system"; exit 1; }
case "$PRIVATE_USERS" in pick) users="--private-users=pick" idmap=:idmap ;; *) exit 1 ;; esac
[ "$PRIVATE_NETWORK" = 1 ] && network=--private-network
exec systemd-nspawn --keep-unit --machine="$INSTANCE" --directory="$root" $users $network $EXTRA_NSPAWN_FLAGS \\
    --notify-ready=yes --kill-signal=SIGRTMIN+3 --link-journal=try-guest --bind-ro=/usr \\
    --bind-ro=/nix/store:/nix/store$idmap --bind-ro=/nix/var/nix/db:/nix/var/nix/db$idmap \\
    --bind-ro=/nix/var/nix/daemon-socket:/nix/var/nix/daemon-socket$idmap \\
    --bind="$profiles:/nix/var/nix/profiles$idmap" /nix/var/nix/profiles/system/init
"""
"""Starts a container as the unit of NixOS does: users, network and more flags are what its file says."""

DESTROY = """\
[ "$1" = destroy ] || exit 2
systemctl stop "container@$2.service"
rm -rf "/etc/nixos-containers/$2.conf" "/nix/var/nix/profiles/per-container/$2" "/var/lib/nixos-containers/$2"
"""


def missing() -> str:
    """Why there can be no such machine here; empty if there can."""
    for each in PROGRAMS:
        if not (found := shutil.which(each)) or not found.startswith("/usr/"):
            return f"{each} is not below /usr (Debian: apt-get install nix-bin bubblewrap dbus systemd-container)"
    return box_missing()


def lay_out_nixos(root: Path, found: dict[str, Any]) -> None:
    """The files of a machine whose hive makes NixOS containers."""
    lay_out(root, found)
    etc = root / "etc"
    (etc / "systemd/system/dbus.service").unlink()
    for name, more in (("passwd", PEOPLE), ("group", GROUPS)):
        with (etc / name).open("a") as file:
            file.write(more)
    for folder in (
        *("nix/store", "nix/var/nix/profiles/per-container", "nix/var/nix/gcroots", "nix/var/nix/daemon-socket"),
        *("etc/nix", "etc/forgehive/nixpkgs/nixos/lib", "var/empty", "var/log/journal"),
    ):
        (root / folder).mkdir(parents=True)
    (root / "nix/store").chmod(0o1775)
    shutil.chown(root / "nix/store", 0, 30000)
    (etc / "nix/nix.conf").write_text(NIX_CONF)
    for name in ("agent-system.nix", "agent-base.nix"):
        shutil.copy(ROOT / "nix" / name, etc / "forgehive")
    library = etc / "forgehive/nixpkgs/nixos/lib"
    shutil.copy(ROOT / "nix/tests/tiny-nixos.nix", library / "eval-config.nix")
    shutil.copy(ROOT / "nix/tests/minilib.nix", library)
    units = etc / "systemd/system"
    (units / "nix-daemon.service").write_text(DAEMON)
    (units / "container@.service").write_text(CONTAINER)
    program(root / "opt/nixos/start-container", START)
    program(root / "opt/nixos/bin/nixos-container", DESTROY)
    program(
        root / "opt/nixos/bin/nix-build",
        f'[ "$*" = --version ] && echo "{SAID}" && exit\nexec /usr/bin/nix-build "$@"\n',
    )
    for name in ("host", "work", "containers"):
        drop_in = units / f"forgehive-{name}.service.d"
        drop_in.mkdir()
        (drop_in / "path.conf").write_text("[Service]\nEnvironment=PATH=/opt/nixos/bin:/usr/bin:/usr/sbin:/bin\n")
    (etc / "tmpfiles.d").mkdir()
    (etc / "tmpfiles.d/nixos.conf").write_text("\n".join(found["tmpfiles"]) + "\n")


def inside(box: Box, *words: str, check: bool = True) -> str:
    """Run a command in the container of iris, as its root."""
    line = ("systemd-run", "--machine=h-iris", "--wait", "--collect", "--pipe", "--quiet", *words)
    return box.run(*line, check=check)
