"""Each source of a sweep fails alone, is asked no more when it is refused, and is told to who asks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from forge.embedded import EmbeddedForge
from forge.gitea.admin import GiteaAdmin
from forge.gitea.client import Client
from forge.gitea.poll_reader import GiteaPollReader
from forge.models import Repo
from forge.poll_changes import ChangeKind
from forge.protocol import ForgeError, Refused, Unavailable
from hive.ledger import Ledger, Origin
from hive.poller import Poller, PollerDeps, state_of
from hive.poller.sources import AGAIN
from tests.conftest import Clock

ADMIN = ("root", "correct horse")
SCOPES = ("write:repository", "write:issue", "write:organization", "read:user")
APP = Repo("work", "acme", "app")
SOURCES = (
    "activity",
    "changed_subjects",
    "refs",
    "releases",
    "comments_since",
    "subjects",
    "status_changes",
    "changes_of",
    "submitted_reviews",
    "pull",
)
NO, STUMBLES, AWAY = Refused("no right", status=403), Unavailable("as if", status=500), Unavailable("gone", status=0)


class Moody:
    """A watcher that answers some questions with an error, and counts how often each is asked."""

    def __init__(self, watcher: GiteaPollReader) -> None:
        self._watcher = watcher
        self.moods: dict[str, ForgeError] = {}
        self.asked: list[str] = []

    def __getattr__(self, name: str) -> Any:
        held = getattr(self._watcher, name)
        if name not in SOURCES:
            return held

        def ask(*words: Any) -> Any:
            self.asked.append(name)
            if name in self.moods:
                raise self.moods[name]
            return held(*words)

        return ask


@dataclass
class Town:
    """A forge with one repository, its pull request and its release, and a sweeper of it."""

    raw: Client
    ledger: Ledger
    clock: Clock
    watcher: Moody
    sweeper: Poller
    titles: Iterator[int] = field(default_factory=lambda: iter(range(100)))

    def stir(self) -> None:
        """Something of each kind happens."""
        number = next(self.titles)
        self.raw.post(f"/repos/{APP.path}/issues", title=f"issue {number}")
        self.raw.post(f"/repos/{APP.path}/releases", tag_name=f"v{number}", target_commitish="main")
        self.raw.post(f"/repos/{APP.path}/branches", new_branch_name=f"b{number}", old_ref_name="main")

    def kinds(self) -> set[ChangeKind]:
        """What the ledger holds."""
        return {change.kind for _, change in self.ledger.snapshots.changes_after(0)}

    def sentences(self) -> list[str]:
        """What a doctor would say."""
        return list(state_of(self.ledger, "work", "acme").sentences(self.ledger.clock()))


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    """A town that was swept once."""
    with ExitStack() as stack:
        forge = stack.enter_context(EmbeddedForge(tmp_path / "forge"))
        forge.create_admin(*ADMIN)
        admin = stack.enter_context(GiteaAdmin(name="work", url=forge.url, login=ADMIN[0], password=ADMIN[1]))
        raw = stack.enter_context(closing(Client(forge.url, login=ADMIN[0], password=ADMIN[1])))
        clock = Clock()
        ledger = stack.enter_context(closing(Ledger(tmp_path / "ledger.db", clock)))
        token = admin.make_token("root", "eye", SCOPES)
        watcher = Moody(stack.enter_context(GiteaPollReader(name="work", url=forge.url, token=token)))
        admin.ensure_org("acme")
        raw.post("/orgs/acme/repos", name="app", auto_init=True, default_branch="main")
        raw.post(f"/repos/{APP.path}/contents/a", content="YQ==", message="m", branch="main", new_branch="side")
        deps = PollerDeps(ledger, lambda _: "acme", lambda *_: ["bot"], lambda *_: Origin(), lambda _: "page")
        sweeper = Poller(watcher, deps, "work", "acme")
        assert not sweeper.sweep().failed
        raw.post(f"/repos/{APP.path}/pulls", title="side", head="side", base="main")
        yield Town(raw, ledger, clock, watcher, sweeper)


FOUND_ELSEWHERE = {
    "releases": {ChangeKind.OPENED, ChangeKind.REF_CREATED},
    "refs": {ChangeKind.OPENED, ChangeKind.RELEASED},
    "changes_of": {ChangeKind.REF_CREATED, ChangeKind.RELEASED},
}
ALL = {ChangeKind.OPENED, ChangeKind.REF_CREATED, ChangeKind.RELEASED}


@pytest.mark.parametrize("error", [NO, STUMBLES], ids=["refused", "broken"])
@pytest.mark.parametrize("source", SOURCES)
def test_each_source_fails_alone(town: Town, source: str, error: ForgeError) -> None:
    """One question without an answer holds up none of the others, and is told by name; nothing counts as taken away."""
    town.watcher.moods = {source: error}
    town.stir()
    assert not town.sweeper.sweep(thorough=True).failed
    assert town.kinds() >= FOUND_ELSEWHERE.get(source, ALL)
    assert (
        not {ChangeKind.DELETED, ChangeKind.REF_DELETED, ChangeKind.RELEASE_DELETED, ChangeKind.COMMENT_DELETED}
        & town.kinds()
    )
    (said,) = town.sentences()
    assert said.startswith("the sweep of acme on work ")
    assert str(error) in said
    town.watcher.moods = {}
    if error is NO:
        town.watcher.asked.clear()
        town.stir()
        town.sweeper.sweep(thorough=True)
        assert source not in town.watcher.asked, "what was refused is asked no more"
        assert source == "changes_of" or "changes_of" in town.watcher.asked, "the others are"


def test_a_right_that_is_given_later(town: Town) -> None:
    """After an hour a refusal is not believed any more; what was missed meanwhile is found then."""
    town.watcher.moods = {"releases": NO}
    town.stir()
    town.sweeper.sweep(thorough=True)
    town.watcher.moods = {}
    sources = town.sweeper._sources
    assert sources.refused == {f"releases of {APP}": "no right"}
    sources._until = {name: until - AGAIN for name, until in sources._until.items()}
    town.sweeper.sweep(thorough=True)
    assert ChangeKind.RELEASED in town.kinds()
    assert town.sentences() == []


def test_a_forge_that_is_away(town: Town) -> None:
    """A pass that fails is told with the minutes since the first that did, and forgotten when one ends."""
    town.watcher.moods = {"activity": AWAY}
    assert town.sweeper.sweep().failed
    town.clock.now += 600
    assert town.sweeper.sweep().failed
    town.clock.now += 120
    assert town.sentences() == ["the sweep of acme on work has failed for 12 minutes: gone"]
    town.watcher.moods = {}
    assert not town.sweeper.sweep().failed
    assert town.sentences() == []


def test_a_revoked_token_is_no_missing_right(town: Town) -> None:
    """401 refuses everything: the pass fails, and no question is taken for one without a right."""
    town.watcher.moods = {"releases": Refused("revoked", status=401)}
    assert town.sweeper.sweep(thorough=True).failed
    assert town.sweeper._sources.refused == {}
