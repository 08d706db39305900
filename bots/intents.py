"""What a bot can want: frozen imperatives, nothing else. Performs no I/O.

There is no intent for merging, approving as an operator, or touching a host. Each intent has a
`key` that is unique for its bot and kind: wanting the same thing twice is wanting it once.
`wire` names a kind wherever it is stored; it stays when the class is renamed.
"""

from __future__ import annotations

from dataclasses import dataclass

from bots.agent_intents import (
    Deploy,
    DeployNow,
    GiveWork,
    LeaveQueue,
    Pause,
    ProposeAgent,
    ProposeRevert,
    PurgeAgent,
    RaiseBudget,
    RecordCorrection,
    ResetContext,
    Restart,
    Resume,
    ResumeDeployments,
    RetryDeployment,
    SetModel,
    SetUrgency,
    SuspendDeployments,
)
from bots.models import ReplyLine
from bots.review_intents import ReviewIntent
from bots.triage_intents import TriageIntent
from bots.turn_request import TurnRequest
from forge.conversation import Conversation
from forge.models import CommitStatus, Ref, Repo, User
from forge.wire_names import WireNamed


@dataclass(frozen=True, slots=True)
class PostComment(WireNamed, wire="post_comment"):
    """Comment on an issue or pull request; on one that was closed in the meantime only with `if_closed`."""

    ref: Ref
    body: str
    key: str
    if_closed: bool = False


@dataclass(frozen=True, slots=True)
class React(WireNamed, wire="add_reaction"):
    """React to a comment once the actions with the keys in `after` are finished: with `otherwise` if one of them failed."""

    ref: Ref
    comment_id: int
    content: str
    key: str
    after: tuple[str, ...] = ()
    otherwise: str = ""


@dataclass(frozen=True, slots=True)
class Reply(WireNamed, wire="reply"):
    """Answer a comment in one comment, which is edited when there is more to report."""

    ref: Ref
    comment_id: int
    lines: tuple[ReplyLine, ...]
    key: str
    to: Conversation | None = None
    """The conversation on a line that the comment belongs to, if any."""


@dataclass(frozen=True, slots=True)
class SetLabels(WireNamed, wire="set_labels"):
    """Add and remove labels by name."""

    ref: Ref
    add: tuple[str, ...]
    key: str
    remove: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SyncStateLabels(WireNamed, wire="sync_state_labels"):
    """Sync an issue's labels with the state of its runs; without a run those in `gone` and all of the hive's own are removed."""

    ref: Ref
    key: str
    gone: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Assign(WireNamed, wire="assign"):
    """Give an issue to agents: this is how work starts."""

    ref: Ref
    agents: tuple[str, ...]
    key: str


@dataclass(frozen=True, slots=True)
class Unassign(WireNamed, wire="unassign"):
    """Take agents off an issue."""

    ref: Ref
    agents: tuple[str, ...]
    key: str


@dataclass(frozen=True, slots=True)
class RequestBotReview(WireNamed, wire="request_bot_review"):
    """Have a pull request reviewed at its head: again, because `by` wants it, or by one `bot` that has not seen it so.

    `full` is whether what earlier rounds withheld is said, and what they remember is checked again.
    """

    ref: Ref
    by: User
    key: str
    bot: str = ""
    full: bool = False


@dataclass(frozen=True, slots=True)
class RequestReview(WireNamed, wire="request_review"):
    """Ask operators, by their logins, for a review of an open pull request that waits for them."""

    ref: Ref
    operators: tuple[str, ...]
    key: str


@dataclass(frozen=True, slots=True)
class SetStatus(WireNamed, wire="set_status"):
    """Set a commit status."""

    repo: Repo
    sha: str
    status: CommitStatus
    key: str


@dataclass(frozen=True, slots=True)
class SetVerdict(WireNamed, wire="set_verdict"):
    """Set the verdict for a head and base, as a commit status; a shared head shows the worst one.

    `scope` identifies what was reviewed, `before` is the head of the previous verdict. One that `may_pass` says that something could
    not be reviewed now: the head is reviewed again by itself after a while.
    """

    ref: Ref
    head_sha: str
    base: str
    base_sha: str
    status: CommitStatus
    key: str
    scope: str = ""
    before: str = ""
    may_pass: bool = False


@dataclass(frozen=True, slots=True)
class RefreshVerdict(WireNamed, wire="refresh_verdict"):
    """Show the verdicts of the open pull requests that have these heads."""

    ref: Ref
    heads: tuple[str, ...]
    context: str
    key: str


@dataclass(frozen=True, slots=True)
class OpenIssue(WireNamed, wire="open_issue"):
    """Open an issue for operators."""

    repo: Repo
    title: str
    body: str
    key: str


@dataclass(frozen=True, slots=True)
class StartRun(WireNamed, wire="start_run"):
    """Start an agent's run on an issue; `task` is its first message, `request` the same in plain parts.

    An open run of it is continued instead, or ended first with `again`. `wake` is what it is woken by, if not by an
    assignment (`bots.wakes`); an `urgent` one goes first.
    """

    ref: Ref
    agent: str
    task: str
    key: str
    again: bool = False
    urgent: bool = False
    wake: str = ""
    request: TurnRequest | None = None


@dataclass(frozen=True, slots=True)
class ContinueRun(WireNamed, wire="continue_run"):
    """Continue a run with one more message; `by_person` is whether no bot caused it, `request` what it asks in plain parts.

    `about` are the conversations on lines that the message is about, when the pull request's head was `head_sha`; they are
    resolved when the agent changes their lines. `answers` is the one in which the agent answers, if it is one of these.
    """

    run: int
    message: str
    by_person: bool
    key: str
    about: tuple[Conversation, ...] = ()
    head_sha: str = ""
    answers: Conversation | None = None
    request: TurnRequest | None = None


@dataclass(frozen=True, slots=True)
class AnswerQuestion(WireNamed, wire="answer_question"):
    """Answer the question that a run waits with: `answer` is one line for the record, `message` what the agent is told.

    If it was settled in the meantime, the run is continued with `late` as with any comment, or not at all if that is empty.
    """

    run: int
    question: int
    answer: str
    by: str
    message: str
    late: str
    key: str


@dataclass(frozen=True, slots=True)
class BlockRun(WireNamed, wire="block_run"):
    """Block a run until an operator answers; `reason` is one line."""

    run: int
    reason: str
    key: str


@dataclass(frozen=True, slots=True)
class EndRun(WireNamed, wire="end_run"):
    """A run has reached its end: its issue or pull request was closed or merged."""

    run: int
    outcome: str
    key: str


@dataclass(frozen=True, slots=True)
class PinProposal(WireNamed, wire="pin_proposal"):
    """Pin a head of a configuration pull request, with the tree that was evaluated for it."""

    ref: Ref
    head_sha: str
    tree: str
    key: str


@dataclass(frozen=True, slots=True)
class TagProposal(WireNamed, wire="tag_proposal"):
    """A head of a configuration pull request that was evaluated bears the tag `proposal/<number>-<n>`: its n-th head."""

    ref: Ref
    head_sha: str
    key: str


@dataclass(frozen=True, slots=True)
class ShowPlan(WireNamed, wire="show_plan"):
    """Show what merging a head into a base would do, in the one comment about it on `ref`, which is edited in place."""

    ref: Ref
    head_sha: str
    base: str
    body: str
    key: str


@dataclass(frozen=True, slots=True)
class TagDenied(WireNamed, wire="tag_denied"):
    """A head of a configuration pull request that `by` refused bears the tag `denied/<number>`, with the reason."""

    ref: Ref
    head_sha: str
    by: User
    why: str
    key: str


@dataclass(frozen=True, slots=True)
class ResumeRuns(WireNamed, wire="resume_runs"):
    """Continue runs that wait for a pull request on a configuration, with a message."""

    ref: Ref
    message: str
    key: str


@dataclass(frozen=True, slots=True)
class Close(WireNamed, wire="close"):
    """Close an issue or a pull request, unmerged."""

    ref: Ref
    key: str


Intent = (
    PostComment
    | React
    | Reply
    | SetLabels
    | SyncStateLabels
    | Assign
    | Unassign
    | RequestBotReview
    | RequestReview
    | ReviewIntent
    | TriageIntent
    | SetStatus
    | SetVerdict
    | RefreshVerdict
    | OpenIssue
    | StartRun
    | ContinueRun
    | AnswerQuestion
    | BlockRun
    | EndRun
    | PinProposal
    | ShowPlan
    | TagProposal
    | TagDenied
    | ResumeRuns
    | Close
    | Deploy
    | ProposeAgent
    | ProposeRevert
    | PurgeAgent
    | RetryDeployment
    | DeployNow
    | SuspendDeployments
    | ResumeDeployments
    | Pause
    | Resume
    | Restart
    | SetModel
    | SetUrgency
    | GiveWork
    | LeaveQueue
    | RecordCorrection
    | ResetContext
    | RaiseBudget
)
