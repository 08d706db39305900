"""A configuration repository that is gone or replaced is said once, where it can be read, and leaves a row."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from bots.intents import OpenIssue
from forge.types import Branch, Repo, Repository
from hive.ledger import Ledger
from hive.reconcile.report import Reporter
from hive.reconcile.verify import Rejected

CONFIG, META = Repo("work", "agent-configs", "iris"), Repo("work", "hive", "meta")
SEEN = Repository(7, CONFIG, "main", archived=False, mirror=False, empty=False, private=True)


@pytest.mark.parametrize(
    "verdict", [Rejected("repository moved"), Rejected("repository replaced", "its id is 9")], ids=lambda v: v.reason
)
def test_a_lost_repository_golden(ledger: Ledger, golden: Callable[[str, str], None], verdict: Rejected) -> None:
    """There is no head to refuse: the refusal itself is remembered, one issue in hive/meta says it, and nothing is built."""
    deployments = ledger.deployments
    deployments.adopt("iris", team="acme", seen=SEEN, branch=Branch("main", "a" * 40, protected=True), cursor=3)
    reporter = Reporter(ledger, "core", META)
    for _ in range(2):
        anchor = deployments.anchor("iris")
        assert anchor is not None
        if deployments.reject(anchor, verdict.reason, verdict.reason):
            reporter.rejected(anchor, CONFIG, "", verdict)
    (row,) = [row for row in ledger.audit.after(0) if row.what == "Rejected"]
    assert row.detail["reason"] == verdict.reason
    (number,) = ledger.effects.due()
    effect = ledger.effects.get(number)
    said = json.loads(effect.payload)
    assert (effect.kind, effect.actor) == (OpenIssue.__name__, "core")
    assert META.name in json.dumps(said["repo"])
    golden(f"host/{verdict.reason.replace(' ', '-')}.md", f"{said['title']}\n\n{said['body']}")
