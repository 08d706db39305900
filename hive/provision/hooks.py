"""The hive's webhooks: one for each organisation whose events it needs, all signed with one secret.

No forge changes a hook's secret, so a new hook takes the old one's place. The receiver believes both
secrets from the moment the next one is written down until the last hook is changed; killed in
between, the next run takes up the same secret.
"""

from __future__ import annotations

import secrets
import time

from forge.protocol import Admin
from hive.app.house import House
from hive.app.web import SECRET_SECONDS
from hive.provision.rights import EVENTS
from hive.provision.steps import MISSING, Steps

MARK = "hive-mark"
"""Where the ledger keeps what tells this hive from others on the same forge."""


def mark(house: House) -> str:
    """What tells this hive from others; made once, and no secret."""
    held = house.ledger.intake.cursor(MARK)
    if held is None:
        held = secrets.token_hex(4)
        house.ledger.intake.move_cursor(MARK, held)
    return held


class Hooks:
    """The hooks of one forge to the receiver."""

    def __init__(self, house: House, forge: str, admin: Admin, steps: Steps) -> None:
        self._house = house
        self._forge = forge
        self._admin = admin
        self._steps = steps

    @staticmethod
    def url(house: House, forge: str) -> str:
        """Where a forge delivers to, with the mark by which this hive knows its hooks when that address changes."""
        web = house.settings.web
        return f"{(web.url or f'http://{web.host}:{web.port}').rstrip('/')}/hook/{forge}?hive={mark(house)}"

    @staticmethod
    def orgs(house: House, forge: str) -> tuple[str, ...]:
        """The organisations whose events are needed."""
        teams = [name for name, team in house.settings.teams.items() if team.forge == forge]
        return (*teams, house.settings.configs)

    def ensure(self) -> None:
        """One hook for each organisation, with the secret that the receiver knows."""
        vault = self._house.vault
        what = f"hooks of {', '.join(self.orgs(self._house, self._forge))} with a new secret"
        if vault.waiting_hook_secret(self._forge) is not None:
            self._steps.take(what, "the last change of it was cut short", self.renew)
        elif not vault.has_hook_secret(self._forge):
            self._steps.take(what, MISSING, self.renew)
        if vault.has_hook_secret(self._forge):
            secret, url = vault.hook_secret(self._forge).decode(), self.url(self._house, self._forge)
            for org in self.orgs(self._house, self._forge):
                self._steps.note(self._admin.ensure_hook(org, url, secret, EVENTS), f"hook of {org} to {url}")

    def renew(self) -> None:
        """New hooks with a new secret in the place of all of them."""
        vault = self._house.vault
        known = vault.waiting_hook_secret(self._forge) is not None
        secret = vault.next_hook_secret(self._forge).decode()
        if not known and vault.has_hook_secret(self._forge):
            time.sleep(2 * SECRET_SECONDS)  # until a receiver that runs has read it
        for org in self.orgs(self._house, self._forge):
            self._admin.renew_hook(org, self.url(self._house, self._forge), secret, EVENTS)
        vault.change_hook_secret(self._forge)
