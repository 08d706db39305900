"""The ways off the straight path, by name. Performs no I/O.

Exception
├── Unavailable   no answer worth the name: asked again, a bounded number of times
│   └── Garbled       an answer came, and made no sense
├── Refused       asked in vain: the wrong form, or not granted
├── Lost          the turn belongs to somebody else by now: stop without a word
├── Mistake       what a tool tells the model when it cannot do what was asked
│   └── GitFailed     git said no
├── Rest          the turn cannot go on now: it is put down, and comes again
├── TooLong       the conversation is longer than the model reads: it is made shorter, once
├── Leave         this process was asked to go: the next one continues where it stopped
└── Ended         the turn has reached its end
"""

from __future__ import annotations


class HostUnavailable(Exception):
    """No answer worth the name; `retry_after` is the number of seconds that was asked for, 0.0 if none."""

    def __init__(self, message: str, *, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class GarbledReply(HostUnavailable):
    """What came is no answer of the form that was asked for: whoever says it is there, and says nonsense."""


class HostRefused(Exception):
    """Asking again would be answered the same."""


class LeaseLost(Exception):
    """The lease ran out or the run is over: whatever this process still says counts for nothing."""


class ToolError(Exception):
    """A tool could not do what the model asked; the sentence goes back to the model."""


class GitToolError(ToolError):
    """Git said no, and this is what it said."""


class Paused(Exception):
    """The turn is put down without an end; whoever gives it out says when it comes again."""


class ContextOverflow(Exception):
    """The model cannot read a conversation of this length."""


class Shutdown(Exception):
    """The process was asked to go while it held a turn."""


class TurnEnded(Exception):
    """The turn is over.

    `outcome` is one of `pushed`, `proposed`, `answered`, `blocked`, `failed`; the message is for people.
    """

    def __init__(self, outcome: str, message: str) -> None:
        super().__init__(message)
        self.outcome = outcome

    @property
    def message(self) -> str:
        """The sentence that the end is reported with."""
        return str(self.args[0])
