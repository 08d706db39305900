"""Finds, measures and removes what is no longer needed on disk.

Never what an open run, the running container, the one before it or an open deployment needs. Directories that agents
write into are walked by handle, and no link is followed.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
import subprocess
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from hive.agent.directory_trees import remove_tree
from hive.agent.git_env import ISOLATED
from hive.config import Keep
from hive.ledger import Ledger
from hive.reconcile.backends.package_roots import FOLDER, drafts, locked, unused
from hive.reconcile.dir_handles import DirHandle, ForeignEntry

DAY = 86_400.0
PACKS, LOOSE = 20, 2000
"""The number of packs, or loose objects, from which on a clone is repacked."""

DEEPEST = 64
"""Levels of directories that are measured."""

GIT_SECONDS = 600.0
PINS = "refs/hive/reviewed/"


@dataclass(frozen=True, slots=True)
class Garbage:
    """One thing that can be removed; `size` is in bytes, `take` removes it and raises OSError."""

    what: str
    name: str
    size: int
    take: Callable[[], object]

    def __str__(self) -> str:
        return f"{self.what:<10} {in_bytes(self.size):>8}  {self.name}"


def of_agent(ledger: Ledger, agent: str, root: Path, keep: Keep) -> Iterator[Garbage]:
    """Unneeded generations and work trees of ended runs in an agent's directory."""
    if root.is_dir():
        yield from _generations(ledger, agent, root, keep.generations)
        yield from _runs(ledger, agent, root, keep.run_days)


def _generations(ledger: Ledger, agent: str, root: Path, spared: int) -> Iterator[Garbage]:
    kept = kept_of(ledger, agent, root, spared)
    for path in _by_age(root / "gens"):
        if kept and path.name not in kept:
            yield Garbage("generation", f"{agent} {path.name[:12]}", size_of(path), partial(_away, path))


def kept_of(ledger: Ledger, agent: str, root: Path, spared: int) -> frozenset[str]:
    """The commits whose artifacts an agent needs, and the newest few beside them; none for an agent that was never accepted."""
    baseline, deployment = ledger.deployments.baseline(agent), ledger.deployments.current(agent)
    if baseline is None:
        return frozenset()
    needed = {baseline.sha, baseline.running_sha, baseline.healthy_sha, baseline.generation}
    if deployment is not None:
        needed |= {deployment.sha, deployment.previous_sha, deployment.generation, deployment.previous}
    with contextlib.suppress(OSError):
        needed.add((root / "current").readlink().name)
    others = [path.name for path in _by_age(root / "gens") if path.name not in needed]
    return frozenset({*needed, *others[:spared]})


def _by_age(gens: Path) -> list[Path]:
    """Artifacts, the newest first."""
    built = [path for path in gens.iterdir() if not path.name.startswith(".")] if gens.is_dir() else []
    return sorted(built, key=lambda path: path.lstat().st_mtime, reverse=True)


def registered(ledger: Ledger, gcroots: Path, agents: Path, spared: int) -> Iterator[Garbage]:
    """Roots by which the garbage collector of Nix keeps the systems of commits whose artifacts are kept no longer.

    What they keep is freed by that collector. A root that is needed after all is made again with its artifact.
    """
    for folder in sorted(gcroots.iterdir()) if gcroots.is_dir() else ():
        kept = kept_of(ledger, folder.name, agents / folder.name, spared)
        for link in sorted(folder.iterdir()) if stat.S_ISDIR(_mode(folder)) else ():
            if link.is_symlink() and link.name not in kept:
                yield Garbage("nix root", f"{folder.name} {link.name[:12]}", 0, link.unlink)


def package_roots(ledger: Ledger, folder: Path, agents: Path, spared: int) -> Iterator[Garbage]:
    """Root directories of packages that no artifact needs which is kept, and the links of artifacts that are not."""
    links = {
        found: found.name in kept_of(ledger, found.parent.parent.name, found.parent.parent, spared)
        for found in sorted(agents.glob(f"*/{FOLDER}/*"))
        if found.is_symlink()
    }
    for found, is_kept in links.items():
        if not is_kept:
            yield Garbage("root link", f"{found.parent.parent.name} {found.name[:12]}", 0, found.unlink)
    for path in (*unused(folder, links), *drafts(folder)):
        yield Garbage("root", path.name[:12], size_of(path), partial(_remove_root, folder, path))


def _remove_root(folder: Path, path: Path) -> None:
    """Remove a directory, unless one is being made meanwhile: that may be this one."""
    with locked(folder, waits=False):
        if path.name.startswith("."):
            remove_tree(path)
        else:
            _away(path)


def _runs(ledger: Ledger, agent: str, root: Path, days: int) -> Iterator[Garbage]:
    over = {str(run) for run in ledger.runs.ended(agent, ledger.clock() - days * DAY)}
    if not over or not stat.S_ISDIR(_mode(root / "state" / "runs")):
        return
    try:
        with DirHandle.at(root / "state") as state, state.folder("runs") as runs:
            found = [(name, size_of(name, at=runs.fd)) for name in runs.names() if name in over]
    except ForeignEntry:  # the agent has put something else in its place
        return
    for name, size in found:
        yield Garbage("work tree", f"{agent} run {name}", size, partial(_drop_run, root, name))


def _mode(path: Path) -> int:
    try:
        return path.lstat().st_mode
    except OSError:
        return 0


def _drop_run(root: Path, name: str) -> None:
    with DirHandle.at(root / "state") as state, state.folder("runs") as runs:
        runs.remove(name)


def logs(folder: Path, megabytes: int) -> Iterator[Garbage]:
    """Logs of processes that have grown too long: the older half goes."""
    for path in sorted(folder.glob("*.log")):
        size = path.lstat().st_size
        if size > megabytes << 20 and not path.is_symlink():
            yield Garbage("log", path.name, size // 2, partial(_shorten, path))


def _shorten(path: Path) -> None:
    """Keep the newer half. Writers append, so they continue at the new end; a line may be lost in between."""
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        file.readline()
        kept = file.read()
        file.seek(0)
        file.write(kept)
        file.truncate()


def mirrors(folder: Path, days: int, now: float) -> Iterator[Garbage]:
    """Clones that were not used for some days, and those to repack."""
    for path in sorted(folder.glob("*/*/*.git")):
        with contextlib.suppress(OSError):
            if now - (path / "HEAD").stat().st_mtime > days * DAY:
                yield Garbage("mirror", _named(folder, path), size_of(path), partial(_away, path))
            elif _is_scattered(path):
                yield Garbage("repack", _named(folder, path), 0, partial(_repack, path))


def review_pins(folder: Path, over: Collection[str]) -> Iterator[Garbage]:
    """Reviewed heads that clones keep for pull requests that are over."""
    for path in sorted(folder.glob("*/*/*.git")) if over else ():
        forge, name = path.relative_to(folder).parts[0], "/".join(path.with_suffix("").parts[-2:])
        pins: dict[str, list[str]] = {}
        refs = ""
        with contextlib.suppress(OSError):  # a broken clone is no reason to stop; it goes when nobody uses it
            refs = _git(path, "for-each-ref", "--format=%(refname)", PINS)
        for ref in refs.split():
            pins.setdefault(f"{forge}:{name}#{ref.removeprefix(PINS).split('/')[0]}", []).append(ref)
        for pull, heads in pins.items():
            if pull in over:
                yield Garbage("reviews", f"{folder.name} {pull}, {len(heads)} heads", 0, partial(_unpin, path, heads))


def _unpin(mirror: Path, refs: Sequence[str]) -> None:
    for ref in refs:
        _git(mirror, "update-ref", "-d", ref)


def _named(folder: Path, path: Path) -> str:
    return f"{folder.name} {path.relative_to(folder).with_suffix('')}"


def _is_scattered(mirror: Path) -> bool:
    objects = mirror / "objects"
    packs = sum(path.suffix == ".pack" for path in (objects / "pack").iterdir()) if (objects / "pack").is_dir() else 0
    # Git spreads loose objects over 256 directories evenly, and guesses by one of them too (git-gc(1), gc.auto).
    sample = objects / "17"
    loose = 256 * len(list(sample.iterdir())) if sample.is_dir() else 0
    return packs > PACKS or loose > LOOSE


def _repack(mirror: Path) -> None:
    """Repack a clone. Nothing is pruned: a pinned commit need not be reachable."""
    _git(mirror, "-c", "gc.pruneExpire=never", "gc", "--quiet")


def _git(mirror: Path, *words: str) -> str:
    """What git says in a clone; raises OSError."""
    env = {"PATH": os.environ.get("PATH", os.defpath), **ISOLATED}
    try:
        done = subprocess.run(["git", "-C", str(mirror), *words], capture_output=True, env=env, timeout=GIT_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise OSError(f"git in {mirror} takes too long") from error
    if done.returncode:
        raise OSError(f"git in {mirror}: {done.stderr.decode(errors='replace')[-200:]}")
    return done.stdout.decode("utf-8", "replace")


def _away(path: Path) -> None:
    """Rename a directory before its removal, so that no one finds half of it."""
    gone = path.with_name(f".gone-{secrets.token_hex(4)}")
    path.rename(gone)
    remove_tree(gone)


def half_gone(*folders: Path) -> Iterator[Garbage]:
    """What a killed process was about to remove or to build."""
    for folder in folders:
        for path in sorted([*folder.glob(".gone-*"), *folder.glob("*/*/.gone-*")]):
            yield Garbage("half gone", path.name, size_of(path), partial(remove_tree, path))


def size_of(root: Path | str, *, at: int | None = None) -> int:
    """The disk usage of a directory in bytes; links count as themselves.

    What cannot be read counts as nothing, and so does what is too deep: each level costs a handle.
    """
    total = 0
    for path, folders, files, here in os.fwalk(root, dir_fd=at):
        if path.count("/") - str(root).count("/") >= DEEPEST:
            folders.clear()
        for name in files:
            with contextlib.suppress(OSError):
                total += os.stat(name, dir_fd=here, follow_symlinks=False).st_blocks * 512
    return total


def in_bytes(number: int) -> str:
    """So many bytes in a few letters."""
    value = float(number)
    for unit in ("B", "KB", "MB", "GB"):
        if value < 1000 or unit == "GB":
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    raise AssertionError
