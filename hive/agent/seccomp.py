"""Which system calls a container and a command are denied, as a seccomp filter. Performs no I/O.

One table serves both filters: `CONTAINER` is what container runtimes deny (Docker's and Podman's default
profiles), `COMMAND` adds what only the harness needs to confine a command: mounts and namespaces.
The numbers are those of Linux 6.18, `arch/x86/entry/syscalls/syscall_64.tbl` and `scripts/syscall.tbl` (arm64);
what is newer than an architecture's table has the same number everywhere from 424 on.
"""

from __future__ import annotations

import errno
import os
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_EVERYWHERE = 0x7E020080
"""CLONE_NEWTIME, NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET."""
_IN_CLONE = _EVERYWHERE & ~0xFF
"""In clone(2) the lowest byte is a signal."""
_FAMILIES = (1, 2, 10, 16)
"""AF_UNIX, AF_INET, AF_INET6, AF_NETLINK. Not AF_VSOCK: it reaches the hypervisor from every network namespace."""
_TERMINAL = (0x5412, 0x541C)
"""TIOCSTI and TIOCLINUX put words into the terminal of others."""


class Syscall:
    """A system call that is denied; the numbers are those of x86-64 and arm64, None where there is no such call.

    With an `argument` only calls are denied whose argument of that position has one of the bits of `mask`,
    is one of `values`, or, if `only` is set, is none of these.
    """

    def __init__(
        self,
        name: str,
        x86_64: int | None,
        aarch64: int | None,
        error: int = errno.EPERM,
        *,
        argument: int | None = None,
        mask: int = 0,
        values: tuple[int, ...] = (),
        only: tuple[int, ...] = (),
    ) -> None:
        self.name = name
        self.numbers = {"x86_64": x86_64, "aarch64": aarch64}
        self.error = error
        self.argument = argument
        self.mask = mask
        self.values = values
        self.only = only


CONTAINER = (
    Syscall("acct", 163, 89),
    Syscall("add_key", 248, 217),
    Syscall("bpf", 321, 280),
    Syscall("clock_adjtime", 305, 266),
    Syscall("clock_settime", 227, 112),
    Syscall("delete_module", 176, 106),
    Syscall("fanotify_init", 300, 262),
    Syscall("finit_module", 313, 273),
    Syscall("get_mempolicy", 239, 236),
    Syscall("init_module", 175, 105),
    Syscall("io_uring_enter", 426, 426, errno.ENOSYS),
    Syscall("io_uring_register", 427, 427, errno.ENOSYS),
    Syscall("io_uring_setup", 425, 425, errno.ENOSYS),
    Syscall("ioctl", 16, 29, argument=1, values=_TERMINAL),
    Syscall("ioperm", 173, None),
    Syscall("iopl", 172, None),
    Syscall("kcmp", 312, 272),
    Syscall("kexec_file_load", 320, 294),
    Syscall("kexec_load", 246, 104),
    Syscall("keyctl", 250, 219),
    Syscall("lookup_dcookie", 212, 18),
    Syscall("mbind", 237, 235),
    Syscall("migrate_pages", 256, 238),
    Syscall("move_pages", 279, 239),
    Syscall("nfsservctl", 180, 42),
    Syscall("open_by_handle_at", 304, 265),
    Syscall("perf_event_open", 298, 241),
    Syscall("pidfd_getfd", 438, 438),
    Syscall("process_madvise", 440, 440),
    Syscall("process_vm_readv", 310, 270),
    Syscall("process_vm_writev", 311, 271),
    Syscall("quotactl", 179, 60),
    Syscall("quotactl_fd", 443, 443),
    Syscall("reboot", 169, 142),
    Syscall("request_key", 249, 218),
    Syscall("set_mempolicy", 238, 237),
    Syscall("set_mempolicy_home_node", 450, 450),
    Syscall("settimeofday", 164, 170),
    Syscall("socket", 41, 198, errno.EAFNOSUPPORT, argument=0, only=_FAMILIES),
    Syscall("swapoff", 168, 225),
    Syscall("swapon", 167, 224),
    Syscall("syslog", 103, 116),
    Syscall("userfaultfd", 323, 282),
    Syscall("vhangup", 153, 58),
)
"""What no process of a container may do."""

COMMAND = (
    *CONTAINER,
    Syscall("chroot", 161, 51),
    Syscall("clone", 56, 220, argument=0, mask=_IN_CLONE),
    # Its flags lie behind a pointer, which a filter cannot follow; libraries fall back to clone.
    Syscall("clone3", 435, 435, errno.ENOSYS),
    Syscall("fsconfig", 431, 431),
    Syscall("fsmount", 432, 432),
    Syscall("fsopen", 430, 430),
    Syscall("fspick", 433, 433),
    Syscall("mount", 165, 40),
    Syscall("mount_setattr", 442, 442),
    Syscall("move_mount", 429, 429),
    Syscall("open_tree", 428, 428),
    Syscall("open_tree_attr", 467, 467),
    Syscall("pivot_root", 155, 41),
    Syscall("setns", 308, 268),
    Syscall("umount2", 166, 39),
    Syscall("unshare", 272, 97, argument=0, mask=_EVERYWHERE),
)
"""What no command may do."""

AMONG_OTHERS = (*COMMAND, Syscall("ptrace", 101, 117))
"""What a command may not do that shares its PID namespace with others; alone, it may debug what it started."""

_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
"""AUDIT_ARCH_X86_64 and AUDIT_ARCH_AARCH64 of linux/audit.h."""
_X32 = 0x40000000
"""The bit that marks calls of the x32 ABI, which have other numbers on the same architecture."""

_LOAD, _JUMP_IF_EQUAL, _JUMP_IF_BITS, _JUMP_IF_GREATER_OR_EQUAL, _RETURN = 0x20, 0x15, 0x45, 0x35, 0x06
_ALLOW, _DENY, _KILL_PROCESS = 0x7FFF0000, 0x00050000, 0x80000000
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16
"""Offsets in `struct seccomp_data`; an argument's lower half comes first on both architectures."""


def program(calls: tuple[Syscall, ...], machine: str = "") -> bytes:
    """The filter for a machine, this one if none is named, as instructions of classic BPF.

    Processes of another architecture are killed. Raises OSError for a machine that the table does not know.
    """
    machine = machine or os.uname().machine
    if machine not in _ARCHITECTURES:
        raise OSError(errno.ENOTSUP, f"no seccomp filter is known for {machine}; there are {', '.join(_ARCHITECTURES)}")
    return b"".join(_instructions(calls, machine))


def _instructions(calls: tuple[Syscall, ...], machine: str) -> Iterator[bytes]:
    yield _step(_LOAD, _ARCHITECTURE)
    yield _step(_JUMP_IF_EQUAL, _ARCHITECTURES[machine], 1, 0)
    yield _step(_RETURN, _KILL_PROCESS)
    yield _step(_LOAD, _NUMBER)
    if machine == "x86_64":
        yield _step(_JUMP_IF_GREATER_OR_EQUAL, _X32, 0, 1)
        yield _step(_RETURN, _DENY | errno.ENOSYS)
    for call in calls:
        number = call.numbers[machine]
        if number is not None:
            body = list(_verdict(call))
            yield _step(_JUMP_IF_EQUAL, number, 0, len(body))
            yield from body
    yield _step(_RETURN, _ALLOW)


def _verdict(call: Syscall) -> Iterator[bytes]:
    """What becomes of a call whose number is known: at its end it is allowed or denied."""
    deny, allow = _step(_RETURN, _DENY | call.error), _step(_RETURN, _ALLOW)
    if call.argument is None:
        yield deny
        return
    yield _step(_LOAD, _ARGUMENTS + 8 * call.argument)
    if call.mask:
        yield _step(_JUMP_IF_BITS, call.mask, 0, 1)
        yield deny
    for value in call.only or call.values:
        yield _step(_JUMP_IF_EQUAL, value, 0, 1)
        yield allow if call.only else deny
    yield deny if call.only else allow


def _step(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)
