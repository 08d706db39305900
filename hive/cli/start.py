"""Commands for trying the hive out: the demo, and the check of a configuration."""

from __future__ import annotations

from pathlib import Path

import click

from hive.cli.group import CONFIG, PORT, STATE, failure, main, open_instance


@main.command()
@click.option("--exit", "leave", is_flag=True, help="Exit after the story, with status 0 if it succeeded.")
@click.option("--project", type=STATE, help="Use a copy of this git repository.")
@click.option("--state", type=STATE, default=Path(".hive/demo"), show_default=True, help="Directory for everything.")
@click.option(
    "--port", type=PORT, metavar="PORT", default=3080, show_default=True, help="Port of its forge; 0 takes a free one."
)
@click.option("--forge", "url", metavar="URL", help="Use this Forgejo or Gitea instead of the embedded one.")
@click.option(
    "--admin", metavar="LOGIN[:PASSWORD]", help="Site admin there; better set the password in HIVE_ADMIN_PASSWORD."
)
@click.option(
    "--engine",
    type=click.Choice(["native", "claude-code", "mechanic"]),
    metavar="NAME",
    help="native, claude-code or mechanic; mechanic for a --project without a key.",
)
@click.option("--clean", is_flag=True, help="Only remove what a demo created on --forge.")
def demo(
    *,
    project: Path | None,
    state: Path,
    leave: bool,
    port: int,
    url: str | None,
    admin: str | None,
    engine: str | None,
    clean: bool,
) -> None:
    """Play a story on this machine, or on your forge."""
    from hive.config.extras import need

    need("git", "httpx2", *(("nh3", "pygments") if url is None else ()))
    from hive.demo.demo import DemoOptions, play

    options = DemoOptions(state, project, leave, engine or "")
    if url is None:
        if admin or clean:
            raise failure("--admin and --clean need --forge")
        return play(options, port=port)
    from hive.demo import remote_demo
    from hive.demo.forge_access import forge_access

    return (remote_demo.clean if clean else remote_demo.visit)(options, forge_access(url, admin))


@main.command()
@CONFIG
def check(config: Path) -> None:
    """Check a configuration, and print every error in it."""
    instance = open_instance(config, "check")
    click.echo(f"{config}: {len(instance.settings.teams)} team(s), bots {', '.join(instance.bots)}")
