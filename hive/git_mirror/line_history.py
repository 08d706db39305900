"""What a mirror knows of lines over several heads: which changed between two of them, and heads that are kept for that.

A head that a push has replaced is on no branch any more: pinned, it stays comparable.
"""

from __future__ import annotations

from collections.abc import Iterable

from forge.diff import FileDiff, parse
from hive.git_mirror.errors import GitError, is_ref
from hive.git_mirror.mirror import SHA, Mirror

_NEVER_RUN = ("--no-color", "--no-ext-diff", "--no-textconv")


def pin(mirror: Mirror, sha: str, name: str) -> None:
    """Keep a commit as `refs/hive/<name>`, whatever becomes of its branch; raises GitError if it is not here."""
    kept = f"refs/hive/{name}"
    if not is_ref(kept) or not SHA.fullmatch(sha):
        raise GitError(f"not a reference or not a commit: {kept[:80]!r}, {sha[:80]!r}")
    mirror.git.run("update-ref", "--end-of-options", kept, sha)


def changed_lines(mirror: Mirror, old: str, new: str, paths: Iterable[str]) -> dict[str, FileDiff]:
    """What differs between two commits in files by their old paths, without context; a file that is the same is left out.

    A renamed file is followed, and no attribute of a commit makes a file one without lines. Raises TooLarge, and
    MalformedDiff with DiffTooLarge.
    """
    for sha in (old, new):
        if not SHA.fullmatch(sha):
            raise GitError(f"not a commit: {sha[:80]!r}")
    wanted = frozenset(paths)
    moved = {was: now for was, now in _renames(mirror, old, new).items() if was in wanted}
    touched = sorted({*wanted, *moved.values()})
    if not touched:
        return {}
    words = ("diff", *_NEVER_RUN, "--text", "-M", "--src-prefix=a/", "--dst-prefix=b/", "-U0", old, new, "--")
    text = mirror.git.read(*words, *(f":(literal){path}" for path in touched)).decode("utf-8", "replace")
    return {file.old_path: file for file in parse(text) if file.old_path is not None and file.old_path in wanted}


def _renames(mirror: Mirror, old: str, new: str) -> dict[str, str]:
    """New paths of renamed files by their old ones."""
    words = ("diff", *_NEVER_RUN, "--name-status", "-M", "-z", "--diff-filter=R", old, new, "--")
    parts = mirror.git.read(*words).decode("utf-8", "surrogateescape").split("\0")
    return dict(zip(parts[1::3], parts[2::3], strict=False))
