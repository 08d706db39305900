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
from hive.demo.play import Evening, Show, closing, fresh, own_project, require_git, stage
from hive.demo.stage import push_project, sample
from hive.provision import Provision
from hive.settings import ForgeSettings

BETWEEN_LOOKS = 0.5
GUEST = "playing on {version} at {url}"
FAR = "it may not reach this machine; what it does not tell is asked for every few seconds"
READY = "makes it ready, as `hive init` does"
DEAF = "none came, all was asked for; on that forge set [webhook] ALLOWED_HOST_LIST = loopback,private"
TOOK_NOTHING = "nothing of a demo on {url} is known in {state}"


def visit(evening: Evening, door: Door) -> None:
    """Play the story on somebody's forge; raises NotReady and StoryFailed."""
    require_git()
    project = own_project(evening)
    with Guest(door, Record(evening.state.resolve())) as guest:
        kind, version = guest.forge()
        cast = guest.cast()
        evening = replace(evening, state=fresh(evening.state))
        place = ForgeSettings(door.url, "gitea" if kind == "gitea" else "forgejo")
        with stage(evening, place, cast, project) as show:
            show.screen.note(GUEST.format(version=f"{kind.title()} {version}", url=door.url))
            if urlsplit(door.url).hostname not in {"127.0.0.1", "localhost", "::1"}:
                show.screen.note(FAR)
            try:
                settle(guest, show, door)
                perform(guest, show, door)
            finally:
                closing("clean", f"hive demo --forge {door.url} --admin {door.login} --state {evening.state} --clean")
                click.echo()


def perform(guest: Guest, show: Show, door: Door) -> None:
    """Play the story, and stay up if that was asked for."""
    show.begin()
    with Calls(door.url, show.cast.operator, guest.operator_token(show.cast)) as hands:
        with show.explained():
            if not show.perform(hands, between_looks=BETWEEN_LOOKS):
                return
        if not show.house.ledger.intake.deliveries():
            closing("webhooks", DEAF)
        show.linger()


def settle(guest: Guest, show: Show, door: Door) -> None:
    """Make accounts, organisations, the project, and the forge ready, as `hive init` does."""
    cast, house, evening = show.cast, show.house, show.evening

    def password(login: str) -> str:
        return house.vault.password(FORGE, login) if login == cast.operator else secrets.token_urlsafe(24)

    guest.settle(cast, password)
    show.screen.note(f"made the organisations {', '.join(cast.places)}")
    show.screen.note(f"made the accounts {', '.join(cast.people)}")
    show.screen.note(READY)
    push_project(door, cast, evening.project or sample(evening.state))
    Provision.run(house, FORGE, door.login, door.password, lambda _: None)


def clean(evening: Evening, door: Door) -> None:
    """Take away what demos of this state directory made on a forge; raises NotReady if something stays."""
    with Guest(door, record := Record(evening.state.resolve())) as guest:
        if not record.rows(door.url):
            raise NotReady(TOOK_NOTHING.format(url=door.url, state=evening.state))
        guest.forge()
        if not guest.leave(click.echo):
            raise NotReady("not everything could be taken away; mend that and run this again")
