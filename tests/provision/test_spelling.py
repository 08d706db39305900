"""Names are one however they are spelt, as they are for every forge: nothing ends half done, and nothing is passed over."""

from __future__ import annotations

import pytest

from forge.models import Ref, Repo
from hive.app.polls import pollers
from hive.app.work import dispatcher_of
from hive.provision import Provisioner
from tests.nightly import by_night
from tests.provision.conftest import ADMIN, APP, PASSWORD, Build, ProvisionEnv


def test_one_repository() -> None:
    """Two spellings of a name are one repository, on one forge."""
    assert Repo("work", "Acme", "App") == Repo("work", "acme", "app")
    assert len({Repo("work", "Acme", "App"), Repo("work", "acme", "app")}) == 1
    assert Repo("other", "acme", "app") != Repo("work", "acme", "app")
    assert Ref(Repo("work", "Acme", "App"), 1) == Ref(APP, 1)


def spelt(build: Build, flavour: str) -> ProvisionEnv:
    """A project that the forge writes Acme/App, and hive.yaml acme/app."""
    provision_env = build(flavour)
    for org, name in (("Acme", "App"), ("Birch", "Site")):
        provision_env.raw.post("/orgs", username=org)
        provision_env.raw.post(f"/orgs/{org}/repos", name=name, auto_init=True, default_branch="main")
    Provisioner.run(provision_env.instance, "work", ADMIN, PASSWORD, lambda _: None)
    return provision_env


@pytest.mark.parametrize("flavour", ["gitea-1.26", *by_night("forgejo-17")])
def test_made_ready(build: Build, flavour: str) -> None:
    """It is made ready to the end, a second run changes nothing, and the doctor says that both are one."""
    provision_env = spelt(build, flavour)
    assert provision_env.plan() == []
    assert provision_env.ills() == []
    assert "🟢 work writes Acme/App for acme/app: both are the same repository" in map(
        str, provision_env.doctor(admin=False)
    )


def test_both_doors(build: Build) -> None:
    """What happens in Acme/App reaches team acme, by delivery and by sweep, under one name."""
    provision_env = spelt(build, "gitea-1.26")
    ours = pollers(provision_env.instance)
    for sweeper in ours:
        assert not sweeper.sweep().failed
    with provision_env.receiving():
        provision_env.raw.post("/repos/Acme/App/issues", title="one")
        assert any("deliveries arrive: " in sign.what for sign in provision_env.doctor(admin=False))
    dispatcher_of(provision_env.instance).dispatch()
    provision_env.raw.post("/repos/Acme/App/issues", title="two")
    for sweeper in ours:
        assert not sweeper.sweep(thorough=True).failed
    with provision_env.instance.ledger.transaction() as db:
        found = {tuple(row) for row in db.execute("SELECT team, ref FROM jobs")}
    assert found == {("acme", str(Ref(APP, 1))), ("acme", str(Ref(APP, 2)))}
