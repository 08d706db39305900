"""Sets the version of what is referred to by a tag: images, actions, hooks, flake inputs, languages. Performs no I/O."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase

from hive.agent.engines.mechanic.manifests import Bumped
from hive.agent.errors import ToolError

DIGEST = "`{name}` is pinned by a digest in `{path}`, which a new version needs one of as well"
SHA = "`{name}` is pinned to a commit in `{path}`: name the commit of {version}"

Tag = tuple[int, int, str]
Reader = Callable[[str, str, str, str], Iterator[Tag]]
"""Finds a reference: where its tag stands, from and to, and what should stand there; (path, text, name, version)."""


def bump(path: str, text: str, name: str, version: str) -> Bumped:
    """Set the version of a reference in a file; nothing is changed where it is not named. Raises ToolError."""
    bumped = Bumped(text)
    found: dict[tuple[int, int], str] = {}
    for pattern, reader in READERS:
        if fnmatchcase(path, pattern) or ("/" not in pattern and fnmatchcase(path.rpartition("/")[2], pattern)):
            found |= {(start, end): new for start, end, new in reader(path, text, name, version)}
    for (start, end), new in sorted(found.items(), reverse=True):
        line = text.count("\n", 0, start) + 1
        if text[start:end] == new:
            bumped.same.append(line)
            continue
        bumped.text = bumped.text[:start] + new + bumped.text[end:]
        bumped.changes.insert(0, (line, text[start:end], new))
    return bumped


def _like(old: str, version: str) -> str:
    """A version with the `v` that the old one has, or has not."""
    return f"v{version.removeprefix('v')}" if old.startswith("v") else version.removeprefix("v")


def _images(path: str, text: str, name: str, version: str) -> Iterator[Tag]:
    """`FROM python:3.11-slim` and `image: python:3.11`; what follows the version in a tag stays."""
    image = re.compile(
        r"^[ \t]*(?:-[ \t]+)?(?:FROM(?:[ \t]+--\S+)*|image:|container:)[ \t]+[\"']?(?P<image>[\w./:-]+?)"
        r"(?::(?P<tag>[\w.-]+))?(?P<digest>@sha256:[0-9a-f]+)?(?=[\"'\s]|$)",
        re.MULTILINE | re.IGNORECASE,
    )
    for fits in image.finditer(text):
        known = fits["image"].lower()
        if known != name.lower() and not known.endswith(f"/{name.lower()}"):
            continue
        if fits["digest"]:
            raise ToolError(DIGEST.format(name=name, path=path))
        if fits["tag"] is None:
            raise ToolError(f"`{name}` has no tag in `{path}`")
        number = re.match(r"v?\d+(?:\.\d+)*", fits["tag"])
        has_more = number is None or "-" in version
        rest = "" if has_more or number is None else fits["tag"][number.end() :]
        yield *fits.span("tag"), _like(fits["tag"], version) + rest if number else version


def _actions(path: str, text: str, name: str, version: str) -> Iterator[Tag]:
    uses = re.compile(r"^[ \t]*(?:-[ \t]+)?uses:[ \t]+[\"']?(?P<action>[^@\s\"']+)@(?P<tag>[^\s\"'#]+)", re.MULTILINE)
    for fits in uses.finditer(text):
        action = re.sub(r"^https?://[^/]+/", "", fits["action"])
        owned = "/".join(action.split("/")[:2])
        if name.lower() not in {
            fits["action"].lower(),
            action.lower(),
            owned.lower(),
            owned.rpartition("/")[2].lower(),
        }:
            continue
        if re.fullmatch(r"[0-9a-f]{40}", fits["tag"]) and not re.fullmatch(r"[0-9a-f]{40}", version):
            raise ToolError(SHA.format(name=name, path=path, version=version))
        yield *fits.span("tag"), _like(fits["tag"], version) if re.match(r"v?\d", version) else version


def _hooks(path: str, text: str, name: str, version: str) -> Iterator[Tag]:
    hook = re.compile(r"repo:[ \t]+[\"']?(?P<repo>\S+?)[\"']?[ \t]*\n[ \t]+rev:[ \t]+[\"']?(?P<tag>[^\s\"'#]+)")
    for fits in hook.finditer(text):
        repo = fits["repo"].removesuffix(".git").lower()
        if repo.endswith((f"/{name.lower()}", f"/{name.lower()}-pre-commit", f"/mirrors-{name.lower()}")):
            yield *fits.span("tag"), _like(fits["tag"], version)


def _flake(path: str, text: str, name: str, version: str) -> Iterator[Tag]:
    """The last part of an input's address: `nixpkgs.url = "github:NixOS/nixpkgs/nixos-23.11"`."""
    value = r"\"(?P<address>(?:github|gitlab|sourcehut):[\w.-]+/[\w.-]+)(?:/(?P<tag>[\w./-]+))?\""
    key = re.escape(name)
    for form in (rf"\b{key}\.url\s*=\s*{value}", rf"\b{key}\s*=\s*\{{[^{{}}]*?\burl\s*=\s*{value}"):
        for fits in re.finditer(form, text):
            if fits["tag"] is None:
                raise ToolError(f"the input `{name}` names no branch or tag in `{path}`")
            yield *fits.span("tag"), version


def _language(*names: str) -> Reader:
    """A file that holds nothing but the version of a language."""

    def read(path: str, text: str, name: str, version: str) -> Iterator[Tag]:
        fits = re.match(r"\s*(?P<tag>\S+)", text)
        if fits is not None and name.lower() in names:
            yield *fits.span("tag"), _like(fits["tag"], version)

    return read


def _tool_versions(path: str, text: str, name: str, version: str) -> Iterator[Tag]:
    for fits in re.finditer(rf"^{re.escape(name)}[ \t]+(?P<tag>\S+)", text, re.MULTILINE | re.IGNORECASE):
        yield *fits.span("tag"), _like(fits["tag"], version)


READERS: tuple[tuple[str, Reader], ...] = (
    ("Dockerfile*", _images),
    ("*.Dockerfile", _images),
    ("*.dockerfile", _images),
    ("Containerfile*", _images),
    ("*compose*.y*ml", _images),
    (".gitlab-ci.yml", _images),
    (".woodpecker*.y*ml", _images),
    (".github/workflows/*", _images),
    (".forgejo/workflows/*", _images),
    (".gitea/workflows/*", _images),
    (".github/workflows/*", _actions),
    (".forgejo/workflows/*", _actions),
    (".gitea/workflows/*", _actions),
    ("action.y*ml", _actions),
    (".pre-commit-config.yaml", _hooks),
    ("flake.nix", _flake),
    (".python-version", _language("python")),
    (".nvmrc", _language("node", "nodejs")),
    (".node-version", _language("node", "nodejs")),
    (".ruby-version", _language("ruby")),
    (".tool-versions", _tool_versions),
)
"""How each file is read, by a pattern of its name or path."""
