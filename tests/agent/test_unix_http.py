"""The way to the host: patience, refusals, the relay."""

from __future__ import annotations

import os
import signal
import socket
import struct
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hive.agent.broker_client import BrokerClient
from hive.agent.container_paths import ContainerPaths
from hive.agent.errors import HostRefused, HostUnavailable, LeaseLost
from hive.agent.relay import relay
from hive.agent.unix_http import RetryPolicy, UnixHTTPClient

if TYPE_CHECKING:
    from tests.agent.conftest import World

QUICK = RetryPolicy(tries=3, first=0.01)


def broker(world: World) -> BrokerClient:
    world.give()
    turn = world.take()
    return BrokerClient(UnixHTTPClient(world.place.forge), turn.token, QUICK)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, HostRefused),
        (401, LeaseLost),
        (403, HostRefused),
        (404, HostRefused),
        (409, LeaseLost),
        (503, HostUnavailable),
    ],
)
def test_refusals(world: World, status: int, error: type[Exception]) -> None:
    """Each status has a name, and carries the broker's sentence."""
    world.answers["comment"] = [status] * 3
    with pytest.raises(error, match="scripted"):
        broker(world).comment("k", "b")
    assert not world.comments


def test_patience(world: World) -> None:
    """A broker that is away for a moment is asked again."""
    world.answers["comment"] = [503, 502]
    broker(world).comment("k", "b")
    assert world.comments == {"k": "b"}


def test_pauses() -> None:
    """Pauses double up to a longest, and a longer one that is asked for is kept to as far as that."""
    pauses: list[float] = []
    wanted = iter([0.0, 0.0, 3.0, 60.0, 0.0])

    def ask() -> None:
        raise HostUnavailable("busy", retry_after=next(wanted))

    with pytest.raises(HostUnavailable, match="busy"):
        RetryPolicy(tries=5, first=0.5, longest=10.0, sleep=pauses.append).call(ask)
    assert pauses == [0.5, 1.0, 3.0, 10.0]


def test_broken_connection(world: World) -> None:
    """A connection that breaks before the answer is asked again, and what was done is done once."""
    broken = iter([True, True, False])

    def cut(word: str) -> None:
        if word == "after comment" and next(broken):
            raise ConnectionResetError

    world.watch = cut
    broker(world).comment("k", "b")
    assert world.comments == {"k": "b"}


def test_no_socket(tmp_path: Path) -> None:
    """A socket that is not there is a broker that is away."""
    with pytest.raises(HostUnavailable, match=r"forge\.sock"):
        BrokerClient(UnixHTTPClient(tmp_path / "forge.sock"), retry=QUICK).turn("x", wait=0)


def test_harness_waits_for_the_broker(world: World) -> None:
    """A resident whose broker breaks off, or says that it is not ready, asks again."""
    broken = iter([True, False, False])

    def cut(word: str) -> None:
        if word == "turn" and next(broken):
            raise ConnectionResetError

    world.watch = cut
    world.answers["turn"] = [503]
    world.start()
    world.wait_for(lambda: world.asked)


def test_wrong_token(world: World) -> None:
    """A token of a turn that was taken again is worth nothing, for deeds as for git."""
    old = broker(world)
    world.take()
    with pytest.raises(LeaseLost):
        old.comment("k", "b")


def test_token_dies_in_git(world: World) -> None:
    """Git that is no longer let in is a lost turn, not a failed one."""
    world.give()

    def take_it_away(word: str) -> None:
        if word == "info/refs":
            world.token = "somebody else's"

    world.watch = take_it_away
    with pytest.raises(LeaseLost, match="git clone"):
        world.resume()
    assert not world.ends


def test_forge_is_away_for_git(world: World) -> None:
    """Git that finds the forge away is run again, and lets go of the turn when that was in vain; one that is refused does not."""
    world.answers["info/refs"] = [503, 502]
    assert world.hold()["outcome"] == "blocked"
    world.answers["info/refs"] = [503] * 3
    world.give()
    world.resume()
    assert (world.left, len(world.ends)) == (1, 1)
    world.answers["info/refs"] = [403, 503]
    world.resume()
    assert world.ends[-1]["outcome"] == "failed"
    assert world.answers["info/refs"] == [503]


@pytest.mark.parametrize("name", ["git", "git-remote-http"])
def test_git_that_is_killed_is_run_again(world: World, name: str) -> None:
    """As by a machine that has no memory left: the turn goes on as if nothing had been."""
    killed: list[int] = []

    def kill(word: str) -> None:
        if word == "info/refs" and not killed:
            killed.extend(pid for pid in below(os.getpid()) if Path(f"/proc/{pid}/comm").read_text().strip() == name)
            for pid in killed:
                os.kill(pid, signal.SIGKILL)

    world.watch = kill
    assert world.hold()["outcome"] == "blocked"
    assert killed


def below(root: int) -> list[int]:
    """The descendants of a process."""
    found = [int(pid) for task in Path(f"/proc/{root}/task").glob("*/children") for pid in task.read_text().split()]
    return [*found, *(each for pid in found for each in below(pid))]


def test_relay_carries_both_ways(tmp_path: Path) -> None:
    """Bytes go both ways at once, and an end is passed on."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))
        server.listen()
        with relay(tmp_path / "s") as port, socket.create_connection(("127.0.0.1", port), 10) as client:
            far, _ = server.accept()
            with far:
                client.sendall(b"ping")
                assert far.recv(10) == b"ping"
                far.sendall(b"pong")
                assert client.recv(10) == b"pong"
                client.shutdown(socket.SHUT_WR)
                assert far.recv(10) == b""
                far.sendall(b"rest")
                far.close()
                assert client.makefile("rb").read() == b"rest"


def test_relay_passes_a_break_on(tmp_path: Path) -> None:
    """A connection that is reset at one end does not stay open at the other."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))
        server.listen()
        with relay(tmp_path / "s") as port, socket.create_connection(("127.0.0.1", port), 10) as client:
            far, _ = server.accept()
            client.sendall(b"never read")
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.close()
            far.settimeout(10)
            with far:
                assert far.makefile("rb").read() in {b"", b"never read"}


def test_relay_without_a_broker(tmp_path: Path) -> None:
    """Where nobody listens, the connection is closed; when the relay ends, so does its port."""
    with relay(tmp_path / "s") as port, socket.create_connection(("127.0.0.1", port), 10) as client:
        assert client.recv(10) == b""
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), 10)


def test_place() -> None:
    """The environment says where things are; without it they are where a container has them."""
    assert ContainerPaths.of({"HIVE_STATE": "/x"}) == ContainerPaths(
        Path("/run/hive"), Path("/agent/config"), Path("/x")
    )
