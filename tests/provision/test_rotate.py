"""Secrets are replaced one by one, and a rotation that was killed can be run again."""

from __future__ import annotations

import pytest

from forge.gitea.read import GiteaReader
from forge.protocol import Refused
from forge.webhook import BadDelivery, sign, verify
from hive.app.house import NotReady
from tests.provision.conftest import ADMIN, PASSWORD, Estate

BODY = b"{}"
LOGINS = ("core", "triage", "argus", "iris", "bo")


def stored(estate: Estate) -> dict[str, str]:
    """The tokens that are written down."""
    return {login: estate.house.vault.token("work", login) for login in LOGINS}


def works(estate: Estate, token: str) -> bool:
    """Whether the forge knows a token."""
    with GiteaReader(name="work", url=estate.forge.url, token=token) as reader:
        try:
            reader.capabilities()
        except Refused:
            return False
    return True


def believed(estate: Estate, secret: bytes) -> bool:
    """Whether the receiver believes a delivery with this secret."""
    headers = {
        "X-Forgejo-Event-Type": "push",
        "X-Forgejo-Delivery": "u",
        "X-Forgejo-Signature": sign(secret, BODY),
    }
    try:
        verify("work", headers, BODY, estate.house.vault.hook_secrets("work"))
    except BadDelivery:
        return False
    return True


def test_all_tokens(estate: Estate) -> None:
    """Every account has another token, which works, and the old ones are gone."""
    before = stored(estate)
    estate.rotation().tokens(ADMIN, PASSWORD)
    after = stored(estate)
    assert all(after[login] != before[login] for login in LOGINS)
    assert all(works(estate, token) for token in after.values())
    assert not any(works(estate, token) for token in before.values())
    assert estate.ills() == []


def test_one_token(estate: Estate) -> None:
    """The others stay; an account that the hive has not is named, with those that it has."""
    before = stored(estate)
    estate.rotation().tokens(ADMIN, PASSWORD, ("iris",))
    after = stored(estate)
    assert [login for login in LOGINS if after[login] != before[login]] == ["iris"]
    with pytest.raises(NotReady, match="mara is no account of the hive on work; it has core, triage, argus, iris, bo"):
        estate.rotation().tokens(ADMIN, PASSWORD, ("mara",))


def test_killed_before_it_was_written_down(estate: Estate) -> None:
    """A token that was made and never written down is taken away, and the old one goes on working meanwhile."""
    old = stored(estate)["iris"]
    lost = estate.raw.post("/users/iris/tokens", name="hive-0badcafe", scopes=["write:issue"])["sha1"].text()
    assert works(estate, old)
    estate.rotation().tokens(ADMIN, PASSWORD, ("iris",))
    assert not works(estate, old)
    assert not works(estate, lost)
    assert works(estate, stored(estate)["iris"])
    assert len(list(estate.raw.get("/users/iris/tokens").each())) == 1


def test_killed_before_the_old_one_went(estate: Estate) -> None:
    """An old token that was left behind is taken away by the next run of init."""
    made = estate.raw.post("/users/bo/tokens", name="hive-0badcafe", scopes=["write:issue"])["sha1"].text()
    assert estate.init() == ["mended token 'hive-0badcafe' of bo: is not the one that is used"]
    assert not works(estate, made)


def test_while_the_hive_runs(estate: Estate) -> None:
    """No token is taken from under a worker or a host that runs with it."""
    before = stored(estate)
    for part in ("worker", "host"):
        with estate.house.alone(part), pytest.raises(NotReady, match="stop the hive, rotate, and start it again"):
            estate.rotation().tokens(ADMIN, PASSWORD)
    assert stored(estate) == before


def test_the_secret_of_hooks(estate: Estate) -> None:
    """New hooks take the place of the old ones, and a receiver that runs hears them."""
    old, hooks = estate.house.vault.hook_secret("work"), estate.hooks("acme")
    with estate.receiving():
        estate.rotation().hooks(ADMIN, PASSWORD)
        assert any("deliveries arrive" in sign.what for sign in estate.doctor(admin=False))
    new = estate.house.vault.hook_secret("work")
    assert new != old
    assert believed(estate, new)
    assert not believed(estate, old)
    assert len(estate.hooks("acme")) == 1
    assert estate.hooks("acme") != hooks
    assert estate.plan() == []


def test_killed_between_hooks(estate: Estate) -> None:
    """While hooks with either secret are there both are believed; the next run ends what was begun."""
    vault = estate.house.vault
    old, coming = vault.hook_secret("work"), vault.next_hook_secret("work")
    with estate.receiving():
        # This is as far as it came: one organisation of three.
        assert believed(estate, old)
        assert believed(estate, coming)
        assert any("deliveries arrive" in sign.what for sign in estate.doctor(admin=False))
    assert estate.plan() == [
        "would mend hooks of acme, birch, agent-configs with a new secret: the last change of it was cut short"
    ]
    assert estate.init() == [
        "mended hooks of acme, birch, agent-configs with a new secret: the last change of it was cut short"
    ]
    assert vault.hook_secret("work") == coming
    assert not believed(estate, old)
    assert estate.plan() == []


def test_on_the_command_line(estate: Estate) -> None:
    """What was replaced is said, and no secret is."""
    done = estate.hive("rotate", "iris", "--admin", ADMIN)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "a new token for iris; the old one is gone\n"
    hooks = estate.hive("rotate", "--hooks", "--admin", ADMIN)
    assert hooks.stdout == "a new secret for the hooks of acme, birch, agent-configs\n"
    assert estate.house.vault.hook_secret("work").decode() not in hooks.stdout


def test_a_token_that_does_not_work(estate: Estate) -> None:
    """A new token that the forge refuses does not take the place of one that works."""
    old = stored(estate)["iris"]
    estate.raw.patch("/admin/users/iris", login_name="iris", source_id=0, must_change_password=True)
    with pytest.raises(NotReady, match="the new token of iris does not work, the old one stays"):
        estate.rotation().tokens(ADMIN, PASSWORD, ("iris",))
    assert stored(estate)["iris"] == old
    estate.init()
    assert works(estate, old)
    assert estate.plan() == []
