"""A forge under the name that the house gives it, as one identity sees it: what every face shares."""

from __future__ import annotations

import re
from types import TracebackType
from typing import Self

from forge.gitea.client import Client, route
from forge.protocol import Capabilities
from forge.types import Ref, Repo


class Connection:
    """One forge and one identity; closed by leaving `with`, or by `disconnect`."""

    def __init__(self, name: str, client: Client) -> None:
        self._name = name
        self._client = client
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
            self._capabilities = able(self._client.get("/version")["version"].text())
        return self._capabilities

    def _at(self, repo: Repo, *parts: str | int) -> str:
        """The path of something in a repository; a repository of another forge is a mistake."""
        if repo.forge != self._name:
            raise ValueError(f"{repo} is not on the forge {self._name}")
        return route("repos", repo.owner, repo.name, *parts)

    def _issue_at(self, ref: Ref, *parts: str | int) -> str:
        return self._at(ref.repo, "issues", ref.number, *parts)

    def _pull_at(self, ref: Ref, *parts: str | int) -> str:
        return self._at(ref.repo, "pulls", ref.number, *parts)


def able(version: str) -> Capabilities:
    """What a version can do.

    Forgejo tells which Gitea it is compatible with (`17.0.0+gitea-1.22.0`), Gitea does not. What
    was not seen to work is taken not to work: Forgejo 10 cannot compare by sha, 17 can.
    """
    forgejo = "+gitea-" in version
    number = tuple(int(part) for part in re.findall(r"[0-9]{1,9}", version)[:2])
    return Capabilities(
        kind="forgejo" if forgejo else "gitea",
        version=version,
        status_webhook=not forgejo and number >= (1, 23),
        repo_tokens=forgejo and number >= (15,),
        compare_by_sha=number >= ((17,) if forgejo else (1, 26)),
        admins_key="apply_to_admins" if forgejo else "block_admin_merge_override",
    )
