"""At each start every account of the hive tries what only operators may; what is open is found, and nothing changes."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from forge.gitea.client import route
from forge.protocol import Unavailable
from hive.provision.merge_trial import MergeTrial
from tests.provision.conftest import APP, IRIS, RIGHTS, Build, ProvisionEnv

RULE = "/repos/agent-configs/iris/branch_protections/main"
ROSTER = "/repos/hive/meta/branch_protections/main"
ACCOUNTS = 5
"""core, triage, argus, iris and bo."""

OPEN: dict[str, tuple[Callable[[ProvisionEnv], object], set[str]]] = {
    "anybody merges": (
        lambda e: e.raw.patch(RULE, enable_merge_whitelist=False),
        {"core may merge into main of agent-configs/iris", "iris may merge into main of agent-configs/iris"},
    ),
    "one more merger": (
        lambda e: e.raw.patch(RULE, merge_whitelist_usernames=["mara", "iris"]),
        {"iris may merge into main of agent-configs/iris"},
    ),
    "push to main": (
        lambda e: e.raw.patch(RULE, enable_push=True),
        {"core may push to main of agent-configs/iris", "iris may push to main of agent-configs/iris"},
    ),
    "the roster": (
        lambda e: e.raw.delete(ROSTER),
        {"core may merge into main of hive/meta", "core may push to main of hive/meta"},
    ),
    "a bot that writes": (
        lambda e: (
            e.raw.put("/repos/agent-configs/bo/collaborators/triage", permission="admin"),
            e.raw.patch(
                "/repos/agent-configs/bo/branch_protections/main", merge_whitelist_usernames=["noor", "triage"]
            ),
        ),
        {"triage may merge into main of agent-configs/bo"},
    ),
}


def kept(env: ProvisionEnv) -> object:
    """Everything of the forge that a trial could leave behind."""
    state = env.forge.site.state
    refs = [env.forge.site.git(row).refs() for row in state.rows("SELECT * FROM repositories")]
    return refs, [state.rows(f"SELECT * FROM {table} ORDER BY id") for table in ("issues", "tokens", "hooks")]  # noqa: S608


@RIGHTS
def test_nobody_may(build: Build, flavour: str) -> None:
    """As `hive init` leaves a forge every account is refused everywhere, and nothing is left behind."""
    env = build(flavour)
    env.init()
    with env.by("core") as core:
        core.put_file(APP, "a", b"a", message="a", branch="side")
    before = kept(env)
    found = MergeTrial(env.instance, "work").run()
    assert (found.accounts, found.open) == (ACCOUNTS, ())
    assert found.repositories >= len(("agent-configs/iris", "agent-configs/bo", "hive/meta"))
    assert kept(env) == before


@pytest.mark.parametrize("what", OPEN)
def test_what_is_open_is_found(provision_env: ProvisionEnv, what: str) -> None:
    """Each right that an account has and should not have is a sentence, and no more than those."""
    loosen, said = OPEN[what]
    loosen(provision_env)
    before = kept(provision_env)
    assert set(MergeTrial(provision_env.instance, "work").run().open) == said
    assert kept(provision_env) == before


def test_what_cannot_be_tried(provision_env: ProvisionEnv) -> None:
    """A token that nobody knows any more can do nothing; a forge that is away says nothing about anybody."""
    secrets = provision_env.instance.secret_store
    secrets.keep_token("work", "iris", "0" * 40)
    found = MergeTrial(provision_env.instance, "work").run()
    assert (found.accounts, found.open) == (ACCOUNTS, ())
    provision_env.raw.delete(route("repos", IRIS.owner, IRIS.name))
    assert MergeTrial(provision_env.instance, "work").run().repositories == found.repositories - 1
    provision_env.forge.stop()
    with pytest.raises(Unavailable):
        MergeTrial(provision_env.instance, "work").run()
