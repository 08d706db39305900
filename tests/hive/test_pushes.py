"""What a container pushes is looked at on the host, before the forge sees a byte of it."""

from __future__ import annotations

import io
import os
import secrets
import subprocess
import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from forge.models import Repo
from hive.agent.relay import relay
from hive.config import EVERYDAY
from hive.gateway import broker
from hive.gateway.admission import Denied, Guard
from hive.gateway.agent_backoff import AgentBackoff
from hive.gateway.agent_session import AgentSession
from hive.gateway.git_calls import PUSHES, pass_git
from hive.gateway.git_proxy import GitRequest
from hive.gateway.outbound import KnownSecrets, Outbound
from hive.gateway.push_check import MAX_FILE, PushCheck
from hive.gateway.wsgi_server import Server
from hive.git_mirror.mirror import Login, MirrorCache
from hive.ledger import Ledger, Turn
from hive.unix_socket import listen_unix
from tests.hive.conftest import APP, CONFIG, HiveEnv, make_env

SECRET = "5f0c9a1be47d2283aa96cc041e7db35f8e6a9d01"
KEY = "ghp_" + "aB3" * 12
WHO = {"NAME": "iris", "EMAIL": "iris@core.invalid"}


@dataclass
class Door:
    """Git in iris' container: all that it reaches is her broker."""

    tree: Path
    env: dict[str, str]
    session: AgentSession
    turn: Turn
    forge: Path
    """The repository on the forge's disk."""

    @property
    def ledger(self) -> Ledger:
        """The ledger."""
        return self.session.ledger

    def git(self, *words: str, who: dict[str, str] = WHO, stdin: str = "") -> str:
        """Run git in her work tree; returns what it says, also when it fails."""
        named = {f"GIT_{role}_{what}": said for role in ("AUTHOR", "COMMITTER") for what, said in who.items()}
        done = subprocess.run(
            ["git", *words],
            cwd=self.tree,
            env=self.env | named,
            capture_output=True,
            text=True,
            input=stdin,
            timeout=120,
        )
        return (
            f"{done.stdout}{done.stderr}" if done.returncode == 0 else f"[{done.returncode}] {done.stdout}{done.stderr}"
        )

    def change(self, branch: str, files: dict[str, str]) -> None:
        """Somebody else commits files to a branch on the forge."""
        with TemporaryDirectory() as place:
            run = partial(subprocess.run, cwd=place, env=self.env, check=True, capture_output=True)
            run(["git", "clone", "--quiet", "--branch", branch, str(self.forge), "."])
            for path, text in files.items():
                (Path(place) / path).parent.mkdir(parents=True, exist_ok=True)
                (Path(place) / path).write_text(text)
            run(["git", "add", "--all"])
            run(["git", "-c", "user.name=mara", "-c", "user.email=m@b.invalid", "commit", "--quiet", "-m", "Mara's"])
            run(["git", "push", "--quiet", "origin", f"HEAD:{branch}"])

    def begin(self, at: str = "origin/main") -> str:
        """A branch of its own for a test; returns its name."""
        name = f"agent/iris/{secrets.token_hex(4)}"
        self.git("fetch", "--quiet", "origin")
        self.git("checkout", "--quiet", "--force", "-B", name, at)
        return name

    def commit(self, path: str, content: str | bytes, message: str = "Work", **how: Any) -> None:
        """Write a file and commit it."""
        file = self.tree / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        self.git("add", "--force", "--", path)
        self.git("commit", "--quiet", "--allow-empty", "-m", message, **how)

    def push(self, *words: str) -> str:
        """Push the branch that is checked out."""
        return self.git("push", "origin", *(words or ("HEAD",)))

    def is_on_forge(self, branch: str) -> bool:
        """Whether the forge has what is checked out as a branch."""
        listed = self.git("ls-remote", "origin", f"refs/heads/{branch}").split()
        return bool(listed) and listed[0] == self.git("rev-parse", "HEAD").strip()

    def refused(self, words: str) -> None:
        """What was pushed is refused with these words, and is not on the forge."""
        branch = self.git("branch", "--show-current").strip()
        said = self.push()
        assert said.startswith("["), said
        assert words in " ".join(said.replace("remote: ", "").split()), said
        assert not self.is_on_forge(branch)


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """Her way to the forge, for all tests of this file: each has a branch of its own."""
    place = tmp_path_factory.mktemp("pushes")
    with make_env(place / "env") as made, ExitStack() as stack:
        session, turn = session_of(made, place)
        guard = Guard(session.ledger, "acme", "iris")
        server = Server(broker.create(session, guard), listen_unix(place / "forge.sock"), broker.gate(guard))
        server.start()
        stack.callback(server.stop)
        port = stack.enter_context(relay(place / "forge.sock"))
        settings = {"http.extraHeader": f"Authorization: Bearer {turn.token}", "http.postBuffer": str(1 << 16)}
        env = {"PATH": os.environ["PATH"], "HOME": str(place), "GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0"}
        env |= {"GIT_CONFIG_COUNT": str(len(settings))}
        for number, (key, value) in enumerate(settings.items()):
            env |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
        tree = place / "tree"
        tree.mkdir()
        found = Door(
            tree, env, session, turn, made.forge.site.root / "repositories" / f"{made.mara.repository(APP).id}.git"
        )
        found.change(
            "main", {".github/workflows/ci.yml": "on: push\n", "keys.txt": f"{KEY}\n", "docs/AGENTS.md": "Be kind.\n"}
        )
        assert not found.git("clone", "--quiet", f"http://127.0.0.1:{port}/git/acme/app.git", ".").startswith("[")
        yield found


def session_of(made: HiveEnv, place: Path) -> tuple[AgentSession, Turn]:
    """Iris, and a turn of hers."""
    instance, ledger = made.instance, made.instance.ledger
    ledger.runs.start("acme", "iris", f"{APP}#1", "k", "do it")
    turn = ledger.runs.claim("iris")
    assert turn is not None
    login = Login("iris", instance.secret_store.token(APP.forge, "iris"))
    cache = MirrorCache(place / "mirrors")
    outbound = Outbound(
        ledger, "acme", "iris", "core", instance.ops("acme"), KnownSecrets(lambda: [SECRET]), lambda _: None
    )
    push = PushCheck(
        outbound,
        "iris <iris@core.invalid>",
        lambda path: cache.mirror(Repo(APP.forge, *path.split("/")), f"{made.forge.url}/{path}.git", login),
        place / "waiting",
        granted=("/.github/workflows/granted.yml",),
    )
    session = AgentSession(
        agent="iris",
        team="acme",
        login=lambda: login,
        forge_url=made.forge.url,
        config_repo=CONFIG,
        ledger=ledger,
        wake=lambda _: None,
        heard=lambda *_: None,
        epoch=lambda: 1,
        stop=threading.Event(),
        rest=AgentBackoff(ledger, "acme", "iris", "core", instance.ops("acme")),
        base=lambda _: "main",
        brief=lambda _: {},
        capabilities=lambda: frozenset(EVERYDAY),
        outbound=outbound,
        push=push,
    )
    return session, turn


def test_ordinary_work_passes(door: Door) -> None:
    """New files, big ones, more commits later, and a merge of the base that changed what is protected."""
    branch = door.begin()
    door.commit("app.py", "x = 1\n")
    door.commit("picture.png", os.urandom(1 << 20))
    door.commit("text.b64", b64encode(os.urandom(300_000)))
    assert "new branch" in door.push()
    assert door.is_on_forge(branch)
    door.change("main", {".github/workflows/more.yml": "on: push\n"})
    door.git("fetch", "--quiet", "origin")
    assert not door.git("merge", "--quiet", "--no-edit", "origin/main").startswith("[")
    door.commit("app.py", "x = 2\n")
    door.push()
    assert door.is_on_forge(branch)
    with door.ledger.transaction() as db:
        rows = db.execute("SELECT detail FROM audit WHERE action = 'push_passed'").fetchall()
    assert sum(branch in row["detail"] for row in rows) == 2
    assert list((door.tree.parent / "waiting").iterdir()) == []


@pytest.mark.parametrize(
    "path",
    [
        ".github/workflows/new.yml",
        ".forgejo/x",
        "CODEOWNERS",
        "docs/codeowners",
        ".hive.yaml",
        "a/b/CLAUDE.md",
        "Agents.md",
    ],
)
def test_protected_paths_need_a_grant(door: Door, path: str) -> None:
    """What runs on the forge, who reviews and what agents are told stays as the base has it."""
    door.begin()
    door.commit(path, "mine\n")
    door.refused(f"these paths are protected, and you have no grant for them: {path}")


def test_a_protected_file_may_not_be_changed_moved_or_removed(door: Door) -> None:
    """In no way, and not by a commit that is merged in; what was granted may."""
    for words in (
        ("rm", "--quiet", ".github/workflows/ci.yml"),
        ("mv", "docs/AGENTS.md", "docs/agents.txt"),
        ("update-index", "--chmod=+x", ".github/workflows/ci.yml"),
    ):
        door.begin()
        door.git(*words)
        door.git("commit", "--quiet", "-m", "Less")
        door.refused("these paths are protected")
    branch = door.begin()
    door.commit(".github/workflows/granted.yml", "on: push\n")
    door.push()
    assert door.is_on_forge(branch)


def test_what_others_put_on_the_branch_stays(door: Door) -> None:
    """An operator's change of a protected file on the agent's branch is no change of the agent's; what it would remove is refused."""
    branch = door.begin()
    door.commit("app.py", "x = 3\n")
    door.push()
    door.change(branch, {".github/workflows/ci.yml": "on: [push]\n"})
    door.commit("app.py", "x = 4\n")
    said = door.git("push", "--force", "origin", f"+HEAD:refs/heads/{branch}")
    assert "fetch first: the branch" in " ".join(said.split())
    door.git("fetch", "--quiet", "origin")
    door.git("rebase", "--quiet", f"origin/{branch}")
    door.push()
    assert door.is_on_forge(branch)


@pytest.mark.parametrize("ref", ["refs/heads/main", "refs/heads/agent/atlas/x", "refs/tags/v1", "refs/pull/1/head"])
def test_only_own_branches(door: Door, ref: str) -> None:
    """Everything else is refused in words that git shows."""
    door.begin()
    door.commit("app.py", "x = 5\n")
    assert "only branches below agent/iris/ may be pushed, and no tags" in " ".join(door.push(f"HEAD:{ref}").split())


@pytest.mark.parametrize("blocking", ["agent", "agent/iris"])
def test_a_branch_in_the_way_is_named(door: Door, blocking: str) -> None:
    """Where there is a branch `agent`, git makes none below it: that is said, and whose it is to mend; without it the push passes."""
    door.begin()
    door.commit("blocked.py", "x = 1\n")
    place = f"refs/heads/{blocking}"
    others = door.git("ls-remote", "origin", "refs/heads/agent/*").split()
    kept = dict(zip(others[1::2], others[::2], strict=True))
    for ref in kept:
        subprocess.run(["git", "update-ref", "-d", ref], cwd=door.forge, check=True)
    subprocess.run(["git", "update-ref", place, "refs/heads/main"], cwd=door.forge, check=True)
    try:
        door.refused(f"the forge has a branch {blocking}, and where there is one git makes no branch")
    finally:
        subprocess.run(["git", "update-ref", "-d", place], cwd=door.forge, check=True)
        for ref, sha in kept.items():
            subprocess.run(["git", "update-ref", ref, sha], cwd=door.forge, check=True)
    assert not door.push().startswith("[")


def test_nothing_is_deleted_or_rewritten(door: Door) -> None:
    """A branch only grows."""
    branch = door.begin()
    door.commit("app.py", "x = 6\n")
    door.push()
    assert "branches are not deleted" in door.push(f":refs/heads/{branch}")
    door.git("commit", "--quiet", "--amend", "-m", "Other words")
    assert "fetch first: the branch" in door.push("--force", "HEAD")
    assert not door.is_on_forge(branch)


@pytest.mark.parametrize(
    ("author", "committer", "role"),
    [
        ("mara <mara@forge.invalid>", "iris <iris@core.invalid>", "author"),
        ("iris <iris@core.invalid>", "mara <mara@forge.invalid>", "committer"),
        ("iris <iris@evil.example>", "iris <iris@core.invalid>", "author"),
        ("Iris <iris@core.invalid>", "iris <iris@core.invalid>", "author"),
    ],
)
def test_commits_are_the_agents_own(door: Door, author: str, committer: str, role: str) -> None:
    """Nobody else is named as author or committer of what an agent pushes."""
    door.begin()
    tree, parent = (door.git("rev-parse", what).strip() for what in ("HEAD^{tree}", "HEAD"))
    raw = (
        f"tree {tree}\nparent {parent}\nauthor {author} 1700000000 +0000\ncommitter {committer} 1700000000 +0000\n\nx\n"
    )
    made = door.git("hash-object", "-t", "commit", "-w", "--stdin", stdin=raw).strip()
    door.git("reset", "--quiet", "--hard", made)
    door.refused(f"as its {role}; your commits are by iris <iris@core.invalid>")


def test_secrets_are_not_pushed(door: Door) -> None:
    """Not in a file, its name, a message or the name of a branch, and not in a commit that a later one undoes."""
    for path, content, message in (
        ("a.txt", f"token = {SECRET}", "Work"),
        ("b.txt", b64encode(f"  {SECRET}".encode()), "Work"),
        (f"{SECRET[:20]}/{SECRET[20:]}", "x", "Work"),
        ("d.txt", "x", f"Work\n\n{SECRET[::-1]}"),
        ("e.txt", f"k = '{KEY[:-1]}c'", "Work"),
    ):
        door.begin()
        door.commit(path, content, message)
        door.commit(path, "nothing\n")
        door.refused("and was not passed on. Leave it out")
    door.begin()
    door.git("checkout", "--quiet", "-B", f"agent/iris/{SECRET}")
    door.commit("f.txt", "x\n")
    door.refused("the name of the branch holds a secret of the hive")
    branch = door.begin()
    door.commit("keys.txt", f"{KEY}\nand more\n")  # it was there before
    door.push()
    assert door.is_on_forge(branch)


def test_what_is_too_large_is_not_pushed(door: Door) -> None:
    """The file is named."""
    door.begin()
    door.commit("big.bin", bytes(MAX_FILE + 1))
    door.refused("big.bin has 16 MB, and 16 MB is the most for one file")


def test_only_what_was_looked_at_reaches_the_forge(door: Door) -> None:
    """An object that no pushed commit leads to stays behind, though it was in the pack."""
    branch = door.begin()
    door.commit("app.py", "x = 7\n")
    tip, before = door.git("rev-parse", "HEAD").strip(), door.git("rev-parse", "origin/main").strip()
    stray = door.git("hash-object", "-w", "--stdin", stdin=f"{SECRET}\n").strip()
    listed = door.git("rev-list", "--objects", "--no-object-names", f"{before}..{tip}")
    file = door.tree.parent / "objects"
    file.write_text(f"{listed}{stray}\n")
    with file.open() as names:
        pack = subprocess.run(
            ["git", "pack-objects", "--stdout"], cwd=door.tree, stdin=names, capture_output=True, check=True
        ).stdout
    line = f"{'0' * 40} {tip} refs/heads/{branch}\0 report-status side-band-64k".encode()
    body = b"%04x" % (len(line) + 4) + line + b"0000" + pack
    kind = {"Content-Type": "application/x-git-receive-pack-request"}
    asked = GitRequest("POST", "acme/app", "git-receive-pack", "", kind, io.BytesIO(body), len(body))
    answer = b"".join(pass_git(door.session, door.turn, "acme/app", asked, frozenset()).chunks)
    assert b"unpack ok" in answer
    assert door.is_on_forge(branch)
    assert subprocess.run(["git", "cat-file", "-e", stray], cwd=door.forge, capture_output=True).returncode != 0


def test_garbage_is_refused_in_words(door: Door) -> None:
    """A pack that is none, one whose objects lead nowhere, and what cannot be read."""
    line = f"{'0' * 40} {'2' * 40} refs/heads/agent/iris/x\0 report-status".encode()
    for pack in (b"", b"PACK\0\0\0\2\0\0\0\1nonsense", b"\0" * 1000):
        body = b"%04x" % (len(line) + 4) + line + b"0000" + pack
        asked = GitRequest("POST", "acme/app", "git-receive-pack", "", {}, io.BytesIO(body), len(body))
        with pytest.raises(Denied, match="cannot be read") as refused:
            pass_git(door.session, door.turn, "acme/app", asked, frozenset())
        assert refused.value.raw is not None
        assert b"ng refs/heads/agent/iris/x hive:" in refused.value.raw[1]
    asked = GitRequest("POST", "acme/app", "git-receive-pack", "", {"Content-Encoding": "gzip"}, io.BytesIO(b"x"), 1)
    with pytest.raises(Denied, match="uncompressed"):
        pass_git(door.session, door.turn, "acme/app", asked, frozenset())


def test_a_push_needs_its_capability(door: Door) -> None:
    """Without `open_pr` nothing is pushed to the repository of the work, whatever a command in the container tries."""
    line = f"{'0' * 40} {'2' * 40} refs/heads/agent/iris/x\0 report-status".encode()
    body = b"%04x" % (len(line) + 4) + line + b"0000"
    asked = GitRequest("POST", "acme/app", "git-receive-pack", "", {}, io.BytesIO(body), len(body))
    session = replace(door.session, capabilities=lambda: frozenset({"comment"}))
    with pytest.raises(Denied, match="need the capability open_pr"):
        pass_git(session, door.turn, "acme/app", asked, frozenset())


def test_a_run_pushes_so_many_times(door: Door) -> None:
    """One push more than a run may make is refused in words; one that is tried again is the same one."""
    calls, run = door.ledger.broker_calls, door.turn.run
    branch = door.begin()
    door.commit("app.py", "x = 8\n")
    door.push()
    made = calls.counts(run)["push"]
    for number in range(PUSHES - made):
        calls.count(run, "push", f"other {number}", most=PUSHES)
    assert "Everything up-to-date" in door.push()
    door.commit("app.py", "x = 9\n")
    door.refused("a run may push 100 times")
    assert not door.is_on_forge(branch)
