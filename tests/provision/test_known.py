"""Repositories are known by id: a renamed one is not made anew, a replaced one is not believed, a missing one is asked for."""

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
    """Where a redirect answers nothing is made; the doctor says what it is called now, and does not say that it is missing."""
    estate = build(flavour)
    estate.init()
    rename(estate, "acme/app", "shop")
    with pytest.raises(NotReady, match=r"^acme/app was renamed or transferred and is acme/shop now: write its name"):
        init(estate)
    assert names(estate, "acme") == ["shop"]
    said = "\n".join(estate.ills(admin=False))
    assert "🔴 acme/app was renamed or transferred and is acme/shop now" in said
    assert "missing" not in said
    rename(estate, "acme/shop", "app")
    assert init(estate) == []


def test_a_replaced_project(estate: Estate) -> None:
    """Another repository under the old name is not taken for the one that was meant."""
    rename(estate, "acme/app", "shop")
    estate.raw.post("/orgs/acme/repos", name="app", auto_init=True, default_branch="main")
    with pytest.raises(NotReady, match=r"^acme/app is another repository now .* the one that was meant is acme/shop"):
        init(estate)
    assert "🔴 acme/app is another repository now" in "\n".join(estate.ills(admin=False))


def test_a_renamed_configuration(estate: Estate) -> None:
    """The same for configurations: nothing is seeded into the place of one that was renamed."""
    rename(estate, "agent-configs/iris", "iris2")
    with pytest.raises(NotReady, match=r"agent-configs/iris was renamed or transferred and is agent-configs/iris2 now"):
        init(estate)
    assert names(estate, "agent-configs") == ["bo", "iris2"]
