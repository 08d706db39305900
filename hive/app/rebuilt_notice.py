"""What an agent is told of its container: that it was rebuilt since the last turn that it ended. Reads the ledger."""

from __future__ import annotations

from datetime import UTC, datetime

from hive.ledger import Ledger, Turn

NOTICE = """\
Your container was rebuilt on {when}, since your last turn: {what}. What you keep in your state directory is there as before; look whether the programs that you rely on still are, and do what you expect.
"""
BASE = "the base that all agents share has changed"
COMMIT = "your configuration has changed, to commit {sha}"
KNOWN = "your container was rebuilt"
"""Words of a message that says so already."""


def rebuilt_notice(ledger: Ledger, turn: Turn) -> str:
    """The sentences for a turn that is the first one since the container was rebuilt; empty for any other, and for the very first."""
    rebuilt, ended = ledger.standings.last_rebuilt(turn.agent), ledger.standings.last_turn_ended(turn.agent)
    if rebuilt is None or not ended or rebuilt.at <= ended or KNOWN in turn.message:
        return ""
    what = BASE if rebuilt.cascade else COMMIT.format(sha=rebuilt.sha[:12])
    return NOTICE.format(when=f"{datetime.fromtimestamp(rebuilt.at, UTC):%Y-%m-%d at %H:%M} UTC", what=what).strip()
