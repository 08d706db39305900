"""Repositories are known by id: what was renamed, replaced or misspelt is told apart, and nothing is made in its place."""

from __future__ import annotations

from collections.abc import Iterator

from forge.gitea.read import GiteaReader
from forge.protocol import NotFound
from forge.types import Repo, Repository
from hive.app.house import House, NotReady

NAME_IT = "write its name into hive.yaml, or give it its old one"


def pin(house: House, seen: Repository) -> None:
    """Remember which repository bears a name; the first one that did is the one."""
    if _pinned(house, seen.repo) is None:
        house.ledger.intake.move_cursor(_key(seen.repo), str(seen.id))


def fault(house: House, reader: GiteaReader, repo: Repo) -> str:
    """Why the repository of that name is not the one that is meant, in words; empty if it is, or was never seen."""
    known = _pinned(house, repo)
    try:
        seen = reader.repository(repo)
    except NotFound as error:
        if error.status in range(300, 400):
            return f"{repo.path} was renamed or transferred{_whither(reader, repo, known)}: {NAME_IT}"
        now = _whither(reader, repo, known)
        return f"{repo.path} was renamed or transferred{now}: {NAME_IT}" if now else ""
    if known is not None and seen.id != known:
        now = _whither(reader, repo, known)
        return f"{repo.path} is another repository now (its id is {seen.id}, it was {known}); the one that was meant{now.replace(' and is', ' is', 1) or ' is gone'}"
    return ""


class Repositories:
    """The repositories of one forge before anything is made there."""

    def __init__(self, house: House, forge: str, reader: GiteaReader) -> None:
        self._house = house
        self._forge = forge
        self._reader = reader

    def check(self, *, create_missing: bool) -> None:
        """Raises NotReady where a repository is not the one that is meant, or a project is not there."""
        for repo, work in self._all():
            wrong = fault(self._house, self._reader, repo)
            if wrong:
                raise NotReady(f"{wrong}; nothing was made")
            if work and not create_missing and self._is_missing(repo):
                raise NotReady(
                    f"{repo.path} is not there: mend `repos`, make it on the forge, or let it be made: hive init --create-missing"
                )

    def _all(self) -> Iterator[tuple[Repo, bool]]:
        settings = self._house.settings
        for team, mine in settings.teams.items():
            for repo in settings.repos_of(team) if mine.forge == self._forge else ():
                yield repo, repo.owner != settings.configs

    def _is_missing(self, repo: Repo) -> bool:
        try:
            self._reader.repository(repo)
        except NotFound:
            return True
        return False


def _whither(reader: GiteaReader, repo: Repo, known: int | None) -> str:
    """Where the repository that was known is now; empty if nobody can tell."""
    now = None if known is None else reader.repository_by_id(known)
    return f" and is {now.repo.path} now" if now is not None and now.repo.path.lower() != repo.path.lower() else ""


def _pinned(house: House, repo: Repo) -> int | None:
    told = house.ledger.intake.cursor(_key(repo))
    return None if told is None else int(told)


def _key(repo: Repo) -> str:
    return f"repository:{str(repo).lower()}"
