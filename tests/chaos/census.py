"""What is there after a round, as anybody can count it on the forge, without what differs from round to round."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from forge.models import Issue, Ref, ReviewState
from tests.chaos.rounds import Round
from tests.stories.conftest import APP, CONFIG, META, Hive

Fact = tuple[str, ...]
INCIDENTS = ("🔴 the container of ", "🔴 the disk of the hive ")
_VARIES = re.compile(r"\b[0-9a-f]{7,40}\b|\d+")
"""Numbers, and the short names of commits."""


def census(made: Round) -> Counter[Fact]:
    """Every fact of a round, and how often it is so."""
    return Counter(_facts(made))


def lost(calm: Counter[Fact], found: Counter[Fact]) -> Counter[Fact]:
    """What came of a calm round, and not of this one."""
    return calm - found


def doubled(calm: Counter[Fact], found: Counter[Fact]) -> Counter[Fact]:
    """What came of this round, and not of a calm one, or not so often."""
    return found - calm


def unfinished(hive: Hive) -> list[str]:
    """What the ledger still owes, or gave up."""
    with hive.instance.ledger.transaction() as db:
        open_ = db.execute(
            "SELECT 'job ' || bot || ' ' || event_type || ' ' || ref || ' ' || state || ' ' || error FROM jobs"
            " WHERE state IN ('pending', 'running', 'failed') UNION ALL"
            " SELECT 'effect ' || kind || ' ' || key || ' ' || state || ' ' || error FROM effects"
            " WHERE state IN ('pending', 'running', 'failed') UNION ALL"
            " SELECT 'turn ' || id || ' ' || state FROM turns WHERE state != 'done'"
        ).fetchall()
    return [row[0] for row in open_]


def complaints(hive: Hive) -> list[str]:
    """What operators were told to look at: a forge that dies now and then is no reason to bother them.

    A container that is killed, and a disk that fills up, are: each such incident is told, and ends by itself.
    """
    return [issue.title for issue in hive.subjects(META) if not issue.title.startswith(INCIDENTS)]


def _facts(made: Round) -> Iterator[Fact]:
    hive, mark = made.hive, f"Round {made.number}:"
    subjects = [issue for repo in (APP, CONFIG) for issue in hive.subjects(repo)]
    for issue in subjects:
        is_ours = issue.title.startswith(mark) or issue.title == f"Order hives, round {made.number}"
        if is_ours:
            yield from _thread(hive, issue)
    for name in (f"apiary/round{made.number}.py", f"tests/test_round{made.number}.py"):
        yield ("file on main", _plain(name), _plain(hive.mara.file(APP, name, "main").decode()))


def _thread(hive: Hive, issue: Issue) -> Iterator[Fact]:
    what, ref = _plain(issue.title), issue.ref
    yield (what, "is", "open" if issue.is_open else "closed")
    yield from ((what, "label", label) for label in issue.labels)
    yield from ((what, "assignee", user.login) for user in issue.assignees)
    for comment in hive.mara.comments(ref):
        yield (what, "comment", comment.author.login, _said(comment.body))
        for reaction in hive.mara.reactions(ref, comment.id):
            yield (what, "reaction", _plain(comment.body)[:30], reaction.user.login, reaction.content)
    if issue.is_pull:
        yield from _pull(hive, what, ref)


def _pull(hive: Hive, what: str, ref: Ref) -> Iterator[Fact]:
    pull = hive.mara.pull(ref)
    yield (what, "merged", str(pull.merged))
    yield (what, "from", _plain(pull.head_branch))
    heads: list[str] = []
    for review in sorted(hive.mara.reviews(ref), key=lambda review: review.id):
        if review.state is not ReviewState.PENDING:
            heads += [] if review.head_sha in heads else [review.head_sha]
            at = f"head {'ab'[heads.index(review.head_sha)] if len(heads) <= 2 else 'later'}"
            yield (what, "review", at, review.author.login, review.state.value)
    for head in dict.fromkeys((*heads, pull.head_sha)):
        at = "last" if head == pull.head_sha else "earlier"
        for status in _all_statuses(hive, ref, head):
            yield (what, "status", at, *status)


def _all_statuses(hive: Hive, ref: Ref, head: str) -> Iterator[Fact]:
    """Every verdict that was ever set on a commit, and whatever is the newest of each context.

    That something is under way is said where there is time for it; a verdict that comes at once takes its place.
    """
    newest: dict[str, str] = {}
    for row in hive.mara._client.rows(f"/repos/{ref.repo.path}/statuses/{head}"):
        context, state = row["context"].text(), row["status"].text()
        newest.setdefault(context, state)
        if state != "pending":
            yield (context, state)
    yield from ((f"newest {context}", state) for context, state in newest.items())


def _said(body: str) -> str:
    """How a comment begins; of one that shows a run's progress, or how a review stands, only whose it is: it changes."""
    text = body.partition("<!--")[0]
    return _plain(text.partition(" · ")[0] if text.startswith(("🐝", "**Review**")) else text)[:80]


def _plain(text: str) -> str:
    return " ".join(_VARIES.sub("N", text).split())
