"""Opens the instance of a configuration file; every error is one sentence."""

from __future__ import annotations

from pathlib import Path

from forge.tls import trust
from hive.config import BadYaml, Settings, load
from hive.config.extras import need
from hive.instance.instance import Instance, StartupError
from hive.instance.rosters import rostered

NEEDS = {
    "up": ("git", "httpx2"),
    "work": ("git",),
    "host": ("git", "httpx2"),
    "login": ("httpx2",),
    "doctor": ("httpx2",),
}
"""Packages of extras that commands need with any settings, by their import names."""


WITHOUT_ROSTER = frozenset({"check", "web", "work", "host"})
"""Commands that need no ledger, or wait for it themselves and then ask which agents there are."""

SETTING_UP = frozenset({"doctor", "init", "rotate", "up"})
"""Commands for all agents of the merged rosters, those included that have no account yet."""


def packages(settings: Settings, command: str) -> tuple[str, ...]:
    """Packages of extras that a command needs with these settings, by their import names."""
    emulator = ("nh3", "pygments") if command == "up" and settings.own_forges else ()
    queue = ("redis",) if command in NEEDS and settings.queue else ()
    reviewer = ("httpx2",) if command == "work" and (settings.review.model or settings.triage.model) else ()
    return (*NEEDS.get(command, ()), *emulator, *queue, *reviewer)


def opened(config: Path, command: str = "") -> Instance:
    """The instance of a configuration file, for a command.

    Raises StartupError with every mistake in the file, NotInstalled for packages that the command needs.
    """
    try:
        settings = load(config)
    except BadYaml as error:
        raise StartupError(f"{len(error.problems)} mistake(s) in {config}:\n{error}") from error
    except OSError as error:
        raise StartupError(f"{config} cannot be read: {error.strerror}; name a configuration file") from error
    need(*packages(settings, command))
    instance = open_instance(settings)
    if command in WITHOUT_ROSTER or not instance.ledger_path.exists():
        return instance
    return rostered(instance, whole=command in SETTING_UP)


def open_instance(settings: Settings) -> Instance:
    """The instance of these settings, whose certificate authority is trusted from now on; raises StartupError for a bad file."""
    if settings.ca_file:
        from forge.gitea.client import public_authorities  # noqa: PLC0415  the receiver needs no client of a forge

        try:
            trust(settings.home / settings.ca_file, public_authorities(), settings.state / "ca-bundle.pem")
        except (OSError, ValueError) as error:
            raise StartupError(f"ca_file: {error}") from error
    return Instance(settings)
