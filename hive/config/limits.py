"""`limits` of `hive.yaml`: what no agent's own configuration can raise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Final

from annotated_types import Ge, Le

from hive.codec import STRICT


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits that no agent's own configuration can raise."""

    steps: Annotated[int, Ge(1), Le(500)] = 60
    """Steps of one turn: calls of the model."""

    minutes: Annotated[int, Ge(1), Le(240)] = 30
    """Minutes of one turn."""

    bot_turns: Annotated[int, Ge(1), Le(20)] = 3
    """Rounds among bots on one run before a person has to speak."""

    open_runs: Annotated[int, Ge(0), Le(1000)] = 10
    """Runs that one agent may have open before further issues wait for it in `queue/LANE`; 0 sets no limit. An operator's own assignment does not wait."""

    backfill: Annotated[int, Ge(1), Le(3600)] = 120
    """Old issues and pull requests that `hive backfill` takes in within an hour, of all repositories together."""

    change_files: Annotated[int, Ge(0), Le(100_000)] = 300
    """Files that a change of an agent may touch; 0 sets no limit. `max_files` of a repository's `.hive.yaml` comes first."""

    change_lines: Annotated[int, Ge(0), Le(10_000_000)] = 10_000
    """Lines that a change of an agent may add and remove; 0 sets no limit. `max_lines` of a repository's `.hive.yaml` comes first."""

    workers: Annotated[int, Ge(1), Le(64)] = 4
    """Jobs of bots that run at the same time."""

    jobs_per_team: Annotated[int, Ge(0), Le(64)] = 0
    """How many of them one team may have; 0 sets no limit of its own."""

    jobs_per_bot: Annotated[int, Ge(0), Le(64)] = 0
    """How many of them one bot may have; 0 sets no limit of its own."""

    machine_depth: Annotated[int, Ge(2), Le(1000)] = 24
    """Answers of machines to one another, in a row, after which work on an issue or pull request stops."""

    machine_jobs: Annotated[int, Ge(2), Le(10000)] = 60
    """Jobs in a row that no person caused, after which work on an issue or pull request stops."""

    writes: Annotated[int, Ge(2), Le(10000)] = 60
    """Writes to one issue or pull request within ten minutes, after which work on it stops."""

    late_seconds: Annotated[int, Ge(1), Le(86400)] = 300
    """Seconds after which `/healthz` reports a loop that has completed nothing as late."""

    calls_a_minute: Annotated[int, Ge(60), Le(1_000_000)] = 1200
    """Requests a minute of one agent to the host, on both of its sockets; beyond it they get 429 with `retry-after`."""

    crashes: Annotated[int, Ge(1), Le(1000000)] = 3
    """Crashes of a container within `crash_minutes` after which it stays down until `/restart`."""

    crash_minutes: Annotated[int, Ge(1), Le(1440)] = 10
    """Minutes in which `crashes` are counted."""

    memory_mb: Annotated[int, Ge(64), Le(10_000_000)] = 2048
    """Megabytes of memory of one container; what needs more is killed, and its agent is told why."""

    cpus: Annotated[float, Ge(0.05), Le(4096)] = 2.0
    """Processors' worth of time of one container."""

    processes: Annotated[int, Ge(32), Le(1_000_000)] = 256
    """Processes and threads of one container."""

    disk_mb: Annotated[int, Ge(16), Le(100_000_000)] = 4096
    """Megabytes that an agent may keep in its state directory: work trees, home, caches."""

    __pydantic_config__: ClassVar = STRICT


DEFAULT_LIMITS: Final = Limits()
