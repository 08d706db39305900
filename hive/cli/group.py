"""What all commands share: the group, its headings, how a configuration is opened, how a command fails."""

from __future__ import annotations

import logging
import os
import sys
from gc import set_threshold
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hive.app.operator_errors import known, sentence
from hive.instance.file_modes import be_private

if TYPE_CHECKING:
    from hive.instance.instance import Instance

CONFIG = click.argument("config", type=click.Path(dir_okay=False, path_type=Path), default=Path("hive.yaml"))
STATE = click.Path(file_okay=False, path_type=Path)
PORT = click.IntRange(0, 65535)
OBJECTS_BETWEEN_COLLECTIONS = 50_000
"""Python's own 700 is for programs that make garbage; imports make what stays, an eighth of their time was collecting."""

WELCOME = (
    "A hive of agents that lives on your forge.\n\nFile an issue to assign work, merge a pull request to approve it."
)
SECTIONS = {
    "Start": ("demo", "check", "init", "up"),
    "Review without a forge": ("review", "engines"),
    "Triage, with or without a forge": ("triage", "backfill"),
    "Operate": (
        *(
            "doctor",
            "agents",
            "base",
            "adopt",
            "rotate",
            "login",
            "logout",
            "queue",
            "inbox",
            "loose-ends",
            "enter",
            "run",
            "cost",
            "prices",
            "findings",
            "replay",
            "gc",
            "backup",
            "restore",
        ),
    ),
    "Single processes (`up` runs them all)": ("web", "work", "host", "forge", "containers"),
}


class Sections(click.Group):
    """Commands under headings, in the order in which an operator needs them."""

    def invoke(self, ctx: click.Context) -> object:
        """Run a command; what an operator can fix is one sentence, without a traceback."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise  # the reader of the output is gone: click exits quietly
        except known() as error:
            raise failure(sentence(error)) from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands under their headings."""
        for heading, names in SECTIONS.items():
            commands = [(name, self.get_command(ctx, name)) for name in names]
            rows = [(name, command.get_short_help_str(60)) for name, command in commands if command]
            with formatter.section(click.style(heading, bold=True)):
                formatter.write_dl(rows, col_spacing=4)


@click.group(
    cls=Sections, help=WELCOME, context_settings={"max_content_width": 80, "help_option_names": ["-h", "--help"]}
)
@click.version_option(package_name="forgehive", message="%(prog)s %(version)s")
def main() -> None:
    """Set up logging to the error stream; files that a command creates are private."""
    be_private()
    set_threshold(OBJECTS_BETWEEN_COLLECTIONS)
    logging.getLogger("urllib3").setLevel(logging.ERROR)  # its caller reports the last failure
    level = os.environ.get("HIVE_LOG", "WARNING").upper()
    if level not in (levels := logging.getLevelNamesMapping()):
        raise failure(f"HIVE_LOG should be one of {', '.join(levels)} (it is {level[:20]!r})")
    logging.basicConfig(level=level, format="%(asctime)s %(name)s %(message)s")


def open_instance(config: Path, command: str = "") -> Instance:
    """The instance of a configuration; exits if a package that the command needs is missing."""
    from hive.instance.instance import StartupError
    from hive.instance.opening import opened

    try:
        return opened(config, command)
    except StartupError as error:
        raise failure(str(error)) from error


def failure(sentence: str) -> SystemExit:
    """Print why the command fails; raise what this returns."""
    click.echo(click.style("hive: ", fg="red") + sentence, err=True, color=sys.stderr.isatty())
    return SystemExit(1)
