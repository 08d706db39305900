"""A small real forge for one machine, in Forgejo's dialect: for trying out, tests and demos.

flavour     what differs between real forges: values            state site    where it all is
dialect     a thing and a refusal as a flavour tells them
git merges diffs                                                real git in bare repositories
rules       who may do what, and what branch protection forbids
deeds/      what can be done and asked: plain functions         shapes/       rows told as JSON
events hooks                                                    what hooks are told, and the telling
smart agit identity                                             git over HTTP, and who asks
api/        the REST table                                      server        all of it on a port
"""

from __future__ import annotations

from forge.embedded.flavour import Flavour
from forge.embedded.flavours import FLAVOURS, FORGEJO_10, FORGEJO_17, GITEA_126, GITEA_127
from forge.embedded.server import EmbeddedForge, serve

__all__ = ["FLAVOURS", "FORGEJO_10", "FORGEJO_17", "GITEA_126", "GITEA_127", "EmbeddedForge", "Flavour", "serve"]
