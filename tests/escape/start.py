"""Starts a container as the host does, as whatever user runs this, with a stand-in for its harness."""

import shutil
import subprocess
import sys
from pathlib import Path

from hive.agent.enter import DEDICATED, PLAIN, RANGE, USERS
from hive.agent.limits import EVENTS
from hive.config import Limits
from hive.reconcile.agent_dirs import AgentDirs
from hive.reconcile.backends import BACKENDS, Bubblewrap, NoBackend
from hive.reconcile.backends.surroundings import starter
from hive.reconcile.build import interpreter
from hive.reconcile.limiter import Limiter

NOT_HERE = 77
KINDS = (RANGE, DEDICATED, USERS, PLAIN)
"""Those of bubblewrap; whatever else is asked for is a backend of its own."""

root, agent, kind, harness, given = sys.argv[1:]
try:
    backend = Bubblewrap(shutil.which("bwrap") or "bwrap", kind) if kind in KINDS else BACKENDS[kind]()
except NoBackend as error:
    print(error, file=sys.stderr)
    sys.exit(NOT_HERE)
limiter = Limiter.find(Limits(memory_mb=256, processes=64, disk_mb=64))
if limiter.groups is not None:
    limiter.groups.sweep()
dirs = AgentDirs(agent, Path(root) / "agents" / agent)
dirs.prepare()
(dirs.sockets / EVENTS).write_text("oom_kill 0\n")
artifact = dirs.gens / "0123"
(artifact / "bin").mkdir(parents=True, exist_ok=True)
(artifact / "agent.json").write_text("{}")
commands = {name: shutil.which(name) for name in ("sh", "rm", "sleep")} | {"python3": interpreter()}
for name, path in commands.items():
    assert path, name
    if not (artifact / "bin" / name).is_symlink():
        (artifact / "bin" / name).symlink_to(Path(path).resolve())
bounds = limiter.bounds(agent, has_groups=backend.has_groups)
command = backend.command(dirs, "0123", {}, bounds)
entry = command.words.index("-m")
words = [*starter(bounds), *command.words[:entry], "-c", Path(harness).read_text(), given]
status = subprocess.run(words, env=command.env).returncode
bounds.end()
backend.clean(dirs)
limiter.close()
sys.exit(status)
