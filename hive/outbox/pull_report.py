"""The body of a run's pull request, composed by the host from what the agent reports. Performs no I/O."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bots.markdown import code, plain, prose

CRITERIA = "### Acceptance criteria"
NOT_SHOWN = "not shown"
CHECKS = "### Checks"
NO_CHECKS = "No checks are configured for this repository."
SUGGESTED = """\
{no_checks} With this in `.hive.yaml` on its default branch, agents would have to pass them before they push:

```yaml
checks:
{checks}
```"""
LEFT = "### Not done"
PART = "Part of {issue}: a merge leaves it open, because of what is not done."
SINCE = "### Since then"
ONE_LATER = "**{title}**\n\n{summary}"
MOST_LATER = 5
"""How many of the later submits are told of; what each changed is in its commits, too."""
FOOTER = "<sub>{used} · run: {run}</sub>"
_NUMBERED = re.compile(r"(?:criterion\s+)?#?(?P<number>\d{1,3})\s*[.:)—–-]\s*(?P<text>\S.*)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ReportedCheck:
    """What came of one of the repository's checks."""

    command: str
    ok: bool


@dataclass(frozen=True, slots=True)
class LaterChange:
    """What a later submit changed, by its title and in the agent's words."""

    title: str
    summary: str


@dataclass(frozen=True, slots=True)
class PullReport:
    """What an agent reports of a change: what and why, the checks that it ran, how each criterion is shown, what is not done.

    All texts may be posted as they are but `evidence`, which is one line for each criterion; `closes` is a line of ours.
    """

    summary: str
    closes: str = ""
    checks: tuple[ReportedCheck, ...] = ()
    evidence: tuple[str, ...] = ()
    left: str = ""
    suggested: tuple[str, ...] = ()
    """Checks that the repository could have, in words of ours, where it has none."""

    @property
    def checked(self) -> str:
        """What came of the checks in a few words."""
        return ", ".join(f"{code(check.command)} {'✅' if check.ok else '❌'}" for check in self.checks)


def pull_body(
    report: PullReport, criteria: Sequence[str], *, used: str, run: int, later: Sequence[LaterChange] = ()
) -> str:
    """The text: what and why, what changed later, each criterion with the agent's word for it, checks, what is not done, the cost."""
    issue = report.closes.removeprefix("Closes ")
    parts = [report.summary, PART.format(issue=issue) if report.left and issue else report.closes]
    if later:
        parts += [
            SINCE,
            *(ONE_LATER.format(title=plain(each.title), summary=each.summary) for each in later[-MOST_LATER:]),
        ]
    if criteria:
        parts += [CRITERIA, "\n".join(_criteria(criteria, report.evidence))]
    lines = [f"- {code(check.command)} {'✅' if check.ok else '❌'}" for check in report.checks]
    parts += [CHECKS, "\n".join(lines) or _no_checks(report.suggested)]
    if report.left:
        parts += [LEFT, report.left]
    parts.append(FOOTER.format(used=used, run=run) if used else f"run: {run}")
    return "\n\n".join(part for part in parts if part)


def _no_checks(suggested: Sequence[str]) -> str:
    if not suggested:
        return NO_CHECKS
    return SUGGESTED.format(no_checks=NO_CHECKS, checks="\n".join(f"  - {command}" for command in suggested))


def _criteria(criteria: Sequence[str], evidence: Sequence[str]) -> Iterator[str]:
    shown = _by_number(evidence, len(criteria))
    for number, criterion in enumerate(criteria, 1):
        words = shown.get(number, "")
        yield f"- [{'x' if words else ' '}] {prose(criterion)}: {prose(words) if words else NOT_SHOWN}"


def _by_number(evidence: Sequence[str], count: int) -> dict[int, str]:
    """Evidence by the number of its criterion; without numbers it is in their order."""
    found = [_NUMBERED.fullmatch(words) for words in evidence]
    if all(each is not None and 0 < int(each["number"]) <= count for each in found):
        return {int(each["number"]): each["text"] for each in found if each is not None}
    return dict(enumerate(evidence, 1))
