"""A forge of the hive's own is made ready by the same command as any other, whether somebody runs it or not."""

from __future__ import annotations

import re
import socket
import subprocess
from pathlib import Path

from tests.commands import hive as run

CONFIG = """\
state: state
web: {{host: 127.0.0.1, port: 0}}
forges: {{own: {{kind: embedded, url: "http://127.0.0.1:{port}"}}}}
model: {{url: "http://127.0.0.1:1"}}
teams: {{acme: {{forge: own, operators: [mara], repos: [app], agents: [iris], lanes: {{app: {{agent: iris}}}}}}}}
"""


def hive(place: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """The command line, as somebody types it beside the configuration."""
    return run(*words, cwd=place)


def test_init_starts_a_forge_of_our_own(tmp_path: Path) -> None:
    """Nobody can make a repository on a forge that does not run: init runs it meanwhile, and names the operators' passwords."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    (tmp_path / "hive.yaml").write_text(CONFIG.format(port=port))
    plan = hive(tmp_path, "init", "--plan")
    assert plan.returncode == 1, plan.stdout
    assert f"http://127.0.0.1:{port} does not answer: Connection refused" in plan.stderr
    asked = hive(tmp_path, "init")
    assert asked.returncode == 1, asked.stdout
    assert "acme/app does not exist: " in asked.stderr
    assert "hive init --create-missing" in asked.stderr
    made = hive(tmp_path, "init", "--create-missing")
    assert (made.returncode, made.stderr) == (0, "")
    assert re.match(rf"sign in at http://127.0.0.1:{port} as mara, \S+\n", made.stdout)
    assert "created repository acme/app\n" in made.stdout
    again = hive(tmp_path, "init")
    assert again.stdout.splitlines()[-1] == "own: 0 changes"
    with socket.create_server(("127.0.0.1", port)):
        pass  # it runs no longer
