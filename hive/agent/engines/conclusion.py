"""The end of a turn whose program ended by itself: what it changed is submitted, or its last words are the answer."""

from __future__ import annotations

import re

from hive.agent.engines.engine import Workplace
from hive.agent.errors import ToolError, TurnEnded
from hive.agent.final_actions import NOTHING_NEW
from hive.agent.loop import NO_WORD

HAND_BACKS = 2
"""How often a program is told why its change was not submitted."""

HANDED_BACK = "Your change was not submitted yet. Put this right, then end:\n\n{why}"
NOT_SUBMITTED = "My change is not submitted. {why}\n\nWhat I said last:\n\n{words}"
NOTHING = "(nothing)"
UNTITLED = "Work on issue #{number}"
LONGEST_TITLE = 100
_BOLD = re.compile(r"\*\*|__")
_MARKS = re.compile(r"^[\s#>*_`-]+|[\s*_`]+$")


def conclude(place: Workplace, words: str) -> str:
    """End the turn as a program's last words want it; returns why its change could not be submitted."""
    words = words.strip()
    may_submit = any(tool.name == "submit" for tool in place.toolbox.tools)
    if not may_submit or not place.actions.work.view.has_news():
        raise TurnEnded("answered" if words else "blocked", words or NO_WORD)
    title = title_of(words) or UNTITLED.format(number=place.turn.issue_number)
    try:
        place.actions.submit(title, words or title)
    except ToolError as error:
        if str(error) == NOTHING_NEW.format(base=place.turn.base):
            raise TurnEnded("answered" if words else "blocked", words or NO_WORD) from error
        return str(error)


def give_up(why: str, words: str) -> TurnEnded:
    """The end of a turn whose change was handed back often enough."""
    return TurnEnded("blocked", NOT_SUBMITTED.format(why=why, words=words.strip() or NOTHING))


def title_of(words: str) -> str:
    """The first sentence of the first line that has a word, without Markdown; empty if there is none."""
    lines = (_MARKS.sub("", _BOLD.sub("", line)) for line in words.splitlines())
    line = next((line for line in lines if re.search(r"\w", line)), "")
    sentence = re.split(r"(?<=[.!?])\s", line, maxsplit=1)[0].rstrip(".:")
    if len(sentence) <= LONGEST_TITLE:
        return sentence
    return f"{sentence[:LONGEST_TITLE].rpartition(' ')[0] or sentence[:LONGEST_TITLE]} …"
