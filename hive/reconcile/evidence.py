"""Gathers the facts for `verify`: the forge's records by API, commits by git. Changes nothing."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import replace

from forge.models import Branch, Protection, Push, Ref, Repo
from forge.protocol import Reader, Refused
from hive.git_mirror.errors import Unrelated
from hive.git_mirror.mirror import GitError, GitInterrupted, Mirror, TooLarge, TreeEntry, TreeLimits
from hive.ledger import Baseline
from hive.reconcile.verify import Approval, Facts, Movement, Policy

HEAD = "head"
LINK = "120000"
MAX_LINK = 4096
"""Bytes of where a link may point to: no system knows longer paths."""

FILES = ("100644", "100755")


class NotNow(Exception):
    """The forge is between two states: ask again."""


class Evidence:
    """The facts about one configuration repository."""

    def __init__(self, reader: Reader, mirror: Mirror, repo: Repo, policy: Policy) -> None:
        self._reader = reader
        self._mirror = mirror
        self._repo = repo
        self._policy = policy

    def gather(self, baseline: Baseline, proposals: Mapping[str, frozenset[str]]) -> Facts:
        """Read everything once. Raises ForgeError, GitError or NotNow if that is not possible now."""
        seen = self._reader.repository(self._repo)
        if seen.id != self._policy.repo_id:
            raise NotNow(f"{self._repo} is another repository: its id is {seen.id}")
        facts = Facts(
            last=baseline.sha,
            repo_id=seen.id,
            frozen=seen.archived or seen.mirror,
            default_branch=seen.default_branch,
            proposals=dict(proposals),
        )
        head = self._mirror.fetch(f"refs/heads/{self._policy.branch}", HEAD)
        if head == baseline.sha:
            return replace(facts, head=head, complete=True)
        descends = self._is_ancestor(baseline.sha, head)
        commits = self._mirror.count(baseline.sha, head) if descends else 0
        facts = replace(facts, head=head, tree=self._mirror.tree(head), descends=descends, commits=commits)
        if not descends or commits > self._policy.max_commits:
            return facts
        return self._protection(self._walk(facts, baseline))

    def _walk(self, facts: Facts, baseline: Baseline) -> Facts:
        """Follow the feed from the last accepted commit to the head."""
        rows = self._reader.pushes(self._repo, self._policy.branch, baseline.cursor)
        chain: list[Push] = []
        at = facts.last
        while at != facts.head and len(chain) <= self._policy.max_steps:
            onward = {(row.new, row.actor_id): row for row in rows if self._leads_on(row, at, facts.head)}
            if len(onward) != 1:
                break
            row = next(iter(onward.values()))
            chain.append(row)
            at = row.new
        complete = at == facts.head
        used = {(row.old, row.new) for row in chain}
        strays = [row for row in rows if (row.old, row.new) not in used and not self._known(row, facts.last)]
        return replace(
            facts,
            complete=complete,
            movements=tuple(self._movement(row) for row in chain) if complete else (),
            strays=tuple(f"{row.old[:10]}…{row.new[:10]}" for row in strays) if complete else (),
            cursor=max([baseline.cursor, *(row.id for row in rows)]),
        )

    def _leads_on(self, row: Push, at: str, head: str) -> bool:
        return row.old == at and bool(row.new) and row.new != at and self._is_ancestor(row.new, head)

    def _known(self, row: Push, last: str) -> bool:
        """Whether a movement only reached what was accepted already."""
        return bool(row.new) and self._is_ancestor(row.new, last)

    def _is_ancestor(self, old: str, new: str) -> bool:
        try:
            return self._mirror.is_ancestor(old, new)
        except GitInterrupted:
            raise
        except GitError:  # a commit that is no longer on the branch was never fetched
            return False

    def _movement(self, row: Push) -> Movement:
        pull = self._reader.pull_of(self._repo, row.new)
        if pull is None or not pull.merged or pull.merge_sha != row.new:
            return Movement(row.old, row.new, row.actor_id)
        # The API's head follows the head branch after a merge; git's refs/pull/N/head does not.
        head = self._mirror.fetch(f"refs/pull/{pull.ref.number}/head", f"pull/{pull.ref.number}")
        approval = Approval(
            number=pull.ref.number,
            base=pull.base_branch,
            base_repo_id=pull.base_repo_id,
            merged_by=pull.merged_by.id if pull.merged_by else 0,
            head=head,
            pushed_after_schedule=self._pushed_after_schedule(pull.ref),
        )
        try:
            expected = self._mirror.merged_tree(row.old, head)
        except Unrelated:  # no forge merges them
            expected = None
        return Movement(row.old, row.new, row.actor_id, approval, self._mirror.tree(row.new), expected)

    def _pushed_after_schedule(self, ref: Ref) -> bool:
        scheduled = False
        for row in sorted(self._reader.timeline(ref), key=lambda row: row.id):
            if row.kind in ("pull_scheduled_merge", "pull_cancel_scheduled_merge"):
                scheduled = row.kind == "pull_scheduled_merge"
            elif row.kind == "pull_push" and scheduled:
                return True
        return False

    def _protection(self, facts: Facts) -> Facts:
        branch = self._reader.branch(self._repo, self._policy.branch)
        if branch.sha != facts.head:
            raise NotNow("the branch moved while it was looked at")
        try:
            rule = self._reader.protection(self._repo, self._policy.branch)
        except Refused:  # plain readers are not shown the rule, only what it lets them do
            rule = None
        faults = (*open_to_us(branch), *(() if rule is None else protection_faults(rule)))
        bad = bad_entries(self._mirror, facts.head, TreeLimits())
        return replace(facts, protected=branch.protected, protection_faults=faults, bad_entries=bad)


def open_to_us(branch: Branch) -> tuple[str, ...]:
    """What the effective protection of a branch allows the hive's own account; no rule of the hive allows that."""
    wrong = {"the hive's own account may push": branch.can_push, "the hive's own account may merge": branch.can_merge}
    return tuple(text for text, is_so in wrong.items() if branch.protected and is_so)


def protection_faults(rule: Protection) -> tuple[str, ...]:
    """What the rule that counts leaves open."""
    wrong = {
        f"{', '.join(rule.exceptions)} is on": bool(rule.exceptions),
        "pushing is allowed": rule.push,
        "anybody may merge": not rule.mergers,
        "admins are exempt": not rule.admins_included,
    }
    return tuple(text for text, is_so in wrong.items() if is_so)


def bad_entries(mirror: Mirror, sha: str, bounds: TreeLimits) -> tuple[str, ...]:
    """Submodules, links that leave the tree, and too much of anything."""
    try:
        entries = mirror.entries(sha)
    except TooLarge:
        return ("a tree that lists without end",)
    total = sum(entry.size for entry in entries)
    if len(entries) > bounds.files or total > bounds.total_bytes:  # each link is a question to git
        return (f"{len(entries)} files, {total} bytes",)
    return tuple(f"{entry.mode} {entry.path!r}" for entry in entries if not _harmless(mirror, entry))


def _harmless(mirror: Mirror, entry: TreeEntry) -> bool:
    if entry.mode != LINK:
        return entry.mode in FILES
    if entry.size > MAX_LINK:
        return False
    target = mirror.blob(entry.sha).decode("utf-8", "replace")
    lands = posixpath.normpath(posixpath.join(posixpath.dirname(entry.path), target))
    return lands.split("/")[0] not in ("", "..", ".git")
