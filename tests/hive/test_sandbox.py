"""Agents are confined, or an operator has said in so many words that they need not be; nothing says more than is so."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from hive.app.enter import open_shell
from hive.config import ForgeSettings, load
from hive.config.roots import RootSettings
from hive.demo.names import PLAIN
from hive.demo.setup import write_config, write_config_for
from hive.instance.instance import StartupError
from hive.instance.sandbox import ROOT, UNCONFINED, backend_of, no_roots, package_roots, packages_path, remarks
from hive.provision.host_checks import machine
from hive.reconcile.backends import look_for
from hive.reconcile.entering import CannotEnter
from tests.hive.conftest import HiveEnv

CODE = """
import sys
from pathlib import Path
from hive.instance.instance import Instance
from hive.demo.names import PLAIN
from hive.demo.setup import write_config, write_config_for
from hive.provision.host_checks import machine
from hive.app.enter import open_shell
from hive.config import ForgeSettings, load
place = Path(sys.argv[1])
instance = Instance(load(place / "hive.yaml"))
print(*machine(instance), sep="\\n")
instance.close()
made = write_config(place, forge_port=1, web_port=2, model_url="")
print("own:", load(made).sandbox)
made = write_config_for(place, ForgeSettings("http://127.0.0.1:1"), PLAIN, web_port=2, model_url="")
print("other:", load(made).sandbox)
"""


def forbidden(place: Path) -> list[str]:
    """What is said and written where user namespaces are forbidden, also to this root."""
    words = ["unshare", "--user", "--map-root-user", "sh", "-c"]
    limit = "echo 0 >/proc/sys/user/max_user_namespaces && exec "
    if subprocess.run([*words, limit + "true"], capture_output=True).returncode:
        pytest.skip("user namespaces cannot be forbidden here, so that nobody can look what then happens")
    command = [*words, limit + '"$0" "$@"', sys.executable, "-c", CODE, str(place)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


def test_the_doctor_is_red_where_nothing_confines(tmp_path: Path) -> None:
    """Not a word of containers: what is so, and how to fix it. Only the demo's own forge goes without."""
    write_config(tmp_path, forge_port=1, web_port=2, model_url="")
    config = tmp_path / "hive.yaml"
    config.write_text(config.read_text().replace("sandbox: none", "sandbox: bubblewrap"))
    said = forbidden(tmp_path)
    assert any(line.startswith("🔴 agents cannot be contained, so none is started (") for line in said), said
    assert not any(line.startswith("🟢 agents") for line in said)
    assert said[-2:] == ["own: none", "other: bubblewrap"]


def test_the_doctor_says_who_agents_are(hive_env: HiveEnv) -> None:
    """What kind of container there is, and loudly that the hive is root, if it is."""
    said = [str(sign) for sign in machine(hive_env.instance)]
    assert any("the hive runs as root" in line for line in said) == (os.geteuid() == 0)
    backend, _ = look_for("bubblewrap")
    assert any(line.startswith("🟢 agents are contained by bubblewrap, ") for line in said) == (backend is not None)


def test_none_is_said_at_every_start(tmp_path: Path) -> None:
    """Who switches the sandbox off is told each time what that means, and so does the doctor."""
    settings = replace(load(write_config(tmp_path, forge_port=1, web_port=2, model_url="")), sandbox="none")
    assert not backend_of(settings).contained
    assert UNCONFINED in remarks(settings)
    assert (ROOT in remarks(settings)) == (os.geteuid() == 0)


def test_no_other_word_switches_it_off(tmp_path: Path) -> None:
    """What is nearly `none` is a mistake in the configuration, not a hive without a sandbox."""
    config = write_config_for(tmp_path, ForgeSettings("http://127.0.0.1:1"), PLAIN, web_port=2, model_url="")
    for word in ("false", "off", "None", '""', "null", "[]"):
        config.write_text(config.read_text().replace("sandbox: bubblewrap", f"sandbox: {word}"))
        with pytest.raises(ValueError, match="sandbox"):
            load(config)
        config.write_text(config.read_text().replace(f"sandbox: {word}", "sandbox: bubblewrap"))


def test_only_what_runs_can_be_entered(hive_env: HiveEnv) -> None:
    """An operator is told in words where there is no container to enter."""
    with pytest.raises(CannotEnter, match="iris has no running container"):
        open_shell(hive_env.instance, "iris", "")


def test_without_bubblewrap_there_is_no_jail(hive_env: HiveEnv) -> None:
    """A house that wants a sandbox and has none does not start."""
    if look_for("bubblewrap")[0] is not None:
        assert backend_of(hive_env.instance.settings).contained
    else:
        with pytest.raises(StartupError, match="no agent is started"):
            backend_of(hive_env.instance.settings)


def test_packages_or_the_hosts_programs(hive_env: HiveEnv) -> None:
    """`root` needs a sandbox and a program that make such roots; without them the host's programs are seen, and that is said."""
    settings = hive_env.instance.settings
    of_packages = replace(settings, root=RootSettings("bookworm"), sandbox="nspawn")
    assert no_roots(settings) == ""
    assert packages_path(settings) == settings.packages_path
    assert no_roots(replace(of_packages, sandbox="bubblewrap")) == "`root` is for `sandbox: nspawn` and `podman`"
    found = package_roots(of_packages)
    if shutil.which("mmdebstrap") is None:
        assert found is None
        assert no_roots(of_packages) == "mmdebstrap is not installed"
        assert packages_path(of_packages) == settings.packages_path
    else:
        assert found is not None
        assert found.folder == settings.state / "roots"
        assert packages_path(of_packages) == ()


def test_no_packages_where_nothing_makes_them(hive_env: HiveEnv) -> None:
    """On a machine without mmdebstrap today's way stays, and doctor names what is missing."""
    state = hive_env.instance.settings.state
    code = (
        "import sys; from dataclasses import replace; from pathlib import Path; from hive.config import load\n"
        "from hive.config.roots import RootSettings; from hive.instance.sandbox import no_roots, packages_path\n"
        "made = replace(load(Path(sys.argv[1])), root=RootSettings('bookworm'), sandbox='podman')\n"
        "print(no_roots(made)); print(packages_path(made) == made.packages_path)"
    )
    config = write_config(state.parent, forge_port=1, web_port=2, model_url="")
    words = [sys.executable, "-c", code, str(config)]
    env = {**os.environ, "PATH": "/nonexistent"}
    said = subprocess.run(words, env=env, capture_output=True, text=True, timeout=120, check=True).stdout
    assert said.splitlines() == ["mmdebstrap is not installed", "True"]
