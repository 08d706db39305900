"""A verified configuration that waits: it is said once, what runs goes on, and nothing is lost by waiting."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from hive.config import Limits
from hive.config.freeze import FROZEN, read_window
from hive.ledger import NEVER, Deployment, DeploymentState, Scope, SuspensionReason
from hive.reconcile.holds import BY_RESUME, NO_WAITING, DeploymentHold, Holds
from hive.reconcile.reconciler import Reconciler
from tests.reconcile.test_reconciler import Site, site

__all__ = ["site"]

CHANGED = {"agent.yaml": "lane: app\nminutes: 5\n"}


def always(site: Site) -> str:
    """A window that holds now, and ends a day later but for a minute."""
    now = datetime.fromtimestamp(site.ledger.clock() - 60, UTC)
    before = datetime.fromtimestamp(site.ledger.clock() - 120, UTC)
    return f"{now:%H:%M}-{before:%H:%M}"


def restarted(site: Site, *windows: str) -> None:
    """The host is another process, with these windows in its configuration."""
    holds = Holds(site.ledger, map(read_window, windows))
    site.reconciler = Reconciler(site.ledger, site.containers, Limits(), probe_seconds=3.0, holds=holds)
    site.reconciler.watch(site.target).next_look = float("inf")


def suspend(site: Site) -> None:
    """An operator suspends the deployments of the agent."""
    why = "deployments suspended by mara: an audit @eve"
    site.ledger.suspensions.suspend("acme", Scope.DEPLOYMENTS, "iris", SuspensionReason.PAUSED, why, until=NEVER)


def resume(site: Site) -> None:
    """An operator resumes them."""
    assert site.ledger.suspensions.resume("acme", Scope.DEPLOYMENTS, "iris", SuspensionReason.PAUSED)


def comments(site: Site) -> list[str]:
    """What is said on the forge."""
    rows = site.ledger._db.rows("SELECT payload FROM effects WHERE kind = 'post_comment' ORDER BY id")
    return [row["payload"] for row in rows]


def turns(site: Site, count: int = 5) -> None:
    """The host looks after its agent a few times."""
    for _ in range(count):
        site.reconciler.keep(site.target)


def current(site: Site) -> Deployment:
    """The deployment that is open."""
    found = site.ledger.deployments.current("iris")
    assert found is not None
    return found


@pytest.mark.parametrize("why", ["frozen", "suspended"])
def test_what_is_held_waits_and_is_said_once(site: Site, why: str) -> None:
    """It is neither built nor forgotten, also by a host that is started again; what runs goes on, and comes back when it ends."""
    first, epoch = site.containers.running("iris"), site.containers.epoch("iris")
    windows = [always(site)] if why == "frozen" else []
    restarted(site, *windows)
    if why == "suspended":
        suspend(site)
    second = site.origin.commit(CHANGED)
    site.deploy(second)
    turns(site)
    restarted(site, *windows)
    turns(site)
    assert current(site).is_waiting
    assert not site.ledger.deployments.is_under_way("iris")
    assert (site.containers.running("iris"), site.containers.epoch("iris")) == (first, epoch)
    assert not (site.containers.dirs("iris").gens / second).exists()
    (said,) = comments(site)
    assert second[:7] in said
    if why == "suspended":
        assert "an audit @\u2060eve" in said or "an audit @\\u2060eve" in said
    site.containers.kill("iris")
    site.until(lambda: site.containers.answered("iris") == first, answers=first)
    assert current(site).is_waiting, "a container that comes back is no reason to begin"


def test_an_operator_does_not_wait_for_a_freeze(site: Site) -> None:
    """Released, it is deployed within the window; what is released once is not released twice."""
    restarted(site, always(site))
    second = site.origin.commit(CHANGED)
    site.deploy(second)
    turns(site)
    assert site.ledger.deployments.release("iris") is not None
    assert site.ledger.deployments.release("iris") is None
    site.until(lambda: site.state()[0], answers=second)
    assert site.state() == ("deployed", "")
    assert len(comments(site)) == 2, "that it waits, and that it runs"


def test_resumed_it_is_deployed(site: Site) -> None:
    """What waited for an operator is deployed by the same word as what comes after it."""
    suspend(site)
    second = site.origin.commit(CHANGED)
    site.deploy(second)
    turns(site)
    assert current(site).is_waiting
    resume(site)
    site.until(lambda: site.state()[0], answers=second)
    assert site.state() == ("deployed", "")
    assert f'"sha":"{second}"' in site.pending()["withdraw_reverts"].replace(" ", "")


def test_what_has_begun_is_brought_to_its_end(site: Site) -> None:
    """A suspension in the midst of a deployment, and one in the midst of its way back, leave nothing half-done."""
    first, second = site.containers.running("iris"), site.origin.commit(CHANGED)
    site.deploy(second)
    site.until(lambda: site.containers.running("iris") == second)
    suspend(site)
    site.until(lambda: current(site).state is DeploymentState.ROLLING_BACK)
    site.until(lambda: site.state()[0], answers=first)
    assert site.state()[0] == "rolled_back"
    assert site.containers.running("iris") == first


def test_what_is_taken_at_the_machine_waits_for_no_freeze(site: Site) -> None:
    """No merge brought it, so nobody could be told to wait; a suspension holds it all the same, until it is ended."""
    restarted(site, always(site))
    baseline = site.ledger.deployments.baseline("iris")
    assert baseline is not None
    second = site.origin.commit(CHANGED)
    site.ledger.deployments.start(baseline, second, (), baseline.cursor)
    suspend(site)
    turns(site)
    assert current(site).is_waiting
    resume(site)
    site.until(lambda: site.state()[0], answers=second)
    assert site.state()[0] == "deployed"


def test_another_agents_suspension_holds_nothing(site: Site) -> None:
    """Suspensions count for their agent, team and kind: a paused agent is still brought up to date."""
    ledger = site.ledger.suspensions
    ledger.suspend("acme", Scope.DEPLOYMENTS, "atlas", SuspensionReason.PAUSED, "x", until=NEVER)
    ledger.suspend("other", Scope.DEPLOYMENTS, "iris", SuspensionReason.PAUSED, "x", until=NEVER)
    ledger.suspend("acme", Scope.AGENT, "iris", SuspensionReason.PAUSED, "paused by mara", until=NEVER)
    second = site.origin.commit(CHANGED)
    site.deploy(second)
    site.until(lambda: site.state()[0], answers=second)
    assert site.state()[0] == "deployed"


@pytest.mark.parametrize("why", ["frozen", "suspended"])
def test_the_words_are_golden(site: Site, why: str, golden: Callable[[str, str], None]) -> None:
    """What a pull request says while its commit waits: until when, why, what goes on, and how not to wait."""
    hold = (
        DeploymentHold("frozen", FROZEN.format(until=datetime(2026, 12, 7, 8, tzinfo=UTC)), NO_WAITING)
        if why == "frozen"
        else DeploymentHold("suspended", "deployments suspended by mara: an audit", BY_RESUME)
    )
    site.deploy("b" * 40)
    held = replace(current(site), previous_sha="a" * 40)
    site.target.reporter.waits(held, site.target.repo, hold)
    (said,) = comments(site)
    golden(f"host/waits-{why}.md", json.loads(said)["body"])
