"""Commands that show what models cost, and what was spent."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from hive.cli.group import CONFIG, main, open_instance

GROUPS = ("agent", "issue", "model", "day", "run", "repo", "team")


@main.command()
@CONFIG
@click.option(
    *("--by", "by"),
    type=click.Choice(GROUPS),
    metavar="WHAT",
    default="agent",
    show_default=True,
    help=f"What to sum up by: {', '.join(GROUPS)}.",
)
@click.option("--days", type=click.IntRange(1, 36500), metavar="N", help="Only the last so many days, today included.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, amounts in billionths of a dollar.")
def cost(config: Path, by: str, days: int | None, *, as_json: bool) -> None:
    """Show what was spent."""
    from hive.app.costs import document, since, table

    ledger = open_instance(config).ledger
    rows = ledger.spending.by(by, since(ledger.clock(), days))
    click.echo(document(by, rows) if as_json else "\n".join(table(by, rows)))


@main.command()
@CONFIG
def prices(config: Path) -> None:
    """Show what models cost, and how old these prices are."""
    from hive.app.prices import lines, priced

    click.echo("\n".join(lines(priced(config), datetime.now(UTC).date())))
