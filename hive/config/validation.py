"""Checks of `hive.yaml` that its types cannot express: valid names, and consistency.

Accepts data of any shape; names are compared like forges do, ignoring case.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from hive.codec import FieldError
from hive.config import freeze, naming, reviewer, roots, triage, upgrade
from hive.config.field_checks import each, each_word, items, mapping, texts, wrong
from hive.config.model_checks import model_errors, rule_for_models
from hive.config.name_claims import clashes
from hive.config.naming import folded
from hive.config.protected_paths import mistake
from hive.config.yaml_loader import Place, shown

_QUEUE = re.compile(r"redis://(?P<host>[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[0-9]{1,5}))?(?:/[0-9]{1,4})?")
_SOCKET = re.compile(r"unix://(?:/[^/?#\s@]+)+")


def field_errors(data: Any) -> Iterator[FieldError]:
    """Everything that is wrong with a configuration whose pieces have the right shape."""
    root = mapping(data)
    yield from _forges(mapping(root.get("forges")))
    yield from _web(mapping(root.get("web")))
    yield from model_errors(mapping(root.get("model")), _agents(root))
    model = mapping(root.get("model"))
    rule = rule_for_models(list(mapping(model.get("providers"))), is_own=bool(model.get("url")))
    yield from reviewer.errors(mapping(root.get("review")), rule)
    yield from triage.errors(mapping(root.get("triage")), rule)
    yield from _paths(root)
    if "home" in root:
        yield FieldError(("home",), "unknown key", at_key=True)
    if root.get("teams") == {}:
        yield FieldError(("teams",), "should name at least one team")
    yield from _accounts(root.get("accounts"))
    yield from each(("bots",), root.get("bots"), naming.module)
    yield from _deploy(mapping(root.get("deploy")))
    yield from upgrade.errors(mapping(root.get(upgrade.KEY)), mapping(root.get("teams")))
    for name, team in mapping(root.get("teams")).items():
        yield from _team(name, mapping(team), mapping(root.get("forges")))
    yield from _fit(root)


def roster_errors(teams: Mapping[str, Any], host: Mapping[str, Any]) -> Iterator[FieldError]:
    """Everything that is wrong with the agents and lanes of teams, beside all that `hive.yaml` says of the rest."""
    theirs = {name: _lists(mapping(team)) for name, team in mapping(host.get("teams")).items()}
    people = {folded(login) for team in theirs.values() for login in texts(team.get("operators"))}
    found = {name: _lists(mapping(team)) for name, team in teams.items()}
    named = {name: (team.get("agents"), team.get("lanes")) for name, team in found.items()}
    mine = {name: {**theirs[name], "agents": agents, "lanes": lanes} for name, (agents, lanes) in named.items()}
    for name, (agents, lanes) in named.items():
        yield from each(("teams", name, "agents"), agents, naming.agent)
        for index, agent in enumerate(items(agents)):
            if isinstance(agent, str) and folded(agent) in people:
                why = f"{shown(agent)} is an operator, who is a person; an agent is never one"
                yield FieldError(("teams", name, "agents", index), why)
        if lanes == {}:
            yield FieldError(("teams", name, "lanes"), "should hold at least one lane")
        yield from _lanes(("teams", name), mine[name])
    others = {name: team for name, team in theirs.items() if name not in mine}
    for error in clashes({**host, "teams": {**others, **mine}}):  # the later one of two is told, and that is ours
        if error.place[1:2] and error.place[1] in mine and error.place[2:3] == ("agents",):
            yield error


def _lists(team: Mapping[str, Any]) -> dict[str, Any]:
    """A team's settings in the shape of YAML."""
    return {key: list(value) if isinstance(value, tuple) else value for key, value in team.items()}


def _forges(forges: Mapping[str, Any]) -> Iterator[FieldError]:
    seen: dict[str, str] = {}
    for name, forge in forges.items():
        yield from wrong(("forges", name), naming.forge(name), at_key=True)
        url = mapping(forge).get("url")
        if not isinstance(url, str):
            continue
        place = ("forges", name, "url")
        if reason := naming.url(url):
            yield FieldError(place, reason)
        elif (known := folded(url).rstrip("/")) in seen:
            yield FieldError(place, f"is the address of forge {seen[known]!r} already")
        elif mapping(forge).get("kind") == "embedded" and not re.fullmatch(r"http://[^/]+/?", url):
            yield FieldError(
                place, f"should be http://HOST:PORT: the hive starts this forge itself (it is {shown(url)})"
            )
        seen.setdefault(folded(url).rstrip("/"), name)


def _web(web: Mapping[str, Any]) -> Iterator[FieldError]:
    host, url = web.get("host"), web.get("url")
    if isinstance(host, str):
        yield from wrong(("web", "host"), naming.host(host))
    if isinstance(url, str) and url:
        yield from wrong(("web", "url"), naming.url(url))


def _agents(root: Mapping[str, Any]) -> list[str]:
    return [agent for team in mapping(root.get("teams")).values() for agent in texts(mapping(team).get("agents"))]


def _paths(root: Mapping[str, Any]) -> Iterator[FieldError]:
    state, queue = root.get("state"), root.get("queue")
    if isinstance(state, str) and (not state.strip() or PurePosixPath(state) == PurePosixPath("/")):
        yield FieldError(("state",), f"should be a directory of the hive's own (it is {shown(state)})")
    if isinstance(queue, str) and queue:
        found = _QUEUE.fullmatch(queue)
        if not _SOCKET.fullmatch(queue) and (found is None or not 1 <= int(found["port"] or 6379) <= 65535):
            yield FieldError(("queue",), "should be redis://HOST:PORT/N or unix:///PATH, without a password")
    yield from each(("packages_path",), root.get("packages_path"), _directory)
    yield from roots.mistakes(mapping(root.get("root")))
    yield from each(("protected_paths",), root.get("protected_paths"), mistake)


def _deploy(deploy: Mapping[str, Any]) -> Iterator[FieldError]:
    place, windows = ("deploy", "freeze"), texts(deploy.get("freeze"))
    yield from each(place, deploy.get("freeze"), freeze.mistake)
    if not any(map(freeze.mistake, windows)) and freeze.is_endless(map(freeze.read_window, windows)):
        yield FieldError(place, "should leave a time of the week in which something is deployed")


def _directory(path: str) -> str:
    parts = PurePosixPath(path).parts
    if not path.startswith("/") or ".." in parts or ":" in path or "\n" in path:
        return f"should be a directory from the root on, without .. and : (it is {shown(path)})"
    return ""


def _accounts(accounts: Any) -> Iterator[FieldError]:
    if isinstance(accounts, Mapping) and "core" not in accounts:
        yield FieldError(("accounts",), "should name `core`, the account of the hive itself")
    spelled: dict[str, str] = {}
    for bot, login in mapping(accounts).items():
        if not isinstance(login, str):
            continue
        yield from wrong(("accounts", bot), naming.login(login))
        first = spelled.setdefault(folded(login), login)
        if first != login:
            yield FieldError(
                ("accounts", bot), f"{shown(login)} and {shown(first)} are one account to a forge: write it one way"
            )


def _team(name: str, team: Mapping[str, Any], forges: Mapping[str, Any]) -> Iterator[FieldError]:
    place = ("teams", name)
    yield from wrong(place, naming.team(name), at_key=True)
    forge = team.get("forge")
    if isinstance(forge, str) and forge not in forges:
        yield FieldError((*place, "forge"), naming.unknown(forge, list(forges), "the forges"))
    if team.get("operators") == []:
        yield FieldError((*place, "operators"), "should name at least one login: nobody could approve")
    yield from each((*place, "operators"), team.get("operators"), naming.login)
    yield from each((*place, "repos"), team.get("repos"), naming.repository)
    yield from each((*place, "agents"), team.get("agents"), naming.agent, unique=False)
    if team.get("lanes") == {}:
        yield FieldError((*place, "lanes"), "should hold at least one lane")
    yield from _lanes(place, team)
    agents = texts(team.get("agents"))
    for agent, paths in mapping(team.get("grants")).items():
        if agent not in agents:
            yield FieldError((*place, "grants", agent), naming.unknown(agent, agents, "its agents"), at_key=True)
        yield from each((*place, "grants", agent), paths, mistake)
    for label, words in mapping(team.get("kinds")).items():
        yield from wrong((*place, "kinds", label), naming.label(label), at_key=True)
        yield from each_word((*place, "kinds", label), words)


def _lanes(place: Place, team: Mapping[str, Any]) -> Iterator[FieldError]:
    agents = texts(team.get("agents"))
    labels = dict.fromkeys(map(folded, mapping(team.get("kinds"))), "a kind of issue")
    for lane, wants in mapping(team.get("lanes")).items():
        here = (*place, "lanes", lane)
        yield from wrong(here, naming.lane(lane), at_key=True)
        worker, label = mapping(wants).get("agent"), mapping(wants).get("label") or f"area/{lane}"
        if isinstance(worker, str) and worker not in agents:
            yield FieldError((*here, "agent"), naming.unknown(worker, agents, "the team's agents"))
        if isinstance(label, str):
            at = (*here, "label") if mapping(wants).get("label") else here
            yield from wrong(at, naming.label(label), at_key=at == here)
            if (owner := labels.setdefault(folded(label), f"lane {lane!r}")) != f"lane {lane!r}":
                yield FieldError(at, f"the label {shown(label)} is that of {owner} already", at_key=at == here)
        yield from _called((*here, "operators"), mapping(wants).get("operators"), texts(team.get("operators")))
        yield from each_word((*here, "words"), mapping(wants).get("words"))
        yield from each_word((*here, "paths"), mapping(wants).get("paths"))


def _called(place: Place, operators: Any, team: list[str]) -> Iterator[FieldError]:
    """Operators of a lane are operators of the team."""
    yield from each(place, operators, naming.login)
    known = set(map(folded, team))
    for index, login in enumerate(items(operators)):
        if isinstance(login, str) and folded(login) not in known:
            yield FieldError((*place, index), naming.unknown(login, team, "the team's operators"))


def _fit(root: Mapping[str, Any]) -> Iterator[FieldError]:
    """Check that no name has two roles, ignoring case."""
    configs, meta = root.get("configs"), root.get("meta")
    if isinstance(configs, str):
        yield from wrong(("configs",), naming.login(configs))
    if isinstance(meta, str):
        owner, slash, repo = meta.partition("/")
        reason = (
            naming.login(owner) or naming.repository(repo) if slash else f"should be OWNER/NAME (it is {shown(meta)})"
        )
        yield from wrong(("meta",), reason)
    yield from clashes(root)
