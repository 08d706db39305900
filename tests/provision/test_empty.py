"""A project without a commit: said, open for its operators' first push alone, and closed when that has come."""

from __future__ import annotations

import pytest

from bots.models import Level
from forge.gitea.client import Client
from forge.protocol import Refused
from hive.app.polls import pollers
from hive.poller import state_of
from tests.nightly import by_night
from tests.provision.conftest import APP, Build, ProvisionEnv

EVERY = pytest.mark.parametrize("flavour", ["forgejo-17", *by_night("gitea-1.26")])
FIRST = {"content": "YQ==", "message": "first", "branch": "main"}


def first_push(hands: Client) -> None:
    """The first commit of the project."""
    hands.post("/repos/acme/app/contents/a", **FIRST)


def yellow(provision_env: ProvisionEnv) -> list[str]:
    """What the doctor says of empty repositories."""
    return [
        sign.what for sign in provision_env.doctor(admin=False) if sign.level is Level.YELLOW and "empty" in sign.what
    ]


@EVERY
def test_the_first_push(build: Build, flavour: str) -> None:
    """An operator's first push is let in, nobody else's; afterwards the branch takes pull requests only."""
    provision_env = build(flavour)
    provision_env.init()
    assert provision_env.init() == [], "an empty project is no fault"
    assert yellow(provision_env) == [
        f"{team} is empty: agents cannot start there" for team in ("acme/app", "birch/site")
    ]
    for login in ("iris", "core"):
        with provision_env.by(login) as hands, pytest.raises(Refused):
            hands.put_file(APP, "a", b"a", message="mine", branch="main")
    mara = provision_env.person("mara")
    first_push(mara)
    (line,) = provision_env.init()
    assert line == "fixed protection of main in acme/app: differs in enable_push, enable_push_whitelist"
    with pytest.raises(Refused):
        mara.post("/repos/acme/app/contents/b", **FIRST)
    mara.close()
    assert yellow(provision_env) == ["birch/site is empty: agents cannot start there"]
    assert provision_env.ills() == []


def test_sweeps_of_nothing(build: Build) -> None:
    """A sweep passes over an empty repository, and finds its first commit like any other."""
    provision_env = build("gitea-1.26")
    provision_env.init()
    ours = pollers(provision_env.instance)
    assert [sweeper.sweep(thorough=True).failed for sweeper in ours] == ["", "", "", ""]
    mara = provision_env.person("mara")
    first_push(mara)
    mara.close()
    assert [sweeper.sweep(thorough=True).failed for sweeper in ours] == ["", "", "", ""]
    assert list(state_of(provision_env.instance.ledger, "work", "acme").sentences(0.0)) == []
