"""Accounts and their tokens, as a site admin with a password: tokens are made in no other way.

Nothing is written that was not agreed to; see `forge.protocol.Consent`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from forge.gitea import decode_models
from forge.gitea.client import SECONDS, Client, route
from forge.gitea.connection import Current, ForgeConnection, as_named
from forge.gitea.json_value import JsonValue
from forge.gitea.reader import GiteaReader
from forge.models import Repo, User
from forge.protocol import Conflict, Consent, HeldToken, NotFound

_ORDINARY = {"active": True, "admin": False, "prohibit_login": False, "restricted": False}
_FAULTS = {
    "active": "is switched off",
    "admin": "is a site admin",
    "prohibit_login": "may not sign in",
    "restricted": "is restricted",
}


def agreed(why: str) -> bool:
    """A consent that agrees to everything."""
    return True


class AccountAdmin(GiteaReader):
    """Accounts and tokens of a forge, as a site admin."""

    def __init__(
        self,
        *,
        name: str,
        url: str,
        login: str,
        password: str,
        consent: Consent = agreed,
        seconds: float = SECONDS,
        current: Current = as_named,
    ) -> None:
        """`name` is the configured name of the forge; `consent` is asked before each change."""
        ForgeConnection.__init__(self, name, Client(url, login=login, password=password, seconds=seconds), current)
        self._consent = consent

    def is_admin(self) -> bool:
        """Whether this is a site admin; raises Refused for a wrong password."""
        return self._client.get("/user")["is_admin"].flag()

    def ensure_user(self, login: str, *, password: str, email: str) -> User:
        """An account that needs no change of its password; an existing one is left as it is."""
        try:
            return decode_models.user(self._client.get(route("users", login)))
        except NotFound:
            if not self._consent("is missing"):
                return User(0, login)
            said = {"username": login, "password": password, "email": email, "visibility": "public"}
            return decode_models.user(self._client.post("/admin/users", **said, must_change_password=False))

    def ensure_usable(self, login: str, *, stuck: bool = False) -> bool:
        """An ordinary account that can act; `stuck` is whether it was seen to wait for a new password.

        No forge shows that: every request of such an account is refused with 403.
        """
        try:
            seen = self._client.get(route("users", login))
        except NotFound:
            return False
        held = {name: seen["is_admin" if name == "admin" else name].flag() for name in _ORDINARY}
        wrong = [_FAULTS[name] for name, right in _ORDINARY.items() if held[name] != right]
        wrong += ["has to change its password"] if stuck else []
        if wrong and self._consent(", ".join(wrong)):
            # Gitea changes nothing without these two.
            known = {"login_name": seen["login_name"].words() or login, "source_id": seen["source_id"].count()}
            self._client.patch(route("admin", "users", login), **known, **_ORDINARY, must_change_password=False)
        return bool(wrong)

    def hides_activity(self, login: str) -> bool:
        """Whether an account hides its activity: only itself can see that, so it is asked as itself."""
        return self._client.get("/user/settings", sudo=login)["hide_activity"].flag()

    def make_token(self, login: str, name: str, scopes: Sequence[str], repos: Sequence[Repo] = ()) -> str:
        """A new token of that name, replacing an older one; raises Conflict for one that may do more than asked.

        With `repos` the answer has to list them: Forgejo 10 and Gitea 1.26 ignore the
        parameter and answer 201 with a token for everything.
        """
        at = route("users", login, "tokens")
        for row in list(self._client.rows(at)):
            if row["name"].text() == name:
                self._client.delete(f"{at}/{row['id'].number()}")
        wish = {"repositories": [{"owner": repo.owner, "name": repo.name} for repo in repos]} if repos else {}
        answer = self._client.post(at, name=name, scopes=list(scopes), **wish)
        made = _token(answer)
        wide = not made.scopes <= set(scopes)
        bound = {path.lower() for path in made.repos or ()}
        if wide or (repos and bound != {repo.path.lower() for repo in repos}):
            self._client.delete(f"{at}/{made.id}")
            raise Conflict(f"the forge made a token for {login} that may do more than asked")
        return answer["sha1"].text()

    def tokens(self, login: str) -> list[HeldToken]:
        """The tokens of an account; none for one that is not there."""
        try:
            return [_token(row) for row in self._client.counted(route("users", login, "tokens"))]
        except NotFound:
            return []

    def drop_token(self, login: str, token_id: int) -> None:
        """Take a token away; one that is gone is no error."""
        try:
            self._client.delete(route("users", login, "tokens", token_id))
        except NotFound:
            return


def _token(row: JsonValue) -> HeldToken:
    bound = row.value.get("repositories") if isinstance(row.value, Mapping) else None
    return HeldToken(
        id=row["id"].number(),
        name=row["name"].text(),
        tail=row["token_last_eight"].words(),
        scopes=frozenset(scope.text() for scope in row["scopes"].each()),
        repos=None if bound is None else frozenset(repo["full_name"].text() for repo in row["repositories"].each()),
    )
