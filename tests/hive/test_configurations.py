"""Tags that somebody else put there, plans that are old, and changes on which others stand: each is told from the usual case."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from bots.agent_intents import (
    DeployNow,
    ProposeRevert,
    ResumeDeployments,
    RetryDeployment,
    SuspendDeployments,
    roster_of,
)
from bots.configurations import ConfigurationView, Evaluation
from bots.intents import ShowPlan, TagProposal
from forge.gitea.admin import GiteaAdmin
from forge.models import FileEdit, Ref, Repo, User
from forge.protocol import NotFound
from hive.app.evaluators import evaluate_module, evaluator, evaluators
from hive.app.set_up import ADMIN
from hive.app.status import queue
from hive.app.work import LedgerHistory, mirrors
from hive.config.freeze import FROZEN
from hive.demo.setup import FORGE
from hive.ledger import NEVER, DeploymentState, Scope, StepState, SuspensionReason
from hive.outbox.actions import Action, CreateTag, WithdrawReverts
from hive.outbox.enqueue import enqueue
from hive.reconcile.nix_evaluation import NoEvaluator
from tests.hive.conftest import CONFIG, HiveEnv


def perform(env: HiveEnv, action: Action) -> str:
    """Let the hive do it; returns what the audit log says of it."""
    env.worker().apply(enqueue(env.instance.ledger, "acme", "core", action, by="gatekeeper"))
    return env.instance.ledger.audit.after(0)[-1].action


def proposal(env: HiveEnv, branch: str = "topic", text: str = "lane: app\n") -> Ref:
    """A pull request on the configuration."""
    env.mara.commit(CONFIG, [FileEdit("agent.yaml", text.encode())], message="x", branch=branch, start="main")
    return env.mara.open_pull(CONFIG, head=branch, base="main", title=branch, body="").ref


def test_a_tag_of_somebody_else_takes_no_name(hive_env: HiveEnv) -> None:
    """An agent that has pushed the next tags before changes nothing: the hive's bear the commit's abbreviation beside."""
    ref = proposal(hive_env)
    head, main = hive_env.mara.pull(ref).head_sha, hive_env.mara.branch(CONFIG, "main").sha
    hive_env.mara.tag(CONFIG, f"proposal/{ref.number}-1", main, "mine")
    hive_env.mara.tag(CONFIG, f"deployed/{ref.number}", main, "mine")
    hive_env.instance.ledger.proposals.pin(str(ref), head, "t" * 40)
    assert perform(hive_env, TagProposal(ref, head, key="a")) == "tag_proposal"
    assert perform(hive_env, CreateTag(CONFIG, f"deployed/{ref.number}", head, "x", key="b")) == "create_tag"
    for name in (f"proposal/{ref.number}-1", f"deployed/{ref.number}"):
        assert hive_env.mara._tagged(CONFIG, name) == main
        assert hive_env.mara._tagged(CONFIG, f"{name}-{head[:7]}") == head


def test_a_head_keeps_its_number(hive_env: HiveEnv) -> None:
    """It is that of its pin: tagged late or twice, it is the same."""
    ref, pins = proposal(hive_env), hive_env.instance.ledger.proposals
    first = hive_env.mara.pull(ref).head_sha
    pins.pin(str(ref), first, "t" * 40)
    hive_env.mara.commit(CONFIG, [FileEdit("agent.yaml", b"lane: app\nminutes: 5\n")], message="y", branch="topic")
    second = hive_env.mara.pull(ref).head_sha
    pins.pin(str(ref), second, "u" * 40)
    pins.pin(str(ref), second, "v" * 40)
    assert pins.heads(str(ref)) == (first, second)
    for key, head in (("a", second), ("b", first), ("c", second)):
        perform(hive_env, TagProposal(ref, head, key=key))
    assert hive_env.mara._tagged(CONFIG, f"proposal/{ref.number}-1") == first
    assert hive_env.mara._tagged(CONFIG, f"proposal/{ref.number}-2") == second


def test_the_plan_of_an_older_head_is_not_shown(hive_env: HiveEnv) -> None:
    """Plans may be performed in any order: the comment is that of the head and base that there are."""
    ref = proposal(hive_env)
    old = hive_env.mara.pull(ref).head_sha
    perform(hive_env, ShowPlan(ref, old, "main", "first", key="1"))
    hive_env.mara.commit(CONFIG, [FileEdit("agent.yaml", b"lane: app\nminutes: 5\n")], message="y", branch="topic")
    new = hive_env.mara.pull(ref).head_sha
    perform(hive_env, ShowPlan(ref, new, "main", "second", key="2"))
    assert perform(hive_env, ShowPlan(ref, old, "main", "late", key="3")) == "effect_superseded"
    assert perform(hive_env, ShowPlan(ref, new, "elsewhere", "late", key="4")) == "effect_superseded"
    (comment,) = hive_env.mara.comments(ref)
    assert comment.body.startswith("second")
    perform(hive_env, ShowPlan(ref, new, "main", "second", key="5"))
    assert len(hive_env.mara.comments(ref)) == 1


def deployed(env: HiveEnv, ref: Ref, state: DeploymentState) -> str:
    """The pull request was merged, and the host did what it could; returns the new head."""
    head = env.mara.pull(ref).head_sha
    password = env.instance.secret_store.password(FORGE, ADMIN)
    with GiteaAdmin(name=FORGE, url=env.forge.url, login=ADMIN, password=password) as admin:
        if admin.protection(CONFIG, "main") is not None:
            admin._client.delete(f"/repos/{CONFIG.path}/branch_protections/main")
        admin._client.post(f"/repos/{CONFIG.path}/pulls/{ref.number}/merge", Do="merge", head_commit_id=head)
    sha = env.mara.branch(CONFIG, "main").sha
    deployments = env.instance.ledger.deployments
    baseline = deployments.baseline("iris")
    assert baseline is not None
    opened = deployments.start(baseline, sha, (ref.number,), baseline.cursor + 1)
    deployments.transition(opened, state, "it died")
    return sha


def test_what_failed_is_undone_in_one_pull_request(hive_env: HiveEnv) -> None:
    """Files that were changed, added and removed are what they were; wanted twice, it is one."""
    before = {path: hive_env.mara.file(CONFIG, path, "main") for path in ("agent.yaml", "README.md")}
    edits = [FileEdit("agent.yaml", b"lane: app\nminutes: 5\n"), FileEdit("new.md", b"x"), FileEdit("README.md", None)]
    hive_env.mara.commit(CONFIG, edits, message="x", branch="topic", start="main")
    ref = hive_env.mara.open_pull(CONFIG, head="topic", base="main", title="t", body="").ref
    sha = deployed(hive_env, ref, DeploymentState.ROLLED_BACK)
    for key in ("a", "b"):
        assert perform(hive_env, ProposeRevert(ref, "iris", "it died @eve", key=key)) == "propose_revert"
    (pull,) = hive_env.mara.open_pulls(CONFIG)
    assert pull.head_branch == f"hive/revert-{sha[:12]}"
    assert "it died @\u2060eve" in pull.body
    for path, text in before.items():
        assert hive_env.mara.file(CONFIG, path, pull.head_branch) == text
    with pytest.raises(NotFound):
        hive_env.mara.file(CONFIG, "new.md", pull.head_branch)


def test_a_change_on_which_others_stand_is_not_undone_alone(hive_env: HiveEnv) -> None:
    """When more was merged since, or nothing ran before, there is nothing to propose."""
    first = proposal(hive_env, "one", "lane: app\nminutes: 5\n")
    deployed(hive_env, first, DeploymentState.DEPLOYED)
    second = proposal(hive_env, "two", "lane: app\nminutes: 6\n")
    deployed(hive_env, second, DeploymentState.DEPLOYED)
    assert perform(hive_env, ProposeRevert(first, "iris", "x", key="a")) == "effect_superseded"
    assert perform(hive_env, ProposeRevert(Ref(CONFIG, 99), "iris", "x", key="b")) == "effect_superseded"
    assert hive_env.mara.open_pulls(CONFIG) == []


@pytest.mark.parametrize("state", [DeploymentState.FAILED, DeploymentState.ROLLED_BACK])
def test_only_what_failed_is_tried_again(hive_env: HiveEnv, state: DeploymentState) -> None:
    """Once for each wish, and not while one is open; what runs is not deployed again."""
    ref, deployments = proposal(hive_env), hive_env.instance.ledger.deployments
    sha = deployed(hive_env, ref, state)
    assert perform(hive_env, RetryDeployment(ref, "iris", key="a")) == "retry_deployment"
    opened = deployments.current("iris")
    assert opened is not None
    assert (opened.sha, opened.pulls, opened.state) == (sha, (ref.number,), DeploymentState.VERIFIED)
    assert perform(hive_env, RetryDeployment(ref, "iris", key="b")) == "effect_superseded"
    deployments.transition(opened, DeploymentState.DEPLOYED)
    assert perform(hive_env, RetryDeployment(ref, "iris", key="c")) == "effect_superseded"


def test_a_base_is_deployed_by_the_same_words(hive_env: HiveEnv) -> None:
    """What waits for a freeze is released, whom it failed for is queued again; bots see both, and nothing of a base that does not count."""
    ref, ledger = Ref(Repo(FORGE, "hive", "meta"), 9), hive_env.instance.ledger
    retry, now, name = RetryDeployment, DeployNow, roster_of(FORGE)
    assert perform(hive_env, retry(ref, name, key="a")) == "effect_superseded"
    assert perform(hive_env, now(ref, name, key="a")) == "effect_superseded"
    ledger.bases.accept(FORGE, "f" * 40, "abc", "env: {A: b}\n")
    cascade = ledger.cascades.begin(FORGE, team="acme", base="abc", sha="f" * 40, pulls=(9,))
    ledger.cascades.plan(cascade, ["iris"])
    history = LedgerHistory(ledger)
    assert not history.configuration(name, ref).waits, "it begins by itself"
    until = datetime(2026, 12, 7, 8, tzinfo=UTC)
    ledger.cascades.mark(cascade, "iris", StepState.QUEUED, why=FROZEN.format(until=until))
    assert history.configuration(name, ref) == ConfigurationView(last="f" * 40, pulls=(9,), waits=True)
    assert perform(hive_env, now(ref, name, key="b")) == "deploy_now"
    assert ledger.cascades.steps(cascade.id)[0].state is StepState.RELEASED
    baseline = ledger.deployments.baseline("iris")
    assert baseline is not None
    ledger.cascades.start(cascade, baseline)
    opened = ledger.deployments.current("iris")
    assert opened is not None
    ledger.deployments.transition(opened, DeploymentState.FAILED, "no")
    ledger.cascades.end(cascade)
    assert history.configuration(name, ref) == ConfigurationView(last="f" * 40, pulls=(9,), failed=True)
    assert perform(hive_env, retry(ref, name, key="c")) == "retry_deployment"
    assert [each.id for each in ledger.cascades.open()] == [cascade.id]
    assert perform(hive_env, retry(ref, name, key="d")) == "effect_superseded"
    ledger.bases.accept(FORGE, "e" * 40, "abd", "env: {A: c}\n")
    assert history.configuration(name, ref) == ConfigurationView()


def test_suspended_until_it_is_resumed(hive_env: HiveEnv) -> None:
    """It is in the ledger, so it outlives every process; `hive queue` shows it, and bots are told; the agent itself goes on."""
    ref, ledger = proposal(hive_env), hive_env.instance.ledger
    history = LedgerHistory(ledger)
    for key in ("a", "b"):
        action = SuspendDeployments(ref, "iris", User(1, "mara"), "an audit", key=key)
        assert perform(hive_env, action) == "suspend_deployments"
    why = "deployments suspended by mara: an audit"
    assert history.configuration("iris", ref).suspended == why
    assert history.suspension_reasons("iris") == ()
    shown = [line for line in queue(ledger) if line.startswith("suspended")]
    assert [line.partition(", since")[0] for line in shown] == [f"suspended  acme iris: {why}"]
    assert perform(hive_env, ResumeDeployments(ref, "iris", key="c")) == "resume_deployments"
    assert history.configuration("iris", ref).suspended == ""
    assert ledger.suspensions.all() == []


def test_only_what_waits_is_released(hive_env: HiveEnv) -> None:
    """A deployment that is under way, and one that is over, are not begun by a word."""
    ref, deployments = proposal(hive_env), hive_env.instance.ledger.deployments
    assert perform(hive_env, DeployNow(ref, "iris", key="a")) == "effect_superseded"
    baseline = deployments.baseline("iris")
    assert baseline is not None
    opened = deployments.start(baseline, "e" * 40, (ref.number,), baseline.cursor + 1)
    assert not deployments.is_under_way("iris")
    suspensions, held = hive_env.instance.ledger.suspensions, SuspensionReason.BOTS_CAN_MERGE
    suspensions.suspend("acme", Scope.DEPLOYMENTS, "", held, "iris may merge", until=NEVER)
    assert perform(hive_env, DeployNow(ref, "iris", key="e")) == "effect_superseded", (
        "a word does not mend a protection"
    )
    suspensions.resume("acme", Scope.DEPLOYMENTS, "", held)
    assert perform(hive_env, DeployNow(ref, "iris", key="b")) == "deploy_now"
    assert deployments.is_under_way("iris")
    assert perform(hive_env, DeployNow(ref, "iris", key="c")) == "effect_superseded"
    deployments.transition(opened, DeploymentState.ROLLING_BACK)
    assert perform(hive_env, DeployNow(ref, "iris", key="d")) == "effect_superseded"


def test_what_is_not_needed_any_more_is_withdrawn(hive_env: HiveEnv) -> None:
    """When another commit runs, the hive's own way back is closed, with a word, once; nobody else's pull request is."""
    ref = proposal(hive_env)
    sha = deployed(hive_env, ref, DeploymentState.ROLLED_BACK)
    perform(hive_env, ProposeRevert(ref, "iris", "it died", key="a"))
    (back,) = hive_env.mara.open_pulls(CONFIG)
    theirs = proposal(hive_env, f"hive/revert-{'a' * 12}", "lane: app\nminutes: 9\n")
    assert perform(hive_env, WithdrawReverts(CONFIG, "iris", sha, key="b")) == "effect_superseded"
    assert hive_env.mara.pull(back.ref).is_open, "what it undoes is what runs"
    assert perform(hive_env, WithdrawReverts(CONFIG, "iris", "b" * 40, key="c")) == "withdraw_reverts"
    assert not hive_env.mara.pull(back.ref).is_open
    assert hive_env.mara.pull(theirs).is_open
    (said,) = hive_env.mara.comments(back.ref)
    assert said.body.startswith("🧹 iris runs `bbbbbbb` by now")
    assert perform(hive_env, WithdrawReverts(CONFIG, "iris", "b" * 40, key="d")) == "effect_superseded"


def planned(env: HiveEnv, module: str, *, is_used: bool) -> Evaluation:
    """What is said of a change that adds a module, on a host that makes containers from it or not."""
    edit = FileEdit("agent.nix", module.encode())
    env.mara.commit(CONFIG, [edit], message="x", branch="module", start="main")
    pull = env.mara.pull(env.mara.open_pull(CONFIG, head="module", base="main", title="t", body="").ref)
    found = evaluators(env.instance, mirrors(env.instance, "work"), lambda *_: env.mara).configs
    return replace(found, evaluate_module=evaluate_module if is_used else None).evaluate(pull, "iris")


def test_a_module_that_nothing_uses_is_named(hive_env: HiveEnv) -> None:
    """It is no error: it says nothing on this host, and somebody should know."""
    found = planned(hive_env, "{ reads = builtins.readFile /etc/passwd; }", is_used=False)
    assert found.problems == ()
    assert found.changes == ("agent.nix changes, and this host's sandbox does not use it",)


@pytest.mark.parametrize(
    ("module", "said"),
    [
        ("{ pkgs, ... }: { }", ""),
        ("{ a = 1; b = ; }", "agent.nix:1:14"),
        ("builtins.readFile /etc/passwd", "agent.nix:1:1"),
    ],
)
def test_a_module_is_evaluated_before_it_is_merged(hive_env: HiveEnv, module: str, said: str) -> None:
    """Where containers are made from it, a module that is wrong, or wants more than it may, is red with its place."""
    try:
        evaluator()
    except NoEvaluator as error:
        pytest.skip(f"nothing evaluates Nix here: {error}")
    found = planned(hive_env, module, is_used=True)
    if said:
        assert found.problems[0].startswith(said), found.problems
    else:
        assert (found.problems, found.changes) == ((), ("another system, by agent.nix",))
