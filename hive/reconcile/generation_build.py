"""Builds a version of the hive from a commit, and checks it. Runs nothing of the commit outside of a sandbox.

The environment is made of wheels whose hashes stand in the commit's `requirements.lock`; the commit's own code is put
beside them as it is, so that no build script of it is ever run. Needs Python's `venv` and `ensurepip`.
"""

from __future__ import annotations

import shutil
import sqlite3
import sys
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from hive.agent.child_process import Deadlines, run_watched
from hive.git_mirror.mirror import GitError, Mirror, TooLarge, TreeLimits
from hive.ledger import Ledger, copies
from hive.reconcile.build import BuildFailed
from hive.supervisor.generations import Generations

LOCK, PROJECT, SOURCE = "requirements.lock", "pyproject.toml", "source"
SYSTEM = (
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib64",
    "/nix/store",
    "/etc/ld.so.cache",
    "/etc/alternatives",
    "/etc/localtime",
)
PIP = (
    *("install", "--no-index", "--require-hashes", "--only-binary", ":all:"),
    *("--no-compile", "--no-cache-dir", "--disable-pip-version-check"),
)
PARTS = "import hive.app.preload, hive.app.up, hive.app.web, hive.app.work, hive.app.host"
SCRIPT = "#!{python} -P\nfrom hive.cli import main\n\nmain()\n"
METADATA = "Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
BOUNDS = TreeLimits()
SILENT_SECONDS, LONGEST_SECONDS = 300.0, 1200.0
LAST_LINES = 12
OLDER = "its ledger is of version {new}, and this one is of version {old} already"


@dataclass(frozen=True, slots=True)
class GenerationBuild:
    """What a build needs: `bwrap` confines it, `config` and `state` are what the new version is checked with."""

    generations: Generations
    ledger: Ledger
    bwrap: str
    wheels: Path
    config: Path
    state: Path

    def build(self, mirror: Mirror, sha: str) -> None:
        """Build and check a commit, unless that was done. Raises BuildFailed, GitError and OSError."""
        place = self.generations.place(sha)
        if self.generations.is_built(sha):
            return
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True, mode=0o700)
        self._write_source(mirror, sha, place / SOURCE)
        name, version = _project(place / SOURCE / PROJECT)
        if not self.wheels.is_dir():
            raise BuildFailed([f"upgrade.wheels: {self.wheels} is no directory"])
        base = Path(sys.base_prefix, "bin", f"python{sys.version_info.major}.{sys.version_info.minor}")
        self._run(place, "an environment", [str(base), "-I", "-m", "venv", str(place)])
        python = str(self.generations.python(sha))
        wanted = ["--find-links", str(self.wheels), "-r", str(place / SOURCE / LOCK)]
        self._run(place, LOCK, [python, "-I", "-m", "pip", *PIP, *wanted])
        self._add_project(place, python, name, version)
        self._check(place, python)
        self.generations.mark_built(sha)

    def _write_source(self, mirror: Mirror, sha: str, into: Path) -> None:
        paths = frozenset(entry.path for entry in mirror.entries(sha))
        for needed in (LOCK, PROJECT):
            if needed not in paths:
                raise BuildFailed([f"{needed}: there is no such file"])
        into.mkdir()
        try:
            mirror.write_out(sha, into, paths, bounds=BOUNDS)
        except TooLarge as error:
            raise BuildFailed([str(error)]) from error
        # Containers of other users see it, below a directory that nobody else enters.
        for path in (into, *into.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)

    def _add_project(self, place: Path, python: str, name: str, version: str) -> None:
        """Let the environment find the commit's packages, and know their name and version."""
        (packages,) = (place / "lib").glob("python*/site-packages")
        (packages / f"{name}.pth").write_text(f"{place / SOURCE}\n")
        known = packages / f"{name.replace('-', '_')}-{version}.dist-info"
        known.mkdir(exist_ok=True)
        (known / "METADATA").write_text(METADATA.format(name=name, version=version))
        script = place / "bin" / "hive"
        script.write_text(SCRIPT.format(python=python))
        script.chmod(0o755)

    def _check(self, place: Path, python: str) -> None:
        """Let the new version read the configuration, import all of its parts, and open a copy of the ledger."""
        scratch = place / "trial"
        scratch.mkdir(mode=0o700)
        copied = scratch / "ledger.db"
        self.ledger.copy_to(copied)
        before = copies.version(copied)
        hive = [python, "-P", "-m", "hive"]
        state = ["--bind", str(scratch), str(self.state)]
        seen = list(self._configuration())
        try:
            self._run(place, "hive check", [*hive, "check", str(self.config)], state, seen)
            self._run(place, "its imports", [python, "-P", "-c", PARTS], state, seen)
            self._run(place, "a start on a copy of the ledger", [*hive, "queue", str(self.config)], state, seen)
            if (after := copies.version(copied)) < before:
                raise BuildFailed([OLDER.format(new=after, old=before)])
        except sqlite3.Error as error:
            raise BuildFailed([f"a copy of the ledger cannot be read after it: {error}"]) from error
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    def _configuration(self) -> Iterator[str]:
        """The configuration, and the operator's own bots that may lie beside it."""
        for path in (self.config, *self.config.parent.glob("*.py"), *self.config.parent.glob("*.pem")):
            yield from ("--ro-bind", str(path), str(path))

    def _run(
        self, place: Path, what: str, words: Sequence[str], below: Sequence[str] = (), above: Sequence[str] = ()
    ) -> None:
        """Run one step without network, secrets, or anything that it could write to but its own directory.

        What is mounted `below` comes before that directory, which may lie in it; what is `above` comes after it.
        """
        confined = [*self._confined(place, below), *above, "--", *words]
        done = run_watched(confined, {}, Deadlines(SILENT_SECONDS, LONGEST_SECONDS))
        if done.status or done.stopped:
            said = (done.errors or done.out).decode("utf-8", "replace").splitlines()[-LAST_LINES:]
            shown = ["".join(each if each.isprintable() else " " for each in line)[:300] for line in said]
            raise BuildFailed([f"{what}: {done.stopped or f'ended with status {done.status}'}", *shown])

    def _confined(self, place: Path, below: Sequence[str]) -> list[str]:
        words = [self.bwrap, "--unshare-all", "--clearenv", "--die-with-parent", "--new-session", "--cap-drop", "ALL"]
        for path in map(Path, (*SYSTEM, sys.base_prefix)):
            if path.is_symlink():
                words += ["--symlink", str(path.readlink()), str(path)]
            elif path.exists() and not (str(path) == sys.base_prefix and path.is_relative_to("/usr")):
                words += ["--ro-bind", str(path), str(path)]
        words += ["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp"]  # noqa: S108
        words += [*below, "--bind", str(place), str(place), "--ro-bind-try", str(self.wheels), str(self.wheels)]
        for name, value in {"HOME": "/tmp", "PATH": f"{place}/bin:/usr/bin:/bin", "LC_ALL": "C.UTF-8"}.items():  # noqa: S108
            words += ["--setenv", name, value]
        return words


def _project(path: Path) -> tuple[str, str]:
    """The name and the version of a project."""
    try:
        project = tomllib.loads(path.read_text("utf-8"))["project"]
        name, version = str(project["name"]), str(project["version"])
    except (KeyError, TypeError, ValueError) as error:
        raise BuildFailed([f"{PROJECT}: no name and version can be read ({error})"]) from error
    if not (name.replace("-", "").isalnum() and version.replace(".", "").isalnum()):
        raise BuildFailed([f"{PROJECT}: a name or version that is none"])
    return name, version


def problems_of(error: BuildFailed | GitError | OSError) -> str:
    """What failed, for people."""
    return "\n".join(error.problems) if isinstance(error, BuildFailed) else str(error)
