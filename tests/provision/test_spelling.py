"""Names are one however they are spelt, as they are for every forge: nothing ends half done, and nothing is passed over."""

from __future__ import annotations

import pytest

from forge.types import Ref, Repo
from hive.app.work import sorter_of, sweepers
from hive.provision import Provision
from tests.provision.conftest import ADMIN, APP, PASSWORD, Build, Estate


def test_one_repository() -> None:
    """Two spellings of a name are one repository, on one forge."""
    assert Repo("work", "Acme", "App") == Repo("work", "acme", "app")
    assert len({Repo("work", "Acme", "App"), Repo("work", "acme", "app")}) == 1
    assert Repo("other", "acme", "app") != Repo("work", "acme", "app")
    assert Ref(Repo("work", "Acme", "App"), 1) == Ref(APP, 1)


def spelt(build: Build, flavour: str) -> Estate:
    """A project that the forge writes Acme/App, and hive.yaml acme/app."""
    estate = build(flavour)
    for org, name in (("Acme", "App"), ("Birch", "Site")):
        estate.raw.post("/orgs", username=org)
        estate.raw.post(f"/orgs/{org}/repos", name=name, auto_init=True, default_branch="main")
    Provision.run(estate.house, "work", ADMIN, PASSWORD, lambda _: None)
    return estate


@pytest.mark.parametrize("flavour", ["forgejo-17", "gitea-1.26"])
def test_made_ready(build: Build, flavour: str) -> None:
    """It is made ready to the end, a second run changes nothing, and the doctor says that both are one."""
    estate = spelt(build, flavour)
    assert estate.plan() == []
    assert estate.ills() == []
    assert "🟢 work writes Acme/App for acme/app: both are one" in map(str, estate.doctor(admin=False))


def test_both_doors(build: Build) -> None:
    """What happens in Acme/App reaches team acme, by delivery and by sweep, under one name."""
    estate = spelt(build, "gitea-1.26")
    ours = sweepers(estate.house)
    for sweeper in ours:
        assert not sweeper.sweep().failed
    with estate.receiving():
        estate.raw.post("/repos/Acme/App/issues", title="one")
        assert any("deliveries arrive: " in sign.what for sign in estate.doctor(admin=False))
    sorter_of(estate.house).sort()
    estate.raw.post("/repos/Acme/App/issues", title="two")
    for sweeper in ours:
        assert not sweeper.sweep(thorough=True).failed
    with estate.house.ledger.transaction() as db:
        found = {tuple(row) for row in db.execute("SELECT team, ref FROM jobs")}
    assert found == {("acme", str(Ref(APP, 1))), ("acme", str(Ref(APP, 2)))}
