"""`hive loose-ends`: who waits for whom, of all open work."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from click.testing import CliRunner

from hive.app.open_work import AGENT, NOTHING, OPERATOR, OpenWork, lines, open_work
from hive.cli import main
from hive.ledger import Scope, SuspensionReason, Turn
from tests.hive.conftest import APP, HiveEnv

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


def begun(hive_env: HiveEnv, number: int) -> Turn:
    """A turn of iris on an issue."""
    runs = hive_env.instance.ledger.runs
    runs.start("acme", "iris", f"{APP}#{number}", f"k{number}", "do it")
    turn = runs.claim("iris")
    assert turn is not None
    return turn


def seen(hive_env: HiveEnv) -> dict[str, tuple[str, str]]:
    """What is open by its number: whom it waits for, and why."""
    return {work.ref.rpartition("#")[2]: (work.waits_for, work.why) for work in open_work(hive_env.instance)}


def test_all_that_can_be_waited_for(hive_env: HiveEnv) -> None:
    """A turn, an answer, a merge of a configuration, an operator, a merge, the end of an issue, and room for more."""
    ledger = hive_env.instance.ledger
    for number, outcome in ((1, "answered"), (2, "pushed"), (3, "failed"), (4, "proposed"), (5, "asked")):
        turn = begun(hive_env, number)
        if outcome == "pushed":
            ledger.runs.set_pull(turn.run, f"{APP}#20")
        if outcome == "proposed":
            ledger.runs.set_dependency(turn.run, "forgejo:agent-configs/iris#7")
        if outcome == "asked":
            asked = {"ref": turn.ref, "question": "red,\nor green?", "options": (), "addressee": 0, "comment": 1}
            ledger.questions.ask(turn.run, turn.id, "q", seconds=60, **asked)  # type: ignore[arg-type]
        ledger.runs.end_turn(turn, outcome)
    begun(hive_env, 6)
    ledger.runs.start("acme", "iris", f"{APP}#7", "k7", "do it")
    ledger.ready_queue.wait("acme", "iris", "app", f"{APP}#8")
    assert seen(hive_env) == {
        "1": (OPERATOR, "has answered; it ends when the issue is closed"),
        "2": (OPERATOR, "#20 waits for its merge, or for words"),
        "3": (OPERATOR, "its last turn ended: failed"),
        "4": (OPERATOR, "goes on when agent-configs/iris#7 is merged"),
        "5": (OPERATOR, "has asked: red,\nor green?"),
        "6": (AGENT, "works on it"),
        "7": (AGENT, "comes to it"),
        "8": (AGENT, "waits in queue/app until iris has less open, or what it depends on is closed"),
    }
    ledger.suspensions.suspend("acme", Scope.AGENT, "iris", SuspensionReason.STOPPED, "I look at it first")
    assert seen(hive_env)["7"][0] == OPERATOR
    assert "I look at it first" in seen(hive_env)["7"][1]
    assert seen(hive_env)["6"] == (AGENT, "works on it")
    assert open_work(hive_env.instance, "atlas") == []
    (first,) = (run.id for run in ledger.run_states.open_of("iris") if run.ref == f"{APP}#1")
    ledger.runs.end(first, "closed")
    assert "1" not in seen(hive_env)


def test_two_agents_on_one_issue(hive_env: HiveEnv) -> None:
    """Each agent's own run counts, and not the newest one of the thread."""
    runs = hive_env.instance.ledger.runs
    runs.end_turn(begun(hive_env, 1), "answered")
    runs.start("acme", "atlas", f"{APP}#1", "words", "what do you say?", wake="mention")
    found = [(work.agent, work.why) for work in open_work(hive_env.instance)]
    assert found == [("iris", "has answered; it ends when the issue is closed")]


def test_lines() -> None:
    """Operators first, the oldest first; a question of several lines, and with a terminal's own letters, stays one."""
    some = [
        OpenWork(
            OPERATOR, "iris", "forgejo:acme/app#5", "has asked: red,\n\x1b[31mor " + "x" * 99, NOW - timedelta(hours=30)
        ),
        OpenWork(AGENT, "iris", "forgejo:acme/app#8", "waits"),
    ]
    assert list(lines(some, NOW)) == [
        f"operator    1 d  iris  acme/app#5  has asked: red,  [31mor {'x' * 75}…",
        "agent            iris  acme/app#8  waits",
    ]
    assert list(lines([], NOW)) == [NOTHING]


def test_the_command(hive_env: HiveEnv) -> None:
    """It reads the ledger alone; a name that nobody has is no empty list."""
    begun(hive_env, 6)
    hive_env.forge.stop()
    config = str(hive_env.instance.settings.home / "hive.yaml")
    done = CliRunner().invoke(main, ["loose-ends", config])
    assert (done.exit_code, done.output.split()[0], "works on it" in done.output) == (0, AGENT, True)
    refused = CliRunner().invoke(main, ["loose-ends", config, "--agent", "nobody"])
    assert (refused.exit_code != 0, "has no agent 'nobody'" in refused.output) == (True, True)
