"""`hive demo` and `hive up` as a stranger runs them: as commands that end well and leave nothing behind."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from forge.gitea.client import Client, route
from forge.protocol import NotFound
from hive.demo.setup import write_config
from tests.commands import hive
from tests.nightly import NIGHTLY

pytestmark = pytest.mark.timeout(900)
SECONDS = 240.0
ADMIN_PASSWORD = "correct horse battery"
IN_THE_ENVIRONMENT = {"HIVE_ADMIN_PASSWORD": ADMIN_PASSWORD}
FORBIDDEN = "echo 0 >/proc/sys/user/max_user_namespaces && exec "


@dataclass
class Stranger:
    """Somebody with an empty home, an empty directory, and a terminal that shows what was printed."""

    place: Path
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    def types(
        self, *words: str, before: tuple[str, ...] = (), env: dict[str, str] | None = None
    ) -> subprocess.Popen[str]:
        """Run `hive WORDS`; what it prints goes to a file, as to a pipe."""
        with self.console.open("a") as console:
            process = subprocess.Popen(
                [*before, sys.executable, "-m", "hive", *words],
                cwd=self.place / "cwd",
                env={
                    "PATH": os.environ["PATH"],
                    "HOME": str(self.place / "home"),
                    "TMPDIR": str(self.place / "tmp"),
                    "PYTHONDONTWRITEBYTECODE": "1",
                    **(env or {}),
                },
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=subprocess.STDOUT,
                text=True,
            )
        self.started.append(process)
        return process

    def is_told(self, *words: str) -> str:
        """The last line that `hive demo WORDS` says, whose status is 1."""
        home = {"HOME": str(self.place / "home"), "TMPDIR": str(self.place / "tmp")}
        ended = hive("demo", "--exit", "--port", "0", *words, cwd=self.place / "cwd", env=home)
        said = ended.stdout + ended.stderr
        assert (ended.returncode, "Traceback" in said) == (1, False), said
        return said.splitlines()[-1]

    @property
    def console(self) -> Path:
        """What was printed."""
        return self.place / "screen"

    def reads(self) -> str:
        """All that was printed until now."""
        return self.console.read_text()

    def waits(self, is_so: Callable[[], object], what: str) -> None:
        """Wait for something that has to come."""
        until = time.monotonic() + SECONDS
        while not is_so():
            assert time.monotonic() < until, f"{what} did not come:\n{self.reads()}"
            time.sleep(0.05)

    def waits_for(self, words: str) -> None:
        """Wait until something is printed."""
        self.waits(lambda: words in self.reads(), words)

    def left(self, word: str = "") -> list[str]:
        """Processes that know a word, this place if none is named, by their words, directory or environment."""
        wanted = os.fsencode(word or str(self.place))
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                words = (process / "cmdline").read_bytes()
                known = words + (process / "environ").read_bytes() + os.fsencode((process / "cwd").readlink())
            except OSError:
                continue
            if wanted in known and process.name != str(os.getpid()):
                found.append(f"{process.name} {words.decode(errors='replace')}")
        return found

    def kept(self) -> list[Path]:
        """Every file of the state directory."""
        return [file for file in (self.place / "cwd" / "state").rglob("*") if file.is_file()]

    def files(self) -> list[str]:
        """What lies about outside the state directory."""
        places = [self.place / "cwd", self.place / "home", self.place / "tmp"]
        return [str(file.relative_to(self.place)) for place in places for file in place.iterdir()]


@pytest.fixture
def stranger(tmp_path: Path) -> Iterator[Stranger]:
    """A stranger; whatever still runs after the test is ended by its pid."""
    for name in ("cwd", "home", "tmp"):
        (tmp_path / name).mkdir()
    someone = Stranger(tmp_path)
    yield someone
    for line in someone.left():
        with suppress(ProcessLookupError):
            os.kill(int(line.split()[0]), signal.SIGKILL)
    for process in someone.started:
        process.wait()


def test_plays_to_the_end(stranger: Stranger) -> None:
    """Status 0, one line for each thing that happens, a closing table; no process and no file stays. `hive up` goes on there."""
    port = _free()
    demo = stranger.types("demo", "--exit", "--port", str(port), "--state", "state")
    assert demo.wait(SECONDS) == 0, stranger.reads()
    said = stranger.reads()
    for line in (
        r"hive     a scripted model plays the agents: no ANTHROPIC_API_KEY is set\n",
        r"hive     sign in at http://127\.0\.0\.1:\d+ as mara, \S+\n",
        r"mara     opened an issue +http://127\.0\.0\.1:\d+/acme/app/issues/1\n",
        r"triage   assigned iris +http://\S+/acme/app/issues/1\n",
        r"iris     opened a pull request +http://\S+/acme/app/pulls/2\n",
        r"argus    reviewed 🔴 3 · 🟢 1 +http://\S+\n",
        r"argus    reviewed 🟢 nothing to fix(?: · round \d)? +http://\S+\n",
        r"host     rebuilt iris, deployed/1 +http://\S+/agent-configs/iris/",
        r"  merged → container rebuilt +\d+\.\d s\n",
        r"  sign in   mara, \S+\n",
    ):
        assert re.search(line, said), f"{line} is not in\n{said}"
    assert "\x1b" not in said
    assert "Traceback" not in said
    assert stranger.left() == []
    assert stranger.files() == ["cwd/state"]
    goes_on(stranger, port)


def goes_on(stranger: Stranger, port: int) -> None:
    """The demo's configuration is one that `hive up` takes; Ctrl-C ends it."""
    up = stranger.types("up", "state/hive.yaml")
    stranger.waits_for("the hive is up")
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/repos/acme/app/issues/1") as answer:
        assert b'"state":"closed"' in answer.read().replace(b": ", b":")
    up.send_signal(signal.SIGINT)
    assert up.wait(SECONDS) == 0, stranger.reads()
    assert stranger.left() == []
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(f"http://127.0.0.1:{port}/")


def test_plays_with_a_project_of_ones_own(stranger: Stranger) -> None:
    """Any repository will do; what the demo does, it does to a copy. Without `--exit` it stays up until Ctrl-C.

    Where user namespaces can be forbidden they are: agents are plain processes then, and one line says so.
    """
    project = stranger.place / "project"
    project.mkdir()
    (project / "poem.txt").write_text("roses\n")
    (project / ".git-hook").write_text("#!/bin/sh\nexit 1\n")

    def git(*words: str) -> str:
        who = ("-c", "user.name=a", "-c", "user.email=a@example.invalid")
        return subprocess.run(["git", "-C", project, *who, *words], check=True, capture_output=True, text=True).stdout

    git("init", "-q", "-b", "trunk")
    git("add", "poem.txt")
    git("commit", "-q", "-m", "Begin")
    hook = project / ".git" / "hooks" / "pre-push"
    hook.parent.mkdir(exist_ok=True)
    shutil.move(project / ".git-hook", hook)
    hook.chmod(0o755)
    before = git("for-each-ref"), git("status", "--porcelain"), git("config", "--list", "--local")
    words = ("demo", "--port", "0", "--state", "state", "--project", str(project))
    demo = stranger.types(*words, before=without_namespaces())
    interrupts(stranger, demo, "  sign in   mara")
    said = stranger.reads()
    are_contained = "sandbox: none" not in (stranger.place / "cwd/state/hive.yaml").read_text()
    assert (bool(without_namespaces()), said.count("agents are NOT contained")) == (
        not are_contained,
        not are_contained,
    )
    assert "rebuilt iris, deployed/1" in said
    assert "hive     the agents have no model: they do what is written in an issue, to the letter\n" in said
    stranger.waits_for("Replace `this text` with `that text` in `path/to/file`")
    assert (git("for-each-ref"), git("status", "--porcelain"), git("config", "--list", "--local")) == before
    copies = (stranger.place / "cwd/state/forgejo/repositories").iterdir()
    list_files = ("ls-tree", "--name-only", "main")
    shown = [subprocess.check_output(["git", "-C", copy, *list_files], text=True).split() for copy in copies]
    assert ["AGENTS-WORK-HERE.md", "poem.txt"] in shown


def test_a_story_that_stops_is_explained(stranger: Stranger) -> None:
    """What the agent says is on the screen, and forge and all stay up to be looked at, until Ctrl-C; then the status is 1."""
    project = stranger.place / "project"
    subprocess.run(["git", "init", "-q", project], check=True)
    (project / ".hive.yaml").write_text("checks: [npm test]\n")
    for words in (
        ("add", "--all"),
        ("-c", "user.name=a", "-c", "user.email=a@x.invalid", "commit", "-q", "-m", "Begin"),
    ):
        subprocess.run(["git", "-C", project, *words], check=True)
    demo = stranger.types("demo", "--port", "0", "--state", "state", "--project", str(project))
    stranger.waits_for("everything stays up until Ctrl-C")
    said = stranger.reads()
    assert "its .hive.yaml asks for npm, which agents do not have" in said
    assert re.search(r"iris could not do it, and says: .*npm: not found", said)
    url = re.search(r"open +(http\S+)", said)
    assert url
    with urllib.request.urlopen(url[1], timeout=30) as page:
        assert page.status == 200
    demo.send_signal(signal.SIGINT)
    assert demo.wait(SECONDS) == 1
    assert stranger.left() == []


@dataclass(frozen=True)
class Elsewhere:
    """A forge that somebody else runs, with an account that is called as one of the story's people."""

    url: str
    pid: int
    client: Client
    mara: int

    def logins(self) -> set[str]:
        """Accounts that are there."""
        return {row["login"].text() for row in self.client.rows("/admin/users")}

    def has(self, org: str) -> bool:
        """Whether an organisation is there."""
        try:
            self.client.get(route("orgs", org))
        except NotFound:
            return False
        return True


@pytest.fixture
def elsewhere(stranger: Stranger) -> Iterator[Elsewhere]:
    """`hive forge`, started by itself."""
    state, port = stranger.place / "elsewhere", str(_free())
    forge = stranger.types("forge", "--state", str(state), "--port", port, "--admin", "root", env=IN_THE_ENVIRONMENT)
    stranger.waits_for(f"http://127.0.0.1:{port}")
    with closing(Client(f"http://127.0.0.1:{port}", login="root", password=ADMIN_PASSWORD)) as client:
        said = {"username": "mara", "email": "mara@example.invalid", "password": "another secret"}
        mara = client.post("/admin/users", **said, must_change_password=False)["id"].number()
        yield Elsewhere(f"http://127.0.0.1:{port}", forge.pid, client, mara)
    forge.terminate()
    assert forge.wait(SECONDS) == 0


def test_plays_on_a_forge_that_is_there(stranger: Stranger, elsewhere: Elsewhere) -> None:
    """Names that are taken are left to whose they are; all that it made can be taken away again. No model is there."""
    there = ("--forge", elsewhere.url, "--state", "state")
    demo = stranger.types("demo", "--exit", "--engine", "mechanic", *there, "--admin", "root", env=IN_THE_ENVIRONMENT)
    stranger.waits(lambda: re.search(r"iris\w\w +started", stranger.reads()), "an agent at work")
    knowing = {elsewhere.pid, demo.pid}
    assert [line for line in stranger.left(ADMIN_PASSWORD) if int(line.split()[0]) not in knowing] == []
    assert demo.wait(SECONDS) == 0, stranger.reads()
    said = stranger.reads()
    for line in (
        r"hive     playing on Forgejo \S+ at http://127\.0\.0\.1:\d+\n",
        r"hive     created the organisations acme-(\w\w), agent-configs-\1, hive-\1\n",
        r"hive     created the accounts mara(\w\w), iris\1, core\1, triage\1, argus\1\n",
        r"mara\w\w   opened an issue +http://\S+/acme-\w\w/app/issues/1\n",
        r"argus\w\w  reviewed 🔴 1 +http://\S+\n",
        r"argus\w\w  reviewed 🟢 nothing to fix(?: · round \d)? +http://\S+\n",
        r"host     rebuilt iris\w\w, deployed/1 +http://\S+/agent-configs-\w\w/iris\w\w/",
        r"  merged → container rebuilt +\d+\.\d s\n",
        r"  sign in   mara\w\w, \S+\n",
        r"  clean     hive demo --forge \S+ --admin root --state \S+/state --clean\n",
    ):
        assert re.search(line, said), f"{line} is not in\n{said}"
    assert "webhooks" not in said
    clean = stranger.types("demo", *there, "--admin", f"root:{ADMIN_PASSWORD}", "--clean")
    assert clean.wait(SECONDS) == 0, stranger.reads()
    assert elsewhere.logins() == {"root", "mara"}
    assert elsewhere.client.get("/users/mara")["id"].number() == elsewhere.mara
    [orgs] = re.findall(r"created the organisations (\S+), (\S+), (\S+)\n", said)
    assert not any(map(elsewhere.has, orgs))
    assert ADMIN_PASSWORD not in stranger.reads()
    assert "Traceback" not in stranger.reads()
    assert not [file for file in stranger.kept() if ADMIN_PASSWORD.encode() in file.read_bytes()]
    again = stranger.types("demo", *there, "--admin", f"root:{ADMIN_PASSWORD}", "--clean")
    assert again.wait(SECONDS) == 1
    assert stranger.reads().splitlines()[-1].endswith("is known in state")


@NIGHTLY
def test_ctrl_c_on_a_forge_that_is_there(stranger: Stranger, elsewhere: Elsewhere) -> None:
    """Whoever breaks off is told how what was made until then is taken away, and another demo forgets nothing of it."""
    there = ("--forge", elsewhere.url, "--state", "state", "--admin", "root")
    demo = stranger.types("demo", *there, env=IN_THE_ENVIRONMENT)
    stranger.waits(lambda: re.search(r"iris\w\w +opened a pull request", stranger.reads()), "a pull request")
    demo.send_signal(signal.SIGINT)
    assert demo.wait(SECONDS) == 0, stranger.reads()
    assert [int(line.split()[0]) for line in stranger.left()] == [elsewhere.pid]
    assert "Traceback" not in stranger.reads()
    assert re.search(r"  clean     hive demo --forge \S+ --admin root --state \S+ --clean\n", stranger.reads())
    other = stranger.types("demo", "--state", "state", "--port", "0")
    stranger.waits_for("sign in at")
    other.send_signal(signal.SIGINT)
    assert other.wait(SECONDS) == 0, stranger.reads()
    clean = stranger.types("demo", *there, "--clean", env=IN_THE_ENVIRONMENT)
    assert clean.wait(SECONDS) == 0, stranger.reads()
    assert elsewhere.logins() == {"root", "mara"}


def test_what_is_missing_on_a_forge_that_is_there(stranger: Stranger, elsewhere: Elsewhere) -> None:
    """Status 1 and one sentence; nothing was created."""
    url, nobody = elsewhere.url, f"http://127.0.0.1:{_free()}"
    rows: list[tuple[tuple[str, ...], str]] = [
        (("--forge", url), "--forge needs --admin LOGIN: a site admin makes the accounts of the story"),
        (("--forge", url, "--admin", "root"), "set the password of root in HIVE_ADMIN_PASSWORD, or say"),
        (("--forge", url, "--admin", "root:wrong"), f"{url} does not let root in: is the password right?"),
        (("--forge", url, "--admin", "mara:another secret"), f"mara is no site admin of {url}: only one can make"),
        (("--forge", nobody, "--admin", "root:x"), f"{nobody} does not answer as a Forgejo or Gitea does:"),
        (
            ("--forge", "forge.example", "--admin", "root:x"),
            "--forge should be an address such as https://forge.example",
        ),
        (("--forge", "http://a:b@forge.example", "--admin", "a"), "--forge takes an address without a login; name"),
        (("--admin", "root:x"), "--admin and --clean need --forge"),
        (("--forge", url, "--admin", f"root:{ADMIN_PASSWORD}", "--clean"), f"nothing of a demo on {url} is known"),
    ]
    for words, says in rows:
        assert says in stranger.is_told(*words)
    assert elsewhere.logins() == {"root", "mara"}


def test_ctrl_c_ends_everything(stranger: Stranger) -> None:
    """While it starts; in the middle of the story, another test does it."""
    interrupts(stranger, stranger.types("demo", "--port", "0", "--state", "state"), "sign in at")


def interrupts(stranger: Stranger, demo: subprocess.Popen[str], moment: str) -> None:
    """Ctrl-C at a moment ends everything, without a traceback."""
    stranger.waits_for(moment)
    demo.send_signal(signal.SIGINT)
    assert demo.wait(SECONDS) == 0, stranger.reads()
    assert stranger.left() == []
    assert "Traceback" not in stranger.reads()


def test_a_killed_parent_takes_all_with_it(stranger: Stranger) -> None:
    """Nobody outlives the terminal, not even an agent at work."""
    demo = stranger.types("demo", "--port", "0", "--state", "state")
    stranger.waits_for("iris     started")
    demo.kill()
    demo.wait()
    stranger.waits(lambda: not stranger.left(), "the end of all processes")


def without_namespaces() -> tuple[str, ...]:
    """The words before a command that cannot make a user namespace; none where that cannot be arranged."""
    inside = ("unshare", "--user", "--map-root-user", "sh", "-c")
    if subprocess.run([*inside, FORBIDDEN + "true"], capture_output=True).returncode:
        return ()
    return (*inside, FORBIDDEN + '"$0" "$@"')


def test_up_starts_no_agent_that_nothing_confines(stranger: Stranger) -> None:
    """Without a sandbox `hive up` and `hive host` end at once, in words; only `sandbox: none` changes that."""
    before = without_namespaces()
    if not before:
        pytest.skip("user namespaces cannot be forbidden here, so that nobody can look what then happens")
    config = write_config(stranger.place / "cwd", forge_port=_free(), web_port=_free(), model_url="http://127.0.0.1:1")
    config.write_text(config.read_text().replace("sandbox: none", "sandbox: bubblewrap"))
    for command in ("up", "host"):
        process = stranger.types(command, "hive.yaml", before=before)
        assert process.wait(SECONDS) == 1, stranger.reads()
        assert "no agent is started, because nothing confines it here" in stranger.reads()
        assert "sandbox: none" not in stranger.reads()
        assert "Traceback" not in stranger.reads()
        assert stranger.left() == []


def test_what_is_missing_is_one_sentence(stranger: Stranger) -> None:
    """Status 1, no traceback, nothing left running."""
    (stranger.place / "cwd" / "mine").touch()
    rows = [
        (("--project", "nowhere"), "nowhere is no directory; --project takes a git repository"),
        (("--project", "."), ". is no git repository; run git init in it and commit, or choose another"),
        (("--state", "/proc/state"), "/proc/state"),
        (("--state", "."), "is not empty and not of a demo; choose another --state"),
    ]
    for words, says in rows:
        assert says in stranger.is_told(*words)
    assert stranger.left() == []


def test_a_port_in_use(stranger: Stranger) -> None:
    """Says which, and how to go on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        demo = stranger.types("demo", "--exit", "--port", str(port))
        assert demo.wait(SECONDS) == 1
    assert f"port {port} is in use; choose another by --port, or 0 for any" in stranger.reads()


def _free() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
