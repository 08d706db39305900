"""Can the sweep see what it has to? Each of its questions is asked once, with the hive's own token; and how it fared so far."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from forge.gitea.changes import GiteaWatcher
from forge.protocol import NotFound, Refused
from forge.types import Branch, Repo
from hive.app.house import House
from hive.provision.signs import Sign, bad, good
from hive.sweep import state_of

Place = tuple[Repo, Branch]
Question = tuple[str, str, Callable[[], object]]


class Sight:
    """What the account of the hive itself may ask on one forge; `again` is what gives it its rights."""

    def __init__(self, house: House, forge: str, again: str) -> None:
        self._house = house
        self._forge = forge
        self._again = again

    def signs(self, places: Sequence[Place]) -> Iterator[Sign]:
        """Questions that are refused, and sweeps that failed or are blind; `places` are repositories that hold something."""
        house = self._house
        token = house.vault.token(self._forge, house.settings.account("core"))
        owners = list(dict.fromkeys(repo.owner for repo, _ in places))
        wrong = []
        url = house.url(self._forge)
        with GiteaWatcher(name=self._forge, url=url, token=token, current=house.names.current) as watcher:
            for what, where, ask in self._questions(watcher, owners, places):
                try:
                    ask()
                except (Refused, NotFound) as error:
                    wrong.append(what)
                    yield bad(f"the sweep may not ask for {what} of {where} ({error})", self._again)
        for owner in owners:
            for said in state_of(house.ledger, self._forge, owner).sentences(house.ledger.clock()):
                wrong.append(said)
                yield bad(said, "look into logs/work.log")
        if owners and not wrong:
            yield good(f"sweeps see all that they ask for: {', '.join(owners)}")

    def _questions(self, watcher: GiteaWatcher, owners: Sequence[str], places: Sequence[Place]) -> Iterator[Question]:
        for owner in owners:
            yield "repositories", owner, partial(watcher.listed, owner)
            yield "the feed", owner, partial(watcher.activity, owner, None)
            yield "what changed", owner, partial(watcher.touched, owner, watcher.now())
        for repo, branch in places:
            yield "refs", repo.path, partial(watcher.refs, repo)
            yield "releases", repo.path, partial(watcher.releases, repo)
            yield "comments", repo.path, partial(watcher.said, repo, watcher.now())
            yield "pull requests", repo.path, partial(watcher.open_pulls, repo)
            yield "statuses", repo.path, partial(watcher.statuses, repo, branch.sha)
