"""A responder that plays a story: messages select the scene, the number of replies the line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from hive.demo.model.conversation import ModelConversation, ModelReply, Responder


@dataclass(frozen=True, slots=True)
class Scene:
    """Replies to one message, in order.

    `when` is searched in the newest message of a user, `about` in the first one, `who` in the
    instructions; all are regular expressions. The scene restarts with each message that it matches.
    """

    when: str
    replies: tuple[ModelReply, ...]
    who: str = ""
    about: str = ""

    def fits(self, conversation: ModelConversation) -> bool:
        """Whether this is the scene for the conversation as it stands."""
        wanted = ((self.when, conversation.news), (self.about, conversation.task), (self.who, conversation.system))
        return all(re.search(pattern, text, re.IGNORECASE | re.MULTILINE) for pattern, text in wanted)


class Script:
    """Scenes, the first that fits is played; `otherwise` replies to what no scene fits, or when one is played out."""

    def __init__(self, scenes: Sequence[Scene], otherwise: Responder) -> None:
        self._scenes = tuple(scenes)
        self._otherwise = otherwise

    def reply(self, conversation: ModelConversation) -> ModelReply:
        """The next line."""
        scene = next((scene for scene in self._scenes if scene.fits(conversation)), None)
        if scene is None or conversation.round >= len(scene.replies):
            return self._otherwise.reply(conversation)
        return scene.replies[conversation.round]
