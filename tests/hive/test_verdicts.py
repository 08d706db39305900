"""A verdict is of a head for a base: retargeted it counts no more, and on a head that is shared the worst one is shown."""

from __future__ import annotations

from bots.intents import PostReview
from bots.types import Verdict
from forge.events import Event, PullChanged, PullClosed
from forge.gitea.write import GiteaForge
from forge.types import FileEdit, Ref, ReviewState
from hive.apply import owe
from hive.demo.stage import FORGE
from hive.work import Worker
from tests.hive.conftest import CONFIG, Village

BAD = b"try:\n    work()\nexcept Exception:\n    pass\n"


def test_retargeted_it_is_looked_at_again(village: Village) -> None:
    """What was green for one branch is pending at once for another, and red there if it is; back again it is green anew."""
    worker = village.worker()
    pull = proposed(village, base="dev")
    look(village, worker, PullChanged(pull, village.mara.user("mara"), "opened"))
    assert (status(village, pull), verdicts(village, pull)) == ("success", ["APPROVED"])

    aim(village, pull, "main")
    look(village, worker, PullChanged(pull, village.mara.user("mara"), "retargeted"), asked=False)
    assert status(village, pull) == status(village, pull, "hive/eval") == "pending"
    assert verdicts(village, pull) == ["APPROVED"]
    look(village, worker)
    assert (status(village, pull), verdicts(village, pull)) == ("failure", ["APPROVED", "REQUEST_CHANGES"])
    assert status(village, pull, "hive/eval") == "success"

    aim(village, pull, "dev")
    look(village, worker, PullChanged(pull, village.mara.user("mara"), "back"))
    assert (status(village, pull), verdicts(village, pull)[-1]) == ("success", "APPROVED")


def test_a_new_title_is_nothing_to_look_at(village: Village) -> None:
    """The same head for the same base has its verdict: told again, it is not said again."""
    worker, mara = village.worker(), village.mara.user("mara")
    pull = proposed(village, base="dev")
    look(village, worker, PullChanged(pull, mara, "opened"))
    look(village, worker, PullChanged(pull, mara, "retitled"))
    assert verdicts(village, pull) == ["APPROVED"]
    with core(village) as forge:
        forge.commit(CONFIG, [FileEdit("more", b"x\n")], message="Go on", branch="dev")
    look(village, worker, PullChanged(pull, mara, "retitled again"))
    assert (status(village, pull), verdicts(village, pull)) == ("success", ["APPROVED"])


def test_another_branch_under_the_name_of_the_base(village: Village) -> None:
    """A name says nothing of what is behind it: a base that was replaced is another base."""
    worker, mara = village.worker(), village.mara.user("mara")
    pull = proposed(village, base="dev")
    look(village, worker, PullChanged(pull, mara, "opened"))
    village.mara._client.delete(f"/repos/{CONFIG.path}/branches/dev")
    branch(village, "dev", "main")
    if not village.mara.pull(pull).is_open:
        village.mara.reopen(pull)
    look(village, worker, PullChanged(pull, mara, "reopened"))
    assert (status(village, pull), verdicts(village, pull)[-1]) == ("failure", "REQUEST_CHANGES")


def test_a_shared_head_shows_the_worst(village: Village) -> None:
    """Two pull requests of one head have one status: the red one blocks both, and only as long as it is open."""
    worker, mara = village.worker(), village.mara.user("mara")
    green = proposed(village, base="dev")
    look(village, worker, PullChanged(green, mara, "a"))
    assert status(village, green) == "success"
    with core(village) as forge:
        red = forge.open_pull(CONFIG, head="side", base="main", title="The same", body="").ref
    look(village, worker, PullChanged(red, mara, "b"), asked=False)
    assert status(village, green) == "pending"
    look(village, worker)
    assert status(village, green) == "failure"
    village.mara.close(red)
    look(village, worker, PullClosed(red, mara, "c"))
    assert status(village, green) == "success"
    village.mara.reopen(red)
    look(village, worker, PullChanged(red, mara, "d"))
    assert status(village, green) == "failure"
    look(village, worker, PullChanged(green, mara, "e"))
    assert status(village, green) == "failure", "to be looked at again makes nobody else green"


def test_who_moves_on_has_no_say_any_more(village: Village) -> None:
    """When one of two pull requests gets another head, what is shown on the old one is the other's alone."""
    worker, mara = village.worker(), village.mara.user("mara")
    green = proposed(village, base="dev")
    branch(village, "twin", "side")
    with core(village) as forge:
        red = forge.open_pull(CONFIG, head="twin", base="main", title="The same", body="").ref
    look(village, worker, PullChanged(green, mara, "a"), PullChanged(red, mara, "b"))
    assert status(village, green) == "failure"
    with core(village) as forge:
        forge.commit(CONFIG, [FileEdit("more", b"x\n")], message="Go on", branch="twin")
    look(village, worker, PullChanged(red, mara, "c"))
    assert (status(village, green), status(village, red)) == ("success", "failure")


def test_a_review_for_another_base_is_not_posted(village: Village) -> None:
    """Retargeted while it was looked at: nothing is said of the branch that it goes to no longer."""
    pull = proposed(village, base="main")
    ledger, sha = village.house.ledger, village.mara.pull(pull).head_sha
    states = []
    for base in ("dev", "main"):
        posted = PostReview(pull, sha, Verdict.GOOD, "🟢", "Well.", (), key=f"r:{base}", base=base)
        effect = owe(ledger, "acme", "argus", posted, by="review")
        village.worker().apply(effect)
        states.append(ledger.effects.get(effect).state)
    assert (states, verdicts(village, pull)) == (["superseded", "done"], ["APPROVED"])


def core(village: Village) -> GiteaForge:
    """The forge as core sees it."""
    return GiteaForge(name=FORGE, url=village.forge.url, token=village.house.vault.token(FORGE, "core"))


def branch(village: Village, name: str, start: str) -> None:
    """A new branch."""
    village.mara._client.post(f"/repos/{CONFIG.path}/branches", new_branch_name=name, old_ref_name=start)


def proposed(village: Village, *, base: str) -> Ref:
    """A pull request of the branch `side`, which has all of `dev`, where something is that `main` should not get."""
    branch(village, "dev", "main")
    with core(village) as forge:
        forge.commit(CONFIG, [FileEdit("bad.py", BAD)], message="Swallow it", branch="dev")
        branch(village, "side", "dev")
        forge.commit(CONFIG, [FileEdit("notes", b"x\n")], message="Note it", branch="side")
        return forge.open_pull(CONFIG, head="side", base=base, title="Notes", body="").ref


def aim(village: Village, pull: Ref, base: str) -> None:
    """Aim a pull request at another branch."""
    village.mara._client.patch(f"/repos/{CONFIG.path}/pulls/{pull.number}", base=base)


def look(village: Village, worker: Worker, *told: Event, asked: bool = True) -> None:
    """Let bots look at what they are told, and, if they may, at what they asked for then."""
    ledger = village.house.ledger
    for event in told:
        ledger.jobs.owe("acme", [(bot, event) for bot in village.house.listeners("acme", event)])
    while due := [job for job in ledger.jobs.due() if asked or not is_asked(village, job)]:
        for job in due:
            worker.look(job)


def is_asked(village: Village, job: int) -> bool:
    """Whether a job is a look that a bot asked for."""
    with village.house.ledger.transaction() as db:
        row = db.execute("SELECT event_type FROM jobs WHERE id = ?", (job,)).fetchone()
    return bool(row["event_type"] == "review_requested")


def status(village: Village, pull: Ref, context: str = "hive/review") -> str:
    """The newest word on the head of a pull request."""
    sha = village.mara.pull(pull).head_sha
    return next((said.state.value for said in village.mara.statuses(CONFIG, sha) if said.context == context), "")


def verdicts(village: Village, pull: Ref) -> list[str]:
    """The reviews of a pull request."""
    return [
        review.state.value for review in village.mara.reviews(pull) if review.state is not ReviewState.REQUEST_REVIEW
    ]
