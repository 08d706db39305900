"""What an issue is and whose it is: explicit words, then the rules of `hive.yaml`, then a classifier. Performs no I/O."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from bots.classification import DecidedBy, Guess
from bots.models import IssueKind, Lane, Team
from bots.triage.cleaning import LONGEST, CleanText, clean
from bots.triage.words import hits, path_hits
from forge.models import Issue

MOST_AREAS = 3
HINTED = 0.95
"""How sure the template makes that somebody chose: of public issues one in twelve was labelled otherwise later."""

TITLE_WEIGHT = 3
"""A word in the title counts as much as so many in the text."""

ALIASES = {
    "bug": ("bug", "bug report", "defect", "regression", "crash", "error"),
    "feature": ("feature", "feature request", "enhancement", "improvement", "proposal", "new feature"),
    "question": ("question", "support", "help", "discussion", "support question"),
    "docs": ("docs", "doc", "documentation", "documentation issue"),
}
"""What people call the kinds: in labels (`type/enhancement`) and in the fields of issue forms."""

KIND_FIELDS = frozenset({"type", "issue type", "kind", "issue kind", "type of issue", "category", "report type"})
PRIORITY_FIELDS = frozenset({"priority", "severity"})

_TOLD = re.compile(
    r"\b(?:ignore|disregard|forget|override)\b.{0,40}\b(?:instructions?|prompts?|rules|above|previous)\b"
    r"|\bsystem prompt\b|\bnew instructions?:|\byou are (?:now |an? )(?:ai|assistant|agent|bot|language model|dan)\b"
    r"|\b(?:assign|give) (?:this|it|the issue) to (?:root|admin\w*|everyone)\b|\bclose all (?:the )?(?:other )?issues\b"
    r"|\b(?:reveal|print|send|post|exfiltrate)\b.{0,40}\b(?:tokens?|secrets?|credentials|api keys?|environment variables)\b"
    r"|\b(?:approve|merge) (?:this|all|the|every)\b.{0,30}\bwithout (?:a )?review",
    re.IGNORECASE,
)
_VERSION = re.compile(r"\bversion\b|\bv?\d+\.\d+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Decision:
    """What triage makes of an issue.

    `kind` is None where it is not sure, or where a person has chosen; `areas` are one to three labels, that of `lane` first.
    `confidence` (0 to 1) and `by` are of the kind, `lane_by` is of the lane. `needs` are of `repro`, `version`, `logs`.
    `kind_words` and `lane_words` are what in the issue decided.
    """

    kind: IssueKind | None
    lane: Lane
    areas: tuple[str, ...]
    confidence: float
    by: DecidedBy
    kind_words: tuple[str, ...] = ()
    lane_words: tuple[str, ...] = ()
    priority: str = ""
    needs: tuple[str, ...] = ()
    injection_suspected: bool = False
    lane_by: DecidedBy = DecidedBy.DEFAULT


def decide(issue: Issue, team: Team, guess: Guess | None = None, *, hints: tuple[str, ...] = ()) -> Decision:
    """The decision about an issue; `guess` is what a classifier says of it, `hints` are the labels of its template."""
    text = clean(issue.title, issue.body)
    kind, sure, by, words = _kind(issue, text, team, guess, hints)
    lane, areas, lane_words, lane_by = _lane(issue, text, team, hints)
    return Decision(
        kind,
        lane,
        areas,
        sure,
        by,
        words,
        lane_words,
        priority=next((value for name, value in text.fields if name in PRIORITY_FIELDS and value != "none"), ""),
        needs=tuple(_needs(text)) if kind is not None and name_of(kind.label) == "bug" else (),
        injection_suspected=suspects_injection(issue.title, issue.body),
        lane_by=lane_by,
    )


def name_of(label: str) -> str:
    """The kind that a label stands for, by its usual name: `type/enhancement` is `feature`."""
    return named(label.rsplit("/", 1)[-1])


def named(said: str) -> str:
    """The usual name of a kind that was called anything."""
    word = " ".join(re.findall(r"[a-z]+", said.lower()))
    return next((name for name, others in ALIASES.items() if word in others), word)


def stated_kind(text: CleanText) -> str:
    """The kind that the author chose in a form; empty if none."""
    said = [named(value) for name, value in text.fields if name in KIND_FIELDS]
    return next((kind for kind in said if kind in ALIASES), "")


def suspects_injection(title: str, body: str) -> bool:
    """Whether a text, what is hidden in it too, talks to a machine rather than to people."""
    return _TOLD.search(f"{title[:LONGEST]}\n{body[:LONGEST]}") is not None


def scored(words: Sequence[str], text: CleanText) -> tuple[int, tuple[str, ...]]:
    """How much of a list of words is in an issue, and which of them."""
    there = hits(words, f"{text.title}\n{text.prose}")
    above = frozenset(hits(there, text.title)) if there else frozenset()
    return sum(TITLE_WEIGHT if word in above else 1 for word in there), there


def _kind(
    issue: Issue, text: CleanText, team: Team, guess: Guess | None, hints: tuple[str, ...]
) -> tuple[IssueKind | None, float, DecidedBy, tuple[str, ...]]:
    by_name = {name_of(kind.label): kind for kind in reversed(team.kinds)}
    chosen = {kind.label: kind for kind in team.kinds}
    if label := next((label for label in issue.labels if label.startswith("type/")), ""):
        return chosen.get(label), 1.0, DecidedBy.EXPLICIT, ()
    if (stated := by_name.get(stated_kind(text))) is not None:
        return stated, 1.0, DecidedBy.EXPLICIT, ()
    hinted = {by_name[name] for name in map(name_of, hints) if name in by_name}
    if len(hinted) == 1:
        return hinted.pop(), HINTED, DecidedBy.TEMPLATE, ()
    found = [(kind, *scored(kind.words, text)) for kind in team.kinds]
    kind, score, words = max(found, key=lambda each: each[1], default=(IssueKind("type/task"), 0, ()))
    if score:
        return kind, 1.0, DecidedBy.RULES, words
    if guess is not None and guess.speaks and guess.kind in by_name:
        return by_name[guess.kind], guess.confidence, guess.by, guess.words
    last = team.kinds[-1] if team.kinds else kind
    if guess is not None and name_of(last.label) in ALIASES:
        return None, guess.confidence, guess.by, ()
    return last, 0.0, DecidedBy.DEFAULT, ()


def _lane(
    issue: Issue, text: CleanText, team: Team, hints: tuple[str, ...]
) -> tuple[Lane, tuple[str, ...], tuple[str, ...], DecidedBy]:
    """The lane, the labels of all areas that the issue is about, what decided, and who."""
    if (called := _called(text, team)) is not None:
        lane, word = called
        return lane, (lane.label,), (word,), DecidedBy.EXPLICIT
    for labels, by in ((issue.labels, DecidedBy.EXPLICIT), (hints, DecidedBy.TEMPLATE)):
        named = [lane for lane in team.lanes if lane.label in labels]
        if len(named) == 1:
            return named[0], (named[0].label,), (), by
    raw = f"{issue.title}\n{issue.body[:LONGEST]}"
    found: list[tuple[int, tuple[str, ...], Lane]] = []
    for lane in team.lanes:
        score, words = scored(lane.words, text)
        paths = path_hits(lane.paths, raw)
        found.append((score + TITLE_WEIGHT * bool(paths) + len(paths) - bool(paths), (*words, *paths), lane))
    score, words, lane = max(found, key=lambda each: each[0])
    near = [
        other.label for points, _, other in sorted(found, key=lambda each: -each[0]) if points and 2 * points >= score
    ]
    areas = tuple(dict.fromkeys((lane.label, *near)))[:MOST_AREAS]
    return lane, areas, words, DecidedBy.RULES if words else DecidedBy.DEFAULT


def _called(text: CleanText, team: Team) -> tuple[Lane, str] | None:
    """The lane of the only agent that an issue mentions by name, outside of code and quotes."""
    logins = {account.login.lower(): name for name, account in team.agents.items()}
    said = {login.lower() for login in re.findall(r"(?<![\w@/.])@([\w-]{1,40})", f"{text.title}\n{text.prose}")}
    agents = {logins[login] for login in said if login in logins}
    lanes = [lane for lane in team.lanes if lane.agent in agents]
    return (lanes[0], f"@{lanes[0].agent}") if len(agents) == 1 and lanes else None


def _needs(text: CleanText) -> list[str]:
    """What a report of a bug lacks."""
    there = {name for name, value in text.fields if value != "none"} | set(text.headings)
    told = " ".join((*there, text.prose.lower()))
    needs = []
    if "reproduc" not in told and "steps" not in told and "code" not in text.marks and len(text.prose.split()) < 25:
        needs.append("repro")
    if "versions" not in text.marks and not _VERSION.search(text.prose) and "version" not in told:
        needs.append("version")
    if ("crash" in told or "crash" in text.title.lower()) and not {"trace", "log", "code"} & text.marks:
        needs.append("logs")
    return needs
