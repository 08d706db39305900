"""What the mechanic says. Performs no I/O."""

from __future__ import annotations

from collections.abc import Sequence

from hive.agent.engines.mechanic.reports import StepReport, code, fenced, headline, imperative, listed
from hive.agent.engines.mechanic.request_reader import RequestReading
from hive.agent.engines.mechanic.wishes import Wish
from hive.agent.turn import PlainRequest

MAX_CHECK = 4_000

ABILITIES = """\
- **apply a change that is given**: a fenced `diff` block, as `git diff` prints it; a `suggestion` block on a line
- **rename**: rename `old_name` to `new_name`; rename the file `a.py` to `b.py`
- **replace a text**: replace `old` with `new` in `path`; fix the typo `teh` → `the`; s/teh/the/
- **bump**: bump requests to 2.32.4; update actions/checkout to v4; bump the version to 1.4.0; bump the minor version
- **format**: format the code; fix lint; run ruff – with the tools that the repository configures and my container has
- **files and lines**: create `path` with: (and a block); add the line `…` to `path`; delete `path`; delete these lines from `path`
- **my container**: add `gzip` to your container – as a proposal that an operator merges
- **findings of a review**: `/fix 2` on the pull request, where the finding has a change"""
"""What it can do, as Markdown."""

REFUSAL = "I do what is written and do not think: there is no model behind me. I found nothing here that I can do."
ONCE = "This waits for an operator, and I do not say it again on this run. Ask in a comment, or `/cancel` on a line of its own ends the run."
NEARLY = "Nearly:"
PART = "These parts I could do, if they are asked for alone:"
CUT = "The text is longer than I read, or has parts that no reader sees: I read what is left."
NOTHING_DONE = "I changed nothing:"
SAME = "There is nothing to do:"
DONE = "Done as written, without a model:"
NOTES = "To look at:"
OTHERS = "not understood, so left to a person:"
STRANGER = "The request was written by {author}, who is not of the team."
PATCH_FAILED = "I could not apply the change as it is given, so I changed nothing:"
CHECK = "I did what was asked, and a check stopped it before it was pushed:"
LACKS = "My container lacks {programs}; a proposal for it is in another pull request, or has to be made by hand."
NOT_BROUGHT = "My container still lacks {programs}, although I asked for it."
WHY = "It was asked for in {issue}: {what}."
STEP = "{what}: {wish}"


def refusal(reading: RequestReading, *, is_cut: bool) -> str:
    """What is said when nothing can be done: once in a run."""
    parts = [REFUSAL]
    if reading.hints:
        parts.append(f"{NEARLY}\n{listed(reading.hints)}")
    if reading.possible:
        parts.append(f"{PART}\n{listed(imperative(wish) for wish in reading.possible)}")
    if is_cut:
        parts.append(CUT)
    return "\n\n".join([*parts, f"What I can do:\n\n{ABILITIES}", ONCE])


def summary(report: StepReport, request: PlainRequest, stat: str) -> str:
    """What a pull request does, for its reviewers: what was done, what to look at, and how large it is."""
    parts = [
        f"{DONE}\n{listed([*report.done, *report.same])}",
        f"{NOTES}\n{listed(report.notes)}" if report.notes else "",
        STRANGER.format(author=code(request.author)) if request.author and not request.is_trusted else "",
        fenced(stat) if stat else "",
    ]
    return "\n\n".join(filter(None, parts))


def not_done(report: StepReport, reading: RequestReading) -> str:
    """What was asked and not done, and what was not understood; empty if all was done."""
    undone = [*report.undone, *reading.hints, *(f"{code(name)} is not in my container" for name in report.lacks)]
    others = [f"{OTHERS} {code(other)}" for other in reading.others]
    return listed([*undone, *others])


def nothing(report: StepReport, reading: RequestReading) -> tuple[str, str]:
    """How a turn ends that has changed nothing: its outcome, and the words."""
    undone = [*report.undone, *report.notes, *reading.hints]
    said = [f"{NOTHING_DONE}\n{listed(undone)}"] if undone else []
    if report.answers or report.same:
        so = [*report.answers, *report.same]
        head = "\n".join(so) + "." if report.answers and not report.same and len(so) == 1 else f"{SAME}\n{listed(so)}"
        return ("blocked" if undone else "answered"), "\n\n".join([head, *said])
    others = [listed(f"{OTHERS} {code(other)}" for other in reading.others)] if reading.others else []
    return "blocked", "\n\n".join([*said, *others])


def title(request: PlainRequest, wishes: Sequence[Wish]) -> str:
    """The title of a pull request, and the subject of the commit."""
    return request.title or headline(wishes)


def check_failed(report: StepReport, said: str) -> str:
    """What is said when a check stopped it."""
    shown = said if len(said) <= MAX_CHECK else f"{said[: MAX_CHECK // 2]}\n…\n{said[-MAX_CHECK // 2 :]}"
    return f"{CHECK}\n\n{fenced(shown)}\n\n{listed(report.done)}"
