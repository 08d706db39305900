"""The servers of models that a process of the hive asks, one client for each, and where an agent's requests go."""

from __future__ import annotations

from collections.abc import Callable

from hive.config import ModelSettings
from hive.gateway.llm import Model
from hive.gateway.model_errors import ModelFailed, error_body
from hive.gateway.model_proxy import ModelObserver, Upstream
from hive.gateway.model_route import ModelRoute
from hive.gateway.spending import Spending
from hive.instance.model_keys import ModelKeys
from hive.secret_store import NoSecret


class ModelRoutes:
    """Makes routes; `close` ends the connections of all."""

    def __init__(self, settings: ModelSettings, keys: ModelKeys) -> None:
        self._settings = settings
        self._keys = keys
        providers = {"": settings.default, **settings.providers}
        self._models = {
            name: Model(url=provider.url, header=provider.header, silence=provider.silence)
            for name, provider in providers.items()
        }

    def upstream(self, agent: str, current: Callable[[], str], watch: ModelObserver, spending: Spending) -> Upstream:
        """What answers an agent's requests; `current` is its model at the moment."""
        return Upstream(
            self.of(agent, current),
            lambda: self.names(agent, current),
            watch,
            frozenset(self._settings.server_tools),
            frozenset(self._settings.betas),
            spending,
        )

    def of(self, agent: str, current: Callable[[], str]) -> Callable[[str], ModelRoute]:
        """Where requests of an agent go, by the name that each asks for.

        A model that operators listed for this agent is asked for by its name; anything else goes to its current model.
        """
        own = self._settings.agents.get(agent, ())
        return lambda wanted: self.route(wanted if wanted in own else current(), agent)

    def names(self, agent: str, current: Callable[[], str]) -> tuple[str, ...]:
        """The models of an agent, its current one first."""
        return tuple(dict.fromkeys((current(), *self._settings.models_of(agent))))

    def route(self, name: str, agent: str) -> ModelRoute:
        """The route to a model."""
        address = self._settings.address(name)
        return ModelRoute(self._models[address.provider], name, address.id, lambda: self._key(name, agent))

    def warm(self) -> None:
        """Make the client of the default provider before the first request needs it."""
        self._models[""].warm()

    def close(self) -> None:
        """Close connections."""
        for model in self._models.values():
            model.close()

    def _key(self, name: str, agent: str) -> str:
        try:
            return self._keys.key(name, agent)
        except NoSecret as error:
            raise ModelFailed(401, error_body("authentication_error", str(error))) from error
