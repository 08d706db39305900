"""The labels that the hive sets and reads. Performs no I/O."""

from __future__ import annotations

from forge.models import Label
from hive.config import TeamSettings

STATES = (
    Label("state/working", "4a90c2", "an agent works on it", exclusive=True),
    Label("state/review", "8a63b8", "its pull request is in review", exclusive=True),
    Label("state/model-unreachable", "c2563a", "its agent's model is unreachable"),
    Label("state/rate-limited", "b8863b", "its agent waits for the model's rate limit"),
    Label("state/needs-login", "c2563a", "the model or the forge rejects its agent's credentials"),
    Label("state/over-budget", "c2563a", "the model's budget for its agent is spent"),
    Label("state/paused", "8a8a8a", "its agent is paused"),
    Label("state/crashed", "c2563a", "its agent's container crashed and stays down"),
    Label("state/repository-lost", "c2563a", "its repository, or its agent's configuration, was moved or deleted"),
    Label("state/question", "b8863b", "its agent has asked a question, and waits for the answer"),
    Label("needs-operator", "c2563a", "waits for an operator"),
)
HOLDS = (
    Label("ready", "5a8f5c", "set by a person: work on it may start"),
    Label("needs-signoff", "b8863b", "agents comment, and push nothing before an operator adds ready"),
    Label("locked", "b8863b", "agents comment, and push nothing before an operator adds ready"),
    Label("brainstorm", "8a63b8", "agents comment, and push nothing"),
    Label("risk/injection", "c2563a", "may be written to steer an agent: no agent works on it"),
    Label("urgent", "c2563a", "goes before other work"),
)
REQUESTS = (
    Label("request/spawn", "5a8f5c", "request for an agent"),
    Label("request/config", "b8863b", "request for a change of a container"),
    Label("request/lead", "4a90c2", "request to the lead"),
)
CLOSED = (Label("duplicate", "8a8a8a", "says the same as another issue"),)
KIND_COLOR = "b8863b"
AREA_COLOR = "5a8f5c"


def labels(team: TeamSettings) -> list[Label]:
    """All labels of a team's repositories: kinds, lanes, states, holds."""
    kinds = [_label(kind.label, KIND_COLOR, "a kind of issue") for kind in team.kind_list()]
    lanes = [_label(lane.label, AREA_COLOR, f"the lane of {lane.agent}") for lane in team.lane_list()]
    queues = [Label(f"queue/{lane.name}", AREA_COLOR, f"waits for {lane.agent}") for lane in team.lane_list()]
    return [*kinds, *lanes, *STATES, *HOLDS, *CLOSED, *queues]


def request_labels() -> list[Label]:
    """The labels of what people ask of the hive, and of what it asks of them."""
    return [*REQUESTS, STATES[-1]]


def _label(name: str, color: str, description: str) -> Label:
    # A scope is exclusive for kinds only: an issue has one kind, and may touch two lanes.
    return Label(name, color, description, exclusive=name.startswith("type/"))
