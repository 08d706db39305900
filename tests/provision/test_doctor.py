"""Whatever is loosened is found, said with how to mend it, and mended by the next init."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from bots.models import Level
from forge.events import PullChanged
from forge.gitea.permission_probe import try_merge, try_push
from forge.models import Ref, Repo, User
from hive.app.polls import pollers
from hive.app.work import worker_deps
from hive.demo.model import DiffResponder, ModelServer
from hive.provision.check_results import problem
from hive.secret_store import REREAD_SECONDS
from hive.worker.worker import Worker
from tests.provision.conftest import ADMIN, APP, BO, EVERY, IRIS, PASSWORD, Build, ProvisionEnv

Loosen = Callable[[ProvisionEnv], object]
RULE = "/repos/agent-configs/iris/branch_protections/main"
BOTS = {"repo.code": "write", "repo.issues": "write", "repo.pulls": "write"}


def account(provision_env: ProvisionEnv, login: str, **more: object) -> None:
    """Change an account as its admin."""
    provision_env.raw.patch(f"/admin/users/{login}", login_name=login, source_id=0, **more)


def hook(provision_env: ProvisionEnv) -> dict[str, str]:
    """The settings of a hook to the receiver."""
    web = provision_env.instance.settings.web
    return {"url": f"http://{web.host}:{web.port}/hook/work", "content_type": "json"}


def token(provision_env: ProvisionEnv, login: str) -> int:
    """The id of an account's only token."""
    (row,) = provision_env.raw.get(f"/users/{login}/tokens").each()
    return row["id"].number()


def widen(provision_env: ProvisionEnv) -> None:
    """Give triage a token that may do everything."""
    made = provision_env.raw.post("/users/triage/tokens", name="hive-wide", scopes=["all"])
    provision_env.instance.secret_store.keep_token("work", "triage", made["sha1"].text())


def label(provision_env: ProvisionEnv) -> int:
    """The id of a label."""
    rows = provision_env.raw.rows("/repos/acme/app/labels")
    return next(row["id"].number() for row in rows if row["name"].text() == "type/bug")


LOOSE: dict[str, tuple[Loosen, str]] = {
    "push to main": (
        lambda e: e.raw.patch(RULE, enable_push=True),
        "protection of main in agent-configs/iris: differs in enable_push",
    ),
    "anybody merges": (
        lambda e: e.raw.patch(RULE, enable_merge_whitelist=False),
        "protection of main in agent-configs/iris: differs in enable_merge_whitelist",
    ),
    "one more merger": (
        lambda e: e.raw.patch(RULE, merge_whitelist_usernames=["mara", "iris"]),
        "protection of main in agent-configs/iris: differs in merge_whitelist_usernames",
    ),
    "admins exempt": (
        lambda e: e.raw.patch(RULE, apply_to_admins=False),
        "protection of main in agent-configs/iris: differs in apply_to_admins",
    ),
    "no protection": (lambda e: e.raw.delete(RULE), "protection of main in agent-configs/iris: is missing"),
    "hook for pushes": (
        lambda e: e.raw.patch(f"/orgs/acme/hooks/{e.hooks('acme')[0]}", active=True),
        "does not hear create, delete, issue_assign and 13 more",
    ),
    "hook switched off": (
        lambda e: e.raw.patch(f"/orgs/acme/hooks/{e.hooks('acme')[0]}", active=False, events=["push"]),
        "is switched off",
    ),
    "no hook": (lambda e: e.raw.delete(f"/orgs/acme/hooks/{e.hooks('acme')[0]}"), "hook of acme to "),
    "two hooks": (
        lambda e: e.raw.post("/repos/acme/app/hooks", type="forgejo", active=True, config=hook(e)),
        "hook of acme/app itself: delivers what the organisation's hook delivers",
    ),
    "triage may push": (
        lambda e: e.raw.patch(f"/teams/{e.team('acme', 'bots')}", name="bots", permission="write", units_map=BOTS),
        "team acme/bots: may write code, write issues, write pulls",
    ),
    "an agent in the wrong team": (
        lambda e: e.raw.put(f"/teams/{e.team('acme', 'operators')}/members/iris"),
        "members of the teams of acme: iris is in the team operators",
    ),
    "an agent in another team": (
        lambda e: e.raw.put(f"/teams/{e.team('acme', 'agents')}/members/bo"),
        "members of the teams of acme: bo is in the team agents",
    ),
    "nobody in the team": (
        lambda e: e.raw.delete(f"/teams/{e.team('acme', 'agents')}/members/iris"),
        "team acme/agents: iris is not in it",
    ),
    "a guest": (
        lambda e: e.raw.put("/repos/agent-configs/iris/collaborators/bo", permission="admin"),
        "collaborators of agent-configs/iris: bo is a collaborator",
    ),
    "an agent who is admin": (
        lambda e: e.raw.put("/repos/agent-configs/iris/collaborators/iris", permission="admin"),
        "write access of iris to agent-configs/iris: is admin",
    ),
    "a password to change": (
        lambda e: account(e, "triage", must_change_password=True),
        "account triage: has to change its password",
    ),
    "a site admin": (lambda e: account(e, "argus", admin=True), "account argus: is a site admin"),
    "switched off": (lambda e: account(e, "iris", prohibit_login=True), "account iris: may not sign in"),
    "a wide token": (widen, "token of triage: is for all"),
    "a token of nobody": (
        lambda e: e.raw.delete("/users/iris/tokens/" + str(token(e, "iris"))),
        "token of iris: is not known to the forge",
    ),
    "a second token": (
        lambda e: e.raw.post("/users/iris/tokens", name="hive-old", scopes=["write:issue"]),
        "token 'hive-old' of iris: is not the one that is used",
    ),
    "an open secret": (
        lambda e: (e.config.parent / "state/secrets/work/iris.token").chmod(0o644),
        "token of iris: lies open to others",
    ),
    "a public configuration": (
        lambda e: e.raw.patch("/repos/agent-configs/bo", private=False),
        "repository agent-configs/bo: can be seen by everybody",
    ),
    "a label": (lambda e: e.raw.delete("/repos/acme/app/labels/" + str(label(e))), "label type/bug in acme/app"),
}


ROUNDS = [
    ("push to main", "hook for pushes", "triage may push", "a guest", "a password to change", "a label"),
    ("anybody merges", "hook switched off", "an agent in the wrong team", "a site admin", "a public configuration"),
    ("one more merger", "no hook", "nobody in the team", "switched off", "an open secret"),
    ("admins exempt", "two hooks", "an agent in another team", "a wide token", "a token of nobody"),
    ("no protection", "an agent who is admin", "a second token"),
]
"""Each thing once; those of a round do not get in each other's way."""


def test_every_thing_has_a_round() -> None:
    """Nothing that can be loosened is left out."""
    assert sorted(name for names in ROUNDS for name in names) == sorted(LOOSE)


@pytest.mark.parametrize("names", ROUNDS, ids=lambda names: names[0])
def test_what_is_loosened(provision_env: ProvisionEnv, names: tuple[str, ...]) -> None:
    """Each is found and red, with what to run; init mends it, and nothing is left to be found."""
    for name in names:
        LOOSE[name][0](provision_env)
    found = [sign for sign in provision_env.doctor() if sign.level is Level.RED]
    wanted = [LOOSE[name][1] for name in names]
    assert [said for said in wanted if not any(said in sign.what for sign in found)] == []
    assert all(sign.fix for sign in found)
    mended = "\n".join(provision_env.init())
    assert [said for said in wanted if said.partition(": ")[0] not in mended] == []
    assert provision_env.ills() == []


def test_a_branch_in_the_way(provision_env: ProvisionEnv) -> None:
    """Where there is a branch `agent`, no agent can push: nobody but the agents would see it."""
    with provision_env.by("core") as core:
        core.put_file(APP, "a", b"a", message="a", branch="side")
    provision_env.raw.patch("/repos/acme/app", default_branch="side")
    provision_env.raw.post("/repos/acme/app/branches", new_branch_name="agent", old_ref_name="side")
    assert [ill for ill in provision_env.ills(admin=False) if "acme/app has a branch agent: where" in ill]


def test_what_tokens_see(provision_env: ProvisionEnv) -> None:
    """Without an admin the doctor still sees what the hive's own tokens can see."""
    account(provision_env, "argus", must_change_password=True)
    widen(provision_env)
    provision_env.raw.delete(RULE)
    provision_env.raw.patch("/repos/agent-configs/bo", private=False)
    (provision_env.config.parent / "state/secrets/work/bo.token").chmod(0o640)
    said = "\n".join(provision_env.ills(admin=False))
    assert "rejected argus's token" in said
    assert "the token of triage has more rights than it needs: notifications, organisations" in said
    assert "main of agent-configs/iris is not protected" in said
    assert "agent-configs/bo is public" in said
    assert "bo.token can be read by others → chmod 600" in said
    assert "iris may push to main of agent-configs/iris" in said


@EVERY
def test_the_proof(build: Build, flavour: str) -> None:
    """Who may push or merge is found out by trying, red and loud, and `main` is where it was."""
    provision_env = build(flavour)
    provision_env.init()
    with provision_env.by("core") as core:
        core.put_file(APP, "a", b"a", message="a", branch="side")
        before = {repo: core.branch(repo, "main").sha for repo in (IRIS, BO)}
    provision_env.raw.patch(RULE, enable_push=True)
    provision_env.raw.patch("/repos/agent-configs/bo/branch_protections/main", enable_merge_whitelist=False)
    found = [str(sign) for sign in provision_env.doctor() if "stop the hive" in sign.fix]
    assert [line.partition(" (")[0] for line in found] == [
        "🔴 iris may push to main of agent-configs/iris → it could approve its own work: stop the hive, then hive init hive.yaml --admin LOGIN",
        "🔴 bo may merge in agent-configs/bo",
    ]
    with provision_env.by("core") as core:
        assert {repo: core.branch(repo, "main").sha for repo in (IRIS, BO)} == before


def test_the_proof_cannot_succeed(provision_env: ProvisionEnv) -> None:
    """With no protection at all, what is tried is found to be open, and changes nothing."""
    provision_env.raw.delete(RULE)
    with provision_env.by("core") as core:
        at = core.branch(IRIS, "main")
    secret_store = provision_env.instance.secret_store
    tried = try_push(provision_env.forge.url, "iris", secret_store.token("work", "iris"), IRIS, at)
    assert not tried.refused
    assert provision_env.raw.get("/repos/agent-configs/iris/branches/main")["commit"]["id"].text() == at.sha
    assert try_push(provision_env.forge.url, "iris", "0" * 40, IRIS, at).refused
    assert try_push(provision_env.forge.url, "iris", secret_store.token("work", "iris"), BO, at).refused


def test_the_doctor_leaves_nothing_behind(provision_env: ProvisionEnv) -> None:
    """After a look the forge has the issues, pull requests, branches and tokens that it had."""

    def kept() -> object:
        state = provision_env.forge.site.state
        branches = [provision_env.forge.site.git(row).refs() for row in state.rows("SELECT * FROM repositories")]
        return branches, [state.rows(f"SELECT * FROM {table} ORDER BY id") for table in ("issues", "tokens", "hooks")]  # noqa: S608

    before = kept()
    with provision_env.receiving():
        signs = provision_env.doctor()
    red = [str(sign) for sign in signs if sign.level is Level.RED]
    assert [found for found in red if "not contained" not in found] == []
    assert kept() == before


def test_beside_a_running_hive(provision_env: ProvisionEnv) -> None:
    """What the doctor tries with makes no work for bots and sweeps, and leaves nothing in the queue."""
    worker, ours = Worker(worker_deps(provision_env.instance)), pollers(provision_env.instance)
    for sweeper in ours:
        sweeper.sweep()
    with provision_env.receiving():
        assert any(sign.what.startswith("merges in ") for sign in provision_env.doctor())
        worker.dispatch()
        jobs = [provision_env.instance.ledger.backlog.all(), provision_env.instance.ledger.backlog.failed()]
    for sweeper in ours:
        assert not sweeper.sweep(thorough=True).jobs
    assert jobs == [[], []]
    with provision_env.instance.ledger.transaction() as db:
        assert db.execute("SELECT count(*) FROM deliveries").fetchone()[0] > 0, "they were delivered"
        assert db.execute("SELECT count(*) FROM jobs").fetchone()[0] == 0


def test_what_is_gone(provision_env: ProvisionEnv) -> None:
    """A look at what was taken away meanwhile is over, and no failure of its bot; in a repository that is gone it is one."""
    instance = provision_env.instance
    worker = Worker(worker_deps(instance))
    with provision_env.by("core") as core:
        gone = core.open_issue(APP, "one", "two", marker="two").ref
    provision_env.raw.delete(f"/repos/acme/app/issues/{gone.number}")
    lost = Ref(Repo("work", "acme", "never"), 1)
    mara = User(1, "mara")
    for ref in (gone, lost):
        instance.ledger.jobs.enqueue("acme", [("review", PullChanged(ref, mara, f"key:{ref}"))])
    worker.drain(threading.Event())
    (failed,) = instance.ledger.backlog.failed()
    assert failed.subject == str(lost)
    rows = [row for row in instance.ledger.audit.after(0) if row.action == "job_failed"]
    assert [row.ref for row in rows] == [str(lost)]


def test_another_address(provision_env: ProvisionEnv) -> None:
    """When `web.url` changes the hooks move along, and none stays behind; those of another hive stay."""
    foreign = {"url": "http://127.0.0.1:1/hook/work?hive=another", "content_type": "json"}
    provision_env.raw.post("/orgs/acme/hooks", type="forgejo", active=True, events=["push"], config=foreign)
    provision_env.config.write_text(
        provision_env.config.read_text().replace("web: {", 'web: {url: "http://127.0.0.1:2/below", ')
    )
    moved = provision_env.hive("init", "--admin", ADMIN)
    assert moved.returncode == 0, moved.stderr
    assert moved.stdout.count("fixed hook of ") == 4
    assert "delivers to http://127.0.0.1:" in moved.stdout
    urls = [row["config"]["url"].text() for row in provision_env.raw.rows("/orgs/acme/hooks")]
    assert foreign["url"] in urls
    (mine,) = [url for url in urls if url != foreign["url"]]
    assert mine.startswith("http://127.0.0.1:2/below/hook/work?hive=")
    assert provision_env.hive("init", "--admin", ADMIN).stdout == "work: 0 changes\n"


def test_deliveries(provision_env: ProvisionEnv) -> None:
    """What happens on the forge arrives at the receiver; a wrong secret and a closed door are told apart."""
    with provision_env.receiving():
        assert any("deliveries arrive: " in sign.what for sign in provision_env.doctor(admin=False))
        secret = provision_env.config.parent / "state/secrets/work/hook.secret"
        secret.write_text("another secret")
        time.sleep(2 * REREAD_SECONDS)
        (found,) = [sign for sign in provision_env.doctor(admin=False) if "deliveries" in sign.what]
        assert (found.level, found.fix) == (Level.RED, "hive rotate hive.yaml --hooks")
    (closed,) = [sign for sign in provision_env.doctor(admin=False) if "no receiver runs" in sign.what]
    assert closed.level is Level.YELLOW


def test_operators(provision_env: ProvisionEnv) -> None:
    """An operator who hides, who is another one now, or who is gone, is found."""
    noor = provision_env.person("noor")
    noor.patch("/user/settings", hide_activity=True)
    noor.close()
    assert any("operator noor hides activity" in line for line in provision_env.ills())
    with provision_env.instance.ledger.transaction() as db:
        db.execute("UPDATE identities SET user_id = 999 WHERE login = 'mara'")
    assert any("operator mara is another account now" in line for line in provision_env.ills(admin=False))
    provision_env.raw.post("/admin/users/noor/rename", new_username="eleonora")
    assert any("operator noor has no account" in line for line in provision_env.ills(admin=False))
    assert provision_env.instance.ledger.identity("work", "mara") == User(999, "mara")


def test_a_clock_that_is_wrong(provision_env: ProvisionEnv) -> None:
    """A forge whose clock is not this machine's is pointed out."""
    then = provision_env.instance.ledger.clock
    provision_env.instance.ledger.clock = lambda: then() - 3600
    assert any(
        "the clock of work is 3" in line and "s ahead of this one" in line for line in provision_env.ills(admin=False)
    )


def test_no_forge(provision_env: ProvisionEnv) -> None:
    """A forge that does not answer is a finding, and the machine is looked at all the same."""
    provision_env.forge.stop()
    signs = provision_env.doctor()
    assert signs[-1].level is Level.RED
    assert "does not answer" in signs[-1].what
    assert len(signs) > 3


def test_a_wrong_password(provision_env: ProvisionEnv) -> None:
    """A wrong password is a finding, and is not repeated."""
    done = provision_env.hive("doctor", "--admin", ADMIN, password="wrong-password")
    assert done.returncode == 1
    assert f"refuses the password of {ADMIN}" in done.stdout
    assert "wrong-password" not in done.stdout + done.stderr


def test_on_the_command_line(provision_env: ProvisionEnv) -> None:
    """One line for each finding, plain when piped; the status says whether anything is red."""
    with ModelServer(DiffResponder()) as model:
        text = provision_env.config.read_text()
        provision_env.config.write_text(text.replace("http://127.0.0.1:1", model.url))
        well = provision_env.hive("doctor")
    assert well.returncode == 0, well.stdout + well.stderr
    *lines, count, hint = well.stdout.splitlines()
    assert {line[0] for line in lines} <= {"🟢", "🟡"}
    assert count.startswith("0 🔴")
    assert "--admin LOGIN" in hint
    assert "\x1b" not in well.stdout
    provision_env.raw.delete(RULE)
    ill = provision_env.hive("doctor", "--admin", ADMIN)
    assert ill.returncode == 1
    assert "🔴 protection of main in agent-configs/iris: is missing → hive init " in ill.stdout
    assert PASSWORD not in ill.stdout + ill.stderr


def test_in_a_terminal() -> None:
    """A long finding is folded at the width of the terminal, under its own words."""
    folded = problem("x " * 60, "do this").wrapped(80).splitlines()
    assert len(folded) == 2
    assert max(map(len, folded)) < 80
    assert folded[1].startswith("   x")


def test_without_a_draft(provision_env: ProvisionEnv) -> None:
    """A pull request that is not there is nothing that an agent may merge."""
    secret_store = provision_env.instance.secret_store
    with provision_env.by("core") as core:
        issue = core.open_issue(APP, "one", "two", marker="two").ref
    assert try_merge("work", provision_env.forge.url, secret_store.token("work", "iris"), issue).refused


def test_an_archived_project(provision_env: ProvisionEnv) -> None:
    """Where nothing can be done nothing is tried: an archived project is one finding, and the others are looked at as ever."""
    provision_env.init()
    provision_env.person("noor").post("/repos/birch/site/contents/a.txt", content="aGkK", message="begin")
    provision_env.init()
    before = provision_env.ills()
    provision_env.raw.patch("/repos/birch/site", archived=True)
    assert sorted({*provision_env.ills()} - {*before}) == [
        "🔴 birch/site is archived, or a mirror → agents cannot work there; fix `repos`"
    ]
