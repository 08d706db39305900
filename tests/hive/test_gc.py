"""Everything that grows has an end, and nothing that is needed is taken away."""

from __future__ import annotations

import os
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest

from forge.models import Ref, Repo
from forge.webhook import Delivery
from hive.app.garbage import DAY, Garbage, logs, mirrors, of_agent, registered, review_pins
from hive.app.gc import HOST, WORK, Collector, Daily, sweep_up
from hive.config import Keep
from hive.instance.instance import Instance
from hive.ledger import Ledger, compress
from hive.outbox.incidents import IncidentReporter
from hive.supervisor.heartbeat import Heartbeat
from tests.conftest import Clock, SmallDisk
from tests.hive.conftest import HiveEnv
from tests.ledger.test_deliveries import ONE, TWO, claimed

NEWEST = "f" * 40


@pytest.fixture
def agent(tmp_path: Path, ledger: Ledger) -> Path:
    """The directory of an agent with ten generations, the oldest of which runs."""
    root = tmp_path / "agents" / "iris"
    for number in range(10):
        gen = root / "gens" / (f"{number:x}" * 40)
        gen.mkdir(parents=True)
        (gen / "agent.json").write_text("{}")
        os.utime(gen, (number, number))
    repo = Repo("forgejo", "agent-configs", "iris")
    with ledger.transaction() as db:
        db.execute(
            "INSERT INTO baselines (agent, team, repo, repo_id, branch, sha, cursor, running_sha) VALUES"
            " ('iris', 'acme', ?, 7, 'main', ?, 1, ?)",
            (str(repo), "1" * 40, "0" * 40),
        )
    (root / "current").symlink_to(Path("gens") / ("2" * 40))
    return root


def names(found: list[Garbage], what: str) -> list[str]:
    """What is over of one kind."""
    return [each.name for each in found if each.what == what]


def test_generations_that_nobody_needs(agent: Path, ledger: Ledger) -> None:
    """What runs, was accepted, is pointed to, or is being deployed stays, and the newest few beside it."""
    baseline = ledger.deployments.baseline("iris")
    assert baseline is not None
    ledger.deployments.start(baseline, "3" * 40, (), 2)
    found = list(of_agent(ledger, "iris", agent, Keep(generations=2)))
    assert names(found, "generation") == [f"iris {number * 12}" for number in "7654"]
    for each in found:
        each.take()
    left = sorted(path.name[0] for path in (agent / "gens").iterdir())
    assert left == ["0", "1", "2", "3", "8", "9"]


def test_systems_that_nobody_needs(agent: Path, ledger: Ledger, tmp_path: Path) -> None:
    """The roots of Nix follow the artifacts: after a return to what ran before, the newer one goes, and not the older."""
    roots = tmp_path / "gcroots"
    for name in ("iris", "ghost"):
        (roots / name).mkdir(parents=True)
        for number in range(10):
            (roots / name / (f"{number:x}" * 40)).symlink_to(f"/nix/store/{number}")
    (roots / "iris" / "a-file").write_text("of somebody else")
    (roots / "link").symlink_to("/")
    baseline = ledger.deployments.baseline("iris")
    assert baseline is not None
    ledger.deployments.start(baseline, "3" * 40, (), 2)
    agents = agent.parent
    found = list(registered(ledger, roots, agents, 2))
    assert [each.name for each in found if "iris" in each.name] == [f"iris {number * 12}" for number in "4567"]
    assert len([each for each in found if "ghost" in each.name]) == 10, "nobody of that name was ever accepted"
    assert {each.what for each in found} == {"nix root"}
    for each in found:
        each.take()
    assert sorted(path.name[0] for path in (roots / "iris").iterdir()) == ["0", "1", "2", "3", "8", "9", "a"]
    assert list(registered(ledger, tmp_path / "none", agents, 2)) == []


def test_work_trees_of_runs_that_ended(agent: Path, ledger: Ledger, clock: Clock, tmp_path: Path) -> None:
    """A run that ended a while ago loses its work tree; one that is open, or ended just now, does not."""
    runs = [ledger.runs.start("acme", "iris", f"forgejo:acme/app#{n}", f"k{n}", "do it") for n in range(3)]
    other = ledger.runs.start("acme", "atlas", "forgejo:acme/app#9", "k9", "do it")
    for run in (*runs, other):
        (agent / "state" / "runs" / str(run) / "work").mkdir(parents=True)
        (agent / "state" / "runs" / str(run) / "work" / "file").write_text("x" * 10_000)
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_text("x")
    (agent / "state" / "runs" / str(runs[0]) / "link").symlink_to(outside)
    ledger.runs.end(runs[0], "merged")
    clock.pass_(8 * DAY)
    ledger.runs.end(runs[1], "merged")
    ledger.runs.end(other, "merged")
    found = list(of_agent(ledger, "iris", agent, Keep()))
    (tree,) = (each for each in found if each.what == "work tree")
    assert tree.name == f"iris run {runs[0]}"
    assert tree.size >= 10_000
    tree.take()
    assert sorted(path.name for path in (agent / "state" / "runs").iterdir()) == [
        str(n) for n in (runs[1], runs[2], other)
    ]
    assert (outside / "precious").exists(), "no link was followed"


def test_a_work_tree_however_deep(agent: Path, ledger: Ledger, clock: Clock, tmp_path: Path) -> None:
    """What an agent made deeper than a program can go is measured as far as one looks, and taken away whole."""
    run = ledger.runs.start("acme", "iris", "forgejo:acme/app#1", "k", "do it")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_text("x")
    tree = agent / "state" / "runs" / str(run) / "work"
    tree.mkdir(parents=True)
    (tree / "file").write_text("x" * 10_000)
    deepen(tree, 3000, outside)
    ledger.runs.end(run, "merged")
    clock.pass_(8 * DAY)
    (found,) = (each for each in of_agent(ledger, "iris", agent, Keep()) if each.what == "work tree")
    assert found.size >= 10_000
    found.take()
    assert list((agent / "state" / "runs").iterdir()) == []
    assert (outside / "precious").exists(), "no link was followed"


def deepen(tree: Path, levels: int, outside: Path) -> None:
    """Make directories within one another, each with a file and a link, and some closed."""
    here = os.open(tree, os.O_RDONLY)
    for level in range(levels):
        os.mkdir("d", dir_fd=here)
        os.mkdir("e", 0o000 if level % 100 == 0 else 0o500, dir_fd=here)
        os.symlink(outside, "link", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)


@pytest.mark.parametrize("place", ["state/runs", "state", "state/runs/1"])
def test_an_agent_cannot_send_it_elsewhere(
    agent: Path, ledger: Ledger, clock: Clock, tmp_path: Path, place: str
) -> None:
    """Whatever directory an agent replaces by a link, nothing is deleted behind it."""
    run = ledger.runs.start("acme", "iris", "forgejo:acme/app#1", "k", "do it")
    ledger.runs.end(run, "merged")
    clock.pass_(8 * DAY)
    outside = tmp_path / "outside"
    for target in (outside, outside / "1", outside / "runs" / "1"):
        target.mkdir(parents=True)
        (target / "precious").write_text("x")
    link = agent / place
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(outside)
    for each in of_agent(ledger, "iris", agent, Keep()):
        if each.what == "work tree":
            each.take()
    assert all((target / "precious").exists() for target in (outside, outside / "1", outside / "runs" / "1"))


def test_logs_keep_their_newer_half(tmp_path: Path) -> None:
    """A log that has grown too long keeps its newest lines, whole ones; whoever has it open goes on writing."""
    path = tmp_path / "work.log"
    with path.open("ab", buffering=0) as writer:
        writer.write(b"".join(f"line {number}\n".encode() for number in range(200_000)))
        (found,) = logs(tmp_path, 1)
        found.take()
        writer.write(b"the last\n")
    lines = path.read_text().splitlines()
    assert lines[-2:] == ["line 199999", "the last"]
    assert lines[0].startswith("line 1")
    assert list(logs(tmp_path, 2)) == []


def test_mirrors(tmp_path: Path) -> None:
    """A clone that nobody asked for in a month goes; one in many pieces is packed, and loses nothing."""
    for name in ("old", "used"):
        path = tmp_path / "forgejo" / "acme" / f"{name}.git"
        subprocess.run(["git", "init", "--quiet", "--bare", path], check=True)
    used = tmp_path / "forgejo" / "acme" / "used.git"
    written = [
        subprocess.run(
            ["git", "-C", used, "hash-object", "-w", "--stdin"],
            input=str(n),
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for n in range(30)
    ]
    for blob in written[:21]:
        pack_ = subprocess.run(
            ["git", "-C", used, "pack-objects", "--quiet", "objects/pack/pack"], input=blob, text=True
        )
        assert not pack_.returncode
    now = time.time()
    os.utime(tmp_path / "forgejo" / "acme" / "old.git" / "HEAD", (now - 31 * DAY, now - 31 * DAY))
    found = list(mirrors(tmp_path, 30, now))
    assert [(each.what, each.name.split()[1]) for each in found] == [
        ("mirror", "forgejo/acme/old"),
        ("repack", "forgejo/acme/used"),
    ]
    for each in found:
        each.take()
    assert [path.name for path in (tmp_path / "forgejo" / "acme").iterdir()] == ["used.git"]
    for blob in written:
        subprocess.run(["git", "-C", used, "cat-file", "-e", blob], check=True)
    assert list(mirrors(tmp_path, 30, now)) == []


def test_reviewed_heads_of_what_was_closed(tmp_path: Path) -> None:
    """What clones keep for pull requests that are over goes, in that repository only; a clone that is broken stops nothing."""
    here, other, broken = (tmp_path / "forgejo" / "acme" / f"{name}.git" for name in ("app", "site", "worn"))
    for path in (here, other):
        subprocess.run(["git", "init", "--quiet", "--bare", path], check=True)
        words = ["git", "-C", str(path), "-c", "user.name=a", "-c", "user.email=a@b.example", "commit-tree", "-m", "x"]
        tree = subprocess.run(["git", "-C", path, "mktree"], input=b"", capture_output=True, check=True).stdout
        head = subprocess.run(
            [*words, tree.decode().strip()], capture_output=True, check=True, text=True
        ).stdout.strip()
        for name in ("1/1", "1/2", "12/1"):
            subprocess.run(["git", "-C", path, "update-ref", f"refs/hive/reviewed/{name}", head], check=True)
    broken.mkdir()
    assert list(review_pins(tmp_path, set())) == []
    [found] = review_pins(tmp_path, {"forgejo:acme/app#1", "forgejo:acme/app#2", "forgejo:acme/worn#1"})
    found.take()
    left = {path.stem: _refs(path) for path in (here, other)}
    assert left == {"app": ["12/1"], "site": ["1/1", "1/2", "12/1"]}


def _refs(path: Path) -> list[str]:
    words = ["git", "-C", str(path), "for-each-ref", "--format=%(refname:lstrip=3)"]
    said: str = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    return said.split()


def test_rows_that_are_over(ledger: Ledger, clock: Clock) -> None:
    """Old rows go with what points to them cleared; what is open, or belongs to an open run or incident, stays."""
    IncidentReporter(ledger, "core", lambda _: Repo("forgejo", "hive", "meta")).begin("acme", "disk", "full", "It is.")
    ledger.deliveries.receive(Delivery("forgejo", "u1", "issues", b"{}"), compress(b"{}"))
    ledger.deliveries.mark_read(1)
    (kept,) = ledger.jobs.enqueue("acme", [("lane", ONE)], delivery=1)
    (gone,) = ledger.jobs.enqueue("acme", [("lane", TWO)], delivery=1)
    for job in (kept, gone):
        ledger.jobs.finish(claimed(ledger, job))
    effect = ledger.effects.enqueue("acme", "core", "start_run", "k", "{}", job=gone, ref=str(TWO.ref))
    run = ledger.runs.start("acme", "iris", str(ONE.ref), "k", "do it", effect=effect)
    claimed_ = ledger.effects.claim(effect)
    assert claimed_ is not None
    ledger.effects.finish(claimed_, {})
    ledger.audit.add("mara", "Old")
    clock.pass_(100 * DAY)
    (young,) = ledger.jobs.enqueue("acme", [("review", TWO)], delivery=1)
    assert ledger.pruning.count(clock() - 50 * DAY) == {"effects": 1, "jobs": 1, "deliveries": 1, "audit": 1}
    for table in ledger.pruning.count(clock() - 50 * DAY):
        while ledger.pruning.prune(table, clock() - 50 * DAY):
            pass
    ledger.pruning.clear_dangling()
    assert ledger.pruning.count(clock() - 50 * DAY) == {}
    with ledger.transaction() as db:
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []
        assert [row["id"] for row in db.execute("SELECT id FROM jobs ORDER BY id")] == [kept, young]
        assert [row["kind"] for row in db.execute("SELECT kind FROM effects")] == ["open_issue"]
        assert db.execute("SELECT effect FROM runs WHERE id = ?", (run,)).fetchone()[0] is None
        assert db.execute("PRAGMA foreign_keys").fetchone()[0] == 1


def test_gc_says_what_it_does(hive_env: HiveEnv) -> None:
    """`--plan` names it and does nothing, then it is done, then nothing is over."""
    instance = aged(hive_env.instance)
    said: list[str] = []
    sweep_up(instance, said.append, plan=True)
    assert said[-1].startswith("2 would be taken away, ")
    assert {line.split()[0] for line in said[:-1]} == {"generation", "work"}
    done: list[str] = []
    sweep_up(instance, done.append, plan=False)
    assert done[:-1] == said[:-1]
    sweep_up(instance, done.append, plan=False)
    assert done[-1] == "nothing is over"


def test_the_audit_log_is_kept_as_long_as_words_are(hive_env: HiveEnv) -> None:
    """However few days rows are kept: what was said and who did what go together, after `keep_days`."""
    instance = aged(hive_env.instance)
    for days in (31, 5):
        instance.ledger.audit.add("mara", f"Did{days}")
        with instance.ledger.transaction() as db:
            db.execute("UPDATE audit SET at = at - ? WHERE action = ?", (days * DAY, f"Did{days}"))
    sweep_up(instance, lambda _: None, plan=False)
    assert [row.action for row in instance.ledger.audit.after(0)] == ["Did5"]


def aged(instance: Instance) -> Instance:
    """The same house, with one generation too many and a run that ended long ago; nothing is kept for its own sake."""
    settings = replace(instance.settings, keep=Keep(generations=0, run_days=0, row_days=1))
    old = Instance(settings)
    (old.agents / "iris" / "gens" / NEWEST).mkdir(parents=True)
    run = old.ledger.runs.start("acme", "iris", str(Ref(Repo("forgejo", "acme", "app"), 1)), "k", "do it")
    old.ledger.runs.end(run, "merged")
    (old.agents / "iris" / "state" / "runs" / str(run)).mkdir(parents=True)
    time.sleep(0.01)
    return old


def test_once_a_day_by_itself(hive_env: HiveEnv) -> None:
    """Each process collects what it owns, once a day, and writes down what it took."""
    instance = aged(hive_env.instance)
    host, work = Daily(instance, HOST), Daily(instance, WORK)
    work.go(Heartbeat(None, 1.0))
    assert (instance.agents / "iris" / "gens" / NEWEST).exists(), "that is the host's"
    host.go(Heartbeat(None, 1.0))
    assert not (instance.agents / "iris" / "gens" / NEWEST).exists()
    assert [row.detail["kind"] for row in instance.ledger.audit.after(0) if row.action == "garbage_collected"] == [
        "generation",
        "work tree",
    ]
    (instance.agents / "iris" / "gens" / NEWEST).mkdir()
    host.go(Heartbeat(None, 1.0))
    assert (instance.agents / "iris" / "gens" / NEWEST).exists(), "not again today"


def test_a_disk_that_fills_up_is_told_once(small_disk: SmallDisk, hive_env: HiveEnv) -> None:
    """One issue when it is nearly full, closed when there is room again."""
    settings = replace(hive_env.instance.settings, state=small_disk.place)
    instance = Instance(settings)
    instance.ledger.audit.add("test", "Made")
    daily = Daily(instance, WORK)
    (small_disk.place / "filler").write_bytes(bytes(21 << 20))
    for _ in range(2):
        daily.go(Heartbeat(None, 1.0))
    assert told(instance) == ["open_issue"]
    small_disk.free()
    daily.go(Heartbeat(None, 1.0))
    assert told(instance) == ["open_issue", "add_to_issue"]
    instance.close()


def told(instance: Instance) -> list[str]:
    """What the operators are told."""
    with instance.ledger.transaction() as db:
        return [row["kind"] for row in db.execute("SELECT kind FROM effects ORDER BY id")]


def test_what_cannot_be_taken_hurts_nothing_else(hive_env: HiveEnv, caplog: pytest.LogCaptureFixture) -> None:
    """A directory that is in use stays, and the others go."""
    instance = aged(hive_env.instance)
    collector, taken = Collector(instance), list[Garbage]()
    plan = list(collector.plan(HOST))
    (instance.agents / "iris" / "gens" / NEWEST).rmdir()

    class Stale(Collector):
        """Found before somebody else took one of it."""

        def plan(self, part: str) -> list[Garbage]:  # type: ignore[override]
            """What was found."""
            return plan if part == HOST else []

    Stale(instance).collect(HOST, taken.append)
    assert [each.what for each in taken] == ["work tree"]
    assert "not_collected" in caplog.text
