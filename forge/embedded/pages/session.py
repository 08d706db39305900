"""Browser sessions: signing in and out, the signed cookie, and the token that every form carries."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
from pathlib import Path

from flask import Response
from flask import session as cookie

from forge.embedded.identity import Identity, usable
from forge.embedded.instance import ForgeInstance, Refusal
from forge.embedded.pages.page_context import Page, PageContext
from forge.embedded.services import people
from forge.embedded.state import Row

_LOCAL_PATH = re.compile(r"/(?![/\\])[^\\\x00-\x20\x7f]*")


def secret(root: Path) -> bytes:
    """The key that signs cookies; created once, readable by the forge only."""
    path = root / "cookie.key"
    if not path.exists():
        # Written to another name first: a crash must not leave an empty key behind.
        draft = path.with_suffix(f".{os.getpid()}")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(secrets.token_bytes(32))
        draft.replace(path)
    return path.read_bytes()


def viewer(site: ForgeInstance) -> Row | None:
    """The signed-in user; a new password ends all sessions, and so does the end of the account."""
    user = site.state.get("users", cookie.get("user"))
    if user is None or not usable(Identity(user)):
        return None
    return user if hmac.compare_digest(cookie["seal"], _seal(user)) else None


def token() -> str:
    """The CSRF token of this session."""
    if "csrf" not in cookie:
        cookie["csrf"] = secrets.token_urlsafe(24)
    return str(cookie["csrf"])


def is_own_form(given: str) -> bool:
    """Whether a form carries this session's token."""
    return "csrf" in cookie and hmac.compare_digest(given.encode(), token().encode())


def local_path(path: str) -> str:
    """A path of this forge; the front page for anything that would lead elsewhere."""
    return path if _LOCAL_PATH.fullmatch(path) else "/"


def _seal(user: Row) -> str:
    return hashlib.sha256(f"{user['id']} {user['password']}".encode()).hexdigest()[:32]


def _show(page: PageContext) -> Response:
    back = local_path(page.query("redirect_to") or page.field("redirect_to"))
    return page.redirect(back) if page.viewer and not page.refusal else page.render("login.html", redirect_to=back)


def _sign_in(page: PageContext) -> Response:
    user = people.find(page.site, page.field("user_name"))
    # A password may begin or end with a space.
    if user is None or user["is_org"] or not people.checks(user, page.request.form.get("password", "")):
        raise Refusal(401, "Username or password is incorrect.")
    if not usable(Identity(user)):
        raise Refusal(401, "This account is prohibited from signing in, please contact your site administrator.")
    # A new session has a new form token.
    cookie.clear()
    cookie.update(user=user["id"], seal=_seal(user))
    return page.redirect(local_path(page.field("redirect_to")))


def _sign_out(page: PageContext) -> Response:
    cookie.clear()
    return page.redirect("/")


PAGES = (
    Page("GET", "/user/login", _show),
    Page("POST", "/user/login", _sign_in, form=_show),
    Page("POST", "/user/logout", _sign_out),
)
