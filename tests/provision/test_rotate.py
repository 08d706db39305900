"""Secrets are replaced one by one, and a rotation that was killed can be run again."""

from __future__ import annotations

import pytest

from forge.gitea.reader import GiteaReader
from forge.protocol import Refused
from forge.webhook import RejectedDelivery, sign, verify_any_case
from hive.instance.instance import StartupError
from tests.provision.conftest import ADMIN, PASSWORD, ProvisionEnv

BODY = b"{}"
LOGINS = ("core", "triage", "argus", "iris", "bo")


def stored(provision_env: ProvisionEnv) -> dict[str, str]:
    """The tokens that are written down."""
    return {login: provision_env.instance.secret_store.token("work", login) for login in LOGINS}


def works(provision_env: ProvisionEnv, token: str) -> bool:
    """Whether the forge knows a token."""
    with GiteaReader(name="work", url=provision_env.forge.url, token=token) as reader:
        try:
            reader.capabilities()
        except Refused:
            return False
    return True


def believed(provision_env: ProvisionEnv, secret: bytes) -> bool:
    """Whether the receiver believes a delivery with this secret."""
    headers = {
        "X-Forgejo-Event-Type": "push",
        "X-Forgejo-Delivery": "u",
        "X-Forgejo-Signature": sign(secret, BODY),
    }
    try:
        verify_any_case("work", headers, BODY, provision_env.instance.secret_store.hook_secrets("work"))
    except RejectedDelivery:
        return False
    return True


def test_all_tokens(provision_env: ProvisionEnv) -> None:
    """Every account has another token, which works, and the old ones are gone."""
    before = stored(provision_env)
    provision_env.rotation().tokens(ADMIN, PASSWORD)
    after = stored(provision_env)
    assert all(after[login] != before[login] for login in LOGINS)
    assert all(works(provision_env, token) for token in after.values())
    assert not any(works(provision_env, token) for token in before.values())
    assert provision_env.ills() == []


def test_one_token(provision_env: ProvisionEnv) -> None:
    """The others stay; an account that the hive has not is named, with those that it has."""
    before = stored(provision_env)
    provision_env.rotation().tokens(ADMIN, PASSWORD, ("iris",))
    after = stored(provision_env)
    assert [login for login in LOGINS if after[login] != before[login]] == ["iris"]
    with pytest.raises(
        StartupError, match="mara is not an account of the hive on work; it has core, triage, argus, iris, bo"
    ):
        provision_env.rotation().tokens(ADMIN, PASSWORD, ("mara",))


def test_killed_before_it_was_written_down(provision_env: ProvisionEnv) -> None:
    """A token that was made and never written down is taken away, and the old one goes on working meanwhile."""
    old = stored(provision_env)["iris"]
    lost = provision_env.raw.post("/users/iris/tokens", name="hive-0badcafe", scopes=["write:issue"])["sha1"].text()
    assert works(provision_env, old)
    provision_env.rotation().tokens(ADMIN, PASSWORD, ("iris",))
    assert not works(provision_env, old)
    assert not works(provision_env, lost)
    assert works(provision_env, stored(provision_env)["iris"])
    assert len(list(provision_env.raw.get("/users/iris/tokens").each())) == 1


def test_killed_before_the_old_one_went(provision_env: ProvisionEnv) -> None:
    """An old token that was left behind is taken away by the next run of init."""
    made = provision_env.raw.post("/users/bo/tokens", name="hive-0badcafe", scopes=["write:issue"])["sha1"].text()
    assert provision_env.init() == ["fixed token 'hive-0badcafe' of bo: is not the one that is used"]
    assert not works(provision_env, made)


def test_while_the_hive_runs(provision_env: ProvisionEnv) -> None:
    """No token is taken from under a worker or a host that runs with it."""
    before = stored(provision_env)
    for part in ("worker", "host"):
        with (
            provision_env.instance.alone(part),
            pytest.raises(StartupError, match="stop the hive, rotate, and start it again"),
        ):
            provision_env.rotation().tokens(ADMIN, PASSWORD)
    assert stored(provision_env) == before


def test_the_secret_of_hooks(provision_env: ProvisionEnv) -> None:
    """New hooks take the place of the old ones, and a receiver that runs hears them."""
    old, hooks = provision_env.instance.secret_store.hook_secret("work"), provision_env.hooks("acme")
    with provision_env.receiving():
        provision_env.rotation().hooks(ADMIN, PASSWORD)
        assert any("deliveries arrive" in sign.what for sign in provision_env.doctor(admin=False))
    new = provision_env.instance.secret_store.hook_secret("work")
    assert new != old
    assert believed(provision_env, new)
    assert not believed(provision_env, old)
    assert len(provision_env.hooks("acme")) == 1
    assert provision_env.hooks("acme") != hooks
    assert provision_env.plan() == []


def test_killed_between_hooks(provision_env: ProvisionEnv) -> None:
    """While hooks with either secret are there both are believed; the next run ends what was begun."""
    secret_store = provision_env.instance.secret_store
    old, coming = secret_store.hook_secret("work"), secret_store.next_hook_secret("work")
    with provision_env.receiving():
        # This is as far as it came: one organisation of three.
        assert believed(provision_env, old)
        assert believed(provision_env, coming)
        assert any("deliveries arrive" in sign.what for sign in provision_env.doctor(admin=False))
    assert provision_env.plan() == [
        "would fix hooks of acme, birch, agent-configs, hive with a new secret: the last change of it was cut short"
    ]
    assert provision_env.init() == [
        "fixed hooks of acme, birch, agent-configs, hive with a new secret: the last change of it was cut short"
    ]
    assert secret_store.hook_secret("work") == coming
    assert not believed(provision_env, old)
    assert provision_env.plan() == []


def test_on_the_command_line(provision_env: ProvisionEnv) -> None:
    """What was replaced is said, and no secret is."""
    done = provision_env.hive("rotate", "iris", "--admin", ADMIN)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "rotated the token of iris; the old one is deleted\n"
    hooks = provision_env.hive("rotate", "--hooks", "--admin", ADMIN)
    assert hooks.stdout == "rotated the secret of the hooks of acme, birch, agent-configs, hive\n"
    assert provision_env.instance.secret_store.hook_secret("work").decode() not in hooks.stdout


def test_a_token_that_does_not_work(provision_env: ProvisionEnv) -> None:
    """A new token that the forge refuses does not take the place of one that works."""
    old = stored(provision_env)["iris"]
    provision_env.raw.patch("/admin/users/iris", login_name="iris", source_id=0, must_change_password=True)
    with pytest.raises(StartupError, match="the new token of iris does not work, the old one stays"):
        provision_env.rotation().tokens(ADMIN, PASSWORD, ("iris",))
    assert stored(provision_env)["iris"] == old
    provision_env.init()
    assert works(provision_env, old)
    assert provision_env.plan() == []
