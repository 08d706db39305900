"""`hive review`: what the review bot would say of a range of commits, without a forge."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from bots.model_review import ModelReview, ReviewTask, with_model
from bots.models import Finding, Level, Scan, Verdict, verdict
from bots.money import DOLLAR, dollars
from bots.sanitize import printable
from forge.diff import MalformedDiff
from hive.git_mirror.commits import Commits
from hive.git_mirror.errors import GitError
from hive.git_mirror.git_process import GitProcess
from hive.inspect.pull_scanner import scan_commits
from hive.inspect.review_policy import read_rules

if TYPE_CHECKING:
    from hive.app.range_model import RangeModel

LEVELS = {Level.RED: "red", Level.YELLOW: "yellow", Level.GREEN: "green"}
VERDICTS = {
    Verdict.BLOCKED: "blocked",
    Verdict.REMARKS: "remarks",
    Verdict.GOOD: "good",
    Verdict.NOT_REVIEWED: "not_reviewed",
}
STATUSES = {Verdict.BLOCKED: 1, Verdict.NOT_REVIEWED: 2}
SARIF_LEVELS = {Level.RED: "error", Level.YELLOW: "warning", Level.GREEN: "note"}
_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


class NoRange(Exception):
    """There are no two commits to compare; the message says why."""


@dataclass(frozen=True, slots=True)
class RangeReview:
    """A review of a range: the scan, what a model read with it, and what follows from that."""

    scan: Scan
    model: ModelReview | None = None

    @property
    def not_reviewed(self) -> tuple[tuple[str, str], ...]:
        """What was not reviewed, and why."""
        return (*self.scan.failed, *self.scan.skipped)

    @property
    def verdict(self) -> Verdict:
        """The verdict."""
        return verdict(self.scan.findings, failed=bool(self.not_reviewed))

    @property
    def status(self) -> int:
        """The exit status: 1 for a change that is blocked, 2 for one that was not reviewed."""
        return STATUSES.get(self.verdict, 0)


def review_range(repository: Path, span: str, model: RangeModel | None = None) -> RangeReview:
    """Review what `A..B` adds to where it left A, as a pull request does; with a model, if one is given. Raises NoRange."""
    old, dots, new = span.partition("..")
    if not dots:
        raise NoRange(f"{span!r} is no range: write BASE..HEAD")
    commits = Commits(_git(repository))
    try:
        base, head = commits.commit(old or "HEAD"), commits.commit(new.removeprefix(".") or "HEAD")
        forked_at = commits.merge_base(base, head)
        scan = scan_commits(commits, forked_at, head, workers=os.cpu_count() or 1)
        if model is None or not scan.base_sha:
            return RangeReview(scan)
        read = _read(commits, scan, base, model)
        return RangeReview(with_model(scan, read), read)
    except GitError as error:
        raise NoRange(str(error)) from error


def _read(commits: Commits, scan: Scan, base: str, model: RangeModel) -> ModelReview:
    """What the model says of a range; rules for reviewers are those of the commit that it is compared with."""
    task = ReviewTask(model.title, model.description, "author", "not known here", base, scan.base_sha, scan.findings)
    try:
        return model.read(commits, task, scan.head_sha, read_rules(commits, base))
    except MalformedDiff as error:
        return ModelReview(model.name, failed=str(error))


def _git(repository: Path) -> GitProcess:
    """A git of ours for a repository, bare or with a work tree; it reads no attributes, hooks and settings of the user."""
    for folder in (repository.absolute(), *repository.absolute().parents):
        place = folder / ".git"
        if place.is_dir():
            return _at(place)
        if place.is_file():  # a linked work tree, or a submodule
            return _at(folder / place.read_text().removeprefix("gitdir:").strip())
        if (folder / "HEAD").is_file() and (folder / "objects").is_dir():
            return _at(folder)
    raise NoRange(f"{repository} is in no git repository")


def _at(directory: Path) -> GitProcess:
    return GitProcess(directory, more={"GIT_DIR": str(directory)})


def json_lines(review: RangeReview) -> Iterator[str]:
    """One object for each finding, and one with the verdict."""
    for item in review.scan.findings:
        said = {
            "path": item.path,
            "line": item.line,
            "end_line": item.end_line or item.line,
            "level": LEVELS[item.effective_level],
            "rule": item.rule,
            "engine": item.engine,
            "category": item.category.value,
            "title": item.title,
            "text": item.why,
        }
        yield json.dumps(said)
    left = [f"{who}: {why}" for who, why in review.not_reviewed]
    yield json.dumps({"verdict": VERDICTS[review.verdict], "not_reviewed": left} | _model_facts(review.model))


def _model_facts(model: ModelReview | None) -> dict[str, Any]:
    """What a model took part with: its name, what it was not shown, and its cost in dollars."""
    if model is None:
        return {}
    return {"model": model.model, "not_read": [path for path, _ in model.unread], "cost": model.cost / DOLLAR}


def text(review: RangeReview) -> Iterator[str]:
    """What a person reads at a terminal; nothing in it steers the terminal."""
    for item in review.scan.findings:
        where = f"{item.path}:{item.line} " if item.line else f"{item.path} " if item.path else ""
        yield f"{item.effective_level.value} {printable(where)}{printable(item.title)}"
        why = " ".join(filter(None, [printable(item.why), f"[{item.engine} {item.rule}]" if item.engine else ""]))
        if why:
            yield f"   {why}"
    for who, why in review.not_reviewed:
        yield f"{Verdict.NOT_REVIEWED.value}: {printable(who)}: {printable(why)}"
    if review.model is not None:
        yield from (f"not read by the model: {printable(path)}: {why}" for path, why in review.model.unread)
        used = dollars(review.model.cost) if review.model.cost else f"{review.model.tokens:,} tokens"
        yield f"{printable(review.model.model)} cost {used}"
    ran = ", ".join(review.scan.ran) or "nothing"
    yield f"{VERDICTS[review.verdict].replace('_', ' ')} ({ran} looked at {review.scan.head_sha[:7]})"


def sarif(review: RangeReview) -> str:
    """The same as SARIF 2.1.0, for those who collect that."""
    rules = {item.rule: item for item in review.scan.findings}
    notes = [{"level": "error", "message": {"text": f"Not reviewed: {who}: {why}"}} for who, why in review.not_reviewed]
    run = {
        "tool": {
            "driver": {
                "name": "forgehive",
                "rules": [{"id": name, "shortDescription": {"text": item.title}} for name, item in rules.items()],
            }
        },
        "columnKind": "unicodeCodePoints",
        "invocations": [{"executionSuccessful": not notes, "toolExecutionNotifications": notes}],
        "results": [_result(item) for item in review.scan.findings],
    }
    return json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, indent=1)


def _result(item: Finding) -> dict[str, Any]:
    place: dict[str, Any] = {"artifactLocation": {"uri": _uri(item.path)}}
    if item.line:
        place["region"] = {"startLine": item.line, "endLine": item.end_line or item.line}
    kind = "pass" if item.level is Level.GREEN else "fail"
    return {
        "ruleId": item.rule,
        "kind": kind,
        "level": "none" if kind == "pass" else SARIF_LEVELS[item.effective_level],
        "message": {"text": f"{item.title}. {item.why}".strip()},
        "locations": [{"physicalLocation": place}] if item.path else [],
    }


def _uri(path: str) -> str:
    return quote(path.encode("utf-8", "surrogateescape"))
