"""Another base is planned, verified and proposed as all that operators merge, and what is shown of it is one comment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from forge.models import FileEdit, PullRequest, Ref
from forge.protocol import Conflict, Refused
from hive.app.base_update import BaseWatch, host_lock
from hive.cli import main
from hive.config.base_yaml import FILE, NO_BASE, read_base
from hive.demo.setup import FORGE
from hive.instance.running_agent import keyless, keys_of, running_spec
from hive.ledger import Cascade, CascadeStep, DeploymentState, Generation, StepState
from hive.ledger.cascades import DELETED
from hive.outbox.agent_status import status_text
from hive.outbox.cascade_text import cascade_text
from hive.reconcile.backends import Unconfined
from hive.reconcile.cascade import CascadeRunner
from hive.reconcile.containers import Containers
from hive.reconcile.holds import Holds
from tests.hive.conftest import HiveEnv
from tests.hive.test_rosters import META, Registrar, patient, registrar, with_lexis

__all__ = ["registrar"]

EARTH = "env: {PLANET: earth}\n"


def propose(registrar: Registrar, text: str, branch: str = "base", file: str = FILE) -> Ref:
    """A pull request of mara's on the base."""
    edit = FileEdit(file, text.encode())
    registrar.env.mara.commit(META, [edit], message="x", branch=branch, start="main")
    return registrar.env.mara.open_pull(META, head=branch, base="main", title=branch, body="").ref


def perform(registrar: Registrar) -> None:
    """What is owed to the forge is done."""
    worker = registrar.env.worker()
    for effect in registrar.env.instance.ledger.effects.due():
        worker.apply(effect)


def runner(registrar: Registrar, tmp_path: Path) -> CascadeRunner:
    """What rolls bases out on a host, which has no containers."""
    ledger = registrar.env.instance.ledger
    return CascadeRunner(
        ledger, "core", lambda _: META, Containers(Unconfined(), tmp_path / "agents").dirs, Holds(ledger)
    )


def pulls(registrar: Registrar) -> list[PullRequest]:
    """The open pull requests on the hive's repository."""
    return list(registrar.env.mara.open_pulls(META))


def test_a_merged_base_opens_a_cascade_and_counts(registrar: Registrar, tmp_path: Path) -> None:
    """Planned, merged, verified: it counts, all containers are queued, and nothing is said of a roster that is the same."""
    ledger = registrar.env.instance.ledger
    pull = propose(registrar, EARTH)
    said = registrar.evaluate(pull)
    assert "the environment of all: PLANET is set" in said
    assert "the containers of all agents are rebuilt, one after another: the lead first" in said
    head = registrar.merge(pull)
    registrar.look()
    cascade = ledger.cascades.newest(FORGE)
    assert cascade is not None
    assert (cascade.base, cascade.sha, cascade.pulls) == (read_base(EARTH).digest, head, (pull.number,))
    assert ledger.bases.accepted(FORGE) == cascade.base
    kinds = [
        row["kind"] for row in ledger._db.rows("SELECT kind FROM effects WHERE actor = 'core' AND key LIKE 'host:%'")
    ]
    assert "post_comment" not in kinds
    assert runner(registrar, tmp_path).keep({"iris": FORGE}).agent == "iris"
    perform(registrar)
    shown = [each for each in registrar.env.mara.comments(pull) if "is rolled out" in each.body]
    assert len(shown) == 1
    assert "| iris | 🔨 is built |  |" in shown[0].body
    assert registrar.env.mara._tagged(META, f"approved/{pull.number}") == head
    registrar.look()
    newest = ledger.cascades.newest(FORGE)
    assert newest is not None
    assert newest.id == cascade.id, "a second look finds nothing to do"


def test_who_joins_beside_a_base_is_told_as_ever(registrar: Registrar) -> None:
    """A merge of both says of the roster what it always says, and the base is deployed when its containers run."""
    branch = "both"
    edits = [FileEdit("roster.yaml", with_lexis(registrar.text()).encode()), FileEdit(FILE, EARTH.encode())]
    registrar.env.mara.commit(META, edits, message="x", branch=branch, start="main")
    pull = registrar.env.mara.open_pull(META, head=branch, base="main", title=branch, body="").ref
    said = registrar.evaluate(pull)
    assert "lexis joins acme" in said
    assert "PLANET is set" in said
    registrar.merge(pull)
    registrar.look()
    perform(registrar)
    texts = [each.body for each in registrar.env.mara.comments(pull)]
    assert any("The roster is" in text and f"approved/{pull.number}" in text for text in texts)
    assert registrar.agents() == ("iris", "lexis")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("packages: [nosuchprogram]\n", "this host has no 'nosuchprogram'"),
        ("env: {LD_PRELOAD: x}\n", "base.yaml:1:7: env.LD_PRELOAD"),
        ("lock: {git: stale}\n", "lock: git: stale →"),
        ("lock: {git: stale}\n", "`hive base update` on the machine of the hive"),
        ("limits: {cpus: 7}\n", "limits: unknown key"),
        ("x" * 70_000, "is larger than 65536 bytes"),
    ],
)
def test_what_cannot_count_is_red(registrar: Registrar, text: str, said: str) -> None:
    """Before a merge the plan says what is wrong, and the forge does not let it be merged."""
    pull = propose(registrar, text)
    assert said in registrar.evaluate(pull).replace("\\", "")
    with pytest.raises((Conflict, Refused)):
        registrar.mara.merge(pull, head_sha=registrar.env.mara.pull(pull).head_sha)


def test_a_lock_that_is_fresh_is_green(registrar: Registrar) -> None:
    """What the host holds may be merged; a pull request that leaves the base alone does not have to look after it."""
    lock = host_lock(registrar.env.instance, NO_BASE)
    text = "lock:\n" + "".join(f"  {name}: '{word}'\n" for name, word in lock.items())
    assert "would not count" not in registrar.evaluate(propose(registrar, text))


def test_a_push_past_the_protection_rebuilds_nobody(registrar: Registrar) -> None:
    """A forged move of main is refused and told once; an operator on the host can take it as it is, and that rebuilds all."""
    admin, ledger = registrar.admin, registrar.env.instance.ledger
    at = f"/repos/{META.path}/branch_protections"
    rule = admin._client.get(f"{at}/main").value
    assert isinstance(rule, dict)
    admin._client.delete(f"{at}/main")
    with registrar.env.house_core() as core:
        core.put_file(META, FILE, EARTH.encode(), message="past the rule", branch="main")
    admin._client.post(at, **{key: value for key, value in rule.items() if not key.endswith("_at")})
    patient(registrar)
    for _ in range(3):
        registrar.look()
    assert registrar.acts().count("commit_rejected") == 1
    assert ledger.cascades.newest(FORGE) is None
    assert ledger.bases.accepted(FORGE) == ""
    config = str(Path(registrar.env.instance.settings.home) / "hive.yaml")
    done = CliRunner().invoke(main, ["adopt", "roster", config, "--yes"])
    assert done.exit_code == 0, done.output
    registrar.look()
    cascade = ledger.cascades.newest(FORGE)
    assert cascade is not None
    assert (cascade.base, cascade.pulls) == (read_base(EARTH).digest, ())


def test_what_the_host_holds_is_proposed_once(registrar: Registrar) -> None:
    """The command proposes the first lock, and what an upgrade made another one the host proposes by itself; a closed one stays closed."""
    instance, config = registrar.env.instance, str(Path(registrar.env.instance.settings.home) / "hive.yaml")
    done = CliRunner().invoke(main, ["base", "update", config])
    assert done.exit_code == 0, done.output
    assert "an operator's merge rolls it out" in done.output
    assert "git is " in done.output
    perform(registrar)
    [pull] = pulls(registrar)
    assert (pull.author.login, pull.title) == ("core", "Update the base of all containers")
    assert "Nothing was recorded of them so far." in pull.body
    text = registrar.env.mara.file(META, FILE, pull.head_branch).decode()
    assert dict(read_base(text).lock) == host_lock(instance, NO_BASE)
    registrar.evaluate(pull.ref)
    registrar.merge(pull.ref)
    registrar.look()
    done = CliRunner().invoke(main, ["base", "update", config])
    assert "the base says what the host holds" in done.output
    watch = BaseWatch()
    watch.look(instance)
    perform(registrar)
    assert pulls(registrar) == []

    stale = text.replace(dict(read_base(text).lock)["git"], "another")
    instance.ledger.bases.accept(FORGE, "f" * 40, read_base(stale).digest, stale)
    for cascade in instance.ledger.cascades.open():
        instance.ledger.cascades.end(cascade)
    with registrar.env.house_core() as core:
        edit = FileEdit(FILE, stale.encode())
        core.commit(META, [edit], message="x", branch="stale", start="main")
    registrar.evaluate(propose(registrar, text.replace("lock:", "lock:  # ours"), "comment"))
    for _ in range(2):
        BaseWatch().look(instance)
    rows = instance.ledger._db.rows("SELECT key FROM effects WHERE kind = 'propose_base_update' AND state = 'pending'")
    assert len(rows) == 1, "one lock is proposed once, however often the host looks"


def test_a_comment_that_a_person_deleted_stays_deleted(registrar: Registrar, tmp_path: Path) -> None:
    """It is edited in place; once it is deleted, there is no other."""
    ledger = registrar.env.instance.ledger
    pull = propose(registrar, EARTH)
    registrar.evaluate(pull)
    registrar.merge(pull)
    registrar.look()
    rollout = runner(registrar, tmp_path)
    rollout.keep({"iris": FORGE})
    perform(registrar)
    [shown] = [each for each in registrar.env.mara.comments(pull) if "is rolled out" in each.body]
    registrar.admin._client.delete(f"/repos/{META.path}/issues/comments/{shown.id}")
    cascade, current = ledger.cascades.newest(FORGE), ledger.deployments.current("iris")
    assert cascade is not None
    assert current is not None
    ledger.deployments.transition(current, DeploymentState.DEPLOYED)
    rollout.keep({"iris": FORGE})
    perform(registrar)
    assert ledger.cascades.get(cascade.id) is not None
    assert getattr(ledger.cascades.get(cascade.id), "comment", 0) == DELETED
    assert ledger.cascades.open() == []
    assert not [each for each in registrar.env.mara.comments(pull) if "base of" in each.body]


def test_the_queue_is_in_the_list(hive_env: HiveEnv) -> None:
    """Who is next and what failed stands beside each agent, and rebuild queues once more what failed."""
    ledger, config = hive_env.instance.ledger, str(Path(hive_env.instance.settings.home) / "hive.yaml")
    base = read_base(EARTH)
    ledger.bases.accept(FORGE, "f" * 40, base.digest, EARTH)
    cascade = ledger.cascades.begin(FORGE, team="acme", base=base.digest, sha="f" * 40, pulls=(9,))
    ledger.cascades.plan(cascade, ["iris"])
    said = CliRunner().invoke(main, ["agents", "list", config]).output
    assert "is rebuilt next, on the base of fffffff" in said
    baseline = ledger.deployments.baseline("iris")
    assert baseline is not None
    ledger.cascades.start(cascade, baseline)
    current = ledger.deployments.current("iris")
    assert current is not None
    assert "on the base of fffffff is built" in CliRunner().invoke(main, ["agents", "list", config]).output
    ledger.deployments.transition(current, DeploymentState.FAILED, "no room\nat all")
    ledger.cascades.end(cascade)
    assert (
        "could not be rebuilt on the base of fffffff, and goes on: no room"
        in CliRunner().invoke(main, ["agents", "list", config]).output
    )
    shown = status_text("acme", "iris", ledger.standings.of("acme", "iris"))
    assert "the base of `fffffff` on" in shown, "people find the commit, and no digest"
    assert base.digest[:7] not in shown
    done = CliRunner().invoke(main, ["agents", "rebuild", "iris", config])
    assert "not on the base that was merged last" in done.output
    [opened] = ledger.cascades.open()
    [step] = ledger.cascades.steps(opened.id)
    assert step.state is StepState.RELEASED, "who wants it at the machine itself waits for no freeze"


def test_a_container_on_a_base_has_its_own_configuration(hive_env: HiveEnv) -> None:
    """What a turn is told of its agent comes from what runs: a commit on a base, which may never have been built without one."""
    instance = hive_env.instance
    ledger, base = instance.ledger, read_base(EARTH)
    ledger.bases.accept(FORGE, "f" * 40, base.digest, EARTH)
    cascade = ledger.cascades.begin(FORGE, team="acme", base=base.digest, sha="f" * 40, pulls=(9,))
    ledger.cascades.plan(cascade, ["iris"])
    baseline = ledger.deployments.baseline("iris")
    assert baseline is not None
    ledger.cascades.start(cascade, baseline)
    current = ledger.deployments.current("iris")
    assert current is not None
    ledger.deployments.transition(current, DeploymentState.DEPLOYED)
    place = instance.agents / "iris" / "gens" / Generation(baseline.running_sha, base.digest)
    place.mkdir(parents=True)
    (place / "agent.json").write_text('{"engine": "mechanic", "model": "claude-opus-5-5"}')
    assert running_spec(instance, "iris")["model"] == "claude-opus-5-5"
    assert list(keyless(instance, keys_of(instance))) == [], "its engine needs no key"


WHOLE = Cascade(
    3,
    FORGE,
    "acme",
    "b" * 40,
    "f" * 40,
    (9,),
    is_planned=True,
    comment=0,
    shown="",
    shown_at=0.0,
    shows=0,
    created_at=100.0,
    ended_at=None,
)
DONE = CascadeStep("iris", StepState.STARTED, "", DeploymentState.DEPLOYED, 100.0, 101.25)
BROKEN = CascadeStep(
    "lexis", StepState.STARTED, "no heartbeat within 30 s\n| `<b>` @mara", DeploymentState.ROLLED_BACK, 102.0, 140.0
)


@pytest.mark.parametrize(
    ("name", "ended_at", "steps"),
    [
        ("under-way", None, (DONE, CascadeStep("lexis", StepState.STARTED, "", DeploymentState.PROBE, 102.0), CascadeStep("atlas", StepState.QUEUED), CascadeStep("argus", StepState.QUEUED, "its agent is stopped by mara"))),
        ("failed", 150.0, (DONE, BROKEN, CascadeStep("atlas", StepState.GONE, "it left the roster"))),
        ("done", 150.0, (DONE, CascadeStep("atlas", StepState.UNNEEDED), CascadeStep("lexis", StepState.JOINED, "", DeploymentState.VERIFIED))),
        ("nobody", 150.0, ()),
    ],
)  # fmt: skip
def test_the_comment_golden(
    name: str, ended_at: float | None, steps: tuple[CascadeStep, ...], golden: Callable[[str, str], None]
) -> None:
    """What people see of a base update, foreign words made harmless."""
    golden(f"cascade/{name}.md", cascade_text(replace(WHOLE, ended_at=ended_at), steps))
