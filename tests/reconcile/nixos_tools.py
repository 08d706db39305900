"""The tools of NixOS as small programs: each writes down how it was called, and does what it does to files and processes."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

BOOT = """
boot() {
    name=${last#container@}; name=${name%.service}
    system=$(readlink "$ROOT/nix/var/nix/profiles/per-container/$name/$(readlink "$ROOT/nix/var/nix/profiles/per-container/$name/system")")
    { echo "$system"; cat "$ROOT/run/hive-containers/$name/key"; echo; cat "$ROOT/etc/nixos-containers/$name.conf"; } > "$ROOT/booting" 2>/dev/null
    mv "$ROOT/booting" "$ROOT/booted"
    echo active > "$ROOT/$last"
}
"""
"""What becomes of a container is decided when it boots: its system, its key, and what its file says, in this order."""

TOOLS = {
    "nix-env": """
        case "$1 $3" in
        "--profile --delete-generations") profile=$2; shift 3; for n; do rm "$profile-$n-link" || exit 1; done; exit 0 ;;
        "--profile --set") ;;
        *) exit 9 ;;
        esac
        [ "$(readlink "$(dirname "$2")/$(readlink "$2" 2>/dev/null)" 2>/dev/null)" = "$4" ] && exit 0
        n=1; while [ -L "$2-$n-link" ]; do n=$((n + 1)); done
        ln -s "$4" "$2-$n-link" && ln -sfn "$(basename "$2")-$n-link" "$2"
    """,
    "systemctl": """
        for last; do :; done
        case "$1" in
        daemon-reload) ;;
        start) if [ -e "$ROOT/broken" ]; then echo "Job failed: $(cat "$ROOT/broken")" >&2; exit 1; fi
               grep -qs ^active "$ROOT/$last" || boot ;;
        restart) boot ;;
        stop) echo inactive > "$ROOT/$last" ;;
        reset-failed) ;;
        kill) grep -q active "$ROOT/$last" ;;
        show) if [ "$3" = --value ]; then cat "$ROOT/$last" 2>/dev/null || echo inactive; exit 0; fi
              printf 'ActiveState=%s\\nSubState=x\\nResult=success\\nMainPID=7\\nNRestarts=0\\n' "$(cat "$ROOT/$last" 2>/dev/null || echo inactive)" ;;
        *) exit 9 ;;
        esac
    """,
    "systemd-run": '[ -e "$ROOT/switch-fails" ] && { echo "switch failed" >&2; exit 4; }; exit 0',
    "machinectl": 'cat "$ROOT/leader"',
    "journalctl": 'printf "hive: the container is set up\\n\\033[2Jone\\n-- cursor: s=0a;i=2\\n"',
    "nixos-container": """
        [ "$1" = destroy ] || exit 9
        rm -f "$ROOT/etc/nixos-containers/$2.conf"; rm -rf "$ROOT/nix/var/nix/profiles/per-container/$2"
    """,
}


@dataclass(frozen=True)
class NixosTools:
    """A directory of the tools, and the root below which they and the hive write."""

    root: Path

    @classmethod
    def make(cls, root: Path) -> NixosTools:
        """Write the tools."""
        (root / "bin").mkdir(parents=True)
        for name, text in TOOLS.items():
            file = root / "bin" / name
            lines = (line.strip() for line in text.strip().splitlines())
            note = f'{{ printf "%s" {name}; printf " <%s>" "$@"; echo; }} >> "$ROOT/calls"'
            head = ("#!/bin/sh", f"ROOT={shlex.quote(str(root))}", note, *([BOOT] if name == "systemctl" else []))
            file.write_text("\n".join((*head, *lines)) + "\n")
            file.chmod(0o755)
        return cls(root)

    @property
    def env(self) -> dict[str, str]:
        """Their environment."""
        return {"PATH": f"{self.root}/bin:/usr/bin:/bin", "LANG": "C.UTF-8"}

    def seen(self) -> list[str]:
        """How they were called since the last time, which this is not."""
        file = self.root / "calls"
        return file.read_text().splitlines() if file.exists() else []

    def calls(self) -> list[str]:
        """How they were called since the last time."""
        said = self.seen()
        (self.root / "calls").unlink(missing_ok=True)
        return said

    def lead(self, pid: int) -> None:
        """Say which process leads the container."""
        (self.root / "leader").write_text(f"{pid}\n")

    def booted(self) -> list[str]:
        """What the container booted with last: its system, its key, and the lines of its file."""
        file = self.root / "booted"
        return file.read_text().splitlines() if file.exists() else []

    def state(self, unit: str) -> str:
        """What a unit is."""
        file = self.root / unit
        return file.read_text().strip() if file.exists() else ""


def make_agent(agents: Path, name: str, sha: str) -> Path:
    """The directories of an agent, as a hive makes them."""
    for folder in (f"gens/{sha}", "state/home", "state/work/1/tree", "run"):
        (agents / name / folder).mkdir(parents=True, exist_ok=True)
    (agents / name / "state/home/file").write_text("")
    (agents / name / "state/home/link").symlink_to("/etc/passwd")
    return agents / name
