"""The engine without a model: it does what a request says to the letter, and refuses the rest once, in words."""

from __future__ import annotations

import errno
import hashlib
from dataclasses import dataclass
from typing import NoReturn

from hive.agent import files, git
from hive.agent.engines.engine import Workplace
from hive.agent.engines.mechanic import words
from hive.agent.engines.mechanic.checkout import Checkout
from hive.agent.engines.mechanic.container_wish import DECLARATION, with_packages
from hive.agent.engines.mechanic.performer import Performer
from hive.agent.engines.mechanic.reports import StepReport, code, imperative, listed
from hive.agent.engines.mechanic.request_reader import RequestReading, read
from hive.agent.engines.mechanic.wishes import ApplyPatch, Wish
from hive.agent.errors import HostRefused, ToolError, TurnEnded
from hive.agent.git import GitCommand
from hive.agent.log import log
from hive.agent.loop import OUT_OF_STEPS, OUT_OF_TIME
from hive.agent.tool_declarations import PROPOSE, Tool, offered
from hive.agent.turn import PlainRequest, TurnBrief

MAX_ITEMS, MAX_ITEM = 10, 110
NO_TOOL: tuple[Tool, ...] = ()
BAD_PATHS = frozenset(
    {errno.ENAMETOOLONG, errno.EISDIR, errno.ENOTDIR, errno.EINVAL, errno.EILSEQ, errno.ELOOP, errno.EACCES}
)
"""What the kernel says to a path that a request names, and that can be none."""


@dataclass(frozen=True, slots=True)
class MechanicEngine:
    """Reads the request by fixed phrasings, performs what they wish, and submits it."""

    name: str = "mechanic"

    def tools(self, turn: TurnBrief) -> tuple[Tool, ...]:
        """None: it calls the final actions itself."""
        return offered(NO_TOOL, turn.capabilities)

    def fingerprint(self, turn: TurnBrief) -> str:
        """Always the same: it reads no conversation."""
        return hashlib.sha256(turn.engine.encode()).hexdigest()[:16]

    def work(self, place: Workplace) -> NoReturn:
        """Do what the turn asks for, and end it."""
        place.between()
        request = place.turn.request or PlainRequest()
        reading = read(request)
        if reading.is_empty:
            refuse(place.turn, reading, request)
        TurnOfWork(place, request, reading).run()


ENGINE = MechanicEngine()


def refuse(turn: TurnBrief, reading: RequestReading, request: PlainRequest) -> NoReturn:
    """End a turn that asks for nothing that can be done; the words are said once in a run."""
    ends = [line["end"]["message"] for line in turn.transcript if "end" in line]
    said_before = any(message.startswith(words.REFUSAL) for message in ends)
    raise TurnEnded("blocked", "" if said_before else words.refusal(reading, is_cut=request.is_cut))


class TurnOfWork:
    """One turn: each wish is a step, told to the transcript before it is done."""

    def __init__(self, place: Workplace, request: PlainRequest, reading: RequestReading) -> None:
        turn = place.turn
        self._place = place
        self._request = request
        self._reading = reading
        command = GitCommand(place.tree, git.environment(turn, 0), turn.repo, place.sandbox)
        base = f"refs/remotes/origin/{turn.base}"
        self._checkout = Checkout(place.tree, command, base, place.between)
        self._performer = Performer(self._checkout, place.run)
        self._told = place.transcript.steps
        self._staged = ""
        """The tree after the last wish."""

    def run(self) -> NoReturn:
        """Perform every wish from what is committed, and submit; a process that was killed starts over and comes to the same."""
        self._checkout.begin(self._place.turn.id)
        report = StepReport()
        failed_patches: list[str] = []
        for number, wish in enumerate(self._reading.wishes):
            self._begin(number, wish)
            try:
                step = self._perform(wish)
            except ToolError as error:
                report.undone.append(f"{imperative(wish)}: {error}")
                failed_patches += [str(error)] if isinstance(wish, ApplyPatch) else []
                step = StepReport(undone=[str(error)])
            else:
                report.add(step)
            self._tell(number, step)
            self._show(number + 1)
        if failed_patches:  # half of a change that belongs together is worse than none
            self._checkout.git("reset", "--quiet", "--hard")
            raise TurnEnded("blocked", f"{words.PATCH_FAILED}\n{listed(failed_patches)}")
        self._end(report)

    def _begin(self, number: int, wish: Wish) -> None:
        place = self._place
        place.between()
        if number >= place.turn.max_steps:
            raise TurnEnded("blocked", OUT_OF_STEPS.format(steps=place.turn.max_steps))
        if place.is_late():
            raise TurnEnded("blocked", OUT_OF_TIME.format(minutes=place.turn.minutes))
        if number >= self._told:
            content = [{"type": "text", "text": imperative(wish)}]
            place.transcript.append({"role": "assistant", "content": content, "stop_reason": "end_turn", "usage": {}})

    def _tell(self, number: int, step: StepReport) -> None:
        if number >= self._told:
            content = [{"type": "text", "text": "\n".join(step.sentences) or "Nothing."}]
            self._place.transcript.append({"role": "user", "content": content})

    def _show(self, done: int) -> None:
        """Tick what is done on the run's progress comment; it is no fault of the work if that is refused."""
        names = [imperative(wish)[:MAX_ITEM] for wish in self._reading.wishes][:MAX_ITEMS]
        try:
            self._place.actions.broker.progress(names[:done], names[done:])
        except HostRefused as error:
            log("no progress", turn=self._place.turn.id, error=error)

    def _perform(self, wish: Wish) -> StepReport:
        before = self._staged = self._staged or self._checkout.stage()
        try:
            step = self._performer.perform(wish)
        except ToolError:
            self._checkout.restore(before)
            raise
        except (OSError, UnicodeError) as error:
            if isinstance(error, OSError) and error.errno not in BAD_PATHS:
                raise
            self._checkout.restore(before)
            raise ToolError(f"that path cannot be: {error}") from error
        self._staged = self._checkout.stage()
        return step

    def _end(self, report: StepReport) -> NoReturn:
        if self._checkout.is_changed():
            self._submit(report)
        if report.lacks:
            self._propose(report)
        raise TurnEnded(*words.nothing(report, self._reading))

    def _submit(self, report: StepReport) -> NoReturn:
        title = words.title(self._request, self._reading.wishes)
        summary = words.summary(report, self._request, self._checkout.stat())
        left = words.not_done(report, self._reading)
        self._place.between()
        try:
            self._place.actions.submit(title, summary, not_done=left)
        except (ToolError, HostRefused, OSError, UnicodeError) as error:
            log("not submitted", turn=self._place.turn.id, error=error)
            raise TurnEnded("blocked", words.check_failed(report, str(error))) from error

    def _propose(self, report: StepReport) -> NoReturn:
        """Ask for programs that are missing, once in a run."""
        turn, actions = self._place.turn, self._place.actions
        programs = ", ".join(map(code, report.lacks))
        if any(line["end"]["outcome"] == "proposed" for line in turn.transcript if "end" in line):
            raise TurnEnded("blocked", words.NOT_BROUGHT.format(programs=programs))
        if not offered((PROPOSE,), turn.capabilities):
            raise TurnEnded("blocked", words.LACKS.format(programs=programs))
        try:
            actions.config.prepare()
            text = files.inside(actions.config.path, DECLARATION).read_text(encoding="utf-8")
            why = words.WHY.format(
                issue=f"{turn.issue_repo}#{turn.issue_number}", what=imperative(self._reading.wishes[0])
            )
            actions.propose(DECLARATION, with_packages(text, report.lacks), f"Add {', '.join(report.lacks)}", why)
        except (ToolError, HostRefused, OSError, UnicodeError) as error:
            said = f"{words.LACKS.format(programs=programs)}\n\n{error}"
            raise TurnEnded("blocked", said) from error
