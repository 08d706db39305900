"""Starts a container as the host does, as whatever user runs this, with a stand-in for its harness."""

import shutil
import subprocess
import sys
from pathlib import Path

from hive.reconcile.build import interpreter
from hive.reconcile.bwrap import AgentDirs, SandboxProfile, command, find_sandbox, prepare

NOT_HERE = 77

root, agent, kind, harness, given = sys.argv[1:]
profile = find_sandbox()
if profile.contained and kind in ("dedicated", "plain"):
    profile = SandboxProfile(shutil.which("bwrap"), kind=kind)
if not profile.contained or profile.kind != kind:
    print(f"no {kind} here: {profile.why_not or profile.kind}", file=sys.stderr)
    sys.exit(NOT_HERE)
dirs = AgentDirs(agent, Path(root) / "agents" / agent)
prepare(dirs)
artifact = dirs.gens / "0123"
(artifact / "bin").mkdir(parents=True, exist_ok=True)
(artifact / "agent.json").write_text("{}")
commands = {name: shutil.which(name) for name in ("sh", "rm", "sleep")} | {"python3": interpreter()}
for name, path in commands.items():
    assert path, name
    if not (artifact / "bin" / name).is_symlink():
        (artifact / "bin" / name).symlink_to(Path(path).resolve())
words, env = command(profile, dirs, "0123", {})
entry = words.index("-m")
sys.exit(subprocess.run([*words[:entry], "-c", Path(harness).read_text(), given], env=env).returncode)
