"""Authentication: passwords, tokens and their scopes."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass

from forge.embedded.instance import ForgeInstance, Refusal
from forge.embedded.services import people
from forge.embedded.state import Row

_SEGMENTS = "token is malformed: token contains an invalid number of segments"


@dataclass(frozen=True, slots=True)
class Identity:
    """An authenticated user, or an anonymous one; `token` is None for a password."""

    user: Row | None = None
    token: Row | None = None

    def allows(self, level: str, category: str) -> bool:
        """Whether the token, if there is one, has a scope (`read` or `write` of a category)."""
        if self.token is None or not category:
            return True
        scopes = json.loads(self.token["scopes"])
        return "all" in scopes or f"write:{category}" in scopes or f"{level}:{category}" in scopes

    @property
    def public_only(self) -> bool:
        """Whether the token sees public repositories only."""
        return self.token is not None and "public-only" in json.loads(self.token["scopes"])


NOBODY = Identity()


def identify(site: ForgeInstance, authorization: str) -> Identity:
    """Authenticate by an Authorization header; a wrong one is refused even on public paths."""
    kind, _, rest = authorization.partition(" ")
    match kind.lower():
        case "token" | "bearer":
            return _by_token(site, rest.strip())
        case "basic":
            return _by_basic(site, rest.strip())
        case _:
            return NOBODY


def usable(identity: Identity) -> bool:
    """Whether the account is active and may sign in."""
    user = identity.user
    return user is None or bool(user["active"] and not user["prohibit_login"])


def _by_token(site: ForgeInstance, text: str) -> Identity:
    token = people.token(site, text)
    if token is None:
        if not site.flavour.token_is_repeated:
            raise Refusal(401, "user does not exist [uid: 0, name: ]")
        parts = [
            _SEGMENTS,
            f"access token does not exist [sha: {text}]",
            _SEGMENTS,
            f'task with token "{text}": resource does not exist',
            f"authorized integration: parse JWT error: {_SEGMENTS}",
        ]
        raise Refusal(401, "\n".join(parts))
    return Identity(people.by_id(site, token["user_id"]), token)


def _by_basic(site: ForgeInstance, encoded: str) -> Identity:
    try:
        login, _, word = base64.b64decode(encoded).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise Refusal(401, "basic authentication is malformed") from error
    if login and word in {"", "x-oauth-basic"}:
        return _by_token(site, login)
    if token := people.token(site, word):
        return Identity(people.by_id(site, token["user_id"]), token)
    user = people.find(site, login)
    if user and not user["is_org"] and people.checks(user, word):
        return Identity(user)
    known = (
        f"user's password is invalid [uid: {user['id']}, name: {user['login']}]"
        if user
        else f"user does not exist [uid: 0, name: {login}]"
    )
    if not site.flavour.token_is_repeated:
        raise Refusal(401, known)
    parts = [
        _SEGMENTS,
        known,
        f"access token does not exist [sha: {word}]",
        f'task with token "{word}": resource does not exist',
    ]
    raise Refusal(401, "\n".join(parts))
