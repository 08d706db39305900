"""Writes of one account to Forgejo and Gitea. Each checks first, so that repeating it changes nothing."""

from __future__ import annotations

from forge.gitea.comment_writer import CommentWriter
from forge.gitea.commit_writer import CommitWriter
from forge.gitea.conversation_writer import ConversationWriter
from forge.gitea.metadata_writer import GiteaMetadataWriter
from forge.gitea.pull_writer import GiteaPullWriter


class GiteaForge(CommentWriter, GiteaMetadataWriter, GiteaPullWriter, ConversationWriter, CommitWriter):
    """What one account does on a forge; only `hive.outbox.executor` holds one."""
