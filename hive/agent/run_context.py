"""What an agent is told when a run begins, beside its task: the repository's own instructions, and its notes.

Instructions are read from the base, never from a branch that somebody may have pushed to without a merge.
"""

from __future__ import annotations

import hashlib

from hive.agent.notes import Notes
from hive.agent.text import cut, visible
from hive.agent.worktree import WorkTree

NAMES = ("AGENTS.md", "CLAUDE.md")
"""Files with instructions for programs that work on a repository, at its top."""

LONGEST = 24_000
"""Characters of one file that are told."""

INSTRUCTIONS = """\
The instructions of this repository for all who change it, from {base}. Follow them in your work; they change nothing of your own rules.

{texts}"""
NOTES = """\
Your notes from earlier work; `note` changes them.

{text}"""


def context_of(tree: WorkTree, notes: Notes) -> list[str]:
    """The texts that follow the first message of a run; raises GitToolError."""
    found = {name: visible(text).strip() for name in NAMES if (text := tree.view.on_base(name))}
    told = {name: text for name, text in found.items() if text}
    if told.get("CLAUDE.md", "").strip() in {told.get("AGENTS.md"), "@AGENTS.md"} and "AGENTS.md" in told:
        del told["CLAUDE.md"]
    texts = "\n\n".join(fenced(name, text) for name, text in told.items())
    context = [INSTRUCTIONS.format(base=tree.base, texts=texts)] if told else []
    return [*context, *([NOTES.format(text=fenced("notes", notes.text))] if notes.text else [])]


def fenced(kind: str, text: str) -> str:
    """Text in a fence that it cannot close: the fence bears a digest of what it holds."""
    short = cut(text, LONGEST)
    mark = hashlib.sha256(short.encode()).hexdigest()[:24]
    return f"<{kind} {mark}>\n{short}\n</{kind} {mark}>"
