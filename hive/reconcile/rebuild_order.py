"""In which order the containers of a forge are rebuilt: leads first, then each after those that it depends on. Performs no I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from hive.codec import FieldError
from hive.config import nearest

ITSELF = "is the agent itself"
CYCLE = "{way}: two agents cannot each be rebuilt before the other"


def rebuild_order(agents: Iterable[str], leads: Iterable[str], dependencies: Mapping[str, Iterable[str]]) -> list[str]:
    """Agents in their order: leads first, then as they stand, each behind those among them that it depends on.

    What a lead depends on comes before it. A cycle, which two merges at once can make, is broken where it is met first.
    """
    wanted, done, order = list(dict.fromkeys(agents)), set[str](), list[str]()
    first = [agent for agent in wanted if agent in set(leads)]
    pending = [*reversed([*first, *wanted])]
    begun = set[str]()
    while pending:
        agent = pending[-1]
        if agent in done:
            pending.pop()
            continue
        before = [
            each for each in dependencies.get(agent, ()) if each in wanted and each not in begun and each != agent
        ]
        begun.add(agent)
        if before:
            pending += reversed(before)
            continue
        pending.pop()
        done.add(agent)
        order.append(agent)
    return order


def cycle_of(agent: str, needs: Iterable[str], dependencies: Mapping[str, Iterable[str]]) -> tuple[str, ...]:
    """The way from an agent that needs others back to itself, its name at both ends; empty without one."""
    ways: list[tuple[str, ...]] = [(agent, each) for each in needs]
    seen = set[str]()
    while ways:
        way = ways.pop()
        if way[-1] == agent:
            return way
        if way[-1] not in seen:
            seen.add(way[-1])
            ways += [(*way, each) for each in dependencies.get(way[-1], ())]
    return ()


def dependency_errors(
    name: str, wanted: Any, agents: Iterable[str], dependencies: Callable[[], Mapping[str, tuple[str, ...]]]
) -> Iterator[FieldError]:
    """What is wrong with the agents that one of a team says it depends on, whatever their shape is."""
    known, needs = tuple(agents), [each for each in wanted if isinstance(each, str)] if isinstance(wanted, list) else []
    for index, each in enumerate(needs):
        place = ("depends_on", index)
        if each == name:
            yield FieldError(place, ITSELF)
        elif each not in known:
            yield FieldError(place, f"the team has no agent {each!r}{nearest(each, [a for a in known if a != name])}")
    others = [each for each in needs if each in known and each != name]
    if others and (way := cycle_of(name, others, dependencies())):
        yield FieldError(("depends_on",), CYCLE.format(way=" → ".join(way)))
