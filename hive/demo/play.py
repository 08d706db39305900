"""`hive demo`: sets the stage, plays the story, and stays up until Ctrl-C."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import click

from forge.gitea.read import GiteaReader
from hive.app.house import House, NotReady
from hive.app.up import begin
from hive.demo.clicks import Clicks
from hive.demo.model import ModelServer
from hive.demo.scenes import script
from hive.demo.stage import FORGE, OPERATOR, TEAM, copy_project, sample, write_config
from hive.demo.story import Story, Timing
from hive.processes import Tree, until_told
from hive.screen import Screen
from hive.settings import load

MARK = "this-is-a-hive-demo"
GIT_NEEDED = (2, 38)
TITLE = "forgehive: file an issue to assign work, merge a pull request to approve it"
SCRIPTED = "a scripted model plays the agents: no ANTHROPIC_API_KEY is set"
THINKING = "the agents think with {model}; it costs money, and minutes"


@dataclass(frozen=True, slots=True)
class Brain:
    """Which model is at work."""

    thinks: bool
    url: str


def play(*, state: Path, project: Path | None, port: int, leave: bool) -> None:
    """Play the story; raises NotReady for what is missing and StoryFailed if it ends otherwise."""
    require_git()
    state = fresh(state)
    stop = until_told()
    with ExitStack() as stage:
        brain = Brain(thinks=bool(os.environ.get("ANTHROPIC_API_KEY")), url="")
        if not brain.thinks:
            brain = Brain(thinks=False, url=stage.enter_context(ModelServer(script())).url)
        config = write_config(state, forge_port=free(port), web_port=free(0), model_url=brain.url)
        house = House(load(config))
        stage.callback(house.close)
        screen = Screen(house)
        tree = Tree(state / "logs", lambda name, status: screen.note(f"{name} ended ({status}) and is started again"))
        stage.callback(tree.stop)
        screen.chapter(TITLE)
        screen.note(SCRIPTED if not brain.thinks else THINKING.format(model=house.settings.model.name))
        begin(config, house, tree, screen.note, seed=lambda: copy_project(house, project or sample(state)))
        with GiteaReader(name=FORGE, url=house.url(FORGE), token=house.vault.token(FORGE, "core")) as reader:
            clicks = Clicks(house.url(FORGE), OPERATOR, house.vault.password(FORGE, OPERATOR))
            story = Story(reader, clicks, screen, stop, patience=900 if brain.thinks else 120)
            timings = story.play(own_project=project is not None)
        if stop.is_set():
            return
        conclude(house, timings)
        while not leave and not stop.wait(0.2):
            screen.show()


def conclude(house: House, timings: list[Timing]) -> None:
    """The closing table, and where to go on."""
    url = house.url(FORGE)
    width = max(len(timing.what) for timing in timings)
    click.echo()
    for timing in timings:
        click.echo(f"  {timing.what:<{width}}  {timing.seconds:6.1f} s")
    click.echo()
    click.echo(f"  {click.style('open', bold=True)}      {url}/{TEAM}/app")
    click.echo(f"  {click.style('sign in', bold=True)}   {OPERATOR}, {house.vault.password(FORGE, OPERATOR)}")
    click.echo(f"  {click.style('try', bold=True)}       file the issue “Sort the hives by honey” and watch it")
    click.echo(f"  {click.style('state', bold=True)}     {house.settings.state}")
    click.echo()


def require_git() -> None:
    """A git that can merge without a work tree; raises NotReady."""
    found = shutil.which("git")
    if found is None:
        raise NotReady("git is not installed; on Debian and Ubuntu: apt-get install git")
    said = subprocess.run([found, "version"], capture_output=True, text=True).stdout
    numbers = tuple(int(part) for part in said.split()[2].split(".")[:2])
    if numbers < GIT_NEEDED:
        raise NotReady(f"git {'.'.join(map(str, GIT_NEEDED))} or newer is needed (this is {said.strip()})")


def fresh(state: Path) -> Path:
    """An empty state directory; only an older demo's is emptied. Raises NotReady."""
    state = state.resolve()
    if state.exists() and any(state.iterdir()):
        if not (state / MARK).exists():
            raise NotReady(f"{state} is not empty and not of a demo; choose another --state")
        shutil.rmtree(state)
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    (state / MARK).touch()
    return state


def free(port: int) -> int:
    """A port that nobody listens on: the given one, or any for 0. Raises NotReady."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise NotReady(f"port {port} is in use; choose another by --port, or 0 for any") from error
        return int(probe.getsockname()[1])
