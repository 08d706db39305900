"""What is known of repositories: which id bears which name, and what goes on under another one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from forge.models import Repo
from hive.ledger import Ledger

APP, STORE = Repo("work", "acme", "app"), Repo("work", "acme", "store")


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """An empty ledger whose clock goes on."""
    opened = Ledger(tmp_path / "ledger.db")
    yield opened
    opened.close()


def test_the_first_one_is_meant(ledger: Ledger) -> None:
    """Neither another id under the name nor another name for the id takes its place, however it is spelt."""
    known = ledger.repositories
    assert known.pin(APP, 7)
    assert not known.pin(Repo("work", "Acme", "App"), 8)
    assert not known.pin(STORE, 7)
    found = known.of(Repo("work", "ACME", "APP"))
    assert found is not None
    assert (found.id, found.repo, found.now) == (7, APP, APP)
    assert known.by_id("other", 7) is None


def test_a_name_is_rewritten_where_it_stands_whole(ledger: Ledger) -> None:
    """Runs, keys and what is owed go on under the new name; names that only begin alike, and people's words, stay."""
    known = ledger.repositories
    known.pin(APP, 7)
    run = ledger.runs.start("acme", "iris", "work:acme/app#3", "k", "m")
    near = ledger.runs.start("acme", "iris", "work:acme/app-2#3", "l", "m")
    payload = '{"ref":{"repo":{"forge":"work","owner":"acme","name":"app"},"number":3},"body":"see work:acme/app#3"}'
    effect = ledger.effects.enqueue(
        "acme", "core", "post_comment", "a:work:acme/app#3:b", payload, ref="work:acme/app#3"
    )
    ledger.deliveries.move_cursor("begin:work:acme/app", "then")
    pinned = known.of(APP)
    assert pinned is not None
    known.rename(pinned, STORE)
    record, other = ledger.runs.record(run), ledger.runs.record(near)
    assert record is not None
    assert other is not None
    assert (record.ref, other.ref) == ("work:acme/store#3", "work:acme/app-2#3")
    pending = ledger.effects.get(effect)
    assert (pending.ref, pending.key) == ("work:acme/store#3", "a:work:acme/store#3:b")
    assert pending.payload == payload.replace('"name":"app"', '"name":"store"')
    assert ledger.deliveries.cursor("begin:work:acme/store") == "then"
