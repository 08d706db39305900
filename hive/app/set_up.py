"""Sets up agents that a merged roster added, where the hive itself is the site admin: on the forges that `hive up` runs."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass

from forge.protocol import ForgeError
from hive.instance.instance import Instance
from hive.instance.rosters import host_settings, roster_state, rostered, waiting_agents
from hive.provision import Provisioner

log = logging.getLogger("hive.app.set_up")

ADMIN = "hive-admin"
LOOK_SECONDS = 1.0


@dataclass
class AgentSetUp:
    """Gives agents of a merged roster their accounts and repositories; `engine` is that of new agents."""

    instance: Instance
    engine: str = ""
    _next_look: float = 0.0
    _state: tuple[object, ...] = ()

    def look(self) -> None:
        """Set up who waits for it; a forge that is away is asked again. Raises errors of the ledger, and StartupError."""
        if time.monotonic() < self._next_look:
            return
        self._next_look = time.monotonic() + LOOK_SECONDS
        state = roster_state(self.instance)
        if state == self._state:
            return
        forges = {host_settings(self.instance).teams[team].forge for team in waiting_agents(self.instance).values()}
        whole = rostered(self.instance, whole=True)
        try:
            for forge in forges & set(self.instance.settings.own_forges):
                password = self.instance.secret_store.password(forge, ADMIN)
                Provisioner.run(whole, forge, ADMIN, password, log.info, engine=self.engine)
        except ForgeError as error:
            log.warning("set_up_failed error=%r", str(error)[:200])
            return
        self._state = state
