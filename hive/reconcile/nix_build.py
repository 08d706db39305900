"""Builds an agent's system from the host's expression and the module of its repository, and keeps what it built.

A build runs as the hive's user, through the daemon where there is one: it never runs as root of the store for the sake of
a module. What is linked below `gcroots/NAME/SHA` is kept by the garbage collector, and is all that can be activated.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hive.agent.child_process import Deadlines, run_watched
from hive.reconcile.build import BuildFailed
from hive.reconcile.nix_complaint import visible

NAME = re.compile(r"[a-z][a-z0-9]{0,8}", re.ASCII)
"""Names that make a container `h-NAME` of at most 11 characters: a longer one has no network interface of its own name."""

SHA = re.compile(r"[0-9a-f]{40}", re.ASCII)

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")

OPTIONS: Mapping[str, str] = {
    "restrict-eval": "true",
    "allow-import-from-derivation": "false",
    "allow-unsafe-native-code-during-evaluation": "false",
    "accept-flake-config": "false",
    "use-registries": "false",
    "sandbox": "true",
    "sandbox-fallback": "false",
}
"""What holds for the evaluation again, and for the builders: no network and no file but their inputs."""

NO_PROGRAMS = "/none"
"""The PATH of an evaluation: nix starts git for `fetchGit` of a path that may be read, also in restricted mode, and a
repository that a commit brings along names programs in its settings. Builders have a PATH of their own."""

LAST_LINES = 40
"""So many lines of a failure are told, with how it ended."""


@dataclass(frozen=True, slots=True)
class BuildLimits:
    """What one build may take: seconds in all and without a word, bytes of log and of memory of its evaluation."""

    seconds: float = 1800.0
    silence: float = 600.0
    log: int = 4 << 20
    memory: int = 4 << 30


@dataclass(frozen=True, slots=True)
class NixBuilder:
    """A nix-build, the host's expression, and where what was built is registered.

    `nixpkgs` and `harness` are paths, given to the expression; `more` are options beyond `OPTIONS`, and `env` is the whole
    environment.
    """

    nix_build: str
    expression: Path
    gcroots: Path
    nixpkgs: Path | None = None
    harness: Path | None = None
    store: Path = Path("/nix/store")
    more: Mapping[str, str] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=lambda: {"PATH": NO_PROGRAMS, "HOME": "/var/empty"})
    limits: BuildLimits = field(default_factory=BuildLimits)

    def build(self, name: str, sha: str, module: Path | None) -> Path:
        """The store path of an agent's system at a commit; what was built before is found at once.

        `module` is its `agent.nix` in a directory with nothing but the files of the commit. Raises BuildFailed with the
        last lines of the log, ValueError for a name or a commit that is none, OSError.
        """
        if not NAME.fullmatch(name) or not SHA.fullmatch(sha):
            raise ValueError(f"no name and commit: {name!r}, {sha!r}")
        root = self.gcroots / name / sha
        if (built := self.built(root)) is not None:
            return built
        root.parent.mkdir(parents=True, exist_ok=True)
        root.unlink(missing_ok=True)
        log = self._run(self._words(name, root, module))
        if (built := self.built(root)) is None:
            raise BuildFailed([*log, f"nothing was built at {root.name}"])
        return built

    def built(self, root: Path) -> Path | None:
        """What a root of the garbage collector holds; None if that is nothing."""
        if not root.is_symlink():
            return None
        target = root.readlink()
        return target if target.parent == self.store and target.exists() else None

    def _words(self, name: str, root: Path, module: Path | None) -> list[str]:
        words = [
            self.nix_build,
            str(self.expression.resolve()),
            "--argstr",
            "name",
            name,
            "--out-link",
            str(root),
            "--show-trace",
        ]
        words += ["--timeout", f"{self.limits.seconds:.0f}", "--max-silent-time", f"{self.limits.silence:.0f}"]
        seen = [self.expression.resolve().parent]
        for argument, path in (("module", module), ("nixpkgs", self.nixpkgs), ("harness", self.harness)):
            if path is not None:
                words += ["--arg", argument, quoted(path)]
                seen.append(path.parent if argument == "module" else path)
        for option, value in {**OPTIONS, "max-build-log-size": str(self.limits.log), **self.more}.items():
            words += ["--option", option, value]
        for path in seen:
            words += ["-I", f"hive{len(words)}={path}"]
        return words

    def _run(self, words: Sequence[str]) -> list[str]:
        """Run it to its end; returns the last lines of its log. Raises BuildFailed."""
        env = {**self.env, "GC_MAXIMUM_HEAP_SIZE": str(self.limits.memory)}
        done = run_watched(words, env, Deadlines(self.limits.silence, self.limits.seconds), most=2 * self.limits.log)
        said = _COLOUR.sub("", done.errors.decode("utf-8", "replace"))  # nix 2.8 colours some errors, terminal or not
        lines = [visible(line) for line in said.splitlines() if line.strip()]
        if done.stopped or done.status:
            raise BuildFailed([*_end(lines), done.stopped or f"nix-build ended with {done.status}"])
        return lines[-LAST_LINES:]


def _end(lines: Sequence[str]) -> list[str]:
    """The last lines, and before them the error itself where a long trace follows it (nix 2.8; a newer one says it last)."""
    said = list(lines[2 - LAST_LINES :])
    head = next((line for line in lines if line.startswith("error:")), None)
    return said if head is None or head in said else [head, *said]


def quoted(path: Path) -> str:
    """A path as an expression of Nix that stays a path, whatever is in its name."""
    text = str(path)
    for special, escaped in (("\\", "\\\\"), ('"', '\\"'), ("${", "\\${"), ("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t")):
        text = text.replace(special, escaped)
    return f'/. + "{text}"'
