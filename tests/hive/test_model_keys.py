"""Which key a request is sent with, where it may lie, and how an agent gets one of its own."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hive.app.login import login, logout, model_of
from hive.config import ModelSettings, ProviderSettings
from hive.config.hive_yaml import ForgeSettings, LaneSettings, Settings, TeamSettings
from hive.demo.model import ModelReply, ModelServer
from hive.gateway.llm import Model, ModelRequest
from hive.gateway.model_errors import ModelFailed
from hive.instance.instance import Instance, StartupError
from hive.instance.model_keys import ModelKeys
from hive.instance.model_routes import ModelRoutes
from hive.instance.running_agent import keyless, keys_of
from hive.ledger import Scope, SuspensionReason
from hive.secret_store import NoSecret, SecretStore

KEY = "sk-of-iris"
ASKED: dict[str, Any] = {"max_tokens": 9, "messages": [{"role": "user", "content": "hi"}], "stream": True}
TEAM = TeamSettings(
    forge="forgejo", operators=("mara",), repos=("app",), agents=("iris", "nora"), lanes={"code": LaneSettings("iris")}
)


class Says:
    """A responder with one answer."""

    def reply(self, conversation: object) -> ModelReply:
        """The answer."""
        return ModelReply("hi")


@pytest.fixture(scope="module")
def server() -> Iterator[ModelServer]:
    """A server that demands a key."""
    with ModelServer(Says(), key=KEY) as found:
        yield found


def instance_of(state: Path, **model: Any) -> Instance:
    """An instance that is only configured."""
    forges = {"forgejo": ForgeSettings("http://127.0.0.1:1")}
    return Instance(Settings(forges, {"acme": TEAM}, state=state, model=ModelSettings(**model), home=state))


def keys(tmp_path: Path, env: dict[str, str] | None = None, **model: Any) -> ModelKeys:
    """The keys of such an instance."""
    return ModelKeys.of(ModelSettings(**model), tmp_path, SecretStore(tmp_path / "secrets"), env or {})


def kept(path: Path, text: str, mode: int = 0o600) -> str:
    """A file with a secret; its name."""
    path.write_text(text)
    path.chmod(mode)
    return path.name


def test_an_agents_own_key_comes_first(tmp_path: Path) -> None:
    """Then that of the provider; a server without keys gets a word that is none."""
    home = ProviderSettings("http://127.0.0.1:1")
    found = keys(tmp_path, {"ANTHROPIC_API_KEY": "sk-env"}, providers={"home": home})
    assert found.key("claude-sonnet-5-5", "iris") == "sk-env"
    assert found.key("home/qwen", "iris") == "no-key"
    found.store.keep_agent_key("model", "iris", "sk-own")
    found.store.keep_agent_key("home", "iris", "home-own")
    assert found.key("claude-sonnet-5-5", "iris") == "sk-own"
    assert found.key("home/qwen", "iris") == "home-own"
    assert found.key("claude-sonnet-5-5", "nora") == "sk-env"
    assert "sk-env" not in repr(found)


def test_keys_lie_in_files_and_credentials(tmp_path: Path) -> None:
    """A file of one's own is private; a credential is systemd's, which shares it by an access list."""
    (tmp_path / "creds").mkdir()
    kept(tmp_path / "creds" / "home-key", "sk-cred\n", 0o440)
    providers = {
        "file": ProviderSettings("http://127.0.0.1:1", key_file=kept(tmp_path / "k", "sk-file\n")),
        "cred": ProviderSettings("http://127.0.0.1:1", credential="home-key"),
    }
    found = keys(tmp_path, {"CREDENTIALS_DIRECTORY": str(tmp_path / "creds")}, providers=providers)
    assert (found.key("file/m", "iris"), found.key("cred/m", "iris")) == ("sk-file", "sk-cred")
    assert found.known() == {"sk-file", "sk-cred"}
    assert keys(tmp_path, {"ANTHROPIC_API_KEY": "sk-env"}, providers=providers).known() == {"sk-env", "sk-file"}
    with pytest.raises(NoSecret, match="CREDENTIALS_DIRECTORY is not set"):
        keys(tmp_path, providers=providers).key("cred/m", "iris")


@pytest.mark.parametrize(
    ("text", "mode", "why"),
    [
        ("sk", 0o644, "run: chmod 600"),
        ("sk", 0o640, "run: chmod 600"),
        ("", 0o600, "is empty"),
        ("sk one\ntwo", 0o600, "a key and nothing else"),
        (None, 0, "cannot be read"),
    ],
)
def test_a_key_that_cannot_be_used_is_named(tmp_path: Path, text: str | None, mode: int, why: str) -> None:
    """By its file, and what to do; never by its content."""
    if text is not None:
        kept(tmp_path / "k", text, mode)
    with pytest.raises(NoSecret, match=why) as caught:
        keys(tmp_path, key_file="k").key("claude-sonnet-5-5", "iris")
    assert str(tmp_path / "k") in str(caught.value)
    assert "sk" not in str(caught.value).replace(str(tmp_path), "")


def test_who_has_no_key_is_named(tmp_path: Path) -> None:
    """With the command that gives it one; a server without keys needs none."""
    found = instance_of(tmp_path, agents={"nora": ("home/m",)}, providers={"home": ProviderSettings("http://x")})
    assert list(keyless(found, keys_of(found))) == [
        ("iris", "iris has no key for claude-sonnet-5-5; give it one: hive login iris"),
    ]
    guarded = {"home": ProviderSettings("http://x", key_file="k")}
    kept(tmp_path / "k", "sk")
    with pytest.raises(NoSecret, match="give it one: hive login iris"):
        keys(tmp_path, providers=guarded).key("claude-x", "iris")
    found.close()


@pytest.mark.parametrize(
    ("reads", "header"), [("x-api-key", "auto"), ("authorization", "bearer"), ("x-api-key", "x-api-key")]
)
def test_a_key_goes_where_the_server_looks_for_it(reads: str, header: str) -> None:
    """Some servers read one header only: to a server of one's own both are sent, unless one is configured."""
    with ModelServer(Says(), key=KEY, reads=(reads,)) as server:
        settings = ModelSettings(url=server.url, header=header)  # type: ignore[arg-type]  # one of its words
        assert settings.default.header == header
        model = Model(url=server.url, header=settings.default.header)
        with model.ask(ModelRequest({**ASKED, "model": "m"}), KEY) as reply:
            assert b"message_stop" in b"".join(reply.chunks)
        with pytest.raises(ModelFailed) as caught, model.ask(ModelRequest({**ASKED, "model": "m"}), "wrong"):
            pass
        model.close()
    assert (caught.value.status, caught.value.kind) == (401, "authentication_error")


def test_a_token_of_a_subscription_is_sent_as_one() -> None:
    """The API takes it as a bearer with a beta of its own, and never as a key."""
    sent = Model()._with_key({"anthropic-beta": "effort-2025-11-24"}, "sk-ant-oat01-x")
    assert sent == {"anthropic-beta": "effort-2025-11-24,oauth-2025-04-20", "authorization": "Bearer sk-ant-oat01-x"}
    assert Model(header=ModelSettings().header)._with_key({}, "sk-ant-api03-x") == {"x-api-key": "sk-ant-api03-x"}


def test_a_model_is_asked_for_at_its_own_provider(tmp_path: Path, server: ModelServer) -> None:
    """By the name that the server knows; a list of an agent's own says what its requests may choose."""
    home = ProviderSettings(server.url, key_file=kept(tmp_path / "k", KEY))
    settings = ModelSettings(
        url="http://127.0.0.1:1/v1", providers={"home": home}, agents={"iris": ("home/qwen", "home/Org/big")}
    )
    store = SecretStore(tmp_path / "secrets")
    routes = ModelRoutes(settings, ModelKeys.of(settings, tmp_path, store, {}))
    current = "home/qwen"
    route = routes.of("iris", lambda: current)
    assert [(route(name).name, route(name).id) for name in ("home/Org/big", "claude-opus-5-5", "")] == [
        ("home/Org/big", "Org/big"),
        ("home/qwen", "qwen"),
        ("home/qwen", "qwen"),
    ]
    assert routes.names("iris", lambda: current) == ("home/qwen", "home/Org/big")
    assert routes.of("nora", lambda: "claude-sonnet-5-5")("home/qwen").name == "claude-sonnet-5-5"
    with route("").ask(ModelRequest(ASKED)) as reply:
        assert b'"model": "qwen"' in b"".join(reply.chunks)
    with pytest.raises(ModelFailed) as away, routes.of("nora", lambda: "Qwen/q")("").ask(ModelRequest(ASKED)):
        pass
    assert away.value.unreachable
    routes.close()


def test_an_agent_gets_a_key_of_its_own(tmp_path: Path, server: ModelServer) -> None:
    """Stored privately and never shown; what the server rejects is not stored; an agent that waited for it goes on."""
    said: list[str] = []
    found = instance_of(tmp_path, url=server.url)
    found.ledger.suspensions.suspend("acme", Scope.AGENT, "iris", SuspensionReason.NEEDS_LOGIN, "401")
    with pytest.raises(StartupError, match="does not accept this key"):
        login(found, "iris", None, "sk-wrong", said.append)
    assert said == []
    login(found, "iris", None, KEY, said.append)
    assert said == [
        "iris has a key of its own for claude-sonnet-5-5, which its server accepts",
        "iris goes on with its work",
    ]
    path = tmp_path / "secrets" / "model" / "iris.model-key"
    assert (path.read_text(), path.stat().st_mode & 0o777) == (KEY, 0o600)
    assert path.stat().st_uid == tmp_path.joinpath("secrets").stat().st_uid
    assert found.ledger.suspensions.all() == []
    logout(found, "iris", None, said.append)
    logout(found, "iris", None, said.append)
    assert not path.exists()
    assert said[2:] == [
        "iris has no key of its own any more for claude-sonnet-5-5; it uses that of the provider",
        "iris has no key of its own for claude-sonnet-5-5; it uses that of the provider",
    ]
    found.close()


def test_a_key_is_stored_though_nobody_can_check_it(tmp_path: Path) -> None:
    """A server that is away is no reason to ask for the key again."""
    said: list[str] = []
    found = instance_of(tmp_path, providers={"home": ProviderSettings("http://127.0.0.1:1")})
    login(found, "iris", "home", KEY, said.append)
    assert "could not be asked whether it accepts it" in said[0]
    assert keys_of(found).key("home/any", "iris") == KEY
    found.close()


@pytest.mark.parametrize("key", ["", "two words", "sk\nx", "ключ", "x" * 5000])
def test_what_is_no_key_is_not_stored(tmp_path: Path, key: str) -> None:
    """Nor is one for an agent or a provider that there is not."""
    found = instance_of(tmp_path)
    with pytest.raises(StartupError, match="a key is one word"):
        login(found, "iris", None, key, lambda _: None)
    for agent, provider in (("ghost", None), ("iris", "nowhere")):
        with pytest.raises(StartupError):
            model_of(found, agent, provider)
    assert not (tmp_path / "secrets").exists()
    found.close()


def test_a_list_of_its_own_binds_an_agent() -> None:
    """What its configuration or `/model` names counts only if it is in the list; without one anything is."""
    settings = ModelSettings(agents={"iris": ("home/qwen", "claude-haiku-5-5")})
    assert settings.chosen("iris", "claude-opus-5-5", "") == "home/qwen"
    assert settings.chosen("iris", "", "claude-haiku-5-5") == "claude-haiku-5-5"
    assert settings.chosen("nora", "", "of-its-configuration") == "of-its-configuration"
    assert settings.chosen("nora", "", "") == settings.name
    assert dataclasses.replace(settings, agents={}).models_of("iris") == settings.known
