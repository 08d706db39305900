"""`hive triage`: what issues of a file or of a repository are, beside what they were labelled. Changes no issue."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from bots.classification import Guess
from bots.models import Team
from bots.triage.cleaning import clean
from bots.triage.decision import decide, name_of
from forge.gitea.poll_reader import GiteaPollReader
from forge.models import Issue, Repo
from forge.protocol import PollReader
from hive.classify.classifier import ModelStore, guess_by, guess_of
from hive.classify.examples import read_examples, read_issues
from hive.classify.features import features
from hive.classify.measures import NOTHING, Confusion
from hive.classify.prior import prior
from hive.classify.training import LabelledIssue, Learned, TooFewExamples, learn
from hive.instance.instance import Instance

MOST_ISSUES = 10_000
"""So many of a repository's newest issues are read."""

USEFUL = 0.6
"""The macro-F1 on held-out issues below which a model is not used, however bad the prior is."""

Trained = Learned | None


@dataclass(frozen=True, slots=True)
class Said:
    """What was said of one issue; `kind` is empty where nothing was."""

    title: str
    guess: Guess
    kind: str
    true: str = ""
    lane: str = ""


def of_file(path: Path, mine: Trained, least: float | None = None) -> Iterator[Said]:
    """What the issues in a file are; `least` is a confidence from which on to speak, instead of the model's own."""
    for title, body in read_issues(path):
        guess = guess_by(mine, title, body)
        yield Said(title, guess, guess.kind if _speaks(guess, least) else NOTHING)


def trained_on(path: Path) -> Learned:
    """A model of the labelled issues in a file; raises TooFewExamples and BadExample."""
    return learn(read_examples(path), prior())


def json_line(said: Said) -> str:
    """One answer as JSON; `guess` is there even where `kind` is null as nothing would be said."""
    guess = said.guess
    told = {
        "kind": said.kind or None,
        "lane": said.lane or None,
        "confidence": round(guess.confidence, 4),
        "by": guess.by.value,
        "guess": guess.kind,
    }
    return json.dumps(told, ensure_ascii=False)


def text_line(said: Said) -> str:
    """One answer for people."""
    title = "".join(letter if letter.isprintable() else " " for letter in said.title)[:70]
    return f"{said.kind or '-':<10} {said.guess.confidence:4.2f} {said.guess.by.value:<9} {title}"


def labelled(issues: Iterable[Issue]) -> Iterator[LabelledIssue]:
    """Those issues that carry exactly one `type/…`, or a label that is the usual name of a kind."""
    for issue in issues:
        kinds = set(_kinds(issue.labels))
        if len(kinds) == 1 and not issue.is_pull:
            yield LabelledIssue(issue.title, issue.body, kinds.pop())


def report(pairs: Iterable[tuple[str, str]]) -> Iterator[str]:
    """A table of what was taken for what, and what it comes to."""
    confusion = Confusion.of(pairs)
    if not confusion.total:
        yield "no issue carries a label of a kind: there is nothing to compare with"
        return
    yield from confusion.table()
    yield (
        f"{confusion.total} labelled issues: macro-F1 {confusion.macro_f1:.2f}, "
        f"precision {confusion.precision:.2f} at a coverage of {confusion.coverage:.2f}"
    )


def dry_run(team: Team, issues: Iterable[Issue], mine: Trained) -> Iterator[str]:
    """What triage would say of issues as if nobody had labelled them, beside the labels that they carry."""
    pairs = []
    for issue in issues:
        truth = set(_kinds(issue.labels))
        if issue.is_pull or len(truth) != 1:
            continue
        bare = replace(issue, labels=())
        text = clean(issue.title, issue.body)
        found = decide(bare, team, guess_of(mine, text, features(text)))
        pairs.append((truth.pop(), NOTHING if found.kind is None else name_of(found.kind.label)))
    yield from report(pairs)


def learn_repository(store: ModelStore, repo: Repo, issues: Iterable[Issue]) -> str:
    """Learn a repository's own labels; the model is kept if it is better than the prior, else taken away. Says what it did."""
    return learn_labels(store, repo, list(labelled(issues)))


def learn_labels(store: ModelStore, repo: Repo, known: Sequence[LabelledIssue]) -> str:
    """The same of issues whose labels have been read."""
    try:
        learned = learn(known, prior())
    except TooFewExamples as error:
        store.forget(repo)
        return f"{repo}: the prior stays in use: {error}"
    general = Confusion.of((each.kind, guess_by(None, each.title, each.body).kind) for each in known).macro_f1
    told = f"macro-F1 {learned.macro_f1:.2f} on held-out issues, the prior {general:.2f}"
    if learned.macro_f1 <= max(general, USEFUL):
        store.forget(repo)
        return f"{repo}: the prior stays in use: {told}"
    store.keep(repo, learned)
    spoken = f"precision {learned.precision:.2f} at a coverage of {learned.coverage:.2f}"
    return f"{repo}: learned from {learned.examples} issues: {told}; {spoken}"


def reader_of(instance: Instance, repo: Repo) -> PollReader:
    """What reads a repository's issues."""
    token = instance.secret_store.token(repo.forge, instance.settings.account("core"))
    names = instance.names
    return GiteaPollReader(
        name=repo.forge, url=instance.url(repo.forge), token=token, current=names.current, named=names.named
    )


def newest(reader: PollReader, repo: Repo) -> list[Issue]:
    """The newest issues of a repository, open or not."""
    return list(islice(reader.issues(repo), MOST_ISSUES))


def _kinds(labels: Iterable[str]) -> Iterator[str]:
    for label in labels:
        kind = name_of(label)
        if label.startswith("type/") or kind in prior().model.kinds:
            yield kind


def _speaks(guess: Guess, least: float | None) -> bool:
    return guess.speaks if least is None else guess.confidence >= least
