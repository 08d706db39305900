"""Routes that are matched and never built."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from werkzeug.routing import Rule


class MatchedRule(Rule):
    """A route of an application that makes no address from a route's name.

    Werkzeug 3.1 compiles two functions for each route that do that, which takes fifteen times as long as the rest of it.
    """

    def _compile_builder(self, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:  # noqa: ARG002  its signature
        return _unbuilt


def _unbuilt(rule: MatchedRule, **values: Any) -> tuple[str, str]:
    raise NotImplementedError(f"{rule.rule} is matched only, and not built from {sorted(values)}")
