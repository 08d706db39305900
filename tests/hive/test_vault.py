"""Secrets are files that nobody else may read."""

from __future__ import annotations

from pathlib import Path

import pytest

from hive.vault import NoSecret, Vault


def test_keeps_tokens(tmp_path: Path) -> None:
    """What is kept comes back, in a file of mode 0600."""
    vault = Vault(tmp_path / "secrets")
    assert not vault.has_token("forgejo", "iris")
    vault.keep_token("forgejo", "iris", "t0ken")
    assert vault.token("forgejo", "iris") == "t0ken"
    path = tmp_path / "secrets" / "forgejo" / "iris.token"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_makes_secrets_once(tmp_path: Path) -> None:
    """A secret that is needed is made at first use and stays."""
    vault = Vault(tmp_path)
    assert vault.hook_secret("forgejo") == Vault(tmp_path).hook_secret("forgejo")
    assert len(vault.marker_secret()) == 64
    assert vault.password("forgejo", "mara") != vault.password("forgejo", "eve")


@pytest.mark.parametrize(
    ("mode", "content", "expected"),
    [(0o644, "x", "run: chmod 600"), (0o600, " \n", "is empty"), (None, "", "cannot be read")],
)
def test_bad_secrets_are_named(tmp_path: Path, mode: int | None, content: str, expected: str) -> None:
    """Open, empty or missing: the file is named, and what to do."""
    path = tmp_path / "forgejo" / "iris.token"
    path.parent.mkdir()
    if mode is not None:
        path.write_text(content)
        path.chmod(mode)
    with pytest.raises(NoSecret, match=expected) as error:
        Vault(tmp_path).token("forgejo", "iris")
    assert "iris.token" in str(error.value)
