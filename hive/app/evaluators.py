"""Wires what bots may have evaluated: configurations of agents, and rosters."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial

from bots.models import Role
from forge.models import Repo
from forge.protocol import NotFound, Reader
from hive.app.base_update import host_lock
from hive.config.costs import own_bounds
from hive.config.roster import Roster
from hive.git_mirror.mirror import Mirror
from hive.inspect.base_evaluator import BaseEvaluator
from hive.inspect.config_evaluator import ConfigEvaluator, dependencies, holders
from hive.inspect.roster_evaluator import AgentFacts, Evaluators, RosterEvaluator
from hive.instance.instance import Instance
from hive.instance.rosters import host_settings
from hive.instance.sandbox import packages_path
from hive.reconcile.base_file import base_of
from hive.reconcile.build import BuildFailed, KnownNames
from hive.reconcile.nix_evaluation import MODULE, NixEvaluator, NoEvaluator

NIXOS = "nixos-container"


def evaluators(
    instance: Instance, mirror: Callable[[Repo], Mirror], reader: Callable[[str, str], Reader]
) -> Evaluators:
    """What plans changes; `reader` is a forge as an account of a team sees it: (team, login)."""
    settings = instance.settings
    configs = ConfigEvaluator(
        mirror,
        settings.limits,
        packages_path(settings),
        lambda agent: known(instance, agent, mirror),
        evaluate_module if settings.sandbox == NIXOS else None,
        lambda forge: base_of(instance.ledger, instance.ledger.bases.accepted(forge)),
    )
    facts = AgentFacts(
        partial(_roles, instance, mirror),
        lambda: {each.agent: each.team for each in instance.ledger.rosters.tombstones()},
        partial(_is_taken, instance, reader),
    )
    rosters = RosterEvaluator(mirror, host_settings(instance), facts, BaseEvaluator(partial(host_lock, instance)))
    return Evaluators(configs, rosters)


def evaluate_module(mirror: Mirror, tree: str) -> None:
    """Evaluate the NixOS module of a tree; raises BuildFailed with what is wrong with it, or why nothing evaluates here."""
    try:
        evaluator().evaluate(mirror, tree)
    except NoEvaluator as error:
        raise BuildFailed([f"{MODULE}: nothing evaluates it on this host: {error}"]) from error


@cache
def evaluator() -> NixEvaluator:
    """What evaluates modules on this machine, tried once; raises NoEvaluator."""
    return NixEvaluator.find()


def known(instance: Instance, agent: str, mirror: Callable[[Repo], Mirror]) -> KnownNames | None:
    """What the declaration of an agent may name; None for an agent of no team."""
    settings = instance.settings
    mine = next((name for name, team in settings.teams.items() if agent in team.agents), None)
    if mine is None:
        return None
    team, others = settings.teams[mine], partial(_configs, instance, mine, but=agent)
    caps = own_bounds(settings.budget)
    return KnownNames(
        tuple(team.lanes),
        settings.model.models_of(agent),
        lambda: holders(mirror, others()),
        caps,
        team.agents,
        lambda: dependencies(mirror, others()),
    )


def _configs(instance: Instance, team: str, *, but: str = "") -> Iterator[tuple[str, Repo, str]]:
    """The agents of a team that have a configuration, with its repository and branch."""
    mine = instance.settings.teams[team]
    for agent in mine.agents:
        baseline = instance.ledger.deployments.baseline(agent) if agent != but else None
        if baseline is not None:
            yield agent, Repo(mine.forge, instance.settings.configs, agent), baseline.branch


def _roles(instance: Instance, mirror: Callable[[Repo], Mirror], roster: Roster) -> Mapping[str, Role]:
    """Who has a role that one agent of a team has at the most."""
    found: dict[str, Role] = {}
    for team in roster.teams.keys() & instance.settings.teams.keys():
        held = holders(mirror, _configs(instance, team))
        found |= {agent: Role(role) for role, agent in held.items()}
    return found


def _is_taken(instance: Instance, reader: Callable[[str, str], Reader], forge: str, name: str) -> bool:
    """Whether an account of a name is somebody's who is not of the hive."""
    if instance.ledger.identity(forge, name) is not None:
        return False
    team = instance.settings.first_team(forge)
    try:
        reader(team, instance.settings.account("core")).user(name)
    except NotFound:
        return False
    return True
