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

CONFIG = click.argument("config", type=click.Path(dir_okay=False, path_type=Path), default=Path("hive.yaml"))
STATE = click.Path(file_okay=False, path_type=Path)
PORT = click.IntRange(0, 65535)
OBJECTS_BETWEEN_COLLECTIONS = 50_000
"""Python's own 700 is for programs that make garbage; imports make what stays, an eighth of their time was collecting."""

WELCOME = (
    "A hive of agents that lives on your forge.\n\nFile an issue to assign work, merge a pull request to approve it."
)
SECTIONS = {
    "Start": ("demo", "check", "init", "up"),
    "Operate": ("doctor", "adopt", "rotate", "queue", "inbox", "run", "replay", "gc"),
    "Single processes (`up` runs them all)": ("web", "work", "host", "forge"),
}


class Sections(click.Group):
    """Commands under headings, in the order in which an operator needs them."""

    def invoke(self, ctx: click.Context) -> object:
        """Run a command; what an operator can fix is one sentence, without a traceback."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise  # the reader of the output is gone: click exits quietly
        except known() as error:
            raise _failure(sentence(error)) from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands under their headings."""
        for heading, names in SECTIONS.items():
            commands = [(name, self.get_command(ctx, name)) for name in names]
            rows = [(name, command.get_short_help_str(60)) for name, command in commands if command]
            with formatter.section(click.style(heading, bold=True)):
                formatter.write_dl(rows, col_spacing=4)


@click.group(
    cls=Sections, help=WELCOME, context_settings={"max_content_width": 80, "help_option_names": ["-h", "--help"]}
)
@click.version_option(package_name="forgehive", message="%(prog)s %(version)s")
def main() -> None:
    """Set up logging to the error stream; files that a command creates are private."""
    be_private()
    set_threshold(OBJECTS_BETWEEN_COLLECTIONS)
    logging.getLogger("urllib3").setLevel(logging.ERROR)  # its caller reports the last failure
    level = os.environ.get("HIVE_LOG", "WARNING").upper()
    if level not in (levels := logging.getLevelNamesMapping()):
        raise _failure(f"HIVE_LOG should be one of {', '.join(levels)} (it is {level[:20]!r})")
    logging.basicConfig(level=level, format="%(asctime)s %(name)s %(message)s")


@main.command()
@click.option("--exit", "leave", is_flag=True, help="Exit after the story, with status 0 if it succeeded.")
@click.option("--project", type=STATE, help="Use a copy of this git repository.")
@click.option("--state", type=STATE, default=Path(".hive/demo"), show_default=True, help="Directory for everything.")
@click.option(
    "--port", type=PORT, metavar="PORT", default=3080, show_default=True, help="Port of its forge; 0 takes a free one."
)
@click.option("--forge", "url", metavar="URL", help="Use this Forgejo or Gitea instead of the embedded one.")
@click.option(
    "--admin", metavar="LOGIN[:PASSWORD]", help="Site admin there; better set the password in HIVE_ADMIN_PASSWORD."
)
@click.option("--clean", is_flag=True, help="Only remove what a demo created on --forge.")
def demo(
    *, project: Path | None, state: Path, leave: bool, port: int, url: str | None, admin: str | None, clean: bool
) -> None:
    """Play a story on this machine, or on your forge."""
    from hive.config.extras import need

    need("git", "anthropic", *(("nh3", "pygments") if url is None else ()))
    from hive.demo.demo import DemoOptions, play

    options = DemoOptions(state, project, leave)
    if url is None:
        if admin or clean:
            raise _failure("--admin and --clean need --forge")
        return play(options, port=port)
    from hive.demo import remote_demo
    from hive.demo.forge_access import forge_access

    return (remote_demo.clean if clean else remote_demo.visit)(options, forge_access(url, admin))


@main.command()
@CONFIG
def check(config: Path) -> None:
    """Check a configuration, and print every error in it."""
    instance = _instance(config)
    click.echo(f"{config}: {len(instance.settings.teams)} team(s), bots {', '.join(instance.bots)}")


FORGE = click.option("--forge", "name", help="Name of a configured forge; required if there are several.")
ADMIN = click.option(
    "--admin", help="Login of a site admin; the password is read from HIVE_ADMIN_PASSWORD, or prompted for."
)


@main.command()
@CONFIG
@FORGE
@ADMIN
@click.option("--plan", is_flag=True, help="Print what would be done, and change nothing.")
@click.option("--create-missing", is_flag=True, help="Create missing repositories of `repos`, empty.")
def init(config: Path, name: str | None, admin: str | None, *, plan: bool, create_missing: bool) -> None:
    """Set up a forge for the hive."""
    from hive.app.up import own_forge
    from hive.provision import Provisioner

    instance = _instance(config)
    forge = _one_forge(instance, name)
    login, password = _admin(instance, forge, admin)
    changes: list[str] = []

    def report(change: str) -> None:
        changes.append(change)
        click.echo(change)

    if plan:
        for step in Provisioner.plan(instance, forge, login, password, create_missing=create_missing):
            report(step.planned())
    else:
        with own_forge(instance, forge, click.echo):
            Provisioner.run(instance, forge, login, password, report, create_missing=create_missing)
    click.echo(f"{forge}: {len(changes)} changes{' would be made' if plan else ''}")


@main.command()
@CONFIG
@FORGE
@ADMIN
def doctor(config: Path, name: str | None, admin: str | None) -> None:
    """Check forges and this machine, and print fixes."""
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
        click.echo("protections, teams, hooks and merging are checked with --admin LOGIN")
    raise SystemExit(any(sign.level is Level.RED for sign in signs))


@main.command()
@click.argument("agent")
@CONFIG
@click.option("--yes", is_flag=True, help="Do not prompt.")
def adopt(agent: str, config: Path, yes: bool) -> None:
    """Accept a rejected configuration of AGENT as it is."""
    from hive.app.adopt import run

    run(_instance(config), agent, click.echo, lambda question: yes or click.confirm(question, abort=True))


@main.command()
@CONFIG
@click.argument("account", nargs=-1)
@FORGE
@ADMIN
@click.option("--hooks", is_flag=True, help="Replace the webhook secret only.")
def rotate(config: Path, account: tuple[str, ...], name: str | None, admin: str | None, hooks: bool) -> None:
    """Replace tokens and webhook secrets.

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
@CONFIG
def up(config: Path) -> None:
    """Run the hive as one process tree, until Ctrl-C."""
    instance = _instance(config, "up")
    from hive.app.up import up as run

    run(config, instance)


@main.command()
@CONFIG
def queue(config: Path) -> None:
    """Show what is pending, running and suspended, and why."""
    from hive.app.status import queue as lines

    instance = _instance(config)
    click.echo("\n".join(lines(instance.ledger)))


@main.command()
@CONFIG
@click.option("--plan", is_flag=True, help="Print what would be removed, and remove nothing.")
def gc(config: Path, plan: bool) -> None:
    """Remove what is no longer needed (`keep`)."""
    from hive.app.gc import sweep_up

    instance = _instance(config)
    sweep_up(instance, click.echo, plan=plan)


@main.command()
@click.argument("agent")
@CONFIG
def inbox(agent: str, config: Path) -> None:
    """Show the pending work of AGENT."""
    from hive.app.status import inbox as lines

    instance = _instance(config)
    if not any(agent in team.agents for team in instance.settings.teams.values()):
        raise _failure(f"{config} has no agent {agent!r}")
    click.echo("\n".join(lines(instance.ledger, agent)))


@main.command("run")
@click.argument("number", type=click.IntRange(1, (1 << 63) - 1))
@CONFIG
@click.option("--all", "whole", is_flag=True, help="Print all texts in full.")
def show_run(number: int, config: Path, *, whole: bool) -> None:
    """Show what an agent did in run NUMBER: turns, tools, tokens."""
    from hive.app.run_log import record

    click.echo("\n".join(record(_instance(config).ledger, number, whole=whole)))


@main.command()
@click.argument("what")
@CONFIG
def replay(what: str, config: Path) -> None:
    """Replay job:12, delivery:7 or run:3.

    Makes the decision again from its recording; no forge is asked and nothing is changed. Exits with 0 if the intents are the same, 3 if not, 1 if it cannot be replayed.
    """
    from hive.app.replay import replaying

    again = replaying(_instance(config))
    for line in again.lines(what):
        click.echo(line)
    raise SystemExit(3 if again.differs else 0)


@main.command()
@CONFIG
def web(config: Path) -> None:
    """Receive webhooks."""
    from hive.app.web import serve
    from hive.supervisor.processes import stop_event

    serve(_instance(config), stop_event())


@main.command()
@CONFIG
def work(config: Path) -> None:
    """Run the worker: bots, outbox, polling."""
    instance = _instance(config, "work")
    from hive.app.work import serve
    from hive.supervisor.processes import stop_event

    serve(instance, stop_event())


@main.command()
@CONFIG
def host(config: Path) -> None:
    """Run the containers of agents."""
    instance = _instance(config, "host")
    from hive.app.host import serve
    from hive.supervisor.processes import stop_event

    serve(instance, stop_event())


@main.command()
@click.option("--state", type=STATE, required=True, help="Directory of repositories and the database.")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=PORT, metavar="PORT", default=3080, show_default=True)
@click.option("--admin", help="Create this site admin, with the password in HIVE_ADMIN_PASSWORD.")
@click.option("--flavour", default="forgejo-17", show_default=True, help="Or forgejo-10, or gitea-1.26.")
def forge(state: Path, host: str, port: int, admin: str | None, flavour: str) -> None:
    """Run the embedded forge."""
    from hive.config.extras import need

    need("nh3", "pygments")
    from hive.demo.forge_process import serve

    serve(state, (host, port), click.echo, admin=admin, flavour=flavour)


def _one_forge(instance: Instance, name: str | None) -> str:
    forges = list(instance.settings.forges)
    if (name or forges[0]) not in forges or (name is None and len(forges) > 1):
        raise _failure(f"choose one of the forges with --forge: {', '.join(forges)}")
    return name or forges[0]


def _admin(instance: Instance, forge: str, login: str | None) -> tuple[str, str]:
    """The login and password of a site admin; the embedded forge has one of its own."""
    from hive.app.up import ADMIN as OURS

    if login is None and instance.settings.forges[forge].kind == "embedded":
        return OURS, instance.secret_store.password(forge, OURS)
    if login is None:
        raise _failure("name a site admin of the forge with --admin")
    if password := os.environ.get("HIVE_ADMIN_PASSWORD"):
        return login, password
    if not sys.stdin.isatty():
        raise _failure(f"set the password of {login} in HIVE_ADMIN_PASSWORD: there is no terminal to ask at")
    return login, click.prompt("Password", hide_input=True, err=True)


def _instance(config: Path, command: str = "") -> Instance:
    """The instance of a configuration; exits if a package that the command needs is missing."""
    from hive.instance.instance import StartupError
    from hive.instance.opening import opened

    try:
        return opened(config, command)
    except StartupError as error:
        raise _failure(str(error)) from error


def _failure(sentence: str) -> SystemExit:
    """Print why the command fails; raise what this returns."""
    click.echo(click.style("hive: ", fg="red") + sentence, err=True, color=sys.stderr.isatty())
    return SystemExit(1)
