"""A pass: cheap when nothing happens, bounded when much does, and all or nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from forge.embedded import EmbeddedForge
from forge.gitea.admin import GiteaAdmin
from forge.gitea.client import Client
from forge.gitea.poll_reader import GiteaPollReader
from forge.models import Label, Ref, Repo
from forge.poll_changes import Change, ChangeKind, CommentSnapshot, SubjectEntry
from forge.protocol import Unavailable
from hive.ledger import Ledger, Origin
from hive.poller import Poller, PollerDeps, SubjectRefresher
from tests.conftest import Clock

ADMIN = ("root", "correct horse")
APP, OTHER = Repo("work", "acme", "app"), Repo("work", "acme", "other")
SCOPES = ("write:repository", "write:issue", "write:organization", "read:user")


class Stumbling(GiteaPollReader):
    """A forge that fails where it is told to."""

    broken_at: int = 0
    status: int = 0

    def changes_of(self, subject: SubjectEntry) -> tuple[list[Change], list[CommentSnapshot]]:
        """As it is, but for one subject."""
        if subject.issue.ref.number == self.broken_at:
            raise Unavailable("as if", status=self.status)
        return super().changes_of(subject)


@dataclass
class Town:
    """A forge, a hive's ledger and its sweeper; only `app` is configured."""

    admin: GiteaAdmin
    raw: Client
    ledger: Ledger
    watcher: Stumbling
    deps: PollerDeps
    sweeper: Poller

    def file(self, title: str, repo: Repo = APP) -> Ref:
        """An issue."""
        row: Any = self.raw.post(f"/repos/{repo.path}/issues", title=title, body=title).value
        return Ref(repo, row["number"])

    def pull(self) -> Ref:
        """An open pull request."""
        self.raw.post(f"/repos/{APP.path}/contents/a", content="YQ==", message="m", branch="main", new_branch="side")
        row: Any = self.raw.post(f"/repos/{APP.path}/pulls", title="side", head="side", base="main").value
        return Ref(APP, row["number"])

    def change(self, ref: Ref, **what: object) -> None:
        """Change an issue or pull request."""
        self.raw.patch(f"/repos/{ref.repo.path}/issues/{ref.number}", **what)

    def kinds(self) -> list[ChangeKind]:
        """What the ledger holds, in order."""
        return [change.kind for _, change in self.ledger.snapshots.changes_after(0)]

    def jobs(self) -> list[tuple[str, str]]:
        """The events that made work, with their places."""
        with self.ledger.transaction() as db:
            return [tuple(row) for row in db.execute("SELECT event_type, ref FROM jobs ORDER BY id")]


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    """A town that was swept once."""
    with ExitStack() as stack:
        forge = stack.enter_context(EmbeddedForge(tmp_path / "forge"))
        forge.create_admin(*ADMIN)
        admin = stack.enter_context(GiteaAdmin(name="work", url=forge.url, login=ADMIN[0], password=ADMIN[1]))
        raw = stack.enter_context(closing(Client(forge.url, login=ADMIN[0], password=ADMIN[1])))
        ledger = stack.enter_context(closing(Ledger(tmp_path / "ledger.db", Clock())))
        token = admin.make_token("root", "eye", SCOPES)
        watcher = stack.enter_context(Stumbling(name="work", url=forge.url, token=token))
        admin.ensure_org("acme")
        for repo in (APP, OTHER):
            raw.post("/orgs/acme/repos", name=repo.name, auto_init=True, default_branch="main")

        def team_of(repo: Repo) -> str | None:
            return "acme" if repo == APP else None

        deps = PollerDeps(
            ledger, team_of, lambda *_: ["bot"], lambda *_: Origin(), lambda event: f"page of {event.ref}"
        )
        sweeper = Poller(watcher, deps, "work", "acme")
        assert not sweeper.sweep().failed
        yield Town(admin, raw, ledger, watcher, deps, sweeper)


def test_idle_passes_are_cheap(town: Town) -> None:
    """Nothing happened: the list, the feed, the search; and one request more for each fifty repositories."""
    assert town.sweeper.sweep().requests == 3
    for number in range(60):
        town.raw.post("/orgs/acme/repos", name=f"more{number}")
    town.sweeper.sweep()
    assert town.sweeper.sweep().requests == 4


def test_what_is_not_configured_makes_no_work(town: Town) -> None:
    """Other repositories of the organisation are passed over."""
    town.file("elsewhere", OTHER)
    swept = town.sweeper.sweep(thorough=True)
    assert (swept.changes, swept.jobs) == (0, ())
    town.file("here")
    assert town.sweeper.sweep().changes == 1
    assert town.jobs() == [("issue_opened", f"{APP}#1")]


def test_a_broken_pass_remembers_nothing(town: Town) -> None:
    """A forge that goes away in the middle: the next pass finds all of it, once."""
    refs = [town.file(title) for title in ("one", "two", "three")]
    town.watcher.broken_at, town.watcher.status = refs[1].number, 0
    assert town.sweeper.sweep().failed
    assert town.kinds() == []
    assert town.jobs() == []
    town.watcher.broken_at = 0
    assert town.sweeper.sweep().deep
    assert town.kinds() == [ChangeKind.OPENED] * 3
    assert town.sweeper.sweep().changes == 0


def test_one_broken_subject_holds_up_nobody(town: Town) -> None:
    """A row over which the forge stumbles is owed as a look of its own; the others are found."""
    one, two = town.file("one"), town.file("two")
    town.watcher.broken_at, town.watcher.status = one.number, 500
    town.sweeper.sweep()
    assert town.jobs() == [("issue_opened", str(two)), ("subject_changed", str(one))]
    town.watcher.broken_at = 0
    assert SubjectRefresher(town.watcher, town.deps).look(one)
    assert town.jobs()[-1] == ("issue_opened", str(one))


def test_a_reopened_pull_request_is_news(town: Town) -> None:
    """Closing, reopening and another base are told apart from what was before, though the head is the same."""
    pull = town.pull()
    town.sweeper.sweep()
    town.raw.post(f"/repos/{APP.path}/branches", new_branch_name="next", old_branch_name="main")
    for step in ({"state": "closed"}, {"state": "open"}):
        town.change(pull, **step)
        assert town.sweeper.sweep().jobs
    town.raw.patch(f"/repos/{APP.path}/pulls/{pull.number}", base="next")
    assert town.sweeper.sweep().jobs
    assert [kind for kind, _ in town.jobs()] == [
        "pull_request_changed",
        "pull_request_closed",
        "pull_request_changed",
        "pull_request_changed",
    ]


def test_a_look_and_a_sweep_find_one_thing(town: Town) -> None:
    """What a delivery's look has found, a sweep does not find again, and the other way round."""
    town.admin.ensure_label(APP, Label("bug"))
    issue = town.file("one")
    refresher = SubjectRefresher(town.watcher, town.deps)
    assert refresher.look(issue)
    assert town.sweeper.sweep(thorough=True).changes == 0
    town.change(issue, state="closed")
    assert town.sweeper.sweep().changes == 1
    assert refresher.look(issue) == []


def test_many_rows_of_one_kind_are_one_look(town: Town) -> None:
    """Five labels and a title in one night are one event of each kind for a bot, and five and one in the ledger."""
    issue = town.file("one")
    town.sweeper.sweep()
    for name in "abcde":
        town.admin.ensure_label(APP, Label(name))
        row: Any = next(row.value for row in town.raw.rows(f"/repos/{APP.path}/labels") if row["name"].text() == name)
        town.raw.post(f"/repos/{APP.path}/issues/{issue.number}/labels", labels=[row["id"]])
    town.change(issue, title="other")
    swept = town.sweeper.sweep()
    assert swept.changes == 6
    assert town.jobs()[1:] == [("issue_labeled", str(issue)), ("issue_edited", str(issue))]


def test_the_record_names_who_did_it(town: Town) -> None:
    """What makes work is in the audit log with its actor and page."""
    issue = town.file("one")
    town.sweeper.sweep()
    (row,) = [row for row in town.ledger.audit.after(0) if row.action == "issue_opened"]
    assert (row.actor, row.ref, row.url) == ("root", str(issue), f"page of {issue}")
