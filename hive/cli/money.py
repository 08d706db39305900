"""Commands that show what models cost, and what was spent."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from hive.cli.group import CONFIG, main


@main.command()
@CONFIG
def prices(config: Path) -> None:
    """Show what models cost, and how old these prices are."""
    from hive.app.prices import lines, priced

    click.echo("\n".join(lines(priced(config), datetime.now(UTC).date())))
