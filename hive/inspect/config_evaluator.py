"""Plans what merging a configuration pull request would do to an agent's container. Builds and changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from bots.configurations import Evaluation
from bots.models import AgentSpec
from forge.models import PullRequest, Repo
from forge.protocol import Unavailable
from hive.config import PACKAGES_PATH, Limits, read_agent
from hive.config.base_yaml import NO_BASE, Base
from hive.git_mirror.mirror import GitError, GitInterrupted, Mirror, TooLarge, TreeLimits
from hive.inspect.config_policy import checklist
from hive.inspect.fetch import MirrorOf, fetch
from hive.reconcile.build import DECLARATION, MAX_BYTES, UNIQUE_ROLES, BuildFailed, KnownNames, Plan, changes, plan
from hive.reconcile.evidence import bad_entries
from hive.reconcile.nix_evaluation import MODULE

CHANGES = "another system, by {module}"
IGNORED = "{module} changes, and this host's sandbox does not use it"


@dataclass(frozen=True, slots=True)
class ConfigEvaluator:
    """Plans the merge result of a configuration pull request; `known` is what the agent's declaration may name.

    `evaluate_module` evaluates the `agent.nix` of a tree where containers are made from it, and raises BuildFailed.
    """

    mirror: MirrorOf
    limits: Limits
    packages_path: tuple[str, ...] = PACKAGES_PATH
    known: Callable[[str], KnownNames | None] = lambda _: None
    evaluate_module: Callable[[Mirror, str], object] | None = None
    base: Callable[[str], Base] = lambda _: NO_BASE
    """The base of a forge that operators merged last; it may raise BuildFailed."""

    def evaluate(self, pull: PullRequest, agent: str) -> Evaluation:
        """What merging would mean; raises Unavailable if it has to be evaluated again."""
        try:
            return self._evaluate(self.mirror(pull.ref.repo), pull, agent)
        except GitInterrupted as error:
            raise Unavailable(f"{pull.ref} cannot be looked at now: {error}") from error
        except GitError as error:
            return Evaluation(pull.head_sha, "", (f"git cannot tell what merging it would make: {error}",))

    def _evaluate(self, mirror: Mirror, pull: PullRequest, agent: str) -> Evaluation:
        base = fetch(mirror, pull)
        tree = mirror.merged_tree(base, pull.head_sha)
        if tree is None:
            return Evaluation(pull.head_sha, "", (f"it does not merge cleanly into {pull.base_branch}",))
        bad = bad_entries(mirror, pull.head_sha, TreeLimits())
        if bad:
            return Evaluation(pull.head_sha, tree, tuple(f"not allowed in a configuration: {entry}" for entry in bad))
        try:
            base_of_all = self.base(pull.ref.repo.forge)
            new = self._plan(mirror, agent, tree, self.known(agent), base_of_all)
            more = tuple(self._module(mirror, base, tree))
        except BuildFailed as error:
            return Evaluation(pull.head_sha, tree, error.problems)
        old = self._old(mirror, agent, base)
        points = checklist(old, new, _changed(mirror, base, tree))
        return Evaluation(pull.head_sha, tree, changes=(*changes(old, new), *more), policy=points)

    def _module(self, mirror: Mirror, base: str, tree: str) -> Iterator[str]:
        """What becomes of the NixOS module of a tree, in a sentence if that changes; raises BuildFailed."""
        before, after = ({e.path: e.sha for e in mirror.entries(at)}.get(MODULE) for at in (base, tree))
        if after is not None and self.evaluate_module is not None:
            self.evaluate_module(mirror, tree)
        if before != after:
            yield (CHANGES if self.evaluate_module is not None else IGNORED).format(module=MODULE)

    def _old(self, mirror: Mirror, agent: str, base: str) -> Plan | None:
        try:
            return self._plan(mirror, agent, base, None)
        except BuildFailed:  # a base that does not build is what this change may fix
            return None

    def _plan(self, mirror: Mirror, agent: str, tree: str, known: KnownNames | None, base: Base = NO_BASE) -> Plan:
        return plan(agent, mirror, tree, self.limits, packages_path=self.packages_path, known=known, base=base)


def _changed(mirror: Mirror, base: str, tree: str) -> set[str]:
    """The paths at which a merge result differs from what it is merged into."""
    before, after = ({(e.path, e.mode, e.sha) for e in mirror.entries(at)} for at in (base, tree))
    return {path for path, _, _ in before ^ after}


def holders(mirror: MirrorOf, others: Iterable[tuple[str, Repo, str]]) -> dict[str, str]:
    """Which of other agents (name, configuration, branch) has a role that one agent has at the most.

    By what their operators merged last. Raises Unavailable if a configuration cannot be fetched; one that cannot be
    read has no role.
    """
    found: dict[str, str] = {}
    for spec in declared(mirror, others):
        if spec.role in UNIQUE_ROLES:
            found.setdefault(spec.role.value, spec.name)
    return found


def dependencies(mirror: MirrorOf, others: Iterable[tuple[str, Repo, str]]) -> dict[str, tuple[str, ...]]:
    """Which agents each of other agents depends on, as `holders` reads it."""
    return {spec.name: spec.depends_on for spec in declared(mirror, others)}


def declared(mirror: MirrorOf, others: Iterable[tuple[str, Repo, str]]) -> Iterator[AgentSpec]:
    """What operators merged last of agents (name, configuration, branch), those left out that cannot be read. Raises Unavailable."""
    for agent, repo, branch in others:
        theirs = mirror(repo)
        try:
            head = theirs.fetch(f"refs/heads/{branch}", "peer")
            text = theirs.file(head, DECLARATION, most=MAX_BYTES) or b""
            yield read_agent(agent, text.decode("utf-8"))
        except TooLarge:
            continue
        except GitError as error:
            raise Unavailable(f"the configuration of {agent} cannot be fetched: {error}") from error
        except ValueError:  # BadYaml, and bytes that are no text
            continue
