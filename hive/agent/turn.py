"""One turn as the broker sends it. Performs no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class PlainRemark:
    """A remark on a line of a pull request; `was` is that line, and `suggestion` what should replace it, where known."""

    path: str
    line: int
    text: str
    was: str | None = None
    suggestion: str | None = None


@dataclass(frozen=True, slots=True)
class PlainRequest:
    """What a person asked for, in their own words: an issue, a comment (without a title), or a review.

    `is_cut` is whether parts were left out, because no reader sees them or because it is too long. `again` is whether
    this turn says to go on with what an earlier one was asked.
    """

    title: str = ""
    body: str = ""
    author: str = ""
    is_trusted: bool = False
    is_cut: bool = False
    remarks: tuple[PlainRemark, ...] = ()
    again: bool = False


@dataclass(frozen=True, slots=True)
class TurnBrief:
    """One message to deal with, and all that is needed for it; the token dies with the turn."""

    id: int
    run: int
    token: str = field(repr=False)
    lease: float
    system: str
    model: str
    max_steps: int
    minutes: float
    message: str
    issue: str
    repo: str
    base: str
    branch: str
    config_repo: str
    config_base: str
    checks: tuple[str, ...]
    author: str
    email: str
    transcript: tuple[dict[str, Any], ...] = field(default=(), repr=False)
    """The lines of the run so far, as the host has them."""

    proposal: str = ""
    """The branch for changes of the configuration; without it there is one for each issue."""

    knowledge: str = ""
    """`owner/name` of the repository that holds what all agents have learned, if there is one."""

    silence: float = 0.0
    """Seconds that the model's server may be silent, as far as the host waits for it."""

    engine: str = "native"
    """What works on the turn: a name of `hive.agent.engines.ENGINES`."""

    command: tuple[str, ...] = ()
    """The program of the engine `command` and its arguments."""

    capabilities: tuple[str, ...] = ()
    """What the agent may ask of the broker beside its work, and which tools it is offered for that."""

    pull: str | None = None
    """The run's pull request, if it has one."""

    max_files: int = 0
    max_lines: int = 0
    """How many files a change may touch, and how many lines it may add and remove; 0 for any number."""

    window: int = 0
    """How many tokens its model can read, 0 if that is not known."""

    pictures: bool = False
    """Whether its model can look at pictures."""

    request: PlainRequest | None = field(default=None, repr=False)
    """What is asked in plain parts: for engines that read no prompt."""

    memory: str = ""
    """What it starts with: `compact` for a compacted transcript, `new` for none, empty for all of it."""

    @property
    def issue_repo(self) -> str:
        """`owner/name` of the repository that the issue was filed in."""
        return self.issue.partition(":")[2].partition("#")[0]

    @property
    def issue_number(self) -> str:
        """The issue's number, as text."""
        return self.issue.rpartition("#")[2]

    @property
    def proposal_branch(self) -> str:
        """The branch for changes of the configuration: one for each attempt at an issue, `agent/<name>/owner-name-1`."""
        _, name, _ = self.branch.split("/", 2)
        return self.proposal or f"agent/{name}/{self.issue_repo.replace('/', '-')}-{self.issue_number}"


def parse(data: Mapping[str, Any]) -> TurnBrief:
    """Decode a turn; raises KeyError for a missing key and ignores unknown ones."""
    plain = {name: data[name] for name in TurnBrief.__slots__ if name in data}
    author = data["author"]
    return TurnBrief(
        **{
            **plain,
            "id": data["turn"],
            "checks": tuple(data["checks"]),
            "command": tuple(data.get("command", ())),
            "capabilities": tuple(data.get("capabilities", ())),
            "transcript": tuple(data.get("transcript", ())),
            "author": author["name"],
            "email": author["email"],
            "request": _request(data.get("request")),
        }
    )


def _request(data: Mapping[str, Any] | None) -> PlainRequest | None:
    if data is None:
        return None
    known = {name: data[name] for name in PlainRequest.__slots__ if name in data}
    remarks = ({name: each[name] for name in PlainRemark.__slots__ if name in each} for each in data.get("remarks", ()))
    return PlainRequest(**{**known, "remarks": tuple(PlainRemark(**each) for each in remarks)})
