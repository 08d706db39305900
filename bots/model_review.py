"""A model's reading of a pull request, in nouns: what it is asked, what it claims, and what was made of that. Performs no I/O.

A model claims and code decides: what it says is admitted by `bots.review_admission`, and a verdict is never its own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from bots.models import Category, Finding, Level, Scan
from bots.review_policy import DEFAULT_POLICY, ReviewPolicy

MODEL = "model"
"""What findings of a model name as their engine."""


class Confidence(StrEnum):
    """How sure a model is of what it claims, by its own word."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class SecondLook(StrEnum):
    """What a model says of one claim when it is asked for nothing else."""

    CONFIRMED = "confirmed"
    REFUTED = "refuted"
    UNSURE = "unsure"


@dataclass(frozen=True, slots=True)
class Claim:
    """One thing that a model says of a line: `quote` is that line in its words, `replacement` what should stand there."""

    path: str
    line: int
    quote: str
    level: Level
    category: Category
    confidence: Confidence
    title: str
    body: str = ""
    replacement: str = ""


@dataclass(frozen=True, slots=True)
class ReviewTask:
    """What a model is asked about a pull request.

    `findings` are what was said of it already, by analysers and in earlier rounds. Only what has changed between `since` and the head is to be
    read, and files of `unread`; all of it without `since`. `author` is the login of who wrote the texts, `standing` who that is
    to the team. Two tasks that differ in `again` alone are two questions: the second one is not answered from memory.
    """

    title: str
    description: str
    author: str
    standing: str
    base: str
    base_sha: str
    findings: tuple[Finding, ...] = ()
    policy: ReviewPolicy = DEFAULT_POLICY
    since: str = ""
    unread: tuple[str, ...] = ()
    again: str = ""


@dataclass(frozen=True, slots=True)
class ModelReview:
    """What came of asking a model.

    `read` are the files that it was shown, `unread` those that it was not, with the reason; `failed` is why it cannot count as having read
    them, which `may_pass`. `withheld` are claims that were not admitted, by the reason, with their number; `checked` how many claims got a second look.
    `cost` is that of this review and `total` that of all reviews of the pull request, in billionths of a dollar; `tokens` are those of
    this review.
    """

    model: str
    findings: tuple[Finding, ...] = ()
    read: tuple[str, ...] = ()
    unread: tuple[tuple[str, str], ...] = ()
    failed: str = ""
    withheld: tuple[tuple[str, int], ...] = ()
    checked: int = 0
    cost: int = 0
    total: int = 0
    tokens: int = 0
    may_pass: bool = False


def with_model(scan: Scan, review: ModelReview) -> Scan:
    """A scan with what a model says beside the analysers; a model that failed is an engine that failed.

    Praise of the change as a whole is none any more when the model finds something.
    """
    is_clean = not review.failed and all(item.level is Level.GREEN for item in review.findings)
    kept = (item for item in scan.findings if is_clean or item.level is not Level.GREEN or item.path)
    return replace(
        scan,
        findings=(*kept, *review.findings),
        ran=(*scan.ran, MODEL) if review.read and not review.failed else scan.ran,
        failed=(*scan.failed, (MODEL, review.failed)) if review.failed else scan.failed,
    )
