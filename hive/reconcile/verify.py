"""May the host believe that operators approved a branch's head by merging? The rule alone. Performs no I/O.

`merged_by` can be forged on Forgejo 10, 17 and Gitea 1.26: with the detection of manual merges
on, a writer pushes a merge commit that bears an operator's address, and the forge calls it the
operator's merge. What cannot be forged short of the forge's database is the activity feed's row
of who moved the branch from where to where; that row, and git, decide.
"""

from __future__ import annotations

from dataclasses import dataclass, field

LATE = frozenset({"no push record", "direct push", "not a merge"})
"""Refusals that may be caused by a delay of the forge: its feed comes up to 4 s after the push."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What the host has pinned; nothing in it comes from the repository or from a payload."""

    repo_id: int
    operators: frozenset[int]
    branch: str = "main"
    max_steps: int = 50
    max_commits: int = 2000


@dataclass(frozen=True, slots=True)
class Approval:
    """The pull request that claims a movement; `head` is `refs/pull/N/head` as git fetched it."""

    number: int
    base: str
    base_repo_id: int
    merged_by: int
    head: str
    pushed_after_schedule: bool = False


@dataclass(frozen=True, slots=True)
class Movement:
    """One movement of the branch by the feed; `expected_tree` is that of our own merge, None on conflict."""

    old: str
    new: str
    actor: int
    approval: Approval | None = None
    tree: str = ""
    expected_tree: str | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """All facts that the rule needs, as far as they were worth reading."""

    last: str
    head: str = ""
    tree: str = ""
    repo_id: int = 0
    frozen: bool = False
    default_branch: str = ""
    descends: bool = True
    commits: int = 0
    complete: bool = False
    """Whether the movements lead from `last` to `head` without a gap."""

    movements: tuple[Movement, ...] = ()
    strays: tuple[str, ...] = ()
    protected: bool = False
    protection_faults: tuple[str, ...] = ()
    bad_entries: tuple[str, ...] = ()
    proposals: dict[str, frozenset[str]] = field(default_factory=dict)
    """Heads pinned while their pull request was open, and the trees evaluated for each."""

    cursor: int = 0


@dataclass(frozen=True, slots=True)
class Accepted:
    """The head is approved by the merges of these pull requests. `evaluated`: exactly this tree was."""

    sha: str
    pulls: tuple[int, ...]
    evaluated: bool
    cursor: int


@dataclass(frozen=True, slots=True)
class Rejected:
    """The head is not approved."""

    reason: str
    detail: str = ""

    @property
    def late(self) -> bool:
        """Whether waiting may change it."""
        return self.reason in LATE


def decide(facts: Facts, policy: Policy) -> Accepted | Rejected:
    """The first thing that is wrong, or the approval."""
    rules = [
        (facts.repo_id != policy.repo_id, "repository replaced", f"its id is {facts.repo_id}"),
        (facts.frozen, "archived or a mirror", ""),
        (facts.default_branch != policy.branch, "default branch changed", facts.default_branch),
        (not facts.descends, "history rewritten", "the head does not descend from what was accepted last"),
        (bool(facts.strays), "history rewritten", ", ".join(facts.strays)),
        (facts.commits > policy.max_commits, "too much at once", f"{facts.commits} commits"),
        (len(facts.movements) > policy.max_steps, "too much at once", f"{len(facts.movements)} merges"),
        (not facts.complete, "no push record", "the feed does not lead from the last accepted commit to the head"),
    ]
    for movement in facts.movements:
        why = doubt(movement, facts, policy)
        number = f", #{movement.approval.number}" if movement.approval else ""
        rules.append((bool(why), why, f"{movement.new[:10]} by user {movement.actor}{number}"))
    rules += [
        (not facts.protected, "protection missing", ""),
        (bool(facts.protection_faults), "protection missing", ", ".join(facts.protection_faults)),
        (bool(facts.bad_entries), "bad tree", ", ".join(facts.bad_entries[:3])),
    ]
    for wrong, reason, detail in rules:
        if wrong:
            return Rejected(reason, detail)
    pulls = tuple(movement.approval.number for movement in facts.movements if movement.approval)
    evaluated = any(facts.tree in trees for trees in facts.proposals.values())
    return Accepted(facts.head, pulls, evaluated, facts.cursor)


def doubt(movement: Movement, facts: Facts, policy: Policy) -> str:
    """Why a movement of the branch is no approval; empty when it is one."""
    approval = movement.approval
    if approval is None:
        return "not a merge" if movement.actor in policy.operators else "direct push"
    rules = [
        (approval.base != policy.branch or approval.base_repo_id != policy.repo_id, "merged elsewhere"),
        (approval.merged_by != movement.actor, "merged_by is not who pushed"),
        (movement.actor not in policy.operators, "not an operator"),
        (approval.head not in facts.proposals, "head not reviewed"),
        (approval.pushed_after_schedule, "pushed after the merge was scheduled"),
        (movement.tree != movement.expected_tree, "result is not the merge"),
    ]
    return next((why for wrong, why in rules if wrong), "")
