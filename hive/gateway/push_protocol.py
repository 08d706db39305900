"""The part of git's protocol that a push begins and ends with: its commands, and the report on them. Performs no I/O."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import BinaryIO

_NAME = rb"[0-9a-f]{40}(?:[0-9a-f]{24})?"
_ZERO = re.compile(r"0+")
MAX_COMMANDS = 1 << 16
MAX_BAND = 60_000
MAX_REASON = 200
_LENGTH = re.compile(rb"[0-9a-fA-F]{4}")
_SHALLOW = re.compile(rb"shallow " + _NAME + rb"\n?")
_COMMAND = re.compile(rb"(" + _NAME + rb") (" + _NAME + rb") ([^\x00\n]+)(?:\x00(.*))?\n?", re.DOTALL)


class NotAllowed(Exception):
    """A container asked git for something that it was not granted."""


@dataclass(frozen=True, slots=True)
class RefUpdate:
    """One reference that a push moves; the name of no object, zeros only, is where a new one comes from and a deleted one goes to."""

    old: str
    new: str
    ref: str


@dataclass(frozen=True, slots=True)
class PushHead:
    """What a push begins with: the bytes as they came, its updates, and what the client understands."""

    raw: bytes
    updates: tuple[RefUpdate, ...]
    capabilities: frozenset[bytes] = frozenset()

    def check(self, branch_prefix: str) -> None:
        """Raise NotAllowed, with a sentence for the agent, for any other reference than a branch of its own."""
        if b"push-options" in self.capabilities:
            raise NotAllowed(
                "options of a push are not passed on: a forge may be told to change more than a branch by them"
            )
        for update in self.updates:
            if not update.ref.startswith(f"refs/heads/{branch_prefix}"):
                raise NotAllowed(f"only branches below {branch_prefix} may be pushed, and no tags")
            if _ZERO.fullmatch(update.new):
                raise NotAllowed("branches are not deleted from a container")

    @property
    def takes_report(self) -> bool:
        """Whether the client understands a report on each reference."""
        return bool(self.updates) and bool({b"report-status", b"report-status-v2"} & self.capabilities)

    def report(self, why: str) -> bytes:
        """The answer that no reference was updated, and why: git shows the sentence where the push was made."""
        line = " ".join(why.split())
        told = [_packet(f"ng {update.ref} {line[:MAX_REASON]}\n".encode()) for update in self.updates]
        status = b"".join([_packet(b"unpack ok\n"), *told, b"0000"])
        if b"side-band-64k" not in self.capabilities:
            return status
        words = line.encode()[:MAX_BAND] + b"\n"
        bands = [status[at : at + MAX_BAND] for at in range(0, len(status), MAX_BAND)]
        return b"".join([_packet(b"\x02" + words), *(_packet(b"\x01" + band) for band in bands), b"0000"])


def read_head(body: BinaryIO) -> PushHead:
    """Read the commands of a push up to their end; raises NotAllowed for what is no push."""
    seen = b""
    updates: list[RefUpdate] = []
    capabilities = frozenset[bytes]()
    while True:
        head = body.read(4)
        seen += head
        if head in (b"", b"0000"):
            return PushHead(seen, tuple(updates), capabilities)
        size = int(head, 16) if _LENGTH.fullmatch(head) else 0
        if size <= len(head):  # a length below 4 belongs to other parts of the protocol, and would truncate the check
            raise NotAllowed("not a push")
        line = body.read(size - len(head))
        seen += line
        if len(seen) > MAX_COMMANDS:
            raise NotAllowed("too many references in one push")
        if _SHALLOW.fullmatch(line):
            continue
        match = _COMMAND.fullmatch(line)
        if match is None:
            raise NotAllowed("not a push")
        capabilities |= frozenset((match[4] or b"").split())
        updates.append(RefUpdate(match[1].decode(), match[2].decode(), match[3].decode("utf-8", "replace")))


def _packet(data: bytes) -> bytes:
    return b"%04x" % (len(data) + 4) + data
