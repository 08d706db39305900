"""Triage: labels a new issue, assigns the agent of its lane, and explains why. Performs no I/O."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase

from bots.bot import Bot, Context
from bots.intents import Assign, Intent, PostComment, SetLabels
from bots.markdown import code
from bots.models import IssueKind, Lane, Team
from forge.events import IssueOpened
from forge.models import Issue

ROUTED = """\
🧭 **{kind}** in **{lane}** → @{agent}

{why}
"""
WAITING = """\
🧭 **{kind}** in **{lane}**, for @{agent}

{why}

{operators}: the work starts when you assign @{agent}.
"""
BECAUSE = "- {what} because of {words}"
BY_DEFAULT = "- {what} because nothing in it points elsewhere"

_DIFF = re.compile(r"^(?:diff --git|---|\+\+\+) .*$", re.MULTILINE)
_SIDE = re.compile(r" (?:[ab]/|/dev/null$)")
"""Git's prefixes of paths in a diff, and what it writes for a file that does not exist."""

_PATH = re.compile(r"(?<![\w.-])[\w.-]+(?:/[\w.-]+)+|(?<![\w-])[\w-]+\.\w{1,5}\b")
"""Anchored at the start of a word: tried at each letter of a long word, it would take quadratic time."""

bot = Bot("triage", may={SetLabels, Assign, PostComment})


@dataclass(frozen=True, slots=True)
class Route:
    """Where an issue goes, and the words in it that decided so."""

    kind: IssueKind
    lane: Lane
    kind_words: tuple[str, ...]
    lane_words: tuple[str, ...]


@bot.on(IssueOpened)
def route_issue(event: IssueOpened, ctx: Context) -> Iterator[Intent]:
    """Label, assign and comment; what a person has decided already stays."""
    issue = ctx.forge.issue(event.ref)
    if issue.is_pull or not issue.is_open or event.ref.repo not in ctx.team.repos:
        return
    route = decide(issue, ctx.team)
    labels = tuple(wanted_labels(issue, route))
    if labels:
        yield SetLabels(event.ref, add=labels, key=f"labels:{event.ref}")
    if issue.assignees:
        return
    trusted = ctx.team.is_trusted(issue.author)
    yield PostComment(event.ref, comment(route, ROUTED if trusted else WAITING, ctx.team), key=f"route:{event.ref}")
    if trusted:
        yield Assign(event.ref, (route.lane.agent,), key=f"assign:{event.ref}")


def decide(issue: Issue, team: Team) -> Route:
    """The kind and the lane with the most hits; without any, the last kind and the first lane."""
    text = f"{issue.title}\n{issue.body}"
    kinds = [(kind, hits(kind.words, text)) for kind in team.kinds]
    lanes = [(lane, (*hits(lane.words, text), *path_hits(lane.paths, text))) for lane in team.lanes]
    kind, kind_words = max(kinds, key=lambda pair: len(pair[1]), default=(IssueKind("type/task"), ()))
    lane, lane_words = max(lanes, key=lambda pair: len(pair[1]))
    if kinds and not kind_words:
        kind = team.kinds[-1]
    return Route(kind, lane, kind_words, lane_words)


def hits(words: Iterable[str], text: str) -> tuple[str, ...]:
    """Those of the words that occur in a text as whole words, in any case."""
    return tuple(word for word in words if re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text, re.IGNORECASE))


def path_hits(patterns: Iterable[str], text: str) -> tuple[str, ...]:
    """Paths in a text, or in a diff in it, that match a pattern; `*` also matches `/`."""
    wanted = tuple(patterns)
    plain = _DIFF.sub(lambda line: _SIDE.sub(" ", line[0]), text)
    named = dict.fromkeys(_PATH.findall(plain))
    return tuple(path for path in named if any(fnmatchcase(path, pattern) for pattern in wanted))


def wanted_labels(issue: Issue, route: Route) -> Iterator[str]:
    """The labels that are missing; next to a person's own `type/…` or `area/…` none is added."""
    for label in (route.kind.label, route.lane.label):
        scope = label.split("/")[0] + "/"
        if not any(have.startswith(scope) for have in issue.labels):
            yield label


def comment(route: Route, template: str, team: Team) -> str:
    """The comment that explains a route."""
    why = [because(route.kind.label, route.kind_words), because(route.lane.label, route.lane_words)]
    kind = route.kind.label.split("/")[-1]
    agent = route.lane.agent
    called = ", ".join(f"@{login}" for login in route.lane.operators) or team.call()
    return template.format(kind=kind, lane=route.lane.name, agent=agent, operators=called, why="\n".join(why)).strip()


def because(what: str, words: tuple[str, ...]) -> str:
    """One reason."""
    if not words:
        return BY_DEFAULT.format(what=code(what))
    return BECAUSE.format(what=code(what), words=", ".join(map(code, words[:5])))
