"""Has heads reviewed again that could not be reviewed, for a reason that may have passed by now."""

from __future__ import annotations

from collections.abc import Mapping

from bots.bot import Bot
from bots.models import Team
from forge.events import ReviewAsked
from forge.models import Ref
from hive.ledger import Ledger, Origin, Priority
from hive.ledger.verdict_retries import VerdictRetry


class VerdictRetrier:
    """Asks the bot that has to give a verdict, in the name of the hive's own account."""

    def __init__(self, ledger: Ledger, bots: Mapping[str, Bot], teams: Mapping[str, Team]) -> None:
        self._ledger = ledger
        self._bots = bots
        self._teams = teams

    def retry(self) -> None:
        """Enqueue a review of each head that is due; one that waits already, in an outage of the forge, stands for it."""
        for retry in self._ledger.verdict_retries.due():
            self._retry(retry)

    def _retry(self, retry: VerdictRetry) -> None:
        ledger, ref = self._ledger, Ref.parse(retry.ref)
        team = self._teams.get(retry.team)
        bots = [bot.name for bot in self._bots.values() if bot.verdict == retry.context]
        with ledger.transaction():
            if team is None or not bots:  # no longer configured: nobody would answer
                ledger.verdict_retries.drop(retry.ref)
                return
            if any(ledger.jobs.is_pending(bot, ref) for bot in bots):
                ledger.verdict_retries.wait(retry)
                return
            ledger.verdict_retries.tried(retry)
            key = f"retry:{retry.context}:{ref}:{ledger.clock():.3f}"
            asked = ReviewAsked(ref, team.accounts["core"], key, again=True)
            ledger.jobs.enqueue(retry.team, [(bot, asked) for bot in bots], origin=Origin(Priority.SWEEP))
