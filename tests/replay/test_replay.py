"""A decision can be made again without a forge, and what would be decided otherwise is seen."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from bots.bot import Bot, Context
from bots.intents import Intent, PostComment, SetLabels
from forge.events import IssueOpened, PullChanged
from forge.gitea.writer import GiteaForge
from forge.models import PullRequest
from forge.webhook import Delivery
from hive.app.replay import replaying
from hive.cli import main
from hive.ledger import Ledger, compress
from hive.replay import Cannot
from tests.hive.conftest import APP, CONFIG, HiveEnv, make_env
from tests.hive.test_commands import deliver, drain, sweep


@pytest.fixture
def hive_env(tmp_path: Path) -> Iterator[HiveEnv]:
    """A forge of its own for each test, made ready for one team."""
    with make_env(tmp_path) as made:
        yield made


def jobs(ledger: Ledger) -> dict[int, str]:
    """The jobs of bots that ended, by id."""
    with ledger.transaction() as db:
        rows = db.execute("SELECT id, bot FROM jobs WHERE state = 'done' AND bot != 'refresh'").fetchall()
    return {row["id"]: row["bot"] for row in rows}


def told(hive_env: HiveEnv, what: str) -> tuple[list[str], bool]:
    """What a replay says, and whether anything differs."""
    again = replaying(hive_env.instance)
    lines = list(again.lines(what))
    return lines, again.differs


def propose(hive_env: HiveEnv) -> PullRequest:
    """Mara proposes a change of iris' configuration."""
    hive_env.mara._client.post(f"/repos/{CONFIG.path}/branches", new_branch_name="side", old_ref_name="main")
    hive_env.mara.put_file(CONFIG, "notes.md", b"x\n", message="x", branch="side")
    return hive_env.mara.open_pull(CONFIG, head="side", base="main", title="Notes", body="")


@pytest.fixture
def day(hive_env: HiveEnv) -> HiveEnv:
    """An issue, a command, a pull request and a change of a configuration, each dealt with; then the forge is gone."""
    worker = hive_env.worker()
    ref = hive_env.mara.open_issue(APP, "A page is wrong", "It shows 0.", marker="It shows").ref
    sweep(hive_env)
    drain(hive_env, worker)
    deliver(hive_env, hive_env.mara.comment(ref, "/cancel", marker="/cancel"), "u1")
    drain(hive_env, worker)
    propose(hive_env)
    sweep(hive_env)
    drain(hive_env, worker)
    hive_env.forge.stop()
    return hive_env


def test_every_bot_decides_as_before(day: HiveEnv) -> None:
    """Whatever was asked is on the tape: the same is wanted again, though nobody can be asked any more."""
    done = jobs(day.instance.ledger)
    assert set(done.values()) == {"triage", "commands", "lane", "review", "reviewers", "gatekeeper", "wakes"}
    for number in done:
        lines, differs = told(day, f"job:{number}")
        assert not differs, "\n".join(lines)
    said = [line for number in done for line in told(day, str(number))[0]]
    assert any(line.startswith("  same  set_labels triage:labels:") for line in said)
    assert all(line.isprintable() for line in said)


def test_a_bot_that_decides_otherwise_is_seen(day: HiveEnv) -> None:
    """What would be wanted now and was not then, what was and would not be, and what of it changed."""
    number = next(number for number, bot in jobs(day.instance.ledger).items() if bot == "triage")
    (action, *_) = (e for e in day.instance.ledger.effects.of_job(number) if e.kind == "set_labels")
    other = Bot("triage", may={PostComment, SetLabels})

    @other.on(IssueOpened)
    def say(event: IssueOpened, ctx: Context) -> Iterator[Intent]:
        ctx.forge.issue(event.ref)
        yield SetLabels(event.ref, add=("type/feature",), key=json.loads(action.payload)["key"])
        yield PostComment(event.ref, "And bye.", key="bye")

    day.instance.bots["triage"] = other
    lines, differs = told(day, f"job:{number}")
    assert differs
    assert any(line.startswith("! other set_labels triage:labels:") for line in lines)
    assert "    + add: ['type/feature']" in lines
    assert "+ now   post_comment triage:bye" in lines
    assert any(line.startswith("- then  show_triage") for line in lines)

    @dataclasses.dataclass
    class Curious:
        def __call__(self, event: IssueOpened, ctx: Context) -> Iterator[Intent]:
            ctx.forge.diff(event.ref)
            yield from ()

    curious = Bot("triage", may=())
    curious.on(IssueOpened)(Curious())
    day.instance.bots["triage"] = curious
    lines, differs = told(day, f"job:{number}")
    assert differs
    assert lines[-1] == "! asks  forge.diff, which was not asked then"


def test_errors_are_played_too(hive_env: HiveEnv) -> None:
    """What a forge could not tell then, it cannot tell now: a command in a comment that was gone commands nothing again."""
    ref = hive_env.mara.open_issue(APP, "A page is wrong", "It shows 0.", marker="It shows").ref
    comment = hive_env.mara.comment(ref, "/help", marker="/help")
    deliver(hive_env, comment, "u1")
    hive_env.mara.delete_comment(ref, comment.id)
    drain(hive_env, hive_env.worker())
    hive_env.forge.stop()
    number = next(number for number, bot in jobs(hive_env.instance.ledger).items() if bot == "commands")
    lines, differs = told(hive_env, f"job:{number}")
    assert (lines[-1], differs) == ("  same  no intents", False)


def test_a_delivery_and_a_run(day: HiveEnv) -> None:
    """A delivery shows its events and the looks that came of it; a run, the looks that began and moved it."""
    lines, differs = told(day, "delivery:1")
    assert lines[0].startswith("delivery 1  issue_comment u1 from forgejo")
    assert any("comment_posted forgejo:acme/app#1  by mara" in line for line in lines)
    assert any("commands comment_posted" in line for line in lines)
    assert not differs
    lines, differs = told(day, "run:1")
    assert any("  lane issue_" in line for line in lines), "whichever of the two looks came first"
    assert not differs


def test_what_cannot_be_decided_again_says_why(day: HiveEnv) -> None:
    """A sentence, whatever is missing; what is older than is kept is told as such."""
    ledger = day.instance.ledger
    ledger.deliveries.receive(Delivery("forgejo", "bad", "issues", b"{}"), compress(b"[]"))
    for what, says in (
        ("job:999", "there is no job 999"),
        ("delivery:999", "there is no delivery 999"),
        ("run:999", "there is no run 999"),
        ("turn:1", "name a job, a delivery or a run"),
        ("job:x\x1b[2J", "name a job"),
        ("delivery:2", "delivery 2 cannot be read"),
    ):
        with pytest.raises(Cannot, match=says):
            told(day, what)
    number = next(iter(jobs(ledger)))
    while ledger.forget(ledger.clock() + 60):
        pass
    lines, differs = told(day, f"job:{number}")
    assert (lines[-1], differs) == ("  no recording: nothing was read, or it is no longer kept", False)
    with pytest.raises(Cannot, match="no longer kept"):
        told(day, "delivery:1")


def test_the_command(day: HiveEnv) -> None:
    """`hive replay` ends with 0 if the same is wanted, 1 if it cannot be told, and names what it is about."""
    config = str(day.instance.settings.home / "hive.yaml")
    number = next(iter(jobs(day.instance.ledger)))
    same = CliRunner().invoke(main, ["replay", f"job:{number}", config])
    assert (same.exit_code, same.output.splitlines()[0].startswith(f"job {number}  ")) == (0, True)
    none = CliRunner().invoke(main, ["replay", "job:999", config])
    assert none.exit_code == 1
    assert "there is no job 999" in none.output


def test_a_pull_request_that_was_overtaken_leaves_nothing(hive_env: HiveEnv) -> None:
    """What a look saw of an older head is not said when the next look is owed already."""
    ledger, worker = hive_env.instance.ledger, hive_env.worker()
    pull = propose(hive_env)
    ref = pull.ref
    (job,) = ledger.jobs.enqueue("acme", [("review", PullChanged(ref, pull.author, "a"))])
    taken = ledger.jobs.claim(job)
    assert taken is not None
    ledger.jobs.enqueue("acme", [("review", PullChanged(ref, pull.author, "b"))])
    worker._run(taken, claim_next=False)
    assert ledger.effects.of_job(job) == []
    with ledger.transaction() as db:
        states = [row["state"] for row in db.execute("SELECT state FROM jobs ORDER BY id")]
    assert states == ["superseded", "pending"]
    with GiteaForge(
        name=APP.forge, url=hive_env.forge.url, token=hive_env.instance.secret_store.token(APP.forge, "argus")
    ) as argus:
        assert argus.reviews(ref) == []
