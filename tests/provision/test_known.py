"""Repositories are known by id: a renamed one is followed, a replaced one is not believed, a missing one is asked for."""

from __future__ import annotations

import pytest

from hive.app.house import NotReady
from hive.provision import Provision
from tests.provision.conftest import ADMIN, PASSWORD, Build, Estate

EVERY = pytest.mark.parametrize("flavour", ["forgejo-17", "forgejo-10", "gitea-1.26"])


def init(estate: Estate) -> list[str]:
    """What an operator runs: nothing is made that was not asked for."""
    said: list[str] = []
    Provision.run(estate.house, "work", ADMIN, PASSWORD, said.append)
    return said


def names(estate: Estate, org: str) -> list[str]:
    """The repositories of an organisation."""
    return sorted(row["name"].text() for row in estate.raw.rows(f"/orgs/{org}/repos"))


def rename(estate: Estate, path: str, name: str) -> None:
    """Somebody gives a repository another name."""
    estate.raw.patch(f"/repos/{path}", name=name)


def test_a_missing_project(build: Build) -> None:
    """A project that is not there is not made unasked, and neither is anything else."""
    estate = build("forgejo-17")
    with pytest.raises(NotReady, match=r"acme/app is not there: .* hive init --create-missing"):
        init(estate)
    assert not list(estate.raw.rows("/orgs"))
    assert "made repository acme/app" in estate.init()
    assert init(estate) == []


@EVERY
def test_a_renamed_project(build: Build, flavour: str) -> None:
    """It is followed, not made anew: init and doctor look after it where it is, and the doctor says what it is called now."""
    estate = build(flavour)
    estate.init()
    rename(estate, "acme/app", "shop")
    assert init(estate) == []
    assert names(estate, "acme") == ["shop"]
    (said,) = estate.ills(admin=False)
    assert said == "🟡 acme/app is acme/shop now, and is followed → put that into hive.yaml"
    estate.raw.delete("/repos/acme/shop/branch_protections/main")
    assert init(estate) == ["made protection of main in acme/app"]
    assert estate.raw.get("/repos/acme/shop/branch_protections/main").present
    rename(estate, "acme/shop", "app")
    assert init(estate) == []


def test_a_stranger_under_the_old_name(estate: Estate) -> None:
    """Another repository under the old name is not taken for the one that was meant, and stays as it is."""
    rename(estate, "acme/app", "shop")
    estate.raw.post("/orgs/acme/repos", name="app", auto_init=True, default_branch="main")
    assert init(estate) == []
    assert not list(estate.raw.rows("/repos/acme/app/branch_protections"))
    assert "acme/app is acme/shop now" in "\n".join(estate.ills(admin=False))


@pytest.mark.parametrize("path", ["acme/app", "agent-configs/iris"])
def test_a_replaced_repository(estate: Estate, path: str) -> None:
    """Where the one that was meant is gone nothing is made, and what bears its name is refused in words."""
    owner, name = path.split("/")
    estate.raw.delete(f"/repos/{path}")
    with pytest.raises(NotReady, match=rf"^{path} \(id \d+\) is gone, or may not be seen any more; nothing was made$"):
        init(estate)
    estate.raw.post(f"/orgs/{owner}/repos", name=name, auto_init=True, default_branch="main")
    with pytest.raises(
        NotReady, match=rf"^{path} \(id \d+\) is gone, and another repository bears its name .*; nothing was made$"
    ):
        init(estate)
    ills = "\n".join(estate.ills(admin=False))
    assert f"🔴 {path} (id " in ills
    assert "is gone, and another repository bears its name" in ills


def test_a_project_that_was_taken_out(estate: Estate) -> None:
    """What is no part of the configuration is forgotten by init; put back, what bears its name then is meant."""
    whole = estate.config.read_text()
    estate.raw.delete("/repos/acme/app")
    estate.raw.post("/orgs/acme/repos", name="app", auto_init=True, default_branch="main")
    for text in (whole.replace("repos: [app]", "repos: [tool]"), whole):
        estate.config.write_text(text)
        done = estate.hive("init", "--admin", ADMIN, "--create-missing")
        assert done.returncode == 0, done.stderr


def test_a_renamed_configuration(estate: Estate) -> None:
    """The same for configurations: nothing is seeded into the place of one that was renamed."""
    rename(estate, "agent-configs/iris", "iris2")
    assert init(estate) == []
    assert names(estate, "agent-configs") == ["bo", "iris2"]


def test_the_configuration_of_another(estate: Estate) -> None:
    """A configuration that is given another agent's name does not become that agent's."""
    estate.raw.delete("/repos/agent-configs/bo")
    rename(estate, "agent-configs/iris", "bo")
    with pytest.raises(NotReady, match=r"^agent-configs/bo \(id \d+\) is gone, and another repository bears its name"):
        init(estate)


def test_a_plan_asks_as_well(build: Build) -> None:
    """A plan is the same code: it does not say that a project would be made that init would not make."""
    estate = build("forgejo-17")
    with pytest.raises(NotReady, match=r"acme/app is not there: .* hive init --create-missing"):
        Provision.plan(estate.house, "work", ADMIN, PASSWORD)
