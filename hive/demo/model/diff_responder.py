"""A responder that applies the changes in a message, for a hive without a model. It does not think, and says so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hive.demo.model.changes import Change, Patch, Replacement, changes, title
from hive.demo.model.conversation import ModelConversation, ModelReply, ToolCall, ToolResult

HELP = """\
I am the scripted model: I can apply a change, but I cannot think of one.

- In an issue or a comment, put the change into a fenced `diff` block, as `git diff` prints it.
- In a review, a remark on a line with a `diff` block of `-old` and `+new` lines is enough.

I apply it, run the project's checks and open the pull request.
Until then this waits for an operator, and I do not say it again; `/cancel` on a line of its own ends my run.
For a model that thinks, start the hive with an `ANTHROPIC_API_KEY`.
"""
NOT_APPLIED = "I could not apply this:\n\n{said}\n"
NOT_SUBMITTED = "I applied the change, but it was not accepted:\n\n```\n{said}\n```\n"
APPLIED = "Applied {count} as written."
LEFT = "I could not apply:\n\n{said}"

_PATCH = ".hive-{number}.patch"
_APPLY = """\
if git apply --recount --reverse --check {file} 2>/dev/null; then echo applied before
else git apply --recount --whitespace=nowarn {file} && echo applied; fi
rm -f {file}"""


class DiffResponder:
    """Applies the `diff` blocks of the last message, then submits; it always ends with a message."""

    def reply(self, conversation: ModelConversation) -> ModelReply:
        """The next reply."""
        if not conversation.tools:
            return ModelReply(HELP)
        wanted = changes(conversation.news)
        if not wanted:
            return _blocked(HELP)
        if conversation.made and conversation.made[-1][0].name == "submit":
            return _blocked(NOT_SUBMITTED.format(said=conversation.made[-1][1].text))
        return _apply(wanted, conversation)


@dataclass(frozen=True, slots=True)
class _State:
    """How far a change is: what to try next, or what went wrong at last; neither if it is made."""

    todo: tuple[ToolCall, ...] = ()
    error: str = ""


def _apply(wanted: Sequence[Change], conversation: ModelConversation) -> ModelReply:
    """Try what was not tried yet; when nothing is left to try, submit what could be applied."""
    states = [_state(_attempts(number, change), conversation.made) for number, change in enumerate(wanted)]
    if todo := tuple(call for state in states for call in state.todo):
        return ModelReply("I apply what is written there.", todo)
    failed = [(change, state.error) for change, state in zip(wanted, states, strict=True) if state.error]
    said = "\n".join(f"- {_name(change)}: {error}" for change, error in failed)
    if len(failed) == len(wanted) or any(isinstance(change, Patch) for change, _ in failed):
        return _blocked(NOT_APPLIED.format(said=said))
    done = len(wanted) - len(failed)
    applied = APPLIED.format(count="one change" if done == 1 else f"{done} changes")
    summary = f"{applied}\n\n{LEFT.format(said=said)}" if failed else applied
    return ModelReply(calls=(ToolCall("submit", {"title": title(conversation.task), "summary": summary}),))


def _attempts(number: int, change: Change) -> tuple[tuple[ToolCall, ...], ...]:
    """The calls that may bring a change about, way by way; the last call of each shows whether it did."""
    if isinstance(change, Replacement):
        return tuple((ToolCall("edit", {"path": r.path, "old": r.old, "new": r.new}),) for r in change.readings)
    file = _PATCH.format(number=number)
    write = ToolCall("write", {"path": file, "content": change.text})
    return ((write, ToolCall("run", {"command": _APPLY.format(file=file)})),)


def _state(attempts: Sequence[tuple[ToolCall, ...]], made: Sequence[tuple[ToolCall, ToolResult]]) -> _State:
    """How far a change is, by the calls that were made."""
    error = ""
    for attempt in attempts:
        result = next((result for call, result in made if _same(call, attempt[-1])), None)
        if result is None:
            return _State(todo=attempt)
        if not result.is_error and (attempt[-1].name == "edit" or result.text.startswith("applied")):
            return _State()
        error = result.text
    return _State(error=error)


def _same(made: ToolCall, wanted: ToolCall) -> bool:
    return made.name == wanted.name and dict(made.input) == dict(wanted.input)


def _name(change: Change) -> str:
    return f"`{change.path}`" if isinstance(change, Replacement) else "the patch"


def _blocked(message: str) -> ModelReply:
    return ModelReply(calls=(ToolCall("finish", {"outcome": "blocked", "message": message}),))
