"""What each repository is to the house, and who asks its forge where it is. Says nothing to a forge."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from forge.gitea.read import GiteaReader
from forge.protocol import ForgeError, Refused
from forge.types import Repo
from hive.app.house import House
from hive.incidents import Incidents
from hive.vault import NoSecret
from hive.whereabouts import Place, Whereabouts


def whereabouts(house: House) -> Whereabouts:
    """Where the repositories of a house are."""
    core = house.settings.account("core")

    @cache
    def finder(forge: str, token: str) -> GiteaReader:
        # By the names of the configuration: what is there under another one is found by its id.
        return GiteaReader(name=forge, url=house.url(forge), token=token)

    def ask(forge: str) -> GiteaReader:
        try:
            return finder(forge, house.vault.token(forge, core))
        except NoSecret as error:
            raise Refused(f"no token of {core} can be read here", status=401) from error

    return Whereabouts(house.ledger, ask, dict(places(house)), Incidents(house.ledger, core, house.ops))


def places(house: House) -> Iterator[tuple[Repo, Place]]:
    """The repositories of the configuration, and those of the hive itself that it works in."""
    settings = house.settings
    for team, mine in settings.teams.items():
        for name in mine.repos:
            yield Repo(mine.forge, team, name), Place((team,))
        for agent in mine.agents:
            yield Repo(mine.forge, settings.configs, agent), Place((team,), agent)
    for forge in settings.forges:
        teams = tuple(team for team, mine in settings.teams.items() if mine.forge == forge)
        if teams:
            yield Repo(forge, *settings.meta.split("/", 1)), Place(teams, tells=False)
            yield house.knowledge(forge), Place(teams)


def address(house: House, repo: Repo) -> str:
    """What the forge calls a repository; raises OSError while it cannot be asked, or the repository is not where it was."""
    try:
        if not house.whereabouts.here(repo):
            raise OSError(f"{repo} is not where it was")
    except ForgeError as error:
        raise OSError(f"{repo} cannot be looked for: {error}") from error
    return house.names.current(repo).path
