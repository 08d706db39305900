"""A bot: handlers for events, plus the intents it was granted. Performs no I/O."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any, Protocol, TypeVar

from bots.classification import Classifier
from bots.configurations import ConfigurationView, Evaluation, TombstoneView
from bots.intents import Intent
from bots.issue_terms import IssueTerms, SimilarIssue, TriageNote
from bots.model_review import ModelReview, ReviewTask
from bots.models import Scan, Team
from bots.queued_issue import QueuedIssue
from bots.review_policy import ReviewPolicy
from bots.review_rounds import FollowedLines, LinePlace, ReviewRound
from bots.views import BudgetView, FindingView, QuestionView, RunStatus, RunView, VerdictView
from forge.events import Event
from forge.models import PullRequest, Ref
from forge.protocol import Reader

E = TypeVar("E", bound=Event)
Handler = Callable[[E, "Context"], Iterable[Intent]]


BOT_NAME = re.compile(r"[a-z][a-z0-9-]{0,31}")
OWN_NAMES = frozenset(
    {"agents", "hive", "host", "labels", "outbound", "progress", "questions", "refresh", "rest", "run"}
)
"""Names under which parts of the hive want things: a bot of that name would meet their keys."""

AGENTS = "agents"
"""The name under which a bot listens to all agents of its team."""


class NotGranted(Exception):
    """A bot wanted something that it was not granted: a fault of the bot, nothing is done."""


class KeyClash(Exception):
    """A bot wanted two things of one kind under one key: a fault of the bot, nothing is done."""


class Scanner(Protocol):
    """Static analysis of a pull request's head, and what git knows of its lines."""

    def policy(self, pull: PullRequest) -> ReviewPolicy:
        """What the base branch says about reviews."""

    def scan(self, pull: PullRequest) -> Scan:
        """Look at the lines that the pull request adds."""

    def contexts(self, pull: PullRequest, places: tuple[LinePlace, ...]) -> tuple[str, ...]:
        """A digest of each line of the head with its neighbours; empty where it cannot be read."""

    def follow(
        self, pull: PullRequest, since: str, then: tuple[LinePlace, ...], now: tuple[LinePlace, ...]
    ) -> FollowedLines | None:
        """Where lines of the reviewed head `since` are, and which lines of the head are new; None if that cannot be known."""

    def keep(self, pull: PullRequest, number: int) -> bool:
        """Keep the head as that of a round, so that its lines can be followed after a push that replaces it."""


class Reviewer(Protocol):
    """A model that reads pull requests. What it says is admitted by code; it decides nothing."""

    def review(self, pull: PullRequest, task: ReviewTask) -> ModelReview:
        """Let it read what a pull request brings; a model that does not answer is a review that failed."""


class Evaluator(Protocol):
    """Evaluates what a change of an agent's configuration would do, without doing it."""

    def evaluate(self, pull: PullRequest, agent: str) -> Evaluation:
        """Check the merge result of a configuration pull request."""

    def evaluate_roster(self, pull: PullRequest) -> Evaluation:
        """Check the merge result of a pull request on the roster."""


class History(Protocol):
    """What the hive remembers that a bot may ask for."""

    def run_for(self, ref: Ref) -> RunView | None:
        """The newest run whose issue or pull request is `ref`."""

    def question(self, run: int) -> QuestionView | None:
        """The question whose answer a run waits for."""

    def verdict(self, ref: Ref, context: str) -> VerdictView | None:
        """The last verdict of a pull request for a status context."""

    def status(self, ref: Ref) -> RunStatus | None:
        """How the newest run stands whose issue or pull request is `ref`, or that waits for it."""

    def findings(self, ref: Ref) -> tuple[FindingView, ...]:
        """The open findings of the review of a pull request, by number."""

    def review(self, ref: Ref) -> ReviewRound | None:
        """The last round of a pull request's review, with what was dismissed since; None before the first."""

    def budget(self, ref: Ref) -> BudgetView | None:
        """What the newest run of a thread has spent, and all that it counts for."""

    def configuration(self, agent: str, ref: Ref) -> ConfigurationView:
        """How an agent's configuration stands, and the heads of a pull request on it that were evaluated."""

    def tombstone(self, agent: str) -> TombstoneView | None:
        """How an agent was destroyed; None if it was not."""

    def queue_of(self, agent: str, most: int) -> tuple[int, tuple[QueuedIssue, ...]]:
        """How many issues an agent may be given, if it may have `most` open (0: no limit), and those that wait for it."""

    def triage_note(self, ref: Ref) -> TriageNote | None:
        """What triage has said on an issue; None if nothing."""

    def similar_issues(self, ref: Ref, terms: IssueTerms) -> tuple[SimilarIssue, ...]:
        """Issues of the same repository that are most like one with these terms, best first."""

    def queued_agents(self, team: str) -> tuple[str, ...]:
        """The agents of a team for whom issues wait."""

    def suspension_reasons(self, agent: str) -> tuple[str, ...]:
        """Why an agent is suspended, as sentences; empty if it is not."""


@dataclass(frozen=True, slots=True)
class Context:
    """All that a bot can see; without a `reviewer` no model reads pull requests."""

    forge: Reader
    team: Team
    scanner: Scanner
    evaluator: Evaluator
    history: History
    classifier: Classifier
    now: datetime
    reviewer: Reviewer | None = None


class Where(Enum):
    """The repositories whose events reach a bot."""

    TEAMS = "those of the team"
    OWN = "those of the hive itself"
    BOTH = "all"


class Bot:
    """A name, the intents it may yield, and a handler for each type of event.

    Events caused by machines of the hive reach it only if `listens_to_bots` names them: accounts by
    the name of a bot that acts as them, and AGENTS. So bots answer one another only where it is meant. What a handler names
    beside that reaches it for its own type of event alone.
    `verdict` is the context of the commit status that holds its verdict; a bot with one must give a verdict on every head.
    `where` says in which repositories events reach it: only `core` can read the hive's own.
    Raises ValueError for an invalid name, and for one that a part of the hive uses itself.
    """

    def __init__(
        self,
        name: str,
        may: Iterable[type[Intent]],
        *,
        listens_to_bots: Iterable[str] = (),
        verdict: str = "",
        where: Where = Where.TEAMS,
    ) -> None:
        if not BOT_NAME.fullmatch(name) or name in OWN_NAMES:
            raise ValueError(f"{name!r} is no name for a bot: small letters, digits and -, none of {sorted(OWN_NAMES)}")
        self.name = name
        self.may = frozenset(may)
        self.listens_to_bots = frozenset(listens_to_bots)
        self.verdict = verdict
        self.where = where
        self._handlers: dict[type[Event], Handler[Any]] = {}
        self._listens: dict[type[Event], frozenset[str]] = {}

    @property
    def events(self) -> frozenset[type[Event]]:
        """The types of event that this bot handles."""
        return frozenset(self._handlers)

    def listens_to(self, event: type[Event]) -> frozenset[str]:
        """The machines whose events of a type reach this bot."""
        return self.listens_to_bots | self._listens.get(event, frozenset())

    def on(self, event: type[E], *, listens_to_bots: Iterable[str] = ()) -> Callable[[Handler[E]], Handler[E]]:
        """Register a handler; a bot has one for each type of event."""

        def register(handler: Handler[E]) -> Handler[E]:
            if event in self._handlers:
                raise ValueError(f"bot {self.name} handles {event.__name__} twice")
            self._handlers[event] = handler
            self._listens[event] = frozenset(listens_to_bots)
            return handler

        return register

    def handle(self, event: Event, ctx: Context) -> list[Intent]:
        """Handle an event and return the intents, each once.

        Raises NotGranted, KeyClash and anything that a read raises.
        """
        handler = self._handlers.get(type(event))
        wanted: dict[tuple[type[Intent], str], Intent] = {}
        for intent in () if handler is None else handler(event, ctx):
            if type(intent) not in self.may:
                raise NotGranted(f"bot {self.name} may not {type(intent).__name__}")
            if wanted.setdefault((type(intent), intent.key), intent) != intent:
                raise KeyClash(
                    f"bot {self.name} wants two different {type(intent).__name__} under the key {intent.key!r}"
                )
        return list(wanted.values())
