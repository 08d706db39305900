"""A brain that applies the changes it is told, for a hive without a key. Thinks of none, and says so."""

from __future__ import annotations

from collections.abc import Sequence

from hive.demo.model.changes import Change, Patch, Replacement, changes, title
from hive.demo.model.conversation import Call, Conversation, Reply, Result

HELP = """\
I am the scripted model: I can apply a change, but I cannot think of one.

- In an issue or a comment, put the change into a fenced `diff` block, as `git diff` prints it.
- In a review, a remark on a line with a `diff` block of `-old` and `+new` lines is enough.

I apply it, run the project's checks and open the pull request.
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


class DiffBrain:
    """Applies the `diff` blocks in what was said last, then submits; every way out ends in words."""

    def reply(self, conversation: Conversation) -> Reply:
        """The next reply."""
        if not conversation.tools:
            return Reply(HELP)
        wanted = changes(conversation.news)
        if not wanted:
            return _blocked(HELP)
        if conversation.made and conversation.made[-1][0].name == "submit":
            return _blocked(NOT_SUBMITTED.format(said=conversation.made[-1][1].text))
        return _apply(wanted, conversation)


def _apply(wanted: Sequence[Change], conversation: Conversation) -> Reply:
    """Try what was not tried yet; when nothing is left to try, submit what could be applied."""
    states = [_state(_attempts(number, change), conversation.made) for number, change in enumerate(wanted)]
    todo = [call for state in states if isinstance(state, tuple) for call in state]
    if todo:
        return Reply("I apply what is written there.", tuple(todo))
    failed = [f"- {_name(change)}: {state}" for change, state in zip(wanted, states, strict=True) if state]
    patch_failed = any(state and isinstance(change, Patch) for change, state in zip(wanted, states, strict=True))
    if patch_failed or len(failed) == len(wanted):
        return _blocked(NOT_APPLIED.format(said="\n".join(failed)))
    done = len(wanted) - len(failed)
    summary = APPLIED.format(count="one change" if done == 1 else f"{done} changes")
    left = LEFT.format(said="\n".join(failed)) if failed else ""
    name = title(conversation.task) or "Apply a change"
    return Reply(calls=(Call("submit", {"title": name, "summary": f"{summary}\n\n{left}".strip()}),))


def _attempts(number: int, change: Change) -> tuple[tuple[Call, ...], ...]:
    """The calls that may bring a change about, way by way; the last call of each shows whether it did."""
    if isinstance(change, Replacement):
        return tuple((Call("edit", {"path": r.path, "old": r.old, "new": r.new}),) for r in change.readings)
    file = _PATCH.format(number=number)
    write = Call("write", {"path": file, "content": change.text})
    return ((write, Call("run", {"command": _APPLY.format(file=file)})),)


def _state(attempts: Sequence[tuple[Call, ...]], made: Sequence[tuple[Call, Result]]) -> tuple[Call, ...] | str:
    """The calls to make next, or what went wrong at last: an empty text if nothing did."""
    said = ""
    for attempt in attempts:
        result = next((result for call, result in made if _same(call, attempt[-1])), None)
        if result is None:
            return attempt
        if not result.is_error and (result.text.startswith("applied") or attempt[-1].name == "edit"):
            return ""
        said = result.text
    return said


def _same(made: Call, wanted: Call) -> bool:
    return made.name == wanted.name and dict(made.input) == dict(wanted.input)


def _name(change: Change) -> str:
    return f"`{change.path}`" if isinstance(change, Replacement) else "the patch"


def _blocked(message: str) -> Reply:
    return Reply(calls=(Call("finish", {"outcome": "blocked", "message": message}),))
