"""What a bot can want: frozen imperatives, nothing else. Performs no I/O.

There is no intent for merging, approving as an operator, or touching a host. Each intent has a
`key` that is unique for its bot and kind: wanting the same thing twice is wanting it once.
`wire` names a kind wherever it is stored; it stays when the class is renamed.
"""

from __future__ import annotations

from dataclasses import dataclass

from bots.models import Verdict
from forge.conversation import Conversation
from forge.models import CommitStatus, Ref, Repo, ReviewComment, User
from forge.wire_names import WireNamed


@dataclass(frozen=True, slots=True)
class PostComment(WireNamed, wire="post_comment"):
    """Say something on an issue or pull request; on one that was closed meanwhile only `if_closed`."""

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
class ReplyLine:
    """A line about the actions with the keys in `after`: once all are done, once one has failed, and before that."""

    done: str
    failed: str = ""
    waiting: str = ""
    after: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reply(WireNamed, wire="reply"):
    """Answer a comment in one comment of its own, which is edited when there is more to say."""

    ref: Ref
    comment_id: int
    lines: tuple[ReplyLine, ...]
    key: str
    to: Conversation | None = None
    """Where the comment was said, if it was on a line of a pull request."""


@dataclass(frozen=True, slots=True)
class SetLabels(WireNamed, wire="set_labels"):
    """Add and remove labels by name."""

    ref: Ref
    add: tuple[str, ...]
    key: str
    remove: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SyncStateLabels(WireNamed, wire="sync_state_labels"):
    """Let an issue's labels show how its runs stand; without a run those in `gone` go, and all of the hive's own states."""

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
    """Have a pull request reviewed at its head: again, because `by` wants it, or by one `bot` that has not seen it so."""

    ref: Ref
    by: User
    key: str
    bot: str = ""


@dataclass(frozen=True, slots=True)
class RequestReview(WireNamed, wire="request_review"):
    """Ask operators, by their logins, for a review of an open pull request that waits for them."""

    ref: Ref
    operators: tuple[str, ...]
    key: str


@dataclass(frozen=True, slots=True)
class PostReview(WireNamed, wire="post_review"):
    """Review a pull request at one head; dropped if that has moved on, or is for another base than `base`, if that is told.

    `summary` is the verdict in one line.
    """

    ref: Ref
    head_sha: str
    verdict: Verdict
    summary: str
    body: str
    comments: tuple[ReviewComment, ...]
    key: str
    base: str = ""


@dataclass(frozen=True, slots=True)
class SetStatus(WireNamed, wire="set_status"):
    """Set a commit status."""

    repo: Repo
    sha: str
    status: CommitStatus
    key: str


@dataclass(frozen=True, slots=True)
class SetVerdict(WireNamed, wire="set_verdict"):
    """What is said of a pull request's head for its base, as a commit status; the worst one of a shared head is shown.

    `scope` stands for what was looked at, `before` is the head that was spoken of last.
    """

    ref: Ref
    head_sha: str
    base: str
    base_sha: str
    status: CommitStatus
    key: str
    scope: str = ""
    before: str = ""


@dataclass(frozen=True, slots=True)
class RefreshVerdict(WireNamed, wire="refresh_verdict"):
    """Show on heads what is said of the open pull requests that have them."""

    ref: Ref
    heads: tuple[str, ...]
    context: str
    key: str


@dataclass(frozen=True, slots=True)
class OpenIssue(WireNamed, wire="open_issue"):
    """File an issue for people to look at."""

    repo: Repo
    title: str
    body: str
    key: str


@dataclass(frozen=True, slots=True)
class StartRun(WireNamed, wire="start_run"):
    """Let an agent work on an issue; `task` is all that it is told to begin with.

    A run of it that is open goes on instead, or ends first if it is to begin `again`.
    """

    ref: Ref
    agent: str
    task: str
    key: str
    again: bool = False


@dataclass(frozen=True, slots=True)
class ContinueRun(WireNamed, wire="continue_run"):
    """Let an agent's run go on with one more message; `by_person` says that no bot caused it.

    `about` are the conversations on lines that it tells of, when the pull request's head was `head_sha`; they are
    resolved when the agent mends their lines. `answers` is the one in which the agent answers, if it is one of these.
    """

    run: int
    message: str
    by_person: bool
    key: str
    about: tuple[Conversation, ...] = ()
    head_sha: str = ""
    answers: Conversation | None = None


@dataclass(frozen=True, slots=True)
class BlockRun(WireNamed, wire="block_run"):
    """A run goes no further before an operator says something; `reason` is one line."""

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
class TagDenied(WireNamed, wire="tag_denied"):
    """A head of a configuration pull request that `by` refused bears the tag `denied/<number>`, with the reason."""

    ref: Ref
    head_sha: str
    by: User
    why: str
    key: str


@dataclass(frozen=True, slots=True)
class ResumeRuns(WireNamed, wire="resume_runs"):
    """Whoever waits for a pull request on a configuration goes on, with a message."""

    ref: Ref
    message: str
    key: str


@dataclass(frozen=True, slots=True)
class Close(WireNamed, wire="close"):
    """Close an issue or a pull request, unmerged."""

    ref: Ref
    key: str


@dataclass(frozen=True, slots=True)
class Deploy(WireNamed, wire="deploy"):
    """A merged configuration: the host should look, verify, and rebuild the agent's container."""

    ref: Ref
    agent: str
    key: str


@dataclass(frozen=True, slots=True)
class Pause(WireNamed, wire="pause_agent"):
    """Let an agent's work rest until somebody says otherwise; a turn that it holds is put down between two steps."""

    ref: Ref
    agent: str
    by: User
    key: str


@dataclass(frozen=True, slots=True)
class Resume(WireNamed, wire="resume_agent"):
    """Let an agent's work go on."""

    ref: Ref
    agent: str
    key: str


@dataclass(frozen=True, slots=True)
class Restart(WireNamed, wire="restart_agent"):
    """Stop and start an agent's container, as it was built."""

    ref: Ref
    agent: str
    key: str


@dataclass(frozen=True, slots=True)
class SetModel(WireNamed, wire="set_model"):
    """Let an agent think with another model from its next turn on; empty for that of its configuration."""

    ref: Ref
    agent: str
    model: str
    key: str


@dataclass(frozen=True, slots=True)
class ResetContext(WireNamed, wire="reset_context"):
    """How much of its transcript a run's next turn starts with: `compact` for a compacted one, `new` for an empty one.

    The run gets a turn with `message`, so that there is a next one.
    """

    ref: Ref
    run: int
    memory: str
    message: str
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
    | PostReview
    | SetStatus
    | SetVerdict
    | RefreshVerdict
    | OpenIssue
    | StartRun
    | ContinueRun
    | BlockRun
    | EndRun
    | PinProposal
    | TagDenied
    | ResumeRuns
    | Close
    | Deploy
    | Pause
    | Resume
    | Restart
    | SetModel
    | ResetContext
)
