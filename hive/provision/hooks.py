"""The hive's webhooks: one for each organisation whose events it needs, all signed with one secret.

No forge changes a hook's secret, so a new hook takes the old one's place. The receiver believes both
secrets from the moment the next one is written down until the last hook is changed; killed in
between, the next run takes up the same secret.
"""

from __future__ import annotations

import secrets
import time

from forge.protocol import Admin
from hive.instance.instance import Instance
from hive.provision.steps import MISSING, Steps
from hive.provision.team_permissions import EVENTS
from hive.secret_store import REREAD_SECONDS

MARK = "hive-mark"
"""The ledger's cursor of the mark that distinguishes this hive from others on the same forge."""


def mark(instance: Instance) -> str:
    """The mark that distinguishes this hive from others; created once, and not secret."""
    held = instance.ledger.deliveries.cursor(MARK)
    if held is None:
        held = secrets.token_hex(4)
        instance.ledger.deliveries.move_cursor(MARK, held)
    return held


class Hooks:
    """The hooks of one forge to the receiver."""

    def __init__(self, instance: Instance, forge: str, admin: Admin, steps: Steps) -> None:
        self._instance = instance
        self._forge = forge
        self._admin = admin
        self._steps = steps

    @staticmethod
    def url(instance: Instance, forge: str) -> str:
        """Where a forge delivers to, with the mark by which this hive knows its hooks when that address changes."""
        web = instance.settings.web
        return f"{(web.url or f'http://{web.host}:{web.port}').rstrip('/')}/hook/{forge}?hive={mark(instance)}"

    @staticmethod
    def orgs(instance: Instance, forge: str) -> tuple[str, ...]:
        """The organisations whose events are needed."""
        teams = [name for name, team in instance.settings.teams.items() if team.forge == forge]
        return (*teams, instance.settings.configs, instance.settings.meta.partition("/")[0])

    def ensure(self) -> None:
        """One hook for each organisation, with the secret that the receiver knows."""
        secret_store = self._instance.secret_store
        what = f"hooks of {', '.join(self.orgs(self._instance, self._forge))} with a new secret"
        if secret_store.waiting_hook_secret(self._forge) is not None:
            self._steps.take(what, "the last change of it was cut short", self.renew)
        elif not secret_store.has_hook_secret(self._forge):
            self._steps.take(what, MISSING, self.renew)
        if secret_store.has_hook_secret(self._forge):
            secret, url = secret_store.hook_secret(self._forge).decode(), self.url(self._instance, self._forge)
            for org in self.orgs(self._instance, self._forge):
                self._steps.note(self._admin.ensure_hook(org, url, secret, EVENTS), f"hook of {org} to {url}")

    def renew(self) -> None:
        """New hooks with a new secret in the place of all of them."""
        secret_store = self._instance.secret_store
        known = secret_store.waiting_hook_secret(self._forge) is not None
        secret = secret_store.next_hook_secret(self._forge).decode()
        if not known and secret_store.has_hook_secret(self._forge):
            time.sleep(2 * REREAD_SECONDS)  # until a receiver that runs has read it
        for org in self.orgs(self._instance, self._forge):
            self._admin.renew_hook(org, self.url(self._instance, self._forge), secret, EVENTS)
        secret_store.change_hook_secret(self._forge)
