"""Sets a project's own version wherever it says the same one. Performs no I/O."""

from __future__ import annotations

import re
from collections.abc import Iterator

_FORMS: tuple[tuple[str, str], ...] = (
    (r"(?:.*/)?pyproject\.toml", r"(?ms)^\[(?:project|tool\.poetry)\]$(?:(?!^\[).)*?^version[ \t]*=[ \t]*[\"'](?P<version>[^\"'\n]+)[\"']"),
    (r"(?:.*/)?setup\.cfg", r"(?ms)^\[metadata\]$(?:(?!^\[).)*?^version[ \t]*=[ \t]*(?P<version>\d[^\s]*)$"),
    (r"(?:.*/)?setup\.py", r"(?m)\bversion[ \t]*=[ \t]*[\"'](?P<version>\d[^\"'\n]*)[\"']"),
    (r"(?:.*/)?package\.json", r"(?s)\A\s*\{(?:(?!\{).)*?\"version\"\s*:\s*\"(?P<version>[^\"\n]+)\""),
    (r"(?:.*/)?Cargo\.toml", r"(?ms)^\[(?:package|workspace\.package)\]$(?:(?!^\[).)*?^version[ \t]*=[ \t]*\"(?P<version>[^\"\n]+)\""),
    (r"(?:.*/)?(?:__init__|_?_?version_?_?|__about__|about)\.py", r"(?m)^_*(?:__version__|VERSION|version)[ \t]*(?::[ \t]*\w+[ \t]*)?=[ \t]*[\"'](?P<version>\d[^\"'\n]*)[\"']"),
    (r"(?:.*/)?VERSION(?:\.txt)?", r"\A(?P<version>\d\S*)\s*\Z"),
    (r"(?:.*/)?Chart\.yaml", r"(?m)^version:[ \t]*[\"']?(?P<version>\d[^\s\"']*)"),
    (r"(?:.*/)?pom\.xml", r"(?s)\A(?:(?!<(?:parent|dependencies|build|modules|properties)>).)*?<version>\s*(?P<version>\d[^<\s]*)\s*</version>"),
    (r"(?:.*/)?build\.gradle(?:\.kts)?", r"(?m)^version[ \t]*=?[ \t]*[\"'](?P<version>\d[^\"'\n]*)[\"']"),
    (r"(?:.*/)?gradle\.properties", r"(?m)^version[ \t]*=[ \t]*(?P<version>\d\S*)$"),
    (r"(?:.*/)?mix\.exs", r"(?m)\bversion:[ \t]*\"(?P<version>\d[^\"\n]*)\""),
    (r"(?:.*/)?composer\.json", r"(?s)\A\s*\{(?:(?!\{).)*?\"version\"\s*:\s*\"(?P<version>[^\"\n]+)\""),
)  # fmt: skip
"""Where projects say their version: the path, and the first place in the file."""

MAIN = ("pyproject.toml", "package.json", "Cargo.toml", "setup.cfg", "setup.py", "pom.xml", "VERSION")
"""What a project's version is read from, in this order; then from whatever else says one."""

DYNAMIC = re.compile(r"^dynamic[ \t]*=[ \t]*\[[^\]]*[\"']version[\"']", re.MULTILINE)


def places(path: str, text: str) -> Iterator[tuple[int, int]]:
    """Where a file says the version of its project: from and to."""
    for where, form in _FORMS:
        if re.fullmatch(where, path) and (fits := re.search(form, text[:200_000])) is not None:
            yield fits.span("version")


def lock_places(path: str, text: str, names: set[str], old: str) -> Iterator[tuple[int, int]]:
    """Where a lock file repeats the version of the project itself: there it can be set exactly."""
    base = path.rpartition("/")[2]
    if base == "package-lock.json":
        head = re.match(r"(?s)\s*\{(?:(?!\{).)*?\"version\"\s*:\s*\"(?P<version>[^\"\n]+)\"", text[:10_000])
        root = re.search(
            r"\"packages\"\s*:\s*\{\s*\"\"\s*:\s*\{[^{}]*?\"version\"\s*:\s*\"(?P<version>[^\"\n]+)\"", text[:20_000]
        )
        yield from (fits.span("version") for fits in (head, root) if fits is not None and fits["version"] == old)
    elif base in {"Cargo.lock", "uv.lock"}:
        entry = re.compile(
            r"\[\[package\]\]\r?\nname = \"(?P<name>[^\"\n]+)\"\r?\nversion = \"(?P<version>[^\"\n]+)\"(?P<after>\r?\n[^\n]*)"
        )
        for fits in entry.finditer(text):
            is_local = "source" not in fits["after"] or "editable" in fits["after"] or "virtual" in fits["after"]
            if fits["version"] == old and is_local and re.sub(r"[-_.]+", "-", fits["name"]).lower() in names:
                yield fits.span("version")


def project_names(texts: dict[str, str]) -> set[str]:
    """What manifests call the project."""
    found: set[str] = set()
    for path, text in texts.items():
        if path.rpartition("/")[2] in {"pyproject.toml", "Cargo.toml", "package.json"}:
            fits = re.search(r"(?m)^\s*\"?name\"?[ \t]*[=:][ \t]*\"(?P<name>[^\"\n]+)\"", text)
            found |= {re.sub(r"[-_.]+", "-", fits["name"]).lower()} if fits else set()
    return found
