"""The hive runs what operators merged into its own source, and nothing else; what fails is said, and undone by a merge."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from bots.intents import PinProposal
from bots.models import HIVE
from forge.gitea.admin import GiteaAdmin
from forge.gitea.operator import GiteaOperator
from forge.models import CommitStatus, FileEdit, Ref, State
from hive.app.adopt import run as adopt
from hive.app.own_upgrade import UpgradeWatch, own_upgrade
from hive.app.set_up import ADMIN
from hive.config.freeze import read_window
from hive.config.upgrade import UpgradeSettings
from hive.demo.setup import FORGE, OPERATOR
from hive.instance.instance import Instance, StartupError
from hive.ledger import NEVER, Deployment, DeploymentState, Scope, SuspensionReason
from hive.outbox.enqueue import enqueue
from hive.provision import Provisioner
from hive.reconcile.holds import Holds
from hive.reconcile.own_upgrade import NO_LAUNCHER, OwnUpgrade
from hive.supervisor.generations import Generations, VersionChange, VersionOutcome
from tests.hive.conftest import APP, HiveEnv

ALWAYS = ("00:00-23:59", "23:00-01:00")


@dataclass
class Own:
    """A hive whose own source is the project of its team."""

    env: HiveEnv
    instance: Instance
    admin: GiteaAdmin
    mara: GiteaOperator
    upgrade: OwnUpgrade = field(init=False)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """The host is another process."""
        found = own_upgrade(self.instance, Holds(self.instance.ledger))
        assert found is not None
        found.build, found.is_launched = "nothing builds here", True
        found.generations.root.mkdir(exist_ok=True)
        self.upgrade = found

    @property
    def generations(self) -> Generations:
        """The versions on disk."""
        return self.upgrade.generations

    def proposed(self, *, pinned: bool = True) -> Ref:
        """A pull request of mara's, as the gatekeeper saw it."""
        self.env.mara.commit(APP, [FileEdit("a", b"a")], message="a", branch="topic", start="main")
        ref = self.env.mara.open_pull(APP, head="topic", base="main", title="a", body="").ref
        if pinned:
            pin = PinProposal(ref, self.env.mara.pull(ref).head_sha, "", key="p")
            effect = enqueue(self.instance.ledger, "acme", "core", pin, by="gatekeeper")
            self.env.worker().apply(effect)
        return ref

    def merge(self, ref: Ref) -> str:
        """Mara merges what was reviewed; returns the new head."""
        head = self.env.mara.pull(ref).head_sha
        with self.env.house_core() as core:
            core.set_status(APP, head, CommitStatus("hive/review", State.SUCCESS, "fine"))
        self.mara.merge(ref, head_sha=head)
        return self.env.mara.branch(APP, "main").sha

    def push(self) -> str:
        """A push past the protection, as a site admin can bring about; returns the new head."""
        at = f"/repos/{APP.path}/branch_protections"
        rule = self.admin._client.get(f"{at}/main").value
        assert isinstance(rule, dict)
        self.admin._client.delete(f"{at}/main")
        with self.env.house_core() as core:
            core.put_file(APP, "a", b"a", message="a", branch="main")
        self.admin._client.post(at, **{key: value for key, value in rule.items() if not key.endswith("_at")})
        return self.env.mara.branch(APP, "main").sha

    def turn(self, times: int = 1) -> Deployment | None:
        """The host looks after it, whatever it did a moment ago; returns what is under way."""
        for _ in range(times):
            self.instance.ledger.deployments.request_check(HIVE)
            self.upgrade.keep()
        return self.instance.ledger.deployments.current(HIVE)

    def newest(self) -> Deployment:
        """The newest upgrade that was approved."""
        found = self.instance.ledger.deployments.newest(HIVE)
        assert found is not None
        return found

    def effects(self, kind: str) -> list[dict[str, Any]]:
        """What is enqueued of a kind."""
        rows = self.instance.ledger._db.rows("SELECT payload FROM effects WHERE kind = ? ORDER BY id", kind)
        return [json.loads(row["payload"]) for row in rows]

    def built(self, sha: str) -> None:
        """A version was built, as far as its files say it."""
        self.generations.place(sha).mkdir()
        self.generations.mark_built(sha)


@pytest.fixture
def own(hive_env: HiveEnv) -> Iterator[Own]:
    """A hive that was made ready for it."""
    settings = replace(
        hive_env.instance.settings, upgrade=UpgradeSettings(repository=APP.path, wheels="/nonexistent/wheels")
    )
    instance = Instance(settings)
    instance.__dict__["ledger"] = hive_env.instance.ledger
    password = instance.secret_store.password(FORGE, ADMIN)
    said: list[str] = []
    for _ in range(2):
        Provisioner.run(instance, FORGE, ADMIN, password, said.append)
    assert [line for line in said if "hive itself" in line] == [
        f"created baseline of the hive itself at the head of {APP.path}"
    ]
    instance.repository_tracker.pin_all()
    with (
        GiteaAdmin(name=FORGE, url=hive_env.forge.url, login=ADMIN, password=password) as admin,
        GiteaOperator(
            name=FORGE,
            url=hive_env.forge.url,
            token=admin.make_token(OPERATOR, "own", ("write:repository", "write:issue", "read:user")),
        ) as mara,
    ):
        yield Own(hive_env, instance, admin, mara)


def test_only_for_a_hive_that_names_its_source(hive_env: HiveEnv) -> None:
    """Without the key there is nothing, and before `hive init` knows the repository there is nothing either."""
    assert own_upgrade(hive_env.instance, Holds(hive_env.instance.ledger)) is None
    settings = replace(hive_env.instance.settings, upgrade=UpgradeSettings(repository=APP.path, wheels="/w"))
    named = Instance(settings)
    named.__dict__["ledger"] = hive_env.instance.ledger
    assert own_upgrade(named, Holds(named.ledger)) is None


def test_a_source_that_is_made_known_later_is_followed(hive_env: HiveEnv) -> None:
    """A host that runs before `hive init` knows the source begins with it then, without a start: a merge would do nothing."""
    settings = replace(hive_env.instance.settings, upgrade=UpgradeSettings(repository=APP.path, wheels="/w"))
    instance = Instance(settings)
    instance.__dict__["ledger"] = hive_env.instance.ledger
    watch = UpgradeWatch(instance, Holds(instance.ledger))
    watch.keep()
    assert watch._upgrade is None
    password = instance.secret_store.password(FORGE, ADMIN)
    for _ in range(2):
        Provisioner.run(instance, FORGE, ADMIN, password, lambda _: None)
    instance.repository_tracker.pin_all()
    watch.keep()
    found = watch._upgrade
    assert found is not None
    watch.keep()
    assert watch._upgrade is found


def test_a_merge_is_verified_and_held_like_any(own: Own) -> None:
    """An operator's merge of a head that was seen open is approved once; what holds deployments holds this one."""
    suspensions = own.instance.ledger.suspensions
    suspensions.suspend("acme", Scope.DEPLOYMENTS, HIVE, SuspensionReason.PAUSED, "an audit", until=NEVER)
    ref = own.proposed()
    sha = own.merge(ref)
    deployment = own.turn(4)
    assert deployment is not None
    assert (deployment.sha, deployment.pulls, deployment.is_waiting) == (sha, (ref.number,), True)
    assert [each["name"] for each in own.effects("create_tag")] == [f"approved/{ref.number}"]
    (waits,) = own.effects("post_comment")
    assert "waits**" in waits["body"]
    suspensions.resume("acme", Scope.DEPLOYMENTS, HIVE, SuspensionReason.PAUSED)
    deployment = own.turn()
    assert deployment is not None
    assert deployment.state is DeploymentState.BUILD


@pytest.mark.parametrize("how", ["pushed", "never seen open"])
def test_what_no_operator_approved_is_never_built(own: Own, how: str) -> None:
    """A push past the protection, and a head that was not seen while it was open, are refused in one issue."""
    if how == "pushed":
        own.push()
    else:
        own.merge(own.proposed(pinned=False))
    own.upgrade.watch._first_seen[own.env.mara.branch(APP, "main").sha] = 0.0
    assert own.turn(3) is None
    assert own.instance.ledger.deployments.newest(HIVE) is None
    (issue,) = own.effects("open_issue")
    assert "is on the branch and not approved" in issue["title"]
    assert "`hive adopt hive`" in issue["body"]


def test_an_operator_on_the_host_takes_what_was_refused(own: Own) -> None:
    """Shown first, nothing without a yes; then it is built like a merge, and waits for no freeze window."""
    with pytest.raises(StartupError, match="was not refused: there is nothing to adopt"):
        adopt(own.instance, HIVE, print, print)
    sha = own.push()
    own.upgrade.watch._first_seen[sha] = 0.0
    assert own.turn(3) is None
    shown: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        adopt(own.instance, HIVE, shown.append, interrupt)
    assert own.turn() is None, "no is no"
    assert shown[:2] == [f"hive: {APP.path}, branch main", "refused because: direct push"]
    assert shown[-2:] == ["1 files:", "  + a"]
    asked: list[str] = []
    own.upgrade = replace(own.upgrade, holds=Holds(own.instance.ledger, map(read_window, ALWAYS)))
    adopt(own.instance, HIVE, shown.append, asked.append)
    assert asked == ["Shall the hive run this, though no merge brought it?"]
    assert shown[-1] == f"hive is brought to {sha[:12]}; hive/meta will say so"
    deployment = own.turn()
    assert deployment is not None
    assert (deployment.sha, deployment.pulls, deployment.state) == (sha, (), DeploymentState.BUILD)
    (row,) = [row for row in own.instance.ledger.audit.after(0) if row.action == "commit_adopted"]
    assert (row.detail["agent"], row.detail["new"]) == (HIVE, sha)


def interrupt(_: str) -> None:
    """Somebody says no."""
    raise KeyboardInterrupt


@pytest.mark.parametrize(("is_launched", "why"), [(True, "nothing builds here"), (False, NO_LAUNCHER)])
def test_what_cannot_be_built_is_said(own: Own, is_launched: bool, why: str) -> None:
    """One comment, a red status, and a pull request that undoes it; nothing is asked of the launcher."""
    own.upgrade.is_launched = is_launched
    ref = own.proposed()
    own.merge(ref)
    assert own.turn(4) is None
    assert (own.newest().state, own.newest().reason) == (DeploymentState.FAILED, why)
    (comment,) = own.effects("post_comment")
    assert (comment["ref"]["number"], "does not run**" in comment["body"]) == (ref.number, True)
    (revert,) = own.effects("propose_revert")
    assert revert["agent"] == HIVE
    assert own.generations.wanted() is own.generations.trial() is None


def test_the_launcher_is_asked_until_it_has_answered(own: Own) -> None:
    """A request that is lost is made again; the answer to another one counts for nothing; that of this one is the end."""
    ref = own.proposed()
    sha = own.merge(ref)
    deployment = own.turn(2)
    assert deployment is not None
    own.instance.ledger.deployments.transition(deployment, DeploymentState.SWITCH)
    own.restart()
    own.turn()
    state = own.instance.ledger.deployments.current(HIVE)
    assert state is not None
    assert state.state is DeploymentState.BUILD, "a version that is gone is built again"
    own.built(sha)
    own.instance.ledger.deployments.transition(deployment, DeploymentState.SWITCH)
    for _ in range(2):
        own.turn()
        wanted = own.generations.wanted()
        assert wanted == VersionChange(sha, "", deployment.id, 300.0)
        assert wanted is not None
        (own.generations.root / "wanted.json").unlink()
    own.turn()
    own.generations.begin()
    own.turn()
    assert own.generations.wanted() is None, "it is being tried"
    own.generations.settle(VersionOutcome("e" * 40, deployment.id + 1, runs=True))
    own.generations.request(VersionChange(sha, "", deployment.id, 300.0))
    assert own.turn() is not None
    own.generations.settle(VersionOutcome(sha, deployment.id, runs=True))
    assert own.turn() is None
    assert own.generations.outcome() is None
    assert own.newest().state is DeploymentState.DEPLOYED
    baseline = own.instance.ledger.deployments.baseline(HIVE)
    assert baseline is not None
    assert baseline.running_sha == baseline.sha == sha


class BusyGenerations(Generations):
    """Versions whose launcher takes one step after each look at what it does."""

    def __init__(self, root: Path, steps: list[Callable[[], object]]) -> None:
        super().__init__(root)
        self.steps = steps

    def wanted(self) -> VersionChange | None:
        """As it is now."""
        found = super().wanted()
        self._go_on()
        return found

    def trial(self) -> VersionChange | None:
        """As it is now."""
        found = super().trial()
        self._go_on()
        return found

    def outcome(self) -> VersionOutcome | None:
        """As it is now."""
        found = super().outcome()
        self._go_on()
        return found

    def _go_on(self) -> None:
        if self.steps:
            self.steps.pop(0)()


@pytest.mark.parametrize("looks", [0, 1, 2])
@pytest.mark.parametrize("is_quick", [True, False])
def test_the_launcher_goes_on_while_it_is_looked_at(own: Own, looks: int, is_quick: bool) -> None:
    """Between any two looks a change may begin or end: it is never asked for again, as if what is tried were what ran before."""
    sha = own.merge(own.proposed())
    deployment = own.turn(2)
    assert deployment is not None
    own.built(sha)
    own.instance.ledger.deployments.transition(deployment, DeploymentState.SWITCH)
    plain = own.generations
    plain.request(VersionChange(sha, "", deployment.id, 300.0))
    end = [lambda: plain.settle(VersionOutcome(sha, deployment.id, runs=True))] if is_quick else []
    steps: list[Callable[[], object]] = [*[lambda: None] * looks, plain.begin, *end]
    own.upgrade.generations = BusyGenerations(plain.root, steps)
    own.turn()
    assert plain.wanted() is None or plain.trial() is None
    own.upgrade.generations = plain
    for step in steps:
        step()
    assert plain.wanted() is None
    if not is_quick:
        plain.settle(VersionOutcome(sha, deployment.id, runs=True))
    assert own.turn() is None
    assert own.newest().state is DeploymentState.DEPLOYED


def test_a_version_that_was_rolled_back(own: Own) -> None:
    """What runs is what ran before; the reason is told on the pull request, and the way back is proposed."""
    ref = own.proposed()
    sha = own.merge(ref)
    before = own.instance.ledger.deployments.baseline(HIVE)
    deployment = own.turn(2)
    assert deployment is not None
    assert before is not None
    own.built(sha)
    own.instance.ledger.deployments.transition(deployment, DeploymentState.SWITCH)
    own.generations.settle(
        VersionOutcome(sha, deployment.id, runs=False, why="it ended with status 1\nhive: lost its way")
    )
    assert own.turn() is None
    after = own.instance.ledger.deployments.baseline(HIVE)
    assert after is not None
    assert (after.running_sha, after.sha) == (before.running_sha, sha)
    assert own.newest().state is DeploymentState.ROLLED_BACK
    assert any("lost its way" in comment["body"] for comment in own.effects("post_comment"))
    assert len(own.effects("propose_revert")) == 1
