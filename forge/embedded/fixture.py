"""Pytest fixtures for other projects, as generator functions; nothing registers itself.

import pytest
from forge.embedded.fixture import small_forge
forge = pytest.fixture(small_forge)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from forge.embedded.flavour import Flavour
from forge.embedded.flavours import FLAVOURS, FORGEJO_17
from forge.embedded.server import EmbeddedForge
from forge.embedded.services import people

ADMIN, PASSWORD = "root0", "a password"


@dataclass(frozen=True, slots=True)
class SmallForge:
    """A forge that runs on loopback, with a site admin and a token for everything."""

    forge: EmbeddedForge
    login: str
    password: str
    token: str

    @property
    def url(self) -> str:
        """Where it is; its API is below `/api/v1`."""
        return self.forge.url

    @property
    def headers(self) -> dict[str, str]:
        """The headers of a request by the admin."""
        return {"Authorization": f"token {self.token}"}


def small_forge(tmp_path: Path) -> Iterator[SmallForge]:
    """An empty forge, Forgejo 17, for one test."""
    yield from _running(tmp_path, FORGEJO_17)


def every_forge(tmp_path: Path, request: Any) -> Iterator[SmallForge]:
    """The same in the flavour that the parameter names: `pytest.fixture(every_forge, params=FLAVOURS)`."""
    yield from _running(tmp_path, FLAVOURS[request.param])


def _running(place: Path, flavour: Flavour) -> Iterator[SmallForge]:
    with EmbeddedForge(place / "forge", flavour=flavour) as forge:
        admin = forge.create_admin(ADMIN, PASSWORD)
        _, token = people.make_token(forge.site, admin, "fixture", ["all"])
        yield SmallForge(forge, ADMIN, PASSWORD, token)
