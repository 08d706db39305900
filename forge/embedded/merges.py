"""Merge styles in a bare repository: each creates commits; no ref moves.

Works without a work tree: hostile content is never checked out, files with git's attributes aside, which are text alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from forge.embedded.git import Git, GitFailed, Signature

ATTRIBUTES = ".gitattributes"
STYLES = ("merge", "rebase", "rebase-merge", "squash", "fast-forward-only", "manually-merged")


class Conflicting(Exception):
    """The two sides conflict."""


class Diverged(Exception):
    """The base branch is not part of the head, or nothing is left to merge."""


@dataclass(frozen=True, slots=True)
class Merge:
    """What is to be merged into what, by whom, and in which words."""

    base: str
    head: str
    message: str
    author: Signature
    """Author of a squashed commit: who made the pull request."""
    merger: Signature


def perform(git: Git, style: str, merge: Merge) -> str:
    """Create the commits of a style; answers the new tip of the base branch."""
    match style:
        case "merge":
            tree = merged_tree(git, merge.base, merge.head)
            return git.write_commit(tree, [merge.base, merge.head], merge.message, merge.merger, merge.merger)
        case "rebase":
            return rebased(git, merge.base, merge.head, merge.merger)
        case "rebase-merge":
            tip = rebased(git, merge.base, merge.head, merge.merger)
            return git.write_commit(f"{tip}^{{tree}}", [merge.base, tip], merge.message, merge.merger, merge.merger)
        case "squash":
            return _squashed(git, merge)
        case _:
            if not git.contains(merge.head, merge.base):
                raise Diverged("the base branch has moved on")
            return merge.head


def merged_tree(git: Git, base: str, head: str) -> str:
    """The tree of a merge of both by the attributes of the base, which git does not read in a bare repository.

    Real forges merge in a clone of their own with the index of the base. Raises Conflicting.
    """
    words = ("merge-tree", "--write-tree", "--no-messages", base, head)
    found = [entry for entry in git.tree(base, recursive=True) if PurePosixPath(entry.path).name == ATTRIBUTES]
    try:
        if not found:
            return git.text(*words)
        with TemporaryDirectory(prefix="forge-attributes-") as folder:
            for entry in found:
                if entry.mode.startswith("100"):
                    _write(Path(folder), entry.path, git.blob(entry.sha))
            said = git.raw(*words, env={"GIT_WORK_TREE": folder}, at=Path(folder))
    except GitFailed as error:
        raise Conflicting(str(error)) from error
    return said.decode(errors="replace").removesuffix("\n")


def _write(folder: Path, path: str, text: bytes) -> None:
    """Write a file of a tree below a folder; a malformed tree can hold whole paths as names, which lead nowhere."""
    place = folder / path
    if place.resolve().is_relative_to(folder.resolve()):
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(text)


def rebased(git: Git, onto: str, head: str, committer: Signature) -> str:
    """Rebase `head` onto `onto`; answers the new tip, the head itself if it is on top already.

    As `git rebase` does, it leaves out what `onto` has by another name, also if it was taken back there since.
    """
    if git.contains(head, onto):
        return head
    tip = onto
    theirs = ("--no-merges", "--topo-order", "--cherry-pick", "--right-only", f"{onto}...{head}")
    for commit in reversed(git.commits(*theirs, changes=False)):
        # A stand-in with the content of the new place and the parent of the old one makes that
        # parent the merge base: a merge with it is exactly what picking the commit means.
        stand_in = git.write_commit(f"{tip}^{{tree}}", commit.parents, "stand-in", committer, committer)
        tree = merged_tree(git, stand_in, commit.sha)
        if tree != git.resolve(tip, "tree"):
            tip = git.write_commit(tree, [tip], commit.message, commit.author, committer)
    return tip


def _squashed(git: Git, merge: Merge) -> str:
    tree = merged_tree(git, merge.base, merge.head)
    if tree == git.resolve(merge.base, "tree"):
        raise Diverged("nothing is left to merge")
    return git.write_commit(tree, [merge.base], merge.message, merge.author, merge.merger)
