"""Keeps the roster of a forge as operators merged it: who comes and who goes is written down, and told."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bots.agent_intents import roster_of
from bots.intents import OpenIssue, PostComment
from bots.markdown import code, listed, plain
from forge.models import Ref
from hive.config import BadYaml, Settings
from hive.config.base_yaml import read_base
from hive.config.roster import Roster, accepted_roster, read_roster
from hive.ledger import Act, Baseline, Deployment, DeploymentState, Ledger
from hive.outbox.actions import Action, CommitFile, CreateTag
from hive.outbox.enqueue import enqueue
from hive.reconcile.base_file import base_text
from hive.reconcile.branch_watch import BranchWatch
from hive.reconcile.report import LOG, over, refusal_key
from hive.reconcile.roster_file import roster_text
from hive.reconcile.verify import Accepted, Rejected

FOLLOWED = """\
🟢 **The roster is {sha}** · `{tag}`

{changes}
"""
NOT_FOLLOWED = """\
🔴 **The roster at {sha} does not count**: everybody stays

{why}

Merge a fix, or a revert of it.
"""
REJECTED_TITLE = "🔴 the roster: {sha} is on the branch and not approved"
REJECTED = """\
The head of {repo} is {sha}, and that is not what an operator merged: **{reason}**{detail}

Nobody comes or goes, and no later merge counts while this head is below it.

To go on, bring the branch back to what was merged last, or let an operator take it as it is, on the machine of the hive: `hive adopt roster`
"""
JOINS = "{agent} joins {team}"
RETURNS = "{agent} returns to {team}"
LEAVES = "{agent} leaves {team}"
NOTHING = "- nobody comes or goes"


@dataclass(frozen=True, slots=True)
class RosterKeeper:
    """Follows the roster of one forge, as `account`, in the name of its first team."""

    ledger: Ledger
    settings: Settings
    account: str
    watch: BranchWatch

    @property
    def forge(self) -> str:
        """The forge whose roster it is."""
        return self.watch.source.repo.forge

    def keep(self) -> bool:
        """Look whether operators merged another roster; returns whether one counts from now on. Raises errors of the ledger."""
        baseline = self.ledger.deployments.baseline(roster_of(self.forge))
        if baseline is None:
            return False
        adopted = self.ledger.deployments.current(baseline.agent)
        if adopted is not None:
            return self._settle(adopted)
        found = self.watch.look(baseline)
        if found is None:
            return False
        if isinstance(found.verdict, Rejected):
            self._reject(baseline, found.head, found.verdict)
            return False
        return self._begin(baseline, found.verdict, found.asked_at)

    def _begin(self, baseline: Baseline, verdict: Accepted, asked_at: float) -> bool:
        """Follow what operators merged; returns whether it counts."""
        with self.ledger.transaction():
            deployment = self.ledger.deployments.start(baseline, verdict.sha, verdict.pulls, verdict.cursor)
            self.ledger.deployments.mark_checked(baseline.agent, asked_at)
            return self._settle(deployment)

    def _settle(self, deployment: Deployment) -> bool:
        """Let the roster of an approved commit count, unless it cannot be read; returns whether it does."""
        try:
            mirror = self.watch.source.mirror()
            text = roster_text(mirror, deployment.sha)
            roster = read_roster(text, self.settings, self.forge)
            base = base_text(mirror, deployment.sha)
            digest = read_base(base).digest if base else ""
        except BadYaml as error:
            with self.ledger.transaction():
                self._fail(deployment, str(error))
            return False
        with self.ledger.transaction():
            before = self._before().agents
            changes = tuple(self._changes(before, roster.agents))
            self.ledger.deployments.transition(deployment, DeploymentState.DEPLOYED)
            self.ledger.rosters.accept(self.forge, deployment.sha, text)
            for agent, team in before.items():
                if agent not in roster.agents:
                    self.ledger.rosters.bury(agent, team)
            for agent in roster.agents:
                self.ledger.rosters.unbury(agent)
            is_rebased = self._rebase(deployment, digest, base)
            self._report(deployment, changes, is_rebased=is_rebased)
        return True

    def _rebase(self, deployment: Deployment, digest: str, text: str) -> bool:
        """Let a base count, and all containers be rebuilt on it; False if it is the one that counts already."""
        if not self.ledger.bases.accept(self.forge, deployment.sha, digest, text):
            return False
        self.ledger.cascades.begin(
            self.forge, team=deployment.team, base=digest, sha=deployment.sha, pulls=deployment.pulls
        )
        self._audit(deployment, Act.BASE_FOLLOWED, base=digest)
        return True

    def _before(self) -> Roster:
        """The roster that counted until now."""
        text = next((each.content for each in self.ledger.rosters.accepted() if each.forge == self.forge), None)
        try:
            return Roster({}) if text is None else accepted_roster(text, self.settings, self.forge)
        except BadYaml:  # hive.yaml has changed since, and contradicts it
            return Roster({})

    def _changes(self, before: dict[str, str], after: dict[str, str]) -> Iterator[str]:
        for agent, team in after.items():
            if agent not in before:
                text = JOINS if self.ledger.rosters.tombstone(agent) is None else RETURNS
                yield text.format(agent=agent, team=team)
        for agent, team in before.items():
            if agent not in after:
                yield LEAVES.format(agent=agent, team=team)

    def _report(self, deployment: Deployment, changes: tuple[str, ...], *, is_rebased: bool) -> None:
        """Say what counts; a base counts as deployed once its containers run, which its cascade says."""
        repo, sha, key = self.watch.source.repo, deployment.sha, f"roster:{deployment.id}"
        became = "approved" if is_rebased else "deployed"
        tag = f"{became}/{deployment.pulls[-1]}" if deployment.pulls else f"adopted/{sha[:12]}"
        line = f"deploy roster {tag} {sha[:12]}"
        self._enqueue(deployment.team, CreateTag(repo, tag, sha, line, key=f"tag:{key}"))
        for closing in over(self.ledger, roster_of(self.forge), repo, sha):
            self._enqueue(deployment.team, closing)
        if is_rebased and not changes:
            return
        file = CommitFile(repo, "deployed/roster", f"{sha}\n", line, LOG, key=f"meta:{key}", start="main")
        self._enqueue(deployment.team, file)
        said = FOLLOWED.format(sha=code(sha[:7]), tag=tag, changes=listed(changes) or NOTHING).strip()
        self._tell(deployment, said, key)
        self._audit(deployment, Act.ROSTER_FOLLOWED, tag=tag, changes="; ".join(changes) or "nobody comes or goes")

    def _fail(self, deployment: Deployment, why: str) -> None:
        self.ledger.deployments.transition(deployment, DeploymentState.FAILED, why)
        said = NOT_FOLLOWED.format(sha=code(deployment.sha[:7]), why=listed(why.splitlines()[:40])).strip()
        self._tell(deployment, said, f"roster:{deployment.id}")
        self._audit(deployment, Act.ROSTER_FAILED, reason=why[:300])

    def _reject(self, baseline: Baseline, head: str, verdict: Rejected) -> None:
        repo = self.watch.source.repo
        with self.ledger.transaction():
            if self.ledger.deployments.reject(baseline, head or verdict.reason, verdict.reason):
                detail = f" ({plain(verdict.detail)})" if verdict.detail else ""
                facts = {"sha": code(head[:12]), "reason": plain(verdict.reason), "detail": detail}
                said = REJECTED.format(repo=code(repo.path), **facts).strip()
                title = REJECTED_TITLE.format(sha=head[:7])
                self._enqueue(baseline.team, OpenIssue(repo, title, said, key=refusal_key(baseline.agent, head)))
                self.ledger.audit.add(
                    "host", Act.COMMIT_REJECTED, team=baseline.team, ref=str(repo), sha=head, reason=verdict.reason
                )
            self.ledger.deployments.mark_checked(baseline.agent, baseline.check_requested_at)

    def _tell(self, deployment: Deployment, said: str, key: str) -> None:
        for pull in deployment.pulls:
            ref = Ref(self.watch.source.repo, pull)
            self._enqueue(deployment.team, PostComment(ref, said, key=f"said:{key}:{pull}"))

    def _audit(self, deployment: Deployment, what: str, **detail: str) -> None:
        repo = self.watch.source.repo
        pulls = [str(Ref(repo, pull)) for pull in deployment.pulls]
        ref = pulls[-1] if pulls else str(repo)
        self.ledger.audit.add("host", what, team=deployment.team, ref=ref, sha=deployment.sha, **detail)

    def _enqueue(self, team: str, action: Action) -> None:
        enqueue(self.ledger, team, self.account, action, by="host")
