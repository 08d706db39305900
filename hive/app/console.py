"""The terminal of a running hive: one line for each event, read from the audit log."""

from __future__ import annotations

import re
import shutil
import sys
import time
from collections.abc import Mapping
from typing import Any

import click

from bots.agent_intents import GiveWork
from bots.intents import Assign, OpenIssue, Reply, SetLabels, SetStatus, SetVerdict, Unassign
from bots.review_intents import PostReview
from forge.events import CommentPosted, IssueClosed, IssueOpened, PullClosed, PullMerged
from forge.models import Ref, Repo
from hive.instance.instance import Instance
from hive.ledger import Act, AuditRow
from hive.ledger.errors import STORE_ERRORS, describe, is_unavailable
from hive.outbox.actions import CreateTag, OpenPull, PostAnswer

WIDTH_WHO = 8
WIDTH_WHAT = 30
PAGE = re.compile(r"(?P<repo>[^/]+/[^/]+)/(?P<kind>issues|pulls|commit)/(?P<key>\w+)")
AWAY = "🟡 the ledger cannot be read ({why}); work is suspended"
COLORS = {"🔴": "red", "🟡": "yellow", "🟢": "green"}

PHRASES: Mapping[str, str] = {
    IssueOpened.WIRE: "opened an issue",
    IssueClosed.WIRE: "closed the issue",
    CommentPosted.WIRE: "commented",
    PullMerged.WIRE: "merged",
    PullClosed.WIRE: "closed the pull request",
    SetLabels.WIRE: "labelled {add}",
    Assign.WIRE: "assigned {agents}",
    GiveWork.WIRE: "{says}",
    PostReview.WIRE: "reviewed {verdict}",
    SetStatus.WIRE: "{says} {context}",
    SetVerdict.WIRE: "{says} {context}",
    OpenPull.WIRE: "opened a pull request",
    OpenIssue.WIRE: "opened an issue",
    PostAnswer.WIRE: "answered",
    Reply.WIRE: "{says}",
    Unassign.WIRE: "unassigned {agents}",
    Act.TURN_STARTED: "started",
    Act.TURN_ENDED: "finished: {outcome}",
    CreateTag.WIRE: "tagged {tag}",
    Act.DEPLOYED: "rebuilt {agent}, {tag}",
    Act.DEPLOYMENT_FAILED: "🔴 {agent} not rebuilt",
    Act.MERGES_REFUSED: "🟢 bots cannot merge on {forge}: {accounts} accounts were refused in {repositories} repositories",
    Act.BOTS_CAN_MERGE: "🔴 {first}: nothing is deployed on {forge}",
    Act.ROSTER_FOLLOWED: "the roster counts: {changes}",
    Act.ROSTER_FAILED: "🔴 the roster does not count",
    Act.AGENT_DESTROYED: "⚰️ {agent} is gone, its notes stay",
    Act.AGENT_PURGED: "{agent} is purged",
    Act.RECONCILE_FAILED: "🔴 {agent} cannot be reconciled: {error}",
    Act.COMMIT_REJECTED: "🔴 rejected {sha}",
    Act.EFFECT_FAILED: "🔴 {error}",
    Act.JOB_FAILED: "🔴 bot failed: {error}",
    Act.MODEL_UNREACHABLE: "🔴 {reason}",
    Act.AGENT_SUSPENDED: "🟡 suspended: {reason}",
    Act.AGENT_STOPPED: "stopped {agent}",
    Act.AGENT_STARTED: "started {agent}",
    Act.AGENT_RESUMED: "resumed after {seconds} s",
    Act.BUDGET_WARNING: "🟡 {says}",
    Act.CONTAINER_CRASHED: "🔴 {agent}'s container crashed",
    Act.CONTAINER_NOT_STARTED: "🔴 {agent}'s container cannot be started",
    Act.CRASH_LOOP: "🔴 {agent} crashed {times} times, not restarted",
    Act.FORGE_UNAVAILABLE: "🟡 the forge is unavailable, work is suspended",
    Act.FORGE_RECOVERED: "the forge is back after {seconds} s",
    Act.TOKEN_REJECTED: "🔴 the token of {login} is rejected, its work is suspended",
    Act.TOKEN_RECOVERED: "{login}'s token is accepted again after {seconds} s",
}
"""The audit rows that are shown, and how; all others are in the audit log only."""


class ActivityConsole:
    """Prints the audit log of an instance as it grows."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._seen = 0
        self._blind = False
        self._machines = {*instance.settings.accounts.values()}
        for team in instance.settings.teams.values():
            self._machines |= {*team.agents}

    def begin_here(self) -> None:
        """Show only what happens from now on."""
        self._seen = self._instance.ledger.audit.last()

    def note(self, text: str) -> None:
        """A line about the hive itself."""
        self._line("hive", text)

    def chapter(self, title: str) -> None:
        """A heading between lines."""
        click.echo(f"\n  {click.style(title, fg='yellow', bold=True)}\n")

    def show(self) -> list[AuditRow]:
        """Print what happened since the last call; returns the rows. A ledger outage is printed once."""
        try:
            rows = self._instance.ledger.audit.after(self._seen)
        except STORE_ERRORS as error:
            if not is_unavailable(error):
                raise
            if not self._blind:
                self.note(AWAY.format(why=describe(error)))
            self._blind = True
            return []
        self._blind = False
        for row in rows:
            self._seen = row.id
            if row.action in PHRASES and not self._is_said_already(row):
                self._line(row.actor, phrase(row), row.url or self._url(row), row.at)
        return rows

    def _is_said_already(self, row: AuditRow) -> bool:
        """A machine's own action comes back as an event, and a review was shown before its status."""
        echo = row.actor in self._machines and row.action.endswith(("_opened", "_posted", "_closed"))
        is_pending = row.action == SetVerdict.WIRE and not row.detail.get("says")
        return echo or is_pending or row.detail.get("context") == "hive/review"

    def _url(self, row: AuditRow) -> str:
        """The page of what a row is about; empty for what has none."""
        ref, sha = row.ref, str(row.detail.get("sha", ""))
        try:
            if "#" in ref:
                subject = Ref.parse(ref)
                return f"{self._instance.url(subject.repo.forge)}/{self._instance.names.current(subject.repo).path}/issues/{subject.number}"
            repo = Repo.parse(ref)
            return f"{self._instance.url(repo.forge)}/{self._instance.names.current(repo).path}" + (
                f"/commit/{sha[:10]}" if sha else ""
            )
        except (ValueError, KeyError):
            return ""

    def _line(self, who: str, what: str, url: str = "", at: float | None = None) -> None:
        clock = time.strftime("%H:%M:%S", time.localtime(at))
        color = next((color for sign, color in COLORS.items() if sign in what), None)
        text = click.style(_fit(what, WIDTH_WHAT) if url else what, fg=color)
        head = f"{click.style(clock, dim=True)} {click.style(_fit(who, WIDTH_WHO), bold=True)} {text}"
        click.echo(f"{head} {_link(url, len(clock) + WIDTH_WHO + WIDTH_WHAT + 3)}".rstrip())


def _link(url: str, column: int) -> str:
    """An address; where it does not fit into the terminal from that column on, its short name, linked to it (OSC 8)."""
    found = PAGE.search(url)
    if not found or not sys.stdout.isatty() or column + len(url) <= shutil.get_terminal_size().columns:
        return url
    name = f"{found['repo']}{'@' if found['kind'] == 'commit' else '#'}{found['key']}"
    return f"\033]8;;{url}\033\\{name}\033]8;;\033\\"


def phrase(row: AuditRow) -> str:
    """An audit row in a few words."""
    facts: dict[str, Any] = {key: _plain(value) for key, value in row.detail.items()}
    return PHRASES[row.action].format_map(_Missing(facts))


class _Missing(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return ""


def _plain(value: Any) -> str:
    text = " ".join(map(str, value)) if isinstance(value, list) else str(value)
    return "".join(c for c in text if c.isprintable())[:60]


def _fit(text: str, width: int) -> str:
    """Pad to a width of the terminal; the signs of findings take two columns each."""
    shown = sum(2 if ord(c) > 0x1F000 else 1 for c in text)
    return text + " " * max(0, width - shown)
