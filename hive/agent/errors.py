"""The exceptions of the harness. Performs no I/O.

Exception
├── HostUnavailable   no usable answer: retried, a bounded number of times
│   └── GarbledReply      an answer that makes no sense
├── HostRefused       a retry would get the same answer: malformed, or not granted
├── LeaseLost         another process holds the turn: stop without a report
├── ToolError         the sentence that a tool returns to the model
│   └── GitToolError      git failed
├── Paused            the turn cannot continue now: it is released, and comes again
├── ContextOverflow   the conversation is too long for the model: it is compacted, once
├── Shutdown          this process was asked to exit: the next one continues where it stopped
└── TurnEnded         the turn has an outcome
"""

from __future__ import annotations


class HostUnavailable(Exception):
    """No answer worth the name; `retry_after` is the number of seconds that was asked for, 0.0 if none."""

    def __init__(self, message: str, *, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class GarbledReply(HostUnavailable):
    """The answer does not have the expected form: the host answers, but with nonsense."""


class HostRefused(Exception):
    """Asking again would be answered the same."""


class LeaseLost(Exception):
    """The lease has expired or the run has ended: what this process reports no longer counts."""


class ToolError(Exception):
    """A tool could not do what the model asked; the sentence goes back to the model."""


class GitToolError(ToolError):
    """Git failed; the message is its own."""


class Paused(Exception):
    """The turn is released without an outcome; the host decides when it comes again."""


class ContextOverflow(Exception):
    """The model cannot read a conversation of this length."""


class Shutdown(Exception):
    """The process was asked to go while it held a turn."""


class TurnEnded(Exception):
    """The turn has ended.

    `outcome` is one of `pushed`, `proposed`, `answered`, `blocked`, `failed`; the message is for people.
    """

    def __init__(self, outcome: str, message: str) -> None:
        super().__init__(message)
        self.outcome = outcome

    @property
    def message(self) -> str:
        """The sentence that the end is reported with."""
        return str(self.args[0])
