"""Everybody is rebuilt once, leads first, and each behind those that it depends on."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hive.reconcile.rebuild_order import cycle_of, dependency_errors, rebuild_order

NAMES = ("atlas", "iris", "lexis", "mechanic", "argus")
AGENTS = st.lists(st.sampled_from(NAMES), unique=True)
NEEDS = st.dictionaries(st.sampled_from(NAMES), st.lists(st.sampled_from((*NAMES, "nobody"))), max_size=5)


@pytest.mark.parametrize(
    ("leads", "needs", "expected"),
    [
        ([], {}, ["atlas", "iris", "lexis"]),
        (["lexis"], {}, ["lexis", "atlas", "iris"]),
        ([], {"atlas": ["lexis"], "lexis": ["iris"]}, ["iris", "lexis", "atlas"]),
        (["iris"], {"iris": ["lexis"]}, ["lexis", "iris", "atlas"]),
        ([], {"atlas": ["iris"], "iris": ["atlas"]}, ["iris", "atlas", "lexis"]),
        ([], {"atlas": ["atlas", "nobody"]}, ["atlas", "iris", "lexis"]),
    ],
)
def test_the_order(leads: list[str], needs: dict[str, list[str]], expected: list[str]) -> None:
    """Leads, then as they stand, but for what they depend on; a cycle is broken, and who is not there is nobody's reason."""
    assert rebuild_order(["atlas", "iris", "lexis"], leads, needs) == expected


@given(AGENTS, AGENTS, NEEDS)
def test_everybody_once_and_behind_what_it_needs(
    agents: list[str], leads: list[str], needs: dict[str, list[str]]
) -> None:
    """Whatever is said, each agent has one place, and without a cycle each comes behind those that it needs."""
    order = rebuild_order(agents, leads, needs)
    assert sorted(order) == sorted(agents)
    if any(cycle_of(agent, needs.get(agent, ()), needs) for agent in agents):
        return
    for agent in agents:
        assert all(order.index(each) < order.index(agent) for each in needs.get(agent, ()) if each in agents)


@pytest.mark.parametrize(
    ("wanted", "needs", "expected"),
    [
        (["atlas"], {}, []),
        (None, {}, []),
        ("atlas", {}, []),
        ([7], {}, []),
        (["atlass"], {}, ["the team has no agent 'atlass'; did you mean 'atlas'?"]),
        (["iris"], {}, ["is the agent itself"]),
        (["atlas"], {"atlas": ("iris",)}, ["iris → atlas → iris: two agents cannot each be rebuilt before the other"]),
        (
            ["atlas"],
            {"atlas": ("lexis",), "lexis": ("iris",)},
            ["iris → atlas → lexis → iris: two agents cannot each be rebuilt before the other"],
        ),
        (["atlas"], {"atlas": ("lexis",), "lexis": ("atlas",)}, []),
    ],
)
def test_what_cannot_be_is_a_sentence(wanted: object, needs: dict[str, tuple[str, ...]], expected: list[str]) -> None:
    """An unknown name, the agent itself and a cycle through it are refused; a cycle of others is theirs."""
    found = dependency_errors("iris", wanted, ("iris", "atlas", "lexis"), lambda: needs)
    assert [error.text for error in found] == expected
