"""Commands that show the work of agents, and clear away what is over."""

from __future__ import annotations

from pathlib import Path

import click

from hive.cli.group import CONFIG, failure, main, open_instance


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


@main.command("run")
@click.argument("number", type=click.IntRange(1, (1 << 63) - 1))
@CONFIG
@click.option("--all", "whole", is_flag=True, help="Print all texts in full.")
def show_run(number: int, config: Path, *, whole: bool) -> None:
    """Show what an agent did in run NUMBER: turns, tools, tokens."""
    from hive.app.run_log import record

    click.echo("\n".join(record(open_instance(config).ledger, number, whole=whole)))


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
