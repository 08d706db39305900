"""HTML pages for people, rendered on the server from the same services and rules as the API.

page_context session            the request, the viewer, forms that are really ours
markup highlight format         user text and code made safe to show; times, sizes, avatars
home code diff_view             repositories, directories, files, commits; diffs and the comments on their lines
issues timeline                 issues, and what pull requests share with them
pulls merge_box                 pull requests: opening, reviewing, merging, and why a merge is blocked
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import chain
from urllib.parse import quote, urlencode

from flask import Blueprint, Flask, Response, request
from werkzeug.routing import BaseConverter

from forge.embedded import rules
from forge.embedded.instance import ForgeInstance, Missing, Refusal, Renamed
from forge.embedded.pages import code, home, issues, pulls, session
from forge.embedded.pages.format import tint, web_url, when
from forge.embedded.pages.page_context import Page, PageContext
from forge.embedded.services import repos

PAGES: tuple[Page, ...] = tuple(chain.from_iterable(module.PAGES for module in (session, home, code, issues, pulls)))
_HEADERS = {
    "Cache-Control": "private, no-cache",
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


class _NotApi(BaseConverter):
    """Any path outside the API, which has its own 404."""

    regex = "(?!api/).+"
    weight = 1000
    part_isolating = False


def mount(app: Flask, site: ForgeInstance) -> None:
    """Add the pages to an application."""
    app.secret_key = session.secret(site.root)
    app.config.update(
        SESSION_COOKIE_NAME="forgehive",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=site.url.startswith("https:"),
    )
    app.url_map.converters["not_api"] = _NotApi
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    pages = Blueprint(
        "pages", __name__, template_folder="../templates", static_folder="../static", static_url_path="/assets"
    )
    for number, page in enumerate((*PAGES, Page("GET", "/<not_api:path>", _not_found))):
        pages.add_url_rule(page.rule, f"page{number}", _endpoint(site, page), methods=[page.method])
    pages.after_request(_add_headers)
    pages.add_app_template_global(session.token, "form_token")
    pages.add_app_template_global(lambda at: when(at, site.now()), "when")
    pages.add_app_template_filter(tint, "tint")
    pages.add_app_template_filter(web_url, "web_url")
    app.register_blueprint(pages)


def _endpoint(site: ForgeInstance, route: Page) -> Callable[..., Response]:
    def endpoint(**args: str) -> Response:
        page = PageContext(request, site, args, session.viewer(site))
        try:
            return _respond(page, route)
        except Refusal as refusal:
            page.repo, page.refusal = {}, refusal
            return page.render("error.html")

    return endpoint


def _respond(page: PageContext, route: Page) -> Response:
    if route.method == "POST" and not session.is_own_form(page.field("_csrf")):
        raise Refusal(403, "This form has expired or comes from another site. Reload its page and try again.")
    if "repo" in page.args and (redirect := _open_repo(page, route)):
        return redirect
    if route.login and page.viewer is None:
        back = {"redirect_to": _requested_path(page)} if route.method == "GET" else {}
        return page.redirect(f"/user/login?{urlencode(back)}")
    try:
        return route.view(page)
    except Refusal as refusal:
        if route.form is None:
            raise
        return route.form(replace(page, refusal=refusal))


def _open_repo(page: PageContext, route: Page) -> Response | None:
    """Load the repository and the viewer's rights; without rights it does not exist for the viewer."""
    owner, name = page.args["owner"], page.args["repo"].removesuffix(".git")
    try:
        page.repo = repos.get(page.site, owner, name)
    except Renamed as moved:
        page.repo = repos.get(page.site, *moved.new.strip("/").split("/"))
    page.granted = rules.access(page.site, page.viewer, page.repo)
    if not page.granted.reads(*route.units):
        raise Missing
    if route.method == "POST" and page.repo["archived"]:
        raise Refusal(423)
    requested = f"/{owner}/{page.args['repo']}"
    if route.method == "GET" and requested != page.home:
        return page.redirect(_requested_path(page).replace(requested, page.home, 1))
    return None


def _requested_path(page: PageContext) -> str:
    query = page.request.query_string.decode(errors="replace")
    return quote(page.request.path) + (f"?{query}" if query else "")


def _add_headers(response: Response) -> Response:
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    return response


def _not_found(page: PageContext) -> Response:
    raise Missing
