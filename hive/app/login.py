"""`hive login` and `hive logout`: gives an agent a key of its own for its model, or takes it away. Shows no key."""

from __future__ import annotations

from collections.abc import Callable

from hive.gateway.llm import COUNT, ModelRequest
from hive.gateway.model_errors import ModelFailed
from hive.gateway.model_headers import VERSION
from hive.instance.instance import Instance, StartupError
from hive.instance.model_keys import DEFAULT
from hive.instance.model_routes import ModelRoutes
from hive.instance.running_agent import current_model, keys_of, running_spec
from hive.ledger import Act, Scope, SuspensionReason
from hive.secret_store import NoSecret

MAX_KEY = 4096
COUNTED = {"messages": [{"role": "user", "content": "Say OK."}]}
"""A request that costs nothing and needs a key."""

BAD_KEY = "a key is one word of printable ASCII characters"
REJECTED = "the server of {model} does not accept this key, and nothing was stored: {why}"
STORED = "{agent} has a key of its own for {model}{checked}"
CHECKED, UNCHECKED = ", which its server accepts", "; its server could not be asked whether it accepts it ({why})"
RESUMED = "{agent} goes on with its work"
REMOVED, NONE = (
    "{agent} has no key of its own any more for {model}{now}",
    "{agent} has no key of its own for {model}{now}",
)
SHARED, KEYLESS = "; it uses that of the provider", "; its turns wait until it has one"

Say = Callable[[str], None]


def model_of(instance: Instance, agent: str, provider: str | None) -> str:
    """A model of an agent: its current one, or one of a provider; raises StartupError for what there is not."""
    if not any(agent in team.agents for team in instance.settings.teams.values()):
        raise StartupError(f"there is no agent {agent!r}")
    settings = instance.settings.model
    try:
        spec = running_spec(instance, agent)
    except OSError:
        spec = {}
    current = current_model(instance, agent, spec)
    if provider is None:
        return current
    if provider not in settings.providers:
        raise StartupError(f"model.providers has no {provider!r}; it has {', '.join(settings.providers) or 'none'}")
    mine = (current, *settings.models_of(agent))
    return next((name for name in mine if settings.address(name).provider == provider), f"{provider}/any")


def login(instance: Instance, agent: str, provider: str | None, key: str, say: Say) -> None:
    """Store a key, unless the model's server rejects it; the agent goes on if it waited for one."""
    model = model_of(instance, agent, provider)
    if not key or len(key) > MAX_KEY or not (key.isascii() and key.isprintable()) or " " in key:
        raise StartupError(BAD_KEY)
    checked = _checked(instance, model, agent, key)
    instance.secret_store.keep_agent_key(instance.settings.model.address(model).provider or DEFAULT, agent, key)
    say(STORED.format(agent=agent, model=model, checked=checked))
    team = next(name for name, team in instance.settings.teams.items() if agent in team.agents)
    ledger = instance.ledger
    with ledger.transaction():
        if ledger.suspensions.resume(team, Scope.AGENT, agent, SuspensionReason.NEEDS_LOGIN):
            ledger.audit.add(agent, Act.AGENT_RESUMED, team=team, why=SuspensionReason.NEEDS_LOGIN)
            say(RESUMED.format(agent=agent))


def logout(instance: Instance, agent: str, provider: str | None, say: Say) -> None:
    """Delete an agent's own key."""
    model = model_of(instance, agent, provider)
    existed = instance.secret_store.drop_agent_key(instance.settings.model.address(model).provider or DEFAULT, agent)
    try:
        keys_of(instance).key(model, agent)
        now = SHARED
    except NoSecret:
        now = KEYLESS
    say((REMOVED if existed else NONE).format(agent=agent, model=model, now=now))


def _checked(instance: Instance, model: str, agent: str, key: str) -> str:
    """Whether the server accepts the key, in words; raises StartupError if it does not."""
    routes = ModelRoutes(instance.settings.model, keys_of(instance))
    try:
        with (
            routes.route(model, agent)
            .with_key(key)
            .ask(ModelRequest(COUNTED, {"anthropic-version": VERSION}, COUNT)) as reply
        ):
            b"".join(reply.chunks)
    except ModelFailed as error:
        why = error.unreachable or error.message or str(error.status)
        if error.status in (401, 403):
            raise StartupError(REJECTED.format(model=model, why=why)) from error
        return UNCHECKED.format(why=why)
    finally:
        routes.close()
    return CHECKED
