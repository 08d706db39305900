"""`review` of `.hive.yaml`, or of `REVIEW.md`: what a repository wants of its reviews, as its base branch says.

`REVIEW.md` tells people how changes are reviewed here; its first block of YAML may hold the settings, beside their reasons.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Annotated, Any, ClassVar, Literal

from annotated_types import Ge, Le, MaxLen, MinLen

from bots.models import Level
from bots.review_policy import OwnRule, ReviewMode, ReviewPolicy, Suppression
from hive.codec import STRICT, FieldError
from hive.config.yaml_locations import Document

LEVELS = {"red": Level.RED, "yellow": Level.YELLOW, "green": Level.GREEN}
MAX_WILDCARDS = 4
"""Wildcards of one pattern: with more of them a path could be made that takes long to compare."""

_BLOCK = re.compile(
    r"^(?P<fence>```+|~~~+)[ \t]*ya?ml[ \t]*\n(?P<yaml>.*?)^(?P=fence)[ \t]*$", re.MULTILINE | re.DOTALL
)

Glob = Annotated[str, MinLen(1), MaxLen(200)]
Globs = Annotated[tuple[Glob, ...], MaxLen(100)]
Words = Annotated[str, MinLen(1), MaxLen(500)]


@dataclass(frozen=True, slots=True)
class OwnRuleSettings:
    """A rule of the repository itself: a text that added lines should not hold."""

    name: Annotated[str, MinLen(1), MaxLen(60)]
    """Its name, by which it can be suppressed."""

    text: Words
    """What the line holds, letter by letter."""

    title: Annotated[str, MinLen(1), MaxLen(120)]
    """What the finding is called."""

    why: Annotated[str, MaxLen(600)] = ""
    """Why, and what would be right."""

    level: Literal["red", "yellow"] = "yellow"
    """Whether it blocks."""

    paths: Globs = ()
    """The files in which it counts; all without any."""

    __pydantic_config__: ClassVar = STRICT


@dataclass(frozen=True, slots=True)
class SuppressionSettings:
    """Findings that are not said."""

    rule: Annotated[str, MaxLen(100)] = ""
    """The rule, as the review names it; all rules without one."""

    paths: Globs = ()
    """The files; all without any."""

    why: Annotated[str, MaxLen(600)] = ""
    """The reason, for those who read the file."""

    __pydantic_config__: ClassVar = STRICT


@dataclass(frozen=True, slots=True)
class ReviewSettings:
    """How pull requests of a repository are reviewed; read from the base branch of each."""

    mode: Literal["off", "on_demand", "open", "push"] = "push"
    """When: never, after `/review`, when they are opened, or after each push. Where no review is, `hive/review` says so."""

    floor: Literal["red", "yellow", "green"] = "green"
    """The lowest level that is said."""

    paths: Globs = ()
    """The files whose findings are said; all without any. Secrets are said in every file."""

    ignore: Globs = ()
    """Files whose findings are not said."""

    suppress: Annotated[tuple[SuppressionSettings, ...], MaxLen(100)] = ()
    """Findings that are not said."""

    rules: Annotated[tuple[OwnRuleSettings, ...], MaxLen(50)] = ()
    """Rules of the repository itself."""

    inline: Annotated[int, Ge(0), Le(50)] = 10
    """The most comments on lines in one review; more findings are listed in its text."""

    model: bool = True
    """Whether the model of `review.model` in `hive.yaml` reads changes, if the hive has one."""

    approve: bool = False
    """Whether a change without anything red is approved by the bot's account; otherwise only to take back its own rejection."""

    learn: Annotated[int, Ge(0), Le(1000)] = 5
    """How often a rule has to be dismissed in a folder, and never followed there, until the hive proposes to suppress it; 0: never."""

    __pydantic_config__: ClassVar = STRICT


REVIEW_DEFAULTS = ReviewSettings()


@dataclass(frozen=True, slots=True)
class ReviewGuide:
    """The settings in `REVIEW.md`."""

    review: ReviewSettings = REVIEW_DEFAULTS
    """As in `.hive.yaml`."""

    __pydantic_config__: ClassVar = STRICT


def read_guide(text: str) -> ReviewSettings:
    """The settings in the first block of YAML of `REVIEW.md`, with the lines of that file; raises BadYaml."""
    found = _BLOCK.search(text)
    if found is None:
        return REVIEW_DEFAULTS
    above = text.count("\n", 0, found.start("yaml"))
    document = Document("REVIEW.md", "\n" * above + found["yaml"])
    data = document.data if isinstance(document.data, dict) else {}
    return document.read(ReviewGuide, more=list(review_errors(data.get("review")))).review


def prose_of(text: str) -> str:
    """What `REVIEW.md` tells people and models: all but its settings."""
    return _BLOCK.sub("", text, count=1).strip()


def joined(one: ReviewSettings, other: ReviewSettings) -> ReviewSettings:
    """Two settings as one: lists together, and of each other key the value of `one`, unless it is the default."""
    values: dict[str, Any] = {}
    for field in fields(ReviewSettings):
        mine, theirs, default = (getattr(each, field.name) for each in (one, other, REVIEW_DEFAULTS))
        values[field.name] = (*mine, *theirs) if isinstance(default, tuple) else theirs if mine == default else mine
    return replace(one, **values)


def policy_of(settings: ReviewSettings) -> ReviewPolicy:
    """The settings as the review bot reads them."""
    return ReviewPolicy(
        mode=ReviewMode(settings.mode),
        floor=LEVELS[settings.floor],
        paths=settings.paths,
        ignored=settings.ignore,
        suppressions=tuple(Suppression(each.rule, each.paths) for each in settings.suppress),
        rules=tuple(
            OwnRule(each.name, each.text, each.title, each.why, LEVELS[each.level], each.paths)
            for each in settings.rules
        ),
        inline=settings.inline,
        model=settings.model,
        approve=settings.approve,
        learn=settings.learn,
    )


def review_errors(settings: object) -> Iterator[FieldError]:
    """What is wrong with the patterns and suppressions of `review`, which may be data of any shape."""
    if not isinstance(settings, dict):
        return
    for key in ("paths", "ignore"):
        yield from _glob_errors(settings.get(key), ("review", key))
    for key in ("suppress", "rules"):
        listed = settings.get(key)
        for at, each in enumerate(listed if isinstance(listed, list) else ()):
            if not isinstance(each, dict):
                continue
            yield from _glob_errors(each.get("paths"), ("review", key, at, "paths"))
            if key == "suppress" and not each.get("rule") and not each.get("paths"):
                yield FieldError(("review", key, at), "needs a rule or paths: `mode: off` switches all reviews off")


def _glob_errors(globs: object, place: tuple[str | int, ...]) -> Iterator[FieldError]:
    for at, glob in enumerate(globs if isinstance(globs, list) else ()):
        if isinstance(glob, str) and len(re.findall(r"\*+|\?", glob)) > MAX_WILDCARDS:
            yield FieldError((*place, at), f"has more than {MAX_WILDCARDS} wildcards")
