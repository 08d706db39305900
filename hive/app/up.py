"""`hive up`: the whole hive as one process tree, with one line for each thing that happens."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from forge.gitea.admin import GiteaAdmin
from hive.app.house import House, NotReady, model_key
from hive.app.sandbox import jail_of, remarks
from hive.app.web import listen
from hive.complaints import need
from hive.processes import Tree, until_told
from hive.provision import Provision
from hive.screen import Screen

ADMIN = "hive-admin"
PATIENCE_SECONDS = 60.0
POLL_SECONDS = 0.05

Say = Callable[[str], None]


def up(config: Path, house: House) -> None:
    """Run everything until told to stop; what this process started is gone when it returns."""
    model_key(house.settings)
    stop = until_told()
    screen = Screen(house)

    def mourn(name: str, status: int) -> None:
        words = tree.last_words(name)
        screen.note(f"{name} ended ({status}), again{f': {words}' if words else ''}")

    tree = Tree(house.settings.state / "logs", mourn)
    try:
        jail_of(house.settings)
        screen.begin_here()
        begin(config, house, tree, screen.note)
        screen.note(f"the hive is up; logs are in {house.settings.state / 'logs'}; Ctrl-C ends it")
        while not stop.wait(0.2):
            tree.check()
            screen.show()
    finally:
        tree.stop()
        house.close()


def begin(config: Path, house: House, tree: Tree, say: Say, *, seed: Callable[[], None] | None = None) -> None:
    """Start every process, forges first; raises NotReady for what is missing.

    `seed` is called when the forges answer and nothing on them is protected yet.
    """
    need("git", *(("nh3", "pygments") if house.settings.own_forges else ()))
    jail_of(house.settings)
    for remark in remarks(house.settings):
        say(remark)
    house.close_to_others()
    ours = house.settings.own_forges
    for name in ours:
        begin_forge(house, name, tree, say)
    if seed is not None:
        seed()
    for name in ours:
        Provision.run(house, name, ADMIN, house.vault.password(name, ADMIN), lambda _: None)
    for team in house.settings.teams:
        house.team(team)
    web = house.settings.web
    tree.add("web", "web", str(config), sock=listen(house))
    for part in ("work", "host"):
        tree.add(part, part, str(config))
    wait_for(f"http://{web.host}:{web.port}/livez", house, "web", tree)
    for mine in house.settings.teams.values():
        for agent in mine.agents:
            wait_until(
                partial(house.ledger.deployments.is_up, agent), f"{agent} gave no sign of life", house, tree=tree
            )


def begin_forge(house: House, name: str, tree: Tree, say: Say) -> None:
    """Start a forge of our own, with an account for each operator."""
    settings = house.settings.forges[name]
    parts = urlsplit(settings.url)
    words = ("forge", "--state", str(house.settings.state / name), "--host", parts.hostname or "127.0.0.1")
    admin = house.vault.password(name, ADMIN)
    tree.add(name, *words, "--port", str(parts.port or 80), "--admin", ADMIN, env={"HIVE_ADMIN_PASSWORD": admin})
    wait_for(f"{house.url(name)}/api/v1/version", house, name, tree)
    with GiteaAdmin(name=name, url=house.url(name), login=ADMIN, password=admin) as forge:
        for team in house.settings.teams.values():
            for operator in team.operators if team.forge == name else ():
                password = house.vault.password(name, operator)
                forge.ensure_user(operator, password=password, email=f"{operator}@{name}.invalid")
                say(f"sign in at {settings.url} as {operator}, {password}")


@contextmanager
def own_forge(house: House, name: str, say: Say) -> Iterator[None]:
    """A forge of our own answers for so long, started if nobody runs it; any other is left as it is. Raises NotReady."""
    if name not in house.settings.own_forges or _responds(f"{house.url(name)}/api/v1/version"):
        yield
        return
    house.close_to_others()
    tree = Tree(house.settings.state / "logs", lambda *_: None)
    try:
        begin_forge(house, name, tree, say)
        yield
    finally:
        tree.stop()


def wait_for(url: str, house: House, part: str, tree: Tree) -> None:
    """Wait until a process of ours answers; see `wait_until`."""
    wait_until(lambda: _responds(url), f"{part} does not answer", house, part, tree=tree)


def wait_until(is_so: Callable[[], bool], otherwise: str, house: House, part: str = "host", *, tree: Tree) -> None:
    """Wait for something, as long as is reasonable.

    Raises NotReady with the end of the part's log, and Hopeless at once for a part that ends as soon as it is started.
    """
    until = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        tree.check()
        if time.monotonic() > until:
            log = house.settings.state / "logs" / f"{part}.log"
            end = log.read_text(errors="replace").splitlines()[-3:] if log.exists() else []
            raise NotReady("; ".join([otherwise, *end, f"see {log}"]))
        time.sleep(POLL_SECONDS)


def _responds(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310  an address of our own settings
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
