"""Deeds that no bot can want: what a run or the host owes a forge. Frozen, like intents. Performs no I/O."""

from __future__ import annotations

from dataclasses import dataclass

from bots.intents import Intent
from forge.types import Ref, Repo


@dataclass(frozen=True, slots=True)
class OpenPull:
    """A run's branch becomes a pull request; `proposes` says that it changes the agent's own configuration."""

    run: int
    repo: Repo
    head: str
    base: str
    title: str
    body: str
    proposes: bool
    key: str


@dataclass(frozen=True, slots=True)
class Answer:
    """A run says something on the thread that it came from."""

    ref: Ref
    body: str
    key: str


@dataclass(frozen=True, slots=True)
class MakeTag:
    """An annotated tag on a commit."""

    repo: Repo
    name: str
    sha: str
    message: str
    key: str


@dataclass(frozen=True, slots=True)
class CommitFile:
    """A file of the hive's own repository gets new content."""

    repo: Repo
    path: str
    content: str
    message: str
    branch: str
    key: str


@dataclass(frozen=True, slots=True)
class FollowUp:
    """More to say on the issue that was opened under the key `opened`; `closes` says that nothing is left to do there."""

    repo: Repo
    opened: str
    body: str
    closes: bool
    key: str


Deed = Intent | OpenPull | Answer | MakeTag | CommitFile | FollowUp
