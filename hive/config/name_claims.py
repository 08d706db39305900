"""Names that people, machines and organisations share on a forge: who claims one, and which is claimed twice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from hive.codec import FieldError
from hive.config.field_checks import items, mapping
from hive.config.naming import folded
from hive.config.yaml_loader import Place, shown

DEFAULT_ACCOUNTS: Final = {"core": "core", "triage": "triage", "review": "argus"}
"""The default logins of bots; all others act as `core`."""

_SHARED = frozenset({"account", "operator"})
"""Roles that may share a name: bots with one account, an operator of two teams."""


@dataclass(frozen=True, slots=True)
class NameClaim:
    """Somebody or something that bears a name on a forge, where people, machines and organisations share one space of names."""

    name: str
    place: Place
    kind: str
    what: str
    at_key: bool = False


def clashes(root: Mapping[str, Any]) -> Iterator[FieldError]:
    """Every name that is claimed twice."""
    holders: dict[str, NameClaim] = {}
    for claim in _claims(root):
        before = holders.setdefault(folded(claim.name), claim)
        if before is not claim and not (before.kind == claim.kind and claim.kind in _SHARED):
            yield FieldError(claim.place, _clash(claim, before), at_key=claim.at_key)


def _claims(root: Mapping[str, Any]) -> Iterator[NameClaim]:
    """The roles of names, those of the hive first."""
    configs, meta = root.get("configs", "agent-configs"), root.get("meta", "hive/meta")
    if isinstance(configs, str):
        yield NameClaim(configs, ("configs",), "organisation", "the organisation of configurations (`configs`)")
    if isinstance(meta, str):
        yield NameClaim(
            meta.partition("/")[0], ("meta",), "organisation", "the organisation of the hive itself (`meta`)"
        )
    for bot, login in mapping(root.get("accounts", DEFAULT_ACCOUNTS)).items():
        if isinstance(login, str):
            yield NameClaim(login, ("accounts", bot), "account", "an account of the hive's own bots")
    teams = {name: mapping(team) for name, team in mapping(root.get("teams")).items()}
    for name in teams:
        yield NameClaim(name, ("teams", name), "organisation", f"the team {name!r}", at_key=True)
    for kind in ("agent", "operator"):
        for name, team in teams.items():
            for index, login in enumerate(items(team.get(f"{kind}s"))):
                if isinstance(login, str):
                    yield NameClaim(login, ("teams", name, f"{kind}s", index), kind, f"{kind} of team {name!r}")


def _clash(claim: NameClaim, before: NameClaim) -> str:
    if claim.kind == "operator":
        if before.kind == "agent":
            return f"{shown(claim.name)} is an agent; an agent is never an operator"
        return f"{shown(claim.name)} is {before.what}; an operator is a person"
    if claim.kind == before.kind == "agent":
        return f"{shown(claim.name)} already works in team {before.place[1]!r}"
    return f"{shown(claim.name)} is {before.what} already: names differ by more than case"
