"""Labels tell how an agent's work stands: one state at a time, none on what is closed, whoever touches them."""

from __future__ import annotations

import pytest
import requests

from bots.intents import EndRun, SyncStateLabels
from forge.gitea.admin import GiteaAdmin
from forge.models import Label, Ref
from hive.app.set_up import ADMIN
from hive.demo.setup import FORGE
from hive.ledger import NEVER, Ledger, RunState, Scope, SuspensionReason
from hive.outbox.enqueue import enqueue
from hive.outbox.state_labels import labels_of, labels_of_issue
from hive.worker.label_sync import LabelSync
from hive.worker.worker import Worker
from tests.hive.conftest import APP, HiveEnv

PULL = f"{APP}#2"


def standing(
    *,
    is_open: bool = True,
    is_busy: bool = False,
    pull: str | None = None,
    blocked: str = "",
    last: str = "",
    suspended: SuspensionReason | None = None,
) -> RunState:
    """A run that stands so."""
    ended = "" if is_open else "merged"
    return RunState(1, "acme", "iris", f"{APP}#1", pull, is_open, ended, blocked, last, is_busy, suspended, None)


@pytest.mark.parametrize(
    ("run", "label"),
    [
        (standing(is_busy=True), "state/working"),
        (standing(is_busy=True, pull=PULL), "state/working"),
        (standing(is_busy=True, blocked="stuck", last="failed"), "state/working"),
        (standing(is_busy=True, suspended=SuspensionReason.RATE_LIMITED), "state/rate-limited"),
        (standing(is_busy=True, suspended=SuspensionReason.NEEDS_LOGIN), "state/needs-login"),
        (standing(is_busy=True, suspended=SuspensionReason.OVER_BUDGET), "state/over-budget"),
        (standing(is_busy=True, suspended=SuspensionReason.PAUSED), "state/paused"),
        (standing(pull=PULL, last="pushed"), "state/review"),
        (standing(pull=PULL, last="answered"), "state/review"),
        (standing(last="answered"), ""),
        (standing(last="blocked"), "needs-operator"),
        (standing(last="failed", pull=PULL), "needs-operator"),
        (standing(last="proposed"), "needs-operator"),
        (standing(last="pushed", pull=PULL, blocked="stuck"), "needs-operator"),
        (standing(is_open=False, is_busy=True, pull=PULL, blocked="stuck"), ""),
    ],
    ids=str,
)
def test_a_state_is_one_label(run: RunState, label: str) -> None:
    """Each state of a run has its label, and a run that is over has none."""
    assert labels_of(run) == ({label} if label else set())


def test_two_runs_on_one_issue_show_one_state() -> None:
    """Of several states that is shown on which most goes on; who waits for an operator is seen beside it."""
    runs = [standing(pull=PULL), standing(is_busy=True), standing(last="blocked"), standing(is_open=False)]
    assert labels_of_issue(runs) == {"state/working", "needs-operator"}


def test_labels_follow_a_run(hive_env: HiveEnv) -> None:
    """Working, suspended, in review, blocked, over: at each change the issue has the new label and not the old one."""
    ledger, worker, issue = hive_env.instance.ledger, hive_env.worker(), new_issue(hive_env)
    run = ledger.runs.start("acme", "iris", str(issue), "k", "do it")
    assert shown(hive_env, worker, issue) == {"state/working"}
    ledger.suspensions.suspend("acme", Scope.AGENT, "iris", SuspensionReason.PAUSED, "paused by mara", until=NEVER)
    assert shown(hive_env, worker, issue) == {"state/paused"}
    ledger.suspensions.resume("acme", Scope.AGENT, "iris", SuspensionReason.PAUSED)
    assert shown(hive_env, worker, issue) == {"state/working"}
    end_turn(ledger, "blocked")
    assert shown(hive_env, worker, issue) == {"needs-operator"}
    ledger.runs.add_turn(run, "k2", "go on", by_person=True)
    assert shown(hive_env, worker, issue) == {"state/working"}
    ledger.runs.set_pull(run, str(new_issue(hive_env, "stands for a pull request")))
    end_turn(ledger, "pushed")
    assert shown(hive_env, worker, issue) == {"state/review"}
    ledger.runs.block(run, "stuck")
    assert shown(hive_env, worker, issue) == {"needs-operator"}
    ledger.runs.end(run, "cancelled")
    assert shown(hive_env, worker, issue) == set()


@pytest.mark.parametrize("forgotten", [False, True])
def test_a_label_of_a_moment_goes_with_the_run(hive_env: HiveEnv, *, forgotten: bool) -> None:
    """A turn ends between the enqueuing of labels and their setting, and the run before the next look: nothing stays."""
    ledger, worker, issue = hive_env.instance.ledger, hive_env.worker(), new_issue(hive_env)
    run = ledger.runs.start("acme", "iris", str(issue), "k", "do it")
    LabelSync(ledger, "core", hive_env.instance.teams).sync()
    end_turn(ledger, "blocked")
    if forgotten:
        ledger.run_states.forget_labels()
    for effect in ledger.effects.due():
        worker.apply(effect)
    assert set(hive_env.mara.issue(issue).labels) == {"needs-operator"}
    ledger.runs.end(run, "cancelled")
    assert shown(hive_env, worker, issue) == set()


def test_an_operator_is_called_though_the_label_is_there(hive_env: HiveEnv) -> None:
    """The label of an earlier look may tell the end of a turn already: its operator is called by the next one."""
    ledger, worker, issue = hive_env.instance.ledger, hive_env.worker(), new_issue(hive_env)
    ledger.runs.start("acme", "iris", str(issue), "k", "do it")
    LabelSync(ledger, "core", hive_env.instance.teams).sync()
    end_turn(ledger, "blocked")
    for effect in ledger.effects.due():
        worker.apply(effect)
    assert shown(hive_env, worker, issue) == {"needs-operator"}
    assert [comment.body for comment in hive_env.mara.comments(issue) if "@mara" in comment.body]


def test_only_the_turn_that_comes_next_shows_a_suspension(hive_env: HiveEnv) -> None:
    """Who waits behind it is not told of the model's moods: thirty issues do not flicker."""
    ledger, worker = hive_env.instance.ledger, hive_env.worker()
    refs = [new_issue(hive_env, f"No. {number}") for number in range(2)]
    for number, ref in enumerate(refs):
        ledger.runs.start("acme", "iris", str(ref), f"k{number}", "do it")
    ledger.suspensions.suspend("acme", Scope.AGENT, "iris", SuspensionReason.RATE_LIMITED, "429")
    assert [shown(hive_env, worker, ref) for ref in refs] == [{"state/rate-limited"}, {"state/working"}]


def test_nothing_is_written_while_nothing_changes(hive_env: HiveEnv) -> None:
    """The ledger knows what was enqueued: looking again enqueues nothing, and a start enqueues what is open once more."""
    ledger, worker, issue = hive_env.instance.ledger, hive_env.worker(), new_issue(hive_env)
    ledger.runs.start("acme", "iris", str(issue), "k", "do it")
    assert [shown(hive_env, worker, issue) for _ in range(3)] == [{"state/working"}] * 3
    assert enqueued(ledger) == 1
    hive_env.mara.label(issue, add=(), remove=["state/working"])
    ledger.run_states.forget_labels()
    assert shown(hive_env, worker, issue) == {"state/working"}
    assert enqueued(ledger) == 2


def test_what_people_do_to_labels_is_put_right(hive_env: HiveEnv) -> None:
    """A state that was added or taken away by hand comes back as it is; other labels are nobody's business."""
    ledger, worker, issue = hive_env.instance.ledger, hive_env.worker(), new_issue(hive_env)
    with administrator(hive_env) as admin:
        admin.ensure_label(APP, Label("state/thinking"))
    hive_env.mara.label(issue, add=["state/thinking", "state/review", "needs-operator"])
    assert touched(hive_env, worker, issue, "a") == {"state/thinking", "needs-operator"}
    ledger.runs.start("acme", "iris", str(issue), "k", "do it")
    assert touched(hive_env, worker, issue, "b") == {"state/thinking", "state/working"}
    hive_env.mara.label(issue, add=["type/bug"], remove=["state/working"])
    assert touched(hive_env, worker, issue, "c") == {"state/thinking", "state/working", "type/bug"}


@pytest.mark.parametrize("outcome", ["merged", "closed"])
def test_a_closed_issue_bears_none(hive_env: HiveEnv, outcome: str) -> None:
    """Whatever was shown, by whomever: what is closed waits for nobody. Opened again it is as its run stands."""
    ledger, worker, issue = hive_env.instance.ledger, hive_env.worker(), new_issue(hive_env)
    run = ledger.runs.start("acme", "iris", str(issue), "k", "do it")
    assert shown(hive_env, worker, issue) == {"state/working"}
    hive_env.mara.close(issue)
    hive_env.mara.label(issue, add=["needs-operator"])
    assert touched(hive_env, worker, issue, "a") == set()
    hive_env.mara.reopen(issue)
    assert touched(hive_env, worker, issue, "b") == {"state/working"}
    hive_env.mara.close(issue)
    enqueue(ledger, "acme", "core", EndRun(run, outcome, key="end"), by="lane")
    assert shown(hive_env, worker, issue) == set()


def test_a_label_that_is_not_there_yet(hive_env: HiveEnv) -> None:
    """Before `hive init` has made a new label, the old one goes all the same, and nobody is bothered."""
    ledger, worker, issue = hive_env.instance.ledger, hive_env.worker(), new_issue(hive_env)
    ledger.runs.start("acme", "iris", str(issue), "k", "do it")
    assert shown(hive_env, worker, issue) == {"state/working"}
    drop_label(hive_env, "state/paused")
    ledger.suspensions.suspend("acme", Scope.AGENT, "iris", SuspensionReason.PAUSED, "paused by mara", until=NEVER)
    assert shown(hive_env, worker, issue) == set()
    assert ledger.backlog.failed() == []


def test_an_issue_without_a_run_bears_no_state(hive_env: HiveEnv) -> None:
    """A state that nobody's work has is taken away; the plea for an operator stays."""
    issue, worker = new_issue(hive_env), hive_env.worker()
    hive_env.mara.label(issue, add=sorted({"state/working", "needs-operator"}))
    assert touched(hive_env, worker, issue, "a") == {"needs-operator"}


def administrator(hive_env: HiveEnv) -> GiteaAdmin:
    """The site admin of the forge."""
    password = hive_env.instance.secret_store.password(FORGE, ADMIN)
    return GiteaAdmin(name=FORGE, url=hive_env.forge.url, login=ADMIN, password=password)


def drop_label(hive_env: HiveEnv, name: str) -> None:
    """Take a label out of the repository, as it was before `hive init` knew of it."""
    at = f"{hive_env.forge.url}/api/v1/repos/{APP.path}/labels"
    who = (ADMIN, hive_env.instance.secret_store.password(FORGE, ADMIN))
    (number,) = [row["id"] for row in requests.get(at, timeout=60).json() if row["name"] == name]
    assert requests.delete(f"{at}/{number}", auth=who, timeout=60).status_code == 204


def new_issue(hive_env: HiveEnv, title: str = "A page is wrong") -> Ref:
    """Mara files an issue."""
    return hive_env.mara.open_issue(APP, title, title, marker=title).ref


def shown(hive_env: HiveEnv, worker: Worker, issue: Ref) -> set[str]:
    """The labels of an issue, once everything that is due is done."""
    for _ in range(2):  # what is done in the first round may change what is to be shown
        LabelSync(hive_env.instance.ledger, "core", hive_env.instance.teams).sync()
        for effect in hive_env.instance.ledger.effects.due():
            worker.apply(effect)
    return set(hive_env.mara.issue(issue).labels)


def touched(hive_env: HiveEnv, worker: Worker, issue: Ref, key: str) -> set[str]:
    """The labels of an issue after the hive heard that somebody touched them."""
    enqueue(hive_env.instance.ledger, "acme", "core", SyncStateLabels(issue, key=key), by="lane")
    return shown(hive_env, worker, issue)


def end_turn(ledger: Ledger, outcome: str) -> None:
    """Iris ends her turn."""
    turn = ledger.runs.claim("iris")
    assert turn is not None
    ledger.runs.end_turn(turn, outcome)


def enqueued(ledger: Ledger) -> int:
    """How often labels were enqueued."""
    with ledger.transaction() as db:
        return int(db.execute("SELECT count(*) FROM effects WHERE kind = 'sync_state_labels'").fetchone()[0])
