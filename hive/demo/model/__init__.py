"""A scripted model behind a real HTTP server: the Messages API without a model. Thinks nothing."""

from hive.demo.model.conversation import Brain, Call, Conversation, Message, Reply, Result
from hive.demo.model.diff import DiffBrain
from hive.demo.model.script import Scene, Script
from hive.demo.model.server import ModelServer, serve

__all__ = [
    "Brain",
    "Call",
    "Conversation",
    "DiffBrain",
    "Message",
    "ModelServer",
    "Reply",
    "Result",
    "Scene",
    "Script",
    "serve",
]
