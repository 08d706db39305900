"""The texts of a run: where they are posted, and what the hive adds to them. Performs no I/O."""

from __future__ import annotations

from forge.models import Ref, Repo
from hive.agent.reference_escaping import escape_references
from hive.ledger import Turn

NO_WORD = "I stopped without a word; that is a fault of mine."
WITHHELD = "What I wanted to say at the end of this turn held a secret, so it was not posted. An operator should look."
PUSHED = "I pushed a change to this pull request."
HOW = "What I did: `hive run {run}` on the hive's host."
HEADS = {
    "partial": "🟡 **Partly done.** What is missing is said below.",
    "no-op": "⚪ **Nothing needs to be changed.** Close the issue if you agree, or say here what is missing.",
    "blocked": "🙋 **Blocked.** I wait for an operator here.",
    "failed": "🔴 **Failed.** `/retry` starts over.",
}
"""The first line of a turn's last comment, by its outcome; others say themselves what they are."""

CONFIG_REQUEST = """\
{what}

**Why:** {why}

Asked for by the agent {agent} in its work on {ref}, run {run}. It cannot change this itself: an operator decides, and
changes the configuration by a pull request on this repository.
"""
GIVEN_UP = "I was cut off at this again and again and never came to an end, so I leave it. An operator should look."


def last_words(turn: Turn, outcome: str, body: str, *, costs: str = "") -> str:
    """A turn's last comment: what its outcome means, the agent's words, how to read its log, and what its run has cost."""
    return "\n\n".join(filter(None, (HEADS.get(outcome, ""), body, HOW.format(run=turn.run), costs)))


def thread(turn: Turn) -> Ref:
    """The thread that a turn posts to."""
    return Ref.parse(turn.pull or turn.ref)


def closing(turn: Turn, repo: Repo, text: str) -> str:
    """The body of a run's pull request: of all issues only the run's own is closed, by a line of ours."""
    issue = Ref.parse(turn.ref)
    if issue.repo != repo:  # a number means another issue there
        return escape_references(text)
    own = f"Closes #{issue.number}"
    before, found, after = f"\n{text}\n".partition(f"\n{own}\n")
    pieces = (
        (escape_references(before.strip("\n")), own, escape_references(after.strip("\n")))
        if found
        else (escape_references(text), own)
    )
    return "\n\n".join(piece for piece in pieces if piece)
