"""Effects and deployments: owed once, settled once."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from forge.models import Branch, Repo, Repository, User
from hive.ledger import Baseline, DeploymentState, Ledger, StaleLease
from hive.ledger.effects import LEASE_SECONDS
from tests.conftest import Clock

CONFIG = Repo("forgejo", "agent-configs", "iris")
SEEN = Repository(7, CONFIG, "main", archived=False, mirror=False, empty=False, private=True)


def enqueue(ledger: Ledger, key: str = "k") -> int:
    """A deed of core's."""
    return ledger.effects.enqueue("acme", "core", "post_comment", key, "{}")


def adopted(ledger: Ledger) -> Baseline:
    """Iris with her footing."""
    ledger.deployments.register(
        "iris", team="acme", seen=SEEN, branch=Branch("main", "a" * 40, protected=True), cursor=3
    )
    baseline = ledger.deployments.baseline("iris")
    assert baseline is not None
    return baseline


def test_owed_once(ledger: Ledger) -> None:
    """A key is one deed, however often it is wanted."""
    assert enqueue(ledger) == enqueue(ledger)
    assert ledger.effects.due() == [1]


def test_kinds_share_a_key(ledger: Ledger) -> None:
    """A comment and a label under one key are two deeds, and whoever tells of the key tells of both."""
    comment = enqueue(ledger)
    label = ledger.effects.enqueue("acme", "core", "set_labels", "k", "{}")
    assert ledger.effects.due() == [comment, label]
    done = ledger.effects.claim(comment)
    assert done is not None
    ledger.effects.finish(done, {})
    assert ledger.effects.states(["k", "unknown"]) == ["done", "pending", ""]


def test_claimed_by_one(ledger: Ledger, clock: Clock) -> None:
    """Two workers never do one deed; a dead one's is done by the next."""
    effect = ledger.effects.claim(enqueue(ledger))
    assert effect is not None
    assert ledger.effects.claim(effect.id) is None
    clock.pass_(LEASE_SECONDS + 1)
    again = ledger.effects.claim(effect.id)
    assert again is not None
    assert again.attempts == 2
    ledger.effects.finish(again, {"id": 5})
    assert ledger.effects.claim(effect.id) is None
    assert ledger.effects.get(effect.id).result == {"id": 5}


def test_postponed_and_failed(ledger: Ledger, clock: Clock) -> None:
    """What cannot be done now waits; what cannot be done at all stops."""
    effect = ledger.effects.claim(enqueue(ledger))
    assert effect is not None
    ledger.effects.retry(effect, "down", 10)
    assert ledger.effects.due() == []
    clock.pass_(10)
    assert ledger.effects.due() == [effect.id]
    effect = ledger.effects.claim(effect.id)
    assert effect is not None
    ledger.effects.fail(effect, "refused")
    assert ledger.effects.due() == []
    assert ledger.effects.get(effect.id).error == "refused"
    with pytest.raises(LookupError):
        ledger.effects.get(99)


def test_who_lost_a_deed_settles_nothing(ledger: Ledger, clock: Clock) -> None:
    """A worker that comes back after its lease ran out cannot overwrite what the next one says."""
    late = ledger.effects.claim(enqueue(ledger))
    assert late is not None
    clock.pass_(LEASE_SECONDS + 1)
    again = ledger.effects.claim(late.id)
    assert again is not None
    with pytest.raises(StaleLease):
        ledger.effects.finish(late, {})
    with pytest.raises(StaleLease):
        ledger.effects.fail(late, "x")
    ledger.effects.finish(again, {"id": 5})
    with pytest.raises(StaleLease):
        ledger.effects.retry(late, "x", 1)
    assert ledger.effects.get(late.id).state == "done"


def test_footing_is_set_once(ledger: Ledger) -> None:
    """The first head is adopted; later ones have to be merged."""
    baseline = adopted(ledger)
    assert (baseline.sha, baseline.running_sha, baseline.cursor, baseline.branch) == ("a" * 40, "a" * 40, 3, "main")
    other = Branch("main", "b" * 40, protected=True)
    assert not ledger.deployments.register("iris", team="acme", seen=SEEN, branch=other, cursor=9)


def test_success_moves_the_footing(ledger: Ledger) -> None:
    """A deployed commit is what runs and what the next one has to descend from."""
    baseline = adopted(ledger)
    deployment = ledger.deployments.start(baseline, "b" * 40, (4,), 8)
    assert (deployment.previous_sha, deployment.pulls) == ("a" * 40, (4,))
    ledger.deployments.transition(deployment, DeploymentState.BUILD)
    assert ledger.deployments.current("iris") == dataclasses.replace(deployment, state=DeploymentState.BUILD)
    ledger.deployments.transition(deployment, DeploymentState.DEPLOYED)
    assert ledger.deployments.current("iris") is None
    after = ledger.deployments.baseline("iris")
    assert after is not None
    assert (after.sha, after.running_sha, after.cursor, after.rejected_sha) == ("b" * 40, "b" * 40, 8, "")


@pytest.mark.parametrize("state", [DeploymentState.FAILED, DeploymentState.ROLLED_BACK])
def test_failure_keeps_what_runs(ledger: Ledger, state: DeploymentState) -> None:
    """A commit that does not run is accepted history, is not tried again, and does not run."""
    deployment = ledger.deployments.start(adopted(ledger), "b" * 40, (4,), 8)
    ledger.deployments.transition(deployment, state, "no such package")
    after = ledger.deployments.baseline("iris")
    assert after is not None
    assert (after.sha, after.running_sha, after.rejected_sha) == ("b" * 40, "a" * 40, "b" * 40)


def test_rejection_is_said_once(ledger: Ledger) -> None:
    """A head that nobody approved is written down once and moves nothing."""
    baseline = adopted(ledger)
    assert ledger.deployments.reject(baseline, "c" * 40, "direct push")
    after = ledger.deployments.baseline("iris")
    assert after is not None
    assert after.sha == baseline.sha
    assert not ledger.deployments.reject(after, "c" * 40, "direct push")


def test_proposals_are_of_their_repository(ledger: Ledger) -> None:
    """Pins are found by repository, whatever other names begin alike."""
    ledger.proposals.pin(f"{CONFIG}#1", "h1", "t1")
    ledger.proposals.pin(f"{CONFIG}#1", "h1", "t2")
    ledger.proposals.pin("forgejo:agent-configs/iris2#1", "h9", "t9")
    assert ledger.proposals.of_repository(str(CONFIG)) == {"h1": frozenset({"t1", "t2"})}


def test_identities_are_pinned(ledger: Ledger) -> None:
    """A login that turns up with another id is another account."""
    assert ledger.pin("forgejo", User(5, "mara"))
    assert ledger.pin("forgejo", User(5, "mara"))
    assert not ledger.pin("forgejo", User(6, "mara"))
    assert ledger.identity("forgejo", "mara") == User(5, "mara")
    assert ledger.identity("forgejo", "eve") is None


def test_state_survives(tmp_path: Path) -> None:
    """What was written is there when the file is opened again."""
    first = Ledger(tmp_path / "l.db")
    first.audit.add("mara", "issue_opened", ref="x", says="hello")
    first.close()
    second = Ledger(tmp_path / "l.db")
    (row,) = second.audit.after(0)
    assert (row.actor, row.action, row.detail) == ("mara", "issue_opened", {"says": "hello"})
    second.close()


def test_unusable_directory(tmp_path: Path) -> None:
    """A place that cannot hold a ledger is an error that names it."""
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        Ledger(tmp_path / "file" / "ledger.db")
