"""Whoever is waited for is asked by name: once, by the configuration's word and by nobody else's."""

from __future__ import annotations

from bots.intents import OpenIssue, RequestReview
from forge.gitea.write import GiteaForge
from forge.types import FileEdit, Ref
from hive.apply import owe
from hive.demo.stage import FORGE
from hive.labels import StateLabels
from tests.hive.conftest import APP, CONFIG, Village


def test_a_pull_request_is_asked_of_its_operators(village: Village) -> None:
    """They are requested as reviewers, however often it is wanted; on a pull request of their own nobody is."""
    theirs, own = proposed(village, "theirs"), proposed(village, "own", by="mara")
    assert request(village, theirs, "mara", key="a") == "done"
    assert [user.login for user in village.mara.pull(theirs).reviewers] == ["mara"]
    assert request(village, theirs, "mara", key="b") == "done"
    assert [user.login for user in village.mara.pull(theirs).reviewers] == ["mara"]
    assert request(village, own, "mara", key="c") == "superseded"
    village.mara.close(theirs)
    assert request(village, theirs, "mara", key="d") == "superseded"
    assert said(village, theirs) == said(village, own) == []


def test_who_cannot_be_asked_is_called(village: Village) -> None:
    """Where the forge lets nobody be requested, a comment calls them, once."""
    pull = proposed(village, "theirs")
    for _ in range(2):
        assert request(village, pull, "milo", key="a") == "done"
    assert said(village, pull) == ["🙋 @milo: this pull request waits for you."]


def test_a_question_calls_once(village: Village) -> None:
    """A run that is blocked or failed calls its operators; blocked again it does not, and an answer calls nobody."""
    ledger = village.house.ledger
    issue = village.mara.open_issue(APP, "A page is wrong", "It shows 0.", marker="It shows").ref
    run = ledger.runs.start("acme", "iris", str(issue), "k", "do it")
    for number, outcome in enumerate(("answered", "blocked", "failed", "blocked")):
        turn = ledger.runs.take("iris")
        assert turn is not None
        ledger.runs.end_turn(turn, outcome)
        drain(village)
        assert len(said(village, issue)) == min(number, 1), outcome
        ledger.runs.push(run, f"k{number}", "go on", by_person=True)
        drain(village)
    assert said(village, issue) == ["🙋 @mara: @iris waits for you here."]


def test_what_is_told_in_the_hives_own_place_calls_the_team(village: Village) -> None:
    """A token that is refused, a subject that was stopped: the issue that tells of it names those who can do something."""
    meta = village.house.ops("acme")
    effect = owe(
        village.house.ledger, "acme", "core", OpenIssue(meta, "🔴 a token", "It is refused.", key="t"), by="hive"
    )
    village.worker().apply(effect)
    ref = Ref.parse(str(village.house.ledger.effects.get(effect).result["ref"]))
    with core(village) as forge:
        assert forge.issue(ref).body.startswith("It is refused.\n\n🙋 @mara\n")


def core(village: Village) -> GiteaForge:
    """The forge as core sees it."""
    return GiteaForge(name=FORGE, url=village.forge.url, token=village.house.vault.token(FORGE, "core"))


def proposed(village: Village, name: str, *, by: str = "core") -> Ref:
    """A pull request on iris' configuration."""
    village.mara._client.post(f"/repos/{CONFIG.path}/branches", new_branch_name=name, old_ref_name="main")
    with core(village) as forge:
        forge.commit(CONFIG, [FileEdit(name, b"x\n")], message="Note it", branch=name)
        opener = village.mara if by == "mara" else forge
        return opener.open_pull(CONFIG, head=name, base="main", title=name, body="").ref


def request(village: Village, pull: Ref, login: str, *, key: str) -> str:
    """How it stands with the wish for a review."""
    ledger = village.house.ledger
    effect = owe(ledger, "acme", "core", RequestReview(pull, (login,), key=key), by="lane")
    village.worker().apply(effect)
    return ledger.effects.get(effect).state


def drain(village: Village) -> None:
    """Do everything that is due."""
    worker = village.worker()
    for _ in range(2):
        StateLabels(village.house.ledger, "core", village.house.teams).catch_up()
        for effect in village.house.ledger.effects.due():
            worker.apply(effect)


def said(village: Village, ref: Ref) -> list[str]:
    """The first lines on a thread."""
    return [comment.body.partition("\n")[0] for comment in village.mara.comments(ref)]
