"""The headers of a request that its client decides: version and betas of the API. Performs no I/O.

A beta that changes the conversation only is passed on. One by which the provider would reach a network, keep files, run
code, change the model or the price is refused, and so is one that nobody here has heard of.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from hive.gateway.admission import Denied

VERSION = "2023-06-01"
"""The version of the API that a request without one is sent with; every server knows it."""

CONVERSATION = frozenset(
    {
        *("advanced-tool-use", "cache-diagnosis", "claude-code", "compact", "context-1m", "context-hint"),
        *("context-management", "effort", "extended-cache-ttl", "fine-grained-tool-streaming"),
        *("interleaved-thinking", "mid-conversation-system", "model-context-window-exceeded", "output-128k"),
        *("prompt-caching", "prompt-caching-scope", "redact-thinking", "structured-outputs"),
        *("summarize-connector-text", "task-budgets", "thinking-token-count", "token-counting"),
        *("token-efficient-tools", "tool-examples", "tool-search-tool"),
    }
)
"""Betas that change how a conversation is read, cached, shortened or written, by name without a date."""

_VERSION = re.compile(r"\d{4}-\d{2}-\d{2}")
_BETA = re.compile(r"(?P<name>[a-z0-9][a-z0-9-]{0,60}?)-(?:\d{8}|\d{4}-\d{2}-\d{2})")


def passed_on(version: str, betas: str, granted: Iterable[str]) -> dict[str, str]:
    """The headers to pass on; raises Denied for a beta that is not `granted`, by name or as that of a server tool."""
    if version and not _VERSION.fullmatch(version):
        raise Denied(400, f"anthropic-version should be a date, such as {VERSION}")
    allowed = CONVERSATION | {name.replace("_", "-") for name in granted}
    names = [name for name in (part.strip() for part in betas.split(",")) if name]
    for name in names:
        found = _BETA.fullmatch(name)
        if found is None or found["name"] not in allowed:
            raise Denied(
                400, f"the beta {name[:80]!r} is not passed on to the model; an operator grants it: model.betas"
            )
    headers = {"anthropic-version": version or VERSION}
    return headers | ({"anthropic-beta": ",".join(names)} if names else {})
