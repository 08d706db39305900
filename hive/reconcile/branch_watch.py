"""Watches one protected branch: has operators' merging moved it? Level-triggered; changes nothing but its own record."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from forge.models import Repo
from forge.protocol import ForgeError, Reader
from hive.git_mirror.mirror import GitError, Mirror
from hive.ledger import Baseline, Ledger
from hive.reconcile.evidence import Evidence, NotNow
from hive.reconcile.quiet_repositories import QuietRepositories
from hive.reconcile.verify import Accepted, Policy, Rejected, decide

log = logging.getLogger("hive.reconcile.branch_watch")

POLL_SECONDS = 30.0
AGAIN_SECONDS = 1.0
LATE_SECONDS = 0.5
PATIENCE_SECONDS = 60.0
"""How long a refusal that a slow forge could explain is not believed."""


@dataclass(frozen=True, slots=True)
class BranchSource:
    """Where a branch is, and who may move it.

    `is_available` is whether its repository can be used; `quiet` knows by one request for many whether there was a push.
    """

    repo: Repo
    policy: Policy
    reader: Reader
    mirror: Callable[[], Mirror]
    is_available: Callable[[Repo], bool]
    quiet: QuietRepositories | None = None


@dataclass(frozen=True, slots=True)
class BranchVerdict:
    """What became of a look: the head, whether operators approved it, and the request that this look answers."""

    head: str
    verdict: Accepted | Rejected
    asked_at: float


@dataclass
class BranchWatch:
    """Looks at a branch when it is asked to, and each half minute; any refusal that may be the forge's delay is looked at again."""

    ledger: Ledger
    source: BranchSource
    next_look: float = 0.0
    """When it looks next without having been asked to; as `time.monotonic` says it."""

    _first_seen: dict[str, float] = field(default_factory=dict)

    def look(self, baseline: Baseline) -> BranchVerdict | None:
        """What operators did since the baseline; None if nothing, or if that cannot be told now."""
        asked_at = baseline.check_requested_at
        if asked_at <= baseline.checked_at and time.monotonic() < self.next_look:
            return None
        self.next_look = time.monotonic() + POLL_SECONDS
        policy = replace(self.source.policy, repo_id=baseline.repo_id)
        quiet = self.source.quiet
        try:
            if asked_at <= baseline.checked_at and quiet is not None and quiet.is_quiet(baseline.repo_id):
                return None
            if not self.source.is_available(self.source.repo):
                self.ledger.deployments.mark_checked(baseline.agent, asked_at)
                return None
            evidence = Evidence(self.source.reader, self.source.mirror(), self.source.repo, policy)
            facts = evidence.gather(baseline, self.ledger.proposals.of_repository(str(self.source.repo)))
        except (ForgeError, GitError, NotNow) as error:
            log.warning("look_failed branch_of=%s error=%r", self.source.repo, str(error)[:200])
            self.next_look = time.monotonic() + AGAIN_SECONDS
            return None
        if facts.complete and facts.head == baseline.sha and not facts.movements:
            if quiet is not None:
                quiet.looked_at(baseline.repo_id)
            self.ledger.deployments.mark_checked(baseline.agent, asked_at)
            return None
        verdict = decide(facts, policy)
        if isinstance(verdict, Rejected) and self._may_be_late(facts.head, verdict):
            self.next_look = time.monotonic() + LATE_SECONDS
            return None
        return BranchVerdict(facts.head, verdict, asked_at)

    def _may_be_late(self, head: str, verdict: Rejected) -> bool:
        first = self._first_seen.setdefault(head, time.monotonic())
        return verdict.late and time.monotonic() - first < PATIENCE_SECONDS
