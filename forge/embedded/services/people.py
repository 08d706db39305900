"""Users and their tokens."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from forge.embedded.instance import ForgeInstance, Refusal, Renamed
from forge.embedded.state import Row

GHOST: Row = {
    "id": -1, "login": "Ghost", "is_org": 0, "email": "", "full_name": "", "login_name": "", "source_id": 0, "description": "",
    "website": "", "location": "", "visibility": "public", "is_admin": 0, "active": 0, "restricted": 0, "prohibit_login": 0,
    "hide_activity": 0, "created": 0, "last_login": 0,
}  # fmt: skip
"""Who stands for a deleted user."""

_NAME = re.compile(r"[A-Za-z0-9](?:[-._]?[A-Za-z0-9])*")
_RESERVED = frozenset(
    ["api", "assets", "avatars", "user", "repo", "org", "explore", "issues", "pulls", "admin", "login", "ghost"]
)
_CATEGORIES = ("activitypub", "admin", "misc", "notification", "organization", "package", "issue", "repository", "user")
SCOPES = ("all", "public-only", *(f"{level}:{name}" for level in ("read", "write") for name in _CATEGORIES))


def find(site: ForgeInstance, login: str) -> Row | None:
    """The user or organisation of that name."""
    return site.state.row("SELECT * FROM users WHERE login = ?", login)


def get(site: ForgeInstance, login: str) -> Row:
    """The same; a former name raises Renamed, an unknown one Refusal."""
    if user := find(site, login):
        return user
    if moved := site.state.row(
        "SELECT users.* FROM users JOIN former_logins ON user_id = id WHERE former_logins.login = ?", login
    ):
        raise Renamed(f"/users/{login}", f"/users/{moved['login']}", 307)
    raise Refusal(404, f"user redirect does not exist [name: {login}]")


def named(site: ForgeInstance, login: str, *, status: int = 422) -> Row:
    """A user that a request names; refuses an unknown one with `status`."""
    user = find(site, login)
    if user is None:
        raise Refusal(status, f"user does not exist [uid: 0, name: {login}]")
    return user


def by_id(site: ForgeInstance, key: int | None) -> Row:
    """The user with that id, or Ghost."""
    return site.state.get("users", key) or GHOST


def claim(site: ForgeInstance, login: str) -> None:
    """Check that a name can be taken by a user or an organisation."""
    if not _NAME.fullmatch(login) or len(login) > 40:
        raise Refusal(422, "[Username]: invalid username")
    if login.lower() in _RESERVED:
        raise Refusal(422, f"name is reserved [name: {login}]")
    if find(site, login):
        raise Refusal(422, f"user already exists [name: {login}]")
    site.state.run("DELETE FROM former_logins WHERE login = ?", login)


def create(site: ForgeInstance, login: str, password: str, *, email: str, **more: Any) -> Row:
    """Make an account."""
    with site.state.writing():
        claim(site, login)
        if email and site.state.row("SELECT 1 FROM users WHERE email = ? COLLATE NOCASE", email):
            raise Refusal(422, f"e-mail already in use [email: {email}]")
        key = site.state.insert("users", login=login, email=email, password=_hash(password), created=site.now(), **more)
    return site.must("users", key)


def edit(site: ForgeInstance, user: Row, changes: Row) -> Row:
    """Change an account's columns; `password` is given in clear."""
    if changes.get("password"):
        changes = changes | {"password": _hash(changes["password"])}
    known = {key: value for key, value in changes.items() if key in user and value is not None}
    site.state.update("users", user["id"], **known)
    return site.must("users", user["id"])


def rename(site: ForgeInstance, user: Row, login: str) -> None:
    """Give a user another name; the old one leads to it."""
    with site.state.writing():
        if login.lower() != user["login"].lower():
            claim(site, login)
            site.state.run("INSERT OR REPLACE INTO former_logins VALUES (?, ?)", user["login"], user["id"])
        site.state.update("users", user["id"], login=login)


def delete(site: ForgeInstance, user: Row) -> None:
    """Remove an account; Ghost becomes the author of what it wrote."""
    state = site.state
    if state.row("SELECT 1 FROM repos WHERE owner_id = ?", user["id"]):
        raise Refusal(422, f"user still has ownership of repositories [uid: {user['id']}]")
    if state.row("SELECT 1 FROM team_members WHERE user_id = ?", user["id"]):
        raise Refusal(422, f"user still has membership of organizations [uid: {user['id']}]")
    with state.writing():
        state.run("DELETE FROM users WHERE id = ?", user["id"])
        state.run("DELETE FROM tokens WHERE user_id = ?", user["id"])
        state.run("DELETE FROM collaborators WHERE user_id = ?", user["id"])
        state.run("DELETE FROM assignees WHERE user_id = ?", user["id"])
        state.run("DELETE FROM feed WHERE user_id = ?", user["id"])


def checks(user: Row, password: str) -> bool:
    """Whether this is the user's password."""
    salt, _, digest = user["password"].partition("$")
    return bool(digest) and hmac.compare_digest(_digest(password, salt), digest)


def make_token(
    site: ForgeInstance, user: Row, name: str, scopes: Sequence[str], repos: Sequence[int] | None = None
) -> tuple[Row, str]:
    """Create a token; its text is not stored."""
    kept = normal_scopes(site, scopes)
    if not kept:
        raise Refusal(400, "access token must have a scope")
    if repos is not None and not set(kept) <= {"read:issue", "write:issue", "read:repository", "write:repository"}:
        raise Refusal(400, "repository-specific access tokens can only have the scopes issue and repository")
    text = secrets.token_hex(20)
    with site.state.writing():
        if site.state.row("SELECT 1 FROM tokens WHERE user_id = ? AND name = ?", user["id"], name):
            raise Refusal(400, "access token name has been used already")
        key = site.state.insert(
            "tokens",
            user_id=user["id"],
            name=name,
            digest=hashlib.sha256(text.encode()).hexdigest(),
            last_eight=text[-8:],
            scopes=json.dumps(kept),
            repos=None if repos is None else json.dumps(list(repos)),
            created=site.now(),
        )
    return site.must("tokens", key), text


def token(site: ForgeInstance, text: str) -> Row | None:
    """The token of that text."""
    return site.state.row("SELECT * FROM tokens WHERE digest = ?", hashlib.sha256(text.encode()).hexdigest())


def tokens(site: ForgeInstance, user: Row) -> list[Row]:
    """A user's tokens, newest name first as Forgejo lists them."""
    return site.state.rows("SELECT * FROM tokens WHERE user_id = ? ORDER BY id DESC", user["id"])


def normal_scopes(site: ForgeInstance, scopes: Sequence[str]) -> list[str]:
    """The scopes as a forge keeps them: what can be written can be read, `sudo` means nothing."""
    for scope in scopes:
        if scope not in SCOPES and not (scope == "sudo" and site.flavour.sudo_scope):
            raise Refusal(400, f"invalid access token scope provided: invalid access token scope: {scope}")
    if "all" in scopes:
        return ["all"]
    kept = ["public-only"] if "public-only" in scopes else []
    for level in ("write", "read"):
        kept += [
            f"{level}:{name}" for name in _CATEGORIES if f"{level}:{name}" in scopes and f"write:{name}" not in kept
        ]
    return sorted(kept, key=lambda scope: _CATEGORIES.index(scope.partition(":")[2]) if ":" in scope else -1)


def _hash(password: str) -> str:
    salt = secrets.token_hex(16)
    return f"{salt}${_digest(password, salt)}"


@lru_cache(maxsize=64)
def _digest(password: str, salt: str) -> str:
    # Cheap on purpose, and once a process: tests and the demo make many users who send their password with each request.
    return hashlib.scrypt(password.encode(), salt=bytes.fromhex(salt), n=2**10, r=8, p=1).hex()
