"""Whoever is waited for is asked by name: once, by the configuration's word and by nobody else's."""

from __future__ import annotations

from bots.intents import OpenIssue, RequestReview
from forge.gitea.writer import GiteaForge
from forge.models import FileEdit, Ref
from hive.demo.setup import FORGE
from hive.outbox.enqueue import enqueue
from hive.worker.label_sync import LabelSync
from tests.hive.conftest import APP, CONFIG, HiveEnv


def test_a_pull_request_is_asked_of_its_operators(hive_env: HiveEnv) -> None:
    """They are requested as reviewers, however often it is wanted; on a pull request of their own nobody is."""
    theirs, own = proposed(hive_env, "theirs"), proposed(hive_env, "own", by="mara")
    assert request(hive_env, theirs, "mara", key="a") == "done"
    assert [user.login for user in hive_env.mara.pull(theirs).reviewers] == ["mara"]
    assert request(hive_env, theirs, "mara", key="b") == "done"
    assert [user.login for user in hive_env.mara.pull(theirs).reviewers] == ["mara"]
    assert request(hive_env, own, "mara", key="c") == "superseded"
    hive_env.mara.close(theirs)
    assert request(hive_env, theirs, "mara", key="d") == "superseded"
    assert said(hive_env, theirs) == said(hive_env, own) == []


def test_who_cannot_be_asked_is_called(hive_env: HiveEnv) -> None:
    """Where the forge lets nobody be requested, a comment calls them, once."""
    pull = proposed(hive_env, "theirs")
    for _ in range(2):
        assert request(hive_env, pull, "milo", key="a") == "done"
    assert said(hive_env, pull) == ["🙋 @milo: this pull request waits for you."]


def test_a_question_calls_once(hive_env: HiveEnv) -> None:
    """A run that is blocked or failed calls its operators; blocked again it does not, and an answer calls nobody."""
    ledger = hive_env.instance.ledger
    issue = hive_env.mara.open_issue(APP, "A page is wrong", "It shows 0.", marker="It shows").ref
    run = ledger.runs.start("acme", "iris", str(issue), "k", "do it")
    for number, outcome in enumerate(("answered", "blocked", "failed", "blocked")):
        turn = ledger.runs.claim("iris")
        assert turn is not None
        ledger.runs.end_turn(turn, outcome)
        drain(hive_env)
        assert len(said(hive_env, issue)) == min(number, 1), outcome
        ledger.runs.add_turn(run, f"k{number}", "go on", by_person=True)
        drain(hive_env)
    assert said(hive_env, issue) == ["🙋 @mara: @iris waits for you here."]


def test_what_is_told_in_the_hives_own_place_calls_the_team(hive_env: HiveEnv) -> None:
    """A token that is refused, a subject that was stopped: the issue that tells of it names those who can do something."""
    meta = hive_env.instance.ops("acme")
    effect = enqueue(
        hive_env.instance.ledger, "acme", "core", OpenIssue(meta, "🔴 a token", "It is refused.", key="t"), by="hive"
    )
    hive_env.worker().apply(effect)
    ref = Ref.parse(str(hive_env.instance.ledger.effects.get(effect).result["ref"]))
    with core(hive_env) as forge:
        assert forge.issue(ref).body.startswith("It is refused.\n\n🙋 @mara\n")


def core(hive_env: HiveEnv) -> GiteaForge:
    """The forge as core sees it."""
    return GiteaForge(name=FORGE, url=hive_env.forge.url, token=hive_env.instance.secret_store.token(FORGE, "core"))


def proposed(hive_env: HiveEnv, name: str, *, by: str = "core") -> Ref:
    """A pull request on iris' configuration."""
    hive_env.mara._client.post(f"/repos/{CONFIG.path}/branches", new_branch_name=name, old_ref_name="main")
    with core(hive_env) as forge:
        forge.commit(CONFIG, [FileEdit(name, b"x\n")], message="Note it", branch=name)
        opener = hive_env.mara if by == "mara" else forge
        return opener.open_pull(CONFIG, head=name, base="main", title=name, body="").ref


def request(hive_env: HiveEnv, pull: Ref, login: str, *, key: str) -> str:
    """How it stands with the wish for a review."""
    ledger = hive_env.instance.ledger
    effect = enqueue(ledger, "acme", "core", RequestReview(pull, (login,), key=key), by="lane")
    hive_env.worker().apply(effect)
    return ledger.effects.get(effect).state


def drain(hive_env: HiveEnv) -> None:
    """Do everything that is due."""
    worker = hive_env.worker()
    for _ in range(2):
        LabelSync(hive_env.instance.ledger, "core", hive_env.instance.teams).sync()
        for effect in hive_env.instance.ledger.effects.due():
            worker.apply(effect)


def said(hive_env: HiveEnv, ref: Ref) -> list[str]:
    """The first lines on a thread."""
    return [comment.body.partition("\n")[0] for comment in hive_env.mara.comments(ref)]
