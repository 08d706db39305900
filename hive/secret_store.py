"""Secrets of the hive: private files below the state directory."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterator
from pathlib import Path

MOST_BYTES = 64 << 10
"""The size of the largest file that holds a secret."""

_LONG_WORD = re.compile(r"(?=[^\s\"',:]*[0-9])(?=[^\s\"',:]*[A-Za-z])[^\s\"',:]{20,}")
_HOOK, _NEXT = "{}/hook.secret", "{}/hook.next"
_KEY = "{}/{}.model-key"

REREAD_SECONDS = 1.0
"""How long a process may use a hook secret before it reads it again: a rotated one counts from then on."""


class NoSecret(Exception):
    """A secret is missing or exposed; the message says which and what to do."""


def read_private(path: Path, *, is_ours: bool = True) -> bytes:
    """The content of a file with a secret; raises NoSecret, also for one of ours that others may read."""
    try:
        mode = path.stat().st_mode
        content = path.read_bytes()
    except OSError as error:
        raise NoSecret(f"the secret {path} cannot be read ({error.strerror})") from error
    if is_ours and mode & 0o077:
        raise NoSecret(f"the secret {path} can be read by others; run: chmod 600 {path}")
    if not content.strip():
        raise NoSecret(f"the secret {path} is empty")
    if not content.isascii():
        raise NoSecret(f"the secret {path} is damaged: it holds bytes that no secret has")
    return content


class SecretStore:
    """One directory of secrets, each a file of mode 0600."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def token(self, forge: str, login: str) -> str:
        """An account's token; raises NoSecret."""
        return self._read(f"{forge}/{login}.token").decode().strip()

    def has_token(self, forge: str, login: str) -> bool:
        """Whether an account's token is here."""
        return (self._root / forge / f"{login}.token").exists()

    def keep_token(self, forge: str, login: str, token: str) -> None:
        """Write an account's token down."""
        self._write(f"{forge}/{login}.token", token.encode())

    def password(self, forge: str, login: str) -> str:
        """A password of an account on an embedded forge, created at first use."""
        return self._made(f"{forge}/{login}.password", secrets.token_urlsafe(9)).decode()

    def hook_secret(self, forge: str) -> bytes:
        """The secret that a forge signs deliveries with, made at first use."""
        return self._made(_HOOK.format(forge), secrets.token_hex(32))

    def has_hook_secret(self, forge: str) -> bool:
        """Whether a secret for deliveries of a forge is here."""
        return (self._root / _HOOK.format(forge)).exists()

    def hook_secrets(self, forge: str) -> HookSecrets:
        """The secrets that a delivery of a forge may be signed with; while one is changed, there are two."""
        return HookSecrets(self, forge)

    def next_hook_secret(self, forge: str) -> bytes:
        """The secret that is to take the place of a forge's, made at first use; deliveries with it are believed."""
        return self._made(_NEXT.format(forge), secrets.token_hex(32))

    def waiting_hook_secret(self, forge: str) -> bytes | None:
        """The next secret, if one waits for its turn."""
        path = self._root / _NEXT.format(forge)
        try:
            return self._read(_NEXT.format(forge)).strip()
        except NoSecret:
            if path.exists():
                raise
            return None

    def change_hook_secret(self, forge: str) -> None:
        """Promote the next secret; the old one is no longer accepted."""
        (self._root / _NEXT.format(forge)).replace(self._root / _HOOK.format(forge))

    def all(self) -> frozenset[str]:
        """Every secret that is here, to recognise it: whole files, and long words with letters and digits in them."""
        found = set[str]()
        for path in self._root.rglob("*") if self._root.is_dir() else ():
            try:
                content = path.read_bytes() if path.is_file() and path.stat().st_size <= MOST_BYTES else b""
            except OSError:  # replaced at this moment, or closed to us: it is read the next time, or used by nobody
                continue
            text = content.decode("ascii", "ignore").strip()
            found |= {text} if "\n" not in text and "{" not in text else set(_LONG_WORD.findall(text))
        return frozenset(found - {""})

    def agent_key(self, provider: str, agent: str) -> str:
        """An agent's own key for a provider of models, empty if it has none; raises NoSecret for one that is exposed."""
        name = _KEY.format(provider, agent)
        return self._read(name).decode().strip() if (self._root / name).exists() else ""

    def keep_agent_key(self, provider: str, agent: str, key: str) -> None:
        """Write an agent's key for a provider of models down."""
        self._write(_KEY.format(provider, agent), key.encode())

    def drop_agent_key(self, provider: str, agent: str) -> bool:
        """Delete an agent's key for a provider of models; False if there was none."""
        path = self._root / _KEY.format(provider, agent)
        existed = path.exists()
        path.unlink(missing_ok=True)
        return existed

    def of_account(self, forge: str, login: str) -> AccountSecrets:
        """All that an agent has of its own."""
        return AccountSecrets(self._root, forge, login)

    def open_files(self) -> list[Path]:
        """Files and directories of the store that others may read."""
        paths = [self._root, *self._root.rglob("*")] if self._root.is_dir() else []
        return sorted(path for path in paths if path.stat().st_mode & 0o077)

    def marker_secret(self) -> bytes:
        """The secret that signs the markers of own comments, created at first use."""
        return self._made("marker.secret", secrets.token_hex(32))

    def _made(self, name: str, fresh: str) -> bytes:
        if not (self._root / name).exists():
            self._write(name, fresh.encode())
        return self._read(name).strip()

    def _read(self, name: str) -> bytes:
        return read_private(self._root / name)

    def _write(self, name: str, content: bytes) -> None:
        path = self._root / name
        for directory in (self._root, path.parent):
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
            self._give(file.fileno(), path.parent)
        draft.replace(path)

    def _give(self, file: int, directory: Path) -> None:
        """Give what root writes to the owner of the store: the hive has to read it."""
        if os.geteuid() == 0:
            owner = self._root.stat()
            os.fchown(file, owner.st_uid, owner.st_gid)
            os.chown(directory, owner.st_uid, owner.st_gid)


class HookSecrets:
    """The webhook secrets of a forge, read again each time; raises NoSecret."""

    def __init__(self, secret_store: SecretStore, forge: str) -> None:
        self._secret_store = secret_store
        self._forge = forge

    def __iter__(self) -> Iterator[bytes]:
        # The next one first: read the other way round, a change in between would hide it.
        waiting = self._secret_store.waiting_hook_secret(self._forge)
        if waiting is not None:
            yield waiting
        yield self._secret_store.hook_secret(self._forge)


class AccountSecrets:
    """What an agent has of its own: its token for a forge, and its keys for models."""

    def __init__(self, root: Path, forge: str, login: str) -> None:
        """`root` is the directory of the secrets."""
        self._token = root / forge / f"{login}.token"
        self._keys = sorted(root.glob(_KEY.format("*", login)))

    def __str__(self) -> str:
        kept = ["its token for the forge"] if self._token.exists() else []
        return " and ".join(kept + (["its key for a model"] if self._keys else [])) or "no credentials"

    def delete(self) -> None:
        """Delete them all; raises OSError."""
        for path in (self._token, *self._keys):
            path.unlink(missing_ok=True)
