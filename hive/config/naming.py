"""Valid names, ports and addresses, with a sentence for each error. Pure: no I/O.

Names become paths, addresses and arguments; what a forge would refuse is refused here, with its line.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

from bots.models import AGENT_NAME, RESERVED_NAMES
from hive.config.yaml_loader import shown
from hive.config.yaml_locations import likeliest

Rule = Callable[[str], str]
"""Says what is wrong with a text, as a sentence; empty if nothing is."""

OWN_DIRECTORIES: Final = frozenset({"agents", "generations", "heartbeats", "home", "logs", "mirrors", "secrets"})
"""The subdirectories of the state directory; embedded forges are kept there too, below their names."""

_FORGE = re.compile(r"[a-z][a-z0-9-]{0,31}")
_LOGIN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,38}[A-Za-z0-9])?")
_REPO = re.compile(r"[A-Za-z0-9._-]{1,100}")
_LANE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")
_LABEL = re.compile(r"[^\x00-\x1f\x7f-\x9f,]{1,50}")
_MODULE = re.compile(r"[a-z_][a-z0-9_]{0,63}(?:\.[a-z_][a-z0-9_]{0,63}){0,7}")
_MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@-]{0,99}")
_CREDENTIAL = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}")
_BETA = re.compile(r"(?![a-z0-9-]*-\d{8}$|[a-z0-9-]*-\d{4}-\d\d-\d\d$)[a-z0-9][a-z0-9-]{0,60}")
_SERVER_TOOL = re.compile(r"[a-z]+(?:_[a-z]+)*")
_HOST = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)(?:\.(?!-)[A-Za-z0-9-]{1,63}(?<!-))*\.?")
_URL = re.compile(r"[!-~]{1,2000}")
_TWICE = re.compile(r"[._-]{2}")
_FORGES_OWN = frozenset(
    [
        "-",
        "admin",
        "api",
        "assets",
        "attachments",
        "avatar",
        "avatars",
        "captcha",
        "commits",
        "debug",
        "devtest",
        "error",
        "explore",
        "favicon.ico",
        "forgejo-actions",
        "ghost",
        "gitea-actions",
        "issues",
        "login",
        "manifest.json",
        "metrics",
        "milestones",
        "new",
        "notifications",
        "org",
        "pulls",
        "raw",
        "repo",
        "repo-avatars",
        "robots.txt",
        "search",
        "serviceworker.js",
        "ssh_info",
        "swagger.v1.json",
        "user",
        "v2",
    ]
)
"""Names that Forgejo 17 and Gitea 1.27 keep for their own pages (models/user/user.go, reservedUsernames)."""
_ENDINGS = (".keys", ".gpg", ".rss", ".atom", ".png")
_REPO_ENDINGS = (".git", ".wiki", ".rss", ".atom")


def folded(name: str) -> str:
    """A name as forges compare it: case does not count."""
    return name.casefold()


def forge(name: str) -> str:
    """The configured name of a forge."""
    if not _FORGE.fullmatch(name):
        return f"should be a name of at most 32 small letters, digits and -, a letter first (it is {shown(name)})"
    if name in OWN_DIRECTORIES:
        return f"{name!r} is a directory of the hive's own state; choose another name"
    return ""


def login(name: str) -> str:
    """An account or an organisation of a forge."""
    if not _LOGIN.fullmatch(name) or _TWICE.search(name):
        rule = "letters, digits, and single ._- between them, 40 at the most"
        return f"should be a name that a forge takes: {rule} (it is {shown(name)})"
    if folded(name) in _FORGES_OWN or folded(name).endswith(_ENDINGS):
        return f"{shown(name)} is a name that forges keep for their own pages"
    return ""


def team(name: str) -> str:
    """A team's name: that of an organisation."""
    wrong = login(name)
    return f"a team bears the name of a forge organisation: {wrong}" if wrong else ""


def repository(name: str) -> str:
    """A repository's name, without its owner."""
    if "/" in name:
        return f"should be a name without its owner: {shown(name.rpartition('/')[2])} (it is {shown(name)})"
    if not _REPO.fullmatch(name) or name in {".", "..", "-"}:
        return f"should be the name of a repository: letters, digits and ._-, 100 at the most (it is {shown(name)})"
    if folded(name).endswith(_REPO_ENDINGS):
        return f"should not end in {', '.join(_REPO_ENDINGS)}: forges refuse that (it is {shown(name)})"
    return ""


def agent(name: str) -> str:
    """An agent's name, which is an account, a container and a repository."""
    if not AGENT_NAME.fullmatch(name):
        rule = "should be 1 to 9 small letters and digits, a letter first: a container's name is short"
        return f"{rule} (it is {shown(name)})"
    if name in RESERVED_NAMES:
        return f"{name!r} is reserved; choose another name"
    return login(name)


def lane(name: str) -> str:
    """A lane's name, which is part of a label."""
    if not _LANE.fullmatch(name):
        return f"should be a name of at most 40 letters, digits and ._-, a letter or digit first (it is {shown(name)})"
    return ""


def label(name: str) -> str:
    """A label of issues; those of `state/` are reserved for the hive."""
    if not _LABEL.fullmatch(name) or name != name.strip():
        return f"should be a label: 1 to 50 characters, no comma, no space at its ends (it is {shown(name)})"
    if folded(name).startswith("state/") or folded(name) == "needs-operator":
        return f"{shown(name)} is a label by which the hive itself tells how things stand; choose another"
    return ""


def module(name: str) -> str:
    """A Python module that holds a bot."""
    if not _MODULE.fullmatch(name):
        return f"should be a Python module such as bots.triage (it is {shown(name)})"
    return ""


def model(name: str) -> str:
    """A model's name."""
    if not _MODEL.fullmatch(name):
        return f"should be the name of a model, such as claude-sonnet-5-5 (it is {shown(name)})"
    return ""


def provider(name: str) -> str:
    """The configured name of a server of models."""
    if not _FORGE.fullmatch(name):
        return f"should be a name of at most 32 small letters, digits and -, a letter first (it is {shown(name)})"
    return ""


def credential(name: str) -> str:
    """The name of a systemd credential: of one file."""
    if not _CREDENTIAL.fullmatch(name):
        return f"should be the name of a systemd credential (it is {shown(name)})"
    return ""


def beta(name: str) -> str:
    """A beta of the Messages API, as an operator grants it."""
    return "" if _BETA.fullmatch(name) else "should be a beta's name without its date, as fast-mode"


def server_tool(name: str) -> str:
    """A tool that a model runs itself, as an operator grants it."""
    return "" if _SERVER_TOOL.fullmatch(name) else "should be a tool's name without its date, as web_search"


def host(name: str) -> str:
    """A host's name or address, without a port."""
    if _HOST.fullmatch(name) and len(name) <= 253 and not re.fullmatch(r"[0-9.]+", name):
        return ""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return f"should be a host name or an IP address (it is {shown(name)})"
    return ""


def url(address: str) -> str:
    """An http address: host, port and path, and nothing else."""
    wrong = f"should be an address such as https://forge.example (it is {shown(address)})"
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError as error:
        return f"{wrong[:-1]}: {str(error)[:80]})"
    if not _URL.fullmatch(address) or parts.scheme not in ("http", "https") or not parts.hostname:
        return wrong
    if parts.username is not None or parts.password is not None:
        return "should hold no password: secrets live in the state directory"
    if host(parts.hostname):
        return f"{wrong[:-1]}: {shown(parts.hostname)} is no host)"
    if port == 0 or parts.netloc.endswith(":"):
        return f"should have a port from 1 to 65535, or none (it is {shown(address)})"
    if parts.query or parts.fragment or "?" in address or "#" in address:
        return f"should end before ? or # (it is {shown(address)})"
    if "\\" in parts.path or "/../" in f"{parts.path}/" or "%" in parts.path:
        return f"should have a plain path (it is {shown(address)})"
    return ""


def socket_port(address: str) -> int:
    """The port that an http address that is right leads to."""
    parts = urlsplit(address)
    return parts.port or (443 if parts.scheme == "https" else 80)


def unknown(name: str, known: list[str], what: str) -> str:
    """A sentence about a name that should be one of those that are known."""
    return f"should be one of {', '.join(known) or what} (it is {shown(name)}){likeliest(name, known)}"
