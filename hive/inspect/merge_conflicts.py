"""Whether a pull request conflicts with its base, as both the forge and git see it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from bots.models import Finding
from forge.models import PullRequest
from hive.git_mirror.commits import Commits
from hive.git_mirror.line_history import file_contents
from hive.scan.tree import unmerged

MAX_BYTES = 1 << 20
"""Of all files of attributes that are read."""

_MERGED_OTHERWISE = re.compile(rb"(?:^|\s)-?merge(?:=|\s|$)", re.MULTILINE)


def merge_conflicts(commits: Commits, base: str, pull: PullRequest) -> Iterator[Finding]:
    """That it does not merge, if so. Raises GitError.

    A forge that has not checked yet says that it does not merge, so git decides. In a bare repository git knows no attributes: of a
    file that they want merged otherwise nothing is said.
    """
    if pull.mergeable:
        return
    paths = commits.conflicts(base, pull.head_sha)
    if paths and not _are_merged_otherwise(commits, base, paths):
        yield unmerged(paths)


def _are_merged_otherwise(commits: Commits, base: str, paths: Sequence[str]) -> bool:
    folders = {parent for path in paths for parent in PurePosixPath(path).parents}
    found = file_contents(commits, base, {str(folder / ".gitattributes") for folder in folders}, most=MAX_BYTES)
    return any(_MERGED_OTHERWISE.search(content) for content in found.values())
