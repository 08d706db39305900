"""`hive triage`: of a file without a forge, and of a repository beside the labels that people gave."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import pytest
from click.testing import CliRunner, Result

from forge.models import Issue
from hive.app.learning import DAY, DailyLearning
from hive.app.triage import labelled, learn_repository
from hive.classify.classifier import MODELS, ModelStore
from hive.classify.training import LabelledIssue
from hive.cli import main
from hive.supervisor.heartbeat import Heartbeat
from tests.bots.conftest import issue
from tests.hive.conftest import APP, HiveEnv
from tests.hive.test_classify import made
from tests.nightly import NIGHTLY


def run(*words: object) -> Result:
    """The command in this process."""
    return CliRunner().invoke(main, ["triage", *map(str, words)])


@pytest.fixture
def issues(tmp_path: Path) -> Path:
    """Three issues without labels."""
    lines = [
        {
            "title": "App crashes with an exception on save",
            "body": "Steps to reproduce:\n1. save\nIt crashes with an error.",
        },
        {"title": "Hm", "body": None},
        {"title": "", "body": "x" * 1_000_000},
    ]
    file = tmp_path / "issues.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return file


def test_json_for_programs(issues: Path) -> None:
    """One object a line, in the order of the lines; null where it would be silent, with what it would have guessed."""
    done = run("--from", issues, "--json")
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert [each["kind"] for each in told] == ["bug", None, None]
    assert told[0].keys() == {"kind", "lane", "confidence", "by", "guess"}
    assert (told[0]["by"], told[0]["lane"]) == ("prior", None)
    assert all(0 <= each["confidence"] <= 1 for each in told)
    always = [json.loads(line) for line in run("--from", issues, "--json", "--threshold", 0).stdout.splitlines()]
    assert [each["kind"] for each in always] == [each["guess"] for each in told]


def test_lines_for_people(issues: Path) -> None:
    """A title cannot move the cursor of a terminal."""
    with issues.open("a") as file:
        file.write(json.dumps({"title": "\x1b[2J crash", "body": ""}))
    done = run("--from", issues)
    assert done.exit_code == 0
    assert len(done.stdout.splitlines()) == 4
    assert "\x1b" not in done.stdout


def test_it_learns_first(tmp_path: Path) -> None:
    """With labelled issues it learns what the prior does not know."""
    train, ask = tmp_path / "train.jsonl", tmp_path / "ask.jsonl"
    lines = [{"title": each.title, "body": each.body, "kind": f"my {each.kind}"} for each in made(120, seed=1)]
    train.write_text("\n".join(map(json.dumps, lines)))
    ask.write_text(
        json.dumps(
            {
                "title": "the clock crashes with an error",
                "body": "the lock fails since the upgrade\n\nthe mirror is broken: exception",
            }
        )
    )
    done = run("--from", ask, "--train", train, "--json")
    assert json.loads(done.stdout)["kind"] == "my bug"
    assert json.loads(done.stdout)["by"] == "history"
    assert "learned from 120 issues" in done.stderr


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ((), "name one source"),
        (("--from", "x", "--repo", "forgejo:acme/app"), "name one source"),
        (("--from", "nothing.jsonl"), "nothing.jsonl: No such file"),
        (("--from", "x", "--learn"), "--learn and --dry-run are for --repo"),
        (("--repo", "forgejo:acme/app", "--json"), "are for --from"),
        (("--repo", "forgejo:acme/app", "--learn", "--dry-run"), "choose"),
    ],
)
def test_what_does_not_go_together(words: tuple[str, ...], complaint: str) -> None:
    """A sentence, no traceback."""
    done = run(*words)
    assert done.exit_code == 1
    assert complaint in done.stderr


def test_a_bad_line_is_named(issues: Path) -> None:
    """What was said of the lines before it stays said; the status tells."""
    with issues.open("a") as file:
        file.write("garbage\n")
    done = run("--from", issues, "--json")
    assert (done.exit_code, len(done.stdout.splitlines())) == (1, 3)
    assert f"{issues}:4: not JSON" in done.stderr
    few = run("--from", issues, "--train", issues)
    assert few.exit_code == 1
    assert f"{issues}:1: kind: should be a text" in few.stderr


def test_a_repository_is_compared_and_learned(hive_env: HiveEnv) -> None:
    """What it would have said, beside people's labels; a history that teaches enough is kept, and no issue is changed."""
    settings = hive_env.instance.settings
    store = ModelStore(settings.state / MODELS)

    def asked(*words: str, repo: str = str(APP)) -> Result:
        return run("--repo", repo, *words, Path(settings.home) / "hive.yaml")

    assert "nothing to compare with" in asked().stdout
    assert "the prior stays in use: two kinds" in asked("--learn").stdout
    for number, each in enumerate(made(60, seed=9)):
        filed = hive_env.mara.open_issue(APP, each.title, f"{each.body}\n\n<!-- n{number}. -->", marker=f"n{number}.")
        hive_env.mara.label(filed.ref, add=[f"type/{each.kind}"])
    before = hive_env.mara.changed_since(APP, datetime(2000, 1, 1, tzinfo=UTC))
    compared = asked("--dry-run")
    assert (compared.exit_code, store.model(APP)) == (0, None)
    assert "60 labelled issues: macro-F1" in compared.stdout
    assert f"{APP}: " in asked("--learn").stdout
    assert hive_env.mara.changed_since(APP, datetime(2000, 1, 1, tzinfo=UTC)) == before
    for repo, complaint in (("acme/other", "not a repository"), ("forgejo:acme/other", "no team works in")):
        assert complaint in asked(repo=repo).stderr
        assert asked(repo=repo).exit_code == 1


def test_a_history_that_teaches_nothing_is_not_kept(tmp_path: Path) -> None:
    """A model that is no better than the prior is not used, and one from before goes."""
    store, dice = ModelStore(tmp_path), Random(3)
    kinds = ("bug", "feature", "question")

    def issues(label: Callable[[LabelledIssue], str]) -> list[Issue]:
        return [
            issue(number, title=each.title, body=each.body, labels=(f"type/{label(each)}",))
            for number, each in enumerate(made(150, seed=10), 1)
        ]

    turned = dict(zip(kinds, (*kinds[1:], kinds[0]), strict=True))
    assert "learned from 150 issues" in learn_repository(store, APP, issues(lambda each: turned[each.kind]))
    assert store.model(APP) is not None
    assert "the prior stays in use" in learn_repository(store, APP, issues(lambda each: dice.choice(kinds)))
    assert store.model(APP) is None


def test_whose_labels_teach() -> None:
    """One label of a kind, by whatever usual name; pull requests, two kinds and other labels teach nothing."""
    carried = [("Bug",), ("enhancement", "area/app"), ("type/own",), ("bug", "question"), ("area/app",), ()]
    issues = [issue(number, labels=labels) for number, labels in enumerate(carried, 1)]
    issues.append(issue(9, labels=("bug",), is_pull=True))
    assert [each.kind for each in labelled(issues)] == ["bug", "feature", "own"]


@NIGHTLY
def test_it_learns_once_a_day(hive_env: HiveEnv) -> None:
    """The first day passes; then labels are read and learned in another process, and not again before the next day."""
    instance, daily = hive_env.instance, DailyLearning(hive_env.instance, threading.Event())
    store, cursor, now = ModelStore(instance.settings.state / MODELS), f"learn:{APP}", instance.ledger.clock()
    heartbeat = Heartbeat(None, 1.0)
    daily.go(heartbeat)
    assert float(instance.ledger.deliveries.cursor(cursor) or 0) >= int(now)
    instance.ledger.deliveries.move_cursor(cursor, f"{now - DAY - 1:.0f}")
    daily.go(heartbeat)
    assert float(instance.ledger.deliveries.cursor(cursor) or 0) >= int(now)
    assert store.model(APP) is None, "there is nothing to learn"
    turned = {"bug": "feature", "feature": "question", "question": "bug"}
    known = [replace(each, kind=turned[each.kind]) for each in made(150, seed=11)]
    assert "learned from 150 issues" in daily.apart(APP, known, heartbeat)
    assert store.model(APP) is not None
    assert [path.suffix for path in store.directory.iterdir()] == [".json"]


def test_learning_ends_with_the_worker(hive_env: HiveEnv) -> None:
    """A process that is told to stop does not wait for what it learns."""
    stop = threading.Event()
    stop.set()
    daily = DailyLearning(hive_env.instance, stop)
    assert daily.apart(APP, list(made(2_000, seed=12)), Heartbeat(None, 1.0)) == ""
    assert ModelStore(hive_env.instance.settings.state / MODELS).model(APP) is None


def test_older_issues_are_indexed(hive_env: HiveEnv) -> None:
    """Those that are not known yet, once; pull requests are none, and who is told to stop stops."""
    index, heartbeat = hive_env.instance.ledger.issue_index, Heartbeat(None, 1.0)
    issues = [issue(1, title="The coffee machine is empty"), issue(2, is_pull=True), issue(3, title="A dark theme")]
    daily, stopped = DailyLearning(hive_env.instance, threading.Event()), threading.Event()
    stopped.set()
    assert DailyLearning(hive_env.instance, stopped).index(APP, issues, heartbeat) == 0
    assert daily.index(APP, issues, heartbeat) == 2
    assert daily.index(APP, issues, heartbeat) == 0
    assert index.numbers(str(APP)) == {1, 3}
    assert [each.number for each in index.similar(str(APP), 9, ("coffee", "machine"), ())] == [1]
