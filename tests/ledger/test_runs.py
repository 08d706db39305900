"""Runs: one turn at a time for each agent, and a token that dies with it."""

from __future__ import annotations

from hive.ledger import Ledger, Turn
from hive.ledger.runs import LEASE_SECONDS
from tests.conftest import Clock

ISSUE = "forgejo:acme/app#1"
OTHER = "forgejo:acme/app#2"


def start(ledger: Ledger, ref: str = ISSUE, key: str = "k1") -> int:
    """A run of iris."""
    return ledger.runs.start("acme", "iris", ref, key, "do it")


def taken(ledger: Ledger) -> Turn:
    """A turn that must be there to be taken."""
    turn = ledger.runs.claim("iris")
    assert turn is not None
    return turn


def test_started_once(ledger: Ledger) -> None:
    """However often it is started, an issue has one open run with one first turn."""
    run = start(ledger)
    assert start(ledger) == run
    assert start(ledger, key="k2") == run
    ledger.runs.end_turn(taken(ledger), "pushed")
    assert ledger.runs.claim("iris") is None


def test_begun_again(ledger: Ledger) -> None:
    """To begin again ends the open run first, once, and what it held is worth nothing any more."""
    run = start(ledger)
    turn = taken(ledger)
    again = ledger.runs.start("acme", "iris", ISSUE, "k2", "anew", again=True)
    assert again != run
    assert ledger.runs.start("acme", "iris", ISSUE, "k2", "anew", again=True) == again
    assert ledger.runs.by_token("iris", turn.token) is None
    assert taken(ledger).message == "anew"
    found = ledger.runs.find(ISSUE)
    assert found is not None
    assert (found.id, found.state) == (again, "open")


def test_started_again_after_its_end(ledger: Ledger) -> None:
    """A new assignment after the end is a new run; the old one's key starts nothing."""
    run = start(ledger)
    ledger.runs.end(run, "merged")
    assert start(ledger) == run
    assert ledger.runs.claim("iris") is None
    assert start(ledger, key="k2") != run


def test_one_turn_at_a_time(ledger: Ledger) -> None:
    """An agent holds one turn; the next comes when it is ended, oldest first."""
    run = start(ledger)
    start(ledger, OTHER, "k2")
    assert ledger.runs.add_turn(run, "c1", "more", by_person=True)
    first = taken(ledger)
    assert ledger.runs.claim("iris") is None
    ledger.runs.end_turn(first, "pushed")
    assert taken(ledger).ref == OTHER


def test_other_agents_do_not_wait(ledger: Ledger) -> None:
    """Turns of one agent are nobody else's."""
    start(ledger)
    assert ledger.runs.claim("atlas") is None


def test_a_message_is_told_once(ledger: Ledger) -> None:
    """The same cause makes no second turn."""
    run = start(ledger)
    assert ledger.runs.add_turn(run, "c1", "more", by_person=True)
    assert not ledger.runs.add_turn(run, "c1", "more", by_person=True)


def test_the_token_dies_with_the_turn(ledger: Ledger) -> None:
    """A token is good while its turn is held, for its agent only, and is stored nowhere."""
    run = start(ledger)
    turn = taken(ledger)
    assert ledger.runs.by_token("iris", turn.token) is not None
    assert ledger.runs.by_token("atlas", turn.token) is None
    assert ledger.runs.by_token("iris", "guess") is None
    with ledger.transaction() as db:
        assert turn.token not in str([tuple(row) for row in db.execute("SELECT * FROM turns")])
    ledger.runs.end_turn(turn, "pushed")
    assert ledger.runs.by_token("iris", turn.token) is None
    ledger.runs.add_turn(run, "c1", "more", by_person=True)
    again = taken(ledger)
    ledger.runs.end(run, "closed")
    assert ledger.runs.by_token("iris", again.token) is None


def test_a_dead_container_gives_its_turn_back(ledger: Ledger, clock: Clock) -> None:
    """Released or out of its lease, a turn can be taken again, under a new token."""
    start(ledger)
    first = taken(ledger)
    ledger.runs.release("iris")
    clock.pass_(0.001)
    second = taken(ledger)
    assert (second.id, second.attempts) == (first.id, 2)
    assert ledger.runs.by_token("iris", first.token) is None
    clock.pass_(LEASE_SECONDS - 1)
    ledger.runs.renew(second)
    clock.pass_(LEASE_SECONDS - 1)
    assert ledger.runs.claim("iris") is None
    clock.pass_(2)
    assert taken(ledger).id == first.id


def test_what_does_not_get_on_keeps_nobody_waiting(ledger: Ledger, clock: Clock) -> None:
    """A turn that was let go, put down behind, sent back or whose holder died stands behind what waits by then; its run's own order stays."""
    run = start(ledger)
    clock.pass_(1)
    assert ledger.runs.add_turn(run, "c1", "more", by_person=True)
    clock.pass_(1)
    other = start(ledger, OTHER, "k2")
    first = taken(ledger)
    assert (first.run, first.message) == (run, "do it")
    for let_go in (
        lambda _: ledger.runs.release("iris"),
        lambda _: ledger.runs.release("iris", refund=True),
        lambda turn: ledger.runs.pause(turn, behind=clock()),
        lambda _: clock.pass_(LEASE_SECONDS + 1),
    ):
        clock.pass_(1)
        let_go(first)
        clock.pass_(1)
        late = start(ledger, "forgejo:acme/app#3", f"late{clock()}")
        assert ledger.runs.due_run("iris") == other
        turn = taken(ledger)
        assert turn.run == other
        ledger.runs.end_turn(turn, "pushed")
        first = taken(ledger)
        assert (first.run, first.message) == (run, "do it"), "before what came later, and before its run's next turn"
        ledger.runs.end(late, "closed")
        clock.pass_(1)
        assert ledger.runs.add_turn(other, f"again{clock()}", "more", by_person=True)
    ledger.runs.end_turn(first, "pushed")
    assert taken(ledger).message == "more"
    ledger.runs.release("iris", refund=True, first=True)
    assert taken(ledger).message == "more", "what an operator broke off goes on first"


def test_letting_go_twice_is_once(ledger: Ledger) -> None:
    """A turn whose process died has lost an attempt, whoever else lets go of it afterwards."""
    start(ledger)
    for attempt in range(1, 4):
        assert taken(ledger).attempts == attempt
        ledger.runs.release("iris")
        ledger.runs.release("iris", refund=True, first=True)
        ledger.runs.release("iris")
    ledger.runs.release("iris", refund=True, first=True)
    last = taken(ledger)
    ledger.runs.release("iris", refund=True, first=True)
    assert (last.attempts, taken(ledger).attempts) == (4, 4)


def test_a_step_forward_makes_up_for_what_broke_it_off(ledger: Ledger) -> None:
    """Attempts are counted since the last step: a long turn may be broken off as often as it likes if it gets on."""
    start(ledger)
    ledger.runs.reset_attempts(taken(ledger))
    ledger.runs.release("iris")
    for attempt in (2, 3):
        assert taken(ledger).attempts == attempt
        ledger.runs.release("iris")
    turn = taken(ledger)
    ledger.runs.reset_attempts(turn)
    ledger.runs.release("iris")
    ledger.runs.reset_attempts(turn)  # too late: it is not held any more
    assert taken(ledger).attempts == 2


def test_what_is_due_is_what_is_taken(ledger: Ledger) -> None:
    """The run that is due is that of the turn that would be given out; none while one is held."""
    assert ledger.runs.due_run("iris") is None
    run = start(ledger)
    assert ledger.runs.due_run("iris") == run
    taken(ledger)
    assert ledger.runs.due_run("iris") is None
    ledger.runs.release("iris")
    assert ledger.runs.due_run("iris") == run


def test_rounds_among_bots_are_counted(ledger: Ledger) -> None:
    """Only turns since the last one that a person caused."""
    run = start(ledger)
    assert ledger.runs.count_bot_turns(run) == 0
    for number in range(3):
        ledger.runs.add_turn(run, f"r{number}", "again", by_person=False)
    assert ledger.runs.count_bot_turns(run) == 3
    ledger.runs.add_turn(run, "c", "stop it", by_person=True)
    assert ledger.runs.count_bot_turns(run) == 0


def test_who_waits_is_woken(ledger: Ledger) -> None:
    """A run that waits for a configuration is found by its pull request while it is open."""
    run = start(ledger)
    ledger.runs.set_dependency(run, "forgejo:agent-configs/iris#1")
    assert ledger.runs.dependents("forgejo:agent-configs/iris#1") == [run]
    ledger.runs.end(run, "closed")
    assert ledger.runs.dependents("forgejo:agent-configs/iris#1") == []


def test_found_by_issue_or_pull(ledger: Ledger) -> None:
    """A run is found by the issue that it is for and by its pull request."""
    run = start(ledger)
    ledger.runs.set_pull(run, OTHER)
    by_issue, by_pull = ledger.runs.find(ISSUE), ledger.runs.find(OTHER)
    assert by_issue is not None
    assert by_issue == by_pull
    assert ledger.runs.find("forgejo:acme/app#9") is None


def test_urgent_work_goes_first(ledger: Ledger) -> None:
    """What is urgent goes before what waits, not before what is at work; put back, it stands behind the others."""
    start(ledger)
    urgent = ledger.runs.start("acme", "iris", OTHER, "k2", "now", priority=1)
    assert ledger.runs.due_run("iris") == urgent
    turn = taken(ledger)
    assert turn.message == "now"
    ledger.runs.release("iris")
    assert taken(ledger).message == "do it"


def test_work_becomes_urgent(ledger: Ledger) -> None:
    """A label that comes later counts as well, and no more when it goes."""
    start(ledger)
    later = start(ledger, OTHER, "k2")
    ledger.runs.set_priority(OTHER, 1)
    assert ledger.runs.due_run("iris") == later
    assert [item.subject for item in ledger.backlog.inbox("iris", 5)] == [OTHER, ISSUE]
    ledger.runs.set_priority(OTHER, 0)
    assert ledger.runs.due_run("iris") != later


def woken(ledger: Ledger, agent: str = "iris", key: str = "w1", ref: str = ISSUE) -> int:
    """A run that a mention has woken."""
    return ledger.runs.start("acme", agent, ref, key, "what do you think?", wake="mention")


def test_a_woken_run_ends_with_its_turn(ledger: Ledger) -> None:
    """It is for one turn; told more meanwhile, it goes on, and ends with that."""
    run = woken(ledger)
    turn = taken(ledger)
    assert woken(ledger, key="w2") == run
    assert ledger.runs.end_turn(turn, "answered")
    again = taken(ledger)
    assert (again.run, again.wake) == (run, "mention")
    assert ledger.runs.end_turn(again, "answered")
    found = ledger.runs.find(ISSUE)
    assert found is not None
    assert (found.state, found.outcome) == ("ended", "answered")
    assert woken(ledger, key="w3") != run


def test_a_woken_run_that_asks_waits(ledger: Ledger) -> None:
    """Its question has to be answered first."""
    run = woken(ledger)
    turn = taken(ledger)
    ledger.questions.ask(
        turn.run, turn.id, "q", ref=ISSUE, question="Which?", options=(), addressee=0, comment=1, seconds=60
    )
    ledger.runs.end_turn(turn, "asked")
    found = ledger.runs.find(ISSUE)
    assert found is not None
    assert (found.id, found.state) == (run, "open")


def test_an_assignment_takes_the_place_of_a_consultation(ledger: Ledger) -> None:
    """Who was asked and is assigned meanwhile gets the work, not the question; a woken run never takes work's place."""
    asked = woken(ledger)
    work = start(ledger)
    assert work != asked
    assert taken(ledger).message == "do it"
    assert woken(ledger, key="w2") == work
    found = ledger.runs.find(ISSUE)
    assert found is not None
    assert (found.id, found.wake) == (work, "")


def test_work_is_found_before_what_is_asked_beside_it(ledger: Ledger) -> None:
    """Who comments on a thread means the agent that works there; after both have ended, the work is found again."""
    work, asked = start(ledger), woken(ledger, "noah")
    assert (found := ledger.runs.find(ISSUE)) is not None
    assert found.id == work
    ledger.runs.end(work, "merged")
    assert (found := ledger.runs.find(ISSUE)) is not None
    assert found.id == asked
    ledger.runs.end(asked, "answered")
    assert (found := ledger.runs.find(ISSUE)) is not None
    assert found.id == work
