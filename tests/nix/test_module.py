"""services.forgehive: what it makes of a configuration, and what it refuses, by the path of the option."""

from __future__ import annotations

import re
from typing import Any

import pytest

from bots.models import AGENT_NAME
from tests.nix.evaluation import LIBRARIES, NIXPKGS_LIB, Refused, evaluate, hive, needs_nix

pytestmark = needs_nix
LANES = 'teams.acme.lanes = lib.mkForce { a.agent = "iris"; b.agent = "iris"; };'
PREFIX = "services.forgehive.settings."


@pytest.fixture(params=LIBRARIES, ids=["ours", *(["nixpkgs"] if NIXPKGS_LIB else [])])
def library(request: pytest.FixtureRequest) -> str:
    """Our own library of modules, and that of nixpkgs if there is one."""
    return str(request.param)


def failed(*modules: str, library: str = LIBRARIES[0], **arguments: str) -> list[str]:
    found: list[str] = evaluate(*modules, library=library, facts=("failed",), **arguments)["failed"]
    return found


def test_a_small_hive_is_right(library: str) -> None:
    """The least that a hive has to be told is a configuration without a fault, and all of it is evaluated."""
    found = evaluate(hive(), library=library)
    assert (found["failed"], found["warnings"]) == ([], [])
    assert set(found["services"]) == {"forgehive-web", "forgehive-work", "forgehive-host"}


def test_what_is_not_enabled_leaves_nothing_behind(library: str) -> None:
    """Without `enable` there is no unit, no user, no file and no port, whatever else is set."""
    off = hive(
        'enable = lib.mkForce false; redis.enable = true; containers.enable = true; forge.enable = true; credentials.a = "x";'
    )
    found = evaluate(off, library=library, facts=EFFECTS)
    assert {name: value for name, value in found.items() if value} == {}


EFFECTS = (
    *("services", "sockets", "users", "groups", "etc", "tmpfiles", "boot", "networking", "redis", "containers"),
    *("systemPackages", "allowedUsers", "failed", "warnings"),
)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ("limits.stepz = 1;", r"The option `services\.forgehive\.settings\.limits\.stepz' does not exist"),
        ('limits.steps = "many";', r"`services\.forgehive\.settings\.limits\.steps' is not of type `null or .*integer"),
        ("limits.steps = 501;", r"`services\.forgehive\.settings\.limits\.steps' is not of type"),
        ("budget.run = true;", r"`services\.forgehive\.settings\.budget\.run' is not of type"),
        ('sandbox = "jail";', r"`services\.forgehive\.settings\.sandbox' is not of type"),
        ("model.key_file = ./key;", r"`services\.forgehive\.settings\.model\.key_file' is not of type"),
        ("model.providers.home = { };", r"`services\.forgehive\.settings\.model\.providers\.home\.url'.* no value"),
        (
            'forges.forgejo.password = "x";',
            r"The option `services\.forgehive\.settings\.forges\.forgejo\.password' does not exist",
        ),
    ],
)
def test_a_wrong_setting_is_refused_by_its_path(settings: str, said: str, library: str) -> None:
    """A key that hive.yaml does not have, a value of another type, and a key that is missing never become a configuration."""
    with pytest.raises(Refused) as caught:
        evaluate(hive(settings=settings), library=library, facts=("hiveYaml", "settings"))
    assert re.search(said, re.sub(r"\x1b\[[0-9;]*m", "", str(caught.value))), caught.value


def test_two_modules_that_define_the_same_disagree(library: str) -> None:
    """Two values of one option are a conflict; the same value twice is none, nor is one that was forced."""
    one, other = hive(settings="limits.steps = 10;"), "{ services.forgehive.settings.limits.steps = 20; }"
    with pytest.raises(Refused, match="has conflicting definition values"):
        evaluate(one, other, library=library, facts=("settings",))
    assert evaluate(one, other.replace("20", "10"), library=library, facts=("settings",))
    forced = evaluate(one, other.replace("20", "lib.mkForce 20"), library=library, facts=("settings",))
    assert forced["settings"]["limits"]["steps"] == 20


def test_two_modules_add_up(library: str) -> None:
    """A team's agents and lanes may come from several modules, in their order."""
    lanes = 'teams.acme.lanes = lib.mkForce [ { name = "web"; agent = "iris"; } ];'
    more = '{ services.forgehive.settings.teams.acme = { agents = [ "atlas" ]; lanes = lib.mkForce [ { name = "app"; agent = "atlas"; } ]; }; }'
    team = evaluate(hive(settings=lanes), more, library=library, facts=("settings",))["settings"]["teams"]["acme"]
    assert team["agents"] == ["iris", "atlas"]
    assert [lane["name"] for lane in team["lanes"]] == ["web", "app"]


@pytest.mark.parametrize(
    "name", ["iris", "a", "a23456789", "a234567890", "Iris", "9iris", "iris-2", "iris_2", "", "ìris"]
)
def test_an_agents_name_is_what_the_hive_takes(name: str) -> None:
    """The module takes exactly the names that the hive takes: a container's name is short."""
    found = failed(hive(settings=f'teams.acme.agents = lib.mkForce [ "{name}" ];'))
    assert (not found) == bool(AGENT_NAME.fullmatch(name))
    assert all(message.startswith(f"{PREFIX}teams.acme.agents: ") for message in found)


@pytest.mark.parametrize(
    ("settings", "path"),
    [
        ('model.providers.home = { url = "http://mara:word@127.0.0.1:8080"; };', "model.providers.home.url"),
        ('queue = "redis://:word@127.0.0.1:6379/0";', "queue"),
        ('model.credential = "sk-ant-api03-abcdefghijklmnop";', "model.credential"),
        ('teams.acme.repos = [ "0123456789abcdef0123456789abcdef01234567" ];', "teams.acme.repos"),
        ('accounts.core = "ghp_abcdefghijklmnopqrst";', "accounts.core"),
    ],
)
def test_a_secret_in_the_settings_is_refused(settings: str, path: str) -> None:
    """hive.yaml lies in the store, which everybody can read: what looks like a secret is refused, and not repeated."""
    found = [message for message in failed(hive(settings=settings)) if "looks like a secret" in message]
    assert [message.partition(":")[0] for message in found] == [PREFIX + path]
    assert not re.search(r"word|sk-ant|0123456789abcdef|ghp_", found[0])


@pytest.mark.parametrize(
    ("more", "settings", "said"),
    [
        (
            "",
            'model.credential = "anthropic";',
            "model.credential: there is no services.forgehive.credentials.anthropic.",
        ),
        ("", 'model.key_file = "keys/a";', "model.key_file: should be an absolute path outside of the Nix store"),
        ("", 'model.key_file = "/nix/store/a";', "model.key_file: should be an absolute path outside of the Nix store"),
        ("", 'state = "/srv/hive";', "state: should be a directory below /var/lib"),
        ("", 'state = "/var/lib/../../etc";', "state: should be a directory below /var/lib"),
        ("", 'state = "/var/lib/hive two";', "state: should be a directory below /var/lib"),
        ("", 'web.host = "localhost";', "web.host: should be an IP address"),
        ("", "web.port = 0;", "web.port: should be a port"),
        ("", 'forges.forgejo.kind = "embedded";', "forges.forgejo.kind: `hive up` alone runs the embedded forge"),
        ("", LANES, "teams.acme.lanes: the order counts, and Nix sorts names"),
        ("", "teams.acme.kinds = { a = [ ]; b = [ ]; };", "teams.acme.kinds: the order counts"),
        ("", 'teams.acme.kinds = [ { name = "a"; } { name = "a"; } ];', "teams.acme.kinds: a name stands there twice"),
    ],
)
def test_what_types_cannot_say_is_said(more: str, settings: str, said: str) -> None:
    """Each fault is named by the path of its option."""
    (message,) = failed(hive(more, settings))
    assert message.startswith(PREFIX + said)


@pytest.mark.parametrize("file", ["/nix/store/0-key", "key", "./key"])
def test_a_credential_is_a_file_that_not_everybody_reads(file: str) -> None:
    """A key that lies in the store has been given away already."""
    found = failed(hive(f'credentials.a = "{file}";', 'model.credential = "a";'))
    assert [message.partition(":")[0] for message in found] == ["services.forgehive.credentials.a"]


def warned(more: str = "", settings: str = "") -> list[str]:
    found: list[str] = evaluate(hive(more, settings), facts=("warnings",))["warnings"]
    return found


def test_what_is_dangerous_or_useless_is_warned_of() -> None:
    """A hive without a sandbox, one that root runs, a credential that nobody names."""
    assert "secrets too" in warned(settings='sandbox = "none";')[0]
    assert "root runs the hive" in warned(settings='sandbox = "nspawn";')[0]
    assert "names it" in warned('credentials.a = "/run/a";')[0]


@pytest.mark.parametrize(
    ("version", "name", "fine"),
    [
        *(("2.28.5", "nix", False), ("2.28.6", "nix", True), ("2.31.3", "nix", False), ("2.34.5", "nix", True)),
        *(("2.35.0", "nix", True), ("3.0", "nix", True), ("2.18.9", "nix", False), ("2.27.9", "nix", False)),
        *(("2.8.0", "nix", False), ("2.93.1", "lix", False), ("2.34.5pre20260101_abc", "nix", False)),
    ],
)
def test_containers_want_a_fixed_nix(version: str, name: str, fine: bool) -> None:
    """A Nix by which who may build writes as root makes no containers of agents, unless an operator accepts it."""
    found = failed(hive("containers.enable = true;"), nixVersion=version, nixName=name)
    assert (not found) == fine
    assert all(message.startswith("services.forgehive.containers.enable: nix.package is ") for message in found)
    assert not failed(
        hive("containers = { enable = true; acceptVulnerableNix = true; };"), nixVersion=version, nixName=name
    )


def test_containers_have_their_helper_and_nobody_else_builds() -> None:
    """The helper listens on a socket for the hive's group, and only root, wheel and the hive may build."""
    found = evaluate(hive("containers.enable = true;"))
    socket = found["sockets"]["forgehive-containers"]
    assert socket["listenStreams"] == ["/run/forgehive/containers.sock"]
    assert (socket["socketConfig"]["SocketMode"], socket["socketConfig"]["SocketGroup"]) == ("0660", "hive")
    assert found["allowedUsers"] == ["root", "@wheel", "hive"]
    assert found["boot"] == {"enableContainers": True}
    assert found["etc"]["forgehive/nixpkgs"]["source"].startswith("/nix/store/")
    assert found["services"]["forgehive-host"]["requires"] == ["forgehive-containers.socket"]
    assert evaluate(hive(), facts=("allowedUsers", "boot", "sockets"))["allowedUsers"] == []


def test_redis_is_optional() -> None:
    """Without it wake-ups go through a file; with it through a unix socket that no other user reaches."""
    without = evaluate(hive(), facts=("redis", "settings"))
    assert (without["redis"], without["settings"]["queue"]) == ({}, None)
    found = evaluate(hive("redis.enable = true;"), facts=("redis", "settings", "services"))
    assert found["redis"]["forgehive"]["port"] == 0
    assert found["settings"]["queue"] == "unix:///run/redis-forgehive/redis.sock"
    for unit in found["services"].values():
        assert "redis-forgehive.service" in unit["after"]
        assert unit["serviceConfig"]["SupplementaryGroups"] == ["redis-forgehive"]


def forge(more: str = "") -> dict[str, Any]:
    return evaluate(hive(f'forge = {{ enable = true; name = "own"; }}; {more}'))


def test_the_forge_is_private() -> None:
    """Nobody registers, new repositories are private, and it calls no address but the hive's."""
    ((name, container),) = forge()["containers"].items()
    settings = container["config"]["services"]["forgejo"]["settings"]
    assert len(name) <= 11
    assert not name.startswith("h-")
    assert settings["service"]["DISABLE_REGISTRATION"] is True
    assert settings["repository"]["DEFAULT_PRIVATE"] == "private"
    assert settings["webhook"]["ALLOWED_HOST_LIST"] == "10.77.0.1/32"
    assert settings["F3"]["PATH"].startswith("/var/lib/forgejo/")  # it is looked for even where it is not used
    assert container["config"]["services"]["forgejo"]["database"]["type"] == "sqlite3"


def test_the_forge_is_no_root_of_this_machine() -> None:
    """Its container has users and a network of its own, and no socket of the Nix daemon."""
    (container,) = forge()["containers"].values()
    assert (container["privateUsers"], container["privateNetwork"]) == ("pick", True)
    assert container["extraFlags"] == ["--tmpfs=/nix/var/nix/daemon-socket:ro"]


def test_the_forge_reaches_the_hive_and_nothing_else_does() -> None:
    """The receiver listens on the link to the container, whose interface alone is let through, unless an operator says otherwise."""
    found = forge()
    assert found["settings"]["web"]["host"] == "10.77.0.1"
    assert found["sockets"]["forgehive-web"]["listenStreams"] == ["10.77.0.1:8077"]
    assert found["networking"]["firewall"] == {"interfaces": {"ve-hive-forge": {"allowedTCPPorts": [8077]}}}
    own = evaluate(hive("forge.enable = true;", 'web.host = "192.168.1.2";'), facts=("settings",))
    assert own["settings"]["web"]["host"] == "192.168.1.2"
