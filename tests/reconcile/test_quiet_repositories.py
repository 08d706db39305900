"""One list of repositories stands for a look at each of them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from forge.embedded import EmbeddedForge
from forge.gitea.client import Client
from forge.gitea.poll_reader import GiteaPollReader
from forge.models import Repo, Repository
from forge.poll_changes import RepositoryEntry
from forge.protocol import Unavailable
from hive.reconcile.quiet_repositories import QuietRepositories

LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
IRIS, BO = 5, 6


@dataclass
class ListedForge:
    """A forge's list of two configurations, which stands still but for what a test changes."""

    changed: dict[int, datetime] = field(default_factory=lambda: {IRIS: LONG_AGO, BO: LONG_AGO})
    time: datetime = LONG_AGO + timedelta(days=30)
    is_away: bool = False
    lists: int = 0

    def list_repositories(self, owner: str) -> list[RepositoryEntry]:
        """The list."""
        if self.is_away:
            raise Unavailable("nobody is there")
        self.lists += 1
        repository = Repository(0, Repo("work", owner, "x"), "main", False, False, False, True)
        return [RepositoryEntry(replace(repository, id=each), LONG_AGO, at) for each, at in self.changed.items()]

    def now(self) -> datetime:
        """Its clock."""
        return self.time


@pytest.fixture
def forge() -> ListedForge:
    """A forge at which nothing has happened for a month."""
    return ListedForge()


@pytest.fixture
def quiet(forge: ListedForge) -> QuietRepositories:
    """Both of its configurations were looked at."""
    made = QuietRepositories(forge, "agent-configs")
    for each in (IRIS, BO):
        assert not made.is_quiet(each), "nobody has looked at it yet"
        made.looked_at(each)
    return made


def test_one_list_for_all(forge: ListedForge, quiet: QuietRepositories) -> None:
    """All that are looked at in one pass share one request."""
    assert quiet.is_quiet(IRIS)
    assert quiet.is_quiet(BO)
    assert forge.lists == 1


def test_a_push_is_seen(forge: ListedForge, quiet: QuietRepositories) -> None:
    """What changed is looked at, and nothing else is; once it was looked at long enough after, it is quiet again."""
    forge.changed[IRIS] = forge.time
    quiet.listed_at = 0.0
    assert not quiet.is_quiet(IRIS)
    assert quiet.is_quiet(BO)
    quiet.looked_at(IRIS)
    assert not quiet.is_quiet(IRIS), "times are whole seconds: a second push of that second would look the same"
    forge.time += timedelta(seconds=61)
    quiet.listed_at = 0.0
    assert not quiet.is_quiet(IRIS)
    quiet.looked_at(IRIS)
    assert quiet.is_quiet(IRIS)


def test_another_repository_under_the_same_name(forge: ListedForge, quiet: QuietRepositories) -> None:
    """What is no longer in the list is looked at: it was deleted, moved, or hidden."""
    del forge.changed[IRIS]
    quiet.listed_at = 0.0
    assert not quiet.is_quiet(IRIS)
    quiet.looked_at(IRIS)
    assert not quiet.is_quiet(IRIS)


def test_no_list_is_trusted_for_ever(forge: ListedForge, quiet: QuietRepositories) -> None:
    """A forge whose times say nothing only makes it later: after a while each repository is looked at."""
    quiet._looks[IRIS] = replace(quiet._looks[IRIS], until=0.0)
    assert not quiet.is_quiet(IRIS)
    assert quiet.is_quiet(BO)


def test_a_forge_that_is_away_says_nothing(forge: ListedForge, quiet: QuietRepositories) -> None:
    """An old list does not stand for the one that cannot be had."""
    forge.is_away, quiet.listed_at = True, 0.0
    with pytest.raises(Unavailable):
        quiet.is_quiet(IRIS)
    forge.is_away = False
    assert quiet.is_quiet(IRIS)


def test_a_push_changes_the_time_in_the_list(tmp_path: Path) -> None:
    """A commit on a real forge ends the quiet of its repository, and of no other."""
    with EmbeddedForge(tmp_path / "forge") as forge:
        forge.create_admin("root", "root-password")
        admin = Client(forge.url, login="root", password="root-password")
        admin.post("/orgs", username="agent-configs")
        ids = [
            admin.post("/orgs/agent-configs/repos", name=name, auto_init=True)["id"].number() for name in ("iris", "bo")
        ]
        token = admin.post("/users/root/tokens", name="t", scopes=["all"])["sha1"].text()
        with GiteaPollReader(name="work", url=forge.url, token=token) as reader:
            quiet = QuietRepositories(reader, "agent-configs", settled=timedelta(0))
            forge.site.state.run("UPDATE repos SET updated = updated - 3600")
            for each in ids:
                quiet.is_quiet(each)
                quiet.looked_at(each)
            assert [quiet.is_quiet(each) for each in ids] == [True, True]
            admin.post("/repos/agent-configs/iris/contents/a.txt", content="YQ==", message="a", branch="main")
            quiet.listed_at = 0.0
            assert [quiet.is_quiet(each) for each in ids] == [False, True]
        admin.close()
