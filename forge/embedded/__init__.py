"""A small real forge for one machine, in Forgejo's dialect: for trials, tests and demos.

flavour           what differs between real forges: values   state instance     where everything is
dialect           objects and refusals in a flavour's terms  git merges diffs   real git, bare repositories
rules             permissions and branch protection          services/ shapes/  operations, and rows as JSON
events hooks      webhook payloads and their delivery        api/               the REST route table
git_http identity git over HTTP, and who asks                faults fault_injection  failures on demand
server            all of it on a port                        pages/             what a browser sees
"""

from __future__ import annotations

from forge.embedded.flavour import Flavour
from forge.embedded.flavours import FLAVOURS, FORGEJO_10, FORGEJO_17, GITEA_126, GITEA_127
from forge.embedded.server import EmbeddedForge

__all__ = ["FLAVOURS", "FORGEJO_10", "FORGEJO_17", "GITEA_126", "GITEA_127", "EmbeddedForge", "Flavour"]
