"""A configuration with mistakes is told all of them, each with its place and what would be right."""

from __future__ import annotations

from pathlib import Path

import pytest

from forge.types import Repo
from hive.settings import BadYaml, load, read_agent, read_checks

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


def write(tmp_path: Path, text: str) -> Path:
    """A configuration file."""
    path = tmp_path / "hive.yaml"
    path.write_text(text)
    return path


def mistakes(tmp_path: Path, text: str) -> list[str]:
    """What is said of a configuration, without the file's name."""
    path = write(tmp_path, text)
    with pytest.raises(BadYaml) as error:
        load(path)
    return [str(problem).removeprefix(f"{path}:") for problem in error.value.problems]


def test_reads(tmp_path: Path) -> None:
    """Defaults fill in what is not said; `state` counts from the file."""
    settings = load(write(tmp_path, GOOD + "state: here\n"))
    assert settings.state == tmp_path / "here"
    assert settings.account("triage") == "triage"
    assert settings.account("lane") == "core"
    (lane,) = settings.teams["acme"].lane_list()
    assert (lane.label, lane.words) == ("area/app", ("page",))


def test_knows_its_repositories(tmp_path: Path) -> None:
    """A repository belongs to a team by its organisation and name, configurations by their agent."""
    settings = load(write(tmp_path, GOOD))
    app, config = Repo("forgejo", "acme", "app"), Repo("forgejo", "agent-configs", "iris")
    assert settings.repos_of("acme") == [app, config]
    assert settings.team_of(app) == settings.team_of(config) == "acme"
    for other in ("forgejo:acme/other", "forgejo:agent-configs/eve", "gitea:acme/app", "forgejo:evil/app"):
        assert settings.team_of(Repo.parse(other)) is None


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
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
        ("agent: iris", "agent: bob", "10:20: teams.acme.lanes.app.agent: should be one of iris (it is 'bob')"),
        ("words:", "wrods:", "10:26: teams.acme.lanes.app.wrods: nobody reads this key; did you mean 'words'?"),
        ("    repos: [app]\n", "", "5:5: teams.acme.repos: this key is needed"),
        ("  acme:", "  a/c:", "4:3: teams.a/c: a team bears the name of a forge organisation"),
    ],
)
def test_every_mistake_has_its_place(tmp_path: Path, old: str, new: str, expected: str) -> None:
    """Line, column, key, and what would be right."""
    said = mistakes(tmp_path, GOOD.replace(old, new, 1))
    assert any(line.startswith(expected) for line in said), said


def test_all_mistakes_at_once(tmp_path: Path) -> None:
    """Nobody mends one mistake to be told of the next."""
    text = GOOD.replace("mara", "iris").replace("words", "wrods") + "web: {port: 99999}\nbots: [3]\nforges: {}\n"
    said = mistakes(tmp_path, text)
    assert len(said) == 6, said
    assert "15:1: the key 'forges' stands here twice, first on line 1" in said


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "1:1: forges: this key is needed"),
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
    assert any(line.startswith(expected) for line in mistakes(tmp_path, text))


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
        ("packages: []", "agent.yaml:1:1: lane: this key is needed"),
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
        ("lane: a\nnetwork: true", "agent.yaml:2:1: network: nobody reads this key"),
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
    with pytest.raises(BadYaml, match=r"\.hive\.yaml:1:9: checks: should be a list"):
        read_checks("checks: make")
