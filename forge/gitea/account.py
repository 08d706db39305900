"""One account that writes to Forgejo or Gitea: its identity, and what all its writes need."""

from __future__ import annotations

from collections.abc import Iterable

from forge.gitea import decode_models
from forge.gitea.client import SECONDS
from forge.gitea.connection import Current, as_named
from forge.gitea.labels import Labels
from forge.gitea.reader import GiteaReader
from forge.models import User


class Account(GiteaReader):
    """An account with its token."""

    def __init__(
        self,
        *,
        name: str,
        url: str,
        token: str,
        me: User | None = None,
        seconds: float = SECONDS,
        current: Current = as_named,
    ) -> None:
        """`me` is the account of the token, else asked for when it is needed: some tokens cannot ask."""
        super().__init__(name=name, url=url, token=token, seconds=seconds, current=current)
        self._me = me
        self._labels = Labels(self._client, current)

    def _own(self) -> User:
        if self._me is None:
            self._me = decode_models.user(self._client.get("/user"))
        return self._me

    def _mine(self, author: User) -> bool:
        return author.id == self._own().id


def checked(body: str, marker: str) -> None:
    """Raise ValueError for a text without its marker: it would be written again and again."""
    if not marker or marker not in body:
        raise ValueError("the body does not contain its marker")


def without(logins: Iterable[str], held: Iterable[str]) -> list[str]:
    """Those of the logins that are not held; the case of their letters makes no difference."""
    known = {login.lower() for login in held}
    return [login for login in logins if login.lower() not in known]
