"""Secrets are files that nobody else may read."""

from __future__ import annotations

from pathlib import Path

import pytest

from hive.secret_store import NoSecret, SecretStore


def test_keeps_tokens(tmp_path: Path) -> None:
    """What is kept comes back, in a file of mode 0600."""
    secret_store = SecretStore(tmp_path / "secrets")
    assert not secret_store.has_token("forgejo", "iris")
    secret_store.keep_token("forgejo", "iris", "t0ken")
    assert secret_store.token("forgejo", "iris") == "t0ken"
    path = tmp_path / "secrets" / "forgejo" / "iris.token"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_makes_secrets_once(tmp_path: Path) -> None:
    """A secret that is needed is made at first use and stays."""
    secret_store = SecretStore(tmp_path)
    assert secret_store.hook_secret("forgejo") == SecretStore(tmp_path).hook_secret("forgejo")
    assert len(secret_store.marker_secret()) == 64
    assert secret_store.password("forgejo", "mara") != secret_store.password("forgejo", "eve")


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
        SecretStore(tmp_path).token("forgejo", "iris")
    assert "iris.token" in str(error.value)


def test_a_secret_that_changes(tmp_path: Path) -> None:
    """From the moment the next secret is written down both are believed, until it takes the old one's place."""
    secret_store = SecretStore(tmp_path)
    assert not secret_store.has_hook_secret("forgejo")
    old, believed = secret_store.hook_secret("forgejo"), secret_store.hook_secrets("forgejo")
    assert (list(believed), secret_store.waiting_hook_secret("forgejo")) == ([old], None)
    coming = secret_store.next_hook_secret("forgejo")
    assert list(believed) == [coming, old]
    secret_store.change_hook_secret("forgejo")
    assert (list(believed), secret_store.waiting_hook_secret("forgejo")) == ([coming], None)


def test_open_files(tmp_path: Path) -> None:
    """Every file and directory that others may read is named."""
    secret_store = SecretStore(tmp_path / "secrets")
    assert secret_store.open_files() == []
    secret_store.keep_token("forgejo", "iris", "t0ken")
    assert secret_store.open_files() == []
    (tmp_path / "secrets/forgejo/iris.token").chmod(0o640)
    (tmp_path / "secrets/forgejo").chmod(0o755)
    assert secret_store.open_files() == [tmp_path / "secrets/forgejo", tmp_path / "secrets/forgejo/iris.token"]


def test_a_damaged_secret_is_named(tmp_path: Path) -> None:
    """Bytes that are no secret are told as such, never shown and never sent."""
    secret_store = SecretStore(tmp_path)
    secret_store.keep_token("forgejo", "core", "x")
    (tmp_path / "forgejo" / "core.token").write_bytes(b"\xff\xfe")
    with pytest.raises(NoSecret, match=r"core\.token is damaged"):
        secret_store.token("forgejo", "core")
