"""Who is signed in at a browser: a signed cookie, and the token that every form carries. Checks no passwords."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from pathlib import Path

from flask import session

from forge.embedded.identity import Identity, usable
from forge.embedded.instance import ForgeInstance
from forge.embedded.state import Row


def secret(root: Path) -> bytes:
    """What cookies are signed with: made once, and for the forge's own eyes only."""
    path = root / "cookie.key"
    if not path.exists():
        # Written aside first: a crash must not leave an empty key behind.
        aside = path.with_suffix(f".{os.getpid()}")
        with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(secrets.token_bytes(32))
        aside.replace(path)
    return path.read_bytes()


def viewer(site: ForgeInstance) -> Row | None:
    """Who is signed in; a new password ends all sessions, and so does the loss of the account."""
    user = site.state.get("users", session.get("user"))
    if user is None or not usable(Identity(user)):
        return None
    return user if hmac.compare_digest(session["seal"], _seal(user)) else None


def sign_in(user: Row) -> None:
    """Begin a new session, with a new token for forms."""
    session.clear()
    session.update(user=user["id"], seal=_seal(user))


def sign_out() -> None:
    """End the session."""
    session.clear()


def token() -> str:
    """What a form has to carry, so that no other site can send it."""
    if "csrf" not in session:
        session["csrf"] = secrets.token_urlsafe(24)
    return str(session["csrf"])


def is_own_form(given: str) -> bool:
    """Whether a form carries this session's token."""
    return "csrf" in session and hmac.compare_digest(given.encode(), token().encode())


def _seal(user: Row) -> str:
    return hashlib.sha256(f"{user['id']} {user['password']}".encode()).hexdigest()[:32]
