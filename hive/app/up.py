"""`hive up`: the whole hive as one process tree, with one line for each thing that happens."""

from __future__ import annotations

import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from forge.gitea.admin import GiteaAdmin
from hive.app.console import ActivityConsole
from hive.app.set_up import ADMIN, AgentSetUp
from hive.app.web import listen
from hive.config import Settings
from hive.config.extras import need
from hive.instance.instance import Instance, StartupError
from hive.instance.opening import packages
from hive.instance.rosters import rostered
from hive.instance.running_agent import keyless, keys_of, new_engine
from hive.instance.sandbox import backend_of, remarks
from hive.ledger import Scope, SuspensionReason
from hive.provision import Provisioner
from hive.scan.analysis import absent
from hive.supervisor.generations import DIRECTORY, GENERATION, Generations
from hive.supervisor.heartbeat import HEARTBEATS, read_heartbeats
from hive.supervisor.processes import Supervisor, stop_event

PATIENCE_SECONDS = 60.0
POLL_SECONDS = 0.05

PRELOADED = ("hive.app.preload", "httpx2")
"""What the processes of the hive hold in common: the client of the model takes half a second and 11 MB."""

Say = Callable[[str], None]


def up(config: Path, instance: Instance) -> None:
    """Run everything until stopped; what this process started has ended when it returns."""
    stop = stop_event()
    console = ActivityConsole(instance)

    def mourn(name: str, status: int) -> None:
        if status == 0:  # it ends by itself when a merged roster changes who works here
            return
        words = tree.last_words(name)
        console.note(f"{name} ended ({status}), again{f': {words}' if words else ''}")

    tree = Supervisor(instance.settings.state / "logs", mourn, preload=PRELOADED)
    try:
        backend_of(instance.settings)
        console.begin_here()
        begin(config, instance, tree, console.note)
        for _, why in keyless(instance, keys_of(instance)):
            console.note(why)
        console.note(f"the hive is up; logs are in {instance.settings.state / 'logs'}; Ctrl-C ends it")
        say_up(instance, tree)
        set_up = AgentSetUp(instance)
        while not stop.wait(0.2):
            tree.check()
            console.show()
            set_up.look()
    finally:
        tree.stop()
        instance.close()


def begin(
    config: Path,
    instance: Instance,
    tree: Supervisor,
    say: Say,
    *,
    seed: Callable[[], None] | None = None,
    engine: str = "",
) -> None:
    """Start every process, forges first; raises StartupError for what is missing.

    `seed` is called when the forges answer and nothing on them is protected yet. `engine` is that of new agents.
    """
    need(*packages(instance.settings, "up"))
    backend_of(instance.settings)
    for remark in (*remarks(instance.settings), *_unreviewed(instance.settings)):
        say(remark)
    instance.close_to_others()
    ours = instance.settings.own_forges
    for name in ours:
        begin_forge(instance, name, tree, say)
    if seed is not None:
        seed()
    for remark in () if engine else _unthinking(instance):
        say(remark)
    for name in ours:
        password = instance.secret_store.password(name, ADMIN)
        Provisioner.run(instance, name, ADMIN, password, lambda _: None, engine=engine)
    ready = rostered(instance)
    for team in ready.settings.teams:
        ready.team(team)
    web = instance.settings.web
    tree.add("web", "web", str(config), sock=listen(instance))
    for part in ("work", "host"):
        tree.add(part, part, str(config))
    wait_for(f"http://{web.host}:{web.port}/livez", instance, "web", tree)
    for agent in expected(ready):
        is_healthy = partial(instance.ledger.deployments.is_healthy, agent)
        wait_until(is_healthy, f"{agent} sent no heartbeat", instance, tree=tree)


def expected(instance: Instance) -> Iterator[str]:
    """The agents whose containers have to answer at a start: all but those that an operator has stopped."""
    for name, team in instance.settings.teams.items():
        for agent in team.agents:
            held = instance.ledger.suspensions.of(name, Scope.AGENT, agent)
            if not any(suspension.reason is SuspensionReason.STOPPED for suspension in held):
                yield agent


def say_up(instance: Instance, tree: Supervisor) -> None:
    """Tell a launcher, if there is one, that all of this version runs; raises StartupError if the worker does not."""
    generation = os.environ.get(GENERATION)
    if not generation:
        return
    started = time.time()

    def works() -> bool:
        return any(beat.loop == "work.jobs" and beat.at >= started for beat in read_heartbeats(folder))

    folder = instance.settings.state / HEARTBEATS
    wait_until(works, "work does nothing", instance, "work", tree=tree)
    Generations(instance.settings.state / DIRECTORY).say_up(generation)


def _unreviewed(settings: Settings) -> Iterator[str]:
    missing = absent() if "bots.review" in settings.bots else ()
    if missing:
        yield f"review lacks {', '.join(missing)}: pip install 'forgehive[review]'"


def _unthinking(instance: Instance) -> Iterator[str]:
    """What is said of agents that get an engine without a model, as they are new and have no key."""
    for agent in (agent for team in instance.settings.teams.values() for agent in team.agents):
        engine, why = new_engine(instance, agent)
        if why and instance.ledger.deployments.baseline(agent) is None:
            yield f"{agent} begins with engine: {engine}; {why}"


def begin_forge(instance: Instance, name: str, tree: Supervisor, say: Say) -> None:
    """Start an embedded forge, with an account for each operator."""
    settings = instance.settings.forges[name]
    parts = urlsplit(settings.url)
    words = ("forge", "--state", str(instance.settings.state / name), "--host", parts.hostname or "127.0.0.1")
    admin = instance.secret_store.password(name, ADMIN)
    tree.add(
        name, *words, "--port", str(parts.port or 80), "--admin", ADMIN, env={"HIVE_ADMIN_PASSWORD": admin}, early=True
    )
    wait_for(f"{instance.url(name)}/api/v1/version", instance, name, tree)
    with GiteaAdmin(name=name, url=instance.url(name), login=ADMIN, password=admin) as forge:
        for team in instance.settings.teams.values():
            for operator in team.operators if team.forge == name else ():
                password = instance.secret_store.password(name, operator)
                forge.ensure_user(operator, password=password, email=f"{operator}@{name}.invalid")
                say(f"sign in at {settings.url} as {operator}, {password}")


@contextmanager
def own_forge(instance: Instance, name: str, say: Say) -> Iterator[None]:
    """Run an embedded forge for a while, unless it runs already; any other forge is left alone. Raises StartupError."""
    if name not in instance.settings.own_forges or _responds(f"{instance.url(name)}/api/v1/version"):
        yield
        return
    instance.close_to_others()
    tree = Supervisor(instance.settings.state / "logs", lambda *_: None)
    try:
        begin_forge(instance, name, tree, say)
        yield
    finally:
        tree.stop()


def wait_for(url: str, instance: Instance, part: str, tree: Supervisor) -> None:
    """Wait until a process of ours answers; see `wait_until`."""
    wait_until(lambda: _responds(url), f"{part} does not answer", instance, part, tree=tree)


def wait_until(
    is_so: Callable[[], bool], otherwise: str, instance: Instance, part: str = "host", *, tree: Supervisor
) -> None:
    """Wait for something for a reasonable time.

    Raises StartupError with the end of the part's log, and CrashLoop at once for a part that keeps ending.
    """
    until = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        tree.check()
        if time.monotonic() > until:
            log = instance.settings.state / "logs" / f"{part}.log"
            end = log.read_text(errors="replace").splitlines()[-3:] if log.exists() else []
            raise StartupError("; ".join([otherwise, *end, f"see {log}"]))
        time.sleep(POLL_SECONDS)


def _responds(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310  an address of our own settings
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
