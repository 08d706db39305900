"""The keys of models: which one a request of an agent is sent with. Sends nothing, and shows no key.

An agent's own key (`hive login`) comes first; then the provider's, from a file, a systemd credential or the environment.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hive.config import ModelSettings
from hive.secret_store import NoSecret, SecretStore, read_private

VARIABLE = "ANTHROPIC_API_KEY"
CREDENTIALS = "CREDENTIALS_DIRECTORY"
"""Where systemd puts what `LoadCredential=` names."""

DEFAULT = "model"
"""The directory of keys for the default provider, which has no name."""

NO_KEY = "no-key"
"""What a server without keys is sent."""

GIVE = "; give it one: "
SHARED = (
    "there is no key for {model}" + GIVE + "ANTHROPIC_API_KEY, or a key_file or credential of its provider in hive.yaml"
)
HOW = "{agent} has no key for {model}" + GIVE + "hive login {agent}{option}"


def forget() -> None:
    """Take what leads to keys out of this process's environment, where children would inherit it."""
    for name in (VARIABLE, CREDENTIALS):
        os.environ.pop(name, None)


@dataclass(frozen=True, slots=True)
class ModelKeys:
    """The keys of one instance, read again for each request: a new one counts from then on."""

    settings: ModelSettings
    home: Path
    """The directory of `hive.yaml`."""

    store: SecretStore
    environment: str = field(default="", repr=False)
    """The key of the default provider, from the environment of the process."""

    credentials: Path | None = None

    @classmethod
    def of(
        cls, settings: ModelSettings, home: Path, store: SecretStore, env: Mapping[str, str] = os.environ
    ) -> ModelKeys:
        """The keys as a process finds them."""
        folder = env.get(CREDENTIALS, "")
        return cls(settings, home, store, env.get(VARIABLE, "").strip(), Path(folder) if folder else None)

    def key(self, name: str, agent: str) -> str:
        """The key for a model, by the hive's name for it; raises NoSecret if there is none and one is needed.

        Without an agent it is for the hive itself.
        """
        address = self.settings.address(name)
        if agent and (own := self.store.agent_key(address.provider or DEFAULT, agent)):
            return own
        if shared := self.shared(address.provider):
            return shared
        if address.settings.needs_key:
            option = f" --provider {address.provider}" if address.provider else ""
            if not agent:
                raise NoSecret(SHARED.format(model=name))
            raise NoSecret(HOW.format(agent=agent, model=name, option=option))
        return NO_KEY

    def known(self) -> frozenset[str]:
        """The keys of all providers, to recognise them; those of single agents are in the secret store."""
        found = set[str]()
        for provider in ("", *self.settings.providers):
            try:
                found.add(self.shared(provider))
            except NoSecret:  # it is used by nobody
                continue
        return frozenset(found - {""})

    def shared(self, provider: str) -> str:
        """The key of a provider, for agents without one of their own; empty if there is none. Raises NoSecret."""
        settings = self.settings.provider(provider)
        if settings.key_file:
            return _one_word(self.home / settings.key_file, read_private(self.home / settings.key_file))
        if settings.credential:
            if self.credentials is None:
                raise NoSecret(f"there is no credential {settings.credential}: {CREDENTIALS} is not set by systemd")
            # systemd grants access by an access list, which looks like a right of the group.
            path = self.credentials / settings.credential
            return _one_word(path, read_private(path, is_ours=False))
        return "" if provider else self.environment


def _one_word(path: Path, content: bytes) -> str:
    key = content.decode().strip()
    if not key.isprintable() or " " in key:
        raise NoSecret(f"the secret {path} should hold a key and nothing else")
    return key
