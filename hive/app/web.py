"""`hive web`: the receiver on its socket."""

from __future__ import annotations

import threading
from collections.abc import Callable

from forge.events import Event
from forge.gitea.decode import decode
from hive.app.house import House, NotReady
from hive.serve import App, Server, tcp
from hive.web import Desk, Door, create
from hive.work import JOB

THREADS = 8


def application(house: House) -> App:
    """The receiver, with a door for each forge."""
    doors = {
        name: Door((house.vault.hook_secret(name),), decode, _page(house.url(name))) for name in house.settings.forges
    }
    desk = Desk(
        house.ledger, doors, house.settings.team_of, house.listeners, wake=lambda job: house.queue.push(JOB, job)
    )
    return create(desk)


def serve(house: House, stop: threading.Event) -> None:
    """Receive until `stop` is set; raises NotReady if the port is taken."""
    web = house.settings.web
    try:
        sock = tcp(web.host, web.port)
    except OSError as error:
        raise NotReady(f"{web.host}:{web.port} cannot be listened on ({error.strerror}); set web.port") from error
    server = Server(application(house), sock, threads=THREADS)
    server.start()
    stop.wait()
    server.stop()


def _page(url: str) -> Callable[[Event], str]:
    def page(event: Event) -> str:
        kind = "pulls" if type(event).__name__.startswith("Pull") else "issues"
        return f"{url}/{event.ref.repo.path}/{kind}/{event.ref.number}"

    return page
