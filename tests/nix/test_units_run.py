"""The units of nix/ on a real systemd: a hive, confined as the module says, that answers what a forge delivers."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.nix.box import Box, booted, lay_out, missing
from tests.nix.evaluation import evaluate, hive, needs_nix

pytestmark = [needs_nix, pytest.mark.contained]
SETTINGS = """
    forges.forgejo.url = lib.mkForce "http://127.0.0.1:3080";
    packages_path = [ "/usr/bin" "/bin" ];
    model.credential = "key";
"""
UNITS = ("forgehive-web", "forgehive-work", "forgehive-host")
FORGE = "http://127.0.0.1:3080/api/v1"


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    """A machine whose hive is set up on an embedded forge, and runs."""
    if why := missing():
        pytest.skip(why)
    root = tmp_path_factory.mktemp("box")
    lay_out(root, evaluate(hive('credentials.key = "/etc/model.key";', SETTINGS)))
    (root / "etc/model.key").write_text("not-a-key\n")
    (root / "etc/model.key").chmod(0o600)
    with booted(root) as machine:
        # What nspawn covers of /proc is open on a machine that is none of its containers.
        machine.run("umount", "--lazy", "/proc/sys/net", "/proc/sys/kernel/random/boot_id", "/proc/sys", check=False)
        machine.run("systemctl", "start", "forge")
        machine.until(lambda: "version" in get(machine, f"{FORGE}/version", ()), "no forge answers")
        body = json.dumps({"username": "mara", "email": "mara@forge.invalid", "password": "another-word"})
        machine.run("curl", "-sf", *as_("root-admin:a-long-word"), "-d", body, f"{FORGE}/admin/users")
        machine.run("install", "-d", "-o", "hive", "-g", "hive", "-m", "0700", "/var/lib/hive")
        words = ("/opt/bin/hive", "init", "--admin", "root-admin", "--create-missing", "--engine", "mechanic")
        machine.run("env", "HIVE_ADMIN_PASSWORD=a-long-word", *words)
        machine.run("systemctl", "start", "forgehive-web.socket", *UNITS)
        machine.until(lambda: '"ok"' in get(machine, "http://127.0.0.1:8077/healthz"), "the hive is not well")
        machine.until(lambda: bool(harnesses(machine)), "no container is started")
        yield machine


def as_(login: str) -> tuple[str, ...]:
    return ("-u", login, "-H", "content-type: application/json")


def get(box: Box, url: str, who: tuple[str, ...] = as_("mara:another-word")) -> str:
    return box.run("curl", "-s", "--max-time", "20", *who, url, check=False)


def harnesses(box: Box) -> list[str]:
    """The processes in containers of agents, as the machine numbers them."""
    return box.run("pgrep", "-f", "^[^ ]*python[0-9.]* -S -P -m hive[.]agent$", check=False).split()


def main_pid(box: Box, unit: str) -> str:
    return box.show(unit, "MainPID")[0]


def status(box: Box, unit: str) -> dict[str, str]:
    lines = box.run("cat", f"/proc/{main_pid(box, unit)}/status").splitlines()
    return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}


def test_a_delivery_becomes_an_answer(box: Box) -> None:
    """The forge calls the receiver, which has no network; the worker answers there, and a container is up."""
    body = json.dumps({"title": "The page is broken", "body": "It is."})
    box.run("curl", "-sf", *as_("mara:another-word"), "-d", body, f"{FORGE}/repos/acme/app/issues")
    box.until(lambda: "🧭" in get(box, f"{FORGE}/repos/acme/app/issues/1/comments"), "nobody answers")
    assert harnesses(box)
    deliveries = "SELECT count(*) FROM deliveries"
    code = f"import sqlite3; print(sqlite3.connect('/var/lib/hive/ledger.db').execute({deliveries!r}).fetchone()[0])"
    assert int(box.run("/usr/bin/python3", "-c", code)) > 0


def test_an_operators_command_is_the_hives(box: Box) -> None:
    """Root's `hive` runs as the hive's user, with the keys of models, and leaves neither a key nor a file of root's."""
    said = box.run("/opt/bin/hive", "doctor", check=False)
    assert "🟢" in said
    assert "no credential" not in said
    assert "runs as ROOT" not in said
    assert box.run("sh", "-c", "ls -d /run/hive-keys.* 2>/dev/null", check=False) == ""
    assert box.run("find", "/var/lib/hive", "-user", "root") == ""


@pytest.mark.parametrize("unit", UNITS)
def test_a_process_has_lost_what_its_unit_takes(box: Box, unit: str) -> None:
    """Each runs as the hive's user, without a capability, and cannot gain one; what is not its own is read-only."""
    found = status(box, unit)
    assert found["Uid"].split() == ["990"] * 4
    assert found["NoNewPrivs"] == "1"
    assert found["Seccomp"] == "2"
    assert {found[key] for key in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}
    mounts = box.run("cat", f"/proc/{main_pid(box, unit)}/mountinfo")
    writable = {line.split()[4] for line in mounts.splitlines() if line.split()[5].startswith("rw")}
    assert "/var/lib/hive" in writable
    assert not {"/", "/usr", "/etc", "/opt"} & writable


def test_a_container_is_in_the_hosts_group(box: Box) -> None:
    """An agent runs in namespaces of its own, below the unit of the host, as the hive's user."""
    pids = harnesses(box)
    assert pids
    for pid in pids:
        assert "/forgehive-host.service" in box.run("cat", f"/proc/{pid}/cgroup")
        assert box.run("stat", "-c", "%u", f"/proc/{pid}").strip() == "990"
        assert box.run("readlink", f"/proc/{pid}/ns/net") != box.run("readlink", "/proc/1/ns/net")


def test_only_the_receiver_is_without_a_network(box: Box) -> None:
    """The receiver's network is another one than the machine's; those who talk to forges and models have the machine's."""
    own = box.run("readlink", "/proc/1/ns/net")
    nets = {unit: box.run("readlink", f"/proc/{main_pid(box, unit)}/ns/net") == own for unit in UNITS}
    assert nets == {"forgehive-web": False, "forgehive-work": True, "forgehive-host": True}


def test_only_the_host_has_the_key(box: Box) -> None:
    """Systemd shows the credential to the host's unit, and the file itself stays root's alone."""
    folder = "/run/credentials/forgehive-host.service"
    for unit in UNITS:
        told = box.run("cat", f"/proc/{main_pid(box, unit)}/environ")
        assert (f"CREDENTIALS_DIRECTORY={folder}" in told) == (unit == "forgehive-host")
    assert box.run("stat", "-c", "%a", folder).strip() == "500"
    assert "no_model_key" not in box.journal()
    assert box.run("stat", "-c", "%a %u", "/etc/model.key").split() == ["600", "0"]


def test_a_killed_process_comes_back(box: Box) -> None:
    """Systemd starts what was killed again; the receiver's socket is open meanwhile, so that a request waits for it."""
    before = {unit: main_pid(box, unit) for unit in UNITS}
    box.run("systemctl", "kill", "--signal=KILL", *UNITS)
    assert "ok" in get(box, "http://127.0.0.1:8077/livez")
    box.until(lambda: all(main_pid(box, unit) not in {"0", before[unit]} for unit in UNITS), "not all came back")
    box.until(lambda: '"ok"' in get(box, "http://127.0.0.1:8077/healthz"), "the hive is not well again")
    box.until(lambda: bool(harnesses(box)), "no container is started again")


def test_a_stop_leaves_no_container(box: Box) -> None:
    """When the host ends, its containers have ended."""
    box.run("systemctl", "stop", "forgehive-host")
    assert harnesses(box) == []
    assert box.show("forgehive-host", "Result") == ["success"]
