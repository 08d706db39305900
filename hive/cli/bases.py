"""Commands about the base of all containers, for an operator at the machine of the hive."""

from __future__ import annotations

from pathlib import Path

import click

from hive.cli.group import CONFIG, main, open_instance


@main.group()
def base() -> None:
    """What the containers of all agents hold."""


@base.command()
@CONFIG
def update(config: Path) -> None:
    """Propose the programs that this host holds now, by a pull request."""
    from hive.app.base_update import update as run

    for line in run(open_instance(config)):
        click.echo(line)
