"""The pages that a person uses: HTML made by the server over the same deeds and rules as the API.

visit session          one visit: who comes, what he may see, how a form is known to be ours
markup highlight look  words and code of users made safe to show; times, avatars, labels
accounts code lists    what there is
talk conversation remarks changes mergebox        conversations: rows, remarks, diffs, why a merge is blocked
issues pulls reviews                  what can be done
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain
from urllib.parse import quote, urlencode

from flask import Blueprint, Flask, Response, request
from werkzeug.routing import BaseConverter

from forge.embedded import rules
from forge.embedded.instance import ForgeInstance, Missing, Refusal, Renamed
from forge.embedded.pages import accounts, code, issues, lists, look, pulls, reviews, session, talk
from forge.embedded.pages.visit import Page, Visit, words
from forge.embedded.services import repos

PAGES: tuple[Page, ...] = tuple(
    chain.from_iterable(module.PAGES for module in (accounts, code, lists, issues, talk, pulls, reviews))
)
_HEADERS = {
    "Cache-Control": "private, no-cache",
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


class _Elsewhere(BaseConverter):
    """Any path but those of the API, which says in its own way that something is not there."""

    regex = "(?!api/).+"
    weight = 1000
    part_isolating = False


def mount(app: Flask, site: ForgeInstance) -> None:
    """Let an application show the pages."""
    app.secret_key = session.secret(site.root)
    app.config.update(
        SESSION_COOKIE_NAME="forgehive",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=site.url.startswith("https:"),
    )
    app.url_map.converters["elsewhere"] = _Elsewhere
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.register_blueprint(_blueprint(site))


def _blueprint(site: ForgeInstance) -> Blueprint:
    pages = Blueprint(
        "pages", __name__, template_folder="../templates", static_folder="../static", static_url_path="/assets"
    )
    for number, page in enumerate(PAGES):
        pages.add_url_rule(page.path, f"page{number}", _view(site, page), methods=[page.method])
    pages.add_url_rule("/assets/labels/<colours>.css", "labels", _labels)
    pages.add_url_rule("/<elsewhere:path>", "elsewhere", _view(site, Page("GET /", _nowhere)))
    pages.after_request(_guarded)
    pages.add_app_template_global(session.token, "form_token")
    pages.add_app_template_global(lambda at: look.when(at, site.now()), "when")
    pages.add_app_template_filter(look.tint, "tint")
    pages.add_app_template_filter(look.size, "size")
    return pages


def _view(site: ForgeInstance, page: Page) -> Callable[..., Response]:
    def view(**args: str) -> Response:
        visit = Visit(site, request, args, session.viewer(site))
        try:
            return _shown(visit, page)
        except Refusal as refusal:
            visit.repo = {}
            return visit.show("error.html", refusal.status, code=refusal.status, said=words(refusal))

    return view


def _shown(visit: Visit, page: Page) -> Response:
    if page.method == "POST" and not session.is_own_form(visit.field("_csrf")):
        raise Refusal(403, "This form is too old, or it is not ours. Load its page again and send it once more.")
    if "repo" in visit.args and (moved := _enter(visit, page)):
        return moved
    if page.login and visit.viewer is None:
        back = {"redirect_to": _asked(visit)} if page.method == "GET" else {}
        return visit.go(f"/user/login?{urlencode(back)}")
    return page.shower(visit)


def _enter(visit: Visit, page: Page) -> Response | None:
    """Find the repository and what may be done with it; who may not see it is told that it is not there."""
    owner, name = visit.args["owner"], visit.args["repo"].removesuffix(".git")
    try:
        visit.repo = repos.get(visit.site, owner, name)
    except Renamed as moved:
        visit.repo = repos.get(visit.site, *moved.new.strip("/").split("/"))
    visit.granted = rules.access(visit.site, visit.viewer, visit.repo)
    if not visit.granted.reads(*page.units):
        raise Missing
    if page.method == "POST" and visit.repo["archived"]:
        raise Refusal(423)
    called = f"/{owner}/{visit.args['repo']}"
    is_other = page.method == "GET" and called != visit.home
    return visit.go(_asked(visit).replace(called, visit.home, 1)) if is_other else None


def _asked(visit: Visit) -> str:
    """The address that was asked for, as a path."""
    query = visit.request.query_string.decode(errors="replace")
    return quote(visit.request.path) + (f"?{query}" if query else "")


def _guarded(response: Response) -> Response:
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    return response


def _labels(colours: str) -> Response:
    """The stylesheet of the labels of a repository, named by their colours, so that it never changes."""
    if not look.COLOURS.fullmatch(colours):
        return Response(status=404)
    headers = {"Cache-Control": "public, max-age=31536000, immutable"}
    return Response(look.label_rules(colours), headers=headers, content_type="text/css; charset=utf-8")


def _nowhere(visit: Visit) -> Response:
    raise Missing
