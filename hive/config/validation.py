"""Checks of `hive.yaml` that its types cannot express: valid names, and consistency.

Accepts data of any shape; names are compared like forges do, ignoring case.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Final

from hive.codec import FieldError
from hive.config import freeze, naming, reviewer, roots, triage, upgrade
from hive.config.naming import folded
from hive.config.protected_paths import mistake
from hive.config.yaml_loader import Place, shown

DEFAULT_ACCOUNTS: Final = {"core": "core", "triage": "triage", "review": "argus"}
"""The default logins of bots; all others act as `core`."""

MAX_WORDS: Final = 200
MAX_WORD: Final = 100
_QUEUE = re.compile(r"redis://(?P<host>[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[0-9]{1,5}))?(?:/[0-9]{1,4})?")
_SOCKET = re.compile(r"unix://(?:/[^/?#\s@]+)+")


def field_errors(data: Any) -> Iterator[FieldError]:
    """Everything that is wrong with a configuration whose pieces have the right shape."""
    root = _map(data)
    yield from _forges(_map(root.get("forges")))
    yield from _web(_map(root.get("web")))
    yield from _model(_map(root.get("model")), _agents(root))
    model = _map(root.get("model"))
    rule = _named(list(_map(model.get("providers"))), is_own=bool(model.get("url")))
    yield from reviewer.errors(_map(root.get("review")), rule)
    yield from triage.errors(_map(root.get("triage")), rule)
    yield from _paths(root)
    if "home" in root:
        yield FieldError(("home",), "unknown key", at_key=True)
    if root.get("teams") == {}:
        yield FieldError(("teams",), "should name at least one team")
    yield from _accounts(root.get("accounts"))
    yield from _each(("bots",), root.get("bots"), naming.module)
    yield from _deploy(_map(root.get("deploy")))
    yield from upgrade.errors(_map(root.get(upgrade.KEY)), _map(root.get("teams")))
    for name, team in _map(root.get("teams")).items():
        yield from _team(name, _map(team), _map(root.get("forges")))
    yield from _fit(root)


def roster_errors(teams: Mapping[str, Any], host: Mapping[str, Any]) -> Iterator[FieldError]:
    """Everything that is wrong with the agents and lanes of teams, beside all that `hive.yaml` says of the rest."""
    theirs = {name: _lists(_map(team)) for name, team in _map(host.get("teams")).items()}
    people = {folded(login) for team in theirs.values() for login in _texts(team.get("operators"))}
    found = {name: _lists(_map(team)) for name, team in teams.items()}
    named = {name: (team.get("agents"), team.get("lanes")) for name, team in found.items()}
    mine = {name: {**theirs[name], "agents": agents, "lanes": lanes} for name, (agents, lanes) in named.items()}
    for name, (agents, lanes) in named.items():
        yield from _each(("teams", name, "agents"), agents, naming.agent)
        for index, agent in enumerate(_list(agents)):
            if isinstance(agent, str) and folded(agent) in people:
                why = f"{shown(agent)} is an operator, who is a person; an agent is never one"
                yield FieldError(("teams", name, "agents", index), why)
        if lanes == {}:
            yield FieldError(("teams", name, "lanes"), "should hold at least one lane")
        yield from _lanes(("teams", name), mine[name])
    others = {name: team for name, team in theirs.items() if name not in mine}
    for error in _names({**host, "teams": {**others, **mine}}):  # the later one of two is told, and that is ours
        if error.place[1:2] and error.place[1] in mine and error.place[2:3] == ("agents",):
            yield error


def _lists(team: Mapping[str, Any]) -> dict[str, Any]:
    """A team's settings in the shape of YAML."""
    return {key: list(value) if isinstance(value, tuple) else value for key, value in team.items()}


def _forges(forges: Mapping[str, Any]) -> Iterator[FieldError]:
    seen: dict[str, str] = {}
    for name, forge in forges.items():
        yield from _wrong(("forges", name), naming.forge(name), at_key=True)
        url = _map(forge).get("url")
        if not isinstance(url, str):
            continue
        place = ("forges", name, "url")
        if reason := naming.url(url):
            yield FieldError(place, reason)
        elif (known := folded(url).rstrip("/")) in seen:
            yield FieldError(place, f"is the address of forge {seen[known]!r} already")
        elif _map(forge).get("kind") == "embedded" and not re.fullmatch(r"http://[^/]+/?", url):
            yield FieldError(
                place, f"should be http://HOST:PORT: the hive starts this forge itself (it is {shown(url)})"
            )
        seen.setdefault(folded(url).rstrip("/"), name)


def _web(web: Mapping[str, Any]) -> Iterator[FieldError]:
    host, url = web.get("host"), web.get("url")
    if isinstance(host, str):
        yield from _wrong(("web", "host"), naming.host(host))
    if isinstance(url, str) and url:
        yield from _wrong(("web", "url"), naming.url(url))


def _model(model: Mapping[str, Any], agents: list[str]) -> Iterator[FieldError]:
    yield from _provider(("model",), model)
    providers = _map(model.get("providers"))
    for name, provider in providers.items():
        place = ("model", "providers", name)
        yield from _wrong(place, naming.provider(name), at_key=True)
        yield from _provider(place, _map(provider))
        if _map(provider).get("url") == "":
            yield FieldError((*place, "url"), "should be the address of a server that speaks the Messages API")
    rule = _named(list(providers), is_own=bool(model.get("url")))
    if isinstance(model.get("name"), str):
        yield from _wrong(("model", "name"), rule(model["name"]))
    yield from _each(("model", "allowed"), model.get("allowed"), rule)
    for agent, names in _map(model.get("agents")).items():
        if agent not in agents:
            yield FieldError(("model", "agents", agent), naming.unknown(agent, agents, "the agents"), at_key=True)
        if names == []:
            yield FieldError(("model", "agents", agent), "should name at least one model")
        yield from _each(("model", "agents", agent), names, rule)
    yield from _each(("model", "server_tools"), model.get("server_tools"), naming.server_tool)
    yield from _each(("model", "betas"), model.get("betas"), naming.beta)
    for priced in _map(model.get("prices")):
        yield from _wrong(("model", "prices", priced), naming.model(priced), at_key=True)


def _provider(place: Place, provider: Mapping[str, Any]) -> Iterator[FieldError]:
    url, credential = provider.get("url"), provider.get("credential")
    if isinstance(url, str) and url:
        yield from _wrong((*place, "url"), naming.url(url))
    if isinstance(credential, str) and credential:
        yield from _wrong((*place, "credential"), naming.credential(credential))
    if credential and provider.get("key_file"):
        yield FieldError((*place, "credential"), "should not stand beside key_file: the key is in one place")


def _named(providers: list[str], *, is_own: bool) -> naming.Rule:
    """The rule for a model's name; a server of one's own may have names with a / of its own."""

    def rule(name: str) -> str:
        provider, slash, _ = name.partition("/")
        if slash and not is_own and provider not in providers:
            return naming.unknown(provider, providers, "model.providers")
        return naming.model(name)

    return rule


def _agents(root: Mapping[str, Any]) -> list[str]:
    return [agent for team in _map(root.get("teams")).values() for agent in _texts(_map(team).get("agents"))]


def _paths(root: Mapping[str, Any]) -> Iterator[FieldError]:
    state, queue = root.get("state"), root.get("queue")
    if isinstance(state, str) and (not state.strip() or PurePosixPath(state) == PurePosixPath("/")):
        yield FieldError(("state",), f"should be a directory of the hive's own (it is {shown(state)})")
    if isinstance(queue, str) and queue:
        found = _QUEUE.fullmatch(queue)
        if not _SOCKET.fullmatch(queue) and (found is None or not 1 <= int(found["port"] or 6379) <= 65535):
            yield FieldError(("queue",), "should be redis://HOST:PORT/N or unix:///PATH, without a password")
    yield from _each(("packages_path",), root.get("packages_path"), _directory)
    yield from roots.mistakes(_map(root.get("root")))
    yield from _each(("protected_paths",), root.get("protected_paths"), mistake)


def _deploy(deploy: Mapping[str, Any]) -> Iterator[FieldError]:
    place, windows = ("deploy", "freeze"), _texts(deploy.get("freeze"))
    yield from _each(place, deploy.get("freeze"), freeze.mistake)
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
    for bot, login in _map(accounts).items():
        if not isinstance(login, str):
            continue
        yield from _wrong(("accounts", bot), naming.login(login))
        first = spelled.setdefault(folded(login), login)
        if first != login:
            yield FieldError(
                ("accounts", bot), f"{shown(login)} and {shown(first)} are one account to a forge: write it one way"
            )


def _team(name: str, team: Mapping[str, Any], forges: Mapping[str, Any]) -> Iterator[FieldError]:
    place = ("teams", name)
    yield from _wrong(place, naming.team(name), at_key=True)
    forge = team.get("forge")
    if isinstance(forge, str) and forge not in forges:
        yield FieldError((*place, "forge"), naming.unknown(forge, list(forges), "the forges"))
    if team.get("operators") == []:
        yield FieldError((*place, "operators"), "should name at least one login: nobody could approve")
    yield from _each((*place, "operators"), team.get("operators"), naming.login)
    yield from _each((*place, "repos"), team.get("repos"), naming.repository)
    yield from _each((*place, "agents"), team.get("agents"), naming.agent, unique=False)
    if team.get("lanes") == {}:
        yield FieldError((*place, "lanes"), "should hold at least one lane")
    yield from _lanes(place, team)
    agents = _texts(team.get("agents"))
    for agent, paths in _map(team.get("grants")).items():
        if agent not in agents:
            yield FieldError((*place, "grants", agent), naming.unknown(agent, agents, "its agents"), at_key=True)
        yield from _each((*place, "grants", agent), paths, mistake)
    for label, words in _map(team.get("kinds")).items():
        yield from _wrong((*place, "kinds", label), naming.label(label), at_key=True)
        yield from _words((*place, "kinds", label), words)


def _lanes(place: Place, team: Mapping[str, Any]) -> Iterator[FieldError]:
    agents = _texts(team.get("agents"))
    labels = dict.fromkeys(map(folded, _map(team.get("kinds"))), "a kind of issue")
    for lane, wants in _map(team.get("lanes")).items():
        here = (*place, "lanes", lane)
        yield from _wrong(here, naming.lane(lane), at_key=True)
        worker, label = _map(wants).get("agent"), _map(wants).get("label") or f"area/{lane}"
        if isinstance(worker, str) and worker not in agents:
            yield FieldError((*here, "agent"), naming.unknown(worker, agents, "the team's agents"))
        if isinstance(label, str):
            at = (*here, "label") if _map(wants).get("label") else here
            yield from _wrong(at, naming.label(label), at_key=at == here)
            if (owner := labels.setdefault(folded(label), f"lane {lane!r}")) != f"lane {lane!r}":
                yield FieldError(at, f"the label {shown(label)} is that of {owner} already", at_key=at == here)
        yield from _called((*here, "operators"), _map(wants).get("operators"), _texts(team.get("operators")))
        yield from _words((*here, "words"), _map(wants).get("words"))
        yield from _words((*here, "paths"), _map(wants).get("paths"))


def _called(place: Place, operators: Any, team: list[str]) -> Iterator[FieldError]:
    """Operators of a lane are operators of the team."""
    yield from _each(place, operators, naming.login)
    known = set(map(folded, team))
    for index, login in enumerate(_list(operators)):
        if isinstance(login, str) and folded(login) not in known:
            yield FieldError((*place, index), naming.unknown(login, team, "the team's operators"))


@dataclass(frozen=True, slots=True)
class _Claim:
    """Somebody or something that bears a name on a forge, where people, machines and organisations share one space of names."""

    name: str
    place: Place
    kind: str
    what: str
    at_key: bool = False


_SHARED = frozenset({"account", "operator"})
"""Roles that may share a name: bots with one account, an operator of two teams."""


def _fit(root: Mapping[str, Any]) -> Iterator[FieldError]:
    """Check that no name has two roles, ignoring case."""
    configs, meta = root.get("configs"), root.get("meta")
    if isinstance(configs, str):
        yield from _wrong(("configs",), naming.login(configs))
    if isinstance(meta, str):
        owner, slash, repo = meta.partition("/")
        wrong = (
            naming.login(owner) or naming.repository(repo) if slash else f"should be OWNER/NAME (it is {shown(meta)})"
        )
        yield from _wrong(("meta",), wrong)
    yield from _names(root)


def _names(root: Mapping[str, Any]) -> Iterator[FieldError]:
    """Every name that is claimed twice."""
    holders: dict[str, _Claim] = {}
    for claim in _claims(root):
        before = holders.setdefault(folded(claim.name), claim)
        if before is not claim and not (before.kind == claim.kind and claim.kind in _SHARED):
            yield FieldError(claim.place, _clash(claim, before), at_key=claim.at_key)


def _claims(root: Mapping[str, Any]) -> Iterator[_Claim]:
    """The roles of names, those of the hive first."""
    configs, meta = root.get("configs", "agent-configs"), root.get("meta", "hive/meta")
    if isinstance(configs, str):
        yield _Claim(configs, ("configs",), "organisation", "the organisation of configurations (`configs`)")
    if isinstance(meta, str):
        yield _Claim(meta.partition("/")[0], ("meta",), "organisation", "the organisation of the hive itself (`meta`)")
    for bot, login in _map(root.get("accounts", DEFAULT_ACCOUNTS)).items():
        if isinstance(login, str):
            yield _Claim(login, ("accounts", bot), "account", "an account of the hive's own bots")
    teams = {name: _map(team) for name, team in _map(root.get("teams")).items()}
    for name in teams:
        yield _Claim(name, ("teams", name), "organisation", f"the team {name!r}", at_key=True)
    for kind in ("agent", "operator"):
        for name, team in teams.items():
            for index, login in enumerate(_list(team.get(f"{kind}s"))):
                if isinstance(login, str):
                    yield _Claim(login, ("teams", name, f"{kind}s", index), kind, f"{kind} of team {name!r}")


def _clash(claim: _Claim, before: _Claim) -> str:
    if claim.kind == "operator":
        if before.kind == "agent":
            return f"{shown(claim.name)} is an agent; an agent is never an operator"
        return f"{shown(claim.name)} is {before.what}; an operator is a person"
    if claim.kind == before.kind == "agent":
        return f"{shown(claim.name)} already works in team {before.place[1]!r}"
    return f"{shown(claim.name)} is {before.what} already: names differ by more than case"


def _each(place: Place, values: Any, rule: naming.Rule, *, unique: bool = True) -> Iterator[FieldError]:
    """Every text of a list by one rule, none of them twice."""
    seen: dict[str, str] = {}
    for index, value in enumerate(_list(values)):
        if isinstance(value, str):
            yield from _wrong((*place, index), rule(value))
            if unique and (first := seen.setdefault(folded(value), f"{index}:{value}")) != f"{index}:{value}":
                yield FieldError(
                    (*place, index), f"{shown(value)} stands here twice: {shown(first.partition(':')[2])} is before it"
                )


def _words(place: Place, words: Any) -> Iterator[FieldError]:
    if len(_list(words)) > MAX_WORDS:
        yield FieldError(place, f"should hold at most {MAX_WORDS} (it holds {len(words)})")
    for index, word in enumerate(_list(words)):
        if isinstance(word, str) and (not word.strip() or len(word) > MAX_WORD or not word.isprintable()):
            yield FieldError((*place, index), f"should be 1 to {MAX_WORD} characters on one line (it is {shown(word)})")


def _wrong(place: Place, reason: str, *, at_key: bool = False) -> Iterable[FieldError]:
    return [FieldError(place, reason, at_key=at_key)] if reason else []


def _texts(value: Any) -> list[str]:
    return [item for item in _list(value) if isinstance(item, str)]


def _map(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
