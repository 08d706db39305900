"""What an account may do to a branch, found out by trying, in ways that cannot succeed.

A push that asks to make a branch that is there already, at the very commit it is at: the forge has
to refuse it before git is asked, git itself cannot do it, and done it would change nothing.
A merge of a draft at a head that it does not have, and with the same commits on both sides.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from forge.doctor_probe import TITLE
from forge.gitea.client import SECONDS
from forge.gitea.confirm import gone
from forge.gitea.errors import silence
from forge.gitea.operator import GiteaOperator
from forge.gitea.reader import GiteaReader
from forge.gitea.writer import GiteaForge
from forge.models import Branch, Ref, Repo
from forge.protocol import Conflict, NotFound, Refused, Unavailable

DECLINED = "pre-receive hook declined"
NOT_ALLOWED = "not allowed to merge"
"""The first answer of all forges to an account that may not merge at all, whatever the pull request."""

DROPS = 2
"""How often a branch is taken away again whose removal failed."""

_MAX_ANSWER = 1 << 20


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """How a try ended: `refused` is what should be, `said` the forge's own words."""

    refused: bool
    said: str


class PermissionProbe(GiteaForge):
    """The hands of the hive's own account while something is tried; it takes away what it made."""

    def make_branch(self, repo: Repo, name: str, base: str) -> None:
        """A branch at the head of another one."""
        self._client.post(self._at(repo, "branches"), new_branch_name=name, old_ref_name=base)

    def drop_branch(self, repo: Repo, name: str) -> bool:
        """Take a branch away; one that is gone is no error, False for one that some rule keeps.

        Forgejo 11.0.15 was seen to answer 500: it is looked after, and asked again.
        """
        at = self._at(repo, "branches", *name.split("/"))
        try:
            for left in range(DROPS, -1, -1):
                try:
                    self._client.delete(at)
                except Unavailable as error:
                    if gone(lambda: self._client.get(at)):
                        return True
                    if error.status != 500 or not left:
                        raise
                else:
                    return True
        except NotFound:
            return True
        except Refused:
            return False
        return True

    def open_draft(self, repo: Repo, name: str, base: str) -> Ref:
        """A draft that nobody can merge, and that changes nothing."""
        self.make_branch(repo, name, base)
        return self.open_pull(
            repo, head=name, base=base, title=TITLE, body="hive doctor tries who may, and takes this away."
        ).ref


def opens(reader: GiteaReader, at: str) -> bool:
    """Whether an account gets an answer at a path of the API."""
    try:
        reader._client.get(at)  # noqa: SLF001  a question that no bot asks is no part of a reader
    except (Refused, NotFound):
        return False
    return True


def try_merge(name: str, url: str, token: str, ref: Ref) -> ProbeResult:
    """Try to merge a draft of `GiteaTrial`; raises Unavailable if nothing can be concluded."""
    with GiteaOperator(name=name, url=url, token=token) as hands:
        try:
            hands.merge(ref, head_sha="0" * 40)
        except NotFound as error:
            return ProbeResult(True, str(error))
        except Refused as error:
            return ProbeResult(error.status in {401, 403} or NOT_ALLOWED in str(error), str(error))
        except Conflict as error:
            return ProbeResult(False, str(error))
    return ProbeResult(False, "merged")


def try_push(url: str, login: str, token: str, repo: Repo, at: Branch) -> ProbeResult:
    """Try to push to a branch; raises Unavailable if nothing can be concluded."""
    ref = f"refs/heads/{at.name}"
    status, body = _receive_pack(url, login, token, repo, _commands(ref, at.sha))
    if status in {401, 403, 404}:
        return ProbeResult(True, f"{status}")
    if status != 200:
        raise Unavailable(f"a push to {repo.path}: {status}", status=status)
    bands = list(_bands(body))
    report = b"".join(text for band, text in bands if band == 1)
    told = b"".join(text for band, text in bands if band == 2).decode("utf-8", "replace")
    verdict = next((line for line in _lines(report) if ref.encode() in line), b"")
    if not verdict:
        raise Unavailable(f"a push to {repo.path}: the forge reports nothing")
    words = " ".join(told.split())[:200] or verdict.decode("utf-8", "replace").strip()
    return ProbeResult(DECLINED.encode() in verdict, "".join(letter for letter in words if letter.isprintable()))


def _commands(ref: str, sha: str) -> bytes:
    """The body of a push: one command, no objects."""
    digest = hashlib.sha1 if len(sha) == 40 else hashlib.sha256
    able = "report-status side-band-64k agent=hive-doctor" + ("" if len(sha) == 40 else " object-format=sha256")
    command = f"{'0' * len(sha)} {sha} {ref}\0 {able}".encode()
    pack = b"PACK" + (2).to_bytes(4) + (0).to_bytes(4)
    return f"{len(command) + 4:04x}".encode() + command + b"0000" + pack + digest(pack, usedforsecurity=False).digest()


def _receive_pack(url: str, login: str, token: str, repo: Repo, body: bytes) -> tuple[int, bytes]:
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=SECONDS)
    secret = base64.b64encode(f"{login}:{token}".encode()).decode()
    headers = {
        "Authorization": f"Basic {secret}",
        "Content-Type": "application/x-git-receive-pack-request",
        "Accept": "application/x-git-receive-pack-result",
    }
    try:
        path = f"{parts.path.rstrip('/')}/{quote(repo.owner)}/{quote(repo.name)}.git/git-receive-pack"
        connection.request("POST", path, body=body, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read(_MAX_ANSWER)
    except (OSError, http.client.HTTPException) as error:
        raise Unavailable(f"a push to {repo.path}: {silence(url, error)}") from error
    finally:
        connection.close()


def _bands(body: bytes) -> Iterator[tuple[int, bytes]]:
    """The side bands of an answer: 1 is the report, 2 what a person is told."""
    for line in _lines(body):
        if line:
            yield line[0], line[1:]


def _lines(body: bytes) -> Iterator[bytes]:
    """The packet lines of a text; what is none ends it."""
    place = 0
    while place + 4 <= len(body):
        try:
            size = int(body[place : place + 4], 16)
        except ValueError:
            return
        if size >= 4:
            yield body[place + 4 : place + size]
        place += max(size, 4)
