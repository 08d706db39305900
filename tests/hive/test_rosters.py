"""Only what operators merged changes who works here; what else stands on the branch is refused, and said once."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner

from bots.agent_intents import roster_of
from forge.events import ReviewAsked
from forge.gitea.admin import GiteaAdmin
from forge.gitea.operator import GiteaOperator
from forge.models import FileEdit, Ref, Repo, User
from forge.protocol import Conflict, NotFound, Refused
from hive.app.rosters import HostRosters
from hive.app.set_up import ADMIN, AgentSetUp
from hive.cli import main
from hive.config.roster import FILE
from hive.demo.setup import FORGE
from hive.instance.rosters import rostered, waiting_agents
from hive.ledger import DeploymentState
from hive.outbox.incidents import IncidentReporter
from hive.reconcile.branch_watch import BranchWatch
from tests.hive.conftest import HiveEnv

META = Repo(FORGE, "hive", "meta")
MARA = "mara"


@dataclass
class Registrar:
    """A hive, its host's view of the roster, and mara who merges."""

    env: HiveEnv
    rosters: HostRosters
    admin: GiteaAdmin
    mara: GiteaOperator

    def text(self) -> str:
        """The roster on the forge."""
        return self.env.mara.file(META, FILE, "main").decode()

    def propose(self, text: str, branch: str = "topic") -> Ref:
        """A pull request of mara's."""
        edit = FileEdit(FILE, text.encode())
        self.env.mara.commit(META, [edit], message="x", branch=branch, start="main")
        return self.env.mara.open_pull(META, head=branch, base="main", title=branch, body="").ref

    def evaluate(self, pull: Ref) -> str:
        """Let the bot plan it; returns its last comment."""
        who = User(self.env.mara.user(MARA).id, MARA)
        event = ReviewAsked(pull, who, f"k{self.env.mara.pull(pull).head_sha}")
        ledger, worker = self.env.instance.ledger, self.env.worker()
        for job in ledger.jobs.enqueue("acme", [("roster", event)]):
            worker.run_job(job)
        for effect in ledger.effects.due():
            worker.apply(effect)
        return self.env.mara.comments(pull)[-1].body

    def merge(self, pull: Ref) -> str:
        """Mara merges; returns the new head."""
        for _ in range(200):
            try:
                self.mara.merge(pull, head_sha=self.env.mara.pull(pull).head_sha)
                break
            except (Conflict, Refused) as error:
                refused = error
        else:
            raise refused
        return self.env.mara.branch(META, "main").sha

    def look(self) -> None:
        """The host looks, whatever it did a moment ago."""
        self.env.instance.ledger.deployments.request_check(roster_of(FORGE))
        self.rosters._next_look = 0.0
        self.rosters.keep()

    def acts(self) -> list[str]:
        """What the audit log has of the host."""
        return [row.action for row in self.env.instance.ledger.audit.after(0) if row.actor == "host"]

    def agents(self) -> tuple[str, ...]:
        """Who is on the roster that counts."""
        return rostered(self.env.instance, whole=True).settings.teams["acme"].agents


@pytest.fixture
def registrar(hive_env: HiveEnv) -> Iterator[Registrar]:
    """A hive that was made ready, and has a roster of one agent."""
    instance = hive_env.instance
    secret = instance.secret_store
    incidents = IncidentReporter(instance.ledger, "core", instance.ops)
    with (
        GiteaAdmin(name=FORGE, url=hive_env.forge.url, login=ADMIN, password=secret.password(FORGE, ADMIN)) as admin,
        GiteaOperator(
            name=FORGE,
            url=hive_env.forge.url,
            token=admin.make_token(MARA, "roster", ("write:repository", "write:issue", "read:user")),
        ) as mara,
    ):
        instance.repository_tracker.pin_all()
        yield Registrar(hive_env, HostRosters(instance, incidents), admin, mara)


def with_lexis(text: str) -> str:
    """The roster with one more agent."""
    return text.replace("agents: [iris]", "agents: [iris, lexis]")


def test_a_merge_counts_and_is_told(registrar: Registrar) -> None:
    """Planned, merged, verified: the roster counts, with tag, log and comment; a second look finds nothing to do."""
    pull = registrar.propose(with_lexis(registrar.text()))
    assert "lexis joins acme" in registrar.evaluate(pull)
    head = registrar.merge(pull)
    registrar.look()
    assert registrar.agents() == ("iris", "lexis")
    owed = {
        row["kind"]
        for row in registrar.env.instance.ledger._db.rows("SELECT kind FROM effects WHERE state = 'pending'")
    }
    assert owed >= {"create_tag", "commit_file", "post_comment"}
    baseline = registrar.env.instance.ledger.deployments.baseline(roster_of(FORGE))
    assert baseline is not None
    assert (baseline.sha, baseline.running_sha) == (head, head)
    before = registrar.acts()
    registrar.look()
    assert registrar.acts() == before


def test_nobody_comes_while_a_bot_could_merge(registrar: Registrar) -> None:
    """A roster that was merged meanwhile is not followed, and counts as soon as merges prove something again."""
    pull = registrar.propose(with_lexis(registrar.text()))
    registrar.evaluate(pull)
    registrar.merge(pull)
    is_held = registrar.rosters.is_held
    registrar.rosters.is_held = lambda _: True
    registrar.look()
    assert registrar.agents() == ("iris",)
    registrar.rosters.is_held = is_held
    registrar.look()
    assert registrar.agents() == ("iris", "lexis")


def test_who_is_set_up_in_part_waits_too(registrar: Registrar) -> None:
    """An agent without a token ends no process that would need it, whenever one looks; the rest is made up for."""
    pull = registrar.propose(with_lexis(registrar.text()))
    registrar.evaluate(pull)
    registrar.merge(pull)
    registrar.look()
    instance, secrets = registrar.env.instance, registrar.env.instance.secret_store
    AgentSetUp(instance).look()
    token = secrets.token(FORGE, "lexis")
    (instance.settings.state / "secrets" / FORGE / "lexis.token").unlink()
    assert waiting_agents(instance) == {"lexis": "acme"}
    assert rostered(instance).settings.teams["acme"].agents == ("iris",)
    registrar.rosters._next_look = 0.0
    assert registrar.rosters.keep() is None
    AgentSetUp(instance).look()
    assert secrets.token(FORGE, "lexis") != token
    registrar.rosters._next_look = 0.0
    now = registrar.rosters.keep()
    assert now is not None
    assert now.settings.teams["acme"].agents == ("iris", "lexis")


def test_who_has_no_account_waits_and_nothing_breaks(registrar: Registrar) -> None:
    """An agent that was merged is not among those that run before it is set up, and then it is."""
    pull = registrar.propose(with_lexis(registrar.text()))
    registrar.evaluate(pull)
    registrar.merge(pull)
    registrar.look()
    instance = registrar.env.instance
    assert rostered(instance).settings.teams["acme"].agents == ("iris",)
    assert waiting_agents(instance) == {"lexis": "acme"}
    assert rostered(instance).team("acme").agents.keys() == {"iris"}
    AgentSetUp(instance).look()
    assert rostered(instance).team("acme").agents.keys() == {"iris", "lexis"}
    baseline = instance.ledger.deployments.baseline("lexis")
    assert baseline is not None
    assert baseline.running_sha == "", "no container before its configuration is merged"
    found = registrar.rosters
    found._next_look = 0.0
    now = found.keep()
    assert now is not None
    assert now.settings.teams["acme"].agents == ("iris", "lexis")


def _push(registrar: Registrar, text: str) -> str:
    """A push past the protection, as a site admin can bring about."""
    at = f"/repos/{META.path}/branch_protections"
    rule = registrar.admin._client.get(f"{at}/main").value
    assert isinstance(rule, dict)
    registrar.admin._client.delete(f"{at}/main")
    with registrar.env.house_core() as core:
        core.put_file(META, FILE, text.encode(), message="past the rule", branch="main")
    registrar.admin._client.post(at, **{key: value for key, value in rule.items() if not key.endswith("_at")})
    return registrar.env.mara.branch(META, "main").sha


def patient(registrar: Registrar) -> BranchWatch:
    """The host's watch, which no longer waits for a slow forge."""
    registrar.look()
    watch = registrar.rosters._keepers[FORGE].watch
    watch._first_seen = dict.fromkeys(watch._first_seen, -1e9)
    return watch


def test_a_push_of_the_hive_itself_changes_nobody(registrar: Registrar) -> None:
    """Even core's own push is refused: one issue, no other roster; an operator on the host can take it as it is."""
    sha = _push(registrar, with_lexis(registrar.text()))
    patient(registrar)
    registrar.look()
    registrar.look()
    assert registrar.acts().count("commit_rejected") == 1
    assert registrar.agents() == ("iris",)
    config = str(Path(registrar.env.instance.settings.home) / "hive.yaml")
    done = CliRunner().invoke(main, ["adopt", "roster", config, "--yes"])
    assert done.exit_code == 0, done.output
    assert "refused because: direct push" in done.output
    registrar.look()
    assert registrar.agents() == ("iris", "lexis")
    baseline = registrar.env.instance.ledger.deployments.baseline(roster_of(FORGE))
    assert baseline is not None
    assert (baseline.sha, baseline.rejected_sha) == (sha, "")
    rows = registrar.env.instance.ledger._db.rows("SELECT payload FROM effects WHERE kind = 'add_to_issue'")
    assert [json.loads(row["payload"])["closes"] for row in rows] == [True], "the issue about it is over"


def test_nobody_but_operators_moves_the_roster(registrar: Registrar) -> None:
    """The accounts of the hive, and an agent's, can neither push to it nor merge there."""
    pull = registrar.propose(with_lexis(registrar.text()))
    registrar.evaluate(pull)
    head = registrar.env.mara.pull(pull).head_sha
    secret = registrar.env.instance.secret_store
    for login in ("core", "triage", "argus", "iris"):
        token = secret.token(FORGE, login)
        with (
            GiteaOperator(name=FORGE, url=registrar.env.forge.url, token=token) as hands,
            pytest.raises((Conflict, NotFound, Refused)),
        ):
            hands.merge(pull, head_sha=head)
    with registrar.env.house_core() as core, pytest.raises((Conflict, Refused)):
        core.put_file(META, FILE, b"teams: {}", message="x", branch="main")
    assert registrar.env.mara.branch(META, "main").sha != head


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text.replace("[iris]", "[iris, mara]"), "'mara' is an operator"),
        (lambda text: text.replace("[iris]", "[]"), "should be one of the team's agents"),
        (lambda text: text + "limits: {steps: 500}\n", "limits: unknown key"),
        (lambda text: text.replace("[iris]", "[iris, noor]"), "noor is an account of somebody else on this forge"),
        (lambda _: "", "there is no such file"),
    ],
)
def test_what_cannot_count_is_red(registrar: Registrar, change: Callable[[str], str], said: str) -> None:
    """Before a merge the plan says what is wrong, with its place, and the forge does not let it be merged."""
    registrar.admin.ensure_user("noor", password="noor-password", email="noor@forge.invalid")
    text = change(registrar.text())
    content = text.encode() if text else None
    registrar.env.mara.commit(META, [FileEdit(FILE, content)], message="x", branch="topic", start="main")
    pull = registrar.env.mara.open_pull(META, head="topic", base="main", title="topic", body="").ref
    assert said in registrar.evaluate(pull)
    with pytest.raises((Conflict, Refused)):
        registrar.mara.merge(pull, head_sha=registrar.env.mara.pull(pull).head_sha)


def test_a_roster_that_cannot_be_read_leaves_everybody(registrar: Registrar) -> None:
    """What was merged past the red status, by whoever could, is told on its pull request, and the old one counts."""
    pull = registrar.propose(registrar.text().replace("[iris]", "[iris, iris]"))
    registrar.evaluate(pull)
    sha = registrar.env.mara.pull(pull).head_sha
    ledger = registrar.env.instance.ledger
    baseline = ledger.deployments.baseline(roster_of(FORGE))
    assert baseline is not None
    registrar.look()
    ledger.deployments.start(baseline, sha, (pull.number,), baseline.cursor)
    registrar.rosters._keepers[FORGE].watch.source.mirror().fetch(f"refs/pull/{pull.number}/head", "test")
    registrar.look()
    assert registrar.agents() == ("iris",)
    assert "roster_failed" in registrar.acts()
    assert ledger.deployments.current(roster_of(FORGE)) is None
    rows = ledger._db.rows("SELECT state FROM deployments WHERE agent = ?", roster_of(FORGE))
    assert rows[-1]["state"] == DeploymentState.FAILED.value
