"""Gathers the facts for `verify`: the forge's records by API, commits by git. Changes nothing."""

from __future__ import annotations

import logging
import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import replace

from forge.models import Branch, Protection, PullRequest, Push, Ref, Repo
from forge.protocol import Reader, Refused
from hive.git_mirror.errors import Unrelated
from hive.git_mirror.mirror import GitError, GitInterrupted, Mirror, TooLarge, TreeEntry, TreeLimits
from hive.ledger import Baseline
from hive.reconcile.verify import Approval, Facts, Movement, Policy

log = logging.getLogger("hive.reconcile.evidence")

HEAD = "head"
LINK = "120000"
MAX_LINK = 4096
"""Bytes of where a link may point to: no system knows longer paths."""

FILES = ("100644", "100755")


class NotNow(Exception):
    """The forge is between two states: ask again."""


class Evidence:
    """The facts about one configuration repository, for one look at it."""

    def __init__(self, reader: Reader, mirror: Mirror, repo: Repo, policy: Policy) -> None:
        self._reader = reader
        self._mirror = mirror
        self._repo = repo
        self._policy = policy
        self._claims: dict[str, PullRequest | None] = {}
        self._heads: dict[int, str] = {}
        """Heads of pull requests, by number, as git fetched them."""
        self._trees: Mapping[str, str] = {}
        """The trees of the commits that the head has beyond what was accepted last; all of them are its ancestors."""

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
        rows = self._reader.pushes(self._repo, self._policy.branch, baseline.cursor)
        head = self._fetch(rows)
        if head == baseline.sha:
            return replace(facts, head=head, complete=True)
        descends, commits = self._follow(baseline.sha, head)
        facts = replace(facts, head=head, tree=self._tree(head), descends=descends, commits=commits)
        if not descends or commits > self._policy.max_commits:
            return facts
        return self._protection(self._walk(facts, baseline, rows))

    def _fetch(self, rows: Sequence[Push]) -> str:
        """Fetch the branch; returns its head.

        By the same fetch comes the head of the pull request that the newest movement claims, if it claims one: a fetch
        takes longer than all else here. What is not there then is fetched when it is asked for.
        """
        main = {f"refs/heads/{self._policy.branch}": HEAD}
        newest = max(rows, key=lambda row: row.id, default=None)
        claimed = self._claim(newest.new) if newest is not None and newest.new else None
        if claimed is not None:
            number = claimed.ref.number
            try:
                head, self._heads[number] = self._mirror.fetch_all({**main, **_names(number)})
            except GitInterrupted:
                raise
            except GitError as error:  # the forge has no such reference: whether that matters is seen when it is needed
                log.info("not_fetched pull=%s error=%r", claimed.ref, str(error)[:200])
            else:
                return head
        [head] = self._mirror.fetch_all(main)
        return head

    def _follow(self, last: str, head: str) -> tuple[bool, int]:
        """Whether the head descends from what was accepted last, and by how many commits; their trees are known then."""
        try:
            history = self._mirror.history(last, head, most=self._policy.max_commits)
        except GitInterrupted:
            raise
        except GitError:  # it is no longer on the branch, and this mirror has never fetched it
            return False, 0
        if history is not None:
            self._trees = history.trees if history.descends else {}
            return history.descends, len(self._trees)
        descends = self._is_ancestor(last, head)
        return descends, self._mirror.count(last, head) if descends else 0

    def _tree(self, sha: str) -> str:
        return self._trees.get(sha) or self._mirror.tree(sha)

    def _walk(self, facts: Facts, baseline: Baseline, rows: Sequence[Push]) -> Facts:
        """Follow the feed from the last accepted commit to the head."""
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
        if row.old != at or not row.new or row.new == at:
            return False
        return row.new in self._trees or self._is_ancestor(row.new, head)

    def _known(self, row: Push, last: str) -> bool:
        """Whether a movement only reached what was accepted already."""
        return bool(row.new) and row.new not in self._trees and self._is_ancestor(row.new, last)

    def _is_ancestor(self, old: str, new: str) -> bool:
        try:
            return self._mirror.is_ancestor(old, new)
        except GitInterrupted:
            raise
        except GitError:  # a commit that is no longer on the branch was never fetched
            return False

    def _movement(self, row: Push) -> Movement:
        pull = self._claim(row.new)
        if pull is None:
            return Movement(row.old, row.new, row.actor_id)
        # The API's head follows the head branch after a merge; git's refs/pull/N/head does not.
        head = self._heads.get(pull.ref.number) or self._mirror.fetch_all(_names(pull.ref.number))[0]
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
        return Movement(row.old, row.new, row.actor_id, approval, self._tree(row.new), expected)

    def _claim(self, new: str) -> PullRequest | None:
        """The pull request that was merged by a movement to a commit, as the forge says; asked once."""
        if new not in self._claims:
            pull = self._reader.pull_of(self._repo, new)
            self._claims[new] = pull if pull is not None and pull.merged and pull.merge_sha == new else None
        return self._claims[new]

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
            rule = self._reader.protection_of(self._repo, branch)
        except Refused:  # plain readers are not shown the rule, only what it lets them do
            rule = None
        faults = (*open_to_us(branch), *(() if rule is None else protection_faults(rule)))
        bad = bad_entries(self._mirror, facts.head, TreeLimits())
        return replace(facts, protected=branch.protected, protection_faults=faults, bad_entries=bad)


def _names(number: int) -> dict[str, str]:
    """Where git finds the head of a pull request, and as what the mirror keeps it."""
    return {f"refs/pull/{number}/head": f"pull/{number}"}


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
