"""Forgejo and Gitea, over the session of python-gitea."""
