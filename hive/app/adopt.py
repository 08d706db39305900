"""`hive adopt AGENT`: an operator on the host takes a head that was refused as it is, after having seen it.

Everything else that moves a configuration is a merge that forge and git agree about; this is for the day on which
somebody pushed past the protection, or history was written anew. What is adopted is built and tried like any merge.
"""

from __future__ import annotations

import getpass
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from forge.gitea.read import GiteaReader
from forge.types import Repo, Repository
from hive.app.house import House, NotReady
from hive.app.work import core_token, mirrors
from hive.ledger import Act, Anchor
from hive.reconcile.build import BuildFailed, plan
from hive.reconcile.gather import HEAD, bad_entries
from hive.workspace import Bounds, Mirror

SHOWN = 20
"""Commits and files that are listed; of more it is said how many."""


@dataclass(frozen=True)
class Adoption:
    """What would be adopted; `sha` is the head as it was looked at."""

    house: House
    anchor: Anchor
    seen: Repository
    reader: GiteaReader
    mirror: Mirror
    sha: str
    reason: str

    def lines(self) -> Iterator[str]:
        """What an operator has to see before saying yes: refused text of others, on lines of its own."""
        anchor, mirror = self.anchor, self.mirror
        yield f"{anchor.agent}: {self.seen.repo.path}, branch {anchor.branch}"
        yield f"refused because: {self.reason}"
        if self.seen.id != anchor.repo_id:
            yield f"the repository is another one now: its id is {self.seen.id}, it was {anchor.repo_id}"
        yield f"old {anchor.sha}"
        yield f"new {self.sha}"
        if mirror.has(anchor.sha):
            yield from _first(mirror.commits(anchor.sha, self.sha), "commits")
            yield from _first(list(_differences(mirror, anchor.sha, self.sha)), "files")
        else:
            yield "what was accepted last is not in this repository: everything is new"
            yield from _first([f"+ {entry.path}" for entry in mirror.entries(self.sha)], "files")

    def take(self) -> None:
        """Make the head the baseline and let the host bring it up; raises NotReady if it is another one by now."""
        ledger, anchor = self.house.ledger, self.anchor
        now = self.reader.branch(self.seen.repo, anchor.branch).sha
        if now != self.sha:
            raise NotReady(f"{anchor.branch} of {self.seen.repo.path} is at {now[:12]} by now: look at that one")
        pushes = self.reader.pushes(self.seen.repo, anchor.branch, 0)
        cursor = max((push.id for push in pushes), default=anchor.cursor)
        with ledger.transaction():
            if ledger.deployments.anchor(anchor.agent) != anchor or ledger.deployments.open(anchor.agent) is not None:
                raise NotReady(f"the host is at the configuration of {anchor.agent} just now: try again")
            ledger.deployments.take_over(anchor.agent, self.seen, self.sha, cursor)
            self.house.whereabouts.replace(self.seen)
            ledger.audit.add(
                f"operator:{getpass.getuser()}", Act.COMMIT_ADOPTED, team=anchor.team, ref=str(self.seen.repo),
                agent=anchor.agent, old=anchor.sha, new=self.sha, reason=self.reason,
            )  # fmt: skip


def run(house: House, agent: str, say: Callable[[str], None], agreed: Callable[[str], object]) -> None:
    """Show what was refused, ask, and take it; `agreed` does not return for a no."""
    with reading(house, agent) as reader:
        found = adoption(house, agent, reader)
        for line in found.lines():
            say(line)
        agreed(f"Shall {agent} run this, though no merge brought it?")
        found.take()
        say(f"{agent} is brought to {found.sha[:12]}; hive/meta will say so")


def adoption(house: House, agent: str, reader: GiteaReader) -> Adoption:
    """What can be adopted for an agent; raises NotReady where nothing was refused, or it would not run."""
    anchor = house.ledger.deployments.anchor(agent)
    if anchor is None:
        raise NotReady(f"the configuration of {agent} was never adopted; run: hive init")
    repo = Repo(house.settings.teams[anchor.team].forge, house.settings.configs, agent)
    seen = reader.repository(repo)
    mirror = mirrors(house, "host")(seen.repo)
    sha = mirror.fetch(f"refs/heads/{anchor.branch}", HEAD)
    reason = house.ledger.deployments.refusal(agent, sha)
    if seen.id != anchor.repo_id:
        reason = "another repository bears its name"
    elif sha == anchor.sha or not reason or anchor.rejected_sha != sha:
        raise NotReady(f"{sha[:12]} of {repo.path} was not refused: there is nothing to adopt")
    odd = bad_entries(mirror, sha, Bounds())
    if odd:
        raise NotReady(f"{sha[:12]} of {repo.path} holds what no container is made from: {', '.join(odd[:3])}")
    try:
        plan(agent, mirror, sha, house.settings.limits, packages_path=house.settings.packages_path)
    except BuildFailed as error:
        raise NotReady(f"{sha[:12]} of {repo.path} does not build: {'; '.join(error.problems)}") from error
    return Adoption(house, anchor, seen, reader, mirror, sha, reason)


def reading(house: House, agent: str) -> GiteaReader:
    """The eyes of the hive's own account on the forge of an agent; raises NotReady for an unknown one."""
    forge = next((team.forge for team in house.settings.teams.values() if agent in team.agents), None)
    if forge is None:
        raise NotReady(f"no team has an agent {agent!r}")
    return GiteaReader(name=forge, url=house.url(forge), token=core_token(house, forge), current=house.names.current)


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
