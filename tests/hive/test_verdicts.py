"""A verdict is of a head for a base: retargeted it counts no more, and on a head that is shared the worst one is shown."""

from __future__ import annotations

from bots.models import Verdict
from bots.review_intents import PostReview
from forge.events import Event, PullChanged, PullClosed
from forge.gitea.writer import GiteaForge
from forge.models import FileEdit, Ref, ReviewState
from hive.demo.setup import FORGE
from hive.outbox.enqueue import enqueue
from hive.worker.worker import Worker
from tests.hive.conftest import CONFIG, HiveEnv

BAD = b"try:\n    work()\nexcept Exception:\n    pass\n"


def test_retargeted_it_is_looked_at_again(hive_env: HiveEnv) -> None:
    """What was green for one branch is pending at once for another, and red there if it is; back again it is green anew."""
    worker = hive_env.worker()
    pull = proposed(hive_env, base="dev")
    look(hive_env, worker, PullChanged(pull, hive_env.mara.user("mara"), "opened"))
    assert (status(hive_env, pull), verdicts(hive_env, pull)) == ("success", ["COMMENT"])

    aim(hive_env, pull, "main")
    look(hive_env, worker, PullChanged(pull, hive_env.mara.user("mara"), "retargeted"), asked=False)
    assert status(hive_env, pull) == status(hive_env, pull, "hive/eval") == "pending"
    assert verdicts(hive_env, pull) == ["COMMENT"]
    look(hive_env, worker)
    assert (status(hive_env, pull), verdicts(hive_env, pull)) == ("failure", ["COMMENT", "REQUEST_CHANGES"])
    assert status(hive_env, pull, "hive/eval") == "success"

    aim(hive_env, pull, "dev")
    look(hive_env, worker, PullChanged(pull, hive_env.mara.user("mara"), "back"))
    assert (status(hive_env, pull), verdicts(hive_env, pull)[-1]) == ("success", "APPROVED")


def test_a_new_title_is_nothing_to_look_at(hive_env: HiveEnv) -> None:
    """The same head for the same base has its verdict: told again, it is not said again."""
    worker, mara = hive_env.worker(), hive_env.mara.user("mara")
    pull = proposed(hive_env, base="dev")
    look(hive_env, worker, PullChanged(pull, mara, "opened"))
    look(hive_env, worker, PullChanged(pull, mara, "retitled"))
    assert verdicts(hive_env, pull) == ["COMMENT"]
    with core(hive_env) as forge:
        forge.commit(CONFIG, [FileEdit("more", b"x\n")], message="Go on", branch="dev")
    look(hive_env, worker, PullChanged(pull, mara, "retitled again"))
    assert (status(hive_env, pull), verdicts(hive_env, pull)) == ("success", ["COMMENT"])


def test_another_branch_under_the_name_of_the_base(hive_env: HiveEnv) -> None:
    """A name says nothing of what is behind it: a base that was replaced is another base."""
    worker, mara = hive_env.worker(), hive_env.mara.user("mara")
    pull = proposed(hive_env, base="dev")
    look(hive_env, worker, PullChanged(pull, mara, "opened"))
    hive_env.mara._client.delete(f"/repos/{CONFIG.path}/branches/dev")
    branch(hive_env, "dev", "main")
    if not hive_env.mara.pull(pull).is_open:
        hive_env.mara.reopen(pull)
    look(hive_env, worker, PullChanged(pull, mara, "reopened"))
    assert (status(hive_env, pull), verdicts(hive_env, pull)[-1]) == ("failure", "REQUEST_CHANGES")


def test_a_shared_head_shows_the_worst(hive_env: HiveEnv) -> None:
    """Two pull requests of one head have one status: the red one blocks both, and only as long as it is open."""
    worker, mara = hive_env.worker(), hive_env.mara.user("mara")
    green = proposed(hive_env, base="dev")
    look(hive_env, worker, PullChanged(green, mara, "a"))
    assert status(hive_env, green) == "success"
    with core(hive_env) as forge:
        red = forge.open_pull(CONFIG, head="side", base="main", title="The same", body="").ref
    look(hive_env, worker, PullChanged(red, mara, "b"), asked=False)
    assert status(hive_env, green) == "pending"
    look(hive_env, worker)
    assert status(hive_env, green) == "failure"
    hive_env.mara.close(red)
    look(hive_env, worker, PullClosed(red, mara, "c"))
    assert status(hive_env, green) == "success"
    hive_env.mara.reopen(red)
    look(hive_env, worker, PullChanged(red, mara, "d"))
    assert status(hive_env, green) == "failure"
    look(hive_env, worker, PullChanged(green, mara, "e"))
    assert status(hive_env, green) == "failure", "to be looked at again makes nobody else green"


def test_who_moves_on_has_no_say_any_more(hive_env: HiveEnv) -> None:
    """When one of two pull requests gets another head, what is shown on the old one is the other's alone."""
    worker, mara = hive_env.worker(), hive_env.mara.user("mara")
    green = proposed(hive_env, base="dev")
    branch(hive_env, "twin", "side")
    with core(hive_env) as forge:
        red = forge.open_pull(CONFIG, head="twin", base="main", title="The same", body="").ref
    look(hive_env, worker, PullChanged(green, mara, "a"), PullChanged(red, mara, "b"))
    assert status(hive_env, green) == "failure"
    with core(hive_env) as forge:
        forge.commit(CONFIG, [FileEdit("more", b"x\n")], message="Go on", branch="twin")
    look(hive_env, worker, PullChanged(red, mara, "c"))
    assert (status(hive_env, green), status(hive_env, red)) == ("success", "failure")


def test_a_review_for_another_base_is_not_posted(hive_env: HiveEnv) -> None:
    """Retargeted while it was looked at: nothing is said of the branch that it goes to no longer."""
    pull = proposed(hive_env, base="main")
    ledger, sha = hive_env.instance.ledger, hive_env.mara.pull(pull).head_sha
    states = []
    for base in ("dev", "main"):
        posted = PostReview(pull, sha, Verdict.GOOD, "🟢", "Well.", (), key=f"r:{base}", base=base)
        effect = enqueue(ledger, "acme", "argus", posted, by="review")
        hive_env.worker().apply(effect)
        states.append(ledger.effects.get(effect).state)
    assert (states, verdicts(hive_env, pull)) == (["superseded", "done"], ["COMMENT"])


def core(hive_env: HiveEnv) -> GiteaForge:
    """The forge as core sees it."""
    return GiteaForge(name=FORGE, url=hive_env.forge.url, token=hive_env.instance.secret_store.token(FORGE, "core"))


def branch(hive_env: HiveEnv, name: str, start: str) -> None:
    """A new branch."""
    hive_env.mara._client.post(f"/repos/{CONFIG.path}/branches", new_branch_name=name, old_ref_name=start)


def proposed(hive_env: HiveEnv, *, base: str) -> Ref:
    """A pull request of the branch `side`, which has all of `dev`, where something is that `main` should not get."""
    branch(hive_env, "dev", "main")
    with core(hive_env) as forge:
        forge.commit(CONFIG, [FileEdit("bad.py", BAD)], message="Swallow it", branch="dev")
        branch(hive_env, "side", "dev")
        forge.commit(CONFIG, [FileEdit("notes", b"x\n")], message="Note it", branch="side")
        return forge.open_pull(CONFIG, head="side", base=base, title="Notes", body="").ref


def aim(hive_env: HiveEnv, pull: Ref, base: str) -> None:
    """Aim a pull request at another branch."""
    hive_env.mara._client.patch(f"/repos/{CONFIG.path}/pulls/{pull.number}", base=base)


def look(hive_env: HiveEnv, worker: Worker, *told: Event, asked: bool = True) -> None:
    """Let bots look at what they are told, and, if they may, at what they asked for then."""
    ledger = hive_env.instance.ledger
    for event in told:
        ledger.jobs.enqueue("acme", [(bot, event) for bot in hive_env.instance.listeners("acme", event)])
    while due := [job for job in ledger.jobs.due() if asked or not is_asked(hive_env, job)]:
        for job in due:
            worker.run_job(job)


def is_asked(hive_env: HiveEnv, job: int) -> bool:
    """Whether a job is a look that a bot asked for."""
    with hive_env.instance.ledger.transaction() as db:
        row = db.execute("SELECT event_type FROM jobs WHERE id = ?", (job,)).fetchone()
    return bool(row["event_type"] == "review_requested")


def status(hive_env: HiveEnv, pull: Ref, context: str = "hive/review") -> str:
    """The newest word on the head of a pull request."""
    sha = hive_env.mara.pull(pull).head_sha
    return next((said.state.value for said in hive_env.mara.statuses(CONFIG, sha) if said.context == context), "")


def verdicts(hive_env: HiveEnv, pull: Ref) -> list[str]:
    """The reviews of a pull request."""
    return [
        review.state.value for review in hive_env.mara.reviews(pull) if review.state is not ReviewState.REQUEST_REVIEW
    ]
