"""`hive demo --forge URL`: the same story on a forge that is there already, under names that are free on it."""

from __future__ import annotations

import secrets
from dataclasses import replace
from urllib.parse import urlsplit

import click

from hive.config import ForgeSettings
from hive.demo.cleanup_record import CleanupRecord
from hive.demo.demo import DemoOptions, Show, closing, fresh, own_project, require_analysers, require_git, stage
from hive.demo.forge_access import ForgeAccess
from hive.demo.names import FORGE
from hive.demo.operator import ApiOperator
from hive.demo.remote_setup import RemoteSetup
from hive.demo.setup import push_project, sample
from hive.instance.instance import StartupError
from hive.provision import Provisioner

INTERVAL = 0.5
GUEST = "playing on {version} at {url}"
FAR = "it may not reach this machine; what it does not tell is asked for every few seconds"
READY = "makes it ready, as `hive init` does"
DEAF = "none came, all was asked for; on that forge set [webhook] ALLOWED_HOST_LIST = loopback,private (from Gitea 1.27 on in [security])"
TOOK_NOTHING = "nothing of a demo on {url} is known in {state}"


def visit(evening: DemoOptions, door: ForgeAccess) -> None:
    """Play the story on your forge; raises StartupError and StoryFailed."""
    require_git()
    require_analysers()
    project = own_project(evening)
    with RemoteSetup(door, CleanupRecord(evening.state.resolve())) as guest:
        kind, version = guest.forge()
        cast = guest.cast()
        evening = replace(evening, state=fresh(evening.state))
        place = ForgeSettings(door.url, "gitea" if kind == "gitea" else "forgejo")
        with stage(evening, place, cast, project) as show:
            show.console.note(GUEST.format(version=f"{kind.title()} {version}", url=door.url))
            if urlsplit(door.url).hostname not in {"127.0.0.1", "localhost", "::1"}:
                show.console.note(FAR)
            try:
                settle(guest, show, door)
                perform(guest, show, door)
            finally:
                closing("clean", f"hive demo --forge {door.url} --admin {door.login} --state {evening.state} --clean")
                click.echo()


def perform(guest: RemoteSetup, show: Show, door: ForgeAccess) -> None:
    """Play the story, and stay up if that was asked for."""
    show.begin()
    with ApiOperator(door.url, show.cast.operator, guest.operator_token(show.cast)) as operator:
        with show.explained():
            if not show.perform(operator, interval=INTERVAL):
                return
        if not show.instance.ledger.deliveries.count():
            closing("webhooks", DEAF)
        show.linger()


def settle(guest: RemoteSetup, show: Show, door: ForgeAccess) -> None:
    """Make accounts, organisations, the project, and the forge ready, as `hive init` does."""
    cast, instance, evening = show.cast, show.instance, show.evening

    def password(login: str) -> str:
        return instance.secret_store.password(FORGE, login) if login == cast.operator else secrets.token_urlsafe(24)

    guest.settle(cast, password)
    show.console.note(f"created the organisations {', '.join(cast.places)}")
    show.console.note(f"created the accounts {', '.join(cast.people)}")
    show.console.note(READY)
    push_project(door, cast, evening.project or sample(evening.state))
    Provisioner.run(instance, FORGE, door.login, door.password, lambda _: None, engine=evening.engine)


def clean(evening: DemoOptions, door: ForgeAccess) -> None:
    """Remove what demos of this state directory created on a forge; raises StartupError if something is left."""
    with RemoteSetup(door, record := CleanupRecord(evening.state.resolve())) as guest:
        if not record.rows(door.url):
            raise StartupError(TOOK_NOTHING.format(url=door.url, state=evening.state))
        guest.forge()
        if not guest.leave(click.echo):
            raise StartupError("not everything could be removed; fix that and run this again")
