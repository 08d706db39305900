"""Checks of `model` of `hive.yaml` that its types cannot express: which servers and models there are, and who uses them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hive.codec import FieldError
from hive.config import naming
from hive.config.field_checks import each, mapping, wrong
from hive.config.yaml_loader import Place


def model_errors(model: Mapping[str, Any], agents: list[str]) -> Iterator[FieldError]:
    """Everything that is wrong with a section whose pieces have the right shape; `agents` are those of all teams."""
    yield from _provider(("model",), model)
    providers = mapping(model.get("providers"))
    for name, provider in providers.items():
        place = ("model", "providers", name)
        yield from wrong(place, naming.provider(name), at_key=True)
        yield from _provider(place, mapping(provider))
        if mapping(provider).get("url") == "":
            yield FieldError((*place, "url"), "should be the address of a server that speaks the Messages API")
    rule = rule_for_models(list(providers), is_own=bool(model.get("url")))
    if isinstance(model.get("name"), str):
        yield from wrong(("model", "name"), rule(model["name"]))
    yield from each(("model", "allowed"), model.get("allowed"), rule)
    for agent, names in mapping(model.get("agents")).items():
        if agent not in agents:
            yield FieldError(("model", "agents", agent), naming.unknown(agent, agents, "the agents"), at_key=True)
        if names == []:
            yield FieldError(("model", "agents", agent), "should name at least one model")
        yield from each(("model", "agents", agent), names, rule)
    yield from each(("model", "server_tools"), model.get("server_tools"), naming.server_tool)
    yield from each(("model", "betas"), model.get("betas"), naming.beta)
    for priced in mapping(model.get("prices")):
        yield from wrong(("model", "prices", priced), naming.model(priced), at_key=True)


def rule_for_models(providers: list[str], *, is_own: bool) -> naming.Rule:
    """The rule for a model's name; a server of one's own may have names with a / of its own."""

    def rule(name: str) -> str:
        provider, slash, _ = name.partition("/")
        if slash and not is_own and provider not in providers:
            return naming.unknown(provider, providers, "model.providers")
        return naming.model(name)

    return rule


def _provider(place: Place, provider: Mapping[str, Any]) -> Iterator[FieldError]:
    url, credential = provider.get("url"), provider.get("credential")
    if isinstance(url, str) and url:
        yield from wrong((*place, "url"), naming.url(url))
    if isinstance(credential, str) and credential:
        yield from wrong((*place, "credential"), naming.credential(credential))
    if credential and provider.get("key_file"):
        yield FieldError((*place, "credential"), "should not stand beside key_file: the key is in one place")
