"""`hive demo`: sets the stage, plays the story, and stays up until Ctrl-C."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import click

from forge.gitea.reader import GiteaReader
from forge.models import Ref
from hive.app.console import ActivityConsole
from hive.app.up import PRELOADED, begin
from hive.config import EMBEDDED, ForgeSettings, load
from hive.demo import cleanup_record, engines
from hive.demo.form_browser import FormBrowser
from hive.demo.model import ModelServer
from hive.demo.names import FORGE, PLAIN, DemoNames
from hive.demo.operator import OperatorClient
from hive.demo.own_project import Project, look_at
from hive.demo.scripted_replies import script
from hive.demo.setup import ANYTHING, BEES, OPERATOR, copy_project, sample, write_config_for
from hive.demo.story import Pace, Story, StoryFailed, Timing
from hive.instance.instance import Instance, StartupError
from hive.scan.analysis import absent
from hive.supervisor.processes import Supervisor, stop_event

MARK = "this-is-a-hive-demo"
GIT_NEEDED = (2, 38)
PATIENCE, PATIENCE_THINKING = 120.0, 900.0
TITLE = "forgehive: file an issue to assign work, merge a pull request to approve it"
BEES_NEXT = "file the issue “Sort the hives by honey” and watch it"
OWN_WORDS = "for a sentence of your own: hive demo --engine mechanic, or --project PATH"


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """What an operator asked for on the command line."""

    state: Path
    project: Path | None
    leave: bool
    wanted: str = ""

    @property
    def engine(self) -> str:
        """The engine of its agent."""
        return engines.chosen(self.wanted, is_own_project=self.project is not None)


@dataclass(frozen=True, slots=True)
class Show:
    """A hive for one story, and the terminal that shows it."""

    evening: DemoOptions
    cast: DemoNames
    config: Path
    instance: Instance
    console: ActivityConsole
    tree: Supervisor
    stop: threading.Event
    project: Project | None = None

    def begin(self, *, seed: Callable[[], None] | None = None) -> None:
        """Start every process; see `hive.app.up.begin`."""
        begin(self.config, self.instance, self.tree, self.console.note, seed=seed, engine=self.evening.engine)

    def perform(self, operator: OperatorClient, *, interval: float) -> bool:
        """Play the story and print how long it took; False after Ctrl-C. Raises StoryFailed."""
        engine = self.evening.engine
        pace = Pace(PATIENCE_THINKING if engines.thinks(engine) else PATIENCE, interval)
        token = self.instance.secret_store.token(FORGE, self.cast.accounts["core"])
        with GiteaReader(name=FORGE, url=self.instance.url(FORGE), token=token) as reader:
            story = Story(self.cast, reader, operator, self.console, stop=self.stop, pace=pace, stuck=self.stuck)
            timings = story.play(None if self.project is None else self.project.files, engine=engine)
        if self.stop.is_set():
            return False
        conclude(self.instance, self.cast, timings, self._next())
        return True

    def _next(self) -> list[str]:
        """What to try now."""
        engine = self.evening.engine
        if engine == "mechanic":
            first = engines.RENAME.title if self.project is None else self.project.rename()
            return [f"file “{first}” and watch it; these work too, in your own words:", *engines.ASK]
        if self.project is not None:
            return [self.project.suggestion(thinks=engines.thinks(engine))]
        return [BEES_NEXT] if engines.thinks(engine) else [BEES_NEXT, OWN_WORDS]

    def stuck(self, issue: Ref) -> str:
        """What the agent said when it could not continue an issue; empty otherwise."""
        runs = self.instance.ledger.run_states.of(str(issue))
        return "" if not runs or runs[-1].is_busy else runs[-1].last

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Explain a failed story and keep everything running for a look; then raise StoryFailed."""
        try:
            yield
        except StoryFailed as error:
            click.echo()
            self.console.note(f"🔴 {error}")
            click.echo()
            where_to_look(self.instance, self.cast)
            closing("logs", str(self.evening.state / "logs"))
            if not self.evening.leave:
                closing("end", "everything stays up until Ctrl-C")
            self.linger()
            raise

    def linger(self) -> None:
        """Stay up and show what happens, until Ctrl-C; not if leaving was asked for."""
        while not self.evening.leave and not self.stop.wait(0.2):
            self.console.show()


def play(evening: DemoOptions, *, port: int) -> None:
    """Play the story on an embedded forge; raises StartupError for what is missing, and StoryFailed."""
    require_git()
    require_analysers()
    project = own_project(evening)
    evening = replace(evening, state=fresh(evening.state))
    here = ForgeSettings(f"http://127.0.0.1:{free(port)}", EMBEDDED)
    with stage(evening, here, PLAIN, project) as show:
        instance = show.instance
        show.begin(seed=lambda: copy_project(instance, evening.project or sample(evening.state)))
        operator = FormBrowser(instance.url(FORGE), OPERATOR, instance.secret_store.password(FORGE, OPERATOR))
        with show.explained():
            if show.perform(operator, interval=0.1):
                click.echo()
                show.linger()


@contextmanager
def stage(evening: DemoOptions, forge: ForgeSettings, cast: DemoNames, project: Project | None) -> Iterator[Show]:
    """A hive ready to start; everything that it started ends with the show."""
    stop = stop_event()
    with ExitStack() as stack:
        engine = evening.engine
        model = stack.enter_context(ModelServer(script(engine))).url if engines.is_scripted(engine) else ""
        field = BEES if project is None else ANYTHING
        config = write_config_for(evening.state, forge, cast, web_port=free(0), model_url=model, field=field)
        instance = Instance(load(config))
        stack.callback(instance.close)
        engines.require(engine, instance.settings.packages_path)
        console = ActivityConsole(instance)
        logs = evening.state / "logs"
        tree = Supervisor(
            logs, lambda name, status: console.note(f"{name} ended ({status}) and is started again"), preload=PRELOADED
        )
        stack.callback(tree.stop)
        console.chapter(TITLE)
        console.note(engines.note(engine, instance.settings.model.name))
        for note in project.notes if project is not None else ():
            console.note(f"🟡 {note}")
        yield Show(evening, cast, config, instance, console, tree, stop, project)


def own_project(evening: DemoOptions) -> Project | None:
    """The project of --project, checked; raises StartupError."""
    return None if evening.project is None else look_at(evening.project)


def conclude(instance: Instance, cast: DemoNames, timings: list[Timing], suggestions: list[str]) -> None:
    """The closing table, and what to do next."""
    width = max(len(timing.what) for timing in timings)
    click.echo()
    for timing in timings:
        click.echo(f"  {timing.what:<{width}}  {timing.seconds:6.1f} s")
    click.echo()
    where_to_look(instance, cast)
    for number, suggestion in enumerate(suggestions):
        closing("" if number else "try", suggestion)
    closing("state", str(instance.settings.state))


def where_to_look(instance: Instance, cast: DemoNames) -> None:
    """Where the project is, and how to sign in."""
    closing("open", f"{instance.url(FORGE)}/{cast.team}/app")
    closing("sign in", f"{cast.operator}, {instance.secret_store.password(FORGE, cast.operator)}")


def closing(what: str, how: str) -> None:
    """A line of the closing table."""
    click.echo(f"  {click.style(what, bold=True)}{' ' * (10 - len(what))}{how}")


def require_git() -> None:
    """Check for a git that can merge without a work tree; raises StartupError."""
    found = shutil.which("git")
    if found is None:
        raise StartupError("git is not installed; on Debian and Ubuntu: apt-get install git")
    said = subprocess.run([found, "version"], capture_output=True, text=True).stdout
    numbers = tuple(int(part) for part in said.split()[2].split(".")[:2])
    if numbers < GIT_NEEDED:
        raise StartupError(f"git {'.'.join(map(str, GIT_NEEDED))} or newer is needed (this is {said.strip()})")


def require_analysers() -> None:
    """Check for everything that the story's review runs; raises StartupError."""
    if missing := absent():
        raise StartupError(f"the review needs {', '.join(missing)}: pip install 'forgehive[demo]'")


def fresh(state: Path) -> Path:
    """An empty state directory; only an older demo's is emptied. Raises StartupError.

    What an older demo created on your forge stays on record, so that it can be removed.
    """
    state = state.resolve()
    record = state / cleanup_record.FILE
    kept = b""
    if state.exists() and any(state.iterdir()):
        if not (state / MARK).exists():
            raise StartupError(f"{state} is not empty and not of a demo; choose another --state")
        kept = record.read_bytes() if record.exists() else b""
        shutil.rmtree(state)
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    (state / MARK).touch()
    if kept:
        record.write_bytes(kept)
    return state


def free(port: int) -> int:
    """A free port: the given one, or any for 0. Raises StartupError."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise StartupError(f"port {port} is in use; choose another by --port, or 0 for any") from error
        return int(probe.getsockname()[1])
