"""What the mechanic can be asked for, frozen: each is done without thinking. Performs no I/O."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ApplyPatch:
    """Apply a unified diff."""

    text: str


@dataclass(frozen=True, slots=True)
class ReplaceLine:
    """Put `new` in the place of what stands on a line; without `old`, of whatever stands there. Empty removes it."""

    path: str
    line: int
    new: str
    old: str | None = None


@dataclass(frozen=True, slots=True)
class RunFormatters:
    """Run the formatters and the fixes of the linters that the repository configures; only some `tools`, if any are named."""

    tools: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    fixes: bool = False
    """Whether linters may fix what they find, beside the layout."""


@dataclass(frozen=True, slots=True)
class BumpDependency:
    """Set the version of what is named so; with `paths` in these files only."""

    name: str
    version: str
    paths: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BumpVersion:
    """Set the project's own version; `part` is `major`, `minor` or `patch` where no version is named."""

    version: str = ""
    part: str = ""


@dataclass(frozen=True, slots=True)
class Rename:
    """Rename an identifier, or a file if `kind` says so; without a kind what is there decides."""

    old: str
    new: str
    kind: str = ""
    paths: tuple[str, ...] = ()
    in_text: bool = False
    """Whether comments and strings are changed as well."""


@dataclass(frozen=True, slots=True)
class ReplaceText:
    """Replace a text, in some files or, if `everywhere`, in all; `whole` leaves it within longer words."""

    old: str
    new: str
    paths: tuple[str, ...] = ()
    everywhere: bool = False
    whole: bool = False


@dataclass(frozen=True, slots=True)
class AddLines:
    """Add lines to a file: at its end, its top, or beside a line that is named."""

    path: str
    lines: tuple[str, ...]
    place: str = "end"
    """`end`, `top`, `before` or `after`."""

    beside: str = ""


@dataclass(frozen=True, slots=True)
class DeleteLines:
    """Delete lines that stand together in a file exactly so."""

    path: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DeletePath:
    """Delete a file or a folder."""

    path: str
    is_folder: bool = False


@dataclass(frozen=True, slots=True)
class PutFile:
    """Create a file; an existing one is replaced only if `replaces`."""

    path: str
    text: str
    replaces: bool = False


@dataclass(frozen=True, slots=True)
class HaveProgram:
    """See that a program is in the container, and ask for it if not."""

    name: str


Wish = (
    ApplyPatch
    | ReplaceLine
    | RunFormatters
    | BumpDependency
    | BumpVersion
    | Rename
    | ReplaceText
    | AddLines
    | DeleteLines
    | DeletePath
    | PutFile
    | HaveProgram
)
