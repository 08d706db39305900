"""A shell for the operator in a running container: confined as the agent's commands are, and no process of its harness.

`hive.reconcile.entering` starts it in the container's namespaces, with the harness' user and capabilities:

python -I -S -c … RLIMITS COMMAND …

RLIMITS are those of the harness, as `hive.agent.enter` reads them; so is the environment.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from hive.agent import seccomp, syscalls
from hive.agent.container_paths import ContainerPaths
from hive.agent.enter import limit
from hive.agent.sandbox import be_alone, command_environment


def main() -> None:
    """Be confined as a harness is, and run the command as one of the agent's."""
    rlimits, *command = sys.argv[1:]
    limit(rlimits)
    syscalls.filter_calls(seccomp.program(seccomp.CONTAINER))
    be_alone()
    place = ContainerPaths.of(os.environ)
    tree = _newest(place.state)
    os.chdir(tree)
    words = place.sandbox.words(command, tree)
    sys.exit(subprocess.run(words, env=command_environment(os.environ)).returncode % 256)


def _newest(state: Path) -> Path:
    """The work tree that was used last, or the home, or where everybody may write before there is one."""
    trees = [path for path in (state / "runs").glob("*/work") if path.is_dir() and not path.is_symlink()]
    home = state / "home"
    elsewhere = home if home.is_dir() else Path(tempfile.gettempdir())
    return max(trees, key=lambda path: path.stat().st_ctime, default=elsewhere)
