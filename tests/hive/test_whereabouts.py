"""Repositories are known by id: a renamed one is followed, one that is not there is suspended, a stranger is never believed."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import pytest

from bots.intents import OpenIssue, PostComment
from forge.gitea.admin import GiteaAdmin
from forge.types import Ref, Repo
from forge.webhook import Delivery
from hive.app.host import Brief
from hive.app.house import House
from hive.app.places import address
from hive.app.up import ADMIN
from hive.app.work import Rounds, mirrors, sorter_of
from hive.apply import owe
from hive.demo.stage import FORGE
from hive.ledger import Scope, Why, pack
from hive.reconcile.gather import HEAD
from hive.settings import load
from hive.states import labels_of
from tests.hive.conftest import APP, CONFIG, Village

META = Repo(FORGE, "hive", "meta")


@pytest.fixture
def admin(village: Village) -> Iterator[GiteaAdmin]:
    """Somebody who may rename, and take away."""
    password = village.house.vault.password(FORGE, ADMIN)
    with GiteaAdmin(name=FORGE, url=village.forge.url, login=ADMIN, password=password) as made:
        yield made


def rename(admin: GiteaAdmin, path: str, name: str) -> None:
    """Somebody gives a repository another name."""
    admin._client.patch(f"/repos/{path}", name=name)


def make(admin: GiteaAdmin, org: str, name: str, *, private: bool = False) -> None:
    """Somebody makes a repository."""
    admin._client.post(f"/orgs/{org}/repos", name=name, auto_init=True, default_branch="main", private=private)


def transfer(village: Village, repo: Repo, owner: str) -> None:
    """A repository goes to another organisation: the embedded forge has no route for it, and keeps it as a real one does."""
    site = village.forge.site
    there = site.state.value("SELECT id FROM users WHERE login = ?", owner)
    row = site.state.row("SELECT id, owner_id FROM repositories WHERE full_name = ?", repo.path)
    assert row is not None
    with site.state.writing():
        site.state.run("DELETE FROM former_names WHERE owner_id = ? AND name = ?", there, repo.name)
        site.state.update("repos", row["id"], owner_id=there)
        site.state.run("INSERT OR REPLACE INTO former_names VALUES (?, ?, ?)", row["owner_id"], repo.name, row["id"])


def file(village: Village, repo: Repo = APP, title: str = "A page is wrong") -> Ref:
    """Mara files an issue."""
    return village.mara.open_issue(repo, title, title, marker=title).ref


def say(village: Village, ref: Ref, words: str) -> int:
    """A comment is owed."""
    return owe(village.house.ledger, "acme", "core", PostComment(ref, words, key=words), by="test")


def at_once(village: Village, owed: int) -> None:
    """A deed that waits is due now."""
    with village.house.ledger.transaction() as db:
        db.execute("UPDATE effects SET next_at = 0 WHERE id = ? AND state = 'pending'", (owed,))


def told(village: Village) -> list[tuple[str, str]]:
    """The issues that are owed to hive/meta."""
    ledger = village.house.ledger
    owed = [ledger.effects.get(number) for number in ledger.effects.due()]
    said = [json.loads(effect.payload) for effect in owed if effect.kind == OpenIssue.__name__]
    return [(one["title"], one["body"]) for one in said if one["repo"]["name"] == META.name]


def heard(village: Village, repo: Repo, repo_id: int, number: int) -> list[int]:
    """A delivery tells of a new issue; returns the jobs it made."""
    user = {"id": 1, "login": "mara"}
    place = {"id": repo_id, "full_name": repo.path}
    body = json.dumps({"action": "opened", "issue": {"number": number}, "repository": place, "sender": user}).encode()
    ledger = village.house.ledger
    uuid = f"{repo.path}-{repo_id}-{number}"
    assert ledger.intake.receive(Delivery(FORGE, uuid, "issues", body), pack(body))
    return sorter_of(village.house).sort()


def repo_id(admin: GiteaAdmin, repo: Repo) -> int:
    """The id of a repository."""
    return admin.repository(repo).id


def test_a_renamed_project_is_followed(village: Village, admin: GiteaAdmin, golden: Callable[[str, str], None]) -> None:
    """What is owed goes where the repository is now, deliveries and sweeps of it are the project's, and it is said once."""
    house, store = village.house, replace(APP, name="store")
    ref = file(village)
    owed = say(village, ref, "still here")
    number = repo_id(admin, APP)
    rename(admin, APP.path, store.name)
    village.worker().apply(owed)
    assert house.ledger.effects.get(owed).state == "done"
    assert [comment.body.splitlines()[0] for comment in village.mara.comments(replace(ref, repo=store))] == [
        "still here"
    ]
    house.whereabouts.look()
    (one,) = told(village)
    golden("host/repository-renamed.md", "\n\n".join(one))
    (job, *_) = heard(village, store, number, ref.number)
    claimed = house.ledger.jobs.claim(job)
    assert claimed is not None
    assert claimed.event.ref == ref, "the house goes on to use its own name"
    later = file(village, store, "Another one")
    before, loops = house.ledger.audit.last(), house.loops("test", threading.Event())
    Rounds(house).go(loops.stop, loops.pulse("test"))
    found = {row.ref for row in house.ledger.audit.after(before)}
    assert str(replace(later, repo=APP)) in found, "the other door"
    assert told(village) == [one], "said once"
    rename(admin, store.path, APP.name)
    house.whereabouts.look()
    assert house.names.current(APP) == APP
    assert house.ledger.incidents.open("acme", f"renamed:{FORGE}:{number}") is None


def test_a_stranger_under_the_old_name(village: Village, admin: GiteaAdmin) -> None:
    """What takes the old name is told apart by its id: nothing is written there, and it makes no work."""
    house, store = village.house, replace(APP, name="store")
    ref, number = file(village), repo_id(admin, APP)
    rename(admin, APP.path, store.name)
    make(admin, APP.owner, APP.name)
    stranger = village.mara.open_issue(APP, "Not ours", "Not ours", marker="Not ours").ref
    assert stranger == ref, "even its numbers are the same"
    owed = say(village, ref, "to the one that is meant")
    village.worker().apply(owed)
    assert village.mara.comments(stranger) == []
    assert len(village.mara.comments(replace(ref, repo=store))) == 1
    assert heard(village, APP, repo_id(admin, APP), stranger.number) == []
    loops = house.loops("test", threading.Event())
    Rounds(house).go(loops.stop, loops.pulse("test"))
    before = house.ledger.audit.last()
    file(village, APP, "Not ours either")
    Rounds(house).go(loops.stop, loops.pulse("test"))
    assert [row for row in house.ledger.audit.after(before) if row.ref.startswith(str(APP))] == []
    pinned = house.ledger.repositories.of(APP)
    assert pinned is not None
    assert (pinned.id, pinned.now) == (number, store)


def test_a_transferred_project_is_suspended(
    village: Village, admin: GiteaAdmin, golden: Callable[[str, str], None]
) -> None:
    """Where no team is nothing is done: what is owed and the turns wait, lose nothing, and go on when it is back."""
    ledger, ref = village.house.ledger, file(village)
    run = ledger.runs.start("acme", "iris", str(ref), "k", "do it")
    number = repo_id(admin, APP)
    admin.ensure_org("elsewhere")
    transfer(village, APP, "elsewhere")
    owed = say(village, ref, "later")
    village.worker().apply(owed)
    village.house.whereabouts.look()
    village.house.whereabouts.look()
    (one,) = told(village)
    golden("host/repository-transferred.md", "\n\n".join(one))
    waiting = ledger.effects.get(owed)
    assert (waiting.state, waiting.attempts) == ("pending", 0)
    assert owed not in ledger.effects.due()
    assert ledger.runs.take("iris") is None
    assert ledger.runs.due("iris") is None
    (standing,) = ledger.standings.of(str(ref))
    assert labels_of(standing) == {"state/repository-lost"}
    assert any("transferred and is elsewhere/app" in str(parked) for parked in ledger.parking.all())
    transfer(village, Repo(FORGE, "elsewhere", APP.name), APP.owner)
    village.house.whereabouts.look()
    at_once(village, owed)
    village.worker().apply(owed)
    assert ledger.effects.get(owed).state == "done"
    turn = ledger.runs.take("iris")
    assert turn is not None
    assert (turn.run, turn.attempts) == (run, 1)
    assert ledger.incidents.open("acme", f"lost:{FORGE}:{number}") is None


def test_other_work_goes_on(village: Village, admin: GiteaAdmin) -> None:
    """A run whose repository is lost holds up none of the agent's others."""
    ledger = village.house.ledger
    ledger.runs.start("acme", "iris", f"{FORGE}:acme/app#1", "one", "lost")
    other = ledger.runs.start("acme", "iris", f"{FORGE}:acme/other#1", "two", "well")
    admin._client.delete(f"/repos/{APP.path}")
    village.house.whereabouts.look()
    turn = ledger.runs.take("iris")
    assert turn is not None
    assert turn.run == other


def test_a_configuration_that_is_replaced(
    village: Village, admin: GiteaAdmin, golden: Callable[[str, str], None]
) -> None:
    """Its agent takes no turn, and that is said once; another repository is not believed."""
    ledger = village.house.ledger
    ref = file(village)
    ledger.runs.start("acme", "iris", str(ref), "k", "do it")
    old = repo_id(admin, CONFIG)
    admin._client.delete(f"/repos/{CONFIG.path}")
    make(admin, CONFIG.owner, CONFIG.name, private=True)
    for _ in range(2):
        assert not village.house.whereabouts.here(CONFIG)
        village.house.whereabouts.look()
    (one,) = told(village)
    new = repo_id(admin, CONFIG)
    golden(
        "host/repository-replaced.md", "\n\n".join(one).replace(f"id {new})", "id 9)").replace(f"(id {old})", "(id 7)")
    )
    assert ledger.runs.take("iris") is None
    (parked,) = ledger.parking.of("acme", Scope.AGENT, "iris")
    assert parked.why is Why.LOST
    (standing,) = ledger.standings.of(str(ref))
    assert labels_of(standing) == {"state/repository-lost"}


def test_a_renamed_configuration_is_followed(village: Village, admin: GiteaAdmin) -> None:
    """The host reads it where it is, and a stranger under its name is not read."""
    house = village.house
    head = admin.branch(CONFIG, "main").sha
    rename(admin, CONFIG.path, "iris-old")
    make(admin, CONFIG.owner, CONFIG.name, private=True)
    assert house.whereabouts.here(CONFIG)
    assert house.names.current(CONFIG).path == "agent-configs/iris-old"
    assert mirrors(house, "host")(CONFIG).fetch("refs/heads/main", HEAD) == head


def test_the_new_name_in_the_configuration(village: Village, admin: GiteaAdmin) -> None:
    """hive.yaml with the new name: known by its id, and everything that was begun goes on under it."""
    house, store = village.house, replace(APP, name="store")
    ref, number = file(village), repo_id(admin, APP)
    owed = say(village, ref, f"about {ref} and {APP}")
    run = house.ledger.runs.start("acme", "iris", str(ref), "k", "do it")
    rename(admin, APP.path, store.name)
    house.whereabouts.look()
    make(admin, APP.owner, APP.name)
    path = house.settings.home / "hive.yaml"
    path.write_text(path.read_text().replace("repos: [app]", "repos: [store]"))
    later = House(load(path))
    try:
        later.whereabouts.settle()
        pinned = later.ledger.repositories.of(store)
        assert pinned is not None
        assert (pinned.id, pinned.now) == (number, store)
        assert later.ledger.repositories.of(APP) is None, "no second pin"
        found = later.ledger.runs.find(str(replace(ref, repo=store)))
        assert found is not None
        assert found.id == run
        effect = later.ledger.effects.get(owed)
        assert effect.ref == str(replace(ref, repo=store))
        said = json.loads(effect.payload)
        assert said["body"] == f"about {ref} and {APP}", "what was said stays as it was said"
        assert said["ref"]["repo"]["name"] == "store"
        assert later.ledger.incidents.open("acme", f"renamed:{FORGE}:{number}") is None
        later.whereabouts.settle()
        assert later.ledger.repositories.of(store) == pinned
        assert later.names.named(APP, repo_id(admin, APP)) == APP
        assert later.settings.team_of(APP) is None, "the stranger under the old name is nobody's"
    finally:
        later.close()


def test_names_that_were_swapped(village: Village, admin: GiteaAdmin) -> None:
    """Two repositories of the house that swap their names stay the two that they were."""
    house = village.house
    make(admin, APP.owner, "site")
    path = house.settings.home / "hive.yaml"
    path.write_text(path.read_text().replace("repos: [app]", "repos: [app, site]"))
    later, site = House(load(path)), replace(APP, name="site")
    try:
        later.whereabouts.settle()
        ids = repo_id(admin, APP), repo_id(admin, site)
        for old, new in (("app", "third"), ("site", "app"), ("third", "site")):
            rename(admin, f"{APP.owner}/{old}", new)
        later.whereabouts.look()
        assert (later.names.current(APP), later.names.current(site)) == (site, APP)
        assert (later.names.named(site, ids[0]), later.names.named(APP, ids[1])) == (APP, site)
        later.whereabouts.settle()
        assert (later.names.current(APP), later.names.current(site)) == (site, APP), (
            "and reading the configuration again changes nothing"
        )
    finally:
        later.close()


def test_not_found_while_it_moves(village: Village, admin: GiteaAdmin) -> None:
    """A repository that is renamed between two questions costs a second try, not the deed."""
    ledger, ref = village.house.ledger, file(village)
    worker = village.worker()
    first, owed = say(village, ref, "before"), say(village, ref, "after")
    worker.apply(first)
    rename(admin, APP.path, "store")
    worker.apply(owed)
    at_once(village, owed)
    worker.apply(owed)
    assert ledger.effects.get(owed).state == "done"


def test_git_of_an_agent_goes_where_the_repository_is(village: Village, admin: GiteaAdmin) -> None:
    """A container goes on to ask by the name that its turn was told; while the repository is lost its turn is not begun."""
    brief = Brief(village.house, "iris", "acme")
    rename(admin, APP.path, "store")
    assert address(village.house, APP) == "acme/store"
    assert brief.base(APP) == "main"
    admin._client.delete("/repos/acme/store")
    village.house.whereabouts.look()
    for ask in (partial(address, village.house), brief.base):
        with pytest.raises(OSError, match="acme/app is not where it was"):
            ask(APP)
