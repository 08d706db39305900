"""The systemd units: what they run, what is taken from them, and what systemd itself makes of them."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest

from hive.cli import main
from hive.reconcile.build import BASE, PACKAGES
from tests.nix.evaluation import ROOT, STORE, evaluate, hive, instantiate, needs_nix, unit_text

pytestmark = needs_nix
ANALYZE = shutil.which("systemd-analyze")
PROCESSES = ("web", "work", "host")
EVERYTHING = hive(
    'containers.enable = true; redis.enable = true; credentials.a = "/run/keys/a";', 'model.credential = "a";'
)
NEWER = {"RestartSteps", "RestartMaxDelaySec"}
"""Options of systemd 254, which an older one leaves out with a warning."""

WEAKER = {
    "web": set(),
    "work": {"RestrictAddressFamilies", "SystemCallFilter", "ProcSubset"},
    "host": {
        *("MemoryDenyWriteExecute", "ProcSubset", "ProtectControlGroups", "ProtectHostname", "ProtectKernelLogs"),
        *("ProtectKernelTunables", "ProtectProc", "RestrictAddressFamilies", "RestrictNamespaces", "RestrictSUIDSGID"),
        "SystemCallFilter",
    },
    "containers": {
        *(
            "CapabilityBoundingSet",
            "PrivateUsers",
            "ProcSubset",
            "ProtectProc",
            "RestrictNamespaces",
            "SystemCallFilter",
        ),
    },
}
"""What each unit keeps of what the strictest loses; nix/hardening.nix and the units have the reasons."""

EXPOSURE = {"web": 10, "work": 20, "host": 40, "containers": 40}
"""The most that `systemd-analyze security` may say, in tenths: below 50 is what it calls OK."""


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    """A hive with everything that is optional."""
    return evaluate(EVERYTHING)


@pytest.fixture(scope="module")
def plain() -> dict[str, Any]:
    """A hive with nothing that is optional."""
    return evaluate(hive())


@pytest.fixture(scope="module")
def strict() -> dict[str, Any]:
    """The strictest set of options."""
    strictest: dict[str, Any] = json.loads(instantiate("nix/hardening.nix"))["strict"]
    return strictest


def service(found: dict[str, Any], name: str) -> dict[str, Any]:
    unit: dict[str, Any] = found["services"][f"forgehive-{name}"]["serviceConfig"]
    return unit


@pytest.mark.parametrize("name", [*PROCESSES, "containers"])
def test_a_unit_runs_a_command_that_there_is(found: dict[str, Any], name: str) -> None:
    """What a unit starts is a command of the hive with arguments that it takes: a renamed option breaks this."""
    program, *words = service(found, name)["ExecStart"].split()
    assert program == f"{STORE}-forgehive/bin/hive"
    taken(main, words)


def taken(group: click.Group, words: list[str]) -> None:
    """Parse a command line as the command would; raises click.UsageError."""
    command = group.commands[words[0]]
    if isinstance(command, click.Group):
        taken(command, words[1:])
        return
    with command.make_context(words[0], words[1:]):
        pass


def test_a_command_that_there_is_not_would_be_noticed() -> None:
    """The check above refuses a command without the option that a unit names."""
    with pytest.raises(click.UsageError):
        taken(main, ["web", "--no-such-option", "hive.yaml"])


def test_all_three_processes_and_nothing_else(plain: dict[str, Any]) -> None:
    """What `hive up` runs as one tree are three units and a socket here."""
    assert set(plain["services"]) == {f"forgehive-{name}" for name in PROCESSES}
    assert set(plain["sockets"]) == {"forgehive-web"}
    for unit in plain["services"].values():
        assert unit["wantedBy"] == ["multi-user.target"]
        assert {"network-online.target", "time-sync.target"} <= set(unit["after"])
        assert unit["unitConfig"]["RequiresMountsFor"] == ["/var/lib/hive"]
        assert (unit["restartIfChanged"], unit["stopIfChanged"]) == (True, False)
        assert unit["startLimitIntervalSec"] == 0


@pytest.mark.parametrize("name", [*PROCESSES, "containers"])
def test_each_unit_is_hardened(found: dict[str, Any], plain: dict[str, Any], strict: dict[str, Any], name: str) -> None:
    """A unit has every option of the strictest set, as that has it but for its known exceptions."""
    unit = service(found if name == "containers" else plain, name)
    assert strict.keys() <= unit.keys()
    assert {key for key, value in strict.items() if unit[key] != value} == WEAKER[name]
    assert len(strict) > 25


def test_the_receiver_has_no_network(plain: dict[str, Any]) -> None:
    """It is handed a socket, calls nobody, and does not see what agents have."""
    unit = service(plain, "web")
    assert unit["PrivateNetwork"] is True
    assert unit["RestrictAddressFamilies"] == ["AF_UNIX"]
    assert unit["InaccessiblePaths"] == ["-/var/lib/hive/agents", "-/var/lib/hive/mirrors"]
    assert plain["sockets"]["forgehive-web"]["listenStreams"] == ["127.0.0.1:8077"]
    six = evaluate(hive(settings='web.host = "::1";'), facts=("sockets",))
    assert six["sockets"]["forgehive-web"]["listenStreams"] == ["[::1]:8077"]


def test_only_the_host_has_keys(found: dict[str, Any]) -> None:
    """A credential goes to `hive host` by systemd; its file stands in no other unit, and no key in any."""
    assert service(found, "host")["LoadCredential"] == ["a:/run/keys/a"]
    for name in ("web", "work", "containers"):
        assert "/run/keys" not in unit_text(found["services"][f"forgehive-{name}"], "Service")
    for unit in found["services"].values():
        assert not re.search(r"ANTHROPIC|PASSWORD|TOKEN|SECRET", unit_text(unit, "Service"))


def test_a_model_that_reviews_is_asked_by_the_worker() -> None:
    """With one the worker has the credential, too, and nobody else."""
    settings = ('credentials.a = "/run/keys/a";', 'model.credential = "a"; review.model = "claude-sonnet-5-5";')
    reads = evaluate(hive(*settings))
    for name in ("work", "host"):
        assert service(reads, name)["LoadCredential"] == ["a:/run/keys/a"]
    assert "LoadCredential" not in service(reads, "web")


def test_an_oom_kill_in_a_container_ends_no_host(plain: dict[str, Any]) -> None:
    """The host delegates groups to containers, and outlives what the kernel kills in them."""
    unit = service(plain, "host")
    assert (unit["OOMPolicy"], unit["Delegate"]) == ("continue", ["cpu", "memory", "pids"])


@pytest.mark.parametrize("sandbox", ["nspawn", "podman"])
def test_a_sandbox_for_root_runs_as_root(sandbox: str) -> None:
    """All three processes share one user, which has to be root then; two of them have no capability."""
    found = evaluate(hive(settings=f'sandbox = "{sandbox}";'))
    assert {service(found, name)["User"] for name in PROCESSES} == {"root"}
    for name in ("web", "work"):
        assert service(found, name)["CapabilityBoundingSet"] == ""
        assert "-/etc/shadow" in service(found, name)["InaccessiblePaths"]
        assert (
            "@chown" in service(found, name)["SystemCallFilter"]
        )  # hive/secret_store.py gives what root writes to the owner of its directory
    assert "CapabilityBoundingSet" not in service(found, "host")
    assert (found["users"], found["groups"]) == ({}, {})


def test_every_container_finds_what_it_needs(plain: dict[str, Any]) -> None:
    """The programs that a build of an agent's configuration wants are in the packages that the host offers."""
    given = {"gnugrep": "grep", "gnused": "sed", "gnutar": "tar"}
    names = {given.get(name, name) for name in plain["programs"]}
    assert {*BASE} - {"python3"} <= names  # that is the hive's own
    assert names <= set(PACKAGES)
    more = evaluate(hive("agentPackages = [ pkgs.hello ];"), facts=("programs", "settings"))
    assert more["programs"] == [*plain["programs"], "hello"]


def test_old_programs_are_kept(plain: dict[str, Any], tmp_path: Path) -> None:
    """A built configuration links into the store: what it links to is a root of the garbage collector, and nothing else is."""
    bin_ = tmp_path / "state/agents/iris/gens/0123/bin"
    bin_.mkdir(parents=True)
    store = tmp_path / "store" / f"{'a' * 32}-git-2.50"
    (store / "bin").mkdir(parents=True)
    script = plain["keepPrograms"].replace("/nix/store/(", f"{tmp_path}/store/(")
    script = re.sub(rf"{STORE}-[a-z]+/bin/", "", script.replace("/var/lib/hive", f"{tmp_path}/state"))
    script = script.replace("/nix/var/nix/gcroots", f"{tmp_path}/gcroots")
    links = {"git": store / "bin/git", "gone": tmp_path / f"store/{'b' * 32}-gone/bin/x", "sh": Path("/etc/shadow")}
    for name, target in links.items():
        (bin_ / name).symlink_to(target)
    for _ in range(2):
        subprocess.run(["sh", "-c", script], check=True)
        assert [path.name for path in (tmp_path / "gcroots/forgehive").iterdir()] == [store.name]
    shutil.rmtree(bin_.parent)
    subprocess.run(["sh", "-c", script], check=True)
    assert list((tmp_path / "gcroots/forgehive").iterdir()) == []
    shutil.rmtree(tmp_path / "state")
    subprocess.run(["sh", "-c", script], check=True)


def test_the_command_is_the_hives_user(plain: dict[str, Any], tmp_path: Path) -> None:
    """An operator's `hive` runs as the user of the hive and in the folder of its configuration; others are told so."""
    said = tmp_path / "hive"
    said.write_text('#!/bin/sh\necho "$PWD $*"\n')
    said.chmod(0o755)
    script = plain["command"].replace(f"{STORE}-forgehive/bin/hive", str(said))
    script = script.replace(f"{STORE}-forgehive-configuration", str(tmp_path)).replace(f"{STORE}-coreutils/bin/", "")
    (tmp_path / "id").write_text('#!/bin/sh\ncase $1 in -un) echo "$WHO";; -u) echo 1000;; esac\n')
    (tmp_path / "id").chmod(0o755)
    for who, status, words in (("hive", 0, f"{tmp_path} doctor"), ("mara", 1, "sudo hive doctor")):
        env = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "WHO": who}
        done = subprocess.run(["sh", "-c", script, "hive", "doctor"], capture_output=True, text=True, env=env)
        assert done.returncode == status
        assert words in done.stdout + done.stderr


@pytest.mark.parametrize("name", ["command", "keepPrograms"])
def test_a_script_is_clean(found: dict[str, Any], tmp_path: Path, name: str) -> None:
    """What the module has root run is without a finding of shellcheck, wherever a file's name has a space."""
    spaced = evaluate(EVERYTHING.replace("/run/keys/a", "/run/my keys/a"), facts=(name,))[name]
    assert spaced.replace("'/run/my keys/a'", "/run/keys/a") == found[name]
    (tmp_path / "script").write_text(f"#!/bin/bash\n{spaced}")
    shellcheck = Path(sys.executable).parent / "shellcheck"
    done = subprocess.run([shellcheck, tmp_path / "script"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def laid_out(found: dict[str, Any], folder: Path) -> Path:
    """The units as files, with a program that is there."""
    for kind in ("Service", "Socket"):
        for name, unit in found[f"{kind.lower()}s"].items():
            text = re.sub(rf"{STORE}-[a-z-]+(/bin/hive)?", "/bin/true", unit_text(unit, kind))
            (folder / f"{name}.{kind.lower()}").write_text(text)
    return folder


@pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is missing (Debian: apt-get install systemd)")
def test_systemd_knows_every_option(found: dict[str, Any], tmp_path: Path) -> None:
    """No option is misspelt or in another section than systemd has it."""
    files = laid_out(found, tmp_path)
    said = analyzed(files, "verify", "--man=no")
    wrong = [line for line in said.splitlines() if re.search(r"nknown|ignoring|Failed to parse", line)]
    unknown = [line for line in wrong if not NEWER & set(re.findall(r"'(\w+)'", line))]
    assert unknown == []
    (files / "forgehive-web.service").write_text("[Service]\nExecStart=/bin/true\nProtectSytem=strict\n")
    assert "ProtectSytem" in analyzed(files, "verify", "--man=no")


@pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is missing (Debian: apt-get install systemd)")
@pytest.mark.parametrize("name", [*PROCESSES, "containers"])
def test_systemd_calls_it_safe(found: dict[str, Any], plain: dict[str, Any], tmp_path: Path, name: str) -> None:
    """What systemd counts as exposed stays below a bound for each unit."""
    files = laid_out(found if name == "containers" else plain, tmp_path)
    words = ["security", "--offline=true", f"--threshold={EXPOSURE[name]}", str(files / f"forgehive-{name}.service")]
    done = subprocess.run([ANALYZE or "", *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout.splitlines()[-1:]


def analyzed(files: Path, *words: str) -> str:
    env = {**os.environ, "SYSTEMD_UNIT_PATH": f"{files}:"}
    units = sorted(map(str, files.iterdir()))
    return subprocess.run([ANALYZE or "", *words, *units], capture_output=True, text=True, env=env).stderr


def test_the_units_stand_in_the_documents() -> None:
    """The page about NixOS tells of each unit."""
    page = (ROOT / "docs" / "nixos.md").read_text()
    for name in (*PROCESSES, "containers"):
        assert f"`forgehive-{name}" in page
