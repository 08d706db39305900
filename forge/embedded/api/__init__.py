"""The REST API: one table of routes, and what every call passes before its handler."""

from __future__ import annotations

import json
from functools import cache
from itertools import chain
from typing import Any

from flask import Flask, Request, Response, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound
from werkzeug.routing import Map

from forge.embedded import rules
from forge.embedded.api import (
    code,
    comments,
    contents,
    general,
    issues,
    labels,
    orgs,
    pulls,
    repos,
    reviews,
    units,
    users,
)
from forge.embedded.api.call import Call, answer, empty
from forge.embedded.api.routes import ApiRoute, repo_admin, repo_owner
from forge.embedded.dialect import worded
from forge.embedded.identity import Identity, identify, usable
from forge.embedded.instance import ForgeInstance, Missing, Refusal, Renamed
from forge.embedded.services import people
from forge.embedded.services import repos as repo_services
from forge.matched_rule import MatchedRule

MODULES = (general, users, orgs, repos, code, contents, issues, comments, labels, pulls, reviews)
ROUTES: tuple[ApiRoute, ...] = tuple(chain.from_iterable(module.ROUTES for module in MODULES))

_REASONS = {301: "Moved Permanently", 307: "Temporary Redirect"}
_CRASH = (
    "<!DOCTYPE html>\n<html><head><title>Internal server error - Forge</title></head><body><p>500</p></body></html>\n"
)


@cache
def _table(absent: frozenset[str]) -> Map:
    """The routes without the absent ones, compiled once in a process."""
    there = [route for route in ROUTES if route.line not in absent]
    matched = [MatchedRule(route.path, endpoint=route, methods=[route.method]) for route in there]
    return Map(matched, merge_slashes=False)


def mount(app: Flask, site: ForgeInstance) -> None:
    """Let an application answer the API's paths."""

    def view(rest: str) -> Response:
        return respond(site, request, f"/{rest}")

    methods = ["GET", "POST", "PUT", "PATCH", "DELETE"]
    app.add_url_rule("/api/v1/<path:rest>", "api", view, methods=methods)


def respond(site: ForgeInstance, asked: Request, path: str) -> Response:
    """Answer one request."""
    try:
        route, args = _table(site.flavour.absent).bind("").match(path, asked.method)
        response = _finish(route, _run(site, route, asked, dict(args)))
    except HTTPException as error:
        response = _unrouted(site, error, path)
    except Refusal as refusal:
        response = refused(site, refusal)
    except Renamed as moved:
        response = _moved(asked, moved)
    response.headers.setdefault("Cache-Control", site.flavour.cache_control)
    return response


def _run(site: ForgeInstance, route: ApiRoute, asked: Request, args: dict[str, str]) -> Any:
    call = Call(site, asked, args, _identity(site, asked))
    _check_scope(call, route, route.scope)
    if "repo" in args:
        _enter(call, route)
    route.need(call)
    return route.handler(call)


def _identity(site: ForgeInstance, asked: Request) -> Identity:
    """The caller; a site admin may act as another user, with the scopes of the admin's token."""
    identity = identify(site, asked.headers.get("Authorization", ""))
    if not usable(identity):
        raise Unexplained(403, "This account is prohibited from signing in, please contact your site administrator.")
    if identity.user and identity.user["must_change_password"]:
        raise Unexplained(403, f"You must change your password. Change it at: {site.url}/user/change_password")
    other = asked.headers.get("Sudo") or asked.args.get("sudo")
    if not other or identity.user is None:
        return identity
    if not identity.user["is_admin"]:
        raise Unexplained(403, "Only administrators allowed to sudo.")
    return Identity(people.get(site, other), identity.token)


class Unexplained(Refusal):
    """A refusal that does not point to the API's documentation."""


def _check_scope(call: Call, route: ApiRoute, category: str) -> None:
    if not call.identity.allows(route.level, category):
        scopes = ",".join(json.loads(call.identity.token["scopes"])) if call.identity.token else ""
        words = call.site.flavour.scope_refusal
        raise Refusal(403, words.format(need=f"{route.level}:{category}", scopes=scopes))


def _enter(call: Call, route: ApiRoute) -> None:
    """Find the repository and the caller's permissions; it is not found for an account that may not see it."""
    call.repo = repo_services.get(call.site, call.args["owner"], call.args["repo"])
    whole = rules.access(call.site, call.viewer, call.repo)
    call.granted = rules.limited(whole, call.repo, call.identity.token)
    # A token for other repositories still gets the bare description of one that its user may see.
    bare = route.line == "GET ~" and whole.reads()
    if not call.granted.reads() and not bare:
        raise Missing
    units.check(call.granted, route.line)
    if call.identity.public_only and call.repo["private"]:
        raise Refusal(403, "token scope is limited to public repos")
    if route.line == "DELETE ~" and call.repo["of_org"]:
        _check_scope(call, route, call.site.flavour.repo_delete_scope)
    if call.repo["archived"] and route.level == "write" and route.need not in {repo_admin, repo_owner}:
        raise Refusal(423, f"<Repository {call.repo['id']}:{call.repo['full_name']}> is archived")


def _finish(route: ApiRoute, value: Any) -> Response:
    if isinstance(value, Response):
        if value.status_code == 200 and not route.bare:
            value.status_code = route.status
        return value
    return empty(route.status) if route.bare else answer(value, route.status)


def refused(site: ForgeInstance, refusal: Refusal) -> Response:
    """The response for a refusal."""
    if refusal.html:
        return Response(_CRASH, refusal.status, content_type="text/html; charset=utf-8")
    if refusal.message is None:
        return empty(refusal.status)
    body: dict[str, Any] = {"message": worded(site.flavour, refusal.message)}
    if not isinstance(refusal, Unexplained):
        body["url"] = f"{site.url}/api/swagger"
    if isinstance(refusal, Missing):
        errors = [text for error in refusal.errors if (text := worded(site.flavour, error))]
        body["errors"] = errors if errors or site.flavour.is_forgejo else None
    return answer(body, refusal.status)


def _moved(asked: Request, moved: Renamed) -> Response:
    query = f"?{asked.query_string.decode()}" if asked.query_string else ""
    place = asked.path.replace(moved.old, moved.new, 1) + query
    if asked.method != "GET":
        return empty(moved.status, {"Location": place})
    page = f'<a href="{place}">{_REASONS[moved.status]}</a>.\n\n'
    return Response(page, moved.status, {"Location": place}, content_type="text/html; charset=utf-8")


def _unrouted(site: ForgeInstance, error: HTTPException, path: str) -> Response:
    """The response for an unknown path or method."""
    if isinstance(error, MethodNotAllowed):
        methods = sorted(set(error.valid_methods or ()) - {"HEAD", "OPTIONS"})
        return empty(405, {"Allow": ", ".join(methods)})
    if isinstance(error, NotFound) and "/../" in path:
        return refused(site, Missing())
    if isinstance(error, NotFound):
        return Response("404 page not found\n", 404, content_type="text/plain; charset=utf-8")
    return Response(error.description, error.code or 500, content_type="text/plain; charset=utf-8")
