"""Commands that give agents keys for their models, and take them away."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from hive.cli.group import CONFIG, main, open_instance

PROVIDER = click.option("--provider", metavar="NAME", help="One of model.providers; else that of the agent's model.")


@main.command()
@click.argument("agent")
@CONFIG
@PROVIDER
def login(agent: str, config: Path, provider: str | None) -> None:
    """Give AGENT a key of its own for its model.

    The key is prompted for, or read from the standard input; it is stored on this host only, readable by the hive alone.
    """
    from hive.app.login import login as store
    from hive.app.login import model_of

    instance = open_instance(config, "login")
    name = model_of(instance, agent, provider)
    if sys.stdin.isatty():
        key = click.prompt(f"Key of {agent} for {name}", hide_input=True, err=True)
    else:
        key = sys.stdin.readline()
    store(instance, agent, provider, key.strip(), click.echo)


@main.command()
@click.argument("agent")
@CONFIG
@PROVIDER
def logout(agent: str, config: Path, provider: str | None) -> None:
    """Delete AGENT's own key for its model."""
    from hive.app.login import logout as drop

    drop(open_instance(config), agent, provider, click.echo)
