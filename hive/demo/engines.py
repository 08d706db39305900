"""Which engine works in a demo, and what that needs."""

from __future__ import annotations

import os

from hive.demo.scripted_replies import Task
from hive.instance.instance import StartupError
from hive.instance.model_keys import VARIABLE
from hive.reconcile.build import resolve

ENGINES = ("native", "claude-code", "mechanic")
NO_CLAUDE = (
    "there is no `claude` where containers see it, in {path}: npm install -g @anthropic-ai/claude-code, "
    "or choose another --engine"
)
SCRIPTED = f"a scripted model plays the agents: no {VARIABLE} is set"
THINKING = "the agents think with {model}; it costs money, and minutes"
MECHANIC = "the agents have no model: they do what is written in an issue, to the letter"

ASK = (
    "Rename `old_name` to `new_name`",
    "Replace `this text` with `that text` in `path/to/file`",
    "Bump requests to 2.32.4, or: Bump the version to 1.4.0",
    "Format the code, or: Fix lint",
    "Create `path/to/file` with: and a block; Delete `path/to/file`; s/teh/the/",
    "anything, with the change in a ```diff block, as `git diff` prints it",
)
"""What a demo without a model can be asked for, in a stranger's own words."""

RENAME = Task("Rename `honey` to `nectar`", "It is what the bees bring.")


def chosen(wanted: str, *, is_own_project: bool) -> str:
    """The engine of a demo: the one that was asked for, else one that is of use without a key on a project of your own."""
    if wanted:
        return wanted
    return "native" if has_key() or not is_own_project else "mechanic"


def has_key() -> bool:
    """Whether a real model may be asked."""
    return bool(os.environ.get(VARIABLE, "").strip())


def is_scripted(engine: str) -> bool:
    """Whether a scripted model has to play the agents."""
    return engine != "mechanic" and not has_key()


def thinks(engine: str) -> bool:
    """Whether a real model is at work: it takes its time."""
    return engine != "mechanic" and has_key()


def note(engine: str, model: str) -> str:
    """What is at work, in a sentence."""
    if engine == "mechanic":
        return MECHANIC
    return THINKING.format(model=model) if has_key() else SCRIPTED


def require(engine: str, path: tuple[str, ...]) -> None:
    """Check for the program of an engine; raises StartupError."""
    if engine == "claude-code" and not resolve("claude", path):
        raise StartupError(NO_CLAUDE.format(path=", ".join(path)))
