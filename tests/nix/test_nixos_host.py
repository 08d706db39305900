"""S3 and S4 on NixOS: a hive that is not root, root's helper, real nix, real systemd and real nspawn, in a machine in a box."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.nightly import NIGHTLY
from tests.nix.box import Box, booted
from tests.nix.evaluation import evaluate, hive, needs_nix
from tests.nix.nixos_box import inside, lay_out_nixos, missing

pytestmark = [needs_nix, pytest.mark.contained, NIGHTLY]
SETTINGS = """
    forges.forgejo.url = lib.mkForce "http://127.0.0.1:3080";
    sandbox = "nixos-container";
    packages_path = [ "/usr/bin" "/bin" ];
    teams.acme.agents = [ "rose" ];
"""
FORGE = "http://127.0.0.1:3080/api/v1"
CONFIG = "agent-configs/iris"
UNITS = ("forgehive-work", "forgehive-host")
UNIT = "container@h-iris.service"
MODULE = """{{ pkgs, ... }}:
{{
  environment.systemPackages = [ pkgs.hello ];
  environment.etc.greeting.text = "{greeting}\\n";
}}
"""
ROOTS = "/nix/var/nix/gcroots/hive/iris"
PROFILE = "/nix/var/nix/profiles/per-container/h-iris/system"


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    """A machine whose hive is set up on an embedded forge, and whose agent runs in a NixOS container."""
    if why := missing():
        pytest.skip(why)
    root = tmp_path_factory.mktemp("nixos")
    lay_out_nixos(root, evaluate(hive("containers.enable = true;", SETTINGS)))
    with booted(root, unified=True) as machine:
        # What nspawn covers of /proc is open on a machine that is none of its containers.
        machine.run("umount", "--lazy", "/proc/sys/net", "/proc/sys/kernel/random/boot_id", "/proc/sys", check=False)
        machine.run("systemctl", "start", "forge", "nix-daemon", "systemd-machined")
        machine.until(
            lambda: "version" in machine.run("curl", "-s", f"{FORGE}/version", check=False), "no forge answers"
        )
        person = {"username": "mara", "email": "mara@forge.invalid", "password": "another-word"}
        ask(machine, "POST", "/admin/users", person, who="root-admin:a-long-word")
        machine.run("systemd-tmpfiles", "--create", "/etc/tmpfiles.d/nixos.conf")
        words = ("/opt/bin/hive", "init", "--admin", "root-admin", "--create-missing", "--engine", "mechanic")
        machine.run("env", "HIVE_ADMIN_PASSWORD=a-long-word", *words)
        machine.run("systemctl", "start", "forgehive-containers.socket", "forgehive-web.socket", *UNITS)
        machine.until(lambda: bool(harness(machine) and harness(machine, "rose")), "no container is started")
        yield machine


def ask(box: Box, method: str, path: str, body: object = None, *, who: str = "mara:another-word") -> Any:
    """A call of the forge's API."""
    words = ["curl", "-s", "--max-time", "60", "-u", who, "-X", method, "-H", "content-type: application/json"]
    words += ["-d", json.dumps(body)] if body is not None else []
    said = box.run(*words, f"{FORGE}{path}", check=False)
    return json.loads(said) if said.strip() else None


def harness(box: Box, name: str = "iris") -> list[str]:
    """The process of the harness in an agent's container, as the machine numbers it."""
    pids = box.run("pgrep", "-f", "^[^ ]*python[0-9.]* -S -P -m hive[.]agent$", check=False).split()
    return [pid for pid in pids if f"h-{name}" in box.run("cat", f"/proc/{pid}/cgroup", check=False)]


def propose(box: Box, branch: str, files: dict[str, str], repo: str = CONFIG) -> int:
    """Mara proposes files of a repository."""
    for name, text in files.items():
        at = ask(box, "GET", f"/repos/{repo}/contents/{name}?ref=main")
        body = {"content": base64.b64encode(text.encode()).decode(), "message": branch, "branch": "main"}
        body |= {"new_branch": branch} if name == next(iter(files)) else {"branch": branch}
        body |= {"sha": at["sha"]} if isinstance(at, dict) and "sha" in at else {}
        done = ask(box, "PUT" if "sha" in body else "POST", f"/repos/{repo}/contents/{name}", body)
        assert "content" in done, done
    pull = ask(box, "POST", f"/repos/{repo}/pulls", {"head": branch, "base": "main", "title": branch})
    return int(pull["number"])


def merge(box: Box, number: int, repo: str = CONFIG) -> None:
    """Mara merges, as soon as the forge lets her."""

    def press() -> bool:
        ask(box, "POST", f"/repos/{repo}/pulls/{number}/merge", {"Do": "merge"})
        return bool(ask(box, "GET", f"/repos/{repo}/pulls/{number}")["merged"])

    box.until(press, f"pull request {number} cannot be merged")


def says(box: Box, number: int, words: str) -> bool:
    """Whether a comment on a pull request holds some words."""
    rows = ask(box, "GET", f"/repos/{CONFIG}/issues/{number}/comments")
    return any(words in row["body"] for row in rows)


def leader(box: Box, name: str = "iris") -> str:
    """The first process of a container; empty without one."""
    return box.run("machinectl", "show", "--property=Leader", "--value", f"h-{name}", check=False).strip()


def system(box: Box) -> str:
    """The system that runs in the container."""
    return inside(box, "/usr/bin/readlink", "/run/current-system", check=False).strip()


def test_a_container_is_confined(box: Box) -> None:
    """Its root is nobody on the machine, it has no network, no daemon, and the harness its key and its limits."""
    first = box.run("cat", f"/proc/{leader(box)}/uid_map").split()
    assert int(first[1]) > 65535
    assert inside(box, "/bin/sh", "-c", "ls /nix/var/nix/daemon-socket").strip() == ""
    assert inside(box, "/bin/sh", "-c", "tail -n +3 /proc/net/dev | cut -d: -f1").split() == ["lo"]
    status = box.run("cat", f"/proc/{harness(box)[0]}/status")
    assert f"Uid:\t{int(first[1]) + 1000}" in status
    assert box.show(UNIT, "MemoryMax", "TasksMax") == [str(2048 << 20), "256"]


def test_s3_a_merge_becomes_a_running_container(box: Box) -> None:
    """The module is built by the daemon for the hive's user, kept by a root, and booted; the agent runs in it."""
    number = propose(box, "a-module", {"agent.nix": MODULE.format(greeting="good morning")})
    merge(box, number)
    box.until(lambda: says(box, number, "iris runs"), "it is not deployed")
    assert inside(box, "/bin/cat", "/etc/greeting") == "good morning\n"
    assert inside(box, "/run/current-system/sw/bin/hello") == "hello\n"
    assert system(box) == box.run("realpath", PROFILE).strip()
    assert system(box) in box.run("sh", "-c", f"readlink {ROOTS}/*").split()


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"agent.nix": "{ pkgs, ... }: { environment.systemPackages = [ pkgs.nosuchthing ]; }"}, "nosuchthing"),
        ({"agent.nix": MODULE.format(greeting="ill"), "agent.yaml": "{yaml}health: 'false'\n"}, "health check failed"),
    ],
    ids=["is not built", "is not well"],
)
def test_s4_a_failure_keeps_what_ran(box: Box, files: dict[str, str], said: str) -> None:
    """What cannot be built leaves the running container alone; what is not well is followed by what ran before."""
    before = system(box)
    boots = leader(box)
    row = ask(box, "GET", f"/repos/{CONFIG}/contents/agent.yaml?ref=main")
    yaml = base64.b64decode(row["content"]).decode()
    number = propose(box, f"bad-{said[:2]}", {name: text.replace("{yaml}", yaml) for name, text in files.items()})
    merge(box, number)
    box.until(lambda: says(box, number, "does not run"), "the failure is not told")
    assert says(box, number, said), ask(box, "GET", f"/repos/{CONFIG}/issues/{number}/comments")
    box.until(lambda: system(box) == before and bool(harness(box)), "what ran before is not back")
    assert inside(box, "/bin/cat", "/etc/greeting") == "good morning\n"
    assert box.run("realpath", PROFILE).strip() == before
    assert (leader(box) == boots) == (len(files) == 1), "only what was started has to be ended"


def test_a_crash_is_followed_by_a_start(box: Box) -> None:
    """A container whose first process is killed comes back, with the system that it had."""
    before, boots = system(box), leader(box)
    box.run("kill", "-KILL", boots)
    box.until(lambda: leader(box) not in {"", boots} and bool(harness(box)), "the container does not come back")
    assert system(box) == before


def test_root_may_be_away(box: Box) -> None:
    """The helper is killed, and started again as in an upgrade: the container goes on, and the next request is answered."""
    boots = leader(box)
    for words in (("kill", "--signal=KILL"), ("restart",)):
        box.run("systemctl", *words, "forgehive-containers.service")
        said = box.run("env", "PATH=/opt/nixos/bin:/usr/bin:/usr/sbin:/bin", "/opt/bin/hive", "doctor", check=False)
        assert "agents are contained by nixos-container" in said, said
    assert leader(box) == boots


def test_a_killed_host_leaves_one_container(box: Box) -> None:
    """What it started ends with it; the next host starts another one."""
    boots = leader(box)
    box.run("systemctl", "kill", "--signal=KILL", "forgehive-host")
    box.until(lambda: leader(box) not in {"", boots} and bool(harness(box)), "no container is started again")
    assert len(harness(box)) == 1


def test_a_stop_leaves_no_container(box: Box) -> None:
    """When the host ends in order, its containers have ended."""
    box.run("systemctl", "stop", "forgehive-host")
    assert leader(box) == ""
    assert harness(box) == []
    assert box.show("forgehive-host", "Result") == ["success"]
    box.run("systemctl", "start", "forgehive-host")
    box.until(lambda: bool(harness(box)), "no container is started again")


def test_a_destroyed_agent_leaves_nothing_of_its_container(box: Box) -> None:
    """Off the roster, it has no container, no file of one, no profile and no root of the garbage collector; what it learned stays."""
    profile, roots = PROFILE.replace("iris", "rose"), ROOTS.replace("iris", "rose")
    kept = ["/etc/nixos-containers/h-rose.conf", profile, roots, "/var/lib/nixos-containers/h-rose"]
    box.until(lambda: bool(harness(box, "rose")), "there is nothing to destroy")
    assert sorted(box.run("ls", "-d", *kept).split()) == sorted(kept)
    row = ask(box, "GET", "/repos/hive/meta/contents/roster.yaml?ref=main")
    roster = base64.b64decode(row["content"]).decode()
    assert "[iris, rose]" in roster
    number = propose(box, "farewell", {"roster.yaml": roster.replace("[iris, rose]", "[iris]")}, "hive/meta")
    merge(box, number, "hive/meta")
    box.until(lambda: not leader(box, "rose"), "the container goes on")
    box.until(lambda: box.run("ls", "-d", *kept, check=False) == "", "something of it is left")
    assert box.run("ls", "-d", "/var/lib/hive/agents/rose/state").strip()
    assert harness(box), "the other one goes on"
