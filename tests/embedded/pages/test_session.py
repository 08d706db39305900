"""Signing in and out at a browser, and whose forms are taken."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from forge.embedded.pages import PAGES
from forge.embedded.services import people

if TYPE_CHECKING:
    from forge.embedded import EmbeddedForge
    from tests.embedded.pages.conftest import Browser, ForgeEnv

PASSWORD = " a password "
FORMS = [page for page in PAGES if page.method == "POST"]


def test_signing_in(newcomer: Browser) -> None:
    """Who signs in is greeted by name on the front page, and can leave again."""
    assert not newcomer.is_in()
    page = newcomer.sign_in()
    assert (page.answers, page.path) == ([303, 200], "/")
    assert newcomer.login in page.words
    assert newcomer.send("/", "/user/logout").answers == [303, 200]
    assert not newcomer.is_in()


def test_a_wrong_password(newcomer: Browser) -> None:
    """A wrong password is told in one sentence, which is the same for a name that nobody has."""
    page = newcomer.sign_in("wrong")
    assert (page.status, page.path) == (401, "/user/login")
    assert "Username or password is incorrect." in page.words
    assert dict(page.form("/user/login").fields)["user_name"] == newcomer.login
    newcomer.login = "nobody-of-that-name"
    assert "Username or password is incorrect." in newcomer.sign_in().words
    assert not newcomer.is_in()


def test_an_organisation_does_not_sign_in(env: ForgeEnv, newcomer: Browser) -> None:
    """An organisation has no password, not even an empty one."""
    newcomer.login = env.org["login"]
    assert newcomer.sign_in("").status == 401


def test_back_to_where_one_was(env: ForgeEnv, newcomer: Browser) -> None:
    """Who has to sign in first comes back to the page that he wanted."""
    wanted = f"{env.home}/issues/new?title=a+b"
    page = newcomer.open(wanted)
    assert page.path.startswith("/user/login?redirect_to=")
    answer = newcomer.fill(page, "/user/login", user_name=newcomer.login, password=PASSWORD)
    assert answer.path == wanted
    assert dict(answer.form("/issues/new").fields)["title"] == "a b"


@pytest.mark.parametrize(
    "place",
    [
        "//evil.example",
        "/\\evil.example",
        "https://evil.example/",
        "javascript:alert(1)",
        "/a\r\nX: y",
        "evil",
        "/\t/evil.example",
    ],
)
def test_no_way_out(newcomer: Browser, place: str) -> None:
    """Nobody is led to another site by signing in."""
    page = newcomer.open("/user/login")
    typed = [("user_name", newcomer.login), ("password", PASSWORD), ("redirect_to", place)]
    kept = [pair for pair in page.form("/login").fields if pair[0] == "_csrf"]
    answer = newcomer.open("/user/login", kept + typed, follow=False)
    assert (answer.status, answer.location) == (303, "/")


def test_the_cookie(forge: EmbeddedForge, newcomer: Browser) -> None:
    """The session is a signed cookie that no script reads and no other site sends; its key is the forge's alone."""
    page = newcomer.open("/user/login")
    cookie = page.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    key = forge.site.root / "cookie.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert len(key.read_bytes()) == 32


def test_a_forged_cookie(newcomer: Browser) -> None:
    """A cookie that was changed is nobody's."""
    newcomer.sign_in()
    (cookie,) = newcomer.jar
    payload, _, signature = (cookie.value or "").partition(".")
    cookie.value = f"{payload[:-2]}{'A' if payload[-2] != 'A' else 'B'}{payload[-1]}.{signature}"
    assert not newcomer.is_in()


def test_a_new_password_ends_sessions(forge: EmbeddedForge, newcomer: Browser) -> None:
    """With the password everything goes that was opened by it."""
    newcomer.sign_in()
    assert newcomer.is_in()
    people.edit(forge.site, people.named(forge.site, newcomer.login), {"password": "another"})
    assert not newcomer.is_in()


def test_a_prohibited_account(forge: EmbeddedForge, newcomer: Browser) -> None:
    """Who is prohibited from signing in is out at once, and told so when he tries."""
    newcomer.sign_in()
    people.edit(forge.site, people.named(forge.site, newcomer.login), {"prohibit_login": True})
    assert not newcomer.is_in()
    assert "This account is prohibited from signing in" in newcomer.sign_in().words


def test_tokens_change_with_the_session(newcomer: Browser) -> None:
    """A form from before signing in is worth nothing after it."""
    before = newcomer.token()
    newcomer.sign_in()
    assert before != newcomer.token()
    assert newcomer.open("/user/logout", [("_csrf", before)]).status == 403
    assert newcomer.is_in()


def test_forms_of_others(env: ForgeEnv) -> None:
    """No form is accepted without the session's own token."""
    issue = env.issue()
    count = env.site.state.value("SELECT count(*) FROM comments")
    typed = [("title", "x"), ("content", "x"), ("status", "close"), ("type", "approve")]
    foreign = env.core.token()
    for page in FORMS:
        path = page.rule.replace("<owner>/<repo>", env.repo["full_name"]).replace("<number>", str(issue["number"]))
        for token in ([], [("_csrf", "")], [("_csrf", "ü")], [("_csrf", foreign)]):
            assert env.mara.open(path, [*token, *typed]).status == 403, page.path
    assert env.site.state.value("SELECT count(*) FROM comments") == count
    assert env.mara.is_in()
