"""What survives: a restart, a kill, and a crash between git and the books."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests

from forge.embedded import EmbeddedForge
from forge.embedded.git import ZERO
from forge.embedded.instance import ForgeInstance
from forge.embedded.services import people, pulls, pushes, repos

if TYPE_CHECKING:
    from tests.embedded.conftest import ApiEnv, Receiver

ROOT = Path(__file__).parents[2]
SERVE = (sys.executable, "-m", "hive", "forge", "--port", "0", "--admin", "root0", "--state")
SECRET = os.environ | {"HIVE_ADMIN_PASSWORD": "a password"}


def served(state: Path) -> tuple[subprocess.Popen[str], str]:
    """A forge in a process of its own, and where it is."""
    process = subprocess.Popen([*SERVE, str(state)], stdout=subprocess.PIPE, text=True, env=SECRET)
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


def chain(site: ForgeInstance, repo: dict[str, Any]) -> str:
    """Follow the push records of main from nothing; answers where they lead."""
    at = ZERO
    for row in site.state.rows("SELECT * FROM feed WHERE op = 'commit_repo' AND ref = 'refs/heads/main' ORDER BY id"):
        old, new = json.loads(row["content"])["CompareURL"].rpartition("/")[2].split("...")
        assert at in {old, ZERO}, "a movement of main is missing in the books"
        at = new
    return at


def booked(site: ForgeInstance, repo: dict[str, Any]) -> bool:
    """Whether the books say of every branch what git says."""
    rows = site.state.rows("SELECT * FROM refs WHERE repo_id = ?", repo["id"])
    return {row["name"]: row["sha"] for row in rows} == site.git(repo).refs("refs/heads")


def test_everything_is_there_again(env: ApiEnv, tmp_path: Path) -> None:
    """A forge that stopped begins where it ended; ids go on growing."""
    env.core.pull("topic")
    env.core.post("~/issues/1/comments", {"body": "words"})
    env.forge.stop()
    with EmbeddedForge(tmp_path / "forge") as again:
        core = type(env.core)(again, "core", env.core.authorization)
        assert core.get("~/pulls/1")["mergeable"] is True
        assert core.get("~/issues/1/comments")[0]["body"] == "words"
        assert core.post("~/issues", {"title": "next"})["number"] == 2


def test_a_relative_state_is_below_the_current_directory(tmp_path: Path) -> None:
    """Repositories, books and hooks are in one place, from wherever the forge is started next time."""
    env = SECRET | {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    process = subprocess.Popen([*SERVE, "here"], cwd=tmp_path, stdout=subprocess.PIPE, text=True, env=env)
    assert process.stdout is not None
    try:
        url = process.stdout.readline().strip()
        who = ("root0", "a password")
        made = requests.post(f"{url}/api/v1/user/repos", json={"name": "app", "auto_init": True}, auth=who, timeout=60)
        assert made.status_code == 201, made.text
    finally:
        process.terminate()
        process.wait(60)
        process.stdout.close()
    with EmbeddedForge(tmp_path / "here") as again:
        branch = requests.get(f"{again.url}/api/v1/repos/root0/app/branches/main", auth=who, timeout=60)
        assert (branch.status_code, branch.json()["name"]) == (200, "main")
    assert list(tmp_path.iterdir()) == [tmp_path / "here"]


def test_a_push_is_booked_after_a_crash(env: ApiEnv, receiver: Receiver, tmp_path: Path) -> None:
    """What git did and nobody booked is booked at the next start: record, event, pull request."""
    env.core.pull("topic")
    env.hook(receiver, "push", "pull_request")
    site = env.forge.site
    repo, core = repos.get(site, "acme", "app"), people.get(site, "core")
    git, old = site.git(repo), repos.tip(site, repo, "topic")
    who = repos.signature(site, core)
    new = git.write_commit(f"{old}^{{tree}}", [old], "pushed just before the crash", who, who)
    moved = ("refs/heads/topic", old, new)
    pushes.prepare(site, core, repo, [moved, ("refs/heads/other", ZERO, new)])
    git.move([moved])
    env.forge.stop()
    with EmbeddedForge(tmp_path / "forge") as again:
        (push, _) = receiver.listens_to_bots("push", "pull_request_sync.synchronized")
        assert (push.json["after"], push.json["sender"]["login"]) == (new, "core")
        assert pulls.get(again.site, repo, 1)[1]["head_sha"] == new
        assert again.site.state.rows("SELECT * FROM moves") == []
        assert booked(again.site, repo)


def test_a_merge_is_booked_after_a_crash(env: ApiEnv, tmp_path: Path) -> None:
    """A merge whose commit is on the branch is a merge, by whoever pressed it."""
    env.core.pull("topic")
    site = env.forge.site
    repo, mara = repos.get(site, "acme", "app"), people.get(site, "mara")
    issue, pull = pulls.get(site, repo, 1)
    moved = ("refs/heads/main", repos.tip(site, repo, "main"), pull["head_sha"])
    pushes.prepare(site, mara, repo, [moved], {"merged": issue["id"]})
    site.git(repo).move([moved])
    env.forge.stop()
    with EmbeddedForge(tmp_path / "forge") as again:
        core = type(env.core)(again, "core", env.core.authorization)
        merged = core.get("~/pulls/1")
        assert (merged["merged"], merged["merged_by"]["login"]) == (True, "mara")
        assert merged["merge_commit_sha"] == pull["head_sha"]


def test_untried_deliveries_are_sent_after_a_restart(env: ApiEnv, receiver: Receiver, tmp_path: Path) -> None:
    """A delivery that waits when the forge ends is sent when it begins again, under its uuid."""
    env.hook(receiver, "issues")
    env.forge.site.hook_delay = 3600
    env.core.post("~/issues", {"title": "later"})
    waiting = env.forge.site.state.value("SELECT uuid FROM deliveries")
    env.forge.stop()
    with closing(sqlite3.connect(tmp_path / "forge" / "forge.db", isolation_level=None)) as books:
        books.execute("UPDATE deliveries SET due = 0")
    assert receiver.arrivals == []
    with EmbeddedForge(tmp_path / "forge"):
        (heard,) = receiver.listens_to_bots("issues.opened")
        assert heard.headers["X-Forgejo-Delivery"] == waiting


@pytest.mark.parametrize("after", [3, 11])
def test_a_kill_loses_no_push(tmp_path: Path, after: int) -> None:
    """Killed at any moment while many push, the forge knows each movement of each branch afterwards."""
    process, url = served(tmp_path)
    admin = ("root0", "a password")
    requests.post(f"{url}/api/v1/user/repos", json={"name": "app", "auto_init": True}, auth=admin, timeout=30)
    done = threading.Semaphore(0)

    def work(name: str) -> None:
        place, n = f"{url}/api/v1/repos/root0/app/contents", 0
        while True:
            file = {"operation": "create", "path": f"{name}-{n}", "content": ""}
            body = {"branch": "main", "files": [file]} | ({"new_branch": f"{name}-{n}"} if name == "b" else {})
            try:
                requests.post(place, json=body, auth=admin, timeout=30)
            except requests.RequestException:
                return
            n += 1
            done.release()

    workers = [threading.Thread(target=work, args=(name,)) for name in ("a", "b")]
    for worker in workers:
        worker.start()
    for _ in range(after):
        assert done.acquire(timeout=30)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=30)
    for worker in workers:
        worker.join()
    with EmbeddedForge(tmp_path) as again:
        repo = repos.get(again.site, "root0", "app")
        assert booked(again.site, repo)
        assert chain(again.site, repo) == repos.tip(again.site, repo, "main")


def test_the_foreground_ends_cleanly(tmp_path: Path) -> None:
    """SIGTERM ends `serve` with success, and its port and state are free at once."""
    process, url = served(tmp_path)
    assert requests.get(f"{url}/api/v1/version", timeout=30).status_code == 200
    process.terminate()
    process.communicate(timeout=30)
    assert process.returncode == 0
    with EmbeddedForge(tmp_path, port=int(url.rpartition(":")[2])) as again:
        assert again.url == url


def test_a_port_in_use_is_said(forge: EmbeddedForge, tmp_path: Path) -> None:
    """A second forge on one port fails as any server would."""
    other = EmbeddedForge(tmp_path / "other", port=int(forge.url.rpartition(":")[2]))
    with pytest.raises(OSError, match="in use"):
        other.open()
    other.stop()
