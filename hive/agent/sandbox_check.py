"""A trial of the sandbox, run by the host in a container: one command, confined as an agent's would be."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from hive.agent import shell
from hive.agent.sandbox import Sandbox

COMMAND = "test ! -w /proc/sys/vm/swappiness && echo held"
SECONDS = 30.0


def main() -> None:
    """Run a command; ends with a sentence where it could not be confined."""
    state = Path(os.environ["HIVE_STATE"])
    tree = state / "tree"
    tree.mkdir()
    sandbox = Sandbox.found((state,), state / "home")
    sandbox.give(tree)
    outcome = shell.run(COMMAND, tree, seconds=SECONDS, sandbox=sandbox)
    if outcome.output != "held":
        sys.exit(f"a command is not confined: {outcome}")
