"""Commands that look after forges: set up, check, adopt, rotate."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hive.cli.group import CONFIG, failure, main, open_instance

if TYPE_CHECKING:
    from hive.instance.instance import Instance

FORGE = click.option("--forge", "name", help="Name of a configured forge; required if there are several.")
ADMIN = click.option(
    "--admin", help="Login of a site admin; the password is read from HIVE_ADMIN_PASSWORD, or prompted for."
)


def _one_forge(instance: Instance, name: str | None) -> str:
    forges = list(instance.settings.forges)
    if (name or forges[0]) not in forges or (name is None and len(forges) > 1):
        raise failure(f"choose one of the forges with --forge: {', '.join(forges)}")
    return name or forges[0]


def _admin(instance: Instance, forge: str, login: str | None) -> tuple[str, str]:
    """The login and password of a site admin; the embedded forge has one of its own."""
    from hive.app.set_up import ADMIN as OURS

    if login is None and instance.settings.forges[forge].kind == "embedded":
        return OURS, instance.secret_store.password(forge, OURS)
    if login is None:
        raise failure("name a site admin of the forge with --admin")
    if password := os.environ.get("HIVE_ADMIN_PASSWORD"):
        return login, password
    if not sys.stdin.isatty():
        raise failure(f"set the password of {login} in HIVE_ADMIN_PASSWORD: there is no terminal to ask at")
    return login, click.prompt("Password", hide_input=True, err=True)


@main.command()
@CONFIG
@FORGE
@ADMIN
@click.option("--plan", is_flag=True, help="Print what would be done, and change nothing.")
@click.option("--create-missing", is_flag=True, help="Create missing repositories of `repos`, empty.")
@click.option(
    "--engine",
    type=click.Choice(["native", "claude-code", "mechanic"]),
    metavar="NAME",
    help="Engine of new agents: native, claude-code or mechanic.",
)
def init(
    config: Path, name: str | None, admin: str | None, *, plan: bool, create_missing: bool, engine: str | None
) -> None:
    """Set up a forge for the hive."""
    from hive.app.up import own_forge
    from hive.instance.rosters import ignored_agents
    from hive.provision import Provisioner

    instance = open_instance(config, "init")
    forge = _one_forge(instance, name)
    login, password = _admin(instance, forge, admin)
    changes: list[str] = []

    def report(change: str) -> None:
        changes.append(change)
        click.echo(change)

    if plan:
        for step in Provisioner.plan(
            instance, forge, login, password, create_missing=create_missing, engine=engine or ""
        ):
            report(step.planned())
    else:
        with own_forge(instance, forge, click.echo):
            Provisioner.run(
                instance, forge, login, password, report, create_missing=create_missing, engine=engine or ""
            )
    for ignored in ignored_agents(instance):
        click.echo(ignored, err=True)
    click.echo(f"{forge}: {len(changes)} changes{' would be made' if plan else ''}")


@main.command()
@CONFIG
@FORGE
@ADMIN
def doctor(config: Path, name: str | None, admin: str | None) -> None:
    """Check forges, models and this machine, and print fixes.

    Each model in use is asked one small question, with a tool that it should call.
    """
    from itertools import chain

    from bots.models import Level
    from hive.provision import Doctor, Key, summary
    from hive.provision.model_checks import ModelChecks

    instance = open_instance(config, "doctor")
    names = [_one_forge(instance, name)] if name or admin else list(instance.settings.forges)
    own = {forge: admin or instance.settings.forges[forge].kind == "embedded" for forge in names}
    keys = {forge: Key(*_admin(instance, forge, admin)) if own[forge] else None for forge in names}
    signs = []
    for sign in chain(Doctor(instance, str(config)).look(keys), ModelChecks(instance).look()):
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
    """Accept a rejected configuration of AGENT as it is.

    With `roster` as AGENT, a rejected roster; with `hive`, a rejected version of the hive itself.
    """
    from hive.app.adopt import run

    run(open_instance(config), agent, click.echo, lambda question: yes or click.confirm(question, abort=True))


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

    instance = open_instance(config, "rotate")
    forge = _one_forge(instance, name)
    key = _admin(instance, forge, admin)
    rotation = Rotation(instance, forge, click.echo)
    if not hooks:
        rotation.tokens(*key, account)
    if not account:
        rotation.hooks(*key)
