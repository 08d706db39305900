"""What people dismiss again and again is proposed as a suppression: once, with the evidence, and never merged by the hive."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from bots.models import Category, Finding, Level
from bots.review_rounds import FindingState, RememberedFinding, ReviewRound
from forge.gitea.admin import GiteaAdmin
from forge.gitea.operator import GiteaOperator
from forge.gitea.reader import GiteaReader
from forge.models import CommitStatus, FileEdit, PullRequest, Ref, State
from forge.protocol import Conflict, NotFound, Refused
from hive.app.findings import json_lines, table
from hive.app.set_up import ADMIN
from hive.config import read_repository
from hive.demo.setup import FORGE, OPERATOR
from hive.ledger import Dismissal, Ledger
from hive.worker.suppression_proposer import PATIENCE, WEEK, SuppressionProposer
from hive.worker.worker import Worker
from tests.hive.conftest import APP, HiveEnv
from tests.hive.test_commands import drain

SCOPES = ("write:repository", "write:issue", "read:user")
PATHS = ("gen/a.py", "gen/b.py", "gen/c.py")


@dataclass
class Hindsight:
    """A hive whose operators have dismissed findings, and what it makes of that."""

    env: HiveEnv
    worker: Worker
    lessons: SuppressionProposer
    operator: GiteaOperator

    @property
    def ledger(self) -> Ledger:
        """Its ledger."""
        return self.env.instance.ledger

    def dismissed(self, *paths: str, first: int = 101, state: FindingState = FindingState.OPEN) -> None:
        """A pull request with one finding for each path, which mara dismisses if it is open."""
        for pull, path in enumerate(paths, first):
            ref, context = f"{APP}#{pull}", f"c{pull}"
            found = Finding(path, 3, Level.YELLOW, Category.BUG, "S101", "Assert", engine="ruff")
            done = ReviewRound(1, "a" * 40, "main", "b" * 40, "REMARKS", (RememberedFinding(1, found, state, context),))
            self.ledger.review_memory.store(ref, done)
            if state is FindingState.OPEN:
                why = "@everyone | it is `made`"
                self.ledger.review_memory.dismiss(ref, Dismissal(1, context, "S101", path, "mara", why))

    def settle(self) -> list[PullRequest]:
        """Propose, and perform what was proposed; the pull requests of the hive, oldest first."""
        self.lessons.propose()
        drain(self.env, self.worker)
        with self.env.house_core() as core:
            found = []
            for number in range(1, 50):
                try:
                    found.append(core.pull(Ref(APP, number)))
                except NotFound:
                    continue
            return [pull for pull in found if pull.head_branch.startswith("hive/suppress-")]

    def settings(self, branch: str = "main") -> str:
        """The settings of the repository."""
        try:
            return self.env.mara.file(APP, ".hive.yaml", branch).decode()
        except NotFound:
            return ""

    def write(self, text: str) -> None:
        """Mara changes the settings, by a pull request."""
        with self.env.house_core() as core:
            core.commit(APP, [FileEdit(".hive.yaml", text.encode())], message="Settings", branch="topic", start="main")
            pull = core.open_pull(APP, head="topic", base="main", title="Settings", body="")
            core.set_status(APP, pull.head_sha, CommitStatus("hive/review", State.SUCCESS))
        for _ in range(200):
            try:
                self.operator.merge(pull.ref, head_sha=pull.head_sha)
            except (Conflict, Refused) as error:
                refused = error
            else:
                return
        raise refused


@pytest.fixture
def lessons(hive_env: HiveEnv) -> Iterator[Hindsight]:
    """A hive with a repository that learns from four dismissals."""
    instance, url = hive_env.instance, hive_env.forge.url
    secret = instance.secret_store
    reader = GiteaReader(name=FORGE, url=url, token=secret.token(FORGE, "core"))
    made = SuppressionProposer(instance.ledger, "core", {"acme": [APP]}, lambda _: reader)
    with (
        GiteaAdmin(name=FORGE, url=url, login=ADMIN, password=secret.password(FORGE, ADMIN)) as admin,
        GiteaOperator(name=FORGE, url=url, token=admin.make_token(OPERATOR, "lessons", SCOPES)) as operator,
    ):
        yield Hindsight(hive_env, hive_env.worker(), made, operator)


def test_a_habit_becomes_a_pull_request(lessons: Hindsight) -> None:
    """Five dismissals in a folder are proposed, as one change of the settings; people merge it, or do not."""
    lessons.dismissed(*PATHS, "gen/d.py")
    assert lessons.settle() == []
    lessons.dismissed("gen/e.py", first=201)
    [pull] = lessons.settle()
    assert (pull.is_open, pull.merged, pull.author.login) == (True, False, "core")
    assert pull.title == "Suppress S101 of the review in gen/"
    assert "`S101` was dismissed 5 times in `gen/`, by `mara`" in pull.body
    assert pull.body.count("\n| #") == 5
    assert "@everyone |" not in pull.body
    before, after = read_repository(lessons.settings()), read_repository(lessons.settings(pull.head_branch))
    [added] = [each for each in after.review.suppress if each not in before.review.suppress]
    assert (added.rule, added.paths) == ("S101", ("gen/",))
    assert after.checks == before.checks


def test_it_is_proposed_once(lessons: Hindsight) -> None:
    """Neither another week nor another dismissal proposes it again, while it is open and after it was merged."""
    lessons.dismissed(*PATHS, "gen/d.py", "gen/e.py")
    [pull] = lessons.settle()
    lessons.dismissed("gen/f.py", first=201)
    assert [each.ref for each in lessons.settle()] == [pull.ref]


def test_one_that_was_closed_rests(lessons: Hindsight) -> None:
    """Who closes it does not see it again for a while; then, if it is still so, once more."""
    lessons.dismissed(*PATHS, "gen/d.py", "gen/e.py")
    [pull] = lessons.settle()
    with lessons.env.house_core() as core:
        core.close(pull.ref)
    assert [each.ref for each in lessons.settle()] == [pull.ref]
    with lessons.ledger.transaction() as db:
        db.execute("UPDATE suppression_proposals SET closed_at = closed_at - ?", (PATIENCE - 60,))
    assert [each.ref for each in lessons.settle()] == [pull.ref]
    with lessons.ledger.transaction() as db:
        db.execute("UPDATE suppression_proposals SET closed_at = closed_at - 120")
    first, second = lessons.settle()
    assert (first.is_open, second.is_open) == (False, True)
    assert first.head_branch != second.head_branch


@pytest.mark.parametrize(
    "settings",
    [
        "review: {learn: 0}\n",
        "review: {learn: 6}\n",
        "review: {suppress: [{rule: S101, paths: [gen/]}]}\n",
        "review: {x: 1}\n",
    ],
    ids=["off", "more", "there", "broken"],
)
def test_where_it_is_not_wanted(lessons: Hindsight, settings: str) -> None:
    """Nothing is proposed where the settings say no, ask for more, have it already, or cannot be read."""
    lessons.write(settings)
    lessons.dismissed(*PATHS, "gen/d.py", "gen/e.py")
    assert lessons.settle() == []
    assert lessons.settings() == settings


def test_a_rule_that_was_followed_stays(lessons: Hindsight) -> None:
    """One finding that was fixed there is enough to keep the rule."""
    lessons.dismissed(*PATHS, "gen/d.py", "gen/e.py")
    lessons.dismissed("gen/f.py", first=201, state=FindingState.FIXED)
    assert lessons.settle() == []


def test_settings_that_changed_in_the_meantime(lessons: Hindsight) -> None:
    """Between the look and the pull request people may have said it themselves: then nothing is opened."""
    lessons.dismissed(*PATHS, "gen/d.py", "gen/e.py")
    lessons.lessons.propose()
    lessons.write("review:\n  suppress:\n    - {rule: S101, paths: [gen/]}\n")
    assert lessons.settle() == []


def test_operators_see_the_numbers(lessons: Hindsight) -> None:
    """Said, fixed, dismissed, and left as it was when the pull request was closed."""
    assert list(table(lessons.ledger, "", 0.0)) == ["no findings yet"]
    lessons.dismissed("gen/a.py", "gen/b.py")
    lessons.dismissed("gen/c.py", first=201, state=FindingState.FIXED)
    lessons.dismissed("gen/d.py", first=301, state=FindingState.STILL)
    lessons.ledger.review_memory.close(f"{APP}#301")
    _, row = table(lessons.ledger, str(APP), 0.0)
    assert row.split() == ["S101", "4", "1", "2", "0", "1", "gen"]
    assert list(json_lines(lessons.ledger, "forgejo:acme/other", 0.0)) == []


def test_once_a_week(lessons: Hindsight) -> None:
    """The last turn is in the ledger: a process that starts again does not look again."""
    beats = lessons.env.instance.loops("work", threading.Event()).heartbeat("lessons", every=600.0)
    lessons.lessons.go(beats)
    last = lessons.ledger.deliveries.cursor("review lessons")
    lessons.lessons.go(beats)
    assert lessons.ledger.deliveries.cursor("review lessons") == last
    lessons.ledger.deliveries.move_cursor("review lessons", f"{float(last or 0) - WEEK - 1:.0f}")
    lessons.lessons.go(beats)
    assert float(lessons.ledger.deliveries.cursor("review lessons") or 0) >= float(last or 0)
