"""Plans what merging a pull request on the roster would do: who joins, who leaves, which lane is whose. Changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from bots.configurations import Evaluation
from bots.models import Role
from forge.models import PullRequest
from forge.protocol import Unavailable
from hive.config import BadYaml, Settings
from hive.config.hive_yaml import LaneSettings
from hive.config.roster import FILE, Roster
from hive.git_mirror.mirror import GitError, GitInterrupted, Mirror, TreeLimits
from hive.inspect.base_evaluator import BaseEvaluator
from hive.inspect.config_evaluator import ConfigEvaluator
from hive.inspect.fetch import MirrorOf, fetch
from hive.reconcile.evidence import bad_entries
from hive.reconcile.roster_file import roster_at

JOINS = (
    "{agent} joins {team}: it gets an account and {configs}/{agent}, and a container when its configuration is merged"
)
RETURNS = "{agent} returns to {team}, with the notes, the account and the credentials that it left"
LEAVES = "{agent} leaves {team}: its container is removed and its runs end; notes, account and credentials are kept"


@dataclass(frozen=True, slots=True)
class AgentFacts:
    """What a plan has to know of agents beside the rosters.

    `roles` are those that one agent of a team has at the most, by agent; `destroyed` are agents that may return.
    `is_taken` is whether an account of a name is somebody's who is not of the hive; it may raise ForgeError.
    """

    roles: Callable[[Roster], Mapping[str, Role]]
    destroyed: Callable[[], Mapping[str, str]]
    is_taken: Callable[[str, str], bool]


@dataclass(frozen=True, slots=True)
class RosterEvaluator:
    """Plans the merge result of a pull request on the roster of a forge."""

    mirror: MirrorOf
    settings: Settings
    facts: AgentFacts
    bases: BaseEvaluator

    def evaluate(self, pull: PullRequest) -> Evaluation:
        """What merging would mean; raises Unavailable if it has to be evaluated again, and ForgeError."""
        try:
            return self._evaluate(self.mirror(pull.ref.repo), pull)
        except GitInterrupted as error:
            raise Unavailable(f"{pull.ref} cannot be looked at now: {error}") from error
        except GitError as error:
            return Evaluation(pull.head_sha, "", (f"git cannot tell what merging it would make: {error}",))

    def _evaluate(self, mirror: Mirror, pull: PullRequest) -> Evaluation:
        base = fetch(mirror, pull)
        tree = mirror.merged_tree(base, pull.head_sha)
        if tree is None:
            return Evaluation(pull.head_sha, "", (f"it does not merge cleanly into {pull.base_branch}",))
        bad = bad_entries(mirror, pull.head_sha, TreeLimits())
        if bad:
            return Evaluation(pull.head_sha, tree, tuple(f"not allowed beside a roster: {entry}" for entry in bad))
        forge = pull.ref.repo.forge
        try:
            new = roster_at(mirror, tree, self.settings, forge)
        except BadYaml as error:
            return Evaluation(pull.head_sha, tree, tuple(map(str, error.problems)))
        try:
            old = roster_at(mirror, base, self.settings, forge)
        except BadYaml:  # what this change may fix
            old = Roster({})
        wrong, base_changes = self.bases.evaluate(mirror, base, tree, self.settings)
        problems = (*self._problems(old, new, forge), *wrong)
        changes = () if problems else (*self._changes(old, new), *base_changes)
        return Evaluation(pull.head_sha, tree, problems, changes)

    def _problems(self, old: Roster, new: Roster, forge: str) -> Iterator[str]:
        """Why operators should not even be asked."""
        roles = self.facts.roles(old) if old.agents.keys() - new.agents.keys() else {}
        for agent, team in old.agents.items():
            if agent not in new.agents and roles.get(agent) is Role.LEAD:
                yield f"{FILE}: {agent} is the lead of {team}, and a lead is not removed: give its role to another first"
            elif agent in new.agents and new.agents[agent] != team:
                yield f"{FILE}: {agent} works for {team}: an agent does not change its team"
        destroyed = self.facts.destroyed()
        for agent, team in new.agents.items():
            if agent in old.agents:
                continue
            if destroyed.get(agent, team) != team:
                yield f"{FILE}: {agent} worked for {destroyed[agent]}, and its notes are from there: purge it first, or choose another name"
            elif agent not in destroyed and self.facts.is_taken(forge, agent):
                yield f"{FILE}: {agent} is an account of somebody else on this forge; choose another name"

    def _changes(self, old: Roster, new: Roster) -> Iterator[str]:
        """What merging does, in sentences."""
        destroyed = self.facts.destroyed()
        for agent, team in new.agents.items():
            if agent not in old.agents:
                text = RETURNS if agent in destroyed else JOINS
                yield text.format(agent=agent, team=team, configs=self.settings.configs)
        for agent, team in old.agents.items():
            if agent not in new.agents:
                yield LEAVES.format(agent=agent, team=team)
        for team in new.teams:
            yield from _lanes(old.teams[team].lanes if team in old.teams else {}, new.teams[team].lanes)


@dataclass(frozen=True, slots=True)
class Evaluators:
    """What a bot may have evaluated: configurations of agents, and rosters."""

    configs: ConfigEvaluator
    rosters: RosterEvaluator

    def evaluate(self, pull: PullRequest, agent: str) -> Evaluation:
        """Check the merge result of a configuration pull request."""
        return self.configs.evaluate(pull, agent)

    def evaluate_roster(self, pull: PullRequest) -> Evaluation:
        """Check the merge result of a pull request on a roster."""
        return self.rosters.evaluate(pull)


def _lanes(old: Mapping[str, LaneSettings], new: Mapping[str, LaneSettings]) -> Iterator[str]:
    for lane, wants in new.items():
        before = old.get(lane)
        if before is None:
            yield f"lane {lane} is new, and {wants.agent}'s"
        elif before.agent != wants.agent:
            yield f"lane {lane}: {before.agent} → {wants.agent}"
        elif before != wants:
            yield f"lane {lane} takes other issues"
    for lane in old.keys() - new.keys():
        yield f"lane {lane} is gone"
