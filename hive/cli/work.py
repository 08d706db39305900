"""Commands that show the work of agents, and clear away what is over."""

from __future__ import annotations

import time
from pathlib import Path

import click

from hive.cli.group import CONFIG, failure, main, open_instance

FOLLOW_SECONDS = 0.5
"""Between two looks at a run that is followed."""


@main.command()
@CONFIG
def queue(config: Path) -> None:
    """Show what is pending, running and suspended, and why."""
    from hive.app.status import queue as lines

    instance = open_instance(config)
    click.echo("\n".join(lines(instance.ledger)))


@main.command()
@CONFIG
@click.option("--plan", is_flag=True, help="Print what would be removed, and remove nothing.")
def gc(config: Path, plan: bool) -> None:
    """Remove what is no longer needed (`keep`)."""
    from hive.app.gc import sweep_up

    instance = open_instance(config)
    sweep_up(instance, click.echo, plan=plan)


@main.command()
@click.argument("agent")
@CONFIG
def inbox(agent: str, config: Path) -> None:
    """Show the pending work of AGENT."""
    from hive.app.status import inbox as lines

    instance = open_instance(config)
    if not any(agent in team.agents for team in instance.settings.teams.values()):
        raise failure(f"{config} has no agent {agent!r}")
    click.echo("\n".join(lines(instance.ledger, agent)))


@main.command("loose-ends")
@CONFIG
@click.option("--agent", default="", metavar="NAME", help="Only what this agent has open.")
def loose_ends(config: Path, agent: str) -> None:
    """Show all open work: whom it waits for, since when and why."""
    from datetime import UTC, datetime

    from hive.app.open_work import lines, open_work

    instance = open_instance(config)
    if agent and not any(agent in team.agents for team in instance.settings.teams.values()):
        raise failure(f"{config} has no agent {agent!r}")
    click.echo("\n".join(lines(open_work(instance, agent), datetime.now(UTC))))


@main.command()
@click.argument("agent")
@CONFIG
@click.option("--command", "-c", default="", metavar="WORDS", help="Run this by sh, instead of a shell.")
def enter(agent: str, config: Path, command: str) -> None:
    """Open a shell in AGENT's running container.

    It is confined as the agent's own commands are, with their user, their limits and their PATH.
    """
    from hive.app.enter import open_shell
    from hive.reconcile.entering import CannotEnter

    instance = open_instance(config)
    if not any(agent in team.agents for team in instance.settings.teams.values()):
        raise failure(f"{config} has no agent {agent!r}")
    try:
        status = open_shell(instance, agent, command)
    except CannotEnter as error:
        raise failure(str(error)) from error
    raise SystemExit(status)


@main.command("run")
@click.argument("number", required=False)
@click.argument("config", type=click.Path(dir_okay=False, path_type=Path), required=False)
@click.option("--all", "whole", is_flag=True, help="Print all texts in full.")
@click.option("--follow", is_flag=True, help="Print what is new, until the run has ended.")
def show_run(number: str | None, config: Path | None, *, whole: bool, follow: bool) -> None:
    """Show what an agent did in run NUMBER: tools, tokens, money.

    Without a NUMBER the newest runs are listed.
    """
    from hive.app import run_log

    is_number = number is not None and number.isascii() and number.isdecimal()
    if number is not None and not is_number:
        if config is not None:
            raise failure(f"{number!r} is no number of a run")
        config = Path(number)
    ledger = open_instance(config or Path("hive.yaml")).ledger
    if number is None or not is_number:
        lines = run_log.runs(ledger)
    elif follow:
        lines = run_log.follow(ledger, _row(number), lambda: time.sleep(FOLLOW_SECONDS), whole=whole)
    else:
        lines = run_log.record(ledger, _row(number), whole=whole)
    for line in lines:
        click.echo(line)


@main.command()
@click.argument("what")
@CONFIG
def replay(what: str, config: Path) -> None:
    """Replay job:12, delivery:7 or run:3.

    Makes the decision again from its recording; no forge is asked and nothing is changed. Exits with 0 if the intents are the same, 3 if not, 1 if it cannot be replayed.
    """
    from hive.app.replay import replaying

    again = replaying(open_instance(config))
    for line in again.lines(what):
        click.echo(line)
    raise SystemExit(3 if again.differs else 0)


def _row(number: str) -> int:
    """A number as the id of a row, which SQLite can hold."""
    return min(int(number[:20]), (1 << 63) - 1)
