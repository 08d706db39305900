"""Counts the tokens of an answer of the Messages API while it passes. Performs no I/O."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from hive.gateway.model_errors import STATUSES, ModelFailed
from hive.gateway.token_usage import TokenUsage

STREAM, OBJECT = "text/event-stream", "application/json"
MAX_TOKENS = 100_000_000
"""What no single request can use."""

MAX_KEPT = 32 << 20
BYTES_OF_A_TOKEN = 4
"""For estimates: English text and source have three to four."""

INPUT, WRITTEN, READ, OUTPUT = (
    *("input_tokens", "cache_creation_input_tokens"),
    *("cache_read_input_tokens", "output_tokens"),
)
WRITTEN_1H = "ephemeral_1h_input_tokens"
SEARCHES = "web_search_requests"


class Meter:
    """Counts the tokens of an answer while it passes, to its end or to where it is cut.

    What the API does not report is estimated, and marked as such.
    """

    def __init__(self, content_type: str = STREAM, request_bytes: int = 0) -> None:
        self.is_whole = False
        """Whether the answer came to its end: a stream that breaks off has no `message_stop`."""
        self.error: ModelFailed | None = None
        """The error that the API sent in the middle of a stream."""
        self.reads(content_type)
        self._request_bytes = request_bytes
        self._counts: dict[str, int] = {}
        self._doubtful = False
        self._written = 0
        self._rest = bytearray()

    def reads(self, content_type: str) -> None:
        """The answer comes in this form, if that was not known before."""
        self._streams = content_type.startswith(STREAM)

    @property
    def usage(self) -> TokenUsage:
        """What the answer used so far, by class."""
        counts = self._counts
        is_read_known = any(key in counts for key in (INPUT, WRITTEN, READ))
        hour = min(counts.get(WRITTEN_1H, 0), counts.get(WRITTEN, 0))
        # In a cut answer the count of what was written comes last and is not there.
        written = 0 if self.is_whole and OUTPUT in counts else self._written // BYTES_OF_A_TOKEN
        return TokenUsage(
            input=counts.get(INPUT, 0) if is_read_known else self._request_bytes // BYTES_OF_A_TOKEN,
            cache_write=counts.get(WRITTEN, 0) - hour,
            cache_write_1h=hour,
            cache_read=counts.get(READ, 0),
            output=max(written, counts.get(OUTPUT, 0)),
            web_searches=counts.get(SEARCHES, 0),
            is_estimate=not self.is_whole or not is_read_known or OUTPUT not in counts or self._doubtful,
        )

    def see(self, chunk: bytes) -> None:
        """Look at the next bytes."""
        if len(self._rest) + len(chunk) > MAX_KEPT:
            self._written += len(chunk)
            return
        self._rest += chunk
        if self._streams:
            *lines, self._rest = self._rest.split(b"\n")
            for line in lines:
                if line.startswith(b"data:"):
                    self._take(_object(line[5:]))

    def end(self) -> None:
        """The answer has ended: a single object is read now."""
        if self._streams:
            return
        message = _object(self._rest)
        self.is_whole = message.get("type") == "message"
        self._written = len(self._rest)
        self._book(message.get("usage"))

    def _take(self, event: dict[str, Any]) -> None:
        match event.get("type"):
            case "message_start":
                self._book(_mapping(event.get("message")).get("usage"))
            case "message_delta":
                self._book(event.get("usage"))
            case "content_block_delta" | "content_block_start":
                self._written += sum(len(text) for text in _texts(event))
            case "message_stop":
                self.is_whole = True
            case "error":
                kind = _mapping(event.get("error")).get("type")
                self.error = ModelFailed(STATUSES.get(str(kind), 500), event)

    def _book(self, told: object) -> None:
        """Note what a usage object reports; a later one holds the same counts or higher ones."""
        usage = _mapping(told)
        for key, count in self._sums(usage).items():
            self._counts[key] = max(self._counts.get(key, 0), count)

    def _sums(self, usage: Mapping[str, Any]) -> dict[str, int]:
        """The counts of a usage object; what a compaction used at the provider stands in its `iterations` only."""
        whole = self._counted(usage)
        steps = [self._counted(step) for step in _dicts(usage.get("iterations"))]
        for key in {key for step in steps for key in step}:
            whole[key] = max(whole.get(key, 0), sum(step.get(key, 0) for step in steps))
        return whole

    def _counted(self, usage: Mapping[str, Any]) -> dict[str, int]:
        parts = _mapping(usage.get("cache_creation"))
        told = {key: usage.get(key) for key in (INPUT, WRITTEN, READ, OUTPUT)}
        told |= {WRITTEN_1H: parts.get(WRITTEN_1H), SEARCHES: _mapping(usage.get("server_tool_use")).get(SEARCHES)}
        return {key: self._count(value) for key, value in told.items() if value is not None}

    def _count(self, value: object) -> int:
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_TOKENS:
            return value
        self._doubtful = True
        return 0


def _texts(event: Mapping[str, Any]) -> Iterator[str]:
    """The text of an event: text, thinking or a call."""
    for key in ("delta", "content_block"):
        yield from (value for value in _mapping(event.get(key)).values() if isinstance(value, str))


def _mapping(value: object) -> Mapping[str, Any]:
    """An object, empty for what is none: servers send `null` for it."""
    return value if isinstance(value, dict) else {}


def _dicts(value: object) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _object(data: bytes | bytearray) -> dict[str, Any]:
    """A JSON object; empty for what is none, such as a line that was cut."""
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
