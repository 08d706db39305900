"""Deliveries as Forgejo sends them, each of its own and signed, as the bytes of an HTTP request."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from forge import event_keys
from forge.webhook import sign

PATH = "/hook/forgejo"
OWNER, NAME, REPO_ID = "acme", "app", 17
PLACE = "https://forge.example"
NUMBER = 987654321
"""Stands in a body where its number goes: a body is made once, and each delivery has another number of that length."""

Shape = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Letters:
    """Deliveries of one kind; the series and a number make the uuid."""

    kind: str
    coarse: str
    body: bytes
    secret: bytes

    @staticmethod
    def uuid(series: str, number: int) -> str:
        """The id of a delivery."""
        return f"{series}-{number:010d}".rjust(36, "0")

    def request(self, series: str, number: int, about: int = 0) -> bytes:
        """The request of a delivery that tells of subject `about`, or of the one with its own number."""
        body = self.body.replace(str(NUMBER).encode(), str(about or subject(number)).encode())
        body = body.replace(str(NUMBER + 1).encode(), str(subject(number)).encode()).ljust(len(self.body))
        uuid, signature = self.uuid(series, number), sign(self.secret, body)
        lines = [f"POST {PATH} HTTP/1.1", "Host: 127.0.0.1", "Content-Type: application/json"]
        for forge in ("Forgejo", "Gitea", "GitHub"):
            lines += [f"X-{forge}-Delivery: {uuid}", f"X-{forge}-Event: {self.coarse}"]
            lines += [f"X-{forge}-Event-Type: {self.kind}"]
        lines += [f"X-Forgejo-Signature: {signature}", f"X-Gitea-Signature: {signature}"]
        lines += [f"X-Hub-Signature-256: sha256={signature}", f"Content-Length: {len(body)}", "", ""]
        return "\r\n".join(lines).encode() + body


def subject(number: int) -> int:
    """The number of an issue or pull request for the delivery with that number; all are of one length."""
    return 100_000_000 + number


def opened_key(number: int) -> str:
    """The key of the event that an issue was opened."""
    return event_keys.opened("forgejo", REPO_ID, number)


def pull_opened(secret: bytes) -> Letters:
    """A pull request was opened: about 16.6 KB, as long as deliveries get."""
    place = f"{PLACE}/{OWNER}/{NAME}/pulls/{NUMBER}"
    body = "Closes #581\n\n- add a depth column to the table of lanes\n- show it live\n\n" * 15
    pull = {
        **_subject("pulls", body), "requested_reviewers": [_user(12, "argus")], "requested_reviewers_teams": None,
        "draft": False, "review_comments": 0, "additions": 84, "deletions": 12, "changed_files": 4,
        "diff_url": f"{place}.diff", "patch_url": f"{place}.patch", "mergeable": True, "merged": False,
        "merged_at": None, "merge_commit_sha": None, "merged_by": None, "allow_maintainer_edit": False,
        "base": _branch("main"), "head": _branch("depth"), "merge_base": sha256(b"main").hexdigest()[:40], "flow": 0,
    }  # fmt: skip
    payload = {"action": "opened", "number": NUMBER, "pull_request": pull, "requested_reviewer": None}
    return _letters("pull_request", "pull_request", payload | _where(), secret)


def issue_opened(secret: bytes) -> Letters:
    """An issue was filed."""
    payload = {"action": "opened", "number": NUMBER, "issue": _issue()}
    return _letters("issues", "issues", payload | _where(), secret)


def labels_changed(secret: bytes) -> Letters:
    """Labels of an issue were set: says neither which nor when."""
    payload = {"action": "label_updated", "number": NUMBER, "issue": _issue()}
    return _letters("issue_label", "issues", payload | _where(), secret)


def commented(secret: bytes) -> Letters:
    """Somebody wrote a comment."""
    comment = {
        "id": NUMBER + 1, "html_url": f"{PLACE}/{OWNER}/{NAME}/issues/{NUMBER}#issuecomment-{NUMBER + 1}",
        "user": _user(1, "mara"), "body": "It still shows 0 for me.", "created_at": "2026-05-04T12:00:00Z",
        "updated_at": "2026-05-04T12:00:00Z", "assets": [],
    }  # fmt: skip
    payload = {"action": "created", "issue": _issue(), "comment": comment, "is_pull": False}
    return _letters("issue_comment", "issue_comment", payload | _where(), secret)


def _letters(kind: str, coarse: str, payload: Mapping[str, Any], secret: bytes) -> Letters:
    return Letters(kind, coarse, json.dumps(payload, indent=2).encode(), secret)


def _where() -> Shape:
    return {
        "repository": _repo(),
        "sender": _user(1, "mara"),
        "commit_id": "",
        "review": None,
        "installation": {"id": 1},
    }


def _issue() -> Shape:
    return {**_subject("issues", "The page of every hive shows 0. It should show its bees."), "repository": None}


def _subject(kind: str, body: str) -> Shape:
    return {
        "id": NUMBER, "number": NUMBER, "url": f"{PLACE}/api/v1/repos/{OWNER}/{NAME}/{kind}/{NUMBER}",
        "html_url": f"{PLACE}/{OWNER}/{NAME}/{kind}/{NUMBER}", "user": _user(1, "mara"), "original_author": "",
        "title": f"Every hive shows 0, {NUMBER}", "body": body, "ref": "", "assets": [],
        "labels": [_label(4, "area/app"), _label(9, "type/bug")], "milestone": None, "assignee": _user(11, "iris"),
        "assignees": [_user(11, "iris")], "state": "open", "is_locked": False, "comments": 0,
        "created_at": "2026-05-04T12:00:00Z", "updated_at": "2026-05-04T12:00:00Z", "closed_at": None,
        "due_date": None, "pull_request": None, "pin_order": 0,
    }  # fmt: skip


def _label(number: int, name: str) -> Shape:
    return {
        "id": number, "name": name, "exclusive": True, "is_archived": False, "color": "00aabb", "description": "",
        "url": f"{PLACE}/api/v1/repos/{OWNER}/{NAME}/labels/{number}",
    }  # fmt: skip


def _user(number: int, login: str) -> Shape:
    return {
        "id": number, "login": login, "login_name": "", "source_id": 0, "full_name": login.title(),
        "email": f"{login}@noreply.forge.example", "html_url": f"{PLACE}/{login}", "language": "", "is_admin": False,
        "avatar_url": f"{PLACE}/avatars/{sha256(login.encode()).hexdigest()}", "last_login": "0001-01-01T00:00:00Z",
        "created": "2025-10-02T11:22:33Z", "restricted": False, "active": False, "prohibit_login": False,
        "location": "", "pronouns": "", "website": "", "description": "", "visibility": "public",
        "followers_count": 0, "following_count": 0, "starred_repos_count": 0, "username": login,
    }  # fmt: skip


def _branch(name: str) -> Shape:
    sha = sha256(name.encode()).hexdigest()[:40]
    return {"label": name, "ref": name, "sha": sha, "repo_id": REPO_ID, "repo": _repo()}


def _repo() -> Shape:
    place, api = f"{PLACE}/{OWNER}/{NAME}", f"{PLACE}/api/v1/repos/{OWNER}/{NAME}"
    never = dict.fromkeys(("empty", "private", "fork", "template", "mirror", "archived", "internal"), False)
    counts = dict.fromkeys(("stars_count", "forks_count", "watchers_count", "open_pr_counter", "release_counter"), 3)
    rights = ("has_issues", "has_wiki", "has_pull_requests", "has_projects", "has_releases", "has_packages")
    merges = ("merge_commits", "rebase", "rebase_explicit", "squash_merge", "fast_forward_only_merge", "rebase_update")
    return {
        "id": REPO_ID, "owner": _user(3, OWNER), "name": NAME, "full_name": f"{OWNER}/{NAME}",
        "description": "an apiary", **never, "parent": None, "size": 4821, "language": "",
        "languages_url": f"{api}/languages", "html_url": place, "url": api, "link": "",
        "ssh_url": f"forgejo@forge.example:{OWNER}/{NAME}.git", "clone_url": f"{place}.git", "original_url": "",
        "website": "", **counts, "open_issues_count": 41, "default_branch": "main",
        "created_at": "2025-10-02T11:25:01Z", "updated_at": "2026-02-11T19:44:10Z",
        "archived_at": "1970-01-01T00:00:00Z", "permissions": {"admin": True, "push": True, "pull": True},
        **dict.fromkeys(rights, True),
        "internal_tracker": {
            "enable_time_tracker": True, "allow_only_contributors_to_track_time": True,
            "enable_issue_dependencies": True,
        },
        "globally_editable_wiki": False, "has_actions": True, "ignore_whitespace_conflicts": False,
        **{f"allow_{way}": True for way in merges}, "default_delete_branch_after_merge": False,
        "default_merge_style": "merge", "default_allow_maintainer_edit": False, "default_update_style": "merge",
        "avatar_url": "", "mirror_interval": "", "object_format_name": "sha1",
        "mirror_updated": "0001-01-01T00:00:00Z", "repo_transfer": None, "topics": ["agents", "bees"],
    }  # fmt: skip
