"""`base.yaml` of `hive/meta`: what the container of every agent on a forge holds, changed only by pull requests that operators merge.

Its `lock` records what the programs of every container were on the host when operators approved them. Performs no I/O.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, Any, ClassVar

import yaml
from annotated_types import MaxLen

from hive.codec import STRICT, FieldError
from hive.config.agent_yaml import environment_errors, package_errors
from hive.config.env_denylist import MAX_VARIABLES
from hive.config.yaml_loader import shown
from hive.config.yaml_locations import BadYaml, Document

FILE = "base.yaml"
HEAD = """\
# What the container of every agent holds beside what its own agent.yaml says. A merged pull request rebuilds all of them,
# one after another. `lock` is what the programs of every container are on the host: `hive base update` proposes it.
"""
LOCKED = re.compile(r"\S{1,200}", re.ASCII)
MOST_LOCKED = 200
_LOCK = re.compile(r"^lock:[^\n]*\n?(?:[ \t#-][^\n]*\n?|\n)*", re.MULTILINE)
"""The block of the lock: its key, and all that is indented below it."""


@dataclass(frozen=True, slots=True)
class BaseFile:
    """All of `base.yaml`: what every agent's container holds."""

    packages: Annotated[tuple[str, ...], MaxLen(100)] = ()
    """Commands of every container beyond the usual ones, by the name of their program in `packages_path`."""

    env: Annotated[dict[str, str], MaxLen(MAX_VARIABLES)] = field(default_factory=dict)
    """Variables of every agent's commands; a variable of an agent's own wins."""

    lock: Annotated[dict[str, str], MaxLen(MOST_LOCKED)] = field(default_factory=dict)
    """What each package of every container is on the host, as `hive base update` writes it; empty if nobody wants to know."""

    __pydantic_config__: ClassVar = STRICT


@dataclass(frozen=True)
class Base:
    """What the container of every agent holds; the empty one adds nothing."""

    packages: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    lock: tuple[tuple[str, str], ...] = ()

    @cached_property
    def digest(self) -> str:
        """40 hexadecimal digits for what it says, comments and order of the file aside; empty for the empty one."""
        if not (self.packages or self.env or self.lock):
            return ""
        said = json.dumps([sorted(set(self.packages)), self.env, self.lock])
        return hashlib.sha256(said.encode()).hexdigest()[:40]


NO_BASE = Base()


def read_base(text: str) -> Base:
    """Read `base.yaml`; raises BadYaml with every mistake."""
    document = Document(FILE, text)
    data = document.data if isinstance(document.data, dict) else {}
    found = document.read(BaseFile, more=list(_field_errors(data)))
    return Base(found.packages, tuple(sorted(found.env.items())), tuple(sorted(found.lock.items())))


def with_lock(text: str, lock: Mapping[str, str]) -> str:
    """The text of a base with another lock, comments and order kept; an empty text is the first one. Raises BadYaml.

    A text that is written in a way that cannot be edited in place is written again, without its comments.
    """
    before = read_base(text) if text.strip() else NO_BASE
    wanted = Base(before.packages, before.env, tuple(sorted(lock.items())))
    block = f"lock:\n{_lines(dict(wanted.lock))}" if wanted.lock else ""
    whole = text if text.strip() else HEAD
    rest = _LOCK.sub("", whole).rstrip("\n")
    edited = f"{rest}\n{block}"
    try:
        if read_base(edited) == wanted:
            return edited
    except BadYaml:
        pass
    return write_base(wanted)


def write_base(base: Base) -> str:
    """A base as text."""
    said = [f"packages: {_flow(list(base.packages))}\n"] if base.packages else []
    said += [f"env:\n{_lines(dict(base.env))}"] if base.env else []
    said += [f"lock:\n{_lines(dict(base.lock))}"] if base.lock else []
    return HEAD + "".join(said or ["{}\n"])


def _lines(values: Mapping[str, str]) -> str:
    return "".join(f"  {_flow(key)}: {_flow(value)}\n" for key, value in values.items())


def _flow(value: Any) -> str:
    text = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=10_000, allow_unicode=True)
    return text.removesuffix("\n").removesuffix("\n...")


def _field_errors(data: Mapping[str, Any]) -> Iterator[FieldError]:
    yield from package_errors(data.get("packages"))
    yield from environment_errors(data.get("env"))
    lock = data.get("lock")
    for key, value in lock.items() if isinstance(lock, dict) else ():
        if isinstance(value, str) and not LOCKED.fullmatch(value):
            said = f"should be one word, as `hive base update` writes it (it is {shown(value)})"
            yield FieldError(("lock", key), said)
