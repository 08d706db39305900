"""`root` of hive.yaml: the distribution of which containers are made, by names of packages. Performs no I/O."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Final

from annotated_types import MaxLen

from hive.codec import STRICT, FieldError
from hive.config.yaml_loader import shown

PACKAGE: Final = re.compile(r"[a-z0-9](?:[a-z0-9+.-]{0,62}[a-z0-9+])", re.ASCII)
"""A name of a package of Debian (deb-control(5)), without an end by which apt would mean more than that package."""

SUITE: Final = re.compile(r"[a-z][a-z0-9-]{0,31}", re.ASCII)
MIRROR: Final = re.compile(r"https?://[A-Za-z0-9._~:/\[\]-]{1,200}", re.ASCII)


@dataclass(frozen=True, slots=True)
class RootSettings:
    """What the containers of `sandbox: nspawn` and `podman` are made of, instead of this host's programs."""

    suite: str = ""
    """Release of Debian, such as `bookworm`; empty for the programs of this host (`packages_path`)."""

    mirror: str = "https://deb.debian.org/debian"
    """Where its packages come from; they are signed by the distribution."""

    packages: Annotated[tuple[str, ...], MaxLen(200)] = ()
    """Packages that every container has, beside the usual ones; `packages` of an agent adds to them."""

    __pydantic_config__: ClassVar = STRICT


HOSTS_PROGRAMS = RootSettings()


def mistakes(root: Mapping[str, Any]) -> Iterator[FieldError]:
    """What is wrong in `root`, beyond the types of its keys."""
    for key, pattern, what in (("suite", SUITE, "the name of a release"), ("mirror", MIRROR, "http(s)://HOST/PATH")):
        value = root.get(key)
        if isinstance(value, str) and value and not pattern.fullmatch(value):
            yield FieldError(("root", key), f"should be {what} (it is {shown(value)})")
    packages = root.get("packages")
    yield from wrong_names(("root", "packages"), packages if isinstance(packages, list) else [])


def wrong_names(place: tuple[str | int, ...], packages: Iterable[object]) -> Iterator[FieldError]:
    """Those of a list of packages that can be the name of none."""
    for index, package in enumerate(packages):
        if isinstance(package, str) and not PACKAGE.fullmatch(package):
            yield FieldError((*place, index), f"should be the name of a package of Debian (it is {shown(package)})")
