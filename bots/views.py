"""What a bot may know of findings, verdicts, runs, questions and spending, as the ledger holds them. Performs no I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from forge.models import Ref


@dataclass(frozen=True, slots=True)
class FindingView:
    """A finding of a pull request's last review, as people name it: `number` counts from 1, `was` is its line then."""

    number: int
    path: str
    line: int
    title: str
    was: str = ""
    suggestion: str | None = None


@dataclass(frozen=True, slots=True)
class VerdictView:
    """The last verdict of a pull request: its head, its base, and what was reviewed (`scope`)."""

    head_sha: str
    base: str
    base_sha: str
    scope: str = ""


@dataclass(frozen=True, slots=True)
class RunStatus:
    """The state of a run, for people.

    `turn` is the number of its oldest open turn, 0 without one; `is_held` is whether its agent works on it. `since` is when
    this state started, `blocked` why it waits for an operator, `waits_for` a pull request on a configuration.
    """

    id: int
    agent: str
    is_open: bool
    outcome: str
    since: datetime
    turn: int = 0
    is_held: bool = False
    pull: Ref | None = None
    waits_for: Ref | None = None
    blocked: str = ""
    tokens_in: int = 0
    tokens_out: int = 0
    cost: int = 0
    """What it has cost, in billionths of a dollar."""

    held_up: str = ""
    """Why its turns wait with those of their repository, while its agent may work elsewhere."""


@dataclass(frozen=True, slots=True)
class QuestionView:
    """The question that a run waits with, in the comment of that id; `addressee` may answer beside the operators (0: nobody)."""

    id: int
    text: str
    options: tuple[str, ...]
    addressee: int
    comment: int


@dataclass(frozen=True, slots=True)
class RunView:
    """What a bot may know of an agent's run; `wake` is what it was woken by, empty for an assignment."""

    id: int
    agent: str
    issue: Ref
    state: str
    pull: Ref | None = None
    bot_turns: int = 0
    """Turns in a row that no person caused."""

    causes: frozenset[str] = field(default_factory=frozenset)
    wake: str = ""
    is_urgent: bool = False


@dataclass(frozen=True, slots=True)
class CapView:
    """What was spent in a scope (`run`, `issue`, `agent`, `repo`, `team`) and period (``, `day`, `month`), and its cap.

    Amounts are billionths of a dollar; `cap` includes what operators added, and is None without a limit.
    """

    scope: str
    period: str
    spent: int
    cap: int | None


@dataclass(frozen=True, slots=True)
class BudgetView:
    """The newest run of a thread, and the spending that counts for it."""

    run: int
    agent: str
    caps: tuple[CapView, ...] = ()
