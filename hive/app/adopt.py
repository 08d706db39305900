"""`hive adopt AGENT`: an operator on the host accepts a rejected head as it is, after having seen it.

Every other change of a configuration is a merge that forge and git agree about. This is for the day on which
a push bypassed the protection, or history was rewritten. An adopted head is built and probed like any merge.
"""

from __future__ import annotations

import getpass
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bots.agent_intents import roster_of
from bots.models import HIVE
from forge.gitea.reader import GiteaReader
from forge.models import Repo, Repository
from hive.app.polls import core_token
from hive.app.work import mirrors
from hive.config import BadYaml
from hive.git_mirror.mirror import Mirror, TreeLimits
from hive.instance.instance import Instance, StartupError
from hive.instance.rosters import host_settings
from hive.instance.sandbox import packages_path
from hive.ledger import Act, Baseline
from hive.reconcile.build import BuildFailed, plan
from hive.reconcile.evidence import HEAD, bad_entries
from hive.reconcile.roster_file import roster_at

ROSTER = "roster"
"""What is adopted in the place of an agent's configuration: the roster of the first team's forge."""

SHOWN = 20
"""How many commits and files are listed; of more only the number is printed."""


@dataclass(frozen=True)
class Adoption:
    """What would be adopted; `sha` is the head that was shown."""

    instance: Instance
    baseline: Baseline
    seen: Repository
    reader: GiteaReader
    mirror: Mirror
    sha: str
    reason: str

    def lines(self) -> Iterator[str]:
        """What an operator has to see before agreeing: commits and files of others, each on a line of its own."""
        baseline, mirror = self.baseline, self.mirror
        yield f"{baseline.agent}: {self.seen.repo.path}, branch {baseline.branch}"
        yield f"refused because: {self.reason}"
        if self.seen.id != baseline.repo_id:
            yield f"the repository is another one now: its id is {self.seen.id}, it was {baseline.repo_id}"
        yield f"old {baseline.sha}"
        yield f"new {self.sha}"
        if mirror.has(baseline.sha):
            yield from _first(mirror.commits(baseline.sha, self.sha), "commits")
            yield from _first(list(_differences(mirror, baseline.sha, self.sha)), "files")
        else:
            yield "what was accepted last is not in this repository: everything is new"
            yield from _first([f"+ {entry.path}" for entry in mirror.entries(self.sha)], "files")

    def take(self) -> None:
        """Make the head the baseline and let the host deploy it; raises StartupError if the head has moved."""
        ledger, baseline = self.instance.ledger, self.baseline
        now = self.reader.branch(self.seen.repo, baseline.branch).sha
        if now != self.sha:
            raise StartupError(f"{baseline.branch} of {self.seen.repo.path} is at {now[:12]} by now: look at that one")
        pushes = self.reader.pushes(self.seen.repo, baseline.branch, 0)
        cursor = max((push.id for push in pushes), default=baseline.cursor)
        with ledger.transaction():
            if (
                ledger.deployments.baseline(baseline.agent) != baseline
                or ledger.deployments.current(baseline.agent) is not None
            ):
                raise StartupError(f"the host is at the configuration of {baseline.agent} just now: try again")
            ledger.deployments.accept(baseline.agent, self.seen, self.sha, cursor)
            self.instance.repository_tracker.replace(self.seen)
            ledger.audit.add(
                f"operator:{getpass.getuser()}", Act.COMMIT_ADOPTED, team=baseline.team, ref=str(self.seen.repo),
                agent=baseline.agent, old=baseline.sha, new=self.sha, reason=self.reason,
            )  # fmt: skip


def run(instance: Instance, agent: str, say: Callable[[str], None], agreed: Callable[[str], object]) -> None:
    """Show what was refused, ask, and take it; `agreed` does not return for a no."""
    with reading(instance, agent) as reader:
        found = adoption(instance, agent, reader)
        for line in found.lines():
            say(line)
        question = (
            "Shall the roster be this"
            if agent == ROSTER
            else f"Shall {'the hive' if agent == HIVE else agent} run this"
        )
        agreed(f"{question}, though no merge brought it?")
        found.take()
        say(f"{agent} is brought to {found.sha[:12]}; hive/meta will say so")


def adoption(instance: Instance, agent: str, reader: GiteaReader) -> Adoption:
    """What can be adopted for an agent; raises StartupError if nothing was rejected, or it would not build."""
    key = roster_of(_forge_of(instance, agent)) if agent == ROSTER else agent
    baseline = instance.ledger.deployments.baseline(key)
    if baseline is None:
        raise StartupError(f"the configuration of {agent} was never adopted; run: hive init")
    forge = instance.settings.teams[baseline.team].forge
    repo = _repository(instance, forge, agent)
    seen = reader.repository(repo)
    mirror = mirrors(instance, "host")(seen.repo)
    sha = mirror.fetch(f"refs/heads/{baseline.branch}", HEAD)
    reason = instance.ledger.deployments.rejection_reason(key, sha)
    if seen.id != baseline.repo_id:
        reason = "another repository bears its name"
    elif sha == baseline.sha or not reason or baseline.rejected_sha != sha:
        raise StartupError(f"{sha[:12]} of {repo.path} was not refused: there is nothing to adopt")
    odd = bad_entries(mirror, sha, TreeLimits())
    if odd:
        raise StartupError(f"{sha[:12]} of {repo.path} holds what no container is made from: {', '.join(odd[:3])}")
    try:
        if agent == ROSTER:
            roster_at(mirror, sha, host_settings(instance), forge)
        elif agent != HIVE:
            plan(agent, mirror, sha, instance.settings.limits, packages_path=packages_path(instance.settings))
    except BadYaml as error:
        raise StartupError(f"{sha[:12]} of {repo.path} cannot be followed:\n{error}") from error
    except BuildFailed as error:
        raise StartupError(f"{sha[:12]} of {repo.path} does not build: {'; '.join(error.problems)}") from error
    return Adoption(instance, baseline, seen, reader, mirror, sha, reason)


def reading(instance: Instance, agent: str) -> GiteaReader:
    """The forge of an agent or of the roster, as the hive's own account sees it; raises StartupError for an unknown agent."""
    forge = _forge_of(instance, agent)
    return GiteaReader(
        name=forge, url=instance.url(forge), token=core_token(instance, forge), current=instance.names.current
    )


def _repository(instance: Instance, forge: str, agent: str) -> Repo:
    settings = instance.settings
    if agent == HIVE and settings.own_source is not None:
        return settings.own_source
    return settings.meta_of(forge) if agent == ROSTER else Repo(forge, settings.configs, agent)


def _forge_of(instance: Instance, agent: str) -> str:
    if agent == HIVE and instance.settings.own_source is not None:
        return instance.settings.own_source.forge
    teams = instance.settings.teams.values()
    forge = next((team.forge for team in teams if agent in team.agents or agent == ROSTER), None)
    if forge is None:
        raise StartupError(f"no team has an agent {agent!r}")
    return forge


def _differences(mirror: Mirror, old: str, new: str) -> Iterator[str]:
    """The files that differ: `+` is new, `-` is gone, `~` holds something else."""
    before, after = ({e.path: (e.mode, e.sha) for e in mirror.entries(sha)} for sha in (old, new))
    for path in sorted(before.keys() | after.keys()):
        if before.get(path) != after.get(path):
            yield f"{'+' if path not in before else '-' if path not in after else '~'} {path}"


def _first(rows: list[str], what: str) -> Iterator[str]:
    yield f"{len(rows)} {what}:"
    yield from (f"  {_shown(row)}" for row in rows[:SHOWN])
    if len(rows) > SHOWN:
        yield f"  and {len(rows) - SHOWN} more"


def _shown(text: str) -> str:
    """Somebody else's text on a terminal: one line, nothing that a terminal obeys."""
    return "".join(letter if letter.isprintable() else "·" for letter in text)[:200]
