"""The contract leaves nothing out: every method, every event, every route, and no word that a forge does not know.

These tests come last on each forge, and say nothing when only a part of the others was run.
"""

from __future__ import annotations

import ast
import json
import os
from pathlib import Path

import pytest

from forge.gitea.decode_deliveries import decode
from forge.gitea.reader import GiteaReader
from forge.webhook import verify_any_case
from tests.contract import cases, reduce, swagger, table
from tests.contract.conftest import ContractForge
from tests.contract.ear import Ear
from tests.contract.gate import Gate
from tests.contract.proof import Proof, events, methods
from tests.contract.stories.people import SECRET
from tests.contract.story import Story

ROOT = Path(__file__).parents[2]
RECORDINGS = Path(os.environ.get("HIVE_RECORDINGS", ROOT.parent / "shared" / "forgejo"))
FACES = ("admin", "ops", "operator")


@pytest.fixture(autouse=True)
def whole(request: pytest.FixtureRequest) -> None:
    """Skip if only a part was run."""
    rooms = {item.path.name for item in request.session.items}
    chosen = request.config.getoption("keyword") or any("::" in each for each in request.config.args)
    if chosen or not rooms.issuperset(path.name for path in Path(__file__).parent.glob("test_*.py")):
        pytest.skip("only a part of the contract was run")


def test_what_a_forge_can_do(contract_forge: ContractForge, flavour: str, proof: Proof) -> None:
    """A forge is known by what it says of itself; a connection that is given back is given back."""
    assert flavour.startswith(contract_forge.ops.capabilities().kind)
    with GiteaReader(name="work", url=contract_forge.url, token=contract_forge.tokens["eve"]) as reader:
        proof.watched(flavour, reader).disconnect()


def test_every_method(contract_forge: ContractForge, flavour: str, proof: Proof) -> None:
    """Every public method of the adapter is called."""
    known = set().union(*(methods(type(getattr(contract_forge, name)._face)) for name in FACES))
    assert known - proof.methods[flavour] - CONVERSING == set()


CONVERSING = {f"ConversationWriter.{call}" for call in ("reply", "edit_reply", "resolve")}
"""Methods for calls that came with Gitea 1.27, which no flavour imitates whole: `tests/gitea/test_conversations.py` asks them."""

LATER = ("POST /repos/{owner}/{repo}/pulls/{index}/comments/{id}/replies",)
"""The routes of these, beside what is probed."""


def test_every_event(story: Story, flavour: str, ear: Ear, proof: Proof) -> None:
    """Every event that is decoded is caused, and decoded."""
    for arrival in ear.heard:
        if arrival.event in events(flavour):
            assert decode(verify_any_case("work", arrival.headers, arrival.raw, [SECRET.encode()])), arrival.event
            proof.events[flavour].add(arrival.event)
    assert events(flavour) - proof.events[flavour] == set()


def test_every_route(front: Gate, proof: Proof) -> None:
    """`shapes/routes.txt` is what the adapter asks, no more and no less: by it recordings are reduced."""
    routes = [*table.routes(), *PROBED]
    asked = {f"{one.method} {one.path}": swagger.routed(one.method, one.path, routes) for one in front.asked}
    assert [path for path, route in asked.items() if route is None] == [], "add its route, then reduce recordings anew"
    proof.routes |= {route for route in asked.values() if route}
    # Some are asked of one flavour only: what is asked no more is known when all have been there.
    if proof.servers.keys() >= set(table.flavours()):
        assert set(table.routes()) - proof.routes == set(), "the adapter asks for these no more"


def test_every_word_of_a_route() -> None:
    """The adapter names no path that the contract does not ask."""
    known = {word for route in (*table.routes(), *PROBED, *LATER) for word in route.split("/")}
    said = set()
    for path in (ROOT / "forge" / "gitea").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) in PATHS:
                said |= {each.value for each in node.args if isinstance(each, ast.Constant)}
    assert said - known == set()


PATHS = {"route", "_at", "_issue_at", "_pull_at"}


def test_known_by_the_forge(front: Gate, flavour: str) -> None:
    """Nothing is asked that the description of the real forge does not know."""
    place = RECORDINGS / flavour / "swagger.json"
    if not place.exists():
        pytest.skip(f"no swagger.json of {flavour}: requests are held against none")
    described = json.loads(place.read_text())
    asked = [one for one in front.asked if not swagger.routed(one.method, one.path, PROBED)]
    assert {wrong for one in asked for wrong in swagger.unknown(one, described)} - DIALECTS == set()


PROBED = ["POST /repos/{owner}/{repo}/pulls/comments/{id}/resolve"]
"""Asked by tests alone, to see whether a forge can do what its version is known for."""

DIALECTS = {f"GET /repos/{{owner}}/{{repo}}/pulls: no query word {word}" for word in ("base", "base_branch", "head")}
DIALECTS |= {"GET /user/settings: no query word sudo"}
"""The filter of a list, said in the words of all forges at once: each ignores those of the others. `sudo` is described
as a way to sign in, for all paths at once."""


def test_reduced() -> None:
    """The tables are what the recordings say."""
    if not RECORDINGS.exists():
        pytest.skip("no recordings: the tables are taken as they are")
    for flavour in table.flavours():
        for name, text in reduce.reduced(RECORDINGS / flavour).items():
            assert text == (table.SHAPES / flavour / name).read_text(), f"{flavour}/{name}: reduce the recordings anew"


def test_reasons() -> None:
    """Every reason for a case that is left out or differs is about a case."""
    every = [case for name in table.flavours() for kind in KINDS for case in table.load(name, kind)]
    servers = [*(f"embedded {name}" for name in table.flavours()), "real 1.26.0", "real 10.0.0-dev-456d055999"]
    for pattern in cases.KNOWN:
        assert any(cases.why({pattern: "."}, f"{server} {case}") for server in servers for case in every), pattern
    for pattern in cases.LEFT:
        assert any(cases.why({pattern: "."}, case) for case in every), pattern


KINDS = (table.ANSWERS, table.DELIVERIES)
