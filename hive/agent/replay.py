"""Puts commits of ours behind those of others, without touching a work tree: a process that dies halfway leaves nothing half done."""

from __future__ import annotations

from hive.agent.git import GitCommand


def replayed(git: GitCommand, upstream: str, message: str, *, as_merge: bool = False) -> str:
    """A commit that has what is upstream and what is ours: each of ours behind theirs, or one merge of both.

    It is a merge if it has to be: where ours has merges, or they have nothing in common. Raises MergeConflict.
    """
    if as_merge or git("rev-list", "--merges", f"{upstream}..HEAD") or not git.succeeds("merge-base", "HEAD", upstream):
        tree = git("merge-tree", "--write-tree", "--name-only", "HEAD", upstream)
        return git("commit-tree", tree, "-p", "HEAD", "-p", upstream, "-F", "-", stdin=message)
    onto = git("rev-parse", upstream)
    for commit in git("rev-list", "--reverse", "--topo-order", f"{upstream}..HEAD").split():
        # merge-tree of git before 2.40 takes no base: a commit with both as ancestors has the same merge base.
        tip = git("commit-tree", f"{onto}^{{tree}}", "-p", f"{commit}^", "-m", "theirs")
        tree = git("merge-tree", "--write-tree", "--name-only", commit, tip)
        if tree != git("rev-parse", f"{onto}^{{tree}}"):
            said = git("log", "-1", "--format=%B", commit)
            onto = git("commit-tree", tree, "-p", onto, "-F", "-", stdin=said)
    return onto


def conflicting(said: str) -> list[str]:
    """The files in the output of `git merge-tree --name-only`: the tree first, then names up to an empty line."""
    names = said.partition("\n\n")[0].splitlines()[1:]
    return sorted(set(names))[:20]
