"""The command line of the hive. Each command imports what it runs, so that `--help` stays quick."""

from __future__ import annotations

import logging
import os
import shutil
import sys
from gc import set_threshold
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hive.app.operator_errors import known, sentence
from hive.instance.file_modes import be_private

if TYPE_CHECKING:
    from hive.instance.instance import Instance

CONFIG = click.Path(dir_okay=False, path_type=Path)
STATE = click.Path(file_okay=False, path_type=Path)
PORT = click.IntRange(0, 65535)
OBJECTS_BETWEEN_COLLECTIONS = 50_000
"""Python's own 700 is for programs that make garbage; imports make what stays, an eighth of their time was collecting."""

WELCOME = (
    "A hive of agents that lives on your forge.\n\nFile an issue to assign work, merge a pull request to approve it."
)
SECTIONS = {
    "Begin": ("demo", "check", "init", "up"),
    "Look after it": ("doctor", "adopt", "rotate", "queue", "inbox", "run", "replay", "gc"),
    "Single processes (`up` runs them all)": ("web", "work", "host", "forge"),
}


class Sections(click.Group):
    """Commands under headings, in the order in which one meets them."""

    def invoke(self, ctx: click.Context) -> object:
        """Run a command; what an operator can mend is one sentence, without a traceback."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise  # nobody listens any more: click ends quietly
        except known() as error:
            raise SystemExit(_complain(sentence(error))) from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands."""
        for heading, names in SECTIONS.items():
            rows = [
                (name, command.get_short_help_str(60)) for name in names if (command := self.get_command(ctx, name))
            ]
            with formatter.section(click.style(heading, bold=True)):
                formatter.write_dl(rows, col_spacing=4)


@click.group(
    cls=Sections, help=WELCOME, context_settings={"max_content_width": 80, "help_option_names": ["-h", "--help"]}
)
@click.version_option(package_name="forgehive", message="%(prog)s %(version)s")
def main() -> None:
    """Set up logging, one fact a line, to the error stream; what any command makes is nobody else's."""
    be_private()
    set_threshold(OBJECTS_BETWEEN_COLLECTIONS)
    logging.getLogger("urllib3").setLevel(logging.ERROR)  # tries that fail are said by who gives up
    level = os.environ.get("HIVE_LOG", "WARNING").upper()
    if level not in (levels := logging.getLevelNamesMapping()):
        raise SystemExit(_complain(f"HIVE_LOG should be one of {', '.join(levels)} (it is {level[:20]!r})"))
    logging.basicConfig(level=level, format="%(asctime)s %(name)s %(message)s")


@main.command()
@click.option("--exit", "leave", is_flag=True, help="End after the story, with status 0 if it ended well.")
@click.option("--project", type=STATE, help="Play with a copy of this git repository.")
@click.option("--state", type=STATE, default=Path(".hive/demo"), show_default=True, help="Where everything is kept.")
@click.option("--port", type=PORT, metavar="PORT", default=3080, show_default=True, help="Of its forge; 0: a free one.")
@click.option("--forge", "url", metavar="URL", help="Play on this Forgejo or Gitea instead of one of its own.")
@click.option(
    "--admin", metavar="LOGIN[:PASSWORD]", help="Site admin there; the password better by HIVE_ADMIN_PASSWORD."
)
@click.option("--clean", is_flag=True, help="Play nothing; take away what was made on --forge.")
def demo(
    *, project: Path | None, state: Path, leave: bool, port: int, url: str | None, admin: str | None, clean: bool
) -> None:
    """Play the story on this machine, or on a forge that is there."""
    from hive.config.extras import need

    need("git", "anthropic", *(("nh3", "pygments") if url is None else ()))
    from hive.demo.demo import DemoOptions, play

    evening = DemoOptions(state, project, leave)
    if url is None:
        if admin or clean:
            raise SystemExit(_complain("--admin and --clean are for a forge that is there already: name it by --forge"))
        return play(evening, port=port)
    from hive.demo.forge_access import forge_access
    from hive.demo.remote_demo import clean as take_away
    from hive.demo.remote_demo import visit

    return (take_away if clean else visit)(evening, forge_access(url, admin))


@main.command()
@click.argument("config", type=CONFIG, default=Path("hive.yaml"))
def check(config: Path) -> None:
    """Read a configuration and name every mistake in it."""
    instance = _instance(config)
    click.echo(f"{config}: {len(instance.settings.teams)} team(s), bots {', '.join(instance.bots)}")


FORGE = click.option("--forge", "name", help="Which of the configured forges; needed if there are several.")
ADMIN = click.option("--admin", help="Login of a site admin; the password is in HIVE_ADMIN_PASSWORD, or asked for.")


@main.command()
@click.argument("config", type=CONFIG, default=Path("hive.yaml"))
@FORGE
@ADMIN
@click.option("--plan", is_flag=True, help="Say what would be done, and do nothing.")
@click.option("--create-missing", is_flag=True, help="Make repositories of `repos` that are not there, empty.")
def init(config: Path, name: str | None, admin: str | None, *, plan: bool, create_missing: bool) -> None:
    """Make the forge ready for the hive."""
    from hive.app.up import own_forge
    from hive.provision import Provisioner

    instance = _instance(config)
    forge = _one_forge(instance, name)
    login, password = _admin(instance, forge, admin)
    said: list[str] = []

    def say(line: str) -> None:
        said.append(line)
        click.echo(line)

    if plan:
        for step in Provisioner.plan(instance, forge, login, password, create_missing=create_missing):
            say(step.planned())
    else:
        with own_forge(instance, forge, click.echo):
            Provisioner.run(instance, forge, login, password, say, create_missing=create_missing)
    click.echo(f"{forge}: {len(said)} changes{' would be made' if plan else ''}")


@main.command()
@click.argument("config", type=CONFIG, default=Path("hive.yaml"))
@FORGE
@ADMIN
def doctor(config: Path, name: str | None, admin: str | None) -> None:
    """Find what is not as it should be, and say how to mend it."""
    from bots.models import Level
    from hive.provision import Doctor, Key, summary

    instance = _instance(config)
    names = [_one_forge(instance, name)] if name or admin else list(instance.settings.forges)
    own = {forge: admin or instance.settings.forges[forge].kind == "embedded" for forge in names}
    keys = {forge: Key(*_admin(instance, forge, admin)) if own[forge] else None for forge in names}
    signs = []

    for sign in Doctor(instance, str(config)).look(keys):
        signs.append(sign)
        click.echo(sign.wrapped(min(shutil.get_terminal_size().columns, 100)) if sys.stdout.isatty() else str(sign))
    click.echo(summary(signs))
    if not all(keys.values()):
        click.echo("protections, teams, hooks and merging are looked at with --admin LOGIN")
    raise SystemExit(any(sign.level is Level.RED for sign in signs))


@main.command()
@click.argument("agent")
@click.argument("config", type=CONFIG, default=Path("hive.yaml"))
@click.option("--yes", is_flag=True, help="Do not ask.")
def adopt(agent: str, config: Path, yes: bool) -> None:
    """Take a refused configuration of AGENT as it is."""
    from hive.app.adopt import run

    run(_instance(config), agent, click.echo, lambda question: yes or click.confirm(question, abort=True))


@main.command()
@click.argument("config", type=CONFIG, default=Path("hive.yaml"))
@click.argument("account", nargs=-1)
@FORGE
@ADMIN
@click.option("--hooks", is_flag=True, help="Replace the secret of the hooks only.")
def rotate(config: Path, account: tuple[str, ...], name: str | None, admin: str | None, hooks: bool) -> None:
    """Replace tokens and hook secrets.

    With ACCOUNTs, their tokens only.
    """
    from hive.provision import Rotation

    instance = _instance(config)
    forge = _one_forge(instance, name)
    key = _admin(instance, forge, admin)
    rotation = Rotation(instance, forge, click.echo)
    if not hooks:
        rotation.tokens(*key, account)
    if not account:
        rotation.hooks(*key)


@main.command()
@click.argument("config", type=CONFIG, default=Path("hive.yaml"))
def up(config: Path) -> None:
    """Run the hive as one process tree, until Ctrl-C."""
    instance = _instance(config, "up")
    from hive.app.up import up as run

    run(config, instance)


@main.command()
@click.argument("config", type=CONFIG, default=Path("hive.yaml"))
def queue(config: Path) -> None:
    """Show what waits, runs and rests, and why."""
    from hive.app.status import queue as lines

    instance = _instance(config)
    click.echo("\n".join(lines(instance.ledger)))


@main.command()
@click.argument("config", type=CONFIG, default=Path("hive.yaml"))
@click.option("--plan", is_flag=True, help="Say what would be taken away, and do nothing.")
def gc(config: Path, plan: bool) -> None:
    """Take away what is over: see `keep` in the configuration."""
    from hive.app.gc import sweep_up

    instance = _instance(config)
    sweep_up(instance, click.echo, plan=plan)


@main.command()
@click.argument("agent")
@click.argument("config", type=CONFIG, default=Path("hive.yaml"))
def inbox(agent: str, config: Path) -> None:
    """Show what AGENT has to deal with."""
    from hive.app.status import inbox as lines

    instance = _instance(config)
    if not any(agent in team.agents for team in instance.settings.teams.values()):
        raise SystemExit(_complain(f"{config} has no agent {agent!r}"))
    click.echo("\n".join(lines(instance.ledger, agent)))


@main.command("run")
@click.argument("number", type=click.IntRange(1, (1 << 63) - 1))
@click.argument("config", type=CONFIG, default=Path("hive.yaml"))
@click.option("--all", "whole", is_flag=True, help="Every text to its end.")
def show_run(number: int, config: Path, *, whole: bool) -> None:
    """Show what an agent did in run NUMBER: turns, tools, tokens."""
    from hive.app.run_log import record

    click.echo("\n".join(record(_instance(config).ledger, number, whole=whole)))


@main.command()
@click.argument("what")
@click.argument("config", type=CONFIG, default=Path("hive.yaml"))
def replay(what: str, config: Path) -> None:
    """Decide again on job:12, delivery:7 or run:3.

    From what is stored: no forge is asked and nothing is done. Ends with 0 if the same is wanted, 3 if not, 1 if it cannot be.
    """
    from hive.app.replay import replaying

    again = replaying(_instance(config))
    for line in again.lines(what):
        click.echo(line)
    raise SystemExit(3 if again.differs else 0)


@main.command()
@click.argument("config", type=CONFIG, default=Path("hive.yaml"))
def web(config: Path) -> None:
    """Receive webhooks."""
    from hive.app.web import serve
    from hive.supervisor.processes import stop_event

    serve(_instance(config), stop_event())


@main.command()
@click.argument("config", type=CONFIG, default=Path("hive.yaml"))
def work(config: Path) -> None:
    """Let bots look, and do what they want."""
    instance = _instance(config, "work")
    from hive.app.work import serve
    from hive.supervisor.processes import stop_event

    serve(instance, stop_event())


@main.command()
@click.argument("config", type=CONFIG, default=Path("hive.yaml"))
def host(config: Path) -> None:
    """Keep the containers of agents."""
    instance = _instance(config, "host")
    from hive.app.host import serve
    from hive.supervisor.processes import stop_event

    serve(instance, stop_event())


@main.command()
@click.option("--state", type=STATE, required=True, help="Where repositories and the database are kept.")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=PORT, metavar="PORT", default=3080, show_default=True)
@click.option("--admin", help="Make this account a site admin; its password is in HIVE_ADMIN_PASSWORD.")
@click.option("--flavour", default="forgejo-17", show_default=True, help="Or forgejo-10, or gitea-1.26.")
def forge(state: Path, host: str, port: int, admin: str | None, flavour: str) -> None:
    """Run the small forge for trying out."""
    from hive.config.extras import need

    need("nh3", "pygments")
    from hive.demo.forge_process import serve

    serve(state, (host, port), click.echo, admin=admin, flavour=flavour)


def _one_forge(instance: Instance, name: str | None) -> str:
    forges = list(instance.settings.forges)
    if (name or forges[0]) not in forges or (name is None and len(forges) > 1):
        raise SystemExit(_complain(f"name one of the forges by --forge: {', '.join(forges)}"))
    return name or forges[0]


def _admin(instance: Instance, forge: str, login: str | None) -> tuple[str, str]:
    """Who makes a forge ready, and the password; a forge of our own has an admin of its own."""
    from hive.app.up import ADMIN as OURS

    if login is None and instance.settings.forges[forge].kind == "embedded":
        return OURS, instance.secret_store.password(forge, OURS)
    if login is None:
        raise SystemExit(_complain("name a site admin of the forge by --admin"))
    if password := os.environ.get("HIVE_ADMIN_PASSWORD"):
        return login, password
    if not sys.stdin.isatty():
        raise SystemExit(
            _complain(f"set the password of {login} in HIVE_ADMIN_PASSWORD: there is no terminal to ask at")
        )
    return login, click.prompt("Password", hide_input=True, err=True)


def _instance(config: Path, command: str = "") -> Instance:
    """The instance of a configuration, if what a command needs for it is installed."""
    from hive.instance.instance import StartupError
    from hive.instance.opening import opened

    try:
        return opened(config, command)
    except StartupError as error:
        raise SystemExit(_complain(str(error))) from error


def _complain(sentence: str) -> int:
    click.echo(click.style("hive: ", fg="red") + sentence, err=True, color=sys.stderr.isatty())
    return 1
