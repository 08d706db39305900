"""The models of a hive: who serves them, which agent may use which, and where the keys are. Holds no key itself."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal, NamedTuple
from urllib.parse import urlsplit

from annotated_types import Ge, Le

from hive.codec import STRICT
from hive.config.costs import OwnPrice

KeyHeader = Literal["auto", "x-api-key", "bearer"]
SILENCE_SECONDS = 100


@dataclass(frozen=True, slots=True)
class ProviderSettings:
    """A server that speaks the Messages API: llama-server, Ollama, vLLM, LM Studio, LiteLLM."""

    url: str
    """Its address, without a password: `http://127.0.0.1:8080`."""

    key_file: str = ""
    """File with its key, which only its owner can read (0600). Relative to `hive.yaml`."""

    credential: str = ""
    """Name of the systemd credential (`LoadCredential=`) that holds its key."""

    header: KeyHeader = "auto"
    """Header that the key is sent in; `auto` sends `x-api-key` to Anthropic and both headers to other servers."""

    silence: Annotated[int, Ge(5), Le(3600)] = SILENCE_SECONDS
    """Seconds that it may be silent in a stream: a machine at home may read a long conversation for minutes."""

    __pydantic_config__: ClassVar = STRICT

    @property
    def is_at_home(self) -> bool:
        """Whether its address is on this machine or in a private network."""
        host = urlsplit(self.url).hostname or ""
        try:
            return ipaddress.ip_address(host).is_private
        except ValueError:
            return host.endswith((".local", ".lan", ".internal", ".home.arpa")) or (bool(host) and "." not in host)

    @property
    def needs_key(self) -> bool:
        """Whether nothing can be asked there without a key: Anthropic's API, and what a key is configured for."""
        return not self.url or bool(self.key_file or self.credential)


@dataclass(frozen=True, slots=True)
class ModelTraits:
    """What a model can do that no server tells."""

    window: Annotated[int, Ge(0), Le(100_000_000)] = 0
    """Tokens that it can read. At three quarters of it, a conversation is compacted; 0 means not known, and is learnt when it was too small once."""

    pictures: bool = False
    """Whether it can look at pictures."""

    __pydantic_config__: ClassVar = STRICT


CLAUDE = ModelTraits(window=200_000, pictures=True)
"""The least that all of Claude's models can do."""


class ModelAddress(NamedTuple):
    """Where a model is: the name of its provider, empty for the default one, and what that calls the model."""

    provider: str
    settings: ProviderSettings
    id: str


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """The models that agents think with. Another provider's model is named `PROVIDER/MODEL`."""

    name: str = "claude-sonnet-5-5"
    """The model of every agent whose own configuration names none."""

    url: str = ""
    """Address of the default provider, if that is not Anthropic. The key is in `ANTHROPIC_API_KEY`, never here."""

    key_file: str = ""
    """File with the key of the default provider, which only its owner can read (0600). Relative to `hive.yaml`."""

    credential: str = ""
    """Name of the systemd credential (`LoadCredential=`) that holds the key of the default provider."""

    header: KeyHeader = "auto"
    """Header that the key of the default provider is sent in; see `providers.NAME.header`."""

    silence: Annotated[int, Ge(5), Le(3600)] = SILENCE_SECONDS
    """Seconds that the default provider may be silent in a stream."""

    providers: dict[str, ProviderSettings] = field(default_factory=dict)
    """Other servers that speak the Messages API, by a name of your own."""

    allowed: tuple[str, ...] = ("claude-fable-5-2", "claude-haiku-5-5", "claude-opus-5-5", "claude-sonnet-5-5")
    """Models that an agent's configuration and `/model` may name beside `name`."""

    agents: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Models of single agents, instead of `name` and `allowed`; the first one is the agent's own if it names none."""

    server_tools: tuple[str, ...] = ()
    """Tools that run at the model's provider, such as `web_search`. Each is a network for agents that have none."""

    betas: tuple[str, ...] = ()
    """Betas of the Messages API that agents may ask for beside those that only change the conversation, without date."""

    traits: dict[str, ModelTraits] = field(default_factory=dict)
    """What models can do, by name. Without an entry, Claude's read 200,000 tokens and pictures, and of others nothing is known."""

    prices: dict[str, OwnPrice] = field(default_factory=dict)
    """What models cost that `hive prices` does not know, or that cost you something else. `NAME: {}` costs nothing, as a model at home."""

    __pydantic_config__: ClassVar = STRICT

    @property
    def known(self) -> tuple[str, ...]:
        """Every model that an agent may think with, unless it has a list of its own."""
        return tuple(dict.fromkeys((self.name, *self.allowed)))

    @property
    def own_prices(self) -> dict[str, OwnPrice]:
        """The configured prices, and those of models in one's own network."""
        return self.prices_of()

    def prices_of(self, *more: str) -> dict[str, OwnPrice]:
        """The configured prices; a model of a provider in one's own network costs nothing unless it has one.

        `more` are models that are used beside those of agents.
        """
        named = {*self.known, *(name for names in self.agents.values() for name in names), *more}
        at_home = (name for name in named if self.address(name).provider and self.address(name).settings.is_at_home)
        return {**{name: OwnPrice() for name in at_home}, **self.prices}

    def models_of(self, agent: str) -> tuple[str, ...]:
        """The models that an agent may think with; the first one is its own."""
        return self.agents.get(agent) or self.known

    def chosen(self, agent: str, *wishes: str) -> str:
        """The model of an agent: the first wish that is one; of a list of its own, only what is in it."""
        own = self.agents.get(agent)
        return next((wish for wish in wishes if wish and (not own or wish in own)), self.models_of(agent)[0])

    def traits_of(self, name: str) -> ModelTraits:
        """What a model can do, by the name that the hive has for it."""
        known = CLAUDE if self.address(name).id.startswith("claude-") else ModelTraits()
        return self.traits.get(name, known)

    @property
    def default(self) -> ProviderSettings:
        """The provider of models whose name has none before it."""
        return ProviderSettings(self.url, self.key_file, self.credential, self.header, self.silence)

    def address(self, name: str) -> ModelAddress:
        """Where a model is, by the name that the hive has for it."""
        provider, _, rest = name.partition("/")
        if rest and provider in self.providers:
            return ModelAddress(provider, self.providers[provider], rest)
        return ModelAddress("", self.default, name)

    def provider(self, name: str) -> ProviderSettings:
        """A provider by its name; the default one's is empty. Raises KeyError."""
        return self.providers[name] if name else self.default
