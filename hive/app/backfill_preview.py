"""What `hive backfill` would do, by the bot that would do it. Changes nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from bots.agent_intents import GiveWork
from bots.bot import Context
from bots.holds import INJECTION
from bots.intents import Intent, SetLabels
from bots.triage import bot as triage
from forge.events import IssueTakenIn
from forge.gitea.reader import GiteaReader
from forge.models import Issue, Ref, Repo
from forge.protocol import NotFound
from hive.app.work import contexts
from hive.classify.classifier import MODELS, LearnedClassifier
from hive.instance.instance import Instance


@dataclass(slots=True)
class Preview:
    """What taking in would do: how many subjects would get each label, and which agent how many of them."""

    issues: int = 0
    pulls: int = 0
    labelled: int = 0
    has_kind: int = 0
    unclear: int = 0
    suspected: int = 0
    labels: Counter[str] = field(default_factory=Counter)
    given: Counter[str] = field(default_factory=Counter)

    def count(self, issue: Issue, wanted: Iterable[Intent]) -> None:
        """Count what is wanted of one."""
        self.issues, self.pulls = self.issues + (not issue.is_pull), self.pulls + issue.is_pull
        intents = list(wanted)
        labels = [label for one in intents if isinstance(one, SetLabels) for label in one.add]
        self.labels.update(labels)
        self.labelled += bool(labels)
        self.suspected += INJECTION in labels
        if any(label.startswith("type/") for label in issue.labels):
            self.has_kind += 1
        elif not any(label.startswith("type/") for label in labels):
            self.unclear += 1
        self.given.update(one.agent for one in intents if isinstance(one, GiveWork))

    def lines(self, *, wake: bool) -> Iterator[str]:
        """For people."""
        yield f"{self.issues} open issues and {self.pulls} open pull requests"
        yield f"  would get labels    {self.labelled}"
        for label, count in sorted(self.labels.items(), key=lambda pair: (pair[0].split("/")[0], -pair[1], pair[0])):
            yield f"    {label:<18}{count}"
        yield f"  have a kind already {self.has_kind}"
        yield f"  kind not clear      {self.unclear}"
        if wake:
            yield f"  would be given      {self.given.total()}"
            for agent, count in sorted(self.given.items()):
                yield f"    {agent:<18}{count}"
        else:
            yield "  would be given      0: no agent is woken without --wake"


def preview(ctx: Context, repo: Repo, numbers: Iterable[int], *, wake: bool) -> Preview:
    """Ask triage what it would do with each."""
    found = Preview()
    for number in numbers:
        ref = Ref(repo, number)
        try:
            wanted = triage.handle(IssueTakenIn(ref, ctx.team.accounts["core"], f"preview:{ref}", wake), ctx)
            found.count(ctx.forge.issue(ref), wanted)
        except NotFound:  # deleted since the list was made
            continue
    return found


def context_of(instance: Instance, team: str) -> Context:
    """What triage sees of a team."""

    def reader(team: str, login: str) -> GiteaReader:
        name = instance.settings.teams[team].forge
        token = instance.secret_store.token(name, login)
        return GiteaReader(name=name, url=instance.url(name), token=token, current=instance.names.current)

    learned = LearnedClassifier(instance.settings.state / MODELS)  # a preview asks no language model: it costs nothing
    return replace(contexts(instance, reader)(team, triage.name), classifier=learned)
