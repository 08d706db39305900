"""Commands that run the hive: as one process tree, or single processes."""

from __future__ import annotations

from pathlib import Path

import click

from hive.cli.group import CONFIG, PORT, STATE, main, open_instance


@main.command()
@CONFIG
def up(config: Path) -> None:
    """Run the hive as one process tree, until Ctrl-C."""
    from hive.app.launcher import Launcher, launched_state
    from hive.supervisor.processes import stop_event

    if (state := launched_state(config)) is not None:
        raise SystemExit(Launcher(config.absolute(), state, click.echo, stop_event()).run())
    instance = open_instance(config, "up")
    from hive.app.up import up as run

    run(config, instance)


@main.command()
@CONFIG
def web(config: Path) -> None:
    """Receive webhooks."""
    from hive.app.web import serve
    from hive.supervisor.processes import stop_event

    serve(open_instance(config, "web"), stop_event())


@main.command()
@CONFIG
def work(config: Path) -> None:
    """Run the worker: bots, outbox, polling."""
    instance = open_instance(config, "work")
    from hive.app.work import serve
    from hive.supervisor.processes import stop_event

    serve(instance, stop_event())


@main.command()
@CONFIG
def host(config: Path) -> None:
    """Run the containers of agents."""
    instance = open_instance(config, "host")
    from hive.app.host import serve
    from hive.supervisor.processes import stop_event

    serve(instance, stop_event())


@main.command()
@click.option("--state", type=STATE, required=True, help="Directory of repositories and the database.")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=PORT, metavar="PORT", default=3080, show_default=True)
@click.option("--admin", help="Create this site admin, with the password in HIVE_ADMIN_PASSWORD.")
@click.option("--flavour", default="forgejo-17", show_default=True, help="Or forgejo-10, or gitea-1.26.")
def forge(state: Path, host: str, port: int, admin: str | None, flavour: str) -> None:
    """Run the embedded forge."""
    from hive.config.extras import need

    need("nh3", "pygments")
    from hive.demo.forge_process import serve

    serve(state, (host, port), click.echo, admin=admin, flavour=flavour)
