"""Commands about single agents, for an operator at the machine of the hive."""

from __future__ import annotations

import json
from pathlib import Path

import click

from hive.cli.group import CONFIG, main, open_instance
from hive.cli.work import enter

AGENT = click.argument("agent")


@main.group()
def agents() -> None:
    """Show agents, and stop, start or rebuild one."""


@agents.command("list")
@CONFIG
@click.option("--json", "as_data", is_flag=True, help="Print JSON.")
def list_agents(config: Path, *, as_data: bool) -> None:
    """Show how each agent stands."""
    from hive.app.agents import as_json, rows, table

    found = rows(open_instance(config))
    click.echo(json.dumps(as_json(found), indent=1) if as_data else "\n".join(table(found)))


@agents.command()
@AGENT
@CONFIG
def stop(agent: str, config: Path) -> None:
    """Stop AGENT's container until it is started; its work waits."""
    from hive.app.agents import stop as run

    click.echo("\n".join(run(open_instance(config), agent)))


@agents.command()
@AGENT
@CONFIG
def start(agent: str, config: Path) -> None:
    """Start AGENT, which was stopped or stays down after crashes."""
    from hive.app.agents import start as run

    click.echo("\n".join(run(open_instance(config), agent)))


@agents.command()
@AGENT
@CONFIG
def rebuild(agent: str, config: Path) -> None:
    """Check what was merged, and start the approved commit again."""
    from hive.app.agents import rebuild as run

    click.echo("\n".join(run(open_instance(config), agent)))


@agents.command()
@AGENT
@CONFIG
@click.option("-n", "lines", type=click.IntRange(1, 500), default=50, show_default=True, help="How many lines.")
def logs(agent: str, config: Path, lines: int) -> None:
    """Show the end of what AGENT's container wrote."""
    from hive.app.agents import log_lines

    click.echo(log_lines(open_instance(config), agent, lines))


agents.add_command(enter)
