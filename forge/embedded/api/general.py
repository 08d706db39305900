"""The version, the forge's own webhooks, and an always empty list of notifications."""

from __future__ import annotations

from forge.embedded.api.call import Call
from forge.embedded.api.hooks import HOOKS
from forge.embedded.api.routes import ApiRoute, login, site_admin
from forge.embedded.shapes.values import Json


def _no_notifications(call: Call) -> Json:
    return {"new": 0}


ROUTES = (
    ApiRoute("GET /version", lambda call: {"version": call.site.flavour.version}),
    ApiRoute("GET /notifications/new", _no_notifications, "notification", login),
    *HOOKS.routes("/admin/hooks", "admin", reads=site_admin, writes=site_admin),
)
