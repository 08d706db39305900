"""What one answer of a model used, in the classes that providers bill apart. Performs no I/O."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TokenUsage:
    """Tokens of one answer by class; `is_estimate` if the server did not report all of them, or reported nonsense."""

    input: int = 0
    """Tokens that were read and neither came from the cache nor went into it."""

    cache_write: int = 0
    """Tokens that were written to the cache for five minutes, or for a time that was not reported."""

    cache_write_1h: int = 0
    """Tokens that were written to the cache for an hour."""

    cache_read: int = 0
    """Tokens that were read from the cache."""

    output: int = 0
    """Tokens that were written, thinking included."""

    web_searches: int = 0
    """Searches that the provider did for the answer, which are billed one by one."""

    is_estimate: bool = False

    @property
    def tokens_in(self) -> int:
        """All tokens that the model read, from the cache or not."""
        return self.input + self.cache_write + self.cache_write_1h + self.cache_read
