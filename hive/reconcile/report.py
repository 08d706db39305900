"""Reports a deployment: tag, record, status and one comment, enqueued like any other action."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bots.agent_intents import ProposeRevert
from bots.intents import OpenIssue, PostComment, SetStatus
from bots.markdown import code, fenced, listed, plain
from forge.models import CommitStatus, Ref, Repo, State
from hive.ledger import Act, Baseline, Deployment, Ledger
from hive.outbox.actions import Action, AddToIssue, CommitFile, CreateTag, WithdrawReverts
from hive.outbox.enqueue import enqueue
from hive.reconcile.holds import DeploymentHold
from hive.reconcile.verify import Rejected

CONTEXT = "hive/deploy"
LOG = "deployments"
"""The branch of `hive/meta` whose commits are the deployments, successes only."""
DEPLOYED = "🟢 **{agent} runs {sha}** · `{tag}` · {seconds} s after its merge was seen\n\n{changes}"
FAILED = """\
🔴 **{agent}: {sha} does not run**, {old}

{why}

This commit is not tried again by itself: merge a fix or a revert of it, or comment `/retry`.
"""
WAITS_STATUS = "🟡 verified; it waits, and its pull request says why"
WAITS = """\
⏸️ **{agent}: {sha} waits**, {old}

{why}. {way_out}
"""
REVERT = "{sha} does not run: {why}"
REJECTED_TITLE = "🔴 {agent}: {sha} is on the branch and not approved"
REJECTED = """\
The head of {repo} is {sha}, and that is not what an operator merged: **{reason}**{detail}

Nothing was built, {old}, and no later merge counts while this head is below it.

To go on, bring the branch back to what was merged last, or let an operator take it as it is, on the machine of the hive: `hive adopt {agent}`
"""
OVER = "🟢 {sha} is approved and counts by now, and so does what is merged from here on."
WOKEN = "Your configuration was changed as proposed in {ref} and your container was rebuilt. Go on with your work."

STAYED = """\
Your proposal {ref} was merged, but what it makes does not run: your container goes on as it was.

{why}

Propose a fix, or go on with your work without it.
"""


@dataclass(frozen=True, slots=True)
class Reporter:
    """Enqueues the reports of one team's deployments."""

    ledger: Ledger
    account: str
    meta: Repo

    def approved(self, deployment: Deployment, repo: Repo) -> None:
        """Tag a commit whose merge was verified, and show that it is on its way."""
        self._status(deployment, repo, State.PENDING, "🟡 verified; it is deployed next")
        for pull in deployment.pulls[-1:]:
            line = f"merged by an operator, as {deployment.agent}'s {deployment.sha[:12]}"
            tag = CreateTag(repo, f"approved/{pull}", deployment.sha, line, key=f"approved:{deployment.agent}:{pull}")
            self._enqueue(deployment, tag)

    def building(self, deployment: Deployment, repo: Repo) -> None:
        """Tag a commit that begins to be deployed; said twice, it is one tag."""
        for pull in deployment.pulls[-1:]:
            line = f"{deployment.agent}'s {deployment.sha[:12]} is built, and started if that succeeds"
            key = f"building:{deployment.agent}:{deployment.id}"
            self._enqueue(deployment, CreateTag(repo, f"building/{pull}", deployment.sha, line, key=key))

    def waits(self, deployment: Deployment, repo: Repo, hold: DeploymentHold) -> None:
        """Say on each pull request, and with its status, that its commit was verified and is not deployed yet."""
        why = plain(hold.why)
        said = WAITS.format(
            agent=deployment.agent,
            sha=code(deployment.sha[:7]),
            old=_old(deployment.previous_sha),
            why=f"{why[:1].upper()}{why[1:]}",
            way_out=hold.way_out,
        ).strip()
        self._status(deployment, repo, State.PENDING, WAITS_STATUS, hold.key)
        for pull in deployment.pulls:
            key = f"waits:{deployment.agent}:{deployment.id}:{hold.key}:{pull}"
            self._enqueue(deployment, PostComment(Ref(repo, pull), said, key=key))

    def deployed(self, deployment: Deployment, repo: Repo, changes: tuple[str, ...]) -> None:
        """Report a running commit: tag it, record it, comment, and resume runs that wait for it."""
        sha = deployment.sha
        if deployment.cascade:  # its cascade says it for all
            self._audit(deployment, repo, Act.CONTAINER_REBUILT, base=deployment.base)
            return
        tag = f"deployed/{deployment.pulls[-1]}" if deployment.pulls else f"adopted/{sha[:12]}"
        key = f"{deployment.agent}:{deployment.id}"
        line = f"deploy {deployment.agent} {tag} {sha[:12]}"
        self._enqueue(deployment, CreateTag(repo, tag, sha, line, key=f"tag:{key}"))
        path = f"deployed/{deployment.agent}"
        self._enqueue(deployment, CommitFile(self.meta, path, f"{sha}\n", line, LOG, key=f"meta:{key}", start="main"))
        self._enqueue(deployment, WithdrawReverts(repo, deployment.agent, sha, key=f"withdrawn:{key}"))
        self._status(deployment, repo, State.SUCCESS, f"🟢 {tag}")
        seconds = max(0, round(self.ledger.clock() - deployment.created_at))
        said = DEPLOYED.format(
            agent=deployment.agent, sha=code(sha[:7]), tag=tag, seconds=seconds, changes=listed(changes)
        ).strip()
        for pull in deployment.pulls:
            ref = Ref(repo, pull)
            self._enqueue(deployment, PostComment(ref, said, key=f"said:{key}:{pull}"))
            self._wake(ref, f"woken:{ref}", WOKEN.format(ref=ref))
        for closing in over(self.ledger, deployment.agent, repo, sha):
            self._enqueue(deployment, closing)
        self._audit(deployment, repo, Act.DEPLOYED, tag=tag)

    def failed(self, deployment: Deployment, repo: Repo, reason: str) -> None:
        """Report a commit that cannot run: tag it, and comment on each pull request that it came from."""
        key = f"{deployment.agent}:{deployment.id}"
        if deployment.cascade:
            self._audit(deployment, repo, Act.DEPLOYMENT_FAILED, reason=reason[:300], base=deployment.base)
            return
        for pull in deployment.pulls[-1:]:
            self._enqueue(
                deployment, CreateTag(repo, f"failed/{pull}", deployment.sha, reason[:1000], key=f"tag:{key}")
            )
        self._status(deployment, repo, State.FAILURE, "🔴 does not run; the old one keeps running")
        said = FAILED.format(
            agent=deployment.agent,
            sha=code(deployment.sha[:7]),
            old=_old(deployment.previous_sha),
            why=listed(tuple(reason.splitlines()[-40:])),
        ).strip()
        for pull in deployment.pulls[-1:] if deployment.previous_sha else ():
            first = next(iter(reason.splitlines()), "")[:200]
            why = REVERT.format(sha=deployment.sha[:7], why=first)
            revert = ProposeRevert(
                Ref(repo, pull), deployment.agent, why, key=f"revert:{deployment.agent}:{deployment.sha}"
            )
            self._enqueue(deployment, revert)
        for pull in deployment.pulls:
            ref = Ref(repo, pull)
            self._enqueue(deployment, PostComment(ref, said, key=f"said:{key}:{pull}"))
            why = fenced("reason", reason, author="hive", standing="of the hive")
            self._wake(ref, f"failed:{ref}", STAYED.format(ref=ref, why=why).strip())
        self._audit(deployment, repo, Act.DEPLOYMENT_FAILED, reason=reason[:300])

    def rejected(self, baseline: Baseline, repo: Repo, sha: str, verdict: Rejected) -> None:
        """Report a head that was not approved: an issue for the operators."""
        detail = f" ({plain(verdict.detail)})" if verdict.detail else ""
        old, new, where = _old(baseline.running_sha), code(sha[:12]), code(repo.path)
        said = REJECTED.format(
            repo=where, sha=new, old=old, reason=plain(verdict.reason), detail=detail, agent=baseline.agent
        ).strip()
        title = REJECTED_TITLE.format(agent=baseline.agent, sha=sha[:7])
        issue = OpenIssue(repo, title, said, key=refusal_key(baseline.agent, sha))
        enqueue(self.ledger, baseline.team, self.account, issue, by="host")
        self.ledger.audit.add(
            "host",
            Act.COMMIT_REJECTED,
            team=baseline.team,
            ref=str(repo),
            sha=sha,
            reason=verdict.reason,
            detail=verdict.detail,
        )

    def _wake(self, ref: Ref, key: str, message: str) -> None:
        for run in self.ledger.runs.dependents(str(ref)):
            self.ledger.runs.add_turn(run, f"{key}:{run}", message, by_person=True)

    def _status(self, deployment: Deployment, repo: Repo, state: State, text: str, why: str = "") -> None:
        status = CommitStatus(CONTEXT, state, text)
        key = f"status:{deployment.id}:{state.value}" + (f":{why}" if why else "")
        self._enqueue(deployment, SetStatus(repo, deployment.sha, status, key=key))

    def _enqueue(self, deployment: Deployment, action: Action) -> None:
        enqueue(self.ledger, deployment.team, self.account, action, by="host")

    def _audit(self, deployment: Deployment, repo: Repo, what: str, **detail: str) -> None:
        pulls = [str(Ref(repo, pull)) for pull in deployment.pulls]
        self.ledger.audit.add(
            "host", what, team=deployment.team, ref=pulls[-1] if pulls else str(repo), agent=deployment.agent,
            sha=deployment.sha, **detail,
        )  # fmt: skip


def refusal_key(agent: str, sha: str) -> str:
    """The key of the issue about a head that was refused."""
    return f"{agent}:{sha}"


def over(ledger: Ledger, agent: str, repo: Repo, sha: str) -> Iterator[AddToIssue]:
    """What closes the issues about heads that were refused, since an approved commit counts again."""
    for head in ledger.standings.refused(agent):
        key = refusal_key(agent, head)
        yield AddToIssue(repo, f"host:{key}", OVER.format(sha=code(sha[:7])), closes=True, key=f"over:{key}")


def _old(sha: str) -> str:
    """What is not changed by a commit that does not run."""
    return f"{code(sha[:7])} goes on" if sha else "and nothing runs yet"
