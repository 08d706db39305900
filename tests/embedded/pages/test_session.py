"""Signing in and out, and which forms are accepted."""

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
    """Signing in leads to the front page, which shows the login; signing out ends that."""
    assert not newcomer.is_in()
    page = newcomer.sign_in()
    assert (page.answers, page.path) == ([303, 200], "/")
    assert newcomer.login in page.words
    assert newcomer.send("/", "/user/logout").answers == [303, 200]
    assert not newcomer.is_in()


def test_a_wrong_password(newcomer: Browser) -> None:
    """A wrong password and an unknown name get the same error."""
    page = newcomer.sign_in("wrong")
    assert (page.status, page.path) == (401, "/user/login")
    assert "Username or password is incorrect." in page.words
    assert dict(page.form("/user/login").fields)["user_name"] == newcomer.login
    newcomer.login = "nobody-of-that-name"
    assert "Username or password is incorrect." in newcomer.sign_in().words
    assert not newcomer.is_in()


def test_an_organisation_does_not_sign_in(env: ForgeEnv, newcomer: Browser) -> None:
    """An organisation cannot sign in, not even with an empty password."""
    newcomer.login = env.org["login"]
    assert newcomer.sign_in("").status == 401


def test_back_to_where_one_was(env: ForgeEnv, newcomer: Browser) -> None:
    """After signing in, the user comes back to the requested page."""
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
    """Signing in never redirects to another site."""
    page = newcomer.open("/user/login")
    typed = [("user_name", newcomer.login), ("password", PASSWORD), ("redirect_to", place)]
    kept = [pair for pair in page.form("/login").fields if pair[0] == "_csrf"]
    answer = newcomer.open("/user/login", kept + typed, follow=False)
    assert (answer.status, answer.location) == (303, "/")


def test_the_cookie(forge: EmbeddedForge, newcomer: Browser) -> None:
    """The session cookie is HttpOnly and SameSite; its key is readable by the forge only."""
    page = newcomer.open("/user/login")
    cookie = page.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    key = forge.site.root / "cookie.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert len(key.read_bytes()) == 32


def test_a_forged_cookie(newcomer: Browser) -> None:
    """A forged cookie is rejected."""
    newcomer.sign_in()
    (cookie,) = newcomer.jar
    payload, _, signature = (cookie.value or "").partition(".")
    cookie.value = f"{payload[:-2]}{'A' if payload[-2] != 'A' else 'B'}{payload[-1]}.{signature}"
    assert not newcomer.is_in()


def test_a_new_password_ends_sessions(forge: EmbeddedForge, newcomer: Browser) -> None:
    """A new password ends all sessions."""
    newcomer.sign_in()
    assert newcomer.is_in()
    people.edit(forge.site, people.named(forge.site, newcomer.login), {"password": "another"})
    assert not newcomer.is_in()


def test_a_prohibited_account(forge: EmbeddedForge, newcomer: Browser) -> None:
    """A prohibited account is signed out at once, and sees why it cannot sign in."""
    newcomer.sign_in()
    people.edit(forge.site, people.named(forge.site, newcomer.login), {"prohibit_login": True})
    assert not newcomer.is_in()
    assert "This account is prohibited from signing in" in newcomer.sign_in().words


def test_tokens_change_with_the_session(newcomer: Browser) -> None:
    """A form token from before signing in is rejected afterwards."""
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
