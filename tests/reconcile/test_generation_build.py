"""A version of the hive is built of hashed wheels and a commit's files, confined, and checked before it may run."""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hive.ledger import Ledger, copies
from hive.reconcile.build import BuildFailed
from hive.reconcile.generation_build import GenerationBuild
from hive.supervisor.generations import Generations
from tests.backends import wanted
from tests.reconcile.conftest import Origin

pytestmark = [pytest.mark.contained, pytest.mark.timeout(1200)]
PROJECT = '[project]\nname = "forgehive"\nversion = "9.8"\n'
MAIN = """\
import json, os, socket, sqlite3, sys
from pathlib import Path
command, config = sys.argv[1], Path(sys.argv[2])
state, place = Path({state!r}), Path(sys.prefix)
if command == "check":
    Path(config).read_text()
    def reachable(port):
        try:
            socket.create_connection(("127.0.0.1", port), 2).close()
        except OSError:
            return False
        return True
    def writable(path):
        try:
            (path / "x").touch()
        except OSError:
            return False
        return True
    found = {{
        "secrets": [str(path) for path in (state / "secrets", state / "other", config.parent / "notes", Path("/etc/shadow")) if path.exists()],
        "reached": reachable({port}),
        "writable": [str(path) for path in (config.parent, Path("/usr"), Path(os.__file__).parent, place.parent) if writable(path)],
        "env": sorted(set(os.environ) - {{"HOME", "PATH", "LC_ALL", "LC_CTYPE", "PWD"}}),
    }}
    (place / "found.json").write_text(json.dumps(found))
{check}
if command == "queue":
    db = sqlite3.connect(state / "ledger.db")
    db.execute("PRAGMA user_version = " + str(db.execute("PRAGMA user_version").fetchone()[0] + {more}))
    db.execute("DELETE FROM audit")
    db.commit()
"""


@dataclass
class Yard:
    """Where versions of a small project are built for a hive whose state holds secrets."""

    origin: Origin
    build: GenerationBuild
    state: Path
    port: int

    def files(self, check: str = "", more: int = 1) -> dict[str, str]:
        """A project that passes for a hive."""
        main = MAIN.format(state=str(self.state), port=self.port, check=check, more=more)
        parts = {f"hive/app/{name}.py": "" for name in ("__init__", "preload", "up", "web", "work", "host")}
        return {
            "requirements.lock": "# nothing\n",
            "pyproject.toml": PROJECT,
            "hive/__init__.py": "",
            "hive/cli.py": "def main(): print('a small hive')\n",
            "hive/__main__.py": main,
            **parts,
        }

    def fails(self, files: dict[str, str]) -> str:
        """Why a version cannot be built; it is not there."""
        sha = self.origin.commit(files)
        with pytest.raises(BuildFailed) as failed:
            self.build.build(self.origin.mirror, sha)
        assert not self.build.generations.is_built(sha)
        return str(failed.value)


@pytest.fixture
def yard(origin: Origin, tmp_path: Path) -> Iterator[Yard]:
    """A state directory with a ledger, below the directory of `hive.yaml`."""
    program = wanted("bubblewrap")
    state = tmp_path / "home" / "state"
    for place in (
        state / "secrets",
        state / "other",
        state / "generations",
        tmp_path / "wheels",
        tmp_path / "home" / "notes",
    ):
        place.mkdir(parents=True)
    config = tmp_path / "home" / "hive.yaml"
    config.write_text("of: a hive\n")
    ledger = Ledger(state / "ledger.db")
    ledger.audit.add("mara", "issue_opened")
    generations = Generations(state / "generations")
    build = GenerationBuild(generations, ledger, program.program, tmp_path / "wheels", config, state)  # type: ignore[attr-defined]
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield Yard(origin, build, state, listening.getsockname()[1])
    ledger.close()


def test_a_version_is_built_and_checked(yard: Yard) -> None:
    """It runs by its own command; its check saw no secret, no network, and nothing to write to; the ledger is untouched."""
    before = copies.digest(yard.state / "ledger.db")
    sha = yard.origin.commit(yard.files())
    yard.build.build(yard.origin.mirror, sha)
    place = yard.build.generations.place(sha)
    said = subprocess.run([place / "bin" / "hive"], capture_output=True, text=True)
    assert said.stdout == "a small hive\n", said.stderr
    code = "from importlib.metadata import version; print(version('forgehive'))"
    said = subprocess.run([place / "bin" / "python", "-P", "-c", code], capture_output=True, text=True)
    assert said.stdout == "9.8\n", said.stderr
    found: dict[str, Any] = json.loads((place / "found.json").read_text())
    assert found["secrets"] == []
    assert not found["reached"]
    assert found["env"] == []
    assert [path for path in found["writable"] if not path.startswith(str(yard.state.parent))] == []
    assert not (yard.state.parent / "x").exists()
    assert not (yard.state / "generations" / "x").exists()
    assert copies.digest(yard.state / "ledger.db") == before
    assert yard.build.generations.is_built(sha)
    (place / "mine").touch()
    yard.build.build(yard.origin.mirror, sha)
    assert (place / "mine").exists(), "what is built is not built again"


def test_a_half_built_version_is_begun_again(yard: Yard) -> None:
    """What a killed host left behind is no part of what is built next."""
    sha = yard.origin.commit(yard.files())
    place = yard.build.generations.place(sha)
    (place / "lib").mkdir(parents=True)
    (place / "lib" / "half").touch()
    yard.build.build(yard.origin.mirror, sha)
    assert not (place / "lib" / "half").exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"requirements.lock": None}, "requirements.lock: there is no such file"),
        ({"pyproject.toml": None}, "pyproject.toml: there is no such file"),
        ({"requirements.lock": "click\n"}, "requirements.lock: ended with status 1"),
        ({"pyproject.toml": "[project]\nname = 1"}, "pyproject.toml: no name and version can be read"),
        (
            {"pyproject.toml": '[project]\nname = "../x"\nversion = "1"'},
            "pyproject.toml: a name or version that is none",
        ),
        ({"hive/app/host.py": "import nowhere_to_be_had"}, "its imports: ended with status 1"),
        ({"check": "    sys.exit('hive: hive.yaml:1:1: unknown key')"}, "hive: hive.yaml:1:1: unknown key"),
        ({"more": -1}, "its ledger is of version"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_is_not_built(yard: Yard, change: dict[str, Any], said: str) -> None:
    """Each step that fails is named, with the end of what it said."""
    files = yard.files(check=change.pop("check", ""), more=change.pop("more", 1))
    kept = {path: text for path, text in (files | change).items() if text is not None}
    assert said in yard.fails(kept)


def test_without_wheels(yard: Yard) -> None:
    """A directory that is not there is named by its key."""
    yard.build.wheels.rmdir()
    assert "upgrade.wheels: " in yard.fails(yard.files())
