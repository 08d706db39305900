"""The instructions of an agent: who it is, how it works, its lane and its peers. The same for all its turns; reads no forge."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from typing import Any

from hive.config.hive_yaml import TeamSettings

LANE = "{name}, whose files are {paths}"
PEERS = """\
Your peers: {peers}. What belongs to a lane of theirs you leave to them, and say so; an issue that is theirs altogether you give back.
"""
MOST_PATHS = 20


def system_prompt(name: str, team: str, settings: TeamSettings, spec: Mapping[str, Any]) -> str:
    """The system prompt of an agent with this configuration; nothing in it changes from turn to turn."""
    text = resources.files("bots.prompts").joinpath("agent.md").read_text(encoding="utf-8")
    lane, role = _lane(spec["lane"], settings), spec["prompt"]
    return text.format(name=name, team=team, lane=lane, peers=_peers(name, settings), role=role).strip()


def _lane(name: str, settings: TeamSettings) -> str:
    lane = settings.lanes.get(name)
    if lane is None or not lane.paths:
        return name
    return LANE.format(name=name, paths=", ".join(f"`{path}`" for path in lane.paths[:MOST_PATHS]))


def _peers(name: str, settings: TeamSettings) -> str:
    peers = [_peer(agent, settings) for agent in sorted(settings.agents) if agent != name]
    return PEERS.format(peers="; ".join(peers)) if peers else ""


def _peer(agent: str, settings: TeamSettings) -> str:
    lanes = sorted(_lane(lane, settings) for lane, own in settings.lanes.items() if own.agent == agent)
    return f"{agent} ({'; '.join(lanes)})" if lanes else agent
