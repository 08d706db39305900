"""A world for the harness: a broker, a model gateway and a git host on two unix sockets, small but real."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingMixIn, UnixStreamServer
from typing import Any

import pytest

from hive.agent.container_paths import ContainerPaths
from hive.agent.directory_trees import remove_path
from hive.agent.relay import relay
from hive.agent.turn import TurnBrief, parse
from hive.agent.turn_runner import TurnRunner
from hive.agent.unix_http import RetryPolicy
from hive.demo.model import DiffResponder, ModelConversation, ModelReply, Responder
from hive.demo.model.server import handler
from tests.agent.process_tree import descendants, kill_all

ROOT = Path(__file__).parent.parent.parent
BACKEND = Path(subprocess.check_output(["git", "--exec-path"], text=True).strip()) / "git-http-backend"
BOUND = 240.0
"""Seconds after which a wait has failed."""

GIT = {
    "PATH": os.environ["PATH"],
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    **{f"GIT_{who}_{what}": "a@b.invalid" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
}
FILES = {
    "acme/app": {"app.py": "x = 1\n", "lib/deep.py": "y = 1\n"},
    "agent-configs/iris": {"agent.yaml": "name: iris\n"},
    "hive/knowledge": {"README.md": "Bees dance.\n"},
}
TURN: dict[str, Any] = {
    "run": 7,
    "turn": 1,
    "token": "none yet",
    "lease": 60,
    "system": "You are iris.",
    "model": "scripted",
    "max_steps": 20,
    "minutes": 5,
    "message": "",
    "issue": "forgejo:acme/app#1",
    "pull": None,
    "repo": "acme/app",
    "base": "main",
    "branch": "agent/iris/issue-1",
    "config_repo": "agent-configs/iris",
    "config_base": "main",
    "checks": [],
    "capabilities": ["comment", "config_request", "open_pr", "status", "update_pr"],
    "author": {"name": "iris", "email": "iris@forge.invalid"},
}
KEY = "key-that-the-host-told-this-container"
SHORT = RetryPolicy(tries=3, first=0.01, longest=0.05)


class UnixServer(ThreadingMixIn, UnixStreamServer):
    """An HTTP server whose address is a file."""

    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, *_: object) -> None:
        """A connection that breaks is meant to."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            traceback.print_exc()


class World:
    """What the host does for one container, as `docs/harness.md` says, and what came of it.

    A turn that has not ended is handed out to whoever asks, with a new token: the process that
    held it before must have died. `watch` is called with a word for each request, before it is
    acted on and again (`after …`) before it is answered; what it raises breaks the connection.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.place = ContainerPaths(folder / "s", folder / "config", folder / "state")
        self.responder: Responder = DiffResponder()
        self.turns: list[dict[str, Any]] = []
        self.token = ""
        self.lines: dict[int, list[dict[str, Any]]] = {}
        """The transcript of each run: what the host keeps of it."""

        self.polls = 0
        self.asked: list[dict[str, Any]] = []
        self.comments: dict[str, str] = {}
        self.spent = ""
        self.pulls: dict[str, dict[str, Any]] = {}
        self.proposals: dict[str, dict[str, Any]] = {}
        self.edits: list[dict[str, Any]] = []
        self.questions: list[dict[str, Any]] = []
        self.bounces: list[dict[str, Any]] = []
        self.requests: list[dict[str, Any]] = []
        self.ends: list[dict[str, Any]] = []
        self.beats = 0
        self.cancel = False
        self.rest = False
        self.mail: list[tuple[int, str]] = []
        """Numbers and texts of the messages that wait for the turn."""

        self.budget = ""
        """What the gateway says with each answer of how much of the budget is used, in percent."""

        self.rested = 0
        self.left = 0
        self.shown: list[tuple[int, int]] = []
        """How many items of its checklist were done, and left, each time that it was shown."""

        self.answers: dict[str, list[int]] = {}
        """Statuses to answer the next requests of a name with, instead of acting on them."""

        self.watch: Callable[[str], None] = lambda _: None
        self.wrap: list[str] = []
        """The words before the command of the harness."""

        self.processes: list[subprocess.Popen[bytes]] = []
        self.changed = threading.Condition()
        self.stopping = threading.Event()

    def reply(self, conversation: ModelConversation) -> ModelReply:
        """The reply of the brain that the test has put in."""
        reply = self.responder.reply(conversation)
        self.watch("after messages")
        return reply

    def give(self, message: str = "Do it.", **more: Any) -> dict[str, Any]:
        """Put a turn into the queue."""
        number = len(self.turns) + 1
        turn = TURN | {"turn": number, "message": message} | more
        with self.changed:
            self.turns.append(turn)
            self.changed.notify_all()
        return turn

    def take(self) -> TurnBrief:
        """The turn that is next, as a process would take it."""
        turn = self.next_turn(0)
        assert turn is not None
        return parse(turn)

    def hold(self, message: str = "Do it.", *, silence: float = 10.0, **more: Any) -> dict[str, Any]:
        """Let a session in this process hold one more turn; returns the end that it reported."""
        self.give(message, **more)
        self.resume(silence=silence)
        return self.ends[-1]

    def resume(self, *, silence: float = 10.0, leaving: Callable[[], None] = lambda: None) -> None:
        """Let a session in this process hold the turn that is next."""
        with relay(self.place.forge) as port:
            TurnRunner(self.place, port, leaving, SHORT, silence).hold(self.take())

    def start(self, **more: str) -> subprocess.Popen[bytes]:
        """Start the harness as a process; `more` are variables of its container."""
        env = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "HIVE_SOCKETS": str(self.place.sockets),
            "HIVE_CONFIG": str(self.place.config),
            "HIVE_STATE": str(self.place.state),
            **more,
        }
        with (self.folder / "stderr").open("ab") as log:
            words = [*self.wrap, sys.executable, "-m", "hive.agent"]
            process = subprocess.Popen(words, env=env, stdin=subprocess.PIPE, stderr=log)
        assert process.stdin is not None
        with process.stdin as told:
            told.write(KEY.encode())
        self.processes.append(process)
        return process

    def kill(self) -> None:
        """Kill every process of the harness, and what it started, as the end of its container does."""
        for process in self.processes:
            process.send_signal(signal.SIGSTOP)
            started = descendants(process.pid)
            process.kill()
            process.wait()
            kill_all(started)
        with self.changed:
            self.processes.clear()
            self.changed.notify_all()

    def wait_for(self, condition: Callable[[], object]) -> None:
        """Wait until something holds; whatever happens at the sockets is looked at."""
        with self.changed:
            assert self.changed.wait_for(condition, BOUND), (self.folder / "stderr").read_text()

    def wait_for_file(self, path: Path) -> None:
        """Wait until a command has made a file."""
        until = time.monotonic() + BOUND
        while not path.exists():
            assert time.monotonic() < until, (self.folder / "stderr").read_text()
            time.sleep(0.01)

    def next_turn(self, seconds: float) -> dict[str, Any] | None:
        """The first turn that has not ended, under a new token; for the newest who asks: the others are dead."""
        with self.changed:
            self.polls += 1
            mine = self.polls
            self.changed.wait_for(lambda: len(self.turns) > len(self.ends) or self.polls != mine, seconds)
            if len(self.turns) <= len(self.ends) or self.polls != mine:
                return None
            self.token = f"token-{time.monotonic_ns()}"
            turn = self.turns[len(self.ends)]
            return turn | {"token": self.token, "transcript": list(self.lines.get(turn["run"], []))}

    def transcript(self, run: int = 7) -> list[dict[str, Any]]:
        """The lines of a run."""
        return self.lines.get(run, [])

    def results(self, run: int = 7) -> list[str]:
        """What the tool calls of a run came to."""
        blocks = [block for line in self.transcript(run) if line.get("role") == "user" for block in line["content"]]
        return [block["content"] for block in blocks if block["type"] == "tool_result"]

    def git(self, repo: str, *words: str, stdin: str = "", index: str = "") -> str:
        """Ask git in a repository of the host; with an index, it can commit there."""
        path = self.folder / "git" / f"{repo}.git"
        env = GIT | ({"GIT_INDEX_FILE": index} if index else {})
        return subprocess.check_output(["git", *words], cwd=path, env=env, input=stdin, text=True).strip()

    def act(self, name: str, body: dict[str, Any]) -> dict[str, Any] | None:
        """One typed deed; None is 204."""
        match name:
            case "turn":
                with self.changed:
                    self.asked.append(body)
                    self.changed.notify_all()
                return self.next_turn(min(body["wait"], 2.0))
            case "beat":
                self.beats += 1
                return {"cancel": self.cancel, "rest": self.rest, "mail": bool(self.mail), "spent": self.spent}
            case "mail":
                return {"messages": [{"turn": turn, "message": text} for turn, text in self.mail]}
            case "transcript":
                return self._tell(body["number"], body["line"])
            case "rest":
                self.rested += 1
                return {}
            case "leave":
                self.left += 1
                return {}
            case "progress":
                self.shown.append((len(body["done"]), len(body["left"])))
                return {}
            case "comment":
                self.comments.setdefault(body["key"], body["body"])
                return {"id": 1, "url": "http://forge.invalid/1"}
            case "pull":
                return self._open(self.pulls, "acme/app", body)
            case "propose":
                return self._open(self.proposals, "agent-configs/iris", body)
            case "update_pr":
                self.edits.append(body)
                return {"ref": "forgejo:acme/app#2"}
            case "config_request":
                self.requests.append(body)
                return {"ref": "forgejo:agent-configs/iris#9"}
            case "ask":
                self.questions.append(body)
                return {"question": len(self.questions), "url": "http://forge.invalid/q"}
            case "not_my_lane":
                self.bounces.append(body)
                return {"id": 1, "url": "http://forge.invalid/1"}
            case "status":
                return {"run": 7, "calls": {"comment": len(self.comments)}}
            case "logs":
                return {"agent": body.get("agent", "iris"), "lines": ["first", "last"][-body.get("lines", 2) :]}
            case _:
                if body["outcome"] != "pushed":
                    self.comments[f"end:{self.turns[len(self.ends)]['turn']}"] = body["message"]
                self.ends.append(body)
                return {}

    def _tell(self, number: int, line: dict[str, Any]) -> dict[str, Any]:
        lines = self.lines.setdefault(self.turns[len(self.ends)]["run"], [])
        assert number <= len(lines)
        if number < len(lines):
            assert lines[number] == line
        else:
            lines.append(line)
            self.mail = [(turn, text) for turn, text in self.mail if turn != line.get("joins")]
        return {"mail": bool(self.mail)}

    def _open(self, among: dict[str, dict[str, Any]], repo: str, body: dict[str, Any]) -> dict[str, Any]:
        assert self.git(repo, "rev-parse", f"refs/heads/{body['branch']}")
        among.setdefault(body["branch"], body)
        number = 2 + list(among).index(body["branch"])
        return {"ref": f"forgejo:{repo}#{number}", "url": f"http://forge.invalid/{repo}/pulls/{number}"}


def broker(world: World) -> type[BaseHTTPRequestHandler]:
    """The handlers of `forge.sock`."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers.get("content-length") or 0))
            path = self.path.partition("?")[0]
            name = path.removeprefix("/v1/") if path.startswith("/v1/") else "/".join(path.split("/")[-2:])
            world.watch(name)
            answer = self.answer(name, raw)
            world.watch(f"after {name}")
            self.send(*answer)
            with world.changed:
                world.changed.notify_all()

        def do_GET(self) -> None:
            self.do_POST()

        def answer(self, name: str, raw: bytes) -> tuple[int, dict[str, str], bytes]:
            if status := next(iter(world.answers.get(name, [])), 0):
                world.answers[name].pop(0)
                return status, {}, b'{"error": "scripted"}'
            if self.headers.get("authorization") != f"Bearer {KEY if name == 'turn' else world.token}":
                return 401, {}, b'{"error": "no such run"}'
            if self.path.startswith("/git/"):
                return backend(world, self, raw)
            with world.changed:
                data = world.act(name, json.loads(raw)) if name != "turn" else None
            data = world.act(name, json.loads(raw)) if name == "turn" else data
            return (204, {}, b"") if data is None else (200, {}, json.dumps(data).encode())

        def send(self, status: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response(status)
            for key, value in headers.items():
                self.send_header(key, value)
            if status != 204:
                self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    return Handler


def backend(world: World, request: BaseHTTPRequestHandler, raw: bytes) -> tuple[int, dict[str, str], bytes]:
    """Git's own server, spoken to by CGI."""
    path, _, query = request.path.removeprefix("/git").partition("?")
    env = {
        **GIT,
        "GIT_PROJECT_ROOT": str(world.folder / "git"),
        "GIT_HTTP_EXPORT_ALL": "1",
        "REMOTE_USER": "iris",
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "REQUEST_METHOD": request.command,
        "CONTENT_TYPE": request.headers.get("content-type", ""),
        "CONTENT_LENGTH": str(len(raw)),
        "HTTP_CONTENT_ENCODING": request.headers.get("content-encoding", ""),
        "GIT_PROTOCOL": request.headers.get("git-protocol", ""),
    }
    done = subprocess.run([BACKEND], input=raw, env=env, capture_output=True, check=True)
    head, _, body = done.stdout.partition(b"\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
    return int(headers.pop("Status", "200").split()[0]), headers, body


def gateway(world: World) -> type[BaseHTTPRequestHandler]:
    """The handlers of `model.sock`: the scripted model, behind the run token."""

    class Handler(handler(world, world.stopping)):  # type: ignore[misc]
        def end_headers(self) -> None:
            if world.budget:
                self.send_header("x-hive-budget", world.budget)
            super().end_headers()

        def parse_request(self) -> bool:
            if not super().parse_request():
                return False
            world.watch("messages")
            statuses = world.answers.get("messages") or []
            if not statuses and self.headers.get("authorization") == f"Bearer {world.token}":
                return True
            self.rfile.read(int(self.headers["content-length"]))
            self.send_error(statuses.pop(0) if statuses else 401)
            return False

    return Handler


@pytest.fixture(scope="session")
def repositories(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repositories of the host, as they are before anything happens."""
    root = tmp_path_factory.mktemp("repositories")
    for repo, files in FILES.items():
        tree, bare = root / "trees" / repo, root / "git" / f"{repo}.git"
        for path, content in files.items():
            (tree / path).parent.mkdir(parents=True, exist_ok=True)
            (tree / path).write_text(content)
        for words in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-q", "-m", "begin"]):
            subprocess.run(["git", *words], cwd=tree, env=GIT, check=True)
        subprocess.run(["git", "clone", "-q", "--bare", tree, bare], env=GIT, check=True)
    return root / "git"


@pytest.fixture
def world(repositories: Path) -> Iterator[World]:
    """A world with its sockets open; its folder has a short name, as the path of a socket must."""
    with tempfile.TemporaryDirectory(prefix="hive-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        shutil.copytree(repositories, folder / "git")
        for part in ("s", "config", "state"):
            (folder / part).mkdir()
        (folder / "config" / "agent.json").write_text('{"generation": "0a1b2c"}')
        world = World(folder)
        servers = [
            UnixServer(str(world.place.forge), broker(world)),
            UnixServer(str(world.place.model), gateway(world)),
        ]
        threads = [threading.Thread(target=server.serve_forever, args=(0.02,)) for server in servers]
        for thread in threads:
            thread.start()
        yield world
        world.stopping.set()
        world.kill()
        remove_path(folder / "state")  # deeper, maybe, than the library takes it away
        for server, thread in zip(servers, threads, strict=True):
            server.shutdown()
            thread.join()
            server.server_close()
