"""Proposes to suppress what people dismiss again and again: once a week, a few pull requests with the evidence, never a merge."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime

from bots.markdown import code, plain, plain_name
from bots.review_lessons import FindingFact, Lesson, lessons, wanted
from bots.review_policy import ReviewPolicy
from forge.models import Ref, Repo
from forge.protocol import ForgeError, NotFound, Reader
from hive.config import BadYaml, joined, policy_of, read_guide, read_repository
from hive.ledger import Ledger
from hive.outbox.actions import ProposeSuppression
from hive.outbox.enqueue import enqueue
from hive.supervisor.heartbeat import Heartbeat

log = logging.getLogger("hive.worker.suppression_proposer")

DAY = 86_400.0
WEEK = 7 * DAY
LOOK_SECONDS = 600.0
"""Between two looks at the calendar; the last week's turn is in the ledger."""

SEEN_DAYS = 180
"""The days whose findings count."""

PATIENCE = 180 * DAY
"""How long a proposal that people have closed is not made again."""

MOST = 3
"""The most proposals for one repository in a week."""

SHOWN = 20
"""The most dismissals that a proposal lists."""

CURSOR, BY = "review lessons", "lessons"
TITLE = "Suppress {rule} of the review in {path}"
WHY = "dismissed {times} times until {day}, and never followed"
BODY = """\
{rule} was dismissed {times} times in {path}, by {people}, and nobody has changed a line there because of it. \
Merging this keeps the review from saying it there. If it is right to say it, close this: it is not proposed again for {days} days.

| finding | file | dismissed by | why |
|---|---|---|---|
{rows}
"""


class SuppressionProposer:
    """Looks once a week at what became of findings. `reader` reads the forge of a team as the hive's own account."""

    def __init__(
        self, ledger: Ledger, account: str, repos: Mapping[str, Sequence[Repo]], reader: Callable[[str], Reader]
    ) -> None:
        self._ledger = ledger
        self._account = account
        self._repos = repos
        self._reader = reader

    def go(self, heartbeat: Heartbeat) -> float:
        """One look at the calendar; returns after how many seconds to look again."""
        now = self._ledger.clock()
        if now - float(self._ledger.deliveries.cursor(CURSOR) or 0) >= WEEK:
            self.propose()
            self._ledger.deliveries.move_cursor(CURSOR, f"{now:.0f}")
        heartbeat.beat()
        return LOOK_SECONDS

    def propose(self) -> None:
        """Propose what is to be proposed; a repository that cannot be read has to wait for another week."""
        for team, repos in self._repos.items():
            for repo in repos:
                try:
                    self._propose(team, repo)
                except ForgeError as error:
                    log.warning("no_lessons repo=%r error=%r", str(repo), str(error)[:200])

    def _propose(self, team: str, repo: Repo) -> None:
        facts = self._ledger.review_lessons.facts(str(repo), self._ledger.clock() - SEEN_DAYS * DAY)
        if not any(fact.by for fact in facts):
            return
        policy = self._policy(team, repo)
        if policy is None or not policy.learn:
            return
        barred = set(self._barred(team, repo))
        found = [
            lesson
            for lesson in lessons(facts, least=policy.learn)
            if wanted(lesson, policy.suppressions) and (lesson.rule, lesson.path) not in barred
        ]
        for lesson in found[:MOST]:
            with self._ledger.transaction():
                times = self._ledger.review_lessons.propose(str(repo), lesson.rule, lesson.path)
                enqueue(self._ledger, team, self._account, _action(repo, lesson, times), by=BY)

    def _policy(self, team: str, repo: Repo) -> ReviewPolicy | None:
        """The settings on the default branch; None if they are broken, which the review says itself."""
        reader = self._reader(team)
        main = reader.repository(repo).default_branch
        texts = []
        for name in (".hive.yaml", "REVIEW.md"):
            try:
                texts.append(reader.file(repo, name, main).decode("utf-8", "replace").replace("\r\n", "\n"))
            except NotFound:
                texts.append("")
        try:
            return policy_of(joined(read_repository(texts[0]).review, read_guide(texts[1])))
        except BadYaml:
            return None

    def _barred(self, team: str, repo: Repo) -> Iterator[tuple[str, str]]:
        """What is proposed already, was merged, or was closed not long ago."""
        for each in self._ledger.review_lessons.proposals(str(repo)):
            closed_at = each.closed_at
            if each.pull and closed_at is None:
                try:
                    pull = self._reader(team).pull(Ref.parse(each.pull))
                except NotFound:
                    pull = None
                if pull is None or not (pull.is_open or pull.merged):
                    self._ledger.review_lessons.refused(each.id)
                    closed_at = self._ledger.clock()
            if closed_at is None or self._ledger.clock() - closed_at < PATIENCE:
                yield each.rule, each.path


def _action(repo: Repo, lesson: Lesson, times: int) -> ProposeSuppression:
    count, last = len(lesson.dismissed), max(fact.at for fact in lesson.dismissed)
    rule, path = _cell(lesson.rule), _cell(lesson.path)
    people = sorted({fact.by for fact in lesson.dismissed})
    rows = [_row(fact) for fact in lesson.dismissed[:SHOWN]]
    if count > SHOWN:
        rows.append(f"| and {count - SHOWN} more | | | |")
    return ProposeSuppression(
        repo,
        lesson.rule,
        lesson.path,
        WHY.format(times=count, day=_day(last)),
        TITLE.format(rule=plain_name(lesson.rule), path=plain_name(lesson.path)),
        BODY.format(
            rule=rule,
            path=path,
            times=count,
            people=", ".join(map(_cell, people)),
            days=round(PATIENCE / DAY),
            rows="\n".join(rows),
        ),
        key=f"suppress:{repo}:{lesson.rule}:{lesson.path}:{times}",
    )


def _row(fact: FindingFact) -> str:
    where = f"#{fact.ref.rpartition('#')[2]}, finding {fact.number}"
    return f"| {where} | {_cell(fact.path)} | {_cell(fact.by)} | {plain(fact.why) or '–'} |"


def _cell(text: str) -> str:
    """Any text as a code span that a table can hold."""
    return code(text).replace("|", "\\|")


def _day(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d}"
