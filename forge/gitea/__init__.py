"""Forgejo and Gitea, over the session of python-gitea."""

from forge.gitea.admin import GiteaAdmin
from forge.gitea.decode import decode
from forge.gitea.field import Malformed
from forge.gitea.operator import GiteaOperator
from forge.gitea.read import GiteaReader
from forge.gitea.write import GiteaForge

__all__ = ["GiteaAdmin", "GiteaForge", "GiteaOperator", "GiteaReader", "Malformed", "decode"]
