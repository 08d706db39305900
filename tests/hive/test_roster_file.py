"""A roster is read with every mistake, edited where people left it, and laid over what the host says of the rest."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from hive.config import BadYaml, Settings, load
from hive.config.hive_yaml import LaneSettings
from hive.config.roster import Roster, RosterTeam, accepted_roster, of_settings, read_roster, without, write_roster
from hive.config.roster_text import add_agent, parse_roster

HIVE = """\
forges:
  work: {url: "https://forge.example"}
  other: {url: "https://other.example"}
accounts: {core: core}
teams:
  acme:
    forge: work
    operators: [mara]
    repos: [app]
    agents: [iris, atlas]
    lanes:
      app: {agent: iris, words: [page], paths: ["app/*"]}
      nix: {agent: atlas}
    kinds: {type/bug: [bug]}
  birch:
    forge: other
    operators: [noor]
    repos: [site]
    agents: [bo]
    lanes: {site: {agent: bo}}
"""
BLOCK = """\
# mine
teams:
  acme:
    # the first
    agents:
    - iris   # she
    - atlas
    # end
    lanes:
      app:
        agent: iris
        words: [page]  # more
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Two teams on two forges."""
    path = tmp_path / "hive.yaml"
    path.write_text(HIVE)
    return load(path)


def mistakes(text: str, settings: Settings) -> list[str]:
    """What is said of a roster."""
    with pytest.raises(BadYaml) as error:
        read_roster(text, settings, "work")
    return [str(problem) for problem in error.value.problems]


def roster(agents: str, lanes: str = "{app: {agent: iris}}") -> str:
    """A roster of the one team that is on the forge."""
    return f"teams:\n  acme:\n    agents: {agents}\n    lanes: {lanes}\n"


def test_the_first_roster_is_that_of_the_host(settings: Settings) -> None:
    """What is written is what is read, and it holds the teams of its forge only."""
    first = of_settings(settings, "work")
    assert first.agents == {"iris": "acme", "atlas": "acme"}
    assert read_roster(write_roster(first), settings, "work") == first
    assert first.applied(settings) == settings


def test_a_roster_is_laid_over_the_rest(settings: Settings) -> None:
    """Agents and lanes are the roster's; operators, repositories and other forges stay the host's."""
    found = read_roster(roster("[lexis]", "{docs: {agent: lexis}}"), settings, "work").applied(settings)
    acme = found.teams["acme"]
    assert (acme.agents, acme.lanes) == (("lexis",), {"docs": LaneSettings("lexis")})
    assert (acme.operators, acme.repos, acme.kinds) == (("mara",), ("app",), {"type/bug": ("bug",)})
    assert found.teams["birch"] == settings.teams["birch"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (roster("[mara, iris]"), "3:14: teams.acme.agents.0: 'mara' is an operator, who is a person"),
        (roster("[noor, iris]"), "3:14: teams.acme.agents.0: 'noor' is an operator, who is a person"),
        (roster("[core, iris]"), "3:14: teams.acme.agents.0: 'core' is reserved"),
        (roster("[bo, iris]"), "3:14: teams.acme.agents.0: 'bo' already works in team 'birch'"),
        (roster("[iris, iris]"), "3:20: teams.acme.agents.1: 'iris' stands here twice"),
        (roster("[iris, documentation]"), "3:20: teams.acme.agents.1: should be 1 to 9 small letters"),
        (roster("[iris, ..]"), "3:20: teams.acme.agents.1: should be 1 to 9 small letters"),
        (roster("[iris]", "{}"), "4:12: teams.acme.lanes: should hold at least one lane"),
        (roster("[atlas]"), "4:26: teams.acme.lanes.app.agent: should be one of atlas (it is 'iris')"),
        (roster("[iris]") + "    operators: [eve]\n", "5:5: teams.acme.operators: unknown key; known here: agents, lanes"),
        (roster("[iris]") + "limits: {steps: 500}\n", "5:1: limits: unknown key; known here: teams"),
        (roster("[iris]") + "  birch: {agents: [bo], lanes: {site: {agent: bo}}}\n", "5:3: teams.birch: hive.yaml has no such team on work"),
        ("teams: {}", "1:1: teams: should name every team on work; acme is missing"),
        ("[]", "1:1: should be keys with values"),
        ("teams: &a {acme: *a}", "1:8: "),
    ],
)  # fmt: skip
def test_mistakes(settings: Settings, text: str, said: str) -> None:
    """Each mistake is pointed at, in the roster and not in `hive.yaml`."""
    assert any(line.startswith(f"roster.yaml:{said}") for line in mistakes(text, settings)), mistakes(text, settings)


def test_a_roster_survives_another_set_of_teams(settings: Settings) -> None:
    """A team that `hive.yaml` gains keeps its own agents, one that it loses is ignored: neither stops the hive."""
    text = roster("[lexis]", "{docs: {agent: lexis}}")
    more = replace(
        settings, teams={**settings.teams, "cedar": replace(settings.teams["birch"], forge="work", agents=("ada",))}
    )
    found = accepted_roster(text, more, "work").applied(more)
    assert (found.teams["acme"].agents, found.teams["cedar"].agents) == (("lexis",), ("ada",))
    fewer = replace(settings, teams={"birch": settings.teams["birch"]})
    assert accepted_roster(text, fewer, "work").applied(fewer) == fewer
    with pytest.raises(BadYaml, match="is an operator"):
        accepted_roster(
            roster("[iris]"),
            replace(settings, teams={**settings.teams, "acme": replace(settings.teams["acme"], operators=("iris",))}),
            "work",
        )


def test_an_agent_is_added_in_place() -> None:
    """Comments and order stay as people wrote them."""
    edited = add_agent(BLOCK, "lexis", "acme", "docs")
    assert edited == BLOCK.replace("    - atlas\n", "    - atlas\n    - lexis\n") + "      docs: {agent: lexis}\n"
    flow = "teams: {acme: {agents: [iris], lanes: {app: {agent: iris}}}}\n"
    assert add_agent(flow, "lexis", "acme", "docs") == (
        "teams: {acme: {agents: [iris, lexis], lanes: {app: {agent: iris}, docs: {agent: lexis}}}}\n"
    )


def test_a_lane_stays_whose_it_is() -> None:
    """A lane that the team has is not given to the new agent, and an agent may have none."""
    for lane in ("app", ""):
        edited = parse_roster(add_agent(BLOCK, "lexis", "acme", lane))
        assert edited.teams["acme"].lanes.keys() == {"app"}
        assert edited.teams["acme"].lanes["app"].agent == "iris"
        assert edited.agents["lexis"] == "acme"


@pytest.mark.parametrize(
    "text",
    [
        "teams:\n  acme:\n    agents: []\n    lanes: {app: {agent: iris}}\n",
        "teams:\n  acme:\n    agents:\n    - iris\n    lanes: {app: {agent: iris}}",
        "teams:\n  acme:\n    lanes:\n      app: {agent: iris}\n    agents: [\n      iris\n    ]\n",
        "{teams: {acme: {lanes: {}, agents: [iris,]}}}",
    ],
)
def test_however_it_is_written_the_agent_is_added(text: str) -> None:
    """What cannot be edited in place is written anew, and means the same."""
    edited = parse_roster(add_agent(text, "lexis", "acme", "docs"))
    assert edited == parse_roster(text).with_agent("lexis", "acme", "docs")


def test_no_agent_is_added_where_there_is_no_team() -> None:
    """An unknown team, and a text that is no roster, are errors."""
    with pytest.raises(KeyError):
        add_agent(BLOCK, "lexis", "birch", "docs")
    with pytest.raises(BadYaml):
        add_agent("agents: []", "lexis", "acme", "docs")


def test_agents_that_cannot_run_are_left_out(settings: Settings) -> None:
    """With what is theirs; a team of which nobody would be left keeps all."""
    found = without(settings, {"atlas", "bo"})
    assert found.teams["acme"].agents == ("iris",)
    assert found.teams["acme"].lanes.keys() == {"app"}
    assert found.teams["birch"] == settings.teams["birch"]
    assert Roster({"acme": RosterTeam(("iris",), {})}).agents == {"iris": "acme"}
