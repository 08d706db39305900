"""From where a hive upgrades itself is checked before it starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from forge.models import Repo
from hive.config import BadYaml, load
from tests.hive.test_settings import GOOD


def read(tmp_path: Path, upgrade: str) -> str:
    """What is wrong with a section."""
    path = tmp_path / "hive.yaml"
    path.write_text(f"{GOOD}upgrade: {upgrade}\n")
    with pytest.raises(BadYaml) as refused:
        load(path)
    return str(refused.value)


@pytest.mark.parametrize(
    ("upgrade", "said"),
    [
        (
            "{repository: app, wheels: /w}",
            "upgrade.repository: should be TEAM/NAME, a repository of a team (it is 'app')",
        ),
        ("{repository: acme/other, wheels: /w}", "upgrade.repository: should be TEAM/NAME"),
        ("{repository: nobody/app, wheels: /w}", "upgrade.repository: should be TEAM/NAME"),
        ("{repository: acme/app}", "upgrade: should name a directory of `wheels`"),
        ("{repository: acme/app, wheels: w}", "upgrade.wheels: should be an absolute path (it is 'w')"),
        ("{repository: acme/app, wheels: /w/../../etc}", "upgrade.wheels: should be an absolute path"),
        ("{repository: acme/app, wheels: /w, branch: ''}", "upgrade.branch: should name a branch"),
        ("{repository: acme/app, wheels: /w, minutes: 0}", "upgrade.minutes: should be at least 1"),
        ("{repository: [acme/app]}", "upgrade.repository: should be text"),
        ("{repo: acme/app}", "upgrade.repo: unknown key"),
        ("acme/app", "upgrade: should be"),
    ],
)
def test_mistakes(tmp_path: Path, upgrade: str, said: str) -> None:
    """Each names the key and what it should be."""
    assert said in read(tmp_path, upgrade)


def test_what_is_right(tmp_path: Path) -> None:
    """The repository is that of a team on its forge; without one there is none."""
    path = tmp_path / "hive.yaml"
    path.write_text(GOOD)
    assert load(path).own_source is None
    path.write_text(f"{GOOD}upgrade: {{repository: acme/app, wheels: /srv/wheels}}\n")
    settings = load(path)
    assert settings.own_source == Repo("forgejo", "acme", "app")
    assert (settings.upgrade.branch, settings.upgrade.minutes) == ("main", 5)
