"""The forge as an HTTP server on a thread."""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Self

from flask import Flask, Response, request
from waitress import wasyncore
from waitress.server import create_server
from werkzeug.routing import Map

from forge.embedded import api, fault_injection, git_http, pages
from forge.embedded.fault_injection import FaultInjector
from forge.embedded.faults import Faults
from forge.embedded.flavour import Flavour
from forge.embedded.flavours import FORGEJO_17
from forge.embedded.hooks import Sender
from forge.embedded.instance import ForgeInstance
from forge.embedded.services import people, pushes
from forge.embedded.state import ForgeState, Row
from forge.matched_rule import MatchedRule

_THREADS = 16
_MAX_BODY = 1 << 30
_PATIENCE = 5.0
"""Seconds that the git processes of a forge that was killed may take to end."""


class EmbeddedForge:
    """A forge whose whole state lies below one directory; use it as a context manager, or `start` and `stop` it.

    Port 0 takes a free one: the address is known, and used in everything that the forge says, before
    the first request is answered. `check_delay` and `hook_delay` are seconds of a real forge's slowness;
    a receiver of hooks has `hook_timeout` seconds.
    """

    def __init__(
        self,
        state: Path,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        url: str = "",
        flavour: Flavour = FORGEJO_17,
        check_delay: float = 0.0,
        hook_delay: float = 0.0,
        hook_timeout: float = 5.0,
    ) -> None:
        root = state.absolute()  # git is started in other directories
        self.site = ForgeInstance(
            root, ForgeState(root / "forge.db"), flavour, url, check_delay=check_delay, hook_delay=hook_delay
        )
        self.site.hook_timeout = hook_timeout
        self.wsgi: Callable[[dict[str, Any], Any], Iterable[bytes]] = FaultInjector(self.site, application(self.site))
        self._place = (host, port)
        self._server: Any = None
        self._sockets: dict[int, Any] = {}
        self._sender = Sender(self.site)
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """Where the forge is."""
        return self.site.url

    @property
    def faults(self) -> Faults:
        """What goes wrong, for tests."""
        return self.site.faults

    def create_admin(self, login: str, password: str, *, email: str = "") -> Row:
        """A site admin; one that is there already gets this password."""
        known = people.find(self.site, login)
        if known:
            return people.edit(self.site, known, {"password": password, "is_admin": True})
        return people.create(self.site, login, password, email=email or f"{login}@localhost.localdomain", is_admin=True)

    def open(self) -> None:
        """Listen, and recover from a crash; raises OSError for a port in use."""
        host, port = self._place
        options = {"threads": _THREADS, "ident": None, "max_request_body_size": _MAX_BODY, "channel_timeout": 3600}
        self._server = create_server(self.wsgi, map=self._sockets, host=host, port=port, ipv6=":" in host, **options)
        if not self.site.url:
            self.site.url = f"http://{host}:{self._server.effective_port}"
        self.site.lock = _own(self.site.root / "lock")
        git_http.install(self.site.root)
        pushes.recover(self.site)
        self._sender.start()

    def run(self) -> None:
        """Answer until `stop`."""
        self._server.run()

    def start(self) -> EmbeddedForge:
        """Serve on a thread."""
        self.open()
        self._thread = threading.Thread(target=self.run, name="forge", daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        """End: requests first, then deliveries, then the database; a second time it does nothing."""
        self.site.faults.over.set()
        server, self._server = self._server, None
        if server is not None:
            server.task_dispatcher.shutdown()
            if self._thread is not None:
                # The loop has to close its sockets itself: clients keep their connections open. And it
                # has to wait until the trigger is pulled, which it closes as well.
                pulled = threading.Event()
                server.trigger.pull_trigger(lambda: self._hang_up(after=pulled))
                pulled.set()
                self._thread.join()
            self._sender.stop()
        self._hang_up()
        self.site.state.close()
        if self.site.lock >= 0:
            os.close(self.site.lock)
            self.site.lock = -1

    def _hang_up(self, *, after: threading.Event | None = None) -> None:
        if after is not None:
            after.wait()
        wasyncore.close_all(self._sockets, ignore_all=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def _own(path: Path) -> int:
    """Lock a state directory, waiting for the git processes of a forge that was killed."""
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    end = time.monotonic() + _PATIENCE
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return lock
        except BlockingIOError:
            if time.monotonic() > end:
                os.close(lock)
                raise
            time.sleep(0.01)


class _Application(Flask):
    """Shares its map of routes with other forges of this process: to compile it takes most of a forge's start."""

    url_rule_class = MatchedRule
    _known: Map | None = None

    def add_url_rule(self, rule: str, endpoint: str | None = None, view_func: Any = None, **options: Any) -> None:  # type: ignore[override]
        """Add a route, or its view alone where the route is known."""
        if self._known is None:
            super().add_url_rule(rule, endpoint, view_func, **options)
        else:
            self.view_functions[endpoint or view_func.__name__] = view_func

    def share(self) -> None:
        """All routes are there."""
        if self._known is None:
            _Application._known = self.url_map
        else:
            self.url_map = self._known


def application(site: ForgeInstance) -> Flask:
    """The forge as a WSGI application."""
    app = _Application("forge", static_folder=None)
    api.mount(app, site)
    fault_injection.mount(app, site)
    pages.mount(app, site)

    def git(owner: str, name: str, rest: str) -> Response:
        return git_http.serve(site, request, owner, name, rest)

    for rest, methods in (("info/refs", ["GET"]), ("git-upload-pack", ["POST"]), ("git-receive-pack", ["POST"])):
        app.add_url_rule(f"/<owner>/<name>/{rest}", rest, git, methods=methods, defaults={"rest": rest})
    app.share()
    return app
