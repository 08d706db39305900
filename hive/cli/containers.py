"""Commands for the containers of NixOS, of which one is for root."""

from __future__ import annotations

from pathlib import Path

import click

from hive.cli.group import STATE, main


@main.group()
def containers() -> None:
    """Do for a hive what only root may do."""


@containers.command()
@click.option(
    "--socket", "path", type=click.Path(dir_okay=False, path_type=Path), help="Where to listen, unless systemd says so."
)
@click.option("--agents", type=STATE, required=True, help="The hive's directory of agents.")
@click.option("--user", required=True, help="The user of the hive, who may ask.")
def serve(path: Path | None, agents: Path, user: str) -> None:
    """Start and stop containers of NixOS for one user, by fixed verbs."""
    from hive.app.containers import serve as run
    from hive.supervisor.processes import stop_event

    run(path, agents, user, stop_event())
