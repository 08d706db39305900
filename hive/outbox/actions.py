"""Actions: the intents of bots, and the few that only a run or the host has. Frozen. Performs no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bots.intents import Intent
from forge.conversation import Conversation
from forge.models import Ref, Repo
from forge.wire_names import WireNamed, by_wire_name
from hive.outbox.pull_report import PullReport


@dataclass(frozen=True, slots=True)
class OpenPull(WireNamed, wire="open_pull_request"):
    """Open a pull request for a run's branch, or bring it up to date; `proposes` marks a change of the agent's configuration.

    A `report` takes the place of `body`: its text is composed when it is posted.
    """

    run: int
    repo: Repo
    head: str
    base: str
    title: str
    body: str
    proposes: bool
    key: str
    is_draft: bool = False
    report: PullReport | None = None


@dataclass(frozen=True, slots=True)
class EditPull(WireNamed, wire="edit_pull_request"):
    """Change the title or the body of a run's pull request; None leaves it."""

    ref: Ref
    title: str | None
    body: str | None
    key: str


@dataclass(frozen=True, slots=True)
class AskQuestion(WireNamed, wire="ask_question"):
    """Ask people something on a run's thread; the run waits for the answer, `seconds` at most.

    `to_author` is whether the author of the run's issue may answer beside the operators.
    """

    ref: Ref
    run: int
    turn: int
    question: str
    options: tuple[str, ...]
    seconds: int
    to_author: bool
    key: str


@dataclass(frozen=True, slots=True)
class PostAnswer(WireNamed, wire="post_answer"):
    """Post what a run says, on its thread or in the conversation on a line that it answers."""

    ref: Ref
    body: str
    key: str
    to: Conversation | None = None


@dataclass(frozen=True, slots=True)
class ShowProgress(WireNamed, wire="show_progress"):
    """Show a run as it stands when this is performed, in its one comment on `ref`."""

    ref: Ref
    run: int
    key: str


@dataclass(frozen=True, slots=True)
class ResolveFixedConversations(WireNamed, wire="resolve_conversations"):
    """Resolve the conversations of a run's pull request whose lines it has changed."""

    run: int
    ref: Ref
    key: str


@dataclass(frozen=True, slots=True)
class CreateTag(WireNamed, wire="create_tag"):
    """Create an annotated tag on a commit."""

    repo: Repo
    name: str
    sha: str
    message: str
    key: str


@dataclass(frozen=True, slots=True)
class CommitFile(WireNamed, wire="commit_file"):
    """Commit a file of the hive's own repository; a missing branch is created from `start`, if that is given."""

    repo: Repo
    path: str
    content: str
    message: str
    branch: str
    key: str
    start: str = ""


@dataclass(frozen=True, slots=True)
class ProposeSuppression(WireNamed, wire="propose_suppression"):
    """Open a pull request that suppresses a rule of the review in files that match `path`; `why` stands in the file, `body` in it."""

    repo: Repo
    rule: str
    path: str
    why: str
    title: str
    body: str
    key: str


@dataclass(frozen=True, slots=True)
class WithdrawReverts(WireNamed, wire="withdraw_reverts"):
    """Close the hive's open proposals to undo a commit of a configuration, other than of `sha`, which runs by now."""

    repo: Repo
    agent: str
    sha: str
    key: str


@dataclass(frozen=True, slots=True)
class ShowCascade(WireNamed, wire="show_cascade"):
    """Show how far the rebuild of all containers is when this is performed, in its one comment on `ref`."""

    ref: Ref
    cascade: int
    key: str


@dataclass(frozen=True, slots=True)
class ProposeBaseUpdate(WireNamed, wire="propose_base_update"):
    """Open a pull request on the base that says what its packages are on this host: `lock`, by package."""

    repo: Repo
    lock: tuple[tuple[str, str], ...]
    key: str


@dataclass(frozen=True, slots=True)
class ShowAgentStatus(WireNamed, wire="show_agent_status"):
    """Show how an agent stands when this is performed, in its one issue in `repo`."""

    repo: Repo
    agent: str
    key: str


@dataclass(frozen=True, slots=True)
class AddToIssue(WireNamed, wire="add_to_issue"):
    """Comment on the issue that was opened under the key `opened`, and close it if `closes`."""

    repo: Repo
    opened: str
    body: str
    closes: bool
    key: str


Action = (
    Intent
    | OpenPull
    | EditPull
    | AskQuestion
    | PostAnswer
    | ShowProgress
    | ResolveFixedConversations
    | CreateTag
    | CommitFile
    | ProposeSuppression
    | WithdrawReverts
    | ShowCascade
    | ProposeBaseUpdate
    | ShowAgentStatus
    | AddToIssue
)
HOST_ACTIONS = (
    OpenPull,
    EditPull,
    AskQuestion,
    PostAnswer,
    ShowProgress,
    ResolveFixedConversations,
    CreateTag,
    CommitFile,
    ProposeSuppression,
    WithdrawReverts,
    ShowCascade,
    ProposeBaseUpdate,
    ShowAgentStatus,
    AddToIssue,
)
"""Actions that no bot has."""

ACTIONS: Mapping[str, type[Any]] = by_wire_name((*Intent.__args__, *HOST_ACTIONS))
"""Every kind by its wire name, as stored in `effects.kind`."""


def repo_of(action: Action) -> Repo:
    """The repository of an action; raises ValueError for one that changes the ledger only."""
    return Repo.parse(subject_of(action).partition("#")[0])


def subject_of(action: Action) -> str:
    """What an action is about: an issue or pull request, else a repository, else `run:<id>`."""
    for name in ("ref", "repo"):
        subject = getattr(action, name, None)
        if subject is not None:
            return str(subject)
    return f"run:{getattr(action, 'run')}"  # noqa: B009  only actions on a run have neither
