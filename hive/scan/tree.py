"""What a change does to the tree beside lines of text: links, submodules, and files that nobody can read. No I/O."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Sequence

from bots.models import Category, Finding, Level
from bots.scan_names import DOES_NOT_MERGE
from forge.diff import FileDiff

ENGINE = "tree"
MAX_NAMED = 5
LINK, SUBMODULE = "120000", "160000"


def concerns(files: Iterable[FileDiff]) -> bool:
    """Whether a change does anything but write text."""
    return any(file.path is None or not file.regular or file.binary for file in files)


def tree_findings(files: Sequence[FileDiff], unread: Sequence[str]) -> Iterator[Finding]:
    """What links, submodules and binary files want; `unread` are the paths that hold no text."""
    for file in files:
        if file.path is not None and file.mode == LINK and file.added:
            yield from _link(file.path, file.new.get(1, ""))
        elif file.path is not None and file.mode == SUBMODULE:
            yield Finding(
                *(file.path, 1, Level.YELLOW, Category.INCONSISTENCY, "submodule", "Code from elsewhere, not reviewed"),
                "The submodule points to another commit, and nobody here has read what it brings. "
                "Look at the commits between the two, or review them in their own repository.",
                engine=ENGINE,
            )
    if unread:
        more = f", and {len(unread) - 1} more" if len(unread) > 1 else ""
        yield Finding(
            *(unread[0], 0, Level.YELLOW, Category.INCONSISTENCY, "binary", "A file that is no text, not reviewed"),
            f"No analyser can read it{more}. Look at it yourself; if it is built from something, commit that instead.",
            engine=ENGINE,
        )


def unmerged(paths: Sequence[str]) -> Finding:
    """That a change conflicts with its base, in these files."""
    more = f", and {len(paths) - MAX_NAMED} more" if len(paths) > MAX_NAMED else ""
    return Finding(
        *(paths[0], 0, Level.RED, Category.BROKEN, DOES_NOT_MERGE, "Does not merge"),
        f"The base branch has changed the same lines: {', '.join(paths[:MAX_NAMED])}{more}. "
        "Merge it into this branch or rebase, and decide there what is right.",
        engine=ENGINE,
    )


def _link(path: str, target: str) -> Iterator[Finding]:
    if not target.startswith("/") and not _inside(path, target).startswith(".."):
        return
    yield Finding(
        *(path, 1, Level.RED, Category.SECURITY, "link-leads-out", "A link leads out of the repository"),
        "Whatever reads it reads a file of the machine instead, and another one on each machine. "
        "Link to a file of this repository, or read the path from a setting.",
        engine=ENGINE,
    )


def _inside(path: str, target: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
