"""What triage can want beside labels and assignments: frozen imperatives, a part of `bots.intents`. Performs no I/O."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from bots.issue_terms import IssueTerms, TriageNote
from forge.models import Ref
from forge.wire_names import WireNamed


@dataclass(frozen=True, slots=True)
class ShowTriage(WireNamed, wire="show_triage"):
    """Say what triage made of an issue in its one comment, which is edited; `as_of` is when the issue was as it was read."""

    ref: Ref
    note: TriageNote
    as_of: datetime
    key: str


@dataclass(frozen=True, slots=True)
class IndexIssue(WireNamed, wire="index_issue"):
    """Remember the terms of an issue, so that others that say the same are found."""

    ref: Ref
    terms: IssueTerms
    key: str


TriageIntent = ShowTriage | IndexIssue
