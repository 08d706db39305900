"""Commands that put away what a hive cannot make again, and bring it back."""

from __future__ import annotations

from pathlib import Path

import click

from hive.cli.group import CONFIG, main, open_instance

FILE = click.argument("file", type=click.Path(path_type=Path))


@main.command()
@FILE
@CONFIG
@click.option("--keep", type=click.IntRange(1), metavar="N", help="Of a directory, keep the newest N only.")
def backup(file: Path, config: Path, keep: int | None) -> None:
    """Write ledger, secrets and agents' notes to FILE.

    The hive may run meanwhile. If FILE is a directory, a file with the time in its name is made in it.
    """
    from hive.app.backup import back_up

    back_up(open_instance(config), config, file, click.echo, keep=keep or 0)


@main.command()
@FILE
@CONFIG
@click.option("--force", is_flag=True, help="Move aside what the state directory holds.")
def restore(file: Path, config: Path, force: bool) -> None:
    """Bring the backup FILE into an empty state directory."""
    from hive.app.restore import restore as run

    run(file, config, click.echo, force=force)
