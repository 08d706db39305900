"""Repositories are known by id: a renamed one is followed, one that is not there is suspended, a stranger is never believed."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from bots.intents import PostComment
from forge.gitea.admin import GiteaAdmin
from forge.models import Ref, Repo
from forge.webhook import Delivery
from hive.app.polls import Rounds
from hive.app.set_up import ADMIN
from hive.app.turn_brief import Brief
from hive.app.work import dispatcher_of, mirrors
from hive.config import load
from hive.demo.setup import FORGE
from hive.instance.instance import Instance
from hive.ledger import Scope, SuspensionReason, compress
from hive.outbox.enqueue import enqueue
from hive.outbox.state_labels import labels_of
from hive.reconcile.evidence import HEAD
from tests.hive.conftest import APP, CONFIG, HiveEnv

META = Repo(FORGE, "hive", "meta")


@pytest.fixture
def admin(hive_env: HiveEnv) -> Iterator[GiteaAdmin]:
    """Somebody who may rename, and take away."""
    password = hive_env.instance.secret_store.password(FORGE, ADMIN)
    with GiteaAdmin(name=FORGE, url=hive_env.forge.url, login=ADMIN, password=password) as made:
        yield made


def rename(admin: GiteaAdmin, path: str, name: str) -> None:
    """Somebody gives a repository another name."""
    admin._client.patch(f"/repos/{path}", name=name)


def make(admin: GiteaAdmin, org: str, name: str, *, private: bool = False) -> None:
    """Somebody makes a repository."""
    admin._client.post(f"/orgs/{org}/repos", name=name, auto_init=True, default_branch="main", private=private)


def transfer(hive_env: HiveEnv, repo: Repo, owner: str) -> None:
    """A repository goes to another organisation: the embedded forge has no route for it, and keeps it as a real one does."""
    site = hive_env.forge.site
    there = site.state.value("SELECT id FROM users WHERE login = ?", owner)
    row = site.state.row("SELECT id, owner_id FROM repositories WHERE full_name = ?", repo.path)
    assert row is not None
    with site.state.writing():
        site.state.run("DELETE FROM former_names WHERE owner_id = ? AND name = ?", there, repo.name)
        site.state.update("repos", row["id"], owner_id=there)
        site.state.run("INSERT OR REPLACE INTO former_names VALUES (?, ?, ?)", row["owner_id"], repo.name, row["id"])


def file(hive_env: HiveEnv, repo: Repo = APP, title: str = "A page is wrong") -> Ref:
    """Mara files an issue."""
    return hive_env.mara.open_issue(repo, title, title, marker=title).ref


def say(hive_env: HiveEnv, ref: Ref, words: str) -> int:
    """A comment is owed."""
    return enqueue(hive_env.instance.ledger, "acme", "core", PostComment(ref, words, key=words), by="test")


def at_once(hive_env: HiveEnv, pending: int) -> None:
    """A deed that waits is due now."""
    with hive_env.instance.ledger.transaction() as db:
        db.execute("UPDATE effects SET next_at = 0 WHERE id = ? AND state = 'pending'", (pending,))


def told(hive_env: HiveEnv) -> list[tuple[str, str]]:
    """The issues that are owed to hive/meta."""
    ledger = hive_env.instance.ledger
    pending = [ledger.effects.get(number) for number in ledger.effects.due()]
    said = [json.loads(effect.payload) for effect in pending if effect.kind == "open_issue"]
    return [(one["title"], one["body"]) for one in said if one["repo"]["name"] == META.name]


def heard(hive_env: HiveEnv, repo: Repo, repo_id: int, number: int) -> list[int]:
    """A delivery tells of a new issue; returns the jobs it made."""
    user = {"id": 1, "login": "mara"}
    place = {"id": repo_id, "full_name": repo.path}
    body = json.dumps({"action": "opened", "issue": {"number": number}, "repository": place, "sender": user}).encode()
    ledger = hive_env.instance.ledger
    uuid = f"{repo.path}-{repo_id}-{number}"
    assert ledger.deliveries.receive(Delivery(FORGE, uuid, "issues", body), compress(body))
    return dispatcher_of(hive_env.instance).dispatch()


def repo_id(admin: GiteaAdmin, repo: Repo) -> int:
    """The id of a repository."""
    return admin.repository(repo).id


def test_a_renamed_project_is_followed(
    hive_env: HiveEnv, admin: GiteaAdmin, golden: Callable[[str, str], None]
) -> None:
    """What is owed goes where the repository is now, deliveries and sweeps of it are the project's, and it is said once."""
    instance, store = hive_env.instance, replace(APP, name="store")
    ref = file(hive_env)
    pending = say(hive_env, ref, "still here")
    number = repo_id(admin, APP)
    rename(admin, APP.path, store.name)
    hive_env.worker().apply(pending)
    assert instance.ledger.effects.get(pending).state == "done"
    assert [comment.body.splitlines()[0] for comment in hive_env.mara.comments(replace(ref, repo=store))] == [
        "still here"
    ]
    instance.repository_tracker.refresh()
    (one,) = told(hive_env)
    golden("host/repository-renamed.md", "\n\n".join(one))
    (job, *_) = heard(hive_env, store, number, ref.number)
    claimed = instance.ledger.jobs.claim(job)
    assert claimed is not None
    assert claimed.event.ref == ref, "the house goes on to use its own name"
    later = file(hive_env, store, "Another one")
    before, loops = instance.ledger.audit.last(), instance.loops("test", threading.Event())
    Rounds(instance).go(loops.stop, loops.heartbeat("test"))
    found = {row.ref for row in instance.ledger.audit.after(before)}
    assert str(replace(later, repo=APP)) in found, "the other door"
    assert told(hive_env) == [one], "said once"
    rename(admin, store.path, APP.name)
    instance.repository_tracker.refresh()
    assert instance.names.current(APP) == APP
    assert instance.ledger.incidents.current("acme", f"renamed:{FORGE}:{number}") is None


def test_a_stranger_under_the_old_name(hive_env: HiveEnv, admin: GiteaAdmin) -> None:
    """What takes the old name is told apart by its id: nothing is written there, and it makes no work."""
    instance, store = hive_env.instance, replace(APP, name="store")
    ref, number = file(hive_env), repo_id(admin, APP)
    rename(admin, APP.path, store.name)
    make(admin, APP.owner, APP.name)
    stranger = hive_env.mara.open_issue(APP, "Not ours", "Not ours", marker="Not ours").ref
    assert stranger == ref, "even its numbers are the same"
    pending = say(hive_env, ref, "to the one that is meant")
    hive_env.worker().apply(pending)
    assert hive_env.mara.comments(stranger) == []
    assert len(hive_env.mara.comments(replace(ref, repo=store))) == 1
    assert heard(hive_env, APP, repo_id(admin, APP), stranger.number) == []
    loops = instance.loops("test", threading.Event())
    Rounds(instance).go(loops.stop, loops.heartbeat("test"))
    before = instance.ledger.audit.last()
    file(hive_env, APP, "Not ours either")
    Rounds(instance).go(loops.stop, loops.heartbeat("test"))
    assert [row for row in instance.ledger.audit.after(before) if row.ref.startswith(str(APP))] == []
    pinned = instance.ledger.repositories.of(APP)
    assert pinned is not None
    assert (pinned.id, pinned.now) == (number, store)


def test_a_transferred_project_is_suspended(
    hive_env: HiveEnv, admin: GiteaAdmin, golden: Callable[[str, str], None]
) -> None:
    """Where no team is nothing is done: what is owed and the turns wait, lose nothing, and go on when it is back."""
    ledger, ref = hive_env.instance.ledger, file(hive_env)
    run = ledger.runs.start("acme", "iris", str(ref), "k", "do it")
    number = repo_id(admin, APP)
    admin.ensure_org("elsewhere")
    transfer(hive_env, APP, "elsewhere")
    pending = say(hive_env, ref, "later")
    hive_env.worker().apply(pending)
    hive_env.instance.repository_tracker.refresh()
    hive_env.instance.repository_tracker.refresh()
    (one,) = told(hive_env)
    golden("host/repository-transferred.md", "\n\n".join(one))
    waiting = ledger.effects.get(pending)
    assert (waiting.state, waiting.attempts) == ("pending", 0)
    assert pending not in ledger.effects.due()
    assert ledger.runs.claim("iris") is None
    assert ledger.runs.due_run("iris") is None
    (standing,) = ledger.run_states.of(str(ref))
    assert labels_of(standing) == {"state/repository-lost"}
    assert any("transferred and is elsewhere/app" in str(suspension) for suspension in ledger.suspensions.all())
    transfer(hive_env, Repo(FORGE, "elsewhere", APP.name), APP.owner)
    hive_env.instance.repository_tracker.refresh()
    at_once(hive_env, pending)
    hive_env.worker().apply(pending)
    assert ledger.effects.get(pending).state == "done"
    turn = ledger.runs.claim("iris")
    assert turn is not None
    assert (turn.run, turn.attempts) == (run, 1)
    assert ledger.incidents.current("acme", f"lost:{FORGE}:{number}") is None


def test_other_work_goes_on(hive_env: HiveEnv, admin: GiteaAdmin) -> None:
    """A run whose repository is lost holds up none of the agent's others."""
    ledger = hive_env.instance.ledger
    ledger.runs.start("acme", "iris", f"{FORGE}:acme/app#1", "one", "lost")
    other = ledger.runs.start("acme", "iris", f"{FORGE}:acme/other#1", "two", "well")
    admin._client.delete(f"/repos/{APP.path}")
    hive_env.instance.repository_tracker.refresh()
    turn = ledger.runs.claim("iris")
    assert turn is not None
    assert turn.run == other


def test_a_configuration_that_is_replaced(
    hive_env: HiveEnv, admin: GiteaAdmin, golden: Callable[[str, str], None]
) -> None:
    """Its agent takes no turn, and that is said once; another repository is not believed."""
    ledger = hive_env.instance.ledger
    ref = file(hive_env)
    ledger.runs.start("acme", "iris", str(ref), "k", "do it")
    old = repo_id(admin, CONFIG)
    admin._client.delete(f"/repos/{CONFIG.path}")
    make(admin, CONFIG.owner, CONFIG.name, private=True)
    for _ in range(2):
        assert not hive_env.instance.repository_tracker.is_available(CONFIG)
        hive_env.instance.repository_tracker.refresh()
    (one,) = told(hive_env)
    new = repo_id(admin, CONFIG)
    golden(
        "host/repository-replaced.md", "\n\n".join(one).replace(f"id {new})", "id 9)").replace(f"(id {old})", "(id 7)")
    )
    assert ledger.runs.claim("iris") is None
    (suspension,) = ledger.suspensions.of("acme", Scope.AGENT, "iris")
    assert suspension.reason is SuspensionReason.REPOSITORY_LOST
    (standing,) = ledger.run_states.of(str(ref))
    assert labels_of(standing) == {"state/repository-lost"}


def test_a_renamed_configuration_is_followed(hive_env: HiveEnv, admin: GiteaAdmin) -> None:
    """The host reads it where it is, and a stranger under its name is not read."""
    instance = hive_env.instance
    head = admin.branch(CONFIG, "main").sha
    rename(admin, CONFIG.path, "iris-old")
    make(admin, CONFIG.owner, CONFIG.name, private=True)
    assert instance.repository_tracker.is_available(CONFIG)
    assert instance.names.current(CONFIG).path == "agent-configs/iris-old"
    assert mirrors(instance, "host")(CONFIG).fetch("refs/heads/main", HEAD) == head


def test_the_new_name_in_the_configuration(hive_env: HiveEnv, admin: GiteaAdmin) -> None:
    """hive.yaml with the new name: known by its id, and everything that was begun goes on under it."""
    instance, store = hive_env.instance, replace(APP, name="store")
    ref, number = file(hive_env), repo_id(admin, APP)
    pending = say(hive_env, ref, f"about {ref} and {APP}")
    run = instance.ledger.runs.start("acme", "iris", str(ref), "k", "do it")
    rename(admin, APP.path, store.name)
    instance.repository_tracker.refresh()
    make(admin, APP.owner, APP.name)
    path = instance.settings.home / "hive.yaml"
    path.write_text(path.read_text().replace("repos: [app]", "repos: [store]"))
    later = Instance(load(path))
    try:
        later.repository_tracker.pin_all()
        pinned = later.ledger.repositories.of(store)
        assert pinned is not None
        assert (pinned.id, pinned.now) == (number, store)
        assert later.ledger.repositories.of(APP) is None, "no second pin"
        found = later.ledger.runs.find(str(replace(ref, repo=store)))
        assert found is not None
        assert found.id == run
        effect = later.ledger.effects.get(pending)
        assert effect.ref == str(replace(ref, repo=store))
        said = json.loads(effect.payload)
        assert said["body"] == f"about {ref} and {APP}", "what was said stays as it was said"
        assert said["ref"]["repo"]["name"] == "store"
        assert later.ledger.incidents.current("acme", f"renamed:{FORGE}:{number}") is None
        later.repository_tracker.pin_all()
        assert later.ledger.repositories.of(store) == pinned
        assert later.names.named(APP, repo_id(admin, APP)) == APP
        assert later.settings.team_of(APP) is None, "the stranger under the old name is nobody's"
    finally:
        later.close()


def test_names_that_were_swapped(hive_env: HiveEnv, admin: GiteaAdmin) -> None:
    """Two repositories of the house that swap their names stay the two that they were."""
    instance = hive_env.instance
    make(admin, APP.owner, "site")
    path = instance.settings.home / "hive.yaml"
    path.write_text(path.read_text().replace("repos: [app]", "repos: [app, site]"))
    later, site = Instance(load(path)), replace(APP, name="site")
    try:
        later.repository_tracker.pin_all()
        ids = repo_id(admin, APP), repo_id(admin, site)
        for old, new in (("app", "third"), ("site", "app"), ("third", "site")):
            rename(admin, f"{APP.owner}/{old}", new)
        later.repository_tracker.refresh()
        assert (later.names.current(APP), later.names.current(site)) == (site, APP)
        assert (later.names.named(site, ids[0]), later.names.named(APP, ids[1])) == (APP, site)
        later.repository_tracker.pin_all()
        assert (later.names.current(APP), later.names.current(site)) == (site, APP), (
            "and reading the configuration again changes nothing"
        )
    finally:
        later.close()


def test_not_found_while_it_moves(hive_env: HiveEnv, admin: GiteaAdmin) -> None:
    """A repository that is renamed between two questions costs a second try, not the deed."""
    ledger, ref = hive_env.instance.ledger, file(hive_env)
    worker = hive_env.worker()
    first, pending = say(hive_env, ref, "before"), say(hive_env, ref, "after")
    worker.apply(first)
    rename(admin, APP.path, "store")
    worker.apply(pending)
    at_once(hive_env, pending)
    worker.apply(pending)
    assert ledger.effects.get(pending).state == "done"


def test_git_of_an_agent_goes_where_the_repository_is(hive_env: HiveEnv, admin: GiteaAdmin) -> None:
    """A container goes on to ask by the name that its turn was told; while the repository is lost its turn is not begun."""
    brief = Brief(hive_env.instance, "iris", "acme")
    rename(admin, APP.path, "store")
    assert hive_env.instance.address(APP) == "acme/store"
    assert brief.base(APP) == "main"
    admin._client.delete("/repos/acme/store")
    hive_env.instance.repository_tracker.refresh()
    for ask in (hive_env.instance.address, brief.base):
        with pytest.raises(OSError, match="acme/app is not where it was"):
            ask(APP)
