"""A configuration with mistakes is told all of them, each with its place and what would be right."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forge.models import Repo
from hive.config import BadYaml, Settings, load, read_agent, read_checks, read_repository
from hive.config.agent_yaml import HOST_KEYS, AgentFile
from hive.config.costs import OwnPrice
from hive.config.models import ModelTraits
from hive.config.validation import field_errors as sense
from hive.config.yaml_locations import Document
from hive.instance.opening import packages

ROOT = Path(__file__).parent.parent.parent
GOOD = """\
forges:
  forgejo: {kind: embedded, url: "http://127.0.0.1:3080"}
teams:
  acme:
    forge: forgejo
    operators: [mara]
    repos: [app]
    agents: [iris]
    lanes:
      app: {agent: iris, words: [page]}
    kinds:
      type/bug: [wrong]
"""
KEYS = (
    *("forges", "teams", "f", "t", "url", "kind", "forge", "operators", "repos", "agents", "lanes", "agent", "label"),
    *(
        "words",
        "paths",
        "kinds",
        "accounts",
        "core",
        "configs",
        "meta",
        "state",
        "web",
        "host",
        "port",
        "model",
        "name",
    ),
    *("allowed", "queue", "bots", "packages_path", "limits", "workers", "home"),
)


def write(tmp_path: Path, text: str) -> Path:
    """A configuration file."""
    path = tmp_path / "hive.yaml"
    path.write_text(text)
    return path


def field_errors(tmp_path: Path, text: str) -> list[str]:
    """What is said of a configuration, without the file's name."""
    path = write(tmp_path, text)
    with pytest.raises(BadYaml) as error:
        load(path)
    return [str(problem).removeprefix(f"{path}:") for problem in error.value.problems]


def test_reads(tmp_path: Path) -> None:
    """Defaults fill in what is not said; `state` counts from the file."""
    config = load(write(tmp_path, GOOD + "state: here\n"))
    assert config.state == tmp_path / "here"
    assert config.account("triage") == "triage"
    assert config.account("lane") == "core"
    (lane,) = config.teams["acme"].lane_list()
    assert lane.operators == ()
    assert (lane.label, lane.words) == ("area/app", ("page",))


def test_knows_its_repositories(tmp_path: Path) -> None:
    """A repository belongs to a team by its organisation and name, configurations by their agent."""
    config = load(write(tmp_path, GOOD))
    app, own = Repo("forgejo", "acme", "app"), Repo("forgejo", "agent-configs", "iris")
    assert config.repos_of("acme") == [app, own]
    assert config.team_of(app) == config.team_of(own) == "acme"
    for other in ("forgejo:acme/other", "forgejo:agent-configs/eve", "gitea:acme/app", "forgejo:evil/app"):
        assert config.team_of(Repo.parse(other)) is None


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "agent: iris,",
            "agent: iris, operators: [mra],",
            "10:38: teams.acme.lanes.app.operators.0: should be one of mara (it is 'mra')",
        ),
        ("kind: embedded", "kind: embeded", "2:19: forges.forgejo.kind: should be 'embedded', 'forgejo' or 'gitea'"),
        ("http://127.0.0.1:3080", "ftp://x", "2:34: forges.forgejo.url: should be an address"),
        ("http://127", "http://a:b@127", "2:34: forges.forgejo.url: should hold no password"),
        ("forge: forgejo", "forge: gitea", "5:12: teams.acme.forge: should be one of forgejo (it is 'gitea')"),
        ("operators: [mara]", "operators: []", "6:16: teams.acme.operators: should name at least one login"),
        ("operators: [mara]", "operators: mara", "6:16: teams.acme.operators: should be a list (it is 'mara')"),
        ("operators: [mara]", "operators: [iris]", "6:17: teams.acme.operators.0: 'iris' is an agent"),
        ("agents: [iris]", "agents: [documentation]", "8:14: teams.acme.agents.0: should be 1 to 9 small letters"),
        ("agents: [iris]", "agents: ['..']", "8:14: teams.acme.agents.0: should be 1 to 9 small letters"),
        ("agents: [iris]", "agents: [iris, core]", "8:20: teams.acme.agents.1: 'core' is reserved"),
        ("agents: [iris]", "agents: [iris, iris]", "8:20: teams.acme.agents.1: 'iris' already works in team 'acme'"),
        (
            "agents: [iris]",
            "agents: [iris]\n    grants: {atlas: [/x]}",
            "9:14: teams.acme.grants.atlas: should be one of iris (it is 'atlas')",
        ),
        (
            "agents: [iris]",
            "agents: [iris]\n    grants: {iris: [../x]}",
            "9:21: teams.acme.grants.iris.0: should be a path of the repository",
        ),
        ("agent: iris", "agent: bob", "10:20: teams.acme.lanes.app.agent: should be one of iris (it is 'bob')"),
        ("words:", "wrods:", "10:26: teams.acme.lanes.app.wrods: unknown key; did you mean 'words'?"),
        ("    repos: [app]\n", "", "5:5: teams.acme.repos: required key is missing"),
        ("  forgejo: {kind", "  ../f: {kind", "2:3: forges.../f: should be a name of at most 32 small letters"),
        (
            "  forgejo: {kind",
            "  secrets: {kind",
            "2:3: forges.secrets: 'secrets' is a directory of the hive's own state",
        ),
        ("http://127.0.0.1:3080", "http://[::1", "2:34: forges.forgejo.url: should be an address such as"),
        ("http://127.0.0.1:3080", "http://127.0.0.1:99999", "2:34: forges.forgejo.url: should be an address such as"),
        ("http://127.0.0.1:3080", "http://127.0.0.1:0", "2:34: forges.forgejo.url: should have a port from 1 to 65535"),
        ("http://127.0.0.1:3080", "http://a b", "2:34: forges.forgejo.url: should be an address such as"),
        ("http://127.0.0.1:3080", "http://a_b.example", "2:34: forges.forgejo.url: should be an address such as"),
        ("http://127.0.0.1:3080", "http://a/#x", "2:34: forges.forgejo.url: should end before ? or #"),
        ("http://127.0.0.1:3080", "https://127.0.0.1:3080", "2:34: forges.forgejo.url: should be http://HOST:PORT"),
        (
            "forge: forgejo",
            "forge: forgjo",
            "5:12: teams.acme.forge: should be one of forgejo (it is 'forgjo'); did you mean",
        ),
        ("operators: [mara]", "operators: [Iris]", "6:17: teams.acme.operators.0: 'Iris' is an agent"),
        (
            "operators: [mara]",
            "operators: [core]",
            "6:17: teams.acme.operators.0: 'core' is an account of the hive's own",
        ),
        (
            "operators: [mara]",
            "operators: [Argus]",
            "6:17: teams.acme.operators.0: 'Argus' is an account of the hive's own",
        ),
        ("operators: [mara]", "operators: [mara, Mara]", "6:23: teams.acme.operators.1: 'Mara' stands here twice"),
        (
            "operators: [mara]",
            "operators: [ACME]",
            "6:17: teams.acme.operators.0: 'ACME' is the team 'acme'; an operator",
        ),
        (
            "operators: [mara]",
            "operators: ['ma ra']",
            "6:17: teams.acme.operators.0: should be a name that a forge takes",
        ),
        ("operators: [mara]", "operators: [api]", "6:17: teams.acme.operators.0: 'api' is a name that forges keep"),
        ("repos: [app]", "repos: ['..']", "7:13: teams.acme.repos.0: should be the name of a repository"),
        ("repos: [app]", 'repos: ["a\\nb"]', "7:13: teams.acme.repos.0: should be the name of a repository"),
        ("repos: [app]", "repos: [app.git]", "7:13: teams.acme.repos.0: should not end in .git"),
        ("repos: [app]", "repos: [acme/app]", "7:13: teams.acme.repos.0: should be a name without its owner: 'app'"),
        ("repos: [app]", "repos: [app, App]", "7:18: teams.acme.repos.1: 'App' stands here twice: 'app' is before it"),
        ("repos: [app]", "repos: [" + "a" * 101 + "]", "7:13: teams.acme.repos.0: should be the name of a repository"),
        (
            "agents: [iris]",
            "agents: [argus]",
            "8:14: teams.acme.agents.0: 'argus' is an account of the hive's own bots",
        ),
        ("agents: [iris]", "agents: [acme]", "8:14: teams.acme.agents.0: 'acme' is the team 'acme' already"),
        ("      app: {agent", "      'a/b': {agent", "10:7: teams.acme.lanes.a/b: should be a name of at most 40"),
        (
            "words: [page]",
            "label: state/working",
            "10:33: teams.acme.lanes.app.label: 'state/working' is a label by which",
        ),
        (
            "words: [page]",
            "label: type/bug",
            "10:33: teams.acme.lanes.app.label: the label 'type/bug' is that of a kind",
        ),
        ("words: [page]", "words: ['']", "10:34: teams.acme.lanes.app.words.0: should be 1 to 100 characters"),
        ("      type/bug:", "      'a,b':", "12:7: teams.acme.kinds.a,b: should be a label"),
        ("  acme:", "  hive:", "4:3: teams.hive: 'hive' is the organisation of the hive itself (`meta`) already"),
        ("  acme:", "  a--b:", "4:3: teams.a--b: a team bears the name of a forge organisation: should be a name"),
        ("  acme:", "  a/c:", "4:3: teams.a/c: a team bears the name of a forge organisation"),
    ],
)
def test_every_mistake_has_its_place(tmp_path: Path, old: str, new: str, expected: str) -> None:
    """Line, column, key, and what would be right."""
    said = field_errors(tmp_path, GOOD.replace(old, new, 1))
    assert any(line.startswith(expected) for line in said), said


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        (
            "accounts: {core: mara}",
            "6:17: teams.acme.operators.0: 'mara' is an account of the hive's own bots; an operator",
        ),
        (
            "accounts: {core: core, triage: Core}",
            "15:32: accounts.triage: 'Core' and 'core' are one account to a forge",
        ),
        ("accounts: {core: iris}", "8:14: teams.acme.agents.0: 'iris' is an account of the hive's own bots already"),
        ("accounts: {core: Acme}", "4:3: teams.acme: 'acme' is an account of the hive's own bots already"),
        ("accounts: {core: '..'}", "15:18: accounts.core: should be a name that a forge takes"),
        ("configs: acme", "4:3: teams.acme: 'acme' is the organisation of configurations (`configs`) already"),
        ("configs: hive", "1:1: meta: 'hive' is the organisation of configurations (`configs`) already"),
        ("configs: ../x", "15:10: configs: should be a name that a forge takes"),
        ("meta: hive", "15:7: meta: should be OWNER/NAME (it is 'hive')"),
        ("meta: hive/..", "15:7: meta: should be the name of a repository"),
        ("meta: hive/a/b", "15:7: meta: should be a name without its owner"),
        ("web: {port: 99999}", "15:13: web.port: should be at most 65535 (it is 99999)"),
        ("web: {port: -1}", "15:13: web.port: should be at least 0 (it is -1)"),
        ("web: {port: " + "9" * 5000 + "}", "15:13: a number should have at most 15 digits"),
        ("web: {host: 'a b'}", "15:13: web.host: should be a host name or an IP address (it is 'a b')"),
        ("web: {host: 300.1.1.1}", "15:13: web.host: should be a host name or an IP address"),
        ("web: {url: 'http://[::1'}", "15:12: web.url: should be an address such as"),
        ("model: {url: 'http://x:y'}", "15:14: model.url: should be an address such as"),
        ("model: {name: 'a b'}", "15:15: model.name: should be the name of a model"),
        ("model: {allowed: ['']}", "15:19: model.allowed.0: should be the name of a model"),
        ('state: "a\\0b"', "15:8: holds a character that may not stand in text (U+0000)"),
        ("state: ''", "15:8: state: should be a directory of the hive's own (it is '')"),
        ("state: 5", "15:8: state: should be text (it is 5)"),
        ("queue: redis://x:99999/0", "15:8: queue: should be redis://HOST:PORT/N"),
        ("queue: redis://:pw@x/0", "15:8: queue: should be redis://HOST:PORT/N or unix:///PATH, without a password"),
        ("packages_path: [bin]", "15:17: packages_path.0: should be a directory from the root on"),
        ("bots: [bots.triage, bots.triage]", "15:21: bots.1: 'bots.triage' stands here twice"),
        ("bots: [../x]", "15:8: bots.0: should be a Python module such as bots.triage (it is '../x')"),
        ("sweep_seconds: 0", "15:16: sweep_seconds: should be at least 1 (it is 0)"),
        ("keep_days: 1e9", "15:12: keep_days: should be a whole number"),
        ("lmits: {}", "15:1: lmits: unknown key; did you mean 'limits'?"),
    ],
)
def test_every_value_has_a_type_of_its_own(tmp_path: Path, more: str, expected: str) -> None:
    """What a forge, a socket or a file system would refuse, or take for another, is refused by a sentence of its own."""
    said = field_errors(tmp_path, GOOD + "# more\n" * (14 - GOOD.count("\n")) + more + "\n")
    assert any(line.startswith(expected) for line in said), said


@pytest.mark.parametrize(
    "address", ["https://[::1]:3000", "http://forge.example/git", "https://xn--bcher-kva.example.:8443"]
)
def test_addresses_that_are_right(tmp_path: Path, address: str) -> None:
    """An address may have brackets, a path and a port."""
    text = GOOD.replace("kind: embedded", "kind: forgejo").replace("http://127.0.0.1:3080", address)
    assert load(write(tmp_path, text)).forges["forgejo"].url == address


def test_what_is_no_file(tmp_path: Path) -> None:
    """A directory, a device, a fifo and a file of endless size are named as what they are, and not read."""
    with pytest.raises(BadYaml, match="is a directory, not a file"):
        load(tmp_path)
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(BadYaml, match="is no file"):
        load(tmp_path / "fifo")
    with pytest.raises(BadYaml, match="is no file"):
        load(Path("/dev/zero"))
    with (tmp_path / "large").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(BadYaml, match="is larger than 65536 bytes"):
        load(tmp_path / "large")


@settings(deadline=None, max_examples=300)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
        max_leaves=20,
    )
)
def test_any_shape_is_read_or_refused_in_words(data: object) -> None:
    """No data of whatever shape, under keys that are known, raises anything but BadYaml."""
    try:
        document = Document("hive.yaml", json.dumps(data))
        document.read(Settings, more=list(sense(document.data)))
    except BadYaml as error:
        assert error.problems  # noqa: PT017  whether it is raised depends on the data


def test_all_mistakes_at_once(tmp_path: Path) -> None:
    """Nobody fixes one mistake to be told of the next."""
    text = GOOD.replace("mara", "iris").replace("words", "wrods") + "web: {port: 99999}\nbots: [3]\nforges: {}\n"
    said = field_errors(tmp_path, text)
    assert len(said) == 6, said
    assert "15:1: the key 'forges' stands here twice, first on line 1" in said


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "1:1: forges: required key is missing"),
        ("[]", "1:1: should be keys with values (it is [])"),
        ("forges: [", "1:10: is no YAML: expected the node content, but found '<stream end>'"),
        ("a: b: c", "1:5: is no YAML: mapping values are not allowed here"),
        ("a: 1\nb: \x00", "2:4: is no YAML: a character that may not stand in a file"),
        ("a: !!python/object:os.system {}", "1:4: a tag (!) is not read here"),
        ("teams: {}", "1:8: teams: should name at least one team"),
    ],
)
def test_what_is_no_configuration(tmp_path: Path, text: str, expected: str) -> None:
    """Text that is no YAML, or not keys, is a mistake like any other."""
    assert any(line.startswith(expected) for line in field_errors(tmp_path, text))


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    """A binary file is named as one."""
    path = tmp_path / "hive.yaml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(BadYaml, match="is not UTF-8 text"):
        load(path)


def test_the_example_is_right() -> None:
    """The configuration that the project shows can be read."""
    assert load(ROOT / "config" / "hive.yaml").teams


def test_reads_an_agent() -> None:
    """An agent's declaration, with defaults."""
    spec = read_agent("iris", "lane: app\npackages: [gzip]\nenv: {B: x, A: y}\n")
    assert (spec.name, spec.lane, spec.packages, spec.env) == ("iris", "app", ("gzip",), (("A", "y"), ("B", "x")))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("packages: []", "agent.yaml:1:1: lane: required key is missing"),
        ("lane: a\npackages: ['../x']", "agent.yaml:2:12: packages.0: should be the name of a package (it is '../x')"),
        ("lane: a\nenv: {PATH: x}", "agent.yaml:2:7: env.PATH: belongs to the container itself"),
        ('lane: a\nenv: {X: "a\\0b"}', "agent.yaml:2:10: holds a character that may not stand in text (U+0000)"),
        ('lane: a\nenv: {X: "a\\nb"}', "agent.yaml:2:10: env.X: should be one line of text"),
        ("lane: a\nenv: {X: " + "y" * 5000 + "}", "agent.yaml:2:10: env.X: should have at most 4096 characters"),
        (
            "lane: a\nenv: {" + ", ".join(f"X{n}: y" for n in range(60)) + "}",
            "agent.yaml:2:6: env: should hold at most 50",
        ),
        ("lane: a\nenv: {X: 1}", "agent.yaml:2:10: env.X: should be text (it is 1)"),
        ("lane: a\nminutes: true", "agent.yaml:2:10: minutes: should be a whole number (it is True)"),
        ("lane: a\nminutes: '5'", "agent.yaml:2:10: minutes: should be a whole number (it is '5')"),
        ("lane: a\nenv: {lower: x}", "agent.yaml:2:7: env.lower: should be in capital letters"),
        ("lane: a\nrole: boss", "agent.yaml:2:7: role: "),
        ("lane: a\nnetwork: true", "agent.yaml:2:1: network: no agent decides this"),
        ("lane: a\nminutes: 0", "agent.yaml:2:10: minutes: should be at least 1 (it is 0)"),
    ],
)
def test_an_agents_mistakes(text: str, expected: str) -> None:
    """A declaration is as strict as the hive's own configuration."""
    with pytest.raises(BadYaml) as error:
        read_agent("iris", text)
    assert any(str(problem).startswith(expected) for problem in error.value.problems), str(error.value)


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        ("LD_PRELOAD LD_LIBRARY_PATH GLIBC_TUNABLES", "would change how programs are loaded"),
        ("BASH_ENV ENV IFS PROMPT_COMMAND PS4 SHELLOPTS", "would change what a shell does"),
        (
            "PYTHONPATH NODE_OPTIONS PERL5LIB RUBYOPT JAVA_TOOL_OPTIONS GOFLAGS MAVEN_OPTS",
            "would change what an interpreter",
        ),
        ("GIT_SSH_COMMAND GIT_CONFIG_COUNT MAKEFLAGS PAGER EDITOR", "would change what git or another tool runs"),
        (
            "HTTP_PROXY ALL_PROXY NO_PROXY SSL_CERT_FILE CURL_CA_BUNDLE SSH_AUTH_SOCK",
            "would change where a command goes",
        ),
        ("LANG LC_ALL", "would change how commands read and write text"),
        ("HOME PATH TMPDIR HIVE_STATE ANTHROPIC_BASE_URL", "belongs to the container itself"),
        ("GITHUB_TOKEN DB_PASSWORD", "looks like a credential"),
    ],
)
def test_variables_that_steer_are_refused(names: str, reason: str) -> None:
    """What would change what a command is, where it goes or what it reads is not an agent's to set."""
    for name in names.split():
        with pytest.raises(BadYaml, match=rf"agent\.yaml:2:7: env\.{name}: {reason}"):
            read_agent("iris", f"lane: a\nenv: {{{name}: x}}\n")


def test_harmless_variables_are_an_agents_own() -> None:
    """Names that only look like others are nobody's business."""
    text = "lane: a\nenv: {EDITOR_STYLE: terse, CI: '1', TZ: UTC, GOAL: x, RUST_LOG: debug, PS1X: y}\n"
    assert len(read_agent("iris", text).env) == 6


def test_reads_checks() -> None:
    """A repository says what has to pass."""
    assert read_checks("checks: ['make test']") == ("make test",)
    assert read_checks("") == ()
    asked = read_repository("max_files: 3")
    assert (asked.max_files, asked.max_lines) == (3, None)
    with pytest.raises(BadYaml, match=r"\.hive\.yaml:1:9: checks: should be a list"):
        read_checks("checks: make")


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (
            "{providers: {Home: {url: 'http://x'}}}",
            "model.providers.Home: should be a name of at most 32 small letters",
        ),
        ("{providers: {home: {}}}", "model.providers.home.url: required key is missing"),
        ("{providers: {home: {url: ''}}}", "model.providers.home.url: should be the address of a server"),
        ("{providers: {home: {url: 'http://a:b@x'}}}", "model.providers.home.url: should hold no password"),
        ("{providers: {home: {url: 'http://x', header: cookie}}}", "model.providers.home.header: should be 'auto'"),
        ("{providers: {home: {url: 'http://x', credential: ../k}}}", "credential: should be the name of a systemd"),
        ("{key_file: k, credential: k}", "model.credential: should not stand beside key_file"),
        ("{name: hom/m, providers: {home: {url: 'http://x'}}}", "model.name: should be one of home (it is 'hom')"),
        ("{allowed: [nowhere/m]}", "model.allowed.0: should be one of model.providers (it is 'nowhere')"),
        ("{agents: {irs: [m]}}", "model.agents.irs: should be one of iris (it is 'irs'); did you mean 'iris'?"),
        ("{agents: {iris: []}}", "model.agents.iris: should name at least one model"),
        ("{agents: {iris: ['a b']}}", "model.agents.iris.0: should be the name of a model"),
        ("{betas: [fast-mode-2026-02-01]}", "model.betas.0: should be a beta's name without its date"),
    ],
    ids=lambda value: value[:60],
)
def test_mistakes_about_models(tmp_path: Path, model: str, expected: str) -> None:
    """Providers, keys and lists of models are checked before anybody asks for one."""
    assert expected in "\n".join(field_errors(tmp_path, f"{GOOD}model: {model}\n"))


@pytest.mark.parametrize(
    ("review", "expected"),
    [
        ("{model: 'a b'}", "review.model: should be the name of a model"),
        ("{model: nowhere/m}", "review.model: should be one of model.providers (it is 'nowhere')"),
        ("{model: m, verifier: nowhere/m}", "review.verifier: should be one of model.providers"),
        ("{verifier: m}", "review.verifier: should stand beside review.model"),
        ("{model: m, tokens: 100}", "review.tokens: should be at least 8000"),
        ("{model: m, budget: -1}", "review.budget: should be at least 0"),
        ("{modle: m}", "review.modle: unknown key; did you mean 'model'?"),
    ],
)
def test_mistakes_about_the_reviewer(tmp_path: Path, review: str, expected: str) -> None:
    """A model that reviews is named as all are, and what it may take has bounds."""
    assert expected in "\n".join(field_errors(tmp_path, f"{GOOD}review: {review}\n"))


def test_reads_the_reviewer(tmp_path: Path) -> None:
    """Without one there is none; the second look is its own unless another model is named, and a model at home costs nothing."""
    assert load(write(tmp_path, GOOD)).review.models == ()
    alone = load(write(tmp_path, f"{GOOD}review: {{model: m}}\n")).review
    assert (alone.models, alone.second) == (("m",), "m")
    settings = load(
        write(
            tmp_path,
            f"{GOOD}model: {{providers: {{home: {{url: 'http://10.0.0.7'}}}}}}\nreview: {{model: home/m, verifier: v}}\n",
        )
    )
    assert settings.review.models == ("home/m", "v")
    assert settings.model.prices_of(*settings.review.models) == {"home/m": OwnPrice()}
    assert packages(settings, "work") == ("git", "httpx2")
    assert packages(load(write(tmp_path, GOOD)), "work") == ("git",)


def test_a_models_address(tmp_path: Path) -> None:
    """A name before the first slash is a provider if there is one; a server of one's own may use slashes itself."""
    model = "{url: 'http://y', name: Qwen/q, providers: {home: {url: 'http://x'}}, allowed: [home/Org/m]}"
    settings = load(write(tmp_path, f"{GOOD}model: {model}\n")).model
    assert settings.address("Qwen/q") == ("", settings.default, "Qwen/q")
    assert settings.address("home/Org/m") == ("home", settings.providers["home"], "Org/m")
    assert settings.known == ("Qwen/q", "home/Org/m")


@pytest.mark.parametrize(
    ("url", "is_free"),
    [
        ("http://127.0.0.1:8080", True),
        ("http://[::1]:8080", True),
        ("http://10.0.0.7", True),
        ("http://gpu:8080", True),
        ("http://gpu.lan", True),
        ("https://api.example.com", False),
        ("http://8.8.8.8", False),
    ],
)
def test_a_model_at_home_costs_nothing(tmp_path: Path, url: str, *, is_free: bool) -> None:
    """Unless it has a price; that of a server elsewhere is not known, and the default provider's are those of its models."""
    model = f"{{url: 'http://127.0.0.1:1', providers: {{p: {{url: '{url}'}}}}, allowed: [p/a, p/b], prices: {{p/b: {{input: 3}}}}}}"
    prices = load(write(tmp_path, f"{GOOD}model: {model}\n")).model.own_prices
    assert (set(prices) == {"p/a", "p/b"}) == is_free
    assert "p/b" in prices
    if is_free:
        assert prices["p/a"] == OwnPrice()


def test_what_a_model_can_do(tmp_path: Path) -> None:
    """Of Claude's models the least is known, wherever they are served; of others only what the configuration says."""
    model = "{providers: {p: {url: 'http://127.0.0.1:1'}}, allowed: [p/a, p/claude-x], traits: {p/a: {window: 8192}}}"
    models = load(write(tmp_path, f"{GOOD}model: {model}\n")).model
    assert models.traits_of("p/a") == ModelTraits(window=8192)
    assert models.traits_of("p/b") == ModelTraits()
    for name in ("claude-sonnet-5-5", "p/claude-x"):
        assert models.traits_of(name) == ModelTraits(window=200_000, pictures=True)


def test_what_belongs_to_the_host_is_refused_with_its_owner() -> None:
    """An agent that asks for the host's keys is told whose they are, once for each, where they stand; a typing error is still one."""
    text = "lane: app\nlimits: {cpus: 9}\nnetwork: true\nbinds: [/etc]\nsandbox: none\ninputs: {}\npackges: []\n"
    with pytest.raises(BadYaml) as caught:
        read_agent("iris", text)
    assert [str(problem) for problem in caught.value.problems] == [
        "agent.yaml:2:1: limits: no agent decides this; it is of the host: `limits` of hive.yaml",
        "agent.yaml:3:1: network: no agent decides this; it is of the host, and containers have no network",
        "agent.yaml:4:1: binds: no agent decides this; it is of the host, which decides what a container sees",
        "agent.yaml:5:1: sandbox: no agent decides this; it is of the host: `sandbox` of hive.yaml",
        "agent.yaml:6:1: inputs: no agent decides this; it is of the host, which pins what systems are built from",
        "agent.yaml:7:1: packges: unknown key; did you mean 'packages'?",
    ]


def test_no_key_of_an_agent_is_a_hosts() -> None:
    """What an agent may say is never refused as the host's."""
    assert not {field.name for field in dataclasses.fields(AgentFile)} & HOST_KEYS.keys()
