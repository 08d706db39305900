"""Checks that the poller can read what it needs: each request once, with the hive's own token, and past failures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from forge.gitea.poll_reader import GiteaPollReader
from forge.models import Branch, Repo
from forge.protocol import NotFound, Refused
from hive.instance.instance import Instance
from hive.poller import state_of
from hive.provision.check_results import CheckResult, ok, problem

Place = tuple[Repo, Branch]
Question = tuple[str, str, Callable[[], object]]


class PollingChecks:
    """Checks the rights of the hive's own account on one forge; `again` is the command that restores them."""

    def __init__(self, instance: Instance, forge: str, again: str) -> None:
        self._instance = instance
        self._forge = forge
        self._again = again

    def signs(self, places: Sequence[Place]) -> Iterator[CheckResult]:
        """Requests that are refused, and polls that failed; `places` are repositories that are not empty."""
        instance = self._instance
        token = instance.secret_store.token(self._forge, instance.settings.account("core"))
        owners = list(dict.fromkeys(repo.owner for repo, _ in places))
        wrong = []
        url = instance.url(self._forge)
        with GiteaPollReader(name=self._forge, url=url, token=token, current=instance.names.current) as watcher:
            for what, where, ask in self._questions(watcher, owners, places):
                try:
                    ask()
                except (Refused, NotFound) as error:
                    wrong.append(what)
                    yield problem(f"the poller may not read {what} of {where} ({error})", self._again)
        for owner in owners:
            for said in state_of(instance.ledger, self._forge, owner).sentences(instance.ledger.clock()):
                wrong.append(said)
                yield problem(said, "see logs/work.log")
        if owners and not wrong:
            yield ok(f"the poller can read everything it needs: {', '.join(owners)}")

    def _questions(
        self, watcher: GiteaPollReader, owners: Sequence[str], places: Sequence[Place]
    ) -> Iterator[Question]:
        for owner in owners:
            yield "repositories", owner, partial(watcher.list_repositories, owner)
            yield "the feed", owner, partial(watcher.activity, owner, None)
            yield "what changed", owner, partial(watcher.changed_subjects, owner, watcher.now())
        for repo, branch in places:
            yield "refs", repo.path, partial(watcher.refs, repo)
            yield "releases", repo.path, partial(watcher.releases, repo)
            yield "comments", repo.path, partial(watcher.comments_since, repo, watcher.now())
            yield "pull requests", repo.path, partial(watcher.open_pulls, repo)
            yield "statuses", repo.path, partial(watcher.statuses, repo, branch.sha)
