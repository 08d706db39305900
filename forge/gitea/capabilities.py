"""What each version of Forgejo and Gitea can do, as data. Performs no I/O.

Learnt from the recorded answers of Forgejo 10, 17 and Gitea 1.26 and from the release notes of
both. A development build counts as the last thing before its release: Gitea 1.26.0-dev could not
resolve conversations yet, 1.26.0 can. A version that is newer than all of these can do what the newest can.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from forge.protocol import Capabilities

_Version = tuple[int, ...]

_FORGEJO: Mapping[str, _Version] = {
    "whole_timeline": (7,),
    "own_permission": (11,),
    "action_events": (12,),
    "label_removal_by_name": (13,),
    "repo_tokens": (15,),
}
_GITEA: Mapping[str, _Version] = {
    "status_webhook": (1, 23),
    "reviewers_on_create": (1, 23),
    "action_events": (1, 25),
    "own_permission": (1, 25, 99),
    "resolve_conversation": (1, 26),
    "reply_to_remark": (1, 27),
}
_SINCE = {"forgejo": _FORGEJO, "gitea": _GITEA}
_ADMINS = {"forgejo": "apply_to_admins", "gitea": "block_admin_merge_override"}

_DEVELOPMENT = re.compile(r"\bdev\b")


def says_kind(version: str) -> bool:
    """Whether a version tells Forgejo and Gitea apart: a number of 7 or more without a word may be of either, now or one day."""
    return "+gitea-" in version or (1,) <= _number(version) < (2,)


def able(version: str, *, is_forgejo: bool = False) -> Capabilities:
    """The capabilities of a version; `is_forgejo` is what the forge says that it is, if its version does not.

    Forgejo reports the Gitea version that it is compatible with (`17.0.0+gitea-1.22.0`), Gitea does not. A text
    without a number, as of a custom build, has no special capabilities.
    """
    number = _number(version)
    kind = "forgejo" if "+gitea-" in version or (is_forgejo and not says_kind(version)) else "gitea"
    can = {name: number >= since for name, since in _SINCE[kind].items()}
    return Capabilities(kind, version, _ADMINS[kind], **can)


def _number(version: str) -> _Version:
    own = version.partition("+gitea-")[0]
    match = re.match(r"v?([0-9]{1,9})(?:\.([0-9]{1,9}))?(?:\.([0-9]{1,9}))?", own)
    if match is None:
        return ()
    number = tuple(int(part) for part in match.groups(default="0"))
    return _before(number) if _DEVELOPMENT.search(own) and not number[2] else number


def _before(number: _Version) -> _Version:
    major, minor, _ = number
    return (major, minor - 1, 99) if minor else (major - 1, 99, 99)
