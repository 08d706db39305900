"""The command line of the hive."""

from __future__ import annotations

import click


@click.group()
def main() -> None:
    """A hive of agents that lives on your forge."""
