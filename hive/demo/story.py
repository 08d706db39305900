"""The story: what the operator does, and what has to come of it. Reads the forge like any user."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from bots.markdown import visible
from forge.models import PullRequest, Ref, Repo, State
from forge.protocol import NotFound, Reader, Unavailable
from hive.app.console import ActivityConsole
from hive.demo.form_browser import NotPossible
from hive.demo.names import DemoNames
from hive.demo.operator import OperatorClient
from hive.demo.scripted_replies import DOWNLOAD, HONEY, HOST, Task, welcome
from hive.instance.instance import StartupError

T = TypeVar("T")
ROUNDS = 6
STUCK = ("blocked", "failed")
VERDICT = "hive/review"
WORDS = 600
"""The most characters of an agent's explanation that are shown."""


class StoryFailed(StartupError):
    """The story stopped: an expected event did not happen."""


class StoryResult(Exception):
    """Somebody pressed Ctrl-C."""


@dataclass(frozen=True, slots=True)
class Timing:
    """What a step of the story took, from the operator's click to what could then be seen on the forge."""

    what: str
    seconds: float


@dataclass(frozen=True, slots=True)
class HeadVerdict:
    """What the review says of a head."""

    head_sha: str
    state: State


@dataclass(frozen=True, slots=True)
class Pace:
    """How long one step may take, and the interval of checks; in seconds."""

    retry: float
    interval: float


class Story:
    """One evening with the hive."""

    def __init__(
        self,
        cast: DemoNames,
        reader: Reader,
        operator: OperatorClient,
        console: ActivityConsole,
        *,
        stop: threading.Event,
        pace: Pace,
        stuck: Callable[[Ref], str] = lambda _: "",
    ) -> None:
        """`operator` act for the operator; `console` shows what happens in the meantime; `stuck` is how a run ended its turn."""
        self._stuck = stuck
        self._cast = cast
        self._reader = reader
        self._operator = operator
        self._console = console
        self._stop = stop
        self._pace = pace
        self._timings: list[Timing] = []

    def play(self, own_project: Sequence[str] | None, *, engine: str = "native") -> list[Timing]:
        """All chapters, with the sample project or your own; returns how long each step took.

        An engine without a model asks for the package of the second chapter, and writes no script for it.

        Raises StoryFailed; ends early on Ctrl-C.
        """
        is_own = own_project is not None
        try:
            self._operator.sign_in()
            self._console.chapter("1. An issue becomes a pull request, is reviewed, fixed, and merged")
            self.issue_to_merge(HONEY if own_project is None else welcome(own_project))
            self._console.chapter("2. An agent asks for a package, a merge approves it, its container is rebuilt")
            is_short = is_own or engine == "mechanic"
            self.config_to_container(HOST if is_short else DOWNLOAD, then_merge=not is_short)
        except StoryResult:
            pass
        except NotPossible as error:
            raise StoryFailed(f"the operator could not go on: {error}") from error
        self._console.show()
        return self._timings

    def issue_to_merge(self, task: Task) -> None:
        """Open an issue; it is routed, worked on, reviewed, fixed, and merged."""
        app = self._cast.app
        issue = Ref(app, self._operator.file_issue(app.path, task.title, task.body))
        self._timed("issue filed → labelled and assigned", lambda: self._assigned(issue))
        pull = self._timed("assigned → pull request", lambda: self._pull_or_words(issue))
        self._review_rounds(pull)
        self._merge(pull, "merged → issue closed", lambda: not self._reader.issue(issue).is_open or None)

    def _pull_or_words(self, issue: Ref) -> Ref | None:
        """The pull request; raises StoryFailed with the agent's own explanation as soon as it cannot continue."""
        found = self._pull_for(issue)
        if found is not None and not self._reader.pull(found).draft:
            return found
        if self._stuck(issue) not in STUCK:
            return None
        threads = [issue] if found is None else [issue, found]  # a draft of what it could not finish has its words
        said = [
            comment.body
            for thread in threads
            for comment in self._reader.comments(thread)
            if comment.author.login == self._cast.agent
        ]
        if said:
            words = " ".join(visible(said[-1]).split())[:WORDS]
            raise StoryFailed(f"{self._cast.agent} could not do it, and says: {words}")
        return None

    def config_to_container(self, task: Task, *, then_merge: bool) -> None:
        """File an issue that needs a package: the agent asks, a merge approves, the container is rebuilt."""
        app = self._cast.app
        issue = Ref(app, self._operator.file_issue(app.path, task.title, task.body))
        proposal = self._timed("issue filed → agent asks for a package", lambda: self._open_pull(self._cast.config))
        self._timed("asked → evaluated", lambda: self._evaluated(proposal))
        self._merge(proposal, "merged → container rebuilt", lambda: self._deployed(proposal))
        if then_merge:
            pull = self._timed("rebuilt → pull request", lambda: self._pull_for(issue))
            self._review_rounds(pull)
            self._merge(pull, "merged → issue closed", lambda: not self._reader.issue(issue).is_open or None)
        else:
            self._timed("rebuilt → answered", lambda: self._answered(issue))

    def _review_rounds(self, pull: Ref) -> None:
        """Wait for verdicts until one is not red; the agent has to fix each red one."""
        seen = ""
        for number in range(1, ROUNDS + 1):
            what = "pull request → reviewed" if number == 1 else f"fixed → reviewed, round {number}"
            verdict = self._timed(what, partial(self._verdict, pull, seen))
            if verdict.state is State.SUCCESS:
                return
            seen = verdict.head_sha
            self._timed("🔴 → fixed", partial(self._new_head, pull, seen))
        raise StoryFailed(f"{pull} was not green after {ROUNDS} rounds")

    def _merge(self, pull: Ref, what: str, seen: Callable[[], T | None]) -> None:
        head = self._reader.pull(pull).head_sha
        self._wait(lambda: self._operator.merge(pull.repo.path, pull.number, head) or None, f"{pull} can be merged")
        self._timed(what, seen)

    def _assigned(self, issue: Ref) -> bool | None:
        seen = self._reader.issue(issue)
        return bool(seen.assignees and len(seen.labels) >= 2) or None

    def _pull_for(self, issue: Ref) -> Ref | None:
        return self._find(issue.repo, lambda pull: pull.head_branch == f"agent/{self._cast.agent}/issue-{issue.number}")

    def _open_pull(self, repo: Repo) -> Ref | None:
        return self._find(repo, lambda pull: pull.author.login == self._cast.agent)

    def _find(self, repo: Repo, fits: Callable[[PullRequest], bool]) -> Ref | None:
        """The open pull request of a repository that fits; numbers are few in a story."""
        for number in range(1, 50):
            try:
                subject = self._reader.issue(Ref(repo, number))
            except NotFound:
                return None
            if subject.is_pull and subject.is_open and fits(self._reader.pull(subject.ref)):
                return subject.ref
        return None

    def _verdict(self, pull: Ref, seen: str) -> HeadVerdict | None:
        head = self._reader.pull(pull).head_sha
        if head == seen:
            return None
        said = [each.state for each in self._reader.statuses(pull.repo, head) if each.context == VERDICT]
        return HeadVerdict(head, said[0]) if said and said[0] is not State.PENDING else None

    def _new_head(self, pull: Ref, old: str) -> bool | None:
        return self._reader.pull(pull).head_sha != old or None

    def _evaluated(self, pull: Ref) -> bool | None:
        statuses = self._reader.statuses(pull.repo, self._reader.pull(pull).head_sha)
        return any(status.context == "hive/eval" and status.state == "success" for status in statuses) or None

    def _deployed(self, pull: Ref) -> bool | None:
        return any(comment.body.startswith("🟢") for comment in self._reader.comments(pull)) or None

    def _answered(self, issue: Ref) -> bool | None:
        own = [comment for comment in self._reader.comments(issue) if comment.author.login == self._cast.agent]
        return any("in my container" in comment.body for comment in own) or None

    def _timed(self, what: str, look: Callable[[], T | None]) -> T:
        begun = time.monotonic()
        found = self._wait(look, what)
        self._timings.append(Timing(what, time.monotonic() - begun))
        return found

    def _wait(self, look: Callable[[], T | None], what: str) -> T:
        until = time.monotonic() + self._pace.retry
        while time.monotonic() < until:
            self._console.show()
            try:
                found = look()
            except Unavailable:  # a forge that is started again is no end of the story
                found = None
            if found is not None:
                return found
            if self._stop.wait(self._pace.interval):
                raise StoryResult
        raise StoryFailed(f"the story stopped at “{what}”: it did not come within {self._pace.retry:.0f} s")
