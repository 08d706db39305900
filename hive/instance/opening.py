"""From a configuration file to the house of it: what is wrong with either is one sentence."""

from __future__ import annotations

from pathlib import Path

from forge.tls import trust
from hive.config import BadYaml, Settings, load
from hive.instance.instance import Instance, StartupError


def opened(config: Path) -> Instance:
    """The house of a configuration file; raises NotReady with every mistake in it."""
    try:
        return open_instance(load(config))
    except BadYaml as error:
        raise StartupError(f"{len(error.problems)} mistake(s) in {config}:\n{error}") from error
    except OSError as error:
        raise StartupError(f"{config} cannot be read: {error.strerror}; name a configuration file") from error


def open_instance(settings: Settings) -> Instance:
    """The house of these settings, whose authority is believed from now on; raises NotReady for a file that holds none."""
    if settings.ca_file:
        from forge.gitea.client import public_authorities  # noqa: PLC0415  the receiver needs no client of a forge

        try:
            trust(settings.home / settings.ca_file, public_authorities(), settings.state / "ca-bundle.pem")
        except (OSError, ValueError) as error:
            raise StartupError(f"ca_file: {error}") from error
    return Instance(settings)
