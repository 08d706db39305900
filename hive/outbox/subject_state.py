"""What became of an issue or pull request that was not found: gone, or hidden from who asks. Changes nothing."""

from __future__ import annotations

from enum import Enum

from forge.models import Ref
from forge.protocol import ForgeError, NotFound, Reader

UNSEEN = "{login} may see no issue, or no pull request, there any more"


class SubjectState(Enum):
    """What became of an issue or pull request that was not found."""

    THERE = "it is there"
    GONE = "it was taken away, out of a repository that is there: nothing is left to look at"
    HIDDEN = "the account may see none there"
    UNKNOWN = "the forge does not say"


def subject_state(forge: Reader, ref: Ref) -> SubjectState:
    """The state of an issue or pull request that was not found: forges give the same answer for gone and hidden."""
    try:
        forge.repository(ref.repo)
        forge.issue(ref)
    except NotFound:
        return _missing(forge, ref)
    except ForgeError:
        return SubjectState.UNKNOWN
    return SubjectState.THERE


def _missing(forge: Reader, ref: Ref) -> SubjectState:
    try:
        forge.repository(ref.repo)
        return SubjectState.GONE if forge.sees_subjects(ref.repo) else SubjectState.HIDDEN
    except ForgeError:
        return SubjectState.UNKNOWN
