"""Handlers of actions on configurations that were merged: once more, or back to what ran before."""

from __future__ import annotations

from bots.agent_intents import (
    DeployNow,
    ProposeRevert,
    ResumeDeployments,
    RetryDeployment,
    SuspendDeployments,
    forge_of_roster,
)
from bots.markdown import code, plain
from forge.models import FileEdit, Ref
from forge.protocol import NotFound
from hive.ledger import NEVER, Deployment, Scope, SuspensionReason
from hive.outbox.actions import WithdrawReverts
from hive.outbox.registry import Execution, Registry, Result, Superseded

HANDLERS = Registry()

TITLE = "Revert to {sha}, which {agent} ran before"
BODY = """\
{why}

This pull request undoes {pulls}: with it, the configuration of {agent} is again that of {sha}.

It is proposed by the hive and merged by an operator, like every change.
"""
SAID = "↩️ {where} undoes this: merge it to bring the configuration back to {sha}."
BRANCH = "hive/revert-{sha}"
"""The branch of a proposal to undo a commit, whose abbreviation has twelve digits."""
WITHDRAWN = "🧹 {agent} runs {sha} by now: there is nothing left to undo, and this is closed."
SUSPENDED = "deployments suspended by {login}"
BECAUSE = ": {why}"
MOST_FILES = 200


@HANDLERS.on(RetryDeployment, local=True)
def retry_deployment(execution: Execution, action: RetryDeployment) -> Result:
    """Open one more deployment of the commit that failed last, or queue whom a base failed for again; the host performs it."""
    if forge := forge_of_roster(action.agent):
        cascade = execution.ledger.cascades.counting(forge)
        agents = [] if cascade is None else execution.ledger.cascades.retry(cascade)
        if cascade is None or not agents:
            raise Superseded("every container that was to be rebuilt was")
        return Result(detail={"agents": agents, "sha": cascade.sha})
    deployment = execution.ledger.deployments.retry(action.agent)
    if deployment is None:
        raise Superseded(f"no commit of {action.agent} is there to be tried again")
    return Result(detail={"agent": action.agent, "sha": deployment.sha})


@HANDLERS.on(DeployNow, local=True)
def deploy_now(execution: Execution, action: DeployNow) -> Result:
    """Let a deployment that waits begin, unless merges prove nothing now; the host performs it."""
    if execution.ledger.suspensions.of(execution.effect.team, Scope.DEPLOYMENTS, ""):
        raise Superseded("nothing is deployed while an account of the hive could merge")
    if forge := forge_of_roster(action.agent):
        cascade = execution.ledger.cascades.counting(forge)
        if cascade is None or not execution.ledger.cascades.release(cascade):
            raise Superseded("no container waits to be rebuilt")
        return Result(detail={"sha": cascade.sha})
    deployment = execution.ledger.deployments.release(action.agent)
    if deployment is None:
        raise Superseded(f"no commit of {action.agent} waits")
    return Result(detail={"agent": action.agent, "sha": deployment.sha})


@HANDLERS.on(SuspendDeployments, local=True)
def suspend_deployments(execution: Execution, action: SuspendDeployments) -> Result:
    """Let merged configurations wait until an operator resumes them."""
    detail = SUSPENDED.format(login=action.by.login) + (BECAUSE.format(why=action.why) if action.why else "")
    execution.ledger.suspensions.suspend(
        execution.effect.team, Scope.DEPLOYMENTS, action.agent, SuspensionReason.PAUSED, detail, until=NEVER
    )
    return Result(detail={"agent": action.agent, "why": action.why})


@HANDLERS.on(ResumeDeployments, local=True)
def resume_deployments(execution: Execution, action: ResumeDeployments) -> Result:
    """Deploy merged configurations again."""
    execution.ledger.suspensions.resume(execution.effect.team, Scope.DEPLOYMENTS, action.agent, SuspensionReason.PAUSED)
    return Result(detail={"agent": action.agent})


@HANDLERS.on(ProposeRevert, by_core=True)
def propose_revert(execution: Execution, action: ProposeRevert) -> Result:
    """Open a pull request that undoes what one merge brought, and say so there; nothing if more was merged since."""
    forge, ref = execution.forge, action.ref
    deployment = execution.ledger.deployments.of_pull(action.agent, ref.number)
    if deployment is None or not deployment.previous_sha:
        raise Superseded(f"nothing ran before {ref}")
    baseline = execution.ledger.deployments.baseline(action.agent)
    if baseline is None or forge.branch(ref.repo, baseline.branch).sha != deployment.sha:
        raise Superseded(f"more was merged since {ref}: revert that first")
    edits = _edits(execution, ref, deployment)
    if not edits:
        raise Superseded(f"{ref} changed no file")
    branch = BRANCH.format(sha=deployment.sha[:12])
    facts = {"sha": code(deployment.previous_sha[:7]), "agent": action.agent}
    title = TITLE.format(sha=deployment.previous_sha[:7], agent=action.agent)
    pulls = ", ".join(f"#{number}" for number in deployment.pulls)
    forge.commit(ref.repo, edits, message=title, branch=branch, start=baseline.branch)
    body = BODY.format(why=plain(action.why), pulls=pulls, **facts).strip()
    pull = forge.open_pull(ref.repo, head=branch, base=baseline.branch, title=title, body=body)
    said = SAID.format(where=f"#{pull.ref.number}", **facts)
    forge.comment(ref, execution.marked(said), marker=execution.marker)
    return Result(pull.html_url, {"ref": str(pull.ref)}, {"opened": str(pull.ref)})


@HANDLERS.on(WithdrawReverts)
def withdraw_reverts(execution: Execution, action: WithdrawReverts) -> Result:
    """Close proposals of the hive's own to undo what does not run any more; pull requests of anybody else stay, whatever their branch."""
    forge, own = execution.forge, execution.team.accounts["core"].id
    prefix, kept = BRANCH.format(sha=""), BRANCH.format(sha=action.sha[:12])
    said = WITHDRAWN.format(agent=action.agent, sha=code(action.sha[:7]))
    closed = []
    for pull in forge.open_pulls(action.repo):
        is_ours = pull.author.id == own and pull.head_repo == action.repo and pull.head_branch.startswith(prefix)
        if is_ours and pull.head_branch != kept:
            forge.comment(pull.ref, execution.marked(said), marker=execution.marker)
            forge.close(pull.ref)
            closed.append(str(pull.ref))
    if not closed:
        raise Superseded("nothing is proposed that would undo another commit")
    return Result(detail={"closed": closed})


def _edits(execution: Execution, ref: Ref, deployment: Deployment) -> list[FileEdit]:
    """What makes each file that the merges changed what it was before them."""
    paths: dict[str, None] = {}
    for number in deployment.pulls:
        for change in execution.forge.files(Ref(ref.repo, number)):
            paths |= dict.fromkeys(path for path in (change.path, change.previous_path) if path)
    if len(paths) > MOST_FILES:
        raise Superseded(f"{ref} changed {len(paths)} files, which is too much for one revert")
    return [FileEdit(path, _before(execution, ref, path, deployment.previous_sha)) for path in paths]


def _before(execution: Execution, ref: Ref, path: str, sha: str) -> bytes | None:
    try:
        return execution.forge.file(ref.repo, path, sha)
    except NotFound:
        return None
