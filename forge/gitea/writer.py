"""Writes of one account to Forgejo and Gitea. Each checks first, so that repeating it changes nothing."""

from __future__ import annotations

from forge.gitea.comments import CommentWriter
from forge.gitea.commits import CommitWriter
from forge.gitea.conversations import ConversationWriter
from forge.gitea.issue_metadata import GiteaMetadataWriter
from forge.gitea.pull_requests import GiteaPullWriter


class GiteaForge(CommentWriter, GiteaMetadataWriter, GiteaPullWriter, ConversationWriter, CommitWriter):
    """What one account does on a forge; only `hive.outbox.executor` holds one."""
