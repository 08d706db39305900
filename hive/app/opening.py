"""From a configuration file to the house of it: what is wrong with either is one sentence."""

from __future__ import annotations

from pathlib import Path

from forge.trust import trust
from hive.app.house import House, NotReady
from hive.settings import BadYaml, Settings, load


def opened(config: Path) -> House:
    """The house of a configuration file; raises NotReady with every mistake in it."""
    try:
        return open_house(load(config))
    except BadYaml as error:
        raise NotReady(f"{len(error.problems)} mistake(s) in {config}:\n{error}") from error
    except OSError as error:
        raise NotReady(f"{config} cannot be read: {error.strerror}; name a configuration file") from error


def open_house(settings: Settings) -> House:
    """The house of these settings, whose authority is believed from now on; raises NotReady for a file that holds none."""
    if settings.ca_file:
        from forge.gitea.client import public_authorities  # noqa: PLC0415  the receiver needs no client of a forge

        try:
            trust(settings.home / settings.ca_file, public_authorities(), settings.state / "ca-bundle.pem")
        except (OSError, ValueError) as error:
            raise NotReady(f"ca_file: {error}") from error
    return House(settings)
