"""The protocol of a forge, and its errors. Performs no I/O.

Reader      reads (`forge.reader`); the only part that a bot ever sees
PollReader  Reader plus the reads of the poller (`forge.poll_reader`): what changed, and by which rows
Forge       Reader plus repeatable writes (`forge.writer`) of one identity; only `hive.outbox` holds one
Operator    the write that no bot has an intent for: merging
Admin       provisioning: each `ensure_…` is idempotent

ForgeError
├── Unavailable    no usable answer: retry later
├── NotFound       it does not exist, or this identity may not see it
├── Refused        this identity may not do that
├── Conflict       the forge's state does not allow it: read it again
└── Invalid        the forge does not understand the request
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from forge.models import Label, Protection, Ref, Repo, Repository, User
from forge.poll_reader import ChangeReader
from forge.reader import CodeReader, IssueReader, PullReader
from forge.writer import CodeWriter, IssueMetadataWriter, IssueWriter, PullWriter

Consent = Callable[[str], bool]
"""Gets a short sentence about a difference; returns whether to fix it."""


class ForgeError(Exception):
    """A forge did not do what was asked; `status` is its HTTP status, 0 without an answer."""

    def __init__(self, message: str, *, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class Unavailable(ForgeError):
    """The outcome is unknown: time-out, 429, 5xx, a page instead of JSON. A write may have happened.

    `retry_after` is the number of seconds that the forge asked to wait, 0.0 if it did not.
    """

    def __init__(self, message: str, *, status: int = 0, retry_after: float = 0.0) -> None:
        super().__init__(message, status=status)
        self.retry_after = retry_after


class NotFound(ForgeError):
    """It is not there, or this identity may not see it: forges answer both alike."""


class Refused(ForgeError):
    """This identity may not do that."""


class Conflict(ForgeError):
    """The forge's state does not allow it now."""


class Invalid(ForgeError):
    """The request makes no sense to the forge."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a forge can do, probed from its version; branch on these, never on a name."""

    kind: str
    """`forgejo` or `gitea`; webhooks are created with this word."""
    version: str
    admins_key: str = ""
    """Protection key that includes admins: `apply_to_admins`, or Gitea's `block_admin_merge_override`."""
    status_webhook: bool = False
    """Whether a commit status sends an event: else they must be asked for."""
    action_events: bool = False
    """Whether a workflow that ended sends an event."""
    repo_tokens: bool = False
    """Whether a token can be for some repositories only; it counts only if the answer lists them."""
    own_permission: bool = False
    """Whether an account may ask for its own permission on a repository.

    The answer is no more than a hint: Gitea 1.26 says `none` for what a team grants by units.
    """
    label_removal_by_name: bool = False
    whole_timeline: bool = False
    """Whether a timeline comes at once when no page is asked for; Gitea 1.26.0 gives its first thirty rows."""
    reviewers_on_create: bool = False
    """Whether reviewers can be requested when a pull request is opened, which every author may then."""
    resolve_conversation: bool = False
    """Whether conversations on lines can be resolved."""
    reply_to_remark: bool = False
    """Whether a remark of a review can be answered where it stands."""


@dataclass(frozen=True, slots=True)
class HeldToken:
    """A token as the forge lists it: `tail` is the end of its text, `repos` where alone it is good (None: everywhere)."""

    id: int
    name: str
    tail: str
    scopes: frozenset[str]
    repos: frozenset[str] | None = None


class Reader(IssueReader, PullReader, CodeReader, Protocol):
    """Reads of a forge. Each raises NotFound, Refused or Unavailable."""

    def capabilities(self) -> Capabilities:
        """What this forge can do."""

    def user(self, login: str) -> User:
        """The account of that name."""

    def repository(self, repo: Repo) -> Repository:
        """The repository under exactly that name; a renamed one raises NotFound."""

    def repositories(self, owner: str) -> list[Repository]:
        """All repositories of an organisation that this identity sees."""


class PollReader(Reader, ChangeReader, Protocol):
    """A reader that can also be asked what changed; the poller holds one."""


class Forge(Reader, IssueWriter, IssueMetadataWriter, PullWriter, CodeWriter, Protocol):
    """Writes of one identity; repeating one changes nothing."""


class Operator(Protocol):
    """What an operator does on a forge and no bot can want."""

    def merge(self, ref: Ref, *, head_sha: str, style: str = "merge") -> None:
        """Merge a pull request if its head is `head_sha`.

        Raises Conflict while the forge checks for conflicts or when there is one (the same 405 on
        all forges), Refused with the forge's reason when protection forbids it. To wait for the
        check, retry for a bounded time: a conflict has the same message.
        """


class Admin(Protocol):
    """Provisioning. Every call may be repeated; each returns whether, or with what, it was made.

    What an admin would change is put to its `Consent` first: refused, nothing is written, and the
    call answers as if it had been.
    """

    def is_admin(self) -> bool:
        """Whether this is a site admin; raises Refused for a wrong password."""

    def ensure_user(self, login: str, *, password: str, email: str) -> User:
        """An account that needs no change of its password."""

    def ensure_usable(self, login: str, *, stuck: bool = False) -> bool:
        """An ordinary account that can act; `stuck` is one that was seen to wait for a new password."""

    def hides_activity(self, login: str) -> bool:
        """Whether an account hides its activity from feeds."""

    def make_token(self, login: str, name: str, scopes: Sequence[str], repos: Sequence[Repo] = ()) -> str:
        """A new token of that name, replacing an older one: forges show a token once.

        With `repos` it is limited to these; raises Conflict if the forge made one that may do more.
        """

    def tokens(self, login: str) -> list[HeldToken]:
        """The tokens of an account."""

    def drop_token(self, login: str, token_id: int) -> None:
        """Take a token away."""

    def ensure_org(self, name: str) -> bool:
        """An organisation."""

    def ensure_team(
        self, org: str, name: str, *, permission: str, units: dict[str, str], members: Sequence[str]
    ) -> bool:
        """A team on all repositories of the organisation, with rights by unit, and its members."""

    def ensure_places(self, org: str, places: Mapping[str, Sequence[str]]) -> bool:
        """Each of these logins is in no other team of the organisation than those named."""

    def ensure_repo(self, repo: Repo, *, private: bool, default_branch: str = "main") -> bool:
        """An empty repository, manual merges off."""

    def ensure_collaborator(self, repo: Repo, login: str, permission: str) -> bool:
        """A collaborator with `read`, `write` or `admin`."""

    def ensure_strangers(self, repo: Repo, logins: Sequence[str]) -> bool:
        """None of these is a collaborator."""

    def ensure_label(self, repo: Repo, label: Label) -> bool:
        """A label of a repository."""

    def ensure_hook(self, org: str, url: str, secret: str, events: Sequence[str]) -> bool:
        """Exactly one active hook of the organisation to `url`."""

    def renew_hook(self, org: str, url: str, secret: str, events: Sequence[str]) -> None:
        """A new hook in the place of those to `url`: there is no other way to change a secret."""

    def ensure_no_hook(self, repo: Repo, url: str) -> bool:
        """No hook of the repository itself to `url`: it would deliver everything once more."""

    def ensure_protection(self, repo: Repo, rule: Protection) -> bool:
        """A branch protection rule with exactly these settings."""

    def delete_issue(self, ref: Ref) -> None:
        """Take an issue or a pull request away, as if it had never been."""
