"""The two looks that a bot may ask for: analysers over a change, and what a configuration would become.

Both fetch with git what the pull request's number stands for, and refuse to speak about another
head than the one they were asked about. Nothing of the change is run.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from bots.models import Evaluation, Scan
from forge.diff import DiffTooLarge, added_lines, parse
from forge.models import PullRequest, Repo
from forge.protocol import Unavailable
from hive.config import PACKAGES_PATH, Limits, read_agent
from hive.git_mirror.mirror import GitError, GitInterrupted, Mirror, TooLarge, TreeLimits
from hive.reconcile.build import DECLARATION, MAX_BYTES, UNIQUE_ROLES, BuildFailed, KnownNames, Plan, changes, plan
from hive.reconcile.evidence import bad_entries
from hive.scan import analyse

MirrorOf = Callable[[Repo], Mirror]
SCANNED = TreeLimits(files=2_000, total_bytes=64 << 20)


@dataclass(frozen=True, slots=True)
class PullScanner:
    """Runs the analysers over the files of a pull request's head."""

    mirror: MirrorOf
    bounds: TreeLimits = SCANNED

    def scan(self, pull: PullRequest) -> Scan:
        """Look at the lines that a pull request adds; raises Unavailable if it has to be looked at again."""
        try:
            mirror = self.mirror(pull.ref.repo)
            base = fetch(mirror, pull)
            forked_at = mirror.merge_base(base, pull.head_sha)
            changed = added_lines(parse(mirror.diff(forked_at, pull.head_sha)))
            with tempfile.TemporaryDirectory(prefix="hive-scan-") as root:
                mirror.write_out(pull.head_sha, Path(root), frozenset(changed), bounds=self.bounds)
                return replace(analyse(Path(root), changed, pull.head_sha), base_sha=forked_at)
        except GitInterrupted as error:
            raise Unavailable(f"{pull.ref} cannot be looked at now: {error}") from error
        except (TooLarge, DiffTooLarge) as error:
            return Scan(pull.head_sha, failed=(("change", f"is larger than what can be looked at: {error}"),))
        except (GitError, ValueError) as error:
            return Scan(pull.head_sha, failed=(("git", str(error)),))


@dataclass(frozen=True, slots=True)
class ConfigEvaluator:
    """Plans the merge result of a configuration pull request; `known` is what the agent's declaration may name."""

    mirror: MirrorOf
    limits: Limits
    packages_path: tuple[str, ...] = PACKAGES_PATH
    known: Callable[[str], KnownNames | None] = lambda _: None

    def evaluate(self, pull: PullRequest, agent: str) -> Evaluation:
        """What merging would mean; raises Unavailable if it has to be looked at again."""
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
            new = self._plan(mirror, agent, tree, self.known(agent))
        except BuildFailed as error:
            return Evaluation(pull.head_sha, tree, error.problems)
        return Evaluation(pull.head_sha, tree, changes=changes(self._old(mirror, agent, base), new))

    def _old(self, mirror: Mirror, agent: str, base: str) -> Plan | None:
        try:
            return self._plan(mirror, agent, base, None)
        except BuildFailed:  # a base that does not build is what this change may be there to mend
            return None

    def _plan(self, mirror: Mirror, agent: str, tree: str, known: KnownNames | None) -> Plan:
        return plan(agent, mirror, tree, self.limits, packages_path=self.packages_path, known=known)


def holders(mirror: MirrorOf, others: Iterable[tuple[str, Repo, str]]) -> dict[str, str]:
    """Which of other agents (name, configuration, branch) has a role that one agent has at the most.

    By what their operators merged last. Raises Unavailable if a configuration cannot be fetched; one that cannot be
    read has no role.
    """
    found: dict[str, str] = {}
    for agent, repo, branch in others:
        theirs = mirror(repo)
        try:
            head = theirs.fetch(f"refs/heads/{branch}", "peer")
            text = theirs.file(head, DECLARATION, most=MAX_BYTES) or b""
            role = read_agent(agent, text.decode("utf-8")).role
        except TooLarge:
            continue
        except GitError as error:
            raise Unavailable(f"the configuration of {agent} cannot be fetched: {error}") from error
        except ValueError:  # BadYaml, and bytes that are no text
            continue
        if role in UNIQUE_ROLES:
            found.setdefault(role.value, agent)
    return found


def fetch(mirror: Mirror, pull: PullRequest) -> str:
    """Fetch head and base of a pull request; returns the base branch's commit.

    Raises Unavailable if the head moved meanwhile, and GitFailed as it is: whoever looks says what cannot be fetched.
    """
    number = pull.ref.number
    head = mirror.fetch(f"refs/pull/{number}/head", f"pull/{number}/head")
    if head != pull.head_sha:
        raise Unavailable(f"{pull.ref} moved from {pull.head_sha[:7]} to {head[:7]} while it was looked at")
    return mirror.fetch(f"refs/heads/{pull.base_branch}", f"pull/{number}/base")
