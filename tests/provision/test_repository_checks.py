"""Repositories are known by id: a renamed one is followed, a replaced one is not believed, a missing one is asked for."""

from __future__ import annotations

import pytest

from forge.protocol import NotFound
from hive.instance.instance import StartupError
from hive.provision import Provisioner
from tests.provision.conftest import ADMIN, EVERY, PASSWORD, Build, ProvisionEnv


def init(provision_env: ProvisionEnv) -> list[str]:
    """What an operator runs: nothing is made that was not asked for."""
    said: list[str] = []
    Provisioner.run(provision_env.instance, "work", ADMIN, PASSWORD, said.append)
    return said


def names(provision_env: ProvisionEnv, org: str) -> list[str]:
    """The repositories of an organisation."""
    return sorted(row["name"].text() for row in provision_env.raw.rows(f"/orgs/{org}/repos"))


def rename(provision_env: ProvisionEnv, path: str, name: str) -> None:
    """Somebody gives a repository another name."""
    provision_env.raw.patch(f"/repos/{path}", name=name)


def test_a_missing_project(build: Build) -> None:
    """A project that is not there is not made unasked, and neither is anything else."""
    provision_env = build("forgejo-17")
    with pytest.raises(StartupError, match=r"acme/app does not exist: .* hive init --create-missing"):
        init(provision_env)
    for org in ("acme", "agent-configs"):
        with pytest.raises(NotFound):
            provision_env.raw.get(f"/orgs/{org}")
    assert "created repository acme/app" in provision_env.init()
    assert init(provision_env) == []


@EVERY
def test_a_renamed_project(build: Build, flavour: str) -> None:
    """It is followed, not made anew: init and doctor look after it where it is, and the doctor says what it is called now."""
    provision_env = build(flavour)
    provision_env.init()
    rename(provision_env, "acme/app", "shop")
    assert init(provision_env) == []
    assert names(provision_env, "acme") == ["shop"]
    (said,) = provision_env.ills(admin=False)
    assert said == "🟡 acme/app is acme/shop now, and is followed → change it in hive.yaml"
    provision_env.raw.delete("/repos/acme/shop/branch_protections/main")
    assert init(provision_env) == ["created protection of main in acme/app"]
    assert provision_env.raw.get("/repos/acme/shop/branch_protections/main").present
    rename(provision_env, "acme/shop", "app")
    assert init(provision_env) == []


def test_a_stranger_under_the_old_name(provision_env: ProvisionEnv) -> None:
    """Another repository under the old name is not taken for the one that was meant, and stays as it is."""
    rename(provision_env, "acme/app", "shop")
    provision_env.raw.post("/orgs/acme/repos", name="app", auto_init=True, default_branch="main")
    assert init(provision_env) == []
    assert not list(provision_env.raw.rows("/repos/acme/app/branch_protections"))
    assert "acme/app is acme/shop now" in "\n".join(provision_env.ills(admin=False))


@pytest.mark.parametrize("path", ["acme/app", "agent-configs/iris"])
def test_a_replaced_repository(provision_env: ProvisionEnv, path: str) -> None:
    """Where the one that was meant is gone nothing is made, and what bears its name is refused in words."""
    owner, name = path.split("/")
    provision_env.raw.delete(f"/repos/{path}")
    with pytest.raises(
        StartupError, match=rf"^{path} \(id \d+\) is gone, or may not be seen any more; nothing was created$"
    ):
        init(provision_env)
    provision_env.raw.post(f"/orgs/{owner}/repos", name=name, auto_init=True, default_branch="main")
    with pytest.raises(
        StartupError,
        match=rf"^{path} \(id \d+\) is gone, and another repository bears its name .*; nothing was created$",
    ):
        init(provision_env)
    ills = "\n".join(provision_env.ills(admin=False))
    assert f"🔴 {path} (id " in ills
    assert "is gone, and another repository bears its name" in ills


def test_a_project_that_was_taken_out(provision_env: ProvisionEnv) -> None:
    """What is no part of the configuration is forgotten by init; put back, what bears its name then is meant."""
    whole = provision_env.config.read_text()
    provision_env.raw.delete("/repos/acme/app")
    provision_env.raw.post("/orgs/acme/repos", name="app", auto_init=True, default_branch="main")
    for text in (whole.replace("repos: [app]", "repos: [tool]"), whole):
        provision_env.config.write_text(text)
        done = provision_env.hive("init", "--admin", ADMIN, "--create-missing")
        assert done.returncode == 0, done.stderr


def test_a_renamed_configuration(provision_env: ProvisionEnv) -> None:
    """The same for configurations: nothing is seeded into the place of one that was renamed."""
    rename(provision_env, "agent-configs/iris", "iris2")
    assert init(provision_env) == []
    assert names(provision_env, "agent-configs") == ["bo", "iris2"]


def test_the_configuration_of_another(provision_env: ProvisionEnv) -> None:
    """A configuration that is given another agent's name does not become that agent's."""
    provision_env.raw.delete("/repos/agent-configs/bo")
    rename(provision_env, "agent-configs/iris", "bo")
    with pytest.raises(
        StartupError, match=r"^agent-configs/bo \(id \d+\) is gone, and another repository bears its name"
    ):
        init(provision_env)


def test_a_plan_asks_as_well(build: Build) -> None:
    """A plan is the same code: it does not say that a project would be made that init would not make."""
    provision_env = build("forgejo-17")
    with pytest.raises(StartupError, match=r"acme/app does not exist: .* hive init --create-missing"):
        Provisioner.plan(provision_env.instance, "work", ADMIN, PASSWORD)
