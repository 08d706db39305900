"""A scripted model behind a real HTTP server: the Messages API without a model. Thinks nothing."""

from hive.demo.model.claude_dialect import ClaudeDialect
from hive.demo.model.conversation import Message, ModelConversation, ModelReply, Responder, ToolCall, ToolResult
from hive.demo.model.diff_responder import DiffResponder
from hive.demo.model.script import Scene, Script
from hive.demo.model.server import ModelServer, serve

__all__ = [
    "ClaudeDialect",
    "DiffResponder",
    "Message",
    "ModelConversation",
    "ModelReply",
    "ModelServer",
    "Responder",
    "Scene",
    "Script",
    "ToolCall",
    "ToolResult",
    "serve",
]
