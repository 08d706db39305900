"""The checklist names what an operator should look at, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bots.models import AgentSpec, Role
from bots.money import exactly
from hive.inspect.config_policy import BROAD, checklist
from hive.reconcile.build import BASE, Plan

SPEC = AgentSpec(name="iris", lane="app", packages=("gzip",), capabilities=("ask",), prompt="Be kind.")
OLD = Plan(SPEC, ())


def notes(old: Plan | None, *paths: str, **differs: object) -> list[tuple[int, str]]:
    """What is to look at, with the number of its question."""
    new = Plan(replace(SPEC, **differs), ())  # type: ignore[arg-type]  # a test says what differs
    return [(number, note) for number, point in enumerate(checklist(old, new, paths), 1) for note in point.notes]


@pytest.mark.parametrize(
    ("differs", "said"),
    [
        ({"lane": "nix"}, (1, "the lane: app → nix")),
        ({"packages": ("gzip", "sudo")}, (2, f"sudo: it {BROAD['sudo']}")),
        ({"packages": ("gzip", "curl")}, (2, f"curl: it {BROAD['curl']}")),
        ({"packages": ("gzip", "git")}, (3, "git: every container has it")),
        ({"packages": ("gzip", "gzip")}, (3, "gzip: it stands there twice")),
        ({"capabilities": ("ask", "logs")}, (4, "it may logs")),
        ({"role": Role.LEAD}, (4, "its role: agent → lead")),
        ({"engine": "command", "command": ("x",)}, (4, "another engine or command works on its turns")),
        ({"prompt": "Be quick."}, (4, "what it is told")),
        ({"env": (("A", "b"),)}, (4, "the environment of its commands")),
    ],
)
def test_what_to_look_at(differs: dict[str, object], said: tuple[int, str]) -> None:
    """Each kind of growth is one note under its question."""
    assert notes(OLD, "agent.yaml", **differs) == [said]


def test_what_nobody_has_to_look_at() -> None:
    """A package for the work, fewer rights, more or less time: nothing unusual."""
    assert notes(OLD, "agent.yaml", "prompts/role.md", "README.md", packages=("gzip", "zip")) == []
    assert notes(OLD, "agent.yaml", capabilities=(), packages=(), minutes=5, max_steps=100) == []


def test_files_that_nothing_reads() -> None:
    """They are named: a script beside a configuration does nothing, and somebody meant something by it."""
    assert notes(OLD, "agent.yaml", "install.sh", "prompts/more.md") == [(1, "install.sh: nothing reads it")]


def test_a_cap_that_grows() -> None:
    """A higher cap, or none, is more; a lower one is not."""
    old = Plan(replace(SPEC, budget=(("run", exactly(2)),)), ())
    assert notes(old, budget=(("run", exactly(1)),)) == []
    assert notes(old, budget=(("run", exactly(3)),)) == [(4, "its budget.run: $2.00 → $3.00")]
    assert notes(old, budget=()) == [(4, "its budget.run: $2.00 → no cap of its own")]


def test_a_first_configuration_is_compared_with_the_usual_one() -> None:
    """It is not another prompt or role: it is the first."""
    assert notes(None, role=Role.LEAD, prompt="x", capabilities=("ask", "logs")) == [(4, "it may logs")]


def test_no_program_of_every_container_is_too_much() -> None:
    """What every container has is nobody's risk."""
    assert not BROAD.keys() & set(BASE)
