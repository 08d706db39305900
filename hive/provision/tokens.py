"""Tokens of the hive's accounts: minimal ones, and a new one before the old one is deleted.

A token is created under a new name, tried, stored, and only then are the hive's others
deleted. After a kill, the next run finds the stored one.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from forge.gitea.reader import GiteaReader
from forge.models import Repo
from forge.protocol import Admin, Capabilities, HeldToken, Refused
from hive.instance.instance import Instance, StartupError
from hive.provision import team_permissions
from hive.provision.steps import MISSING, Steps
from hive.secret_store import NoSecret

NAME = "hive"
STUCK = "change your password"
"""The answer of all forges to an account that has to change its password."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What an account's token is good for; no `repos` is wherever the account may go."""

    login: str
    scopes: tuple[str, ...]
    repos: tuple[Repo, ...] = ()

    def fault(self, held: HeldToken) -> str:
        """What a token may too much or too little, in a few words; empty if nothing."""
        wanted = frozenset(repo.path.lower() for repo in self.repos) or None
        if held.scopes != set(self.scopes):
            return f"is for {', '.join(sorted(held.scopes))}"
        if (held.repos and {path.lower() for path in held.repos}) != wanted:
            return f"is for {', '.join(sorted(held.repos or {'every repository'}))}"
        return ""


def grants(instance: Instance, forge: str, able: Capabilities) -> Iterator[Grant]:
    """The token of each account on a forge; those of agents are bound to repositories where that can be."""
    settings = instance.settings
    for bot, login in settings.accounts.items():
        yield Grant(login, team_permissions.SCOPES.get(bot, team_permissions.SCOPES["triage"]))
    for team, mine in settings.teams.items():
        for agent in mine.agents if mine.forge == forge else ():
            work = [Repo(forge, team, name) for name in mine.repos]
            named = (*work, Repo(forge, settings.configs, agent), knowledge(instance, forge))
            own = tuple(map(instance.names.current, named))
            yield (
                Grant(agent, team_permissions.BOUND, own)
                if able.repo_tokens
                else Grant(agent, team_permissions.SCOPES["agents"])
            )


def knowledge(instance: Instance, forge: str) -> Repo:
    """The repository of what all have learned."""
    return instance.settings.knowledge_of(forge)


class Tokens:
    """The tokens of one forge: in the secret store, and on the forge."""

    def __init__(self, instance: Instance, forge: str, admin: Admin, steps: Steps) -> None:
        self._instance = instance
        self._forge = forge
        self._admin = admin
        self._steps = steps

    def stuck(self, login: str) -> bool:
        """Whether the account has to change its password before it may do anything."""
        return STUCK in self._refusal(self._stored(login))

    def ensure(self, grant: Grant) -> None:
        """A token that is written down, works, and may do what it should; the hive's others are taken away."""
        fault = self._fault(grant)
        if fault:
            self._steps.take(f"token of {grant.login}", fault, lambda: self.renew(grant))
            return
        tail = self._stored(grant.login)[-8:]
        for held in self._others(grant.login, tail):
            what = f"token {held.name!r} of {grant.login}"
            drop = partial(self._admin.drop_token, grant.login, held.id)
            self._steps.take(what, "is not the one that is used", drop)

    def renew(self, grant: Grant) -> None:
        """Replace a token; raises StartupError for a new one that does not work."""
        name = f"{NAME}-{secrets.token_hex(4)}"
        text = self._admin.make_token(grant.login, name, grant.scopes, grant.repos)
        refusal = self._refusal(text)
        if refusal:
            raise StartupError(f"the new token of {grant.login} does not work, the old one stays: {refusal}")
        self._instance.secret_store.keep_token(self._forge, grant.login, text)
        for held in self._others(grant.login, text[-8:]):
            self._admin.drop_token(grant.login, held.id)

    def _fault(self, grant: Grant) -> str:
        if not self._instance.secret_store.has_token(self._forge, grant.login):
            return MISSING
        stored = self._stored(grant.login)
        if not stored:
            return "lies open to others, or is empty"
        held = next((token for token in self._admin.tokens(grant.login) if token.tail == stored[-8:]), None)
        if held is None:
            return "is not known to the forge"
        refusal = self._refusal(stored)
        # That is a fault of the account, and fixed there.
        return grant.fault(held) or ("" if STUCK in refusal else refusal)

    def _stored(self, login: str) -> str:
        try:
            return self._instance.secret_store.token(self._forge, login)
        except NoSecret:
            return ""

    def _refusal(self, token: str) -> str:
        """How the forge refuses a token; empty if it does not, or there is none to ask with."""
        if not token:
            return ""
        with GiteaReader(name=self._forge, url=self._instance.url(self._forge), token=token) as reader:
            try:
                reader.capabilities()
            except Refused as error:
                return str(error)
        return ""

    def _others(self, login: str, tail: str) -> Iterator[HeldToken]:
        """Tokens that the hive created, and no longer uses."""
        for token in self._admin.tokens(login):
            if token.tail != tail and (token.name == NAME or token.name.startswith(f"{NAME}-")):
                yield token
