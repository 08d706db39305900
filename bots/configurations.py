"""What bots know of configurations and of agents that come and go: frozen nouns. Performs no I/O."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PolicyPoint:
    """One question of the checklist for a change of a configuration; `notes` are what an operator should look at."""

    question: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What a change of an agent's configuration would do, evaluated before it is merged.

    `tree` is the git tree of the evaluated merge result; `problems` are sentences with
    `file:line:column`, none if the change may be merged; `changes` are sentences for people.
    """

    head_sha: str
    tree: str
    problems: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    policy: tuple[PolicyPoint, ...] = ()


@dataclass(frozen=True, slots=True)
class ConfigurationView:
    """How an agent's configuration stands: the commit that runs (empty for none), and the heads of one pull request, oldest first.

    `pulls` are those that brought the commit of `last`, the newest deployment, `failed` is whether that did not run, and
    `waits` whether it has not begun. `suspended` says by whom deployments are suspended; empty if they are not.
    """

    running: str = ""
    heads: tuple[str, ...] = ()
    last: str = ""
    pulls: tuple[int, ...] = ()
    failed: bool = False
    waits: bool = False
    suspended: str = ""


@dataclass(frozen=True, slots=True)
class TombstoneView:
    """An agent that was destroyed, and whether a first comment wants what it left to be deleted."""

    agent: str
    is_purge_asked: bool = False
