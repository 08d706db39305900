"""`hive demo --forge URL`: the same story on a forge that is there already, under names that are free on it."""

from __future__ import annotations

import secrets
from dataclasses import replace
from urllib.parse import urlsplit

import click

from hive.app.house import NotReady
from hive.demo.cast import FORGE
from hive.demo.door import Door
from hive.demo.guest import Guest
from hive.demo.hands import Calls
from hive.demo.made import Record
from hive.demo.play import Evening, Show, closing, fresh, require_git, stage
from hive.demo.stage import push_project, sample
from hive.provision import Provision
from hive.settings import ForgeSettings

BETWEEN_LOOKS = 0.5
GUEST = "playing on {version} at {url}"
FAR = "that forge may not reach this machine: what it cannot deliver is asked for every few seconds"
TOOK_NOTHING = "nothing of a demo on {url} is known in {state}"


def visit(evening: Evening, door: Door) -> None:
    """Play the story on somebody's forge; raises NotReady and StoryFailed."""
    require_git()
    with Guest(door, Record(evening.state.resolve())) as guest:
        kind, version = guest.forge()
        cast = guest.cast()
        evening = replace(evening, state=fresh(evening.state))
        with stage(evening, ForgeSettings(door.url, "gitea" if kind == "gitea" else "forgejo"), cast) as show:
            show.screen.note(GUEST.format(version=f"{kind.title()} {version}", url=door.url))
            if urlsplit(door.url).hostname not in {"127.0.0.1", "localhost", "::1"}:
                show.screen.note(FAR)
            settle(guest, show, door)
            show.begin()
            with Calls(door.url, cast.operator, guest.operator_token(cast)) as hands:
                if show.perform(hands, between_looks=BETWEEN_LOOKS):
                    farewell(show, door)
                    show.linger()


def settle(guest: Guest, show: Show, door: Door) -> None:
    """Make accounts, organisations, the project, and the forge ready, as `hive init` does."""
    cast, house, evening = show.cast, show.house, show.evening

    def password(login: str) -> str:
        return house.vault.password(FORGE, login) if login == cast.operator else secrets.token_urlsafe(24)

    guest.settle(cast, password)
    show.screen.note(f"made the organisations {', '.join(cast.places)}")
    show.screen.note(f"made the accounts {', '.join(cast.people)}")
    push_project(door, cast, evening.project or sample(evening.state))
    Provision.run(house, FORGE, door.login, door.password, lambda _: None)


def farewell(show: Show, door: Door) -> None:
    """Say how all of it can be taken away again."""
    words = f"hive demo --forge {door.url} --admin {door.login} --state {show.evening.state} --clean"
    closing("clean", words)


def clean(evening: Evening, door: Door) -> None:
    """Take away what demos of this state directory made on a forge; raises NotReady if something stays."""
    with Guest(door, record := Record(evening.state.resolve())) as guest:
        if not record.rows(door.url):
            raise NotReady(TOOK_NOTHING.format(url=door.url, state=evening.state))
        guest.forge()
        if not guest.leave(click.echo):
            raise NotReady("not everything could be taken away; mend that and run this again")
