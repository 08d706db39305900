"""What the operator of the story does, in a browser or by the API; bots cannot do that."""

from __future__ import annotations

from types import TracebackType
from typing import Protocol, Self

from forge.gitea.client import Client, route
from forge.gitea.operator import GiteaOperator
from forge.models import Ref, Repo
from forge.protocol import Conflict, Refused
from hive.demo.form_browser import NotPossible
from hive.demo.names import FORGE


class OperatorClient(Protocol):
    """A person who files issues and merges."""

    def sign_in(self) -> None:
        """Sign in; raises NotPossible."""

    def file_issue(self, repo: str, title: str, body: str) -> int:
        """Open an issue and return its number; raises NotPossible."""

    def merge(self, repo: str, number: int, head: str) -> bool:
        """Merge a pull request at a head; False while that is not possible yet."""


class ApiOperator:
    """One person with a token: the pages of other forges have forms of their own."""

    def __init__(self, url: str, login: str, token: str) -> None:
        self.login = login
        self._client = Client(url, token=token)
        self._operator = GiteaOperator(name=FORGE, url=url, token=token)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()
        self._operator.disconnect()

    def sign_in(self) -> None:
        """See that the token is this person's."""
        who = self._client.get("/user")["login"].text()
        if who != self.login:
            raise NotPossible(f"the token is {who}'s")

    def file_issue(self, repo: str, title: str, body: str) -> int:
        """File an issue and return its number."""
        return self._client.post(route("repos", *repo.split("/"), "issues"), title=title, body=body)["number"].number()

    def merge(self, repo: str, number: int, head: str) -> bool:
        """Merge a pull request at a head.

        False while it is blocked, and while the forge still checks for conflicts: it
        gives the same answer for a lasting conflict (405 "Please try again later"), so retry
        for a bounded time only.
        """
        try:
            self._operator.merge(Ref(Repo(FORGE, *repo.split("/")), number), head_sha=head)
        except Refused as error:
            if "not allowed to merge PR" in str(error):
                raise NotPossible(f"{self.login} may not merge: {error}") from error
            return False
        except Conflict:
            return False
        return True
