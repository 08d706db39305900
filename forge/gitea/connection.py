"""A forge under its configured name, as one identity sees it: what all faces share."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Self

from forge.gitea.capabilities import able, says_kind
from forge.gitea.client import Client, route
from forge.models import Ref, Repo
from forge.protocol import Capabilities

Current = Callable[[Repo], Repo]
"""The forge's current name of a repository that is configured under another one."""


def as_named(repo: Repo) -> Repo:
    """A repository whose name on the forge is the configured one."""
    return repo


class ForgeConnection:
    """One forge and one identity; closed by leaving `with`, or by `disconnect`."""

    def __init__(self, name: str, client: Client, current: Current = as_named) -> None:
        self._name = name
        self._client = client
        self._current = current
        self._capabilities: Capabilities | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.disconnect()

    def disconnect(self) -> None:
        """Give back the connections; `close` is what an issue is done to."""
        self._client.close()

    def capabilities(self) -> Capabilities:
        """What this forge can do, asked once."""
        if self._capabilities is None:
            version = self._client.get("/version")["version"].text()
            self._capabilities = able(version, is_forgejo=not says_kind(version) and self._client.has_forgejo_api())
        return self._capabilities

    def _at(self, repo: Repo, *parts: str | int) -> str:
        """The path of something in a repository; a repository of another forge is a mistake."""
        if repo.forge != self._name:
            raise ValueError(f"{repo} is not on the forge {self._name}")
        now = self._current(repo)
        return route("repos", now.owner, now.name, *parts)

    def _issue_at(self, ref: Ref, *parts: str | int) -> str:
        return self._at(ref.repo, "issues", ref.number, *parts)

    def _pull_at(self, ref: Ref, *parts: str | int) -> str:
        return self._at(ref.repo, "pulls", ref.number, *parts)
