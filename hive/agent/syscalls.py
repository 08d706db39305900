"""System calls that Python has no function for: namespaces, mounts, capabilities, process attributes.

Each raises OSError like the functions of `os`. Contains no policy.
It is imported before every command: only modules that Python has loaded anyway, and ctypes.
"""

from __future__ import annotations

import ctypes
import os
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

CLONE_NEWNS = 0x00020000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 32, 4096, 16384, 1 << 18

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_KEEPCAPS = 8
PR_SET_SECCOMP = 22
PR_CAPBSET_DROP = 24
PR_SET_CHILD_SUBREAPER = 36
_PR_GET_CHILD_SUBREAPER = 37
PR_SET_NO_NEW_PRIVS = 38
_PR_CAP_AMBIENT = 47
_AMBIENT_RAISE, _AMBIENT_CLEAR_ALL = 2, 4

_CAPABILITY_VERSION_3 = 0x20080522

_libc = ctypes.CDLL(None, use_errno=True)
_libc.prctl.argtypes = [ctypes.c_int, *[ctypes.c_ulong] * 4]
_libc.mount.argtypes = [*[ctypes.c_char_p] * 3, ctypes.c_ulong, ctypes.c_char_p]


def prctl(option: int, *arguments: int) -> None:
    """Set an attribute of this process or thread."""
    _checked(_libc.prctl(option, *(*arguments, 0, 0, 0, 0)[:4]), f"prctl {option}")


def is_subreaper() -> bool:
    """Whether orphaned descendants are reparented to this process."""
    answer = ctypes.c_int()
    prctl(_PR_GET_CHILD_SUBREAPER, ctypes.addressof(answer))
    return bool(answer.value)


def filter_calls(program: bytes) -> None:
    """Put a seccomp filter around this thread and all that it starts; `program` is classic BPF, 8 bytes an instruction."""
    code = ctypes.create_string_buffer(program, len(program))
    described = ctypes.create_string_buffer(struct.pack("@HP", len(program) // 8, ctypes.addressof(code)))
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    prctl(PR_SET_SECCOMP, 2, ctypes.addressof(described))


def unshare(flags: int) -> None:
    """Move this process, or with CLONE_NEWPID its next child, into new namespaces."""
    _checked(_libc.unshare(flags), "unshare")


def take_terminal(handle: int) -> None:
    """Make a terminal the one of this session; 0x540e is TIOCSCTTY."""
    _checked(_libc.ioctl(handle, ctypes.c_ulong(0x540E), 0), "ioctl TIOCSCTTY")


def setns(handle: int, flags: int) -> None:
    """Move this process into the namespace that a handle stands for; with a PID namespace, its next child."""
    _checked(_libc.setns(handle, flags), "setns")


def mount(source: str, target: str, kind: str = "", flags: int = 0, data: str = "") -> None:
    """Attach a file system to a place; the same call binds, remounts and changes the propagation."""
    words = [os.fsencode(word) or None for word in (source, target, kind)]
    _checked(_libc.mount(*words, flags, os.fsencode(data) or None), target)


def drop_bounding(kept: Iterable[int]) -> None:
    """Limit capabilities to these, whatever is executed; needs CAP_SETPCAP."""
    with open("/proc/sys/kernel/cap_last_cap", "rb") as file:
        last = int(file.read())
    for capability in {*range(last + 1)}.difference(kept):
        prctl(PR_CAPBSET_DROP, capability)


def hold(kept: Iterable[int]) -> None:
    """Hold these capabilities and no other, across exec too.

    The ambient set is what survives an exec of a user other than 0 (Linux 4.3).
    """
    kept = list(kept)
    mask = sum(1 << capability for capability in kept)
    header = struct.pack("=Ii", _CAPABILITY_VERSION_3, 0)
    sets = [word for half in (mask & 0xFFFFFFFF, mask >> 32) for word in (half, half, half)]
    _checked(_libc.capset(header, struct.pack("=6I", *sets)), "capset")
    prctl(_PR_CAP_AMBIENT, _AMBIENT_CLEAR_ALL)
    for capability in kept:
        prctl(_PR_CAP_AMBIENT, _AMBIENT_RAISE, capability)


def _checked(result: int, what: str) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what)
