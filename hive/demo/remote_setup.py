"""Sets a demo up on your forge, under free names, and removes only that."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from types import TracebackType
from typing import Self

from forge.gitea.capabilities import able
from forge.gitea.client import Client, route
from forge.protocol import ForgeError, NotFound, Refused
from hive.demo.cleanup_record import CleanupRecord, Kind, Made
from hive.demo.forge_access import ForgeAccess
from hive.demo.names import FORGE, PLAIN, TAG_LENGTH, TAG_LETTERS, DemoNames
from hive.instance.instance import StartupError

TRIES = 20
WHAT: dict[Kind, str] = {"orgs": "organisation", "users": "account"}


class RemoteSetup:
    """What a site admin does for a demo; used as `with RemoteSetup(…)`."""

    def __init__(self, door: ForgeAccess, record: CleanupRecord) -> None:
        self._door = door
        self._record = record
        self._client = Client(door.url, login=door.login, password=door.password)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def forge(self) -> tuple[str, str]:
        """Kind and version of the forge; raises StartupError if the login is not an admin."""
        door = self._door
        try:
            admin = self._client.get("/user")["is_admin"].flag()
        except Refused as error:
            raise StartupError(f"{door.url} does not let {door.login} in: is the password right?") from error
        except ForgeError as error:
            raise StartupError(f"{door.url} does not answer as a Forgejo or Gitea does: {error}") from error
        if not admin:
            raise StartupError(f"{door.login} is no site admin of {door.url}: only one can make accounts")
        able_to = able(self._client.get("/version")["version"].text())
        return able_to.kind, able_to.version

    def cast(self) -> DemoNames:
        """A cast whose names are all free: the plain one, or one with a tag."""
        for _ in range(TRIES):
            tag = "".join(secrets.choice(TAG_LETTERS) for _ in range(TAG_LENGTH))
            for cast in (PLAIN, DemoNames(tag)):
                if not any(self._is(kind, name) for kind, name in _names(cast)):
                    return cast
        raise StartupError(f"too many demos were played on {self._door.url}; take some away with --clean")

    def settle(self, cast: DemoNames, password: Callable[[str], str]) -> None:
        """Create accounts and organisations, and record each; a name that was taken in the meantime is an error."""
        for login in cast.people:
            said = {"username": login, "email": f"{login}@{FORGE}.invalid", "password": password(login)}
            self._make("users", login, "/admin/users", **said, must_change_password=False, visibility="public")
        for org in cast.places:
            self._make("orgs", org, "/orgs", username=org)

    def operator_token(self, cast: DemoNames) -> str:
        """A token with which the operator of the story files issues and merges."""
        scopes = ["write:repository", "write:issue", "read:user"]
        at = route("users", cast.operator, "tokens")
        return self._client.post(at, name="hive demo", scopes=scopes)["sha1"].text()

    def leave(self, say: Callable[[str], None]) -> bool:
        """Take away what was made and is still the same; True if nothing of it is left."""
        for row in reversed(self._record.rows(self._door.url)):
            try:
                self._take_away(row)
            except ForgeError as error:
                say(f"the {WHAT[row.kind]} {row.name} cannot be taken away: {error}")
            else:
                self._record.strike(row)
                say(f"took away the {WHAT[row.kind]} {row.name}")
        return not self._record.rows(self._door.url)

    def _take_away(self, row: Made) -> None:
        """Delete one account or organisation with its repositories; one under another id is not ours."""
        if self._id(row.kind, row.name) != row.id:
            return
        for repo in list(self._client.rows(route(row.kind, row.name, "repos"))):
            if repo["owner"]["login"].text() == row.name:
                self._client.delete(route("repos", row.name, repo["name"].text()))
        self._client.delete(route("orgs", row.name) if row.kind == "orgs" else route("admin", "users", row.name))

    def _make(self, kind: Kind, name: str, at: str, **said: object) -> None:
        made = self._client.post(at, **said)
        self._record.add(Made(self._door.url, kind, name, made["id"].number()))

    def _is(self, kind: Kind, name: str) -> bool:
        return self._id(kind, name) != 0

    def _id(self, kind: Kind, name: str) -> int:
        """The id of an account or organisation; 0 for none."""
        try:
            return self._client.get(route(kind, name))["id"].number()
        except NotFound:
            return 0


def _names(cast: DemoNames) -> list[tuple[Kind, str]]:
    # An account and an organisation cannot share a name, and each has its own path.
    kinds: tuple[Kind, ...] = ("users", "orgs")
    return [(kind, name) for name in (*cast.people, *cast.places) for kind in kinds]
