"""Starts a container as the host does, as whatever user runs this, with a stand-in for its harness."""

import shutil
import subprocess
import sys
from pathlib import Path

from hive.config import Limits
from hive.reconcile.agent_dirs import AgentDirs
from hive.reconcile.backends import Bounds, Bubblewrap, look_for
from hive.reconcile.build import interpreter

NOT_HERE = 77

root, agent, kind, harness, given = sys.argv[1:]
backend, why_not = look_for("bubblewrap")
if backend is not None and kind in ("dedicated", "plain"):
    backend = Bubblewrap(shutil.which("bwrap") or "", kind)
if not isinstance(backend, Bubblewrap) or backend.kind != kind:
    print(f"no {kind} here: {why_not or 'another kind is'}", file=sys.stderr)
    sys.exit(NOT_HERE)
dirs = AgentDirs(agent, Path(root) / "agents" / agent)
dirs.prepare()
artifact = dirs.gens / "0123"
(artifact / "bin").mkdir(parents=True, exist_ok=True)
(artifact / "agent.json").write_text("{}")
commands = {name: shutil.which(name) for name in ("sh", "rm", "sleep")} | {"python3": interpreter()}
for name, path in commands.items():
    assert path, name
    if not (artifact / "bin" / name).is_symlink():
        (artifact / "bin" / name).symlink_to(Path(path).resolve())
command = backend.command(dirs, "0123", {}, Bounds(Limits()))
entry = command.words.index("-m")
sys.exit(subprocess.run([*command.words[:entry], "-c", Path(harness).read_text(), given], env=command.env).returncode)
