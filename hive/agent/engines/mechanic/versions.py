"""Versions and the ranges that manifests write them in. Performs no I/O."""

from __future__ import annotations

import re

from hive.agent.errors import ToolError

OPERATOR = re.compile(r"\s*(?P<operator>===|==|~=|>=|<=|!=|~>|>|<|\^|~|=)?\s*(?P<version>[\w*][^,\s|]*)\s*")
UPPER = frozenset({"<", "<=", "!="})
MAX_SPEC = 200


def numbers(version: str) -> tuple[int, ...]:
    """The numbers that a version begins with, to compare it by."""
    found = re.match(r"v?(\d{1,9}(?:\.\d{1,9})*)", version)
    return tuple(int(part) for part in found[1].split(".")) if found else ()


def is_below(version: str, bound: str) -> bool:
    """Whether a version is lower than another one."""
    left, right = numbers(version), numbers(bound)
    width = max(len(left), len(right))
    return left + (0,) * (width - len(left)) < right + (0,) * (width - len(right))


def raised(spec: str, version: str, name: str) -> str:
    """A range with its version replaced: operators, order and spaces stay. Raises ToolError where that would lie.

    `>=2.28,<3` becomes `>=2.32.4,<3`; an upper bound that the version exceeds is for a person to judge.
    """
    if not spec.strip() or spec.strip() in {"*", "latest", "x"}:
        raise ToolError(f"`{name}` is not pinned: it takes any version")
    if len(spec) > MAX_SPEC or "||" in spec or " - " in spec:
        raise ToolError(f"`{name}` has the range `{spec[:80]}`, which I cannot change exactly")
    version = version.removeprefix("v")
    made: list[str] = []
    done = False
    for part in spec.split(","):
        fits = OPERATOR.fullmatch(part)
        if fits is None:
            raise ToolError(f"`{name}` has the range `{spec[:80]}`, which I cannot change exactly")
        if fits["operator"] in UPPER:
            _within(name, version, fits["operator"], fits["version"])
        elif not done:
            start, end = fits.span("version")
            prefix = "v" if fits["version"].startswith("v") else ""
            made.append(part[:start] + prefix + version + part[end:])
            done = True
            continue
        made.append(part)
    if not done:
        raise ToolError(f"`{name}` has only an upper bound, `{spec.strip()}`")
    return ",".join(made)


def _within(name: str, version: str, operator: str, bound: str) -> None:
    exceeds = not is_below(version, bound) if operator == "<" else is_below(bound, version)
    if (operator == "!=" and numbers(version) == numbers(bound)) or (operator != "!=" and exceeds):
        raise ToolError(f"`{name}` {version} is outside of the bound `{operator}{bound}`")


def next_version(version: str, part: str) -> str:
    """The version after one: `minor` of 1.4.2 is 1.5.0; raises ToolError for one that is not three numbers."""
    fits = re.fullmatch(r"(\d{1,9})\.(\d{1,9})\.(\d{1,9})", version)
    if fits is None:
        raise ToolError(f"the version is `{version[:40]}`, which is not three numbers: say which one comes next")
    major, minor, patch = (int(each) for each in fits.groups())
    return {"major": f"{major + 1}.0.0", "minor": f"{major}.{minor + 1}.0", "patch": f"{major}.{minor}.{patch + 1}"}[
        part
    ]
