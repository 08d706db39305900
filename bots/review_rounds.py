"""What the review of a pull request remembers from one round to the next. Performs no I/O.

A round is one head for one base. A finding keeps its number over all rounds, wherever its code moves.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from bots.models import Finding, Level
from bots.views import FindingView


class FindingState(StrEnum):
    """What became of a finding in a round."""

    OPEN = "open"
    STILL = "still_open"
    MOVED = "moved"
    FIXED = "fixed"
    DISMISSED = "dismissed"
    GONE = "gone"


UNRESOLVED = frozenset({FindingState.OPEN, FindingState.STILL, FindingState.MOVED})
"""The states of a finding that wants something."""


@dataclass(frozen=True, slots=True)
class LinePlace:
    """A line of a file, counted from 1, to the line `end` if that is not 0; line 0 is the file as a whole."""

    path: str
    line: int
    end: int = 0


@dataclass(frozen=True, slots=True)
class FollowedLine:
    """A line of an earlier head in the present one: `line` is 0 if it was removed or changed, `path` empty without the file.

    `changed` is whether anything in the file differs. `instead` are the first and the last line that stand where one was that is gone.
    """

    path: str
    line: int
    changed: bool
    instead: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True)
class FollowedLines:
    """Lines of an earlier head as they are now, and for lines of the present head whether they are new since then."""

    then: tuple[FollowedLine, ...] = ()
    fresh: tuple[bool, ...] = ()


@dataclass(frozen=True, slots=True)
class RememberedFinding:
    """A finding in the last round: where it is now, its state, and the rounds in which it was first said and last seen.

    `context` is a digest of the two lines around it and its own: with path and rule it is the finding's fingerprint. `head` is
    the head in which it ended, `was` its line, where a suggestion replaces it. `why` is the reason of who dismissed it.
    """

    number: int
    finding: Finding
    state: FindingState = FindingState.OPEN
    context: str = ""
    since: int = 1
    seen: int = 1
    head: str = ""
    was: str = ""
    by: str = ""
    why: str = ""

    @property
    def is_open(self) -> bool:
        """Whether it wants something."""
        return self.state in UNRESOLVED

    @property
    def is_red(self) -> bool:
        """Whether it blocks while it is open."""
        return self.finding.effective_level is Level.RED

    @property
    def view(self) -> FindingView:
        """The finding as people name it."""
        found = self.finding
        return FindingView(self.number, found.path, found.line, found.title, self.was, found.suggestion)


@dataclass(frozen=True, slots=True)
class ReadByModel:
    """What a model has read of a pull request: its changes up to a head, but for the files `unread`."""

    head_sha: str
    unread: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReviewRound:
    """The last round of a pull request's review: its head, the base's branch, the commit from which its changes count.

    `read` is None as long as no model has read anything.
    """

    number: int
    head_sha: str
    base: str
    base_sha: str
    verdict: str
    findings: tuple[RememberedFinding, ...] = ()
    read: ReadByModel | None = None

    @property
    def open(self) -> tuple[RememberedFinding, ...]:
        """The findings that want something."""
        return tuple(each for each in self.findings if each.is_open)

    def is_of(self, head_sha: str, base: str, base_sha: str) -> bool:
        """Whether it is about these changes."""
        return (self.head_sha, self.base, self.base_sha) == (head_sha, base, base_sha)
