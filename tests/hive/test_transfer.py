"""Git's way to the forge: slow is no fault, silence is, and what is cut leaves nothing behind."""

from __future__ import annotations

import random
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from forge.embedded.faults import Fault
from forge.models import FileEdit
from hive.agent.child_process import Deadlines
from hive.git_mirror.mirror import GitError, GitInterrupted, Login, Mirror
from tests.hive.conftest import APP, HiveEnv

SIZE = 400_000
SILENCE = 8.0


class Narrow:
    """A narrow way to a forge: `piece` bytes of an answer at a time, with a pause; none after `ends_after` bytes."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._behind = (parts.hostname or "", parts.port or 80)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.piece, self.pause, self.ends_after = 1 << 16, 0.0, 1 << 40
        self._over = threading.Event()
        self._sockets = [self._listener]
        self._threads: list[threading.Thread] = []
        self._start(self._serve)

    def close(self) -> None:
        """End all that goes through it."""
        self._over.set()
        for each in self._sockets:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for each in self._sockets:
            each.close()

    def _start(self, work: Callable[..., None], *facts: socket.socket) -> None:
        thread = threading.Thread(target=work, args=facts)
        self._threads.append(thread)
        thread.start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._sockets.append(client)
                forge = socket.create_connection(self._behind)
                self._sockets.append(forge)
                self._start(self._up, client, forge)
                self._start(self._down, forge, client)

    def _up(self, client: socket.socket, forge: socket.socket) -> None:
        with suppress(OSError):
            while chunk := client.recv(1 << 16):
                forge.sendall(chunk)
            forge.shutdown(socket.SHUT_WR)

    def _down(self, forge: socket.socket, client: socket.socket) -> None:
        passed = 0
        with suppress(OSError):
            while chunk := forge.recv(self.piece):
                client.sendall(chunk)
                passed += len(chunk)
                if passed > self.ends_after:
                    self._over.wait()
                    return
                self._over.wait(self.pause)
            client.shutdown(socket.SHUT_WR)


@pytest.fixture
def narrow(hive_env: HiveEnv) -> Iterator[Narrow]:
    """A way to the village's forge."""
    way = Narrow(hive_env.forge.url)
    yield way
    way.close()


def mirror_of(hive_env: HiveEnv, narrow: Narrow, path: Path, token: str = "") -> Mirror:
    login = Login("core", token or hive_env.instance.secret_store.token(APP.forge, "core"))
    return Mirror(path, f"{narrow.url}/{APP.path}.git", login, deadlines=Deadlines(SILENCE, 600.0))


def grow(hive_env: HiveEnv) -> str:
    """A commit that no packing makes smaller."""
    noise = random.Random(7).randbytes(SIZE)
    hive_env.mara.commit(APP, [FileEdit("noise", noise)], message="noise", branch="noise", start="main")
    return hive_env.mara.branch(APP, "noise").sha


def living_in(path: Path) -> list[str]:
    """The processes that are at work in a directory."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (process / "cwd").readlink().is_relative_to(path):
                found.append((process / "cmdline").read_text())
    return found


def left_in(path: Path) -> list[Path]:
    return [*path.rglob("tmp_*"), *path.rglob("*.lock"), *path.rglob("*.keep")]


def test_a_slow_forge_is_waited_for(hive_env: HiveEnv, narrow: Narrow, tmp_path: Path) -> None:
    """A transfer that goes on is never cut, though it takes longer than any silence may."""
    sha = grow(hive_env)
    narrow.piece, narrow.pause = 4000, 2 * SILENCE / (SIZE / 4000)
    mirror = mirror_of(hive_env, narrow, tmp_path / "m.git")
    assert mirror.fetch("refs/heads/noise", "noise") == sha


def test_a_silent_forge_is_left_and_leaves_nothing(hive_env: HiveEnv, narrow: Narrow, tmp_path: Path) -> None:
    """A transfer that says nothing more is ended, with all that worked for it; nothing is left of it, and the next one comes through."""
    sha = grow(hive_env)
    narrow.ends_after = SIZE // 2
    mirror = mirror_of(hive_env, narrow, tmp_path / "m.git")
    with pytest.raises(GitInterrupted):
        mirror.fetch("refs/heads/noise", "noise")
    assert living_in(mirror.path) == []
    assert left_in(mirror.path) == []
    narrow.ends_after = 1 << 40
    assert mirror.fetch("refs/heads/noise", "noise") == sha


def test_what_a_killed_hive_left_is_cleared(hive_env: HiveEnv, narrow: Narrow, tmp_path: Path) -> None:
    """Halves of packs and locks of a git that died with the hive are in nobody's way."""
    grow(hive_env)
    mirror = mirror_of(hive_env, narrow, tmp_path / "m.git")
    for name in ("objects/pack/tmp_pack_abc", "objects/pack/pack-1.keep", "refs/hive/main.lock", "packed-refs.lock"):
        (mirror.path / name).parent.mkdir(parents=True, exist_ok=True)
        (mirror.path / name).write_bytes(b"x")
    half = tmp_path / "half.git"
    half.mkdir()
    (half / "config").write_bytes(b"")
    assert mirror.fetch("refs/heads/noise", "main")
    assert left_in(mirror.path) == []
    assert mirror_of(hive_env, narrow, half).fetch("refs/heads/noise", "main")


def test_time_heals_some_failures_only(hive_env: HiveEnv, narrow: Narrow, tmp_path: Path) -> None:
    """Outages and refused tokens pass; what is not there, and a name that is none, do not."""
    grow(hive_env)
    mirror = mirror_of(hive_env, narrow, tmp_path / "m.git")
    for kind in ("502", "429", "cut"):
        hive_env.forge.faults.put(Fault(kind, path="*.git/*", times=99))
        with pytest.raises(GitInterrupted):
            mirror.fetch("refs/heads/noise", "main")
        hive_env.forge.faults.clear()
    with pytest.raises(GitInterrupted):
        mirror_of(hive_env, narrow, tmp_path / "n.git", token="0" * 40).fetch("refs/heads/noise", "main")
    for ref in ("refs/heads/nowhere", "refs/pull/99/head", "refs/heads/a b", "refs/heads/a..b"):
        with pytest.raises(GitError) as refused:
            mirror.fetch(ref, "x")
        assert not isinstance(refused.value, GitInterrupted), ref
    narrow.close()
    with pytest.raises(GitInterrupted):
        mirror.fetch("refs/heads/noise", "main")
