"""A forge that stands still, and the context of a bot around it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeVar

import pytest

from bots.bot import Context
from bots.classification import DecidedBy, Guess
from bots.configurations import ConfigurationView, Evaluation, TombstoneView
from bots.issue_terms import IssueTerms, SimilarIssue, TriageNote
from bots.models import IssueKind, Lane, Scan, Team
from bots.queued_issue import QueuedIssue
from bots.review_policy import DEFAULT_POLICY, ReviewPolicy
from bots.review_rounds import FollowedLines, LinePlace, ReviewRound
from bots.views import BudgetView, FindingView, QuestionView, RunStatus, RunView, VerdictView
from forge.issue_templates import IssueTemplate
from forge.models import (
    Branch,
    Comment,
    CommitStatus,
    FileChange,
    Issue,
    Protection,
    PullRequest,
    Push,
    Reaction,
    Ref,
    Repo,
    Repository,
    Review,
    ReviewComment,
    TimelineEvent,
    User,
)
from forge.protocol import Capabilities, NotFound

T = TypeVar("T")
NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
APP = Repo("forgejo", "acme", "app")
CONFIG = Repo("forgejo", "agent-configs", "iris")
OWN = (Repo("forgejo", "hive", "meta"), Repo("forgejo", "hive", "ops"))
MARA = User(1, "mara")
IRIS = User(2, "iris")
ARGUS = User(3, "argus")
CORE = User(4, "core")
EVE = User(66, "eve")


@dataclass
class StillForge:
    """Answers from what a test put there; everything else is not found."""

    issues: dict[Ref, Issue] = field(default_factory=dict)
    pulls: dict[Ref, PullRequest] = field(default_factory=dict)
    said: dict[Ref, list[Comment]] = field(default_factory=dict)
    rows: dict[Ref, list[TimelineEvent]] = field(default_factory=dict)
    reviewed: dict[Ref, list[Review]] = field(default_factory=dict)
    remarks: dict[int, list[ReviewComment]] = field(default_factory=dict)
    empty: set[Repo] = field(default_factory=set)
    states: dict[str, list[CommitStatus]] = field(default_factory=dict)
    blocked: set[Ref] = field(default_factory=set)
    moods: dict[int, list[Reaction]] = field(default_factory=dict)
    templates: list[IssueTemplate] = field(default_factory=list)
    changed: dict[Ref, list[FileChange]] = field(default_factory=dict)
    contents: dict[tuple[str, str], bytes] = field(default_factory=dict)
    users: dict[str, User] = field(default_factory=dict)

    def issue_templates(self, repo: Repo) -> list[IssueTemplate]:
        """The templates that are there."""
        return self.templates

    def reactions(self, ref: Ref, comment_id: int = 0) -> list[Reaction]:
        """The reactions that are there."""
        return self.moods.get(comment_id, [])

    def issue(self, ref: Ref) -> Issue:
        """An issue that is there."""
        return _found(self.issues, ref)

    def pull(self, ref: Ref) -> PullRequest:
        """A pull request that is there."""
        return _found(self.pulls, ref)

    def sees_subjects(self, repo: Repo) -> bool:
        """All."""
        return True

    def comments(self, ref: Ref) -> list[Comment]:
        """The comments that are there."""
        return self.said.get(ref, [])

    def comment_by_id(self, ref: Ref, comment_id: int) -> Comment:
        """A comment that is there."""
        return _found({comment.ref: comment for comment in self.comments(ref) if comment.id == comment_id}, ref)

    def is_blocked(self, ref: Ref) -> bool:
        """What the test says."""
        return ref in self.blocked

    def timeline(self, ref: Ref) -> list[TimelineEvent]:
        """The rows that are there."""
        return self.rows.get(ref, [])

    def reviews(self, ref: Ref) -> list[Review]:
        """The reviews that are there."""
        return self.reviewed.get(ref, [])

    def review_comments(self, ref: Ref, review_id: int) -> list[ReviewComment]:
        """The remarks that are there."""
        return self.remarks.get(review_id, [])

    def capabilities(self) -> Capabilities:
        """A forge of no kind."""
        return Capabilities("still", "0")

    def user(self, login: str) -> User:
        """An account that a test put there."""
        if login not in self.users:
            raise NotFound(login)
        return self.users[login]

    def repository(self, repo: Repo) -> Repository:
        """One that holds something, unless a test says otherwise."""
        return Repository(1, repo, "main", archived=False, mirror=False, empty=repo in self.empty, private=True)

    def repositories(self, owner: str) -> list[Repository]:
        """No repositories."""
        return []

    def branch(self, repo: Repo, name: str) -> Branch:
        """No branch."""
        raise NotFound(name)

    def protection_of(self, repo: Repo, branch: Branch) -> Protection | None:
        """No rule."""
        return None

    def file(self, repo: Repo, path: str, at: str) -> bytes:
        """A file that a test put there, by path and branch."""
        if (path, at) not in self.contents:
            raise NotFound(path)
        return self.contents[path, at]

    def open_pulls(self, repo: Repo, *, head: str = "", base: str = "") -> list[PullRequest]:
        """The pull requests that are there."""
        return [pull for pull in self.pulls.values() if pull.is_open and pull.ref.repo == repo]

    def pull_of(self, repo: Repo, sha: str) -> PullRequest | None:
        """None."""
        return None

    def files(self, ref: Ref) -> list[FileChange]:
        """The files that a test put there."""
        return self.changed.get(ref, [])

    def diff(self, ref: Ref) -> str:
        """No difference."""
        return ""

    def statuses(self, repo: Repo, sha: str) -> list[CommitStatus]:
        """The statuses that are there."""
        return self.states.get(sha, [])

    def pushes(self, repo: Repo, branch: str, after: int) -> list[Push]:
        """No pushes."""
        return []


@dataclass
class Still:
    """A scanner, an evaluator and a history that say what they were told to."""

    evaluation: Evaluation | None = None
    runs: dict[Ref, RunView] = field(default_factory=dict)
    questions: dict[int, QuestionView] = field(default_factory=dict)
    verdicts: dict[tuple[Ref, str], VerdictView] = field(default_factory=dict)
    statuses: dict[Ref, RunStatus] = field(default_factory=dict)
    rests: dict[str, tuple[str, ...]] = field(default_factory=dict)
    budgets: dict[Ref, BudgetView] = field(default_factory=dict)
    found: dict[Ref, tuple[FindingView, ...]] = field(default_factory=dict)
    configurations: dict[str, ConfigurationView] = field(default_factory=dict)
    tombstones: dict[str, TombstoneView] = field(default_factory=dict)
    roster: Evaluation | None = None
    queues: dict[str, tuple[int, tuple[QueuedIssue, ...]]] = field(default_factory=dict)
    rounds: dict[Ref, ReviewRound] = field(default_factory=dict)
    notes: dict[Ref, TriageNote] = field(default_factory=dict)
    alike: list[SimilarIssue] = field(default_factory=list)
    guessed: Guess = field(default_factory=lambda: Guess("bug", 0.4, DecidedBy.PRIOR, speaks=False))

    def guess(self, repo: Repo, title: str, body: str) -> Guess:
        """The guess that a test put there; one that is not sure by itself."""
        return self.guessed

    def triage_note(self, ref: Ref) -> TriageNote | None:
        """What the test says."""
        return self.notes.get(ref)

    def similar_issues(self, ref: Ref, terms: IssueTerms) -> tuple[SimilarIssue, ...]:
        """What the test says."""
        return tuple(self.alike)

    def policy(self, pull: PullRequest) -> ReviewPolicy:
        """Nothing special."""
        return DEFAULT_POLICY

    def contexts(self, pull: PullRequest, places: tuple[LinePlace, ...]) -> tuple[str, ...]:
        """Each place is its own."""
        return tuple(f"{place.path}:{place.line}" for place in places)

    def follow(
        self, pull: PullRequest, since: str, then: tuple[LinePlace, ...], now: tuple[LinePlace, ...]
    ) -> FollowedLines | None:
        """Nobody knows."""
        return None

    def keep(self, pull: PullRequest, number: int) -> bool:
        """Nothing is kept."""
        return False

    def scan(self, pull: PullRequest) -> Scan:
        """Nothing was found."""
        return Scan(pull.head_sha)

    def evaluate(self, pull: PullRequest, agent: str) -> Evaluation:
        """What the test says."""
        assert self.evaluation is not None
        return self.evaluation

    def evaluate_roster(self, pull: PullRequest) -> Evaluation:
        """What the test says."""
        assert self.roster is not None
        return self.roster

    def run_for(self, ref: Ref) -> RunView | None:
        """What the test says."""
        return self.runs.get(ref)

    def question(self, run: int) -> QuestionView | None:
        """What the test says."""
        return self.questions.get(run)

    def verdict(self, ref: Ref, context: str) -> VerdictView | None:
        """What the test says."""
        return self.verdicts.get((ref, context))

    def status(self, ref: Ref) -> RunStatus | None:
        """What the test says."""
        return self.statuses.get(ref)

    def findings(self, ref: Ref) -> tuple[FindingView, ...]:
        """What the test says."""
        return self.found.get(ref, ())

    def review(self, ref: Ref) -> ReviewRound | None:
        """What the test says."""
        return self.rounds.get(ref)

    def budget(self, ref: Ref) -> BudgetView | None:
        """What the test says."""
        return self.budgets.get(ref)

    def configuration(self, agent: str, ref: Ref) -> ConfigurationView:
        """What the test says."""
        return self.configurations.get(agent, ConfigurationView())

    def tombstone(self, agent: str) -> TombstoneView | None:
        """What the test says."""
        return self.tombstones.get(agent)

    def queue_of(self, agent: str, most: int) -> tuple[int, tuple[QueuedIssue, ...]]:
        """What the test says."""
        return self.queues.get(agent, (0, ()))

    def queued_agents(self, team: str) -> tuple[str, ...]:
        """Those with a queue."""
        return tuple(sorted(self.queues))

    def suspension_reasons(self, agent: str) -> tuple[str, ...]:
        """What the test says."""
        return self.rests.get(agent, ())


@pytest.fixture
def forge() -> StillForge:
    """An empty forge."""
    return StillForge()


@pytest.fixture
def still() -> Still:
    """Nothing to say yet."""
    return Still()


@pytest.fixture
def ctx(forge: StillForge, still: Still) -> Context:
    """What a bot of the team acme sees."""
    team = Team(
        name="acme",
        operators=frozenset({MARA.id}),
        agents={"iris": IRIS},
        accounts={"core": CORE, "review": ARGUS},
        lanes=(
            Lane("app", "iris", "area/app", ("page", "hive"), ("apiary/*",)),
            Lane("nix", "iris", "area/nix", ("flake",), ("*.nix",)),
        ),
        kinds=(IssueKind("type/bug", ("wrong", "0")), IssueKind("type/task")),
        repos=frozenset({APP}),
        configs={CONFIG: "iris"},
        operator_logins=("mara",),
    )
    return Context(forge, team, still, still, still, still, NOON)


def issue(number: int = 1, *, title: str = "A page is wrong", body: str = "", **more: object) -> Issue:
    """An open issue of mara's."""
    facts: dict[str, object] = {
        "ref": Ref(APP, number), "title": title, "body": body, "author": MARA, "is_open": True, "is_pull": False,
        "labels": (), "assignees": (), "created_at": NOON, "updated_at": NOON, **more,
    }  # fmt: skip
    return Issue(**facts)  # type: ignore[arg-type]  # a test says what differs


def pull(number: int = 2, *, repo: Repo = APP, **more: object) -> PullRequest:
    """An open pull request of iris'."""
    facts: dict[str, object] = {
        "ref": Ref(repo, number), "title": "Mend it", "body": "Closes #1", "author": IRIS, "is_open": True,
        "draft": False, "head_repo": repo, "head_branch": "agent/iris/issue-1", "head_sha": "a" * 40,
        "base_branch": "main", "base_sha": "b" * 40, "base_repo_id": 7, "labels": (), "assignees": (),
        "mergeable": True, "merged": False, "merged_by": None, "merge_sha": None, "html_url": "", "updated_at": NOON,
        **more,
    }  # fmt: skip
    return PullRequest(**facts)  # type: ignore[arg-type]  # a test says what differs


def _found(things: Mapping[Ref, T], ref: Ref) -> T:
    if ref not in things:
        raise NotFound(str(ref))
    return things[ref]
