"""What a mirror knows of lines over several heads: which changed between two of them, and heads that are kept for that.

A head that a push has replaced is on no branch any more: pinned, it stays comparable.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import replace

from forge.diff import FileDiff, parse
from hive.git_mirror.commits import Commits
from hive.git_mirror.errors import GitError, is_ref
from hive.git_mirror.git_process import GitProcess
from hive.git_mirror.mirror import SHA, Mirror

_NEVER_RUN = ("--no-color", "--no-ext-diff", "--no-textconv")


def pin(mirror: Mirror, sha: str, name: str) -> None:
    """Keep a commit as `refs/hive/<name>`, whatever becomes of its branch; raises GitError if it is not here."""
    kept = f"refs/hive/{name}"
    if not is_ref(kept) or not SHA.fullmatch(sha):
        raise GitError(f"not a reference or not a commit: {kept[:80]!r}, {sha[:80]!r}")
    mirror.git.run("update-ref", "--end-of-options", kept, sha)


def unpin(mirror: Mirror, name: str, *, before: int) -> None:
    """Let commits go that are kept as `refs/hive/<name>/<number>` with a lower number."""
    folder = f"refs/hive/{name}/"
    for ref in mirror.git.run("for-each-ref", "--format=%(refname)", folder).split():
        number = ref.removeprefix(folder)
        if number.isdecimal() and int(number) < before:
            mirror.git.run("update-ref", "-d", "--end-of-options", ref)


def changed_lines(
    mirror: Commits, old: str, new: str, *, then: Iterable[str], now: Iterable[str] = ()
) -> tuple[FileDiff, ...]:
    """What differs between two commits, without context, in files by the paths that they have in either.

    A renamed file is followed, and no attribute of a commit makes a file one without lines. Raises TooLarge, and
    MalformedDiff with DiffTooLarge.
    """
    for sha in (old, new):
        if not SHA.fullmatch(sha):
            raise GitError(f"not a commit: {sha[:80]!r}")
    wanted = {*then, *now}
    if not wanted:
        return ()
    for was, is_now in _renames(mirror, old, new).items():
        if wanted & {was, is_now}:
            wanted |= {was, is_now}
    words = ("diff", *_NEVER_RUN, "--text", "-M", "--src-prefix=a/", "--dst-prefix=b/", "-U0", old, new, "--")
    return parse(_literally(mirror).read(*words, *sorted(wanted)).decode("utf-8", "replace"))


def file_contents(mirror: Commits, sha: str, paths: Iterable[str], *, most: int) -> dict[str, bytes]:
    """The bytes of regular files in a commit by their paths, as long as all of them have `most` at the most; others are left out."""
    wanted = sorted(path for path in paths if path)
    if not wanted or not SHA.fullmatch(sha):
        return {}
    git, found = _literally(mirror), {}
    for row in filter(None, git.run("ls-tree", "-r", "-l", "-z", "--full-tree", sha, "--", *wanted).split("\0")):
        facts, path = row.split("\t", 1)
        mode, _, blob, size = facts.split()
        if mode.startswith("100") and path in wanted and int(size) <= most:
            most -= int(size)
            found[path] = blob
    with tempfile.TemporaryFile() as asked:
        asked.write("".join(f"{blob}\n" for blob in found.values()).encode())
        asked.seek(0)
        blobs = _blobs(git.read("cat-file", "--batch", given=asked)) if found else iter(())
        return dict(zip(found, blobs, strict=True))


def _blobs(batch: bytes) -> Iterator[bytes]:
    """The contents that `git cat-file --batch` writes, each after a line with its size."""
    at = 0
    while at < len(batch):
        end = batch.index(b"\n", at)
        size = int(batch[at:end].split()[2])
        yield batch[end + 1 : end + 1 + size]
        at = end + size + 2


def _literally(mirror: Commits) -> GitProcess:
    """Git that takes a path for a path, whatever is in it."""
    return replace(mirror.git, more={**mirror.git.more, "GIT_LITERAL_PATHSPECS": "1"})


def _renames(mirror: Commits, old: str, new: str) -> dict[str, str]:
    """New paths of renamed files by their old ones."""
    words = ("diff", *_NEVER_RUN, "--name-status", "-M", "-z", "--diff-filter=R", old, new, "--")
    parts = mirror.git.read(*words).decode("utf-8", "surrogateescape").split("\0")
    return dict(zip(parts[1::3], parts[2::3], strict=False))
