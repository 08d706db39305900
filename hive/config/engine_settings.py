"""`review.engines` of `hive.yaml`: analysers that the operator adds to those of the review."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from annotated_types import Ge, Le, MaxLen, MinLen

from hive.codec import STRICT, FieldError

Kind = Literal["python", "script", "rust", "go", "shell", "yaml", "docker", "nix", "json", "toml", "unit", "text"]
EngineName = Annotated[str, MinLen(1), MaxLen(30)]
RuleId = Annotated[str, MinLen(1), MaxLen(200)]
Status = Annotated[int, Ge(0), Le(255)]

TAKEN = frozenset(
    {
        *("ruff", "ast-grep", "directives", "taint", "detect-secrets", "shellcheck", "yamllint", "syntax", "documents"),
        *("hadolint", "zizmor", "oxlint", "eslint", "conflicts", "tree", "model", "the repository", "git", "change"),
    }
)
"""Names that findings have of their own."""


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """An analyser that writes SARIF. It gets copies of files, and must neither run them nor need a network."""

    name: EngineName
    """Its name in findings: letters, digits and `-`."""

    command: Annotated[tuple[str, ...], MinLen(1), MaxLen(100)]
    """The program with its options; the files follow. It writes SARIF to standard output."""

    reads: Annotated[tuple[Kind, ...], MinLen(1)]
    """The kinds of files that it is given; `script` is JavaScript and TypeScript, `text` any other."""

    statuses: tuple[Status, ...] = (0,)
    """The exit statuses of a run that finished."""

    found: tuple[Status, ...] = (1,)
    """Those that promise a finding: one of them without any is a crash. Any other status is a failure, and the change is not reviewed."""

    level: Literal["red", "yellow"] = "yellow"
    """The level of its findings: red blocks."""

    red: tuple[RuleId, ...] = ()
    """Rules whose findings are red all the same."""

    ignore: tuple[RuleId, ...] = ()
    """Rules whose findings are not said."""

    adds: Annotated[str, MaxLen(200)] = ""
    """What it sees, for `hive engines`."""

    __pydantic_config__: ClassVar = STRICT


def engine_errors(review: object) -> Iterator[FieldError]:
    """Names of analysers that cannot be used, or are taken."""
    listed: Any = review.get("engines") if isinstance(review, dict) else None
    taken = set(TAKEN)
    for at, each in enumerate(listed if isinstance(listed, list) else ()):
        name = each.get("name") if isinstance(each, dict) else None
        if not isinstance(name, str) or not name:
            continue
        place = ("review", "engines", at, "name")
        if not all(part.isascii() and part.isalnum() for part in name.split("-")):
            yield FieldError(place, "should be letters, digits and `-`")
        elif name.lower() in taken:
            yield FieldError(place, "is the name of another analyser")
        taken.add(name.lower())
